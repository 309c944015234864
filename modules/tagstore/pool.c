// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that may carry tags, ready to be used: a pool for each node.
 *
 * Taking storage from the page allocator costs about as much for many blocks as
 * for one. So a chunk of 2^PMD_ORDER pages is allocated outside all storage, the
 * storage for its tags is taken in one call, and its pages are handed out one by
 * one. Tagged pages lie close together then, which leaves more storage to lend.
 *
 * The pages belong to us while they wait here. They are linked through their lru.
 */
#include <linux/gfp.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "tagstore.h"

/* From the most, 6 doublings (CONFIG_PCP_BATCH_SCALE_MAX), by way of 3 and 1 to none. */
#define TS_PAGES_BACK	3

struct ts_pool {
	spinlock_t lock;		/* the pages, and how many there are */
	struct list_head pages;
	unsigned long nr;
	struct mutex refill;		/* one fills it at a time */
	bool wanted;
};

unsigned int mmkit_ts_pool_pages = 1U << (PMD_SHIFT - PAGE_SHIFT);

static struct ts_pool *pools;
static struct shrinker *shrinker;

/* --- pages outside storage ---------------------------------------------------- */

/*
 * Not as movable memory: what waits in a pool lies on no list, so it could not leave an
 * area of the contiguous allocator, or memory that goes offline. Only where there is no
 * other memory it is asked for as movable, and what lies in storage is put aside.
 */
static struct page *alloc_outside(int nid, gfp_t gfp, unsigned int order)
{
	struct page *page, *inside[TS_OTHER_PAGES];
	unsigned int nr = 0;

	page = alloc_pages_node(nid, gfp, order);
	while (!page || mmkit_ts_lies_in_storage(page_to_pfn(page), 1UL << order)) {
		if (page)
			inside[nr++] = page;
		page = nr < TS_OTHER_PAGES ?
		       alloc_pages_node(nid, gfp | __GFP_MOVABLE, order) : NULL;
		if (!page)
			break;
	}
	while (nr)
		__free_pages(inside[--nr], order);
	return page;
}

/* --- the pool ------------------------------------------------------------------- */

static struct page *pool_pop(struct ts_pool *pool)
{
	struct page *page;
	unsigned long flags;

	spin_lock_irqsave(&pool->lock, flags);
	page = list_first_entry_or_null(&pool->pages, struct page, lru);
	if (page) {
		list_del(&page->lru);
		WRITE_ONCE(pool->nr, pool->nr - 1);
	}
	spin_unlock_irqrestore(&pool->lock, flags);
	return page;
}

static void pool_add(struct ts_pool *pool, struct page *page, unsigned int order)
{
	unsigned long flags, i;

	split_page(page, order);
	spin_lock_irqsave(&pool->lock, flags);
	for (i = 0; i < 1UL << order; i++)
		list_add_tail(&page[i].lru, &pool->pages);
	WRITE_ONCE(pool->nr, pool->nr + (1UL << order));
	spin_unlock_irqrestore(&pool->lock, flags);
	mmkit_ts_count(TS_STAT_POOL_CHUNKS, 1);
}

/*
 * Since 6.7 the page allocator fetches twice as many pages for its list of a CPU each time
 * that it finds the list empty, thousands in the end, and alloc_contig_range() empties it.
 * Each page that is given back halves the doublings. These are of the kind that page
 * tables are, which is what is allocated between two chunks; movable ones cost more.
 */
static void fetch_less(int nid)
{
	struct page *page;
	unsigned int i;

	for (i = 0; i < TS_PAGES_BACK; i++) {
		page = alloc_pages_node(nid, GFP_NOWAIT | __GFP_NOWARN, 0);
		if (page)
			__free_page(page);
	}
}

/*
 * A chunk that can be reserved. Those that cannot are kept until another was found, and for a
 * single page the last of them is worth waiting for.
 */
static int pool_add_chunk(struct ts_pool *pool, int nid, unsigned int order)
{
	gfp_t gfp = GFP_HIGHUSER | __GFP_NOWARN | (order ? __GFP_NORETRY : 0);
	struct page *page, *bad[TS_OTHER_PAGES];
	unsigned int nr = 0;
	int err;

	fetch_less(nid);
	do {
		page = alloc_outside(nid, gfp, order);
		if (!page) {
			err = -ENOMEM;
			break;
		}
		err = mmkit_ts_reserve(page_to_pfn(page), 1UL << order,
				       order ? TS_ONCE : mmkit_ts_patience(nr));
		if (!err)
			pool_add(pool, page, order);
		else
			bad[nr++] = page;
	} while (err && err != -EINTR && nr < TS_OTHER_PAGES);
	while (nr)
		__free_pages(bad[--nr], order);
	return err;
}

