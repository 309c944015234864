// SPDX-License-Identifier: GPL-2.0-only
/*
 * Uses the functions that the tag-storage manager has for modules, and counts blocks
 * by itself. It is told one region by parameters; the manager must know the same.
 * Written to the parameter "run":
 *
 *	api		 looks at all there is to see, with nothing reserved before and after
 *	hold MEGABYTES	 reserves pages, and keeps them; "release" frees them
 *	pin FIRST NR	 takes pages of storage, counted from its first; "unpin" gives them back
 *	move FIRST NR	 empties pages that the storage serves, counted from the first: what is in
 *			 them moves, as it does for whoever wants contiguous memory
 *	reserve FIRST ORDER, dying FIRST ORDER
 *			 of the memory that the storage serves, counted from its first page;
 *			 with a signal pending that kills, in the second case
 *	free FIRST ORDER tells that those carry tags no more
 *	fuse		 says that a page of storage carries tags
 *
 * A page of storage that somebody else has taken looks to the manager like one that is
 * pinned: it has an owner, and cannot be moved.
 */
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/kprobes.h>
#include <linux/log2.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>

#include <mmkit/tagstore.h>

#include "test_file.h"
#include "test_run.h"

/* A tag of 4 bits for 16 bytes. */
#define PAGES_PER_STORAGE	32
#define MAX_ORDER_TRIED		9

static unsigned long storage, storage_bytes, tagged;
static unsigned int block_pages = 1;
static bool cma;

module_param(storage, ulong, 0444);
MODULE_PARM_DESC(storage, "physical address where the storage begins");
module_param(storage_bytes, ulong, 0444);
MODULE_PARM_DESC(storage_bytes, "bytes of storage");
module_param(tagged, ulong, 0444);
MODULE_PARM_DESC(tagged, "physical address where the memory begins that it serves");
module_param(block_pages, uint, 0444);
MODULE_PARM_DESC(block_pages, "pages of storage that are taken together");
module_param(cma, bool, 0444);
MODULE_PARM_DESC(cma, "the storage belongs to the contiguous allocator");

/* --- numbers ----------------------------------------------------------------------- */

static unsigned long nr_tagged(void)
{
	return PHYS_PFN(storage_bytes) * PAGES_PER_STORAGE;
}

static bool is_storage(unsigned long pfn)
{
	return pfn - PHYS_PFN(storage) < PHYS_PFN(storage_bytes);
}

static bool is_tagged(unsigned long pfn)
{
	return pfn - PHYS_PFN(tagged) < nr_tagged();
}

/* One by one, so that it is not the arithmetic that is tested. */
static unsigned long blocks_of(unsigned long pfn, unsigned int order)
{
	unsigned long i, last = ULONG_MAX, block, nr = 0;

	for (i = 0; i < 1UL << order; i++) {
		block = (pfn + i - PHYS_PFN(tagged)) / PAGES_PER_STORAGE / block_pages;
		nr += block != last;
		last = block;
	}
	return nr;
}

static unsigned long bytes_of(unsigned long pfn, unsigned int order)
{
	return blocks_of(pfn, order) * block_pages * PAGE_SIZE;
}

/* What a file of the manager in sysfs says. */
static long said_by(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/kernel/mmkit/tagstore/%s", name);
	return test_read_number(path);
}

static long taken(void)
{
	return said_by("reserved_bytes");
}

/* Those that nobody needs linger; the rest is exactly what pages need. */
static long needed(void)
{
	return taken() - said_by("reserved_idle_bytes");
}

static void drain(void)
{
	test_write_file("/sys/kernel/mmkit/tagstore/drain", "1");
}

static bool taken_becomes(long bytes, unsigned int ms)
{
	for (; ms && taken() != bytes; ms -= min(ms, 20U))
		msleep(20);
	return taken() == bytes;
}

/* --- pages --------------------------------------------------------------------------- */

/* Of the memory that the storage serves. */
static struct page *get_pages(unsigned int order)
{
	struct page *page, *other, *next;
	LIST_HEAD(wrong);

	while ((page = alloc_pages(GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY, order))) {
		if (is_tagged(page_to_pfn(page)) &&
		    is_tagged(page_to_pfn(page) + (1UL << order) - 1))
			break;
		list_add(&page->lru, &wrong);
	}
	list_for_each_entry_safe(other, next, &wrong, lru) {
		list_del(&other->lru);
		__free_pages(other, order);
	}
	return page;
}

static bool all_reserved(struct page *page, unsigned int order, bool want)
{
	unsigned long i;

	for (i = 0; i < 1UL << order; i++)
		if (mmkit_tagstore_page_reserved(page + i) != want)
			return false;
	return true;
}

/* Nobody else takes it: who has it may not sleep. */
static DEFINE_RAW_SPINLOCK(lock);

