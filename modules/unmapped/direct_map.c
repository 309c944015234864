// SPDX-License-Identifier: GPL-2.0-only
/*
 * Out of the direct map and back.
 *
 * How it works. The kernel changes a range of its direct map in one call; which
 * call does that without a split, and who flushes, is in compat.h. On x86 an
 * aligned PMD_SIZE range keeps its single entry, which becomes non-present. On
 * arm64 the direct map is made of pages (rodata=full), or of blocks that are kept
 * the same way.
 *
 * No return code is believed: after each transition the page tables are walked,
 * and each page must be absent, or present, before it changes hands. A block that
 * cannot be mapped again never leaves: the caller puts it in quarantine.
 *
 * Locking: attr_lock serialises the transitions. No memory is reclaimed under it
 * that could wait for anything but memory itself.
 */
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/set_memory.h>
#include <linux/vmalloc.h>

#ifdef CONFIG_X86_64
#include <xen/xen.h>
#endif

#include <asm/tlbflush.h>

#include "unmapped.h"

static DEFINE_MUTEX(attr_lock);
static struct task_struct *attr_owner;

/* By the current task, that is: it can get here again by way of the OOM killer. */
bool mmkit_um_direct_map_is_changing(void)
{
	return READ_ONCE(attr_owner) == current;
}

#ifdef CONFIG_X86_64
#define UM_PRESENT	_PAGE_PRESENT

static const char *unsupported(void)
{
	return xen_pv_domain() ? "a Xen PV guest does not own its page tables" : NULL;
}

/* Is the direct map made of large entries, which a small block would split? */
bool mmkit_um_large_entries(void)
{
	return boot_cpu_has(X86_FEATURE_PSE) && !debug_pagealloc_enabled();
}
#else
#define UM_PRESENT	PTE_VALID

static const char *unsupported(void)
{
	return mmkit_ksym(can_set_direct_map)() ? NULL :
		"the direct map of this machine cannot be changed (rodata=)";
}

/* The same; ask for some address in it. */
bool mmkit_um_large_entries(void)
{
	unsigned long size;

	return mmkit_walk((unsigned long)mmkit_um_nodes, &size) && size >= PMD_SIZE;
}
#endif

static bool entry_present(const pte_t *entry)
{
	return entry && (pte_val(READ_ONCE(*entry)) & UM_PRESENT);
}

/* Size of the entry that maps a page. */
static unsigned long entry_size(struct page *page)
{
	unsigned long size;

	mmkit_walk((unsigned long)page_address(page), &size);
	return size;
}

/* Is each of the pages present, or absent? */
static bool verify(struct page *page, unsigned int order, bool present)
{
	unsigned long addr = (unsigned long)page_address(page);
	unsigned long end = addr + (PAGE_SIZE << order), size;

	um_stat_add(UM_VERIFIED, 1UL << order);
	while (addr < end) {
		if (entry_present(mmkit_walk(addr, &size)) != present)
			return false;
		addr = ALIGN_DOWN(addr, size) + size;
	}
	return true;
}

/* Can 2^@order pages leave without a split? A small block can where there was one. */
bool mmkit_um_direct_map_suits(struct page *page, unsigned int order)
{
	if (!mmkit_um_large_entries())
		return true;
	return order < UM_BLOCK_ORDER ? entry_size(page) < PMD_SIZE : entry_size(page) == PMD_SIZE;
}

/* One transition. No memory is reclaimed that could wait for more than memory. */
static int change(struct page *page, unsigned int order, bool out)
{
	unsigned int noio = memalloc_noio_save();
	unsigned long before, after;
	int err;

	mutex_lock(&attr_lock);
	WRITE_ONCE(attr_owner, current);
	before = entry_size(page);
	if (out) {
		/* Aliases that were unmapped lazily may still be translated. */
		vm_unmap_aliases();
		err = mmkit_direct_map_out(page, 1U << order);
		um_stat(UM_TLB_FLUSHES);
	} else {
		err = mmkit_direct_map_back(page, 1U << order);
		um_stat_add(UM_TLB_FLUSHES, MMKIT_DIRECT_MAP_BACK_FLUSHES);
	}
	after = entry_size(page);
	WRITE_ONCE(attr_owner, NULL);
	mutex_unlock(&attr_lock);
	memalloc_noio_restore(noio);

	if (before == PMD_SIZE && after < PMD_SIZE)
		um_stat(UM_SPLITS_2M);
	if (before == PUD_SIZE && after < PUD_SIZE)
		um_stat(UM_SPLITS_1G);
	return err;
}

/*
 * Takes 2^@order pages out. On an error they are all present, unless it is -EFAULT:
 * then they must not be given to anybody.
 */
int mmkit_um_direct_map_out(struct page *page, unsigned int order)
{
	int err = change(page, order, true);

	if (!err && verify(page, order, false))
		return 0;
	if (!err)
		mmkit_fuse_blow(&mmkit_um_component,
				"pages taken out of the direct map are still there");
	return mmkit_um_direct_map_back(page, order) ? -EFAULT : -ENOMEM;
}

/* Brings 2^@order pages back. On an error, -EFAULT, some of them are absent. */
int mmkit_um_direct_map_back(struct page *page, unsigned int order)
{
	return change(page, order, false) || !verify(page, order, true) ? -EFAULT : 0;
}

/* Can pages leave the direct map on this machine? */
int mmkit_um_direct_map_check(void)
{
	const char *why = unsupported();

	if (!why)
		return 0;
	pr_err("%s\n", why);
	return -EOPNOTSUPP;
}

void mmkit_um_direct_map_report(void)
{
	if (!mmkit_um_large_entries())
		mmkit_component_degrade(&mmkit_um_component,
					"the direct map is made of pages, blocks leave it page by page");
}
