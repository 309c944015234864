// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way back: pages that were freed leave their blocks, and blocks that nobody
 * needs are lent again.
 *
 * A page is freed in any context, under any lock. The event marks it and its block
 * and, once a round, raises an interrupt that starts the worker after linger_ms.
 * Each round first lends what was idle when the last one ended, then settles what
 * has been freed since: a block that is needed again soon stays taken.
 */
#include <linux/irq_work.h>
#include <linux/module.h>
#include <linux/workqueue.h>

#include "maintain.h"
#include "tagstore.h"

unsigned int mmkit_ts_linger_ms = 1000;

static struct workqueue_struct *wq;
static bool kicked;
static bool closing;	/* no new round */
static bool keeping = true;	/* nothing is lent: not yet, or not any more */

static void settle_work_fn(struct work_struct *work);
static DECLARE_DELAYED_WORK(settle_work, settle_work_fn);

static void wake_fn(struct irq_work *work)
{
	if (!READ_ONCE(closing))
		queue_delayed_work(wq, &settle_work,
				   msecs_to_jiffies(mmkit_ts_linger_ms));
}

static DEFINE_IRQ_WORK(wake, wake_fn);

static void kick(void)
{
	/* Pairs with settle_work_fn(): a round that has begun sees the bit, or we start one. */
	smp_mb__after_atomic();
	if (!READ_ONCE(kicked) && !xchg(&kicked, true))
		irq_work_queue(&wake);
}

void mmkit_ts_freed_in(struct ts_region *region, unsigned long block)
{
	if (!test_bit(block, region->pending))
		set_bit(block, region->pending);
	kick();
}

void mmkit_ts_idle(struct ts_region *region, unsigned long block)
{
	set_bit(block, region->idle);
	kick();
}

/* --- blocks that nobody needs -------------------------------------------------- */

static void lend_run(struct ts_region *region, unsigned long block, unsigned long nr)
{
	struct ts_blocks *b = &region->blocks;
	unsigned long pages = nr * b->block_pages;

	/* Nobody can take them: whatever the caches hold of their tags must not come out later. */
	mmkit_ts_clean_tags(ts_block_tagged(b, block), nr * ts_block_tagged_pages(b));
	free_contig_range(ts_block_storage(b, block), pages);
	WRITE_ONCE(region->taken, region->taken - pages);
	mmkit_ts_count(TS_STAT_LENT_BLOCKS, nr);
}

static void lend_idle(struct ts_region *region)
{
	struct ts_blocks *b = &region->blocks;
	unsigned long nr_blocks = ts_nr_blocks(b), block, run = 0;

	if (mmkit_fuse_blown(&mmkit_ts_component) || READ_ONCE(keeping))
		return;
	mutex_lock(&region->lock);
	for_each_set_bit(block, region->idle, nr_blocks) {
		clear_bit(block, region->idle);
		if (!ts_block_lend(b, block))
			continue;
		run = 1;
		while (block + run < nr_blocks && test_and_clear_bit(block + run, region->idle) &&
		       ts_block_lend(b, block + run))
			run++;
		lend_run(region, block, run);
		cond_resched_tasks_rcu_qs();
	}
	mutex_unlock(&region->lock);
}

/* --- pages that were freed ------------------------------------------------------- */

/* Room for pages of a block that carry tags already. */
static int take_late(struct ts_region *region, unsigned long block)
{
	struct ts_blocks *b = &region->blocks;
	unsigned long pfn = ts_block_tagged(b, block);
	unsigned long end = pfn + ts_block_tagged_pages(b);
	int err = 0;

	mutex_lock(&region->lock);
	if (!READ_ONCE(b->users[block]))
		err = mmkit_ts_take(region, block, 1, TS_SOON);
	if (!err)
		ts_block_hold(b, block);
	mutex_unlock(&region->lock);
	if (err)
		return err;
	mmkit_ts_used();
	for (; pfn < end; pfn++)
		ts_page_catch_up(b, pfn);
	if (ts_block_drop(b, block))
		mmkit_ts_idle(region, block);
	return 0;
}

