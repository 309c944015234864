// SPDX-License-Identifier: GPL-2.0-only
/*
 * Claims a range of pages by page frame number, and hands pages it owns to
 * another call site. Both are kept until the module is unloaded:
 *
 *	held FUNCTION BYTES CALLS
 */
#include <linux/gfp.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>

#include <mmkit/page_events.h>

#include "test.h"

#define NR_PAGES	1024UL
#define RETAG_ORDER	3

static unsigned long start;
static struct page *handed;

static noinline int claim_range(unsigned long pfn)
{
	int err = mmkit_test_contig(pfn, pfn + NR_PAGES, GFP_KERNEL | __GFP_NOWARN);

	barrier();
	return err;
}

/* From the top of memory downwards: there is most of the time something free. */
static bool claim_somewhere(void)
{
	unsigned long pfn = node_end_pfn(first_online_node) & ~(NR_PAGES - 1);
	unsigned int tries = 0;

	for (; pfn > NR_PAGES && tries < 64; pfn -= NR_PAGES) {
		if (!pfn_to_online_page(pfn) || !pfn_to_online_page(pfn + NR_PAGES - 1))
			continue;
		tries++;
		if (!claim_range(pfn)) {
			start = pfn;
			return true;
		}
	}
	return false;
}

static noinline unsigned long new_owner(void)
{
	return _THIS_IP_;
}

static int __init test_init(void)
{
	if (!claim_somewhere()) {
		pr_info("not ok - a range of pages is claimed\n");
		return -EBUSY;
	}
	TEST(true, "a range of pages is claimed");
	pr_info("held claim_range %lu %lu\n", NR_PAGES * PAGE_SIZE, NR_PAGES);

	handed = alloc_pages(GFP_KERNEL, RETAG_ORDER);
	if (!handed) {
		free_contig_range(start, NR_PAGES);
		return -ENOMEM;
	}
	mmkit_page_event_retag(page_to_pfn(handed), RETAG_ORDER, new_owner());
	pr_info("held new_owner %lu 1\n", PAGE_SIZE << RETAG_ORDER);
	return 0;
}
module_init(test_init);

static void __exit test_exit(void)
{
	free_contig_range(start, NR_PAGES);
	__free_pages(handed, RETAG_ORDER);
}
module_exit(test_exit);
