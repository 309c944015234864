// SPDX-License-Identifier: GPL-2.0-only
/*
 * Times a loop of alloc_pages() and __free_pages(). In a guest with one CPU
 * whose clock counts instructions (QEMU -icount shift=0,sleep=off) the
 * nanoseconds are instructions.
 */
#include <linux/gfp.h>
#include <linux/irqflags.h>
#include <linux/ktime.h>
#include <linux/math64.h>

#include "test.h"

static unsigned int order;
module_param(order, uint, 0444);
MODULE_PARM_DESC(order, "order of the pages");

static unsigned int rounds = 10000;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "how many pairs");

static noinline bool pair(void)
{
	struct page *page = alloc_pages(GFP_KERNEL, order);

	if (!page)
		return false;
	__free_pages(page, order);
	return true;
}

static int __init bench_init(void)
{
	u64 start, ns;
	unsigned int i;

	for (i = 0; i < rounds; i++)
		pair();
	start = ktime_get_ns();
	for (i = 0; i < rounds && pair(); i++)
		;
	ns = ktime_get_ns() - start;
	pr_info("order %u: %llu ns a pair, %u pairs\n", order, div_u64(ns, i ?: 1), i);
	return i == rounds ? 0 : -ENOMEM;
}
module_init(bench_init);

static void __exit bench_exit(void)
{
}
module_exit(bench_exit);
