// SPDX-License-Identifier: GPL-2.0-only
/* More call sites than the profiler was told to tell apart: each takes one page. */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>

#define NR_SITES 256

static struct page *pages[NR_SITES];

/* The asm keeps compilers from folding the calls into one. */
#define SITE(n)							\
do {								\
	pages[n] = alloc_page(GFP_KERNEL);			\
	asm volatile("" : : "i" (n) : "memory");		\
} while (0)

#define SITES4(n)	SITE(n); SITE((n) + 1); SITE((n) + 2); SITE((n) + 3)
#define SITES16(n)	SITES4(n); SITES4((n) + 4); SITES4((n) + 8); SITES4((n) + 12)
#define SITES64(n)	SITES16(n); SITES16((n) + 16); SITES16((n) + 32); SITES16((n) + 48)

static noinline void many_sites_low(void)
{
	SITES64(0);
	SITES64(64);
}

static noinline void many_sites_high(void)
{
	SITES64(128);
	SITES64(192);
}

static void sites_exit(void)
{
	int i;

	for (i = 0; i < NR_SITES; i++) {
		if (pages[i])
			__free_page(pages[i]);
	}
}

static int __init sites_init(void)
{
	int i;

	many_sites_low();
	many_sites_high();
	for (i = 0; i < NR_SITES; i++) {
		if (!pages[i]) {
			sites_exit();
			return -ENOMEM;
		}
	}
	return 0;
}
module_init(sites_init);
module_exit(sites_exit);

MODULE_DESCRIPTION("mmkit selftest: allocates from 256 call sites");
MODULE_LICENSE("GPL");