static void settle_block(struct ts_region *region, unsigned long block)
{
	struct ts_blocks *b = &region->blocks;
	unsigned long pfn = ts_block_tagged(b, block);
	unsigned long end = pfn + ts_block_tagged_pages(b);
	bool late = false;

	for (; pfn < end; pfn++) {
		if (ts_page_settle(b, pfn))
			mmkit_ts_idle(region, block);
		late |= ts_page_state(b, pfn) == TS_LATE;
	}
	if (!late)
		return;
	/* Tags without room: make some, for what is still so. */
	if (take_late(region, block)) {
		mmkit_ts_count(TS_STAT_LATE_LOST, 1);
		mmkit_ts_freed_in(region, block);
	}
}

/* One at a time, so that who wants all settled waits for what another is about to settle. */
static DEFINE_MUTEX(settling);

static void settle_pending(struct ts_region *region)
{
	unsigned long nr_blocks = ts_nr_blocks(&region->blocks), block;

	mutex_lock(&settling);
	for_each_set_bit(block, region->pending, nr_blocks) {
		clear_bit(block, region->pending);
		/*
		 * Pairs with the exchange that freed a page, which mmkit_ts_freed_in()
		 * follows: we see that page, or the bit is set again.
		 */
		smp_mb__after_atomic();
		settle_block(region, block);
		cond_resched_tasks_rcu_qs();
	}
	mutex_unlock(&settling);
}

static void settle_work_fn(struct work_struct *work)
{
	unsigned int i;

	WRITE_ONCE(kicked, false);
	/* Pairs with kick(): whoever does not start a new round is seen in this one. */
	smp_mb();
	for (i = 0; i < mmkit_ts_nr_regions; i++) {
		lend_idle(&mmkit_ts_regions[i]);
		settle_pending(&mmkit_ts_regions[i]);
	}
	mmkit_ts_perhaps_unused();
}

/* What is lent of [@block, @end): as a whole, or else block by block. Returns pages not had. */
static unsigned long take_blocks(struct ts_region *region, unsigned long block, unsigned long end)
{
	struct ts_blocks *b = &region->blocks;
	unsigned long run, lost = 0;

	mutex_lock(&region->lock);
	for (; block < end; block += run ?: 1) {
		for (run = 0; block + run < end && !READ_ONCE(b->users[block + run]); run++)
			;
		if (!run || !mmkit_ts_take(region, block, run, run > 1 ? TS_ONCE : TS_SOON))
			continue;
		if (run > 1 && mmkit_ts_take(region, block, 1, TS_SOON))
			lost += b->block_pages;
		else if (run == 1)
			lost += b->block_pages;
		run = 1;
	}
	mutex_unlock(&region->lock);
	return lost;
}

/* A step at a time: whoever faults meanwhile wants the lock, too. */
unsigned long mmkit_ts_take_all(void)
{
	unsigned long block, nr, step, lost = 0;
	unsigned int i;

	WRITE_ONCE(keeping, true);
	for (i = 0; i < mmkit_ts_nr_regions; i++) {
		nr = ts_nr_blocks(&mmkit_ts_regions[i].blocks);
		step = max(pageblock_nr_pages / mmkit_ts_regions[i].blocks.block_pages, 1UL);
		for (block = 0; block < nr; block += step) {
			lost += take_blocks(&mmkit_ts_regions[i], block, min(block + step, nr));
			cond_resched_tasks_rcu_qs();
		}
	}
	return lost;
}

static unsigned long not_taken;

static void take_fn(struct work_struct *work)
{
	not_taken = mmkit_ts_take_all();
}

static DECLARE_WORK(take_work, take_fn);

/* A worker hears no signals. */
unsigned long mmkit_ts_take_all_unkillable(void)
{
	queue_work(wq, &take_work);
	flush_work(&take_work);
	return not_taken;
}

