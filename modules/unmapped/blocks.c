// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks: memory of the page allocator that leaves the direct map, and returns.
 *
 * How it works. A block is PMD_SIZE, aligned, if such memory can be had: free, or
 * made by compaction. Otherwise it is as large as what is free, down to the request
 * that needs it. A candidate that leaves the entries of
 * the direct map as they are is preferred.
 *
 * What is borrowed of struct page, for the time the pages are ours: each page has
 * a reference count of 1 (split_page()) and carries PageOffline. Memory hotplug
 * then fails cleanly while a page is out, and readers of /proc/kcore, dumps and
 * hibernation leave the pages alone.
 *
 * An index finds the block of a page. It is read under RCU, because a free can come
 * from any context.
 */
#include <linux/bitmap.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/module.h>
#include <linux/page-flags.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include <mmkit/page_events.h>

#include "unmapped.h"

#define CANDIDATES	4

static DEFINE_XARRAY(blocks);

/*
 * A shortcut to the blocks that were taken last, a slot for each of as many
 * neighbours. What is in here is in the index, too, and leaves before it.
 */
struct um_block *mmkit_um_recent[UM_RECENT];

static void recent_add(struct um_block *block)
{
	WRITE_ONCE(mmkit_um_recent[um_recent_slot(block->pfn)], block);
}

static void recent_del(struct um_block *block)
{
	cmpxchg(&mmkit_um_recent[um_recent_slot(block->pfn)], block, NULL);
}

struct um_block *mmkit_um_block_look_up(unsigned long pfn)
{
	return xa_load(&blocks, pfn);
}

/*
 * The next block from @pfn on that has something to do for the worker, which is the
 * only one that retires blocks; @pfn is moved behind it.
 */
struct um_block *mmkit_um_block_next(unsigned long *pfn)
{
	struct um_block *block;
	bool busy = false;

	do {
		rcu_read_lock();
		block = xa_find(&blocks, pfn, ULONG_MAX, XA_PRESENT);
		if (block) {
			/* One that is not published yet can go; only look at it in here. */
			busy = !READ_ONCE(block->leaving) &&
			       (READ_ONCE(block->nr_dirty) || READ_ONCE(block->held));
			*pfn = block->pfn + um_block_pages(block);
		}
		rcu_read_unlock();
	} while (block && !busy);
	return block;
}

/* --- memory of the page allocator ---------------------------------------- */

/* What of the caller's flags says how hard to try. */
#define GFP_EFFORT	(__GFP_RECLAIM | __GFP_IO | __GFP_FS | __GFP_HIGH | __GFP_RETRY_MAYFAIL | \
			 __GFP_NORETRY | __GFP_HARDWALL | __GFP_THISNODE)

/* Is there so much free memory that a block leaves the node above its high watermarks? */
bool mmkit_um_node_has_room(int nid)
{
	unsigned long free = 0, want = UM_BLOCK_PAGES;
	struct zone *zone;
	int i;

	for (i = 0; i <= ZONE_NORMAL; i++) {
		zone = &NODE_DATA(nid)->node_zones[i];
		if (!populated_zone(zone))
			continue;
		free += zone_page_state(zone, NR_FREE_PAGES);
		want += high_wmark_pages(zone);
	}
	return free >= want;
}

/*
 * Of several candidates one that can leave the direct map without a split, if there is
 * one. How hard the first is tried for is up to @gfp; the next must be free.
 */
static struct page *pages_get_best(int nid, gfp_t gfp, unsigned int order)
{
	struct page *page[CANDIDATES], *best;
	unsigned int nr, i;

	for (nr = 0; nr < CANDIDATES; nr++) {
		page[nr] = alloc_pages_node(nid, gfp, order);
		if (!page[nr] || mmkit_um_direct_map_suits(page[nr], order))
			break;
		gfp &= ~__GFP_DIRECT_RECLAIM;
	}
	best = nr < CANDIDATES && page[nr] ? page[nr] : nr ? page[0] : NULL;
	for (i = 0; i < nr; i++) {
		if (page[i] != best)
			__free_pages(page[i], order);
	}
	return best;
}

