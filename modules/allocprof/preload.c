// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that were allocated before the profiler looked: classified once, into
 * named buckets, while events already come in.
 *
 * A page is looked at without any reference: what is read of it may be out of
 * date the next moment. That is harmless: the mark is installed only where
 * nothing is known of the page, a free or allocation that came first leaves a
 * mark, and one that comes later takes the bucket's mark away again.
 *
 * What nobody holds and no free block contains is the rest of an allocation that
 * is not compound, or it waits on the list of a CPU, from where no event tells
 * that it goes. It is taken for allocated first; when the lists have been
 * emptied it lies in a free block and leaves the bucket. Under load some of it
 * is on a list again by then, hence the third pass. Only the first takes such
 * pages in.
 */
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/sched.h>

#include "allocprof.h"

/* Pages of the free block that begins with @page, 0 when there is none. */
static unsigned long free_block(struct page *page, unsigned long pfn)
{
	unsigned long order;

	if (!PageBuddy(page))
		return 0;
	order = READ_ONCE(page->private);
	if (order > MMKIT_MAX_PAGE_ORDER || pfn & ((1UL << order) - 1))
		return 0;
	return 1UL << order;
}

/* Neither held nor, frozen, compound or of a type: inside a free block, for example. */
static bool idle(struct page *page)
{
	return !page_count(page) && !PageCompound(page) && !page_has_type(page) &&
	       !PageSlab(page) && !PageReserved(page);
}

/*
 * Pages from @pfn on to the end of the free block that @page lies in, 0 when it
 * lies in none. Its head may have merged with what is behind us only just now.
 */
static unsigned long free_rest(struct page *page, unsigned long pfn)
{
	unsigned int order;

	if (!PageBuddy(page) && !idle(page))
		return 0;
	/* A block of the largest order lies in one section: there are no holes to step into. */
	for (order = 0; order <= MMKIT_MAX_PAGE_ORDER; order++) {
		unsigned long head = pfn & ~((1UL << order) - 1);
		unsigned long pages = free_block(pfn_to_page(head), head);

		if (pages > pfn - head)
			return head + pages - pfn;
	}
	return 0;
}

static u32 classify(struct page *page)
{
	struct page *head = compound_head(page);

	if (PageReserved(page))
		return AP_TAG_RESERVED;
	if (PageSlab(head))
		return AP_TAG_SLAB;
	if (PageTable(page))
		return AP_TAG_PGTABLE;
	if (!page_count(head) || page_has_type(head))
		return AP_TAG_OTHER;
	if (PageAnon(head))
		return AP_TAG_ANON;
	if (READ_ONCE(head->mapping))
		return AP_TAG_FILE;
	return AP_TAG_OTHER;
}

/* Counted before it is marked: whoever sees the mark may count it out. */
static void install(unsigned long pfn, struct page *page)
{
	u32 tag = classify(page);
	bool head = !PageTail(page);

	preempt_disable();
	mmkit_ap_count_in(tag, 1, head);
	if (!ap_mark_change(mmkit_ap_table, mmkit_ap_wide, pfn, AP_TAG_NONE,
			    tag | (head ? ap_head(mmkit_ap_wide) : 0)))
		mmkit_ap_count_out(tag, 1, head);
	preempt_enable();
}

static bool known(unsigned long pfn)
{
	return ap_mark_get(mmkit_ap_table, mmkit_ap_wide, pfn) != AP_TAG_NONE;
}

/* A free page that is in a bucket: it was between lists when we looked. */
static void settle_page(unsigned long pfn)
{
	u32 mark = ap_mark_get(mmkit_ap_table, mmkit_ap_wide, pfn);
	u32 tag = mark & (ap_head(mmkit_ap_wide) - 1);

	if (!ap_counted(tag) || tag >= AP_TAG_OVERFLOW)
		return;
	preempt_disable();
	if (ap_mark_change(mmkit_ap_table, mmkit_ap_wide, pfn, mark, AP_TAG_EMPTY))
		mmkit_ap_count_out(tag, 1, mark != tag);
	preempt_enable();
}

/*
 * @data: is this the first pass? A used page that the later ones find in no bucket
 * belonged to a free block a moment before.
 */
static int look_at_section(void *data, unsigned long start, unsigned long nr_pages)
{
	unsigned long pfn, i, rest, end = start + nr_pages;
	const bool *first = data;

	for (pfn = start; pfn < end; pfn += rest ?: 1) {
		struct page *page = pfn_to_online_page(pfn);

		rest = page ? free_rest(page, pfn) : 0;
		for (i = 0; i < rest && !*first; i++)
			settle_page(pfn + i);
		if (page && !rest && (*first || !idle(page)) && !PageBuddy(page) && !known(pfn))
			install(pfn, page);
		if (!(pfn % 1024))
			cond_resched_tasks_rcu_qs();
	}
	return 0;
}

void mmkit_ap_preload_scan(struct mmkit_pagetab *tab)
{
	int pass;

	for (pass = 1; pass <= 3; pass++) {
		bool first = pass == 1;

		mmkit_ksym(drain_all_pages)(NULL);
		mmkit_pagetab_for_each(tab, look_at_section, &first);
	}
}
