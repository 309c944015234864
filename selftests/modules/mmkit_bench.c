// SPDX-License-Identifier: GPL-2.0-only
/*
 * Times a loop of alloc_pages() and __free_pages(), or of the bulk allocator. In
 * a guest with one CPU whose clock counts instructions (QEMU -icount
 * shift=0,sleep=off) the nanoseconds are instructions.
 */
#include <linux/gfp.h>
#include <linux/irqflags.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/minmax.h>

#include "test.h"

static unsigned int order;
module_param(order, uint, 0444);
MODULE_PARM_DESC(order, "order of the pages");

static unsigned int rounds = 10000;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "how many pairs");

#define MOST	256
static unsigned int bulk;
module_param(bulk, uint, 0444);
MODULE_PARM_DESC(bulk, "single pages to take together, at most 256; 0: one alloc_pages()");

static struct page *pages[MOST];

static noinline bool many(void)
{
	unsigned int i, nr = mmkit_test_bulk(GFP_KERNEL, bulk, pages);

	for (i = 0; i < nr; i++) {
		__free_page(pages[i]);
		pages[i] = NULL;
	}
	return nr == bulk;
}

static noinline bool pair(void)
{
	struct page *page = alloc_pages(GFP_KERNEL, order);

	if (!page)
		return false;
	__free_pages(page, order);
	return true;
}

/*
 * Some instructions whose number is known tell whether the clock counts them,
 * if no interrupt comes between.
 */
static void check_clock(void)
{
	unsigned long left = 500000, flags;
	u64 start, ns;

	local_irq_save(flags);
	start = ktime_get_ns();
#ifdef CONFIG_X86
	asm volatile("1: dec %0; jnz 1b" : "+r" (left) : : "cc");
#else
	asm volatile("1: subs %0, %0, #1; b.ne 1b" : "+r" (left) : : "cc");
#endif
	ns = ktime_get_ns() - start;
	local_irq_restore(flags);
	pr_info("clock: %llu ns for 1000000 instructions\n", ns);
}

/* The best part of all rounds: an interrupt is in few of them, and nobody's fault. */
#define PARTS	20

static bool measure(bool (*fn)(void), unsigned int nr, u64 *best)
{
	unsigned int part, i;
	u64 start, ns;

	*best = U64_MAX;
	for (part = 0; part < PARTS; part++) {
		start = ktime_get_ns();
		for (i = 0; i < nr; i++) {
			if (!fn())
				return false;
		}
		ns = ktime_get_ns() - start;
		*best = min(*best, ns);
	}
	return true;
}

static int __init bench_init(void)
{
	bool (*fn)(void) = bulk ? many : pair;
	unsigned int nr = max(rounds / PARTS, 1U), i;
	u64 ns;

	if (bulk > MOST)
		return -EINVAL;
	check_clock();
	for (i = 0; i < rounds; i++)
		fn();
	if (!measure(fn, nr, &ns))
		return -ENOMEM;
	if (bulk)
		pr_info("bulk %u: %llu ns a page, %u rounds\n", bulk, div_u64(ns, nr * bulk), nr);
	else
		pr_info("order %u: %llu ns a pair, %u pairs\n", order, div_u64(ns, nr), nr);
	return 0;
}
module_init(bench_init);

static void __exit bench_exit(void)
{
}
module_exit(bench_exit);