/*
 * At least 2^@order pages, as many as can be had; @order receives how many.
 *
 * Where it makes no difference to the direct map, no more is taken than was asked for
 * unless the node has plenty. Where a small block splits an entry, for good on many
 * kernels, the large one is preferred as long as the page allocator gives it.
 */
static struct page *pages_get(int nid, gfp_t gfp, unsigned int *order)
{
	unsigned int at = UM_BLOCK_ORDER;
	struct page *page = NULL;

	gfp = (gfp & GFP_EFFORT) | __GFP_NOWARN;
	if (!mmkit_um_large_entries() && !mmkit_um_node_has_room(nid))
		at = *order;
	/* Compaction is asked once; more than once where the alternative is a split. */
	if (at == UM_BLOCK_ORDER)
		page = pages_get_best(nid, (gfp & ~__GFP_RETRY_MAYFAIL) | __GFP_NORETRY, at);
	if (!page && mmkit_um_large_entries() && !(gfp & __GFP_NORETRY))
		page = pages_get_best(nid, gfp | __GFP_RETRY_MAYFAIL, at);
	while (!page && at > *order) {
		at--;
		page = pages_get_best(nid, gfp & ~__GFP_RECLAIM, at);
	}
	if (!page)
		page = pages_get_best(nid, gfp, at);
	if (page && at < UM_BLOCK_ORDER)
		um_stat(UM_FALLBACKS);
	*order = at;
	return page;
}

/*
 * Without page_offline_begin(): readers of /proc/kcore hold its counterpart while they
 * copy to user space, and may wait for the mmap_lock under which a page fault comes
 * here. They read memory in a way that survives its absence.
 */
static void pages_set_offline(unsigned long pfn, unsigned long nr, bool offline)
{
	unsigned long i;

	for (i = 0; i < nr; i++) {
		if (offline)
			__SetPageOffline(pfn_to_page(pfn + i));
		else
			__ClearPageOffline(pfn_to_page(pfn + i));
	}
}

/* --- descriptors --------------------------------------------------------- */

/* Bytes of a descriptor: three bits a page, and the buddy allocator's four. */
size_t mmkit_um_block_bytes(unsigned int order)
{
	return sizeof(struct um_block) + sizeof(long) *
	       (3 * BITS_TO_LONGS(1U << order) + um_buddy_map_words(order));
}

static struct um_block *block_new(struct page *page, unsigned int order, gfp_t gfp)
{
	unsigned int bits = BITS_TO_LONGS(1U << order);
	unsigned long *words;
	struct um_block *block;

	block = kzalloc(mmkit_um_block_bytes(order), gfp);
	if (!block)
		return NULL;
	words = (unsigned long *)(block + 1);
	block->dirty = words;
	block->zero = words + bits;
	block->kept = words + 2 * bits;
	um_buddy_init(&block->buddy, order, words + 3 * bits);
	block->node = mmkit_um_nodes[page_to_nid(page)];
	block->pfn = page_to_pfn(page);
	block->leaving = true;
	if (want_init_on_alloc(0))
		bitmap_fill(block->zero, 1U << order);
	return block;
}

static int index_add(struct um_block *block, gfp_t gfp)
{
	return xa_err(xa_store_range(&blocks, block->pfn, block->pfn + um_block_pages(block) - 1,
				     block, gfp));
}

/* Pages that can be given to nobody: they stay as they are, for ever. */
static void quarantine(struct um_block *block)
{
	struct um_node *node = block->node;
	unsigned long flags, nr = um_block_pages(block);

	raw_spin_lock_irqsave(&node->lock, flags);
	node->quarantined += nr;
	raw_spin_unlock_irqrestore(&node->lock, flags);
	um_stat_add(UM_QUARANTINED, nr);
	pr_err("%lu pages at page frame %#lx cannot be mapped again and are lost\n", nr,
	       block->pfn);
}

/* --- getting ------------------------------------------------------------- */

/*
 * A new block for at least 2^@order pages, out of the direct map, and nobody's yet.
 * Returns NULL when there is no memory, or when it cannot be taken out.
 */
