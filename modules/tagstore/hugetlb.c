// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where pages become tagged: hugetlbfs, on kernels where its memory can be tagged.
 *
 *	alloc_hugetlb_folio	a folio for a tagged area: room for all of it
 *	hugetlb_fault		a folio that is in the page cache is mapped with tags
 *	free_huge_folio		a folio goes back to the pool of hugetlbfs, which is no free
 *				that the page allocator sees
 *	hugetlbfs_migrate_folio	a tagged folio moves: only where there is room
 *
 * What is in the page cache is looked at before the mutex of hugetlb faults is taken.
 * So that nobody adds an unreserved folio in between, every folio for a shared mapping
 * gets room once one of them was mapped with tags.
 */
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>

#include "hooks.h"

#ifdef MMKIT_HAVE_MTE_HUGETLB

MMKIT_REDIRECT_DECLARE(huge_alloc, struct folio *, alloc_hugetlb_folio,
		       (struct vm_area_struct *vma, unsigned long addr, bool cow_from_owner));
MMKIT_REDIRECT_DECLARE(huge_fault, vm_fault_t, hugetlb_fault,
		       (struct mm_struct *mm, struct vm_area_struct *vma, unsigned long address,
			unsigned int flags));
MMKIT_REDIRECT_DECLARE(huge_free, void, free_huge_folio, (struct folio *folio));
MMKIT_REDIRECT_DECLARE(huge_migrate, int, hugetlbfs_migrate_folio,
		       (struct address_space *mapping, struct folio *dst, struct folio *src,
			enum migrate_mode mode));

static bool shared_tagged;

static noinline struct folio *mmkit_redirect_fn_huge_alloc(struct vm_area_struct *vma,
							   unsigned long addr,
							   bool cow_from_owner)
{
	struct folio *folio;

	mmkit_redirect_enter(&mmkit_ts_rows[TS_ROW_HUGE_ALLOC]);
	folio = mmkit_original(huge_alloc)(vma, addr, cow_from_owner);
	if ((unlikely(tagged_area(vma)) ||
	     unlikely(READ_ONCE(shared_tagged) && vma->vm_flags & VM_SHARED)) &&
	    !IS_ERR(folio) && mmkit_ts_reserve_folio(folio, TS_PATIENT)) {
		mmkit_ksym(restore_reserve_on_error)(hstate_vma(vma), vma, addr, folio);
		folio_put(folio);
		/* Not -ENOMEM, after which the fault would be tried for ever. */
		folio = ERR_PTR(-ENOSPC);
	}
	mmkit_redirect_leave(&mmkit_ts_rows[TS_ROW_HUGE_ALLOC]);
	return folio;
}

/* What is in the page cache at @address. */
static int prepare_cached(struct vm_area_struct *vma, unsigned long address)
{
	struct hstate *h = hstate_vma(vma);
	struct folio *folio;
	pgoff_t index;
	int err;

	if (vma->vm_flags & VM_SHARED)
		WRITE_ONCE(shared_tagged, true);
	index = vma->vm_pgoff + ((address & huge_page_mask(h)) - vma->vm_start) / PAGE_SIZE;
	folio = filemap_get_folio(vma->vm_file->f_mapping, index);
	if (IS_ERR(folio))
		return 0;
	err = mmkit_ts_reserve_folio(folio, TS_PATIENT);
	folio_put(folio);
	return err;
}

static noinline vm_fault_t mmkit_redirect_fn_huge_fault(struct mm_struct *mm,
							struct vm_area_struct *vma,
							unsigned long address,
							unsigned int flags)
{
	vm_fault_t ret = VM_FAULT_SIGBUS;

	mmkit_redirect_enter(&mmkit_ts_rows[TS_ROW_HUGE_FAULT]);
	if (likely(!tagged_area(vma)) || !prepare_cached(vma, address))
		ret = mmkit_original(huge_fault)(mm, vma, address, flags);
	mmkit_redirect_leave(&mmkit_ts_rows[TS_ROW_HUGE_FAULT]);
	return ret;
}

static noinline void mmkit_redirect_fn_huge_free(struct folio *folio)
{
	mmkit_redirect_enter(&mmkit_ts_rows[TS_ROW_HUGE_FREE]);
	mmkit_ts_free(folio_pfn(folio), folio_nr_pages(folio));
	mmkit_original(huge_free)(folio);
	mmkit_redirect_leave(&mmkit_ts_rows[TS_ROW_HUGE_FREE]);
}

static noinline int mmkit_redirect_fn_huge_migrate(struct address_space *mapping,
						   struct folio *dst, struct folio *src,
						   enum migrate_mode mode)
{
	int err = -EBUSY;

	mmkit_redirect_enter(&mmkit_ts_rows[TS_ROW_HUGE_MIGRATE]);
	if (likely(!mmkit_ts_carries_tags(folio_page(src, 0))) ||
	    mmkit_ts_room_until(TS_ADOPT_COPY, folio_page(dst, 0), folio_nr_pages(dst)))
		err = mmkit_original(huge_migrate)(mapping, dst, src, mode);
	else
		mmkit_ts_count(TS_STAT_NO_MIGRATION, 1);
	mmkit_redirect_leave(&mmkit_ts_rows[TS_ROW_HUGE_MIGRATE]);
	return err;
}

void mmkit_ts_hugetlb_rows(struct mmkit_redirect *rows)
{
	static const struct mmkit_redirect mine[] = {
		[TS_ROW_HUGE_ALLOC]	= MMKIT_REDIRECT_ROW(huge_alloc),
		[TS_ROW_HUGE_FAULT]	= MMKIT_REDIRECT_ROW(huge_fault),
		[TS_ROW_HUGE_FREE]	= MMKIT_REDIRECT_ROW(huge_free),
		[TS_ROW_HUGE_MIGRATE]	= MMKIT_REDIRECT_ROW(huge_migrate),
	};
	unsigned int i;

	for (i = TS_ROW_HUGE_MIGRATE; i < ARRAY_SIZE(mine); i++)
		rows[i] = mine[i];
}

#else

void mmkit_ts_hugetlb_rows(struct mmkit_redirect *rows)
{
}

#endif
