// SPDX-License-Identifier: GPL-2.0-only
/*
 * The direct map as the CPU sees it: each page that is online is read at its address
 * there. A page that the page allocator has must be readable at once; others too,
 * unless they are marked as out (PageOffline), of which there must be none with
 * none_out=1. The module needs nothing of the suite, so that it can look when all
 * of that has gone.
 *
 * The page allocator's lists are looked at under the lock of the zone, so what is free
 * stays free meanwhile. A page that is in use can be on its way: it is looked at again.
 */
#include <linux/delay.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/uaccess.h>

#include "test.h"

static bool none_out;
module_param(none_out, bool, 0444);
MODULE_PARM_DESC(none_out, "no page may be marked as out of the direct map");

#define LOOKS	50

struct counts {
	unsigned long online, free, out, free_absent, absent;
};

static bool readable(struct page *page)
{
	u8 byte;

	return !copy_from_kernel_nofault(&byte, page_address(page), 1);
}

/* Pages from @pfn on that are one free block, at most @most; under the lock of the zone. */
static unsigned long free_pages_at(struct page *page, unsigned long most)
{
	return PageBuddy(page) ? min(1UL << page_private(page), most) : 0;
}

static void look_at_free(struct counts *counts, unsigned long pfn, unsigned long nr)
{
	unsigned long i;

	counts->free += nr;
	for (i = 0; i < nr; i++) {
		if (readable(pfn_to_page(pfn + i)))
			continue;
		if (!counts->free_absent++)
			pr_info("# free, and not mapped: page frame %#lx\n", pfn + i);
	}
}

/* Looks at the free ones of a block of pages; a bit is set for each of the others. */
static void look_at_block(struct counts *counts, unsigned long pfn, unsigned long *others)
{
	struct zone *zone = page_zone(pfn_to_page(pfn));
	unsigned long i, nr, flags;

	bitmap_zero(others, pageblock_nr_pages);
	spin_lock_irqsave(&zone->lock, flags);
	for (i = 0; i < pageblock_nr_pages; i += nr ?: 1) {
		nr = free_pages_at(pfn_to_page(pfn + i), pageblock_nr_pages - i);
		if (nr)
			look_at_free(counts, pfn + i, nr);
		else
			__set_bit(i, others);
	}
	spin_unlock_irqrestore(&zone->lock, flags);
}

/*
 * Is it there, or marked as out, at some moment? What is reserved was never the page
 * allocator's, and need not even be memory.
 */
static void look_at_other(struct counts *counts, unsigned long pfn)
{
	struct page *page = pfn_to_page(pfn);
	unsigned int looks;

	for (looks = 0; looks < LOOKS; looks++) {
		if (readable(page) || PageReserved(page))
			return;
		if (PageOffline(page)) {
			counts->out++;
			return;
		}
		msleep(20);
	}
	if (!counts->absent++)
		pr_info("# neither mapped nor marked: page frame %#lx\n", pfn);
}

static int walk(struct counts *counts)
{
	unsigned long *others = bitmap_alloc(pageblock_nr_pages, GFP_KERNEL);
	unsigned long pfn, i;
	int nid;

	if (!others)
		return -ENOMEM;
	for_each_online_node(nid) {
		pfn = ALIGN(node_start_pfn(nid), pageblock_nr_pages);
		for (; pfn + pageblock_nr_pages <= node_end_pfn(nid); pfn += pageblock_nr_pages) {
			if (!pfn_to_online_page(pfn))
				continue;
			counts->online += pageblock_nr_pages;
			look_at_block(counts, pfn, others);
			for_each_set_bit(i, others, pageblock_nr_pages)
				look_at_other(counts, pfn + i);
			cond_resched_tasks_rcu_qs();
		}
	}
	bitmap_free(others);
	return 0;
}

static int __init test_init(void)
{
	struct counts counts = { };
	int err;

	err = walk(&counts);
	if (err)
		return err;
	pr_info("# %lu pages online, %lu free, %lu out\n", counts.online, counts.free, counts.out);
	TEST(counts.free, "there are free pages");
	TEST(!counts.free_absent, "each free page is mapped in the direct map");
	TEST(!counts.absent, "so is each other page that is not marked as out");
	if (none_out)
		TEST(!counts.out, "no page is marked as out");
	return 0;
}
module_init(test_init);

static void __exit test_exit(void)
{
}
module_exit(test_exit);