/* --- api: what is reserved is counted --------------------------------------------------- */

static char text[120];
#define TEST_ORDER(cond, what)	do {							\
	bool good_ = (cond);								\
	snprintf(text, sizeof(text), "order %u: %s", order, what);			\
	TEST(good_, text);								\
	if (!good_)									\
		pr_info("taken %ld needed %ld, blocks for %ld\n", taken(), needed(), bytes);	\
} while (0)

static void one_order(unsigned int order)
{
	struct page *page = get_pages(order);
	long bytes = 0;

	if (!page) {
		TEST_ORDER(false, "there is such a page");
		return;
	}
	bytes = bytes_of(page_to_pfn(page), order);
	TEST_ORDER(all_reserved(page, order, false), "nothing is reserved before");
	TEST_ORDER(!mmkit_tagstore_reserve(page, order, GFP_KERNEL), "can be reserved");
	TEST_ORDER(all_reserved(page, order, true), "all its pages are");
	TEST_ORDER(needed() == bytes, "its blocks are needed, and no more");
	TEST_ORDER(!mmkit_tagstore_reserve(page, order, GFP_KERNEL), "again");
	TEST_ORDER(needed() == bytes, "which changes nothing");
	/* Each page is counted once: the first half leaves what the second needs. */
	if (order) {
		mmkit_tagstore_free(page, order - 1);
		drain();
		TEST_ORDER(needed() == bytes_of(page_to_pfn(page) + (1UL << (order - 1)),
						order - 1) && taken() == needed(),
			   "half of it needs its own blocks only");
	}
	__free_pages(page, order);
	drain();
	TEST_ORDER(!taken(), "freed, it needs none");
}

/* Pages that begin anywhere. */
static void odd_places(void)
{
	struct page *page = get_pages(MAX_ORDER_TRIED);
	unsigned int order, at;
	bool good = true;

	if (!page) {
		TEST(false, "there is a page for odd places");
		return;
	}
	for (order = 0; order < MAX_ORDER_TRIED; order++) {
		for (at = 1; at + (1U << order) <= 1U << MAX_ORDER_TRIED; at = at * 2 + 1) {
			unsigned long pfn = page_to_pfn(page) + at;
			long bytes = bytes_of(pfn, order);

			if (mmkit_tagstore_reserve(page + at, order, GFP_KERNEL) ||
			    needed() != bytes ||
			    mmkit_tagstore_page_reserved(page + at - 1)) {
				pr_info("order %u at %u: needed %ld, want %ld\n", order, at,
					needed(), bytes);
				good = false;
			}
			mmkit_tagstore_free(page + at, order);
			drain();
			good &= !taken();
		}
	}
	TEST(good, "pages may begin anywhere in their block");
	__free_pages(page, MAX_ORDER_TRIED);
}

/* --- api: the ways back --------------------------------------------------------------------- */

static struct page *irq_page;
static bool was_hard;
static int irq_err;

static void irq_fn(struct irq_work *work)
{
	was_hard = in_hardirq();
	/* All is reserved: the answer is there without a wait. */
	irq_err = mmkit_tagstore_reserve(irq_page, 3, GFP_ATOMIC);
	mmkit_tagstore_free(irq_page, 3);
}

static void free_in_irq(void)
{
	struct page *page = get_pages(3);
	static struct irq_work work = IRQ_WORK_INIT_HARD(irq_fn);

	if (!page || mmkit_tagstore_reserve(page, 3, GFP_KERNEL)) {
		TEST(false, "pages are reserved for the interrupt");
		return;
	}
	irq_page = page;
	irq_work_queue(&work);
	irq_work_sync(&work);
	TEST(was_hard, "this was a hard interrupt");
	TEST(!irq_err, "reserved pages can be reserved again in an interrupt");
	TEST(all_reserved(page, 3, false), "an interrupt frees them");
	drain();
	TEST(!taken(), "then they need no block");
	__free_pages(page, 3);
}

static void free_under_lock(void)
{
	struct page *page = get_pages(3);
	unsigned long flags;

	if (!page || mmkit_tagstore_reserve(page, 3, GFP_KERNEL)) {
		TEST(false, "pages are reserved for the lock");
		return;
	}
	raw_spin_lock_irqsave(&lock, flags);
	mmkit_tagstore_free(page, 3);
	/* What is not reserved is left alone. */
	mmkit_tagstore_free(page, 3);
	raw_spin_unlock_irqrestore(&lock, flags);
	TEST(all_reserved(page, 3, false), "freed under a raw lock, twice");
	TEST(taken() > 0, "their storage lingers");
	TEST(taken_becomes(0, 10000), "and is lent again by itself");
	__free_pages(page, 3);
}

