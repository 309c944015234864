// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that are tagged already when the manager is loaded. The hooks are live:
 * whatever becomes tagged from now on has room.
 */
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/module.h>

#include "hooks.h"

/* Held, so that its free cannot be missed. */
static int adopt_page(struct page *page)
{
	struct folio *folio = page_folio(page);
	int err = 0;

	if (!folio_try_get(folio))
		return 0;
	if (page_folio(page) == folio && mmkit_ts_carries_tags(page))
		err = mmkit_ts_reserve(folio_pfn(folio), folio_nr_pages(folio), true);
	folio_put(folio);
	return err;
}

static int adopt_range(unsigned long pfn, unsigned long nr)
{
	unsigned long end = pfn + nr;
	int err;

	for (; pfn < end; pfn++) {
		struct page *page = pfn_to_online_page(pfn);

		if (!(pfn % 1024))
			cond_resched();
		if (!page || !mmkit_ts_carries_tags(page) || mmkit_ts_reserved(pfn))
			continue;
		err = adopt_page(page);
		if (err) {
			pr_err("page %#lx is tagged already, and %s (%d): end the programs that use PROT_MTE first\n",
			       pfn, mmkit_ts_is_storage(pfn) ? "lies in tag storage" :
			       "its tag storage cannot be had", err);
			return -EBUSY;
		}
	}
	return 0;
}

int mmkit_ts_adopt(bool simulate)
{
	unsigned int i;
	int err = 0;

	if (simulate)
		return 0;
	for (i = 0; i < mmkit_ts_nr_regions && !err; i++) {
		const struct ts_blocks *b = &mmkit_ts_regions[i].blocks;

		err = adopt_range(b->storage, b->nr_storage) ?:
		      adopt_range(b->tagged, b->nr_tagged);
	}
	return err;
}