void mmkit_ts_settle_all(void)
{
	unsigned int i;

	for (i = 0; i < mmkit_ts_nr_regions; i++) {
		settle_pending(&mmkit_ts_regions[i]);
		lend_idle(&mmkit_ts_regions[i]);
	}
	mmkit_ts_perhaps_unused();
}

/* --- storage that outlives the module ---------------------------------------------- */

/* In page->private of storage that is kept while the module is not there. */
#define TS_KEPT	0x6d6d6b69742d7473UL

static void mark_kept(struct ts_region *region)
{
	struct ts_blocks *b = &region->blocks;
	unsigned long block, i;

	for (block = 0; block < ts_nr_blocks(b); block++) {
		for (i = 0; b->users[block] && i < b->block_pages; i++)
			set_page_private(pfn_to_page(ts_block_storage(b, block) + i), TS_KEPT);
	}
}

void mmkit_ts_leave_kept(void)
{
	unsigned int i;

	for (i = 0; i < mmkit_ts_nr_regions; i++)
		mark_kept(&mmkit_ts_regions[i]);
}

static bool page_kept(unsigned long pfn)
{
	struct page *page = pfn_to_page(pfn);

	return page_private(page) == TS_KEPT && page_count(page) == 1 && !PageLRU(page) &&
	       !page->mapping;
}

static bool block_kept(const struct ts_blocks *b, unsigned long block)
{
	unsigned long i;

	for (i = 0; i < b->block_pages; i++) {
		if (!page_kept(ts_block_storage(b, block) + i))
			return false;
	}
	return true;
}

/*
 * What the last unload kept is taken already. Tags of programs that run may be in it, so
 * it is not idle before those have been found.
 */
bool mmkit_ts_find_kept(void)
{
	unsigned long block, j;
	bool found = false;
	unsigned int i;

	for (i = 0; i < mmkit_ts_nr_regions; i++) {
		struct ts_region *region = &mmkit_ts_regions[i];
		struct ts_blocks *b = &region->blocks;

		for (block = 0; block < ts_nr_blocks(b); block++) {
			if (!block_kept(b, block))
				continue;
			for (j = 0; j < b->block_pages; j++)
				set_page_private(pfn_to_page(ts_block_storage(b, block) + j), 0);
			ts_block_take(b, block);
			region->taken += b->block_pages;
			found = true;
		}
	}
	return found;
}

void mmkit_ts_start_lending(void)
{
	unsigned long block;
	unsigned int i;

	WRITE_ONCE(keeping, false);
	for (i = 0; i < mmkit_ts_nr_regions; i++) {
		struct ts_region *region = &mmkit_ts_regions[i];

		for (block = 0; block < ts_nr_blocks(&region->blocks); block++) {
			if (READ_ONCE(region->blocks.users[block]) == 1)
				mmkit_ts_idle(region, block);
		}
	}
}

/* Nothing counts any more: whatever is taken goes back. */
void mmkit_ts_lend_all(void)
{
	unsigned long block, run;
	unsigned int i;

	for (i = 0; i < mmkit_ts_nr_regions; i++) {
		struct ts_region *region = &mmkit_ts_regions[i];
		struct ts_blocks *b = &region->blocks;

		for (block = 0; block < ts_nr_blocks(b); block += run ?: 1) {
			for (run = 0; block + run < ts_nr_blocks(b) && b->users[block + run]; run++)
				b->users[block + run] = 0;
			if (run)
				lend_run(region, block, run);
			cond_resched_tasks_rcu_qs();
		}
	}
}

void mmkit_ts_queue(struct work_struct *work)
{
	if (!READ_ONCE(closing))
		queue_work(wq, work);
}

int mmkit_ts_settle_init(void)
{
	wq = alloc_workqueue("mmkit_tagstore", WQ_UNBOUND, 0);
	return wq ? 0 : -ENOMEM;
}

/* No event comes any more. */
void mmkit_ts_settle_exit(void)
{
	WRITE_ONCE(closing, true);
	irq_work_sync(&wake);
	cancel_delayed_work_sync(&settle_work);
	destroy_workqueue(wq);
}
