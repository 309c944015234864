// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where pages become tagged: the places that may sleep.
 *
 *	vma_alloc_folio		every page for a tagged area: first touch, copy on write, fork
 *				of pinned pages, userfaultfd copy, swap in without readahead.
 *				It comes from the pool, and its tags are cleared when there
 *				is room for them, not by the page allocator. Only what
 *				swap.c has read in gets room later
 *	shmem_fault		a page of tmpfs is mapped with tags: room is made with the
 *				folio unlocked, and then it is asked for again
 *	filemap_map_pages	maps around a fault under locks: not for tagged areas
 *	__thp_vma_allowable_orders, hugepage_vma_check
 *				no huge pages in tagged areas: their room cannot be had in time
 *	mfill_atomic_install_pte userfaultfd maps a page, which may be locked: not if that
 *				lies in storage, and taking storage waits for no other lock of it
 *	kvm_vm_ioctl_enable_cap	guests tag pages under a lock: refused
 *
 * mprotect.c has memory that exists and becomes tagged, copy.c what may not sleep, swap.c what
 * comes from swap, hugetlb.c hugetlbfs. room.c is what several of them need.
 *
 * The original of vma_alloc_folio is called under the lock of a folio by the one
 * path that copies for KSM. Who may sleep is a list of callers; whoever is not on
 * it gets what the pool has, or no page, and comes again.
 */
#include <linux/kasan-enabled.h>
#include <linux/kvm_host.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/userfaultfd_k.h>
#include <linux/workqueue.h>

#include <asm/mte.h>

#include <mmkit/page_events.h>

#include "hooks.h"

MMKIT_REDIRECT_DECLARE(vma_alloc, struct folio *, MMKIT_VMA_ALLOC_NAME, MMKIT_VMA_ALLOC_ARGS);
MMKIT_REDIRECT_DECLARE(shmem, vm_fault_t, shmem_fault, (struct vm_fault *vmf));
MMKIT_REDIRECT_DECLARE(map_pages, vm_fault_t, filemap_map_pages,
		       (struct vm_fault *vmf, pgoff_t start, pgoff_t end));
MMKIT_REDIRECT_DECLARE(thp, MMKIT_THP_RET, MMKIT_THP_NAME, MMKIT_THP_ARGS);
MMKIT_REDIRECT_DECLARE(mfill, int, mfill_atomic_install_pte, MMKIT_MFILL_ARGS);
MMKIT_REDIRECT_DECLARE(kvm_cap, int, kvm_vm_ioctl_enable_cap,
		       (struct kvm *kvm, struct kvm_enable_cap *cap));

/* --- which calls -------------------------------------------------------------- */

/* Most areas have no tags, and what is called for them often is left alone. */
static bool notrace tagged_alloc(struct ftrace_regs *fregs)
{
	return tagged_area((struct vm_area_struct *)mmkit_ftrace_arg(fregs, 2));
}

bool notrace mmkit_ts_tagged_fault(struct ftrace_regs *fregs)
{
	return tagged_area(((struct vm_fault *)mmkit_ftrace_arg(fregs, 0))->vma);
}

/* --- who may sleep ------------------------------------------------------------ */

/* Functions that fault, and others, that allocate for an area with no folio locked. */
static const char * const fault_callers[] = {
	"handle_mm_fault", "__handle_mm_fault", "do_anonymous_page", "alloc_anon_folio",
	"do_wp_page", "wp_page_copy", "do_fault", "do_cow_fault", "do_swap_page",
	"alloc_swap_folio", "vma_alloc_zeroed_movable_folio",
	"alloc_zeroed_user_highpage_movable", "do_pte_missing",
};

static const char * const other_callers[] = {
	"copy_page_range", "copy_pte_range", "page_copy_prealloc", "mcopy_atomic",
	"__mcopy_atomic", "mfill_atomic", "mfill_atomic_copy", "mfill_atomic_pte_copy",
	"mcopy_atomic_pte", "mfill_atomic_pte", "anon_alloc_folio", "folio_prealloc",
	"__read_swap_cache_async", "__swap_cache_alloc", "swap_cache_alloc_folio",
	"swapin_sync",
};

#define TS_MAX_RANGES	128
static struct mmkit_text_range faults[TS_MAX_RANGES], others[TS_MAX_RANGES];
static int nr_faults, nr_others;