/* Nobody tells the manager: the page allocator does. */
static void free_to_allocator(void)
{
	struct page *page = get_pages(4);

	if (!page || mmkit_tagstore_reserve(page, 4, GFP_KERNEL)) {
		TEST(false, "pages are reserved for the page allocator");
		return;
	}
	__free_pages(page, 4);
	TEST(all_reserved(page, 4, false), "freed to the page allocator");
	TEST(taken_becomes(0, 10000), "and their storage is lent again by itself");
}

/* Of a page that was freed the storage is still there when it is needed again at once. */
static void freed_and_needed(void)
{
	struct page *page = get_pages(0);
	long bytes;

	if (!page || mmkit_tagstore_reserve(page, 0, GFP_KERNEL)) {
		TEST(false, "a page is reserved twice");
		return;
	}
	bytes = needed();
	mmkit_tagstore_free(page, 0);
	TEST(!mmkit_tagstore_reserve(page, 0, GFP_ATOMIC),
	     "a page that was just freed can be had without a wait");
	drain();
	TEST(mmkit_tagstore_page_reserved(page) && needed() == bytes && taken() == bytes,
	     "and keeps its block");
	__free_page(page);
	drain();
	TEST(!taken(), "until it is freed");
}

/* --- api: what is refused ----------------------------------------------------------------- */

static void without_sleep(void)
{
	unsigned int order = ilog2(PAGES_PER_STORAGE), far = order + 2;
	struct page *page = get_pages(far);
	unsigned long flags;
	int none, some = -EAGAIN, all;
	long bytes;

	if (!page) {
		TEST(false, "there is a page for those who may not sleep");
		return;
	}
	TEST(mmkit_tagstore_reserve(page, 0, GFP_NOWAIT) == -EAGAIN,
	     "storage that is lent cannot be had without a wait");
	TEST(!taken(), "and nothing was taken");
	TEST(!mmkit_tagstore_reserve(page, 0, GFP_KERNEL), "one page of a block");
	bytes = needed();
	raw_spin_lock_irqsave(&lock, flags);
	none = mmkit_tagstore_reserve(page, order, GFP_ATOMIC);
	if (blocks_of(page_to_pfn(page), far) > 1)
		some = mmkit_tagstore_reserve(page, far, GFP_ATOMIC);
	all = mmkit_tagstore_reserve(page, 0, GFP_NOWAIT);
	raw_spin_unlock_irqrestore(&lock, flags);
	TEST(!none && !all, "the rest of a block that is taken, under a raw lock");
	TEST(some == -EAGAIN, "not so when a part of it is lent");
	TEST(needed() == bytes && taken() == bytes, "which left everything as it was");
	TEST(all_reserved(page + (1UL << order), order, false), "its pages too");
	__free_pages(page, far);
	drain();
	TEST(!taken(), "and all is lent again");
}

static void in_storage(void)
{
	struct page *first = pfn_to_page(PHYS_PFN(storage));
	struct page *last = pfn_to_page(PHYS_PFN(tagged) + nr_tagged() - 1);
	int err;

	TEST(mmkit_tagstore_reserve(first, 0, GFP_KERNEL) == -EINVAL,
	     "a page of storage is refused");
	TEST(mmkit_tagstore_reserve(first + PHYS_PFN(storage_bytes) - 1, 0, GFP_ATOMIC) == -EINVAL,
	     "so is the last one");
	TEST(!mmkit_tagstore_page_reserved(first), "it cannot carry tags");
	TEST(mmkit_tagstore_reserve(first - 1, 1, GFP_KERNEL) == -EINVAL,
	     "pages that reach into storage are refused");
	TEST(!taken(), "and nothing was taken for them");
	/* What comes after the region needs nothing. */
	if (is_storage(page_to_pfn(last) + 1) || !pfn_to_online_page(page_to_pfn(last) + 1))
		return;
	err = mmkit_tagstore_reserve(last, 1, GFP_KERNEL);
	TEST(!err && mmkit_tagstore_page_reserved(last),
	     "the last page of a region with one of none");
	TEST(needed() == (long)(block_pages * PAGE_SIZE), "needs one block");
	TEST(mmkit_tagstore_page_reserved(last + 1), "a page of no region needs nothing");
	mmkit_tagstore_free(last, 1);
	drain();
	TEST(!taken() && mmkit_tagstore_page_reserved(last + 1), "nor does it when it is freed");
}

static int run_api(char *args)
{
	unsigned int order;

	drain();
	TEST(!taken(), "at first all is lent");
	for (order = 0; order <= MAX_ORDER_TRIED; order++)
		one_order(order);
	odd_places();
	free_in_irq();
	free_under_lock();
	free_to_allocator();
	freed_and_needed();
	without_sleep();
	in_storage();
	TEST(!taken(), "at last all is lent");
	return 0;
}