struct um_block *mmkit_um_block_get(int nid, gfp_t gfp, unsigned int order)
{
	gfp_t gfp_meta = (gfp & GFP_EFFORT & ~__GFP_THISNODE) | __GFP_NOWARN;
	struct um_block *block;
	struct page *page;
	int err;

	if (!node_online(nid))
		nid = numa_mem_id();
	page = pages_get(nid, gfp, &order);
	if (!page)
		return NULL;
	block = block_new(page, order, gfp_meta);
	if (!block)
		goto err_pages;
	err = index_add(block, gfp_meta);
	if (err)
		goto err_block;

	split_page(page, order);
	pages_set_offline(block->pfn, 1UL << order, true);
	mmkit_page_event_retag(block->pfn, order, mmkit_um_idle_ip);
	err = mmkit_um_direct_map_out(page, order);
	if (err)
		goto err_out;
	um_stat(UM_REFILLS);
	recent_add(block);
	return block;

err_out:
	xa_erase(&blocks, block->pfn);
	if (err == -EFAULT) {
		quarantine(block);
	} else {
		pages_set_offline(block->pfn, 1UL << order, false);
		free_contig_range(block->pfn, 1UL << order);
	}
	kfree_rcu(block, rcu);
	return NULL;
err_block:
	xa_erase(&blocks, block->pfn);
	kfree_rcu(block, rcu);
err_pages:
	__free_pages(page, order);
	return NULL;
}

/* --- giving back --------------------------------------------------------- */

static void scrub_dirty(struct um_block *block)
{
	unsigned int idx;

	if (!block->nr_dirty)
		return;
	for_each_set_bit(idx, block->dirty, um_block_pages(block)) {
		mmkit_um_scrub(pfn_to_page(block->pfn + idx));
		um_stat(UM_SCRUBS);
		cond_resched_tasks_rcu_qs();
	}
	block->nr_dirty = 0;
}

static bool any_poisoned(const struct um_block *block)
{
	unsigned long i;

	for (i = 0; i < um_block_pages(block); i++) {
		if (PageHWPoison(pfn_to_page(block->pfn + i)))
			return true;
	}
	return false;
}

/* A page with a memory error stays out of the direct map, and with us, for ever. */
static void give_back_singly(struct um_block *block)
{
	struct um_node *node = block->node;
	unsigned long i, flags, lost = 0;

	for (i = 0; i < um_block_pages(block); i++) {
		struct page *page = pfn_to_page(block->pfn + i);

		if (PageHWPoison(page)) {
			um_stat(UM_POISONED);
			lost++;
		} else if (mmkit_um_direct_map_back(page, 0)) {
			um_stat(UM_QUARANTINED);
			lost++;
		} else {
			pages_set_offline(block->pfn + i, 1, false);
			__free_page(page);
		}
	}
	raw_spin_lock_irqsave(&node->lock, flags);
	node->quarantined += lost;
	raw_spin_unlock_irqrestore(&node->lock, flags);
}

/* The block is leaving, and all free: to the page allocator, mapped as it was. */
void mmkit_um_block_put(struct um_block *block)
{
	unsigned int order = um_block_order(block);
	struct page *page = pfn_to_page(block->pfn);
	unsigned long pfn = block->pfn;

	recent_del(block);
	xa_erase(&blocks, pfn);
	scrub_dirty(block);
	if (any_poisoned(block)) {
		give_back_singly(block);
	} else if (mmkit_um_direct_map_back(page, order)) {
		mmkit_fuse_blow(&mmkit_um_component,
				"pages cannot be mapped again in the direct map");
		quarantine(block);
	} else {
		pages_set_offline(pfn, 1UL << order, false);
		free_contig_range(pfn, 1UL << order);
	}
	um_stat_add(UM_RELEASED, 1UL << order);
	kfree_rcu(block, rcu);
}

/* All blocks have been given back. */
void mmkit_um_blocks_exit(void)
{
	WARN_ONCE(!xa_empty(&blocks), "mmkit: unmapped: blocks are left behind\n");
	xa_destroy(&blocks);
}
