// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writing to text: arm64. Later kernels have a function for it, that writes through
 * a fixmap and synchronises caches and CPUs. 6.1 writes one word so; there a page of
 * address space of our own, under a mutex, is mapped to each page for a moment.
 */
#include <linux/mutex.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include <asm/cacheflush.h>
#include <asm/debug-monitors.h>
#include <asm/insn.h>

#include "encode_arm64.h"
#include "jit.h"

/* A whole number of instructions: what is behind @len stays as it is. */
static size_t whole(void *text, void *code, size_t len)
{
	size_t more = -len & (AARCH64_INSN_SIZE - 1);

	memcpy(code + len, text + len, more);
	return len + more;
}

/* Through an ordinary mapping. */
void mmkit_jit_poke_fill(void *to, size_t len)
{
	memset32(to, AARCH64_BREAK_FAULT, len / AARCH64_INSN_SIZE);
}

static void sync_range(void *text, size_t len)
{
	jit_stat(JIT_SYNCS);
	caches_clean_inval_pou((unsigned long)text, (unsigned long)text + len);
	kick_all_cpus_sync();
}

void mmkit_jit_poke_fresh(void *text, size_t len)
{
	sync_range(text, len);
}

/* Each write was followed by its own. */
void mmkit_jit_poke_sync(void)
{
}

#ifdef MMKIT_POKE_WORDS_ONLY
static DEFINE_MUTEX(alias_lock);
static struct vm_struct *alias;

static int alias_map(struct page *page)
{
	unsigned long addr = (unsigned long)alias->addr;

	return mmkit_ksym(__vmap_pages_range_noflush)(addr, addr + PAGE_SIZE, PAGE_KERNEL, &page,
						      PAGE_SHIFT);
}

/* Flushed on all CPUs before it returns. */
static void alias_unmap(void)
{
	unsigned long addr = (unsigned long)alias->addr;

	mmkit_ksym(vunmap_range)(addr, addr + PAGE_SIZE);
}

/* Page tables are made once: to map does not fail later. */
int mmkit_jit_poke_init(const struct mmkit_ksym_table *ksyms)
{
	int err;

	alias = mmkit_ksym(__get_vm_area_caller)(PAGE_SIZE, VM_IOREMAP, VMALLOC_START, VMALLOC_END,
						 __builtin_return_address(0));
	if (!alias)
		return -ENOMEM;
	err = alias_map(ZERO_PAGE(0));
	alias_unmap();
	if (err)
		free_vm_area(alias);
	return err;
}

void mmkit_jit_poke_exit(void)
{
	free_vm_area(alias);
}

unsigned long mmkit_jit_poke_alias(void)
{
	return (unsigned long)alias->addr;
}

static void alias_write(void *text, const void *code, size_t len)
{
	void *to = alias->addr + offset_in_page(text);

	mutex_lock(&alias_lock);
	if (alias_map(vmalloc_to_page(text)))
		mmkit_fuse_blow(&mmkit_jit_component, "text can be written");
	else if (code)
		memcpy(to, code, len);
	else
		mmkit_jit_poke_fill(to, len);
	alias_unmap();
	mutex_unlock(&alias_lock);
	sync_range(text, len);
}

static void write_insns(void *text, void *code, size_t len)
{
	alias_write(text, code, len);
}

static void write_traps(void *text, size_t len)
{
	alias_write(text, NULL, len);
}
#else
int mmkit_jit_poke_init(const struct mmkit_ksym_table *ksyms)
{
	return 0;
}

void mmkit_jit_poke_exit(void)
{
}

unsigned long mmkit_jit_poke_alias(void)
{
	return 0;
}

static void write_insns(void *text, void *code, size_t len)
{
	jit_stat(JIT_SYNCS);
	mmkit_ksym(aarch64_insn_copy)(text, code, len);
}

static void write_traps(void *text, size_t len)
{
	jit_stat(JIT_SYNCS);
	mmkit_ksym(aarch64_insn_set)(text, AARCH64_BREAK_FAULT, len);
}
#endif

void mmkit_jit_poke(void *text, void *code, size_t len)
{
	jit_stat(JIT_WRITES);
	write_insns(text, code, whole(text, code, len));
}

void mmkit_jit_poke_trap(void *text, size_t len)
{
	jit_stat(JIT_WRITES);
	write_traps(text, round_up(len, AARCH64_INSN_SIZE));
}

/* Bits of a branch that tell where to. */
#define BRANCH_DISTANCE	0x3ffffff

int mmkit_jit_poke_branch(void *at, const void *to)
{
	__le32 branch, nop, old;
	int err;

	if ((unsigned long)at % AARCH64_INSN_SIZE)
		return -EINVAL;
	err = jit_arm64_branch((u8 *)&branch, JIT_ARM64_B, (unsigned long)at, (unsigned long)to);
	if (err < 0)
		return err;
	jit_arm64_nop((u8 *)&nop);
	old = *(__le32 *)at;
	if (old != nop && (le32_to_cpu(old) & ~BRANCH_DISTANCE) != JIT_ARM64_B)
		return -EINVAL;
	err = mmkit_ksym(aarch64_insn_patch_text_nosync)(at, le32_to_cpu(branch));
	kick_all_cpus_sync();
	return err;
}
