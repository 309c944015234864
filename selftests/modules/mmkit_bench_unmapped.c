// SPDX-License-Identifier: GPL-2.0-only
/*
 * Times the unmapped-page cache, and what the kernel has instead. In a guest with
 * one CPU whose clock counts instructions (QEMU -icount shift=0,sleep=off) the
 * nanoseconds are instructions. A line for each: "NAME: N ns".
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/set_memory.h>
#include <linux/string.h>

#include <asm/tlbflush.h>

#include <mmkit/ksym.h>
#include <mmkit/unmapped.h>

#include "test.h"

static unsigned int rounds = 10000;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "how many of each");

static unsigned int order;
module_param(order, uint, 0444);
MODULE_PARM_DESC(order, "order of the pages");

static char *what;
module_param(what, charp, 0444);
MODULE_PARM_DESC(what, "this alone, or all but refill");

static unsigned int blocks = 32;
module_param(blocks, uint, 0444);
MODULE_PARM_DESC(blocks, "for what=refill: how many, at most 64");

#define COMPARE	"nothing to compare with"
#ifdef CONFIG_X86_64
#define FLUSH_KSYMS(X)									\
	X(OPTIONAL, void, flush_tlb_kernel_range,					\
	  (unsigned long start, unsigned long end), COMPARE)
#else
#define FLUSH_KSYMS(X)
#endif
#define BENCH_KSYMS(X)									\
	X(OPTIONAL, int, set_direct_map_invalid_noflush, (struct page *page), COMPARE)	\
	X(OPTIONAL, int, set_direct_map_default_noflush, (struct page *page), COMPARE)	\
	FLUSH_KSYMS(X)

MMKIT_KSYM_DECLARE_TABLE(BENCH_KSYMS)
MMKIT_KSYM_DEFINE_TABLE(ksyms, "bench_unmapped", BENCH_KSYMS, MMKIT_KSYM_NO_DATA);

static_assert(__same_type(set_direct_map_invalid_noflush,
			  mmkit_ksym_proto_set_direct_map_invalid_noflush));
static_assert(__same_type(set_direct_map_default_noflush,
			  mmkit_ksym_proto_set_direct_map_default_noflush));

#ifdef CONFIG_X86_64
#define bench_flush(start, end)	mmkit_ksym(flush_tlb_kernel_range)(start, end)
#define BENCH_CAN_FLUSH		mmkit_ksym_found(&ksyms, "flush_tlb_kernel_range")
#else
#define bench_flush(start, end)	flush_tlb_kernel_range(start, end)
#define BENCH_CAN_FLUSH		true
#endif

static noinline bool noscrub(void)
{
	struct page *page = mmkit_unmapped_alloc(GFP_KERNEL, order);

	if (page)
		mmkit_unmapped_free_noscrub(page, order);
	return page;
}

static noinline bool scrub(void)
{
	struct page *page = mmkit_unmapped_alloc(GFP_KERNEL, order);

	mmkit_unmapped_free(page, order);
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

/* What memfd_secret(2) does to a page that it takes and gives back. */
static noinline bool one_by_one(void)
{
	struct page *page = alloc_page(GFP_KERNEL);
	unsigned long addr;

	if (!page)
		return false;
	addr = (unsigned long)page_address(page);
	if (!mmkit_ksym(set_direct_map_invalid_noflush)(page))
		bench_flush(addr, addr + PAGE_SIZE);
	/* Not so, it must not be given to anybody. */
	if (mmkit_ksym(set_direct_map_default_noflush)(page))
		return false;
	__free_page(page);
	return true;
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

static bool wanted(const char *name)
{
	return !what || !strcmp(what, name);
}

static int measure(const char *name, bool (*fn)(void))
{
	unsigned int i;
	u64 start, ns;

	if (!wanted(name))
		return 0;
	for (i = 0; i < 100; i++)
		fn();
	start = ktime_get_ns();
	for (i = 0; i < rounds && fn(); i++)
		;
	ns = ktime_get_ns() - start;
	pr_info("%s: %llu ns\n", name, div_u64(ns, i ?: 1));
	return i == rounds ? 0 : -ENOMEM;
}

/* When this returns, the cache has given back all that is free. */
static int give_all_back(void)
{
	struct file *file = filp_open("/sys/kernel/mmkit/unmapped/drain", O_WRONLY, 0);
	ssize_t written;
	loff_t pos = 0;

	if (IS_ERR(file))
		return PTR_ERR(file);
	written = kernel_write(file, "1", 1, &pos);
	filp_close(file, NULL);
	return written < 0 ? written : 0;
}

#define BLOCKS	64

/* Each block is taken out of the direct map, and then put back. */
static int refill(void)
{
	const unsigned int block_order = PMD_SHIFT - PAGE_SHIFT;
	static struct page *block[BLOCKS];
	unsigned int i, nr;
	u64 start, ns;
	int err;

	err = give_all_back();
	if (err)
		return err;
	start = ktime_get_ns();
	for (nr = 0; nr < min_t(unsigned int, blocks, BLOCKS); nr++) {
		block[nr] = mmkit_unmapped_alloc(GFP_KERNEL, block_order);
		if (!block[nr])
			break;
	}
	ns = ktime_get_ns() - start;
	pr_info("refill_block: %llu ns\n", div_u64(ns, nr ?: 1));
	pr_info("refill_page: %llu ns\n", div_u64(ns, (nr ?: 1) << block_order));
	for (i = 0; i < nr; i++)
		mmkit_unmapped_free_noscrub(block[i], block_order);
	start = ktime_get_ns();
	err = give_all_back();
	ns = ktime_get_ns() - start;
	pr_info("back_block: %llu ns\n", div_u64(ns, nr ?: 1));
	pr_info("back_page: %llu ns\n", div_u64(ns, (nr ?: 1) << block_order));
	return nr ? err : -ENOMEM;
}

static int measure_all(void)
{
	int err;

	held = mmkit_unmapped_alloc(GFP_KERNEL, 0);
	if (!held)
		return -ENOMEM;
	err = measure("pages", ordinary) ?:
	      measure("noscrub", noscrub) ?:
	      measure("scrub", scrub) ?:
	      measure("zeroed_pages", ordinary_zeroed) ?:
	      measure("zeroed", zeroed) ?:
	      measure("map", map_and_write);
	mmkit_unmapped_free(held, 0);
	if (!err && mmkit_ksym_found(&ksyms, "set_direct_map_invalid_noflush") &&
	    mmkit_ksym_found(&ksyms, "set_direct_map_default_noflush") && BENCH_CAN_FLUSH)
		err = measure("one_by_one", one_by_one);
	return err;
}

static int __init bench_init(void)
{
	int err = mmkit_ksym_resolve(&ksyms);

	if (err)
		return err;
	err = what && !strcmp(what, "refill") ? refill() : measure_all();
	mmkit_ksym_release(&ksyms);
	return err;
}
module_init(bench_init);

static void __exit bench_exit(void)
{
}
module_exit(bench_exit);
