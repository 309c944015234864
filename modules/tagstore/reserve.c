// SPDX-License-Identifier: GPL-2.0-only
/*
 * Storage is taken before pages carry tags.
 *
 * Two steps. First all blocks that the pages need are held; those that are lent
 * are taken from the page allocator, which migrates away what lies in them. That
 * can fail, and then the holds are dropped and nothing else has changed. When all
 * are held each page is marked, which cannot fail, and the holds are dropped: from
 * here on the marks count.
 *
 * alloc_contig_range() waits for the locks of folios, so nobody may come here to
 * sleep with such a lock.
 *
 * A page there that cannot be migrated now may well be one that a fault has locked
 * while it waits for memory, until the kernel has killed somebody for it. So whoever
 * has nothing else to try waits, longer each time, and holds nothing meanwhile.
 */
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/stacktrace.h>

#include "maintain.h"
#include "tagstore.h"

/* Pages of [@pfn, @end) that lie in one region, or in none. */
static unsigned long part_of(unsigned long pfn, unsigned long end, struct ts_region **region)
{
	unsigned long len = end - pfn;
	unsigned int i;

	*region = mmkit_ts_region_of(pfn);
	if (*region)
		return min(len, (*region)->blocks.tagged + (*region)->blocks.nr_tagged - pfn);
	for (i = 0; i < mmkit_ts_nr_regions; i++) {
		if (mmkit_ts_regions[i].blocks.tagged - pfn < len)
			len = mmkit_ts_regions[i].blocks.tagged - pfn;
	}
	return len;
}

/* Each part of [@pfn, @pfn + @nr) that lies in a region. */
#define for_each_part(region, at, len, pfn, nr)						\
	for ((at) = (pfn); (at) < (pfn) + (nr) &&					\
	     ((len) = part_of(at, (pfn) + (nr), &(region))); (at) += (len))		\
		if (region)

static unsigned long in_use(unsigned long pfn, unsigned long end)
{
	unsigned long used = 0;

	for (; pfn < end; pfn++)
		used += !!page_count(pfn_to_page(pfn));
	return used;
}

static void count_latency(ktime_t since)
{
	u64 us = ktime_us_delta(ktime_get(), since);

	atomic_long_inc(&mmkit_ts_latency[min_t(unsigned int, us ? ilog2(us) + 1 : 0,
						TS_LATENCY_BUCKETS - 1)]);
}

int mmkit_ts_take(struct ts_region *region, unsigned long block, unsigned long nr,
		  unsigned int tries)
{
	struct ts_blocks *b = &region->blocks;
	unsigned long start = ts_block_storage(b, block), pages = nr * b->block_pages;
	unsigned long i, used;
	int err;

	lockdep_assert_held(&region->lock);
	for (;;) {
		used = in_use(start, start + pages);
		err = mmkit_contig_take(start, start + pages, region->cma);
		mmkit_ts_count(TS_STAT_TAKES, 1);
		if (err != -EBUSY || !--tries)
			break;
		if (fatal_signal_pending(current))
			return -EINTR;
		mmkit_ts_count(TS_STAT_RETRIES, 1);
		schedule_timeout_killable(1);
	}
	if (err)
		return err;
	/* Whatever was written to the storage must not come out of a cache over tags. */
	mmkit_ts_clean_data(start, pages);
	for (i = 0; i < nr; i++)
		ts_block_take(b, block + i);
	WRITE_ONCE(region->taken, region->taken + pages);
	mmkit_ts_count(TS_STAT_TAKEN_BLOCKS, nr);
	mmkit_ts_count(TS_STAT_DISPLACED, used);
	return 0;
}

/*
 * Data in storage has no place to go, and the kernel kills nobody for pages to migrate to.
 * For these it does. A huge page that finds no place as one, nor the pages to be split into,
 * is said to be busy.
 */
static void make_place(void)
{
	LIST_HEAD(pages);
	struct page *page, *next;
	unsigned int nr;

	for (nr = 0; nr < TS_PLACE_PAGES; nr++) {
		page = alloc_page(GFP_HIGHUSER_MOVABLE | __GFP_NOWARN);
		if (!page)
			break;
		list_add(&page->lru, &pages);
	}
	list_for_each_entry_safe(page, next, &pages, lru)
		__free_page(page);
}

