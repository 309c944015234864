// SPDX-License-Identifier: GPL-2.0-only
/*
 * Times the unmapped-page cache. In a guest with one CPU whose clock counts
 * instructions (QEMU -icount shift=0,sleep=off) the nanoseconds are instructions.
 */
#include <linux/gfp.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mm.h>

#include <mmkit/unmapped.h>

#include "test.h"

static unsigned int rounds = 10000;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "how many of each");

static unsigned int order;
module_param(order, uint, 0444);
MODULE_PARM_DESC(order, "order of the pages");

static noinline bool noscrub(void)
{
	struct page *page = mmkit_unmapped_alloc(GFP_KERNEL, order);

	if (page)
		mmkit_unmapped_free_noscrub(page, order);
	return page;
}

static noinline bool zeroed(void)
{
	struct page *page = mmkit_unmapped_alloc(GFP_KERNEL | __GFP_ZERO, order);

	if (page)
		mmkit_unmapped_free_noscrub(page, order);
	return page;
}

static noinline bool ordinary(void)
{
	struct page *page = alloc_pages(GFP_KERNEL, order);

	if (page)
		__free_pages(page, order);
	return page;
}

static noinline bool ordinary_zeroed(void)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_ZERO, order);

	if (page)
		__free_pages(page, order);
	return page;
}

static struct page *held;

static noinline bool map_and_write(void)
{
	unsigned long *word = mmkit_unmapped_map_local(held);

	if (word)
		*word = 1;
	mmkit_unmapped_unmap_local(word);
	return word;
}

static int measure(const char *what, bool (*fn)(void))
{
	unsigned int i;
	u64 start, ns;

	for (i = 0; i < 100; i++)
		fn();
	start = ktime_get_ns();
	for (i = 0; i < rounds && fn(); i++)
		;
	ns = ktime_get_ns() - start;
	pr_info("order %u %s: %llu ns\n", order, what, div_u64(ns, i ?: 1));
	return i == rounds ? 0 : -ENOMEM;
}

#define BLOCKS	64

/* The cache must be empty: then each block is taken out of the direct map. */
static void refill(void)
{
	const unsigned int block_order = PMD_SHIFT - PAGE_SHIFT;
	static struct page *block[BLOCKS];
	unsigned int i, nr;
	u64 start, ns;

	start = ktime_get_ns();
	for (nr = 0; nr < BLOCKS; nr++) {
		block[nr] = mmkit_unmapped_alloc(GFP_KERNEL, block_order);
		if (!block[nr])
			break;
	}
	ns = ktime_get_ns() - start;
	for (i = 0; i < nr; i++)
		mmkit_unmapped_free_noscrub(block[i], block_order);
	pr_info("refill: %llu ns a block, %u blocks\n", div_u64(ns, nr ?: 1), nr);
}

static int __init bench_init(void)
{
	int err;

	refill();
	held = mmkit_unmapped_alloc(GFP_KERNEL, 0);
	if (!held)
		return -ENOMEM;
	err = measure("alloc+free of the page allocator", ordinary) ?:
	      measure("alloc+free, noscrub", noscrub) ?:
	      measure("zeroed alloc+free of the page allocator", ordinary_zeroed) ?:
	      measure("zeroed alloc+free, noscrub", zeroed) ?:
	      measure("map, write, unmap", map_and_write);
	mmkit_unmapped_free(held, 0);
	return err;
}
module_init(bench_init);

static void __exit bench_exit(void)
{
}
module_exit(bench_exit);
