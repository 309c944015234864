// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where pages become tagged: what comes back from swap.
 *
 *	do_swap_page		a fault of a tagged area. Whoever read ahead may have brought the
 *				page anywhere, and it may have moved since: so it is looked for
 *				first. With room it is held while it is mapped; without, it is
 *				read in, gets room, or leaves storage, and the fault comes again.
 *				Pages of tmpfs likewise, for shmem_fault in hooks.c
 *	swapoff			maps what it finds under a lock: tagged areas fault theirs in before
 *	mte_restore_tags	tags come back: without room they are dropped. Pages that had none
 *				come here, too, and room is only held for them
 *	mte_save_tags		a tagged page is swapped out: it is not
 *
 * Since tagged pages are not swapped, what a tagged area has in swap went there before
 * the manager was loaded, or while its area was becoming tagged.
 */
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/swap.h>
#include <linux/swapops.h>

#include <asm/mte.h>

#include "hooks.h"

/* How often swapoff() looks for processes that were made, or have gone, meanwhile. */
#define TS_SWAPOFF_TRIES	16

MMKIT_REDIRECT_DECLARE(swap_in, vm_fault_t, do_swap_page, (struct vm_fault *vmf));
MMKIT_REDIRECT_DECLARE(swapoff, long, __arm64_sys_swapoff, (const struct pt_regs *regs));
MMKIT_REDIRECT_DECLARE(restore, MMKIT_MTE_RESTORE_RET, mte_restore_tags,
		       (swp_entry_t entry, struct page *page));
MMKIT_REDIRECT_DECLARE(save, int, mte_save_tags, (struct page *page));

/* --- faults -------------------------------------------------------------------- */

static struct folio *cached(struct vm_fault *vmf, swp_entry_t entry)
{
	return mmkit_swap_cache_get(mmkit_ksym(swap_cache_get_folio), entry, vmf);
}

/* What is in the swap cache with room, held: it neither moves nor goes from there. */
static struct folio *ready_folio(struct vm_fault *vmf, swp_entry_t entry)
{
	struct swap_info_struct *device = mmkit_ksym(get_swap_device)(entry);
	struct folio *folio, *again = NULL;

	if (!device)
		return NULL;
	folio = cached(vmf, entry);
	/* On 7.x it can have moved before it was held: then another one is found there now. */
	if (folio && mmkit_ts_folio_reserved(folio))
		again = cached(vmf, entry);
	put_swap_device(device);
	if (again)
		folio_put(again);
	if (folio && again != folio) {
		folio_put(folio);
		folio = NULL;
	}
	return folio;
}

/* In the swap cache, held; NULL without memory, or when it is not there. */
static struct folio *read_in(struct vm_fault *vmf, swp_entry_t entry)
{
	struct swap_info_struct *device = mmkit_ksym(get_swap_device)(entry);
	struct folio *folio = NULL;

	if (device) {
		/* Not movable: outside all storage, and mmkit_reads_ahead() knows it by that. */
		folio = mmkit_swapin(entry, GFP_HIGHUSER, vmf);
		put_swap_device(device);
	}
	return folio;
}

/* Has it brought there, to where it has room; then the fault comes again. */
static vm_fault_t read_with_room(struct vm_fault *vmf, swp_entry_t entry)
{
	struct folio *folio;
	unsigned int tries;
	int err;

	for (tries = 0; tries <= TS_OTHER_PAGES; tries++) {
		folio = read_in(vmf, entry);
		if (!folio)
			return VM_FAULT_OOM;
		if (mmkit_ts_folio_reserved(folio)) {
			folio_put(folio);
			return VM_FAULT_NOPAGE;
		}
		err = mmkit_ts_make_room(folio_page(folio, 0), tries);
		if (err)
			return mmkit_ts_fault_failed(vmf->vma, err);
	}
	return mmkit_ts_fault_failed(vmf->vma, -EBUSY);
}

/* Many pages can be swapped out as one. */
vm_fault_t mmkit_ts_file_page_from_swap(struct vm_fault *vmf, struct folio **folio)
{
	struct xarray *pages = &vmf->vma->vm_file->f_mapping->i_pages;
	void *value = xa_load(pages, vmf->pgoff);
	swp_entry_t entry;
	vm_fault_t ret;
	pgoff_t within;

	if (!xa_is_value(value))
		return 0;
	entry = radix_to_swp_entry(value);
	if (swp_type(entry) >= MAX_SWAPFILES)
		return 0;
	within = vmf->pgoff & ((1UL << xa_get_order(pages, vmf->pgoff)) - 1);
	if (xa_load(pages, vmf->pgoff) != value)
		return VM_FAULT_NOPAGE;
	entry = swp_entry(swp_type(entry), swp_offset(entry) + within);
	*folio = ready_folio(vmf, entry);
	if (*folio)
		return 0;
	ret = read_with_room(vmf, entry);
	/* Somebody else may have brought it back meanwhile. */
	return xa_load(pages, vmf->pgoff) == value ? ret : VM_FAULT_NOPAGE;
}

/* Page tables are freed after a grace period; on 6.1 with the lock of the mm, which faults have. */
static bool still_swapped(struct vm_fault *vmf)
{
	bool same = false;
	pmd_t pmd;

	rcu_read_lock();
	pmd = READ_ONCE(*vmf->pmd);
	if (pmd_table(pmd))
		same = pte_same(READ_ONCE(*pte_offset_kernel(&pmd, vmf->address)), vmf->orig_pte);
	rcu_read_unlock();
	return same;
}