/* After @err: is there another try after the @try tries that were? Then it is time for it. */
static bool again(int *err, unsigned int try, unsigned int tries)
{
	if (try >= tries || (*err != -EBUSY && *err != -ENOMEM))
		return false;
	if (fatal_signal_pending(current)) {
		*err = -EINTR;
		return false;
	}
	make_place();
	mmkit_ts_count(TS_STAT_RETRIES, 1);
	schedule_timeout_killable(1UL << (try - 1));
	return true;
}

/* Holds @block, and takes it and those behind it, up to @last, that are lent. */
static int take_and_hold(struct ts_region *region, unsigned long block, unsigned long last)
{
	struct ts_blocks *b = &region->blocks;
	ktime_t since = ktime_get();
	unsigned long run = 0;
	int err = 0;

	if (mutex_lock_killable(&region->lock))
		return -EINTR;
	while (block + run <= last && !READ_ONCE(b->users[block + run]))
		run++;
	if (run)
		err = mmkit_ts_take(region, block, run, TS_ONCE);
	if (!err)
		ts_block_hold(b, block);
	mutex_unlock(&region->lock);
	/* Those behind it are not held yet: without a user they are idle. */
	while (!err && run-- > 1)
		mmkit_ts_idle(region, block + run);
	count_latency(since);
	return err;
}

static void drop_blocks(struct ts_region *region, unsigned long block, unsigned long end)
{
	for (; block < end; block++) {
		if (ts_block_drop(&region->blocks, block))
			mmkit_ts_idle(region, block);
	}
}

static int hold_blocks(struct ts_region *region, unsigned long pfn, unsigned long nr, bool sleep)
{
	struct ts_blocks *b = &region->blocks;
	unsigned long first = ts_block_of(b, pfn);
	unsigned long last = ts_block_of(b, pfn + nr - 1), block;
	int err;

	for (block = first; block <= last; block++) {
		if (ts_block_hold(b, block))
			continue;
		err = sleep ? take_and_hold(region, block, last) : -EAGAIN;
		if (err) {
			drop_blocks(region, first, block);
			return err;
		}
	}
	return 0;
}

static void unhold_blocks(struct ts_region *region, unsigned long pfn, unsigned long nr)
{
	struct ts_blocks *b = &region->blocks;

	drop_blocks(region, ts_block_of(b, pfn), ts_block_of(b, pfn + nr - 1) + 1);
}

bool mmkit_ts_reserved(unsigned long pfn)
{
	struct ts_region *region = mmkit_ts_region_of(pfn);

	if (!region)
		return !mmkit_ts_is_storage(pfn);
	return ts_page_state(&region->blocks, pfn) == TS_RESERVED;
}

static int try_to_reserve(unsigned long pfn, unsigned long nr, bool sleep)
{
	struct ts_region *region;
	unsigned long at, len, held = pfn, i;
	int err = 0;

	for_each_part(region, at, len, pfn, nr) {
		err = hold_blocks(region, at, len, sleep);
		if (err)
			break;
		held = at + len;
	}
	if (!err) {
		mmkit_ts_used();
		for_each_part(region, at, len, pfn, nr) {
			for (i = 0; i < len; i++)
				ts_page_reserve(&region->blocks, at + i);
		}
	}
	for_each_part(region, at, len, pfn, held - pfn)
		unhold_blocks(region, at, len);
	return err;
}

int mmkit_ts_reserve(unsigned long pfn, unsigned long nr, unsigned int tries)
{
	unsigned int try = 0;
	int err;

	if (mmkit_ts_lies_in_storage(pfn, nr))
		return -EINVAL;
	do	/* With a blown fuse only what is taken already can be trusted. */
		err = try_to_reserve(pfn, nr, tries && !mmkit_fuse_blown(&mmkit_ts_component));
	while (again(&err, ++try, tries));
	if (!err)
		mmkit_ts_count(TS_STAT_RESERVES, 1);
	else if (tries)
		mmkit_ts_count(TS_STAT_RESERVE_FAILURES, 1);
	return tries && err == -EAGAIN ? -EIO : err;
}

bool mmkit_ts_hold(unsigned long pfn)
{
	struct ts_region *region = mmkit_ts_region_of(pfn);

	if (!region)
		return !mmkit_ts_is_storage(pfn);
	return ts_block_hold(&region->blocks, ts_block_of(&region->blocks, pfn));
}