static bool within(const struct mmkit_text_range *ranges, int nr, unsigned long ip)
{
	int i;

	for (i = 0; i < nr; i++) {
		if (ip >= ranges[i].start && ip < ranges[i].end)
			return true;
	}
	return false;
}

static int callers_init(void)
{
	nr_faults = mmkit_ksym_text_ranges(fault_callers, ARRAY_SIZE(fault_callers), faults,
					   TS_MAX_RANGES);
	if (nr_faults < 0)
		return nr_faults;
	nr_others = mmkit_ksym_text_ranges(other_callers, ARRAY_SIZE(other_callers), others,
					   TS_MAX_RANGES);
	return min(nr_others, 0);
}

/* --- pages for tagged areas ----------------------------------------------------- */

/* Data and tags are cleared now that there is room for tags. */
static void clear_page_for(struct page *page, gfp_t gfp)
{
	bool zeroed = want_init_on_alloc(0);

	if (gfp & __GFP_ZEROTAGS) {
		mmkit_mte_begin(page);
		if (zeroed)
			mmkit_ksym(mte_clear_page_tags)(page_address(page));
		else
			mmkit_ksym(mte_zero_clear_page_tags)(page_address(page));
		set_page_mte_tagged(page);
	} else if (gfp & __GFP_ZERO && !zeroed) {
		clear_highpage(page);
	}
}

/* Who waits for I/O that waits for him must not wait for migration. */
static bool may_sleep(gfp_t gfp)
{
	gfp = current_gfp_context(gfp);
	return gfpflags_allow_blocking(gfp) && (gfp & __GFP_IO) && (gfp & __GFP_FS);
}

static bool has_policy(const struct vm_area_struct *vma)
{
#ifdef CONFIG_NUMA
	return vma->vm_policy || current->mempolicy;
#else
	return false;
#endif
}

static struct folio *hand_out(struct page *page, gfp_t gfp, unsigned long caller)
{
	mmkit_page_event_retag(page_to_pfn(page), 0, caller);
	clear_page_for(page, gfp);
	return page_folio(page);
}

/* Without memory the kernel knows what to do; without storage it would try for ever. */
static void no_storage(const struct vm_area_struct *vma, unsigned long addr, int err)
{
	if (err == -ENOMEM || err == -EAGAIN || err == -EINTR || vma->vm_mm != current->mm ||
	    current->flags & PF_KTHREAD)
		return;
	mmkit_ts_count(TS_STAT_SIGBUS, 1);
	mmkit_ksym(force_sig_fault)(SIGBUS, BUS_ADRERR, (void __user *)addr);
}

/* A policy wants certain nodes: the kernel chooses, and what lies in storage is no choice. */
static struct folio *policy_folio MMKIT_VMA_ALLOC_ARGS
{
	gfp_t plain = gfp & ~(__GFP_ZERO | __GFP_ZEROTAGS | __GFP_MOVABLE);
	struct folio *folio, *bad[TS_OTHER_PAGES];
	unsigned int nr = 0, tries;
	int err;

	do {
		folio = mmkit_vma_alloc_pass(mmkit_original(vma_alloc), plain);
		err = -ENOMEM;
		if (!folio)
			break;
		tries = may_sleep(gfp) ? mmkit_ts_patience(nr) : TS_NOW;
		err = mmkit_ts_reserve(folio_pfn(folio), 1, tries);
		if (err)
			bad[nr++] = folio;
	} while (err && err != -EINTR && nr < TS_OTHER_PAGES);
	while (nr)
		folio_put(bad[--nr]);
	if (err)
		return ERR_PTR(err);
	clear_page_for(folio_page(folio, 0), gfp);
	return folio;
}