static noinline vm_fault_t mmkit_redirect_fn_swap_in(struct vm_fault *vmf)
{
	struct folio *folio = NULL;
	swp_entry_t entry;
	vm_fault_t ret;

	mmkit_redirect_enter(&mmkit_ts_rows[TS_ROW_SWAP_IN]);
	if (mmkit_swap_entry(vmf->orig_pte, &entry)) {
		folio = ready_folio(vmf, entry);
		if (!folio) {
			/* As the original does; what the caller has mapped is locked by RCU. */
			__acquire(RCU);
			pte_unmap(vmf->pte);
			vmf->pte = NULL;
			ret = read_with_room(vmf, entry);
			if (!still_swapped(vmf))
				ret = VM_FAULT_NOPAGE;
			goto out;
		}
	}
	ret = mmkit_original(swap_in)(vmf);
	if (folio)
		folio_put(folio);
out:
	mmkit_redirect_leave(&mmkit_ts_rows[TS_ROW_SWAP_IN]);
	return ret;
}

/* --- swapoff() ------------------------------------------------------------------- */

static int bring_back_area(struct vm_area_struct *vma)
{
	unsigned long addr;
	struct page *page;

	for (addr = vma->vm_start; addr < vma->vm_end; addr += PAGE_SIZE) {
		page = mmkit_ts_mapped_page(vma, addr, false);
		if (IS_ERR(page))
			return PTR_ERR(page);
		if (page)
			put_page(page);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched_tasks_rcu_qs();
	}
	return 0;
}

static int bring_back(struct mm_struct *mm)
{
	struct vm_area_struct *vma;
	unsigned long addr = 0;
	int err = 0;

	/* The kernel's own list of those that had something in swap. */
	if (list_empty(&mm->mmlist))
		return 0;
	if (mmap_read_lock_killable(mm))
		return -EINTR;
	while (!err && (vma = find_vma(mm, addr))) {
		if (tagged_area(vma) && vma->anon_vma && !is_vm_hugetlb_page(vma))
			err = bring_back_area(vma);
		addr = vma->vm_end;
	}
	mmap_read_unlock(mm);
	return err;
}

/* That of any thread; the first can have ended. */
static struct mm_struct *mm_of(struct task_struct *process)
{
	struct mm_struct *mm = NULL;
	struct task_struct *thread;

	for_each_thread(process, thread) {
		mm = get_task_mm(thread);
		if (mm)
			break;
	}
	return mm;
}

/* -EAGAIN when one of them ended under way, so that the next was not to be found. */
static int bring_all_back(void)
{
	struct task_struct *process;
	struct mm_struct *mm;
	int err = 0;

	rcu_read_lock();
	for_each_process(process) {
		mm = mm_of(process);
		if (!mm)
			continue;
		get_task_struct(process);
		rcu_read_unlock();
		err = bring_back(mm);
		mmput(mm);
		rcu_read_lock();
		if (!err && !pid_alive(process))
			err = -EAGAIN;
		put_task_struct(process);
		if (err)
			break;
	}
	rcu_read_unlock();
	return err;
}

/* Once more when all went well: for those that were forked meanwhile. */
static int before_swapoff(void)
{
	unsigned int tries, good = 0;
	int err = 0;

	for (tries = 0; tries < TS_SWAPOFF_TRIES && good < 2; tries++) {
		err = bring_all_back();
		if (err && err != -EAGAIN)
			break;
		good += !err;
	}
	return err;
}

static noinline long mmkit_redirect_fn_swapoff(const struct pt_regs *regs)
{
	long err = 0;

	mmkit_redirect_enter(&mmkit_ts_rows[TS_ROW_SWAPOFF]);
	if (capable(CAP_SYS_ADMIN))
		err = before_swapoff();
	if (!err)
		err = mmkit_original(swapoff)(regs);
	mmkit_redirect_leave(&mmkit_ts_rows[TS_ROW_SWAPOFF]);
	return err;
}

/* --- tags ------------------------------------------------------------------------- */

static noinline MMKIT_MTE_RESTORE_RET mmkit_redirect_fn_restore(swp_entry_t entry,
								struct page *page)
{
	bool restored = false;

	mmkit_redirect_enter(&mmkit_ts_rows[TS_ROW_RESTORE]);
	/* Every page from swap comes here, and few had tags: what has none must not count. */
	if (mmkit_ts_hold(page_to_pfn(page))) {
		restored = mmkit_mte_restore(mmkit_original(restore), entry, page);
		mmkit_ts_unhold(page_to_pfn(page), mmkit_ts_carries_tags(page));
	} else {
		mmkit_ts_count(TS_STAT_DROPPED_TAGS, 1);
	}
	mmkit_redirect_leave(&mmkit_ts_rows[TS_ROW_RESTORE]);
	return MMKIT_MTE_RESTORED(restored);
}

static noinline int mmkit_redirect_fn_save(struct page *page)
{
	int err = 0;

	mmkit_redirect_enter(&mmkit_ts_rows[TS_ROW_SAVE]);
	if (mmkit_ts_carries_tags(page)) {
		mmkit_ts_count(TS_STAT_NO_SWAP, 1);
		err = -ENOMEM;
	}
	mmkit_redirect_leave(&mmkit_ts_rows[TS_ROW_SAVE]);
	return err;
}

void mmkit_ts_swap_rows(struct mmkit_redirect *rows)
{
	rows[TS_ROW_SWAP_IN] = (struct mmkit_redirect)
		MMKIT_REDIRECT_ROW_IF(swap_in, mmkit_ts_tagged_fault);
	rows[TS_ROW_SWAPOFF] = (struct mmkit_redirect)MMKIT_REDIRECT_ROW(swapoff);
	rows[TS_ROW_RESTORE] = (struct mmkit_redirect)MMKIT_REDIRECT_ROW(restore);
	rows[TS_ROW_SAVE] = (struct mmkit_redirect)MMKIT_REDIRECT_ROW(save);
}
