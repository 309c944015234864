// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page tables of the kernel, as they are: arm64. No walk is exported, and a
 * kernel without KALLSYMS_ALL does not even tell where the tables are; the CPU
 * does. Page tables of the direct map and of our own area are never freed while
 * the caller looks.
 */
#include <asm/pgtable.h>
#include <asm/sysreg.h>

#include <mmkit/walk.h>

#include "compat.h"

/* The lowest bits of a table's address come first where addresses have 52 bits. */
static pgd_t *kernel_pgd(void)
{
	u64 ttbr = read_sysreg(ttbr1_el1);

	return __va((ttbr & GENMASK_ULL(47, 6)) | (ttbr & GENMASK_ULL(5, 2)) << 46);
}

/* A descriptor leads to a table when it is valid and not a block. */
static bool is_table(u64 descriptor)
{
	return (descriptor & 3) == 3;
}

pte_t *mmkit_walk(unsigned long addr, unsigned long *size)
{
	pgd_t *pgd = pgd_offset_pgd(kernel_pgd(), addr);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;

	*size = PAGE_SIZE;
	if (pgd_none(READ_ONCE(*pgd)))
		return NULL;
	p4d = p4d_offset(pgd, addr);
	if (p4d_none(READ_ONCE(*p4d)))
		return NULL;
	pud = pud_offset(p4d, addr);
	if (pud_none(READ_ONCE(*pud)))
		return NULL;
	if (!is_table(pud_val(READ_ONCE(*pud)))) {
		*size = PUD_SIZE;
		return (pte_t *)pud;
	}
	pmd = pmd_offset(pud, addr);
	if (pmd_none(READ_ONCE(*pmd)))
		return NULL;
	if (!is_table(pmd_val(READ_ONCE(*pmd)))) {
		*size = PMD_SIZE;
		return (pte_t *)pmd;
	}
	return pte_offset_kernel(pmd, addr);
}
MMKIT_EXPORT(mmkit_walk);
