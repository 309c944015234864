// SPDX-License-Identifier: GPL-2.0-only
/*
 * Room for the tags of pages that exist: what the files of hooks share. The storage of a page
 * is taken, or the page leaves storage, or it moves to where storage can be had.
 */
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "hooks.h"

bool mmkit_ts_folio_reserved(struct folio *folio)
{
	unsigned long pfn = folio_pfn(folio), end = pfn + folio_nr_pages(folio);

	for (; pfn < end; pfn++) {
		if (!mmkit_ts_reserved(pfn))
			return false;
	}
	return true;
}

/* What is in pages goes to others, whose tags want other storage; outside storage, too. */
static void move_away(unsigned long pfn, unsigned long nr)
{
	unsigned int flags = memalloc_pin_save();

	if (!mmkit_contig_take(pfn, pfn + nr, false))
		free_contig_range(pfn, nr);
	memalloc_pin_restore(flags);
}

int mmkit_ts_make_room(struct page *page, unsigned int others)
{
	struct folio *folio = page_folio(page);
	unsigned long pfn = folio_pfn(folio), nr = folio_nr_pages(folio);
	unsigned int tries = PageHuge(page) ? TS_PATIENT : mmkit_ts_patience(others);
	bool elsewhere = tries != TS_PATIENT;
	int err;

	/* From storage it has to go, and can while we do not hold it. */
	if (mmkit_ts_is_storage(pfn)) {
		put_page(page);
		return mmkit_ts_evacuate(pfn, nr, TS_PATIENT);
	}
	err = mmkit_ts_reserve(pfn, nr, tries);
	/* To move it wants memory, too. */
	if (err == -ENOMEM && elsewhere)
		err = mmkit_ts_reserve(pfn, nr, TS_PATIENT);
	put_page(page);
	if (err != -EBUSY || !elsewhere)
		return err;
	move_away(pfn, nr);
	return 0;
}

vm_fault_t mmkit_ts_fault_failed(const struct vm_area_struct *vma, int err)
{
	/* Who is killed while the kernel touches his memory would come back for ever. */
	if (err == -ENOMEM || err == -EINTR)
		return VM_FAULT_OOM;
	/* A process dies of its own faults alone. */
	if (vma->vm_mm != current->mm)
		return VM_FAULT_OOM;
	mmkit_ts_count(TS_STAT_SIGBUS, 1);
	return VM_FAULT_SIGBUS;
}