void mmkit_ts_unhold(unsigned long pfn, bool tagged)
{
	struct ts_region *region = mmkit_ts_region_of(pfn);

	if (!region)
		return;
	if (tagged) {
		mmkit_ts_used();
		ts_page_reserve(&region->blocks, pfn);
	}
	unhold_blocks(region, pfn, 1);
}

/* For all that is freed: most of it carries no tags. */
void mmkit_ts_free(unsigned long pfn, unsigned long nr)
{
	struct ts_region *region;
	unsigned long end = pfn + nr;

	for (; pfn < end; pfn++) {
		region = mmkit_ts_region_of(pfn);
		if (region && ts_page_state(&region->blocks, pfn) != TS_FREE &&
		    ts_page_free(&region->blocks, pfn))
			mmkit_ts_freed_in(region, ts_block_of(&region->blocks, pfn));
	}
}

/* Whoever did that knows a way that none of the hooks does. */
static void report_in_storage(unsigned long pfn)
{
	static unsigned long reported;
	unsigned long entries[12];
	unsigned int n;

	if (test_and_set_bit(0, &reported))
		return;
	n = stack_trace_save(entries, ARRAY_SIZE(entries), 1);
	pr_err("page %#lx, in tag storage, is tagged by %s:\n", pfn, current->comm);
	stack_trace_print(entries, n, 1);
}

void mmkit_ts_late(unsigned long pfn, unsigned long nr)
{
	struct ts_region *region;
	unsigned long at, len, i;

	if (mmkit_ts_lies_in_storage(pfn, nr)) {
		mmkit_ts_used();
		mmkit_ts_count(TS_STAT_IN_STORAGE, 1);
		report_in_storage(pfn);
		mmkit_fuse_blow(&mmkit_ts_component, "a page in tag storage carries tags");
	}
	for_each_part(region, at, len, pfn, nr) {
		for (i = 0; i < len; i++) {
			if (!ts_page_late(&region->blocks, at + i))
				continue;
			mmkit_ts_count(TS_STAT_LATE, 1);
			mmkit_ts_freed_in(region, ts_block_of(&region->blocks, at + i));
		}
	}
}

static int try_to_evacuate(struct ts_region *region, unsigned long pfn, unsigned long nr)
{
	unsigned long lent = 0;
	unsigned int flags;
	int err = 0;

	if (mutex_lock_killable(&region->lock))
		return -EINTR;
	/* When a block has been taken meanwhile nobody's data is in it any more. */
	while (lent < nr &&
	       !READ_ONCE(region->blocks.users[ts_storage_block(&region->blocks, pfn + lent)]))
		lent++;
	if (lent) {
		flags = memalloc_pin_save();
		err = mmkit_contig_take(pfn, pfn + lent, region->cma);
		memalloc_pin_restore(flags);
		if (!err) {
			free_contig_range(pfn, lent);
			mmkit_ts_count(TS_STAT_EVACUATIONS, lent);
		}
	}
	mutex_unlock(&region->lock);
	return err;
}

/* Pages are taken and given back: what was in them lies elsewhere, outside all storage. */
int mmkit_ts_evacuate(unsigned long pfn, unsigned long nr, unsigned int tries)
{
	struct ts_region *region = NULL;
	unsigned int i, try = 0;
	int err;

	for (i = 0; i < mmkit_ts_nr_regions; i++) {
		if (ts_is_storage(&mmkit_ts_regions[i].blocks, pfn))
			region = &mmkit_ts_regions[i];
	}
	if (!region)
		return 0;
	do
		err = try_to_evacuate(region, pfn, nr);
	while (again(&err, ++try, tries));
	return err;
}

int mmkit_tagstore_reserve(struct page *page, unsigned int order, gfp_t gfp)
{
	if (mmkit_fuse_blown(&mmkit_ts_component))
		return -EIO;
	return mmkit_ts_reserve(page_to_pfn(page), 1UL << order,
				gfpflags_allow_blocking(gfp) ? TS_PATIENT : TS_NOW);
}
MMKIT_EXPORT(mmkit_tagstore_reserve);

void mmkit_tagstore_free(struct page *page, unsigned int order)
{
	mmkit_ts_free(page_to_pfn(page), 1UL << order);
}
MMKIT_EXPORT(mmkit_tagstore_free);

bool mmkit_tagstore_page_reserved(struct page *page)
{
	return mmkit_ts_reserved(page_to_pfn(page));
}
MMKIT_EXPORT(mmkit_tagstore_page_reserved);