static int pool_refill(struct ts_pool *pool, int nid)
{
	int order, err = -ENOMEM;

	if (mutex_lock_killable(&pool->refill))
		return -EINTR;
	/* Somebody else may have filled it meanwhile. */
	for (order = PMD_SHIFT - PAGE_SHIFT; order >= 0 && !READ_ONCE(pool->nr);
	     order = order ? max(order - 3, 0) : -1) {
		if (order && 1U << order > mmkit_ts_pool_pages)
			continue;
		err = pool_add_chunk(pool, nid, order);
		if (err == -EINTR)
			break;
	}
	mutex_unlock(&pool->refill);
	return READ_ONCE(pool->nr) ? 0 : err;
}

/* For those who found a pool empty and could not wait. */
static void refill_fn(struct work_struct *work)
{
	int nid;

	for_each_online_node(nid) {
		if (xchg(&pools[nid].wanted, false))
			pool_refill(&pools[nid], nid);
	}
	/* Whoever asked may be gone, and what waits here is no reason to stay. */
	mmkit_ts_perhaps_unused();
}

static DECLARE_WORK(refill_work, refill_fn);

static int pool_ask(struct ts_pool *pool)
{
	WRITE_ONCE(pool->wanted, true);
	mmkit_ts_queue(&refill_work);
	return -EAGAIN;
}

struct page *mmkit_ts_pool_ready(int nid)
{
	struct page *page;

	/* One with a memory error is freed, which means that the kernel puts it aside. */
	while ((page = pool_pop(&pools[nid])) && unlikely(PageHWPoison(page)))
		__free_page(page);
	if (page) {
		mmkit_ts_used();
		mmkit_ts_count(TS_STAT_POOL_HITS, 1);
	}
	return page;
}

struct page *mmkit_ts_pool_get(int nid, bool sleep, int *err)
{
	struct page *page;

	*err = 0;
	while (!(page = mmkit_ts_pool_ready(nid))) {
		mmkit_ts_count(TS_STAT_POOL_EMPTY, 1);
		*err = sleep ? pool_refill(&pools[nid], nid) : pool_ask(&pools[nid]);
		if (*err)
			return NULL;
	}
	return page;
}

/* The pool of a node that has gone can hold pages of others. */
unsigned long mmkit_ts_pool_drain(unsigned long pages)
{
	unsigned long freed = 0;
	struct page *page;
	int nid;

	for_each_node(nid) {
		while (freed < pages && (page = pool_pop(&pools[nid]))) {
			__free_page(page);
			freed++;
		}
	}
	return freed;
}

unsigned long mmkit_ts_pool_count(void)
{
	unsigned long nr = 0;
	int nid;

	for_each_node(nid)
		nr += READ_ONCE(pools[nid].nr);
	return nr;
}

/* --- memory that the system needs more urgently ------------------------------------- */

static unsigned long shrink_count(struct shrinker *unused, struct shrink_control *sc)
{
	return mmkit_ts_pool_count() ?: SHRINK_EMPTY;
}

static unsigned long shrink_scan(struct shrinker *unused, struct shrink_control *sc)
{
	return mmkit_ts_pool_drain(sc->nr_to_scan) ?: SHRINK_STOP;
}

int mmkit_ts_pool_init(void)
{
	int nid, err;

	pools = kcalloc(nr_node_ids, sizeof(*pools), GFP_KERNEL);
	if (!pools)
		return -ENOMEM;
	for (nid = 0; nid < nr_node_ids; nid++) {
		spin_lock_init(&pools[nid].lock);
		INIT_LIST_HEAD(&pools[nid].pages);
		mutex_init(&pools[nid].refill);
	}
	shrinker = mmkit_shrinker_alloc(0, "mmkit-tagstore");
	if (!shrinker) {
		err = -ENOMEM;
		goto err_pools;
	}
	shrinker->count_objects = shrink_count;
	shrinker->scan_objects = shrink_scan;
	shrinker->seeks = DEFAULT_SEEKS;
	err = mmkit_shrinker_register(shrinker, "mmkit-tagstore");
	if (err)
		goto err_shrinker;
	return 0;

err_shrinker:
	mmkit_shrinker_free(shrinker);
err_pools:
	kfree(pools);
	pools = NULL;
	return err;
}

void mmkit_ts_pool_exit(void)
{
	cancel_work_sync(&refill_work);
	mmkit_shrinker_free(shrinker);
	mmkit_ts_pool_drain(ULONG_MAX);
	kfree(pools);
	pools = NULL;
}