/* --- one thing at a time --------------------------------------------------------------------- */

static LIST_HEAD(held);
static unsigned long held_pages;

static int run_release(char *args)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &held, lru) {
		list_del(&page->lru);
		__free_pages(page, MAX_ORDER_TRIED);
	}
	held_pages = 0;
	return 0;
}

static int run_hold(char *args)
{
	unsigned long megabytes;
	struct page *page;
	int err;

	if (kstrtoul(args, 10, &megabytes))
		return -EINVAL;
	while (held_pages < megabytes << (20 - PAGE_SHIFT)) {
		page = get_pages(MAX_ORDER_TRIED);
		if (!page)
			return -ENOMEM;
		err = mmkit_tagstore_reserve(page, MAX_ORDER_TRIED, GFP_KERNEL);
		if (err) {
			__free_pages(page, MAX_ORDER_TRIED);
			return err;
		}
		list_add(&page->lru, &held);
		held_pages += 1UL << MAX_ORDER_TRIED;
	}
	return 0;
}

#define MAX_PINS	4
static struct { unsigned long pfn, nr; } pins[MAX_PINS];
static unsigned int nr_pins;

static int run_unpin(char *args)
{
	while (nr_pins) {
		nr_pins--;
		free_contig_range(pins[nr_pins].pfn, pins[nr_pins].nr);
	}
	return 0;
}

/* Somebody may have hold of a page for a moment. */
static int take(unsigned long first, unsigned long nr, bool in_cma)
{
	int err = -EBUSY, tries;

	for (tries = 0; tries < 50 && err == -EBUSY; tries++) {
		err = mmkit_contig_take(first, first + nr, in_cma);
		if (err)
			msleep(20);
	}
	return err;
}

static int run_move(char *args)
{
	unsigned long first, nr;
	int err;

	if (sscanf(args, "%lu %lu", &first, &nr) != 2 || !nr || first + nr > nr_tagged())
		return -EINVAL;
	first += PHYS_PFN(tagged);
	err = take(first, nr, false);
	if (!err)
		free_contig_range(first, nr);
	return err;
}

static int run_pin(char *args)
{
	unsigned long first, nr;
	int err;

	if (nr_pins == MAX_PINS || sscanf(args, "%lu %lu", &first, &nr) != 2 || !nr ||
	    first + nr > PHYS_PFN(storage_bytes))
		return -EINVAL;
	first += PHYS_PFN(storage);
	err = take(first, nr, cma);
	if (err)
		return err;
	pins[nr_pins].pfn = first;
	pins[nr_pins++].nr = nr;
	return 0;
}

static struct page *which(const char *args, unsigned int *order)
{
	unsigned long first;

	if (sscanf(args, "%lu %u", &first, order) != 2 || *order > MAX_ORDER_TRIED ||
	    first + (1UL << *order) > nr_tagged())
		return NULL;
	return pfn_to_page(PHYS_PFN(tagged) + first);
}

/* Says what it came to, as a positive number. */
static int run_reserve(char *args)
{
	unsigned int order;
	struct page *page = which(args, &order);

	if (!page)
		return -EINVAL;
	say("%d\n", -mmkit_tagstore_reserve(page, order, GFP_KERNEL));
	return 0;
}

static int run_dying(char *args)
{
	unsigned int order;
	struct page *page = which(args, &order);

	if (!page)
		return -EINVAL;
	send_sig(SIGKILL, current, 1);
	TEST(mmkit_tagstore_reserve(page, order, GFP_KERNEL) == -EINTR,
	     "a task that dies gets EINTR");
	return 0;
}

static int run_free(char *args)
{
	unsigned int order;
	struct page *page = which(args, &order);

	if (!page)
		return -EINVAL;
	mmkit_tagstore_free(page, order);
	return 0;
}

/* The manager's own function for tags that are there already. */
static int run_fuse(char *args)
{
	struct kprobe kp = { .symbol_name = "mmkit_ts_late" };
	void (*late)(unsigned long pfn, unsigned long nr);
	int err = register_kprobe(&kp);

	if (err)
		return err;
	late = (void *)kp.addr;
	unregister_kprobe(&kp);
	late(PHYS_PFN(storage), 1);
	return 0;
}

TEST_COMMANDS({ "api", run_api },
	      { "hold", run_hold },
	      { "release", run_release },
	      { "move", run_move },
	      { "pin", run_pin },
	      { "unpin", run_unpin },
	      { "reserve", run_reserve },
	      { "dying", run_dying },
	      { "free", run_free },
	      { "fuse", run_fuse });

static int __init test_init(void)
{
	return storage && storage_bytes && block_pages ? 0 : -EINVAL;
}
module_init(test_init);

static void __exit test_exit(void)
{
	run_release(NULL);
	run_unpin(NULL);
}
module_exit(test_exit);