static noinline struct folio *mmkit_redirect_fn_vma_alloc MMKIT_VMA_ALLOC_ARGS
{
	unsigned long caller = (unsigned long)__builtin_return_address(0);
	struct folio *folio = NULL;
	bool policy, fault, known;
	struct page *page;
	int err = 0;

	mmkit_redirect_enter(&mmkit_ts_rows[TS_ROW_VMA_ALLOC]);
	/* No larger folio for a tagged area: the caller falls back to pages. */
	if (order)
		goto out;
	/* For swap.c, which makes room for the one that it wants. */
	if (mmkit_reads_ahead(gfp)) {
		folio = mmkit_vma_alloc_pass(mmkit_original(vma_alloc), gfp);
		goto out;
	}
	/* Most find a page that is ready, whoever they are. */
	policy = has_policy(vma);
	page = policy ? NULL : mmkit_ts_pool_ready(numa_node_id());
	if (likely(page)) {
		folio = hand_out(page, gfp, caller);
		goto out;
	}
	fault = within(faults, nr_faults, caller);
	known = fault || within(others, nr_others, caller);
	if (known && policy) {
		folio = mmkit_vma_alloc_pass(policy_folio, gfp);
		if (IS_ERR(folio)) {
			err = PTR_ERR(folio);
			folio = NULL;
		}
	} else {
		page = mmkit_ts_pool_get(numa_node_id(), known && may_sleep(gfp), &err);
		if (page)
			folio = hand_out(page, gfp, caller);
	}
	if (!folio && fault)
		no_storage(vma, addr, err);
out:
	mmkit_redirect_leave(&mmkit_ts_rows[TS_ROW_VMA_ALLOC]);
	return folio;
}

/* --- tmpfs ------------------------------------------------------------------------- */

/* The page comes locked. Without room it is unlocked, gets some, and is asked for again. */
static vm_fault_t shmem_with_room(struct vm_fault *vmf)
{
	unsigned int tries;
	struct page *page;
	vm_fault_t ret;
	int err;

	for (tries = 0; tries <= TS_OTHER_PAGES; tries++) {
		ret = mmkit_original(shmem)(vmf);
		/* Whoever returns without a locked page may have let go of the area. */
		if (!(ret & VM_FAULT_LOCKED) || vmf->cow_page ||
		    mmkit_ts_folio_reserved(page_folio(vmf->page)))
			return ret;
		page = vmf->page;
		vmf->page = NULL;
		unlock_page(page);
		err = mmkit_ts_make_room(page, tries);
		if (err)
			return mmkit_ts_fault_failed(vmf->vma, err);
	}
	return mmkit_ts_fault_failed(vmf->vma, -EBUSY);
}

static noinline vm_fault_t mmkit_redirect_fn_shmem(struct vm_fault *vmf)
{
	struct folio *folio = NULL;
	vm_fault_t ret;

	mmkit_redirect_enter(&mmkit_ts_rows[TS_ROW_SHMEM]);
	/* Its tags come back with it from swap, before we see it. */
	ret = mmkit_ts_file_page_from_swap(vmf, &folio);
	if (!ret)
		ret = shmem_with_room(vmf);
	if (folio)
		folio_put(folio);
	mmkit_redirect_leave(&mmkit_ts_rows[TS_ROW_SHMEM]);
	return ret;
}

/* Maps nothing: each page faults for itself. */
static noinline vm_fault_t mmkit_redirect_fn_map_pages(struct vm_fault *vmf, pgoff_t start,
						       pgoff_t end)
{
	mmkit_redirect_enter(&mmkit_ts_rows[TS_ROW_MAP_PAGES]);
	mmkit_redirect_leave(&mmkit_ts_rows[TS_ROW_MAP_PAGES]);
	return 0;
}

/* --- what is kept away ---------------------------------------------------------------- */

static noinline MMKIT_THP_RET mmkit_redirect_fn_thp MMKIT_THP_ARGS
{
	MMKIT_THP_RET ret = 0;

	mmkit_redirect_enter(&mmkit_ts_rows[TS_ROW_THP]);
	if (likely(!(vm_flags & VM_MTE)))
		ret = mmkit_original(thp) MMKIT_THP_PASS;
	else
		mmkit_ts_count(TS_STAT_NO_THP, 1);
	mmkit_redirect_leave(&mmkit_ts_rows[TS_ROW_THP]);
	return ret;
}

static noinline int mmkit_redirect_fn_mfill MMKIT_MFILL_ARGS
{
	int err = 0;

	mmkit_redirect_enter(&mmkit_ts_rows[TS_ROW_MFILL]);
	if (unlikely(tagged_area(dst_vma)) && !mmkit_ts_reserved(page_to_pfn(page)) &&
	    mmkit_ts_reserve_folio(page_folio(page), TS_PATIENT)) {
		mmkit_ts_count(TS_STAT_NO_UFFD, 1);
		err = -EINVAL;
	} else {
		err = mmkit_original(mfill) MMKIT_MFILL_PASS;
	}
	mmkit_redirect_leave(&mmkit_ts_rows[TS_ROW_MFILL]);
	return err;
}

