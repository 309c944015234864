// SPDX-License-Identifier: GPL-2.0-only
/*
 * Times alloc_page() and __free_page() from as many call sites as somebody asks for,
 * one after the other. In a guest with one CPU whose clock counts instructions the
 * nanoseconds are instructions.
 */
#include <linux/gfp.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/minmax.h>

#include "test.h"

#define HUNDREDS	100

static unsigned int sites = 100;
module_param(sites, uint, 0444);
MODULE_PARM_DESC(sites, "call sites: 10, or a multiple of 100, at most 10000");

static unsigned int failed;

/* The asm keeps compilers from folding the calls into one. */
#define SITE							\
do {								\
	struct page *page = alloc_page(GFP_KERNEL);		\
								\
	asm volatile("" : : "i" (__COUNTER__) : "memory");	\
	if (page)						\
		__free_page(page);				\
	else							\
		failed++;					\
} while (0)
#define SITES10		SITE; SITE; SITE; SITE; SITE; SITE; SITE; SITE; SITE; SITE
#define SITES50		SITES10; SITES10; SITES10; SITES10; SITES10

static noinline void ten(void)
{
	SITES10;
}

#define HUNDRED(n)		\
static noinline void hundred_##n(void)	\
{				\
	SITES50;		\
	SITES50;		\
}

#define TEN_TIMES(X, n)		\
	X(n##0) X(n##1) X(n##2) X(n##3) X(n##4) X(n##5) X(n##6) X(n##7) X(n##8) X(n##9)
#define ALL(X)		\
	TEN_TIMES(X, 0) TEN_TIMES(X, 1) TEN_TIMES(X, 2) TEN_TIMES(X, 3) TEN_TIMES(X, 4)	\
	TEN_TIMES(X, 5) TEN_TIMES(X, 6) TEN_TIMES(X, 7) TEN_TIMES(X, 8) TEN_TIMES(X, 9)

ALL(HUNDRED)

#define NAME(n)	hundred_##n,
static void (*const hundreds[HUNDREDS])(void) = { ALL(NAME) };

static void all(void)
{
	unsigned int i;

	if (sites == 10) {
		ten();
		return;
	}
	for (i = 0; i < sites / 100; i++)
		hundreds[i]();
}

/* The best of some rounds: an interrupt is in few of them, and nobody's fault. */
#define ROUNDS	10

static int __init bench_init(void)
{
	u64 start, best = U64_MAX;
	unsigned int i;

	if (sites != 10 && (!sites || sites % 100 || sites > HUNDREDS * 100))
		return -EINVAL;
	all();
	for (i = 0; i < ROUNDS; i++) {
		start = ktime_get_ns();
		all();
		best = min(best, ktime_get_ns() - start);
	}
	if (failed)
		return -ENOMEM;
	pr_info("%u sites: %llu ns a pair\n", sites, div_u64(best, sites));
	return 0;
}
module_init(bench_init);

static void __exit bench_exit(void)
{
}
module_exit(bench_exit);
