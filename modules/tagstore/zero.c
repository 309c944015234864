// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of zeros. Whoever reads memory that was never written reads theirs, and their
 * tags. They are nobody's: they have room for as long as the manager is there, and
 * that somebody uses them is no reason for it to stay.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/vmalloc.h>

#include "hooks.h"

static struct folio *huge_zero;	/* held */
static unsigned long own;

unsigned long mmkit_ts_zero_pages(void)
{
	return READ_ONCE(own);
}

static void count_own(unsigned long pfn, unsigned long nr)
{
	unsigned long served = 0;

	for (; nr; nr--, pfn++)
		served += !!mmkit_ts_region_of(pfn);
	WRITE_ONCE(own, own + served);
}

/*
 * The kernel cleared the tags of its zero page when it came up; what was lent since then
 * holds something else. Its own mapping of that page can be read-only.
 */
int mmkit_ts_zero_init(void)
{
	struct page *page = ZERO_PAGE(0);
	int err = mmkit_ts_reserve(page_to_pfn(page), 1, TS_PATIENT);
	void *addr;

	if (err) {
		pr_err("no storage for the tags of the zero page (%d)\n", err);
		return err;
	}
	addr = vmap(&page, 1, VM_MAP, pgprot_tagged(PAGE_KERNEL));
	if (!addr)
		return -ENOMEM;
	mmkit_ksym(mte_clear_page_tags)(addr);
	vunmap(addr);
	count_own(page_to_pfn(page), 1);
	return 0;
}

bool mmkit_ts_zero_keep(struct folio *folio)
{
	if (huge_zero || folio != mmkit_ts_huge_zero())
		return false;
	huge_zero = folio;
	count_own(folio_pfn(folio), folio_nr_pages(folio));
	return true;
}

/* Made while nobody cleared its tags: areas that are tagged see them from now on. */
static void clear_huge_zero(void)
{
#ifdef MMKIT_HAVE_TAG_CLEAR_HIGHPAGES
	struct folio *folio = mmkit_ts_huge_zero();
	unsigned long i;

	if (!folio || !folio_try_get(folio))
		return;
	for (i = 0; folio == mmkit_ts_huge_zero() && i < folio_nr_pages(folio); i++) {
		struct page *page = folio_page(folio, i);

		if (mmkit_ts_carries_tags(page) || !mmkit_mte_begin(page))
			continue;
		mmkit_ksym(mte_clear_page_tags)(page_address(page));
		set_page_mte_tagged(page);
	}
	folio_put(folio);
#endif
}

/* The hooks are gone. */
void mmkit_ts_zero_exit(void)
{
	WRITE_ONCE(own, 0);
	if (huge_zero)
		folio_put(huge_zero);
	clear_huge_zero();
}