static noinline int mmkit_redirect_fn_kvm_cap(struct kvm *kvm, struct kvm_enable_cap *cap)
{
	int err = -EINVAL;

	mmkit_redirect_enter(&mmkit_ts_rows[TS_ROW_KVM_CAP]);
	if (cap->cap == KVM_CAP_ARM_MTE)
		mmkit_ts_count(TS_STAT_NO_KVM, 1);
	else
		err = mmkit_original(kvm_cap)(kvm, cap);
	mmkit_redirect_leave(&mmkit_ts_rows[TS_ROW_KVM_CAP]);
	return err;
}

/* --- all of them ------------------------------------------------------------------------ */

struct mmkit_redirect mmkit_ts_rows[TS_NR_ROWS] = {
	[TS_ROW_VMA_ALLOC]	= MMKIT_REDIRECT_ROW_IF(vma_alloc, tagged_alloc),
	[TS_ROW_SHMEM]		= MMKIT_REDIRECT_ROW_IF(shmem, mmkit_ts_tagged_fault),
	[TS_ROW_MAP_PAGES]	= MMKIT_REDIRECT_ROW_IF(map_pages, mmkit_ts_tagged_fault),
	[TS_ROW_THP]		= MMKIT_REDIRECT_ROW(thp),
	[TS_ROW_MFILL]		= MMKIT_REDIRECT_ROW(mfill),
	[TS_ROW_KVM_CAP]	= MMKIT_REDIRECT_ROW(kvm_cap),
};

static struct mmkit_redirect_table table = {
	.owner	= "tagstore",
	.rows	= mmkit_ts_rows,
	.nr	= TS_NR_ROWS,
};

#define TS_DATA(X)									\
	X(OPTIONAL, huge_zero_folio,							\
	  "the huge zero page, if tagged, keeps the module from unloading")

MMKIT_KSYM_DEFINE_TABLE(ksyms, "tagstore", TS_KSYMS, TS_DATA);

struct folio *mmkit_ts_huge_zero(void)
{
	unsigned long addr = mmkit_ksym_found(&ksyms, "huge_zero_folio");

	return addr ? READ_ONCE(*(struct folio **)addr) : NULL;
}

/* --- are they alive? ------------------------------------------------------------------- */

static void watch_fn(struct work_struct *work);
static DECLARE_DELAYED_WORK(watch, watch_fn);

/* A hook that is gone lets pages become tagged without room, and nobody would see it. */
static void watch_fn(struct work_struct *work)
{
	if (!mmkit_redirect_live(&table))
		mmkit_fuse_blow(&mmkit_ts_component,
				"a redirect is gone: pages become tagged unseen");
	else
		schedule_delayed_work(&watch, HZ);
}

/* --- the whole of it -------------------------------------------------------------------- */

static bool hooked;

int mmkit_ts_cpu_check(bool simulate)
{
	if (simulate)
		return 0;
	if (!system_supports_mte()) {
		pr_err("this CPU has no memory tags; simulate=1 runs the manager without them\n");
		return -EOPNOTSUPP;
	}
	if (kasan_hw_tags_enabled()) {
		pr_err("the kernel tags its own memory (KASAN), where nothing can wait for storage\n");
		return -EOPNOTSUPP;
	}
	return 0;
}

int mmkit_ts_hooks_init(bool simulate)
{
	int err;

	if (simulate)
		return 0;
	err = mmkit_ksym_resolve(&ksyms);
	if (err)
		return err;
	err = callers_init();
	if (err)
		goto err_ksyms;
	err = mmkit_ts_zero_init();
	if (err)
		goto err_ksyms;
	mmkit_ts_mprotect_rows(mmkit_ts_rows);
	mmkit_ts_copy_rows(mmkit_ts_rows);
	mmkit_ts_swap_rows(mmkit_ts_rows);
	mmkit_ts_hugetlb_rows(mmkit_ts_rows);
	err = mmkit_redirect_enable(&table);
	if (err)
		goto err_ksyms;
	hooked = true;
	watch_fn(NULL);
	return 0;

err_ksyms:
	mmkit_ksym_release(&ksyms);
	return err;
}

void mmkit_ts_hooks_exit(void)
{
	if (!hooked)
		return;
	cancel_delayed_work_sync(&watch);
	mmkit_redirect_disable(&table);
	mmkit_ts_zero_exit();
	mmkit_ksym_release(&ksyms);
}
