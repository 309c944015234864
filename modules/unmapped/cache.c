// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cache: pages out of blocks, and back.
 *
 * How it works. A block is memory that left the direct map together; its
 * descriptor has a buddy allocator of its own. A node keeps its blocks in lists,
 * those in use by the order of their largest free chunk, those that are all free
 * by their size. An allocation takes from the block whose largest chunk just
 * suffices, so that blocks that are nearly free become free, and from one that is
 * all free only when there is no other.
 *
 * Who frees says whether the contents may be seen. If not, the pages are dirty:
 * they are free, and scrubbed before they are used again, by the worker or by
 * whoever takes them first.
 *
 * A page with a memory error is not touched any more. Its block is in no list, so
 * that nobody gets it, until all of it is free and leaves.
 *
 * A miss that may sleep takes a new block from the page allocator. Its own request
 * is carved from the block before anybody else can see it.
 *
 * Locking: the lock of a node guards its lists and the descriptors of its blocks.
 * It is taken in any context but NMI. Nothing is called under it but the profiler,
 * which takes no lock.
 */
#include <linux/bitmap.h>
#include <linux/gfp.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/srcu.h>

#include <mmkit/page_events.h>

#include "unmapped.h"

struct um_node **mmkit_um_nodes;
unsigned long mmkit_um_idle_ip;
static bool closed;
DEFINE_STATIC_SRCU(refills);
DEFINE_PER_CPU(unsigned long [UM_NR_STATS], mmkit_um_stats);

/* --- lists of blocks; under the lock of the node ------------------------- */

void mmkit_um_unlist(struct um_node *node, struct um_block *block)
{
	unsigned int order;

	if (block->list == UM_LIST_NONE)
		return;
	list_del(&block->link);
	if (block->list == UM_LIST_WHOLE) {
		order = um_block_order(block);
		node->whole_pages -= um_block_pages(block);
		if (list_empty(&node->whole[order]))
			node->whole_orders &= ~(1U << order);
	} else {
		order = block->list - UM_LIST_PARTIAL;
		if (list_empty(&node->partial[order]))
			node->partial_orders &= ~(1U << order);
	}
	block->list = UM_LIST_NONE;
}

static __always_inline u8 list_of(const struct um_block *block)
{
	int largest = um_buddy_largest(&block->buddy);

	if (largest < 0 || unlikely(block->bad))
		return UM_LIST_NONE;
	return um_buddy_whole(&block->buddy) ? UM_LIST_WHOLE : UM_LIST_PARTIAL + largest;
}

static noinline void list_change(struct um_node *node, struct um_block *block, u8 list)
{
	unsigned int order;

	mmkit_um_unlist(node, block);
	block->list = list;
	if (list == UM_LIST_WHOLE) {
		order = um_block_order(block);
		list_add(&block->link, &node->whole[order]);
		node->whole_orders |= 1U << order;
		node->whole_pages += um_block_pages(block);
	} else if (list != UM_LIST_NONE) {
		order = list - UM_LIST_PARTIAL;
		list_add(&block->link, &node->partial[order]);
		node->partial_orders |= 1U << order;
	}
}

/* Puts a block in the list that its free chunks call for. */
static __always_inline void relist(struct um_node *node, struct um_block *block)
{
	u8 list = list_of(block);

	if (unlikely(list != block->list))
		list_change(node, block, list);
	if (unlikely(block->bad) && um_buddy_whole(&block->buddy))
		mmkit_um_block_leave(node, block);
}

static __always_inline bool poisoned(struct page *page, unsigned int order)
{
	unsigned long i;

	for (i = 0; i < 1UL << order; i++) {
		if (unlikely(PageHWPoison(page + i)))
			return true;
	}
	return false;
}

static __always_inline struct um_block *pick(struct um_node *node, unsigned int order)
{
	unsigned int fit = node->partial_orders >> order;
	struct list_head *list;

	if (likely(fit)) {
		list = &node->partial[order + __ffs(fit)];
	} else {
		fit = node->whole_orders >> order;
		if (!fit)
			return NULL;
		list = &node->whole[order + __ffs(fit)];
	}
	return list_first_entry(list, struct um_block, link);
}

/* --- what is handed out -------------------------------------------------- */

/* While something is out the module stays. */
static __always_inline void out_add(struct um_node *node, unsigned long pages)
{
	if (!(node->in_use + node->held))
		__module_get(THIS_MODULE);
	node->in_use += pages;
}

static __always_inline void out_done(struct um_node *node)
{
	if (!(node->in_use + node->held))
		module_put(THIS_MODULE);
}

/* How many of the pages have their bit set. */
static unsigned int count_bits(const unsigned long *bits, unsigned int idx, unsigned int nr)
{
	unsigned int bit, count = 0;

	for (bit = find_next_bit(bits, idx + nr, idx); bit < idx + nr;
	     bit = find_next_bit(bits, idx + nr, bit + 1))
		count++;
	return count;
}

/* Takes a chunk out of a block for somebody; the pages keep the bits they had. */
static __always_inline int block_alloc(struct um_node *node, struct um_block *block,
				       unsigned int order)
{
	int idx = um_buddy_alloc(&block->buddy, order);

	if (unlikely(idx < 0))
		return idx;
	if (unlikely(block->nr_dirty))
		block->nr_dirty -= count_bits(block->dirty, idx, 1U << order);
	out_add(node, 1UL << order);
	return idx;
}

/*
 * Returns false when this CPU has no local mapping left. A page with a memory error is
 * seen by nobody any more.
 */
bool mmkit_um_scrub(struct page *page)
{
	void *addr;

	if (unlikely(PageHWPoison(page)))
		return true;
	addr = mmkit_unmapped_map_local(page);
	if (!addr)
		return false;
	clear_page(addr);
	mmkit_unmapped_unmap_local(addr);
	return true;
}

/* The bits of pages that are allocated do not change, so no lock is needed to look. */
static noinline bool make_presentable(struct um_block *block, unsigned int idx, unsigned int order,
				      gfp_t gfp)
{
	unsigned int end = idx + (1U << order);

	for (; idx < end; idx++) {
		if (test_bit(idx, block->dirty))
			um_stat(UM_SCRUBS);
		else if ((gfp & __GFP_ZERO) && !test_bit(idx, block->zero))
			um_stat(UM_ZEROED);
		else
			continue;
		if (!mmkit_um_scrub(pfn_to_page(block->pfn + idx)))
			return false;
	}
	return true;
}

static __always_inline struct page *hand_out(struct um_block *block, struct page *page,
					     unsigned int idx, unsigned int order, gfp_t gfp,
					     bool dirty, unsigned long ip)
{
	if (unlikely(dirty || (gfp & __GFP_ZERO)) && !make_presentable(block, idx, order, gfp)) {
		mmkit_um_put(page, order, UM_SECRET);
		return NULL;
	}
	mmkit_page_event_retag(block->pfn + idx, order, ip);
	return page;
}

static __always_inline struct page *take_cached(struct um_node *node, gfp_t gfp, unsigned int order,
						unsigned long ip)
{
	struct um_block *block;
	unsigned long flags;
	struct page *page;
	bool dirty;
	int idx;

	do {
		raw_spin_lock_irqsave(&node->lock, flags);
		block = pick(node, order);
		if (unlikely(!block)) {
			raw_spin_unlock_irqrestore(&node->lock, flags);
			return NULL;
		}
		dirty = block->nr_dirty;
		idx = block_alloc(node, block, order);
		node->free -= 1UL << order;
		relist(node, block);
		raw_spin_unlock_irqrestore(&node->lock, flags);
		page = pfn_to_page(block->pfn + idx);
		if (likely(!poisoned(page, order)))
			return hand_out(block, page, idx, order, gfp, dirty, ip);
		/* Its block is not picked again. */
		mmkit_um_put(page, order, UM_SECRET);
	} while (true);
}

/* --- refill -------------------------------------------------------------- */

/* The block becomes part of the cache; under the lock of the node. */
static void publish(struct um_node *node, struct um_block *block)
{
	block->leaving = false;
	node->blocks[um_block_order(block)]++;
	node->refilled[um_block_order(block)]++;
	node->free += block->buddy.pages;
	relist(node, block);
}

/*
 * A new block for at least 2^@order pages. With @idx that many are taken from it before
 * anybody else can see it; without it all of it is cached. Returns NULL when there is no
 * memory, or the cache is closed.
 */
static struct um_block *block_add(int nid, gfp_t gfp, unsigned int order, int *idx)
{
	int srcu = srcu_read_lock(&refills);
	struct um_block *block = NULL;
	unsigned long flags;

	if (!READ_ONCE(closed))
		block = mmkit_um_block_get(nid, gfp, order);
	if (block) {
		raw_spin_lock_irqsave(&block->node->lock, flags);
		if (idx)
			*idx = block_alloc(block->node, block, order);
		publish(block->node, block);
		raw_spin_unlock_irqrestore(&block->node->lock, flags);
	}
	srcu_read_unlock(&refills, srcu);
	return block;
}

static struct page *refill(int nid, gfp_t gfp, unsigned int order, unsigned long ip)
{
	struct um_block *block;
	int idx;

	block = block_add(nid, gfp, order, &idx);
	if (!block)
		return NULL;
	return hand_out(block, pfn_to_page(block->pfn + idx), idx, order, gfp, false, ip);
}

/*
 * One more block to be cached, of the largest size. Returns 0, -ENOMEM, or -EBUSY
 * while the cache is closed.
 */
int mmkit_um_add_block(int nid, gfp_t gfp)
{
	if (READ_ONCE(closed) || mmkit_fuse_blown(&mmkit_um_component))
		return -EBUSY;
	return block_add(nid, gfp, UM_BLOCK_ORDER, NULL) ? 0 : -ENOMEM;
}

static bool may_refill(gfp_t gfp)
{
	return gfpflags_allow_blocking(gfp) && !(current->flags & PF_MEMALLOC) &&
	       !mmkit_fuse_blown(&mmkit_um_component);
}

bool mmkit_um_closed(void)
{
	return READ_ONCE(closed);
}

/* Nothing is taken from the kernel any more, and nothing handed out; or it is again. */
void mmkit_um_close(bool close)
{
	WRITE_ONCE(closed, close);
	if (close)
		synchronize_srcu(&refills);
}

/* Nothing comes in any more, and what is free is given back. */
void mmkit_um_cache_stop(void)
{
	mmkit_um_close(true);
	mmkit_um_drain();
}

static noinline struct page *take_slow(int nid, gfp_t gfp, unsigned int order, unsigned long ip)
{
	struct page *page = NULL;
	int other;

	um_stat(UM_MISSES);
	if (may_refill(gfp))
		page = refill(nid, gfp, order, ip);
	if (!page && !(gfp & __GFP_THISNODE)) {
		for_each_online_node(other) {
			page = take_cached(mmkit_um_nodes[other], gfp, order, ip);
			if (page)
				break;
		}
	}
	if (!page)
		um_stat(UM_FAILURES);
	return page;
}

struct page *mmkit_um_take(int nid, gfp_t gfp, unsigned int order, unsigned long ip)
{
	struct page *page;

	if (unlikely(order > UM_BLOCK_ORDER || READ_ONCE(closed) ||
		     mmkit_fuse_blown(&mmkit_um_component)))
		return NULL;
	if (nid == NUMA_NO_NODE)
		nid = numa_mem_id();
	else if (WARN_ON_ONCE(nid < 0 || nid >= nr_node_ids || !mmkit_um_nodes[nid]))
		return NULL;
	/* Twice the same, once with an order that the compiler knows. */
	page = likely(!order) ? take_cached(mmkit_um_nodes[nid], gfp, 0, ip) :
				take_cached(mmkit_um_nodes[nid], gfp, order, ip);
	if (unlikely(!page))
		return take_slow(nid, gfp, order, ip);
	um_stat(UM_HITS);
	return page;
}

/* --- free ---------------------------------------------------------------- */

/* More is cached than may be, counted when a block has become free. */
static bool over_limit(void)
{
	return um_sum(free) > READ_ONCE(mmkit_um_max_pages);
}

static __always_inline void set_bits(unsigned long *bits, unsigned int idx, unsigned int order,
				     bool value)
{
	if (likely(!order))
		__assign_bit(idx, bits, value);
	else if (value)
		bitmap_set(bits, idx, 1U << order);
	else
		bitmap_clear(bits, idx, 1U << order);
}

static __always_inline void mark_freed(struct um_block *block, unsigned int idx, unsigned int order,
				       enum um_contents contents)
{
	set_bits(block->zero, idx, order, contents == UM_ZEROES);
	set_bits(block->dirty, idx, order, contents == UM_SECRET);
	if (contents == UM_SECRET)
		block->nr_dirty += 1U << order;
}

/* An allocated chunk is free again. */
static __always_inline void chunk_back(struct um_node *node, struct um_block *block,
				       struct page *page, unsigned int idx, unsigned int order,
				       enum um_contents contents)
{
	um_chunk_free(&block->buddy, idx, order);
	mark_freed(block, idx, order, contents);
	node->free += 1UL << order;
	if (unlikely(poisoned(page, order)))
		block->bad = true;
	relist(node, block);
}

/* Has somebody else a reference to one of the pages? */
static __always_inline bool referenced(struct page *page, unsigned int order)
{
	unsigned long i;

	for (i = 0; i < 1UL << order; i++) {
		if (unlikely(page_ref_count(page + i) != 1))
			return true;
	}
	return false;
}

static noinline void wrong_free(void)
{
	mmkit_fuse_blow(&mmkit_um_component, "pages are freed that were not allocated like that");
}

/* Allocated pages become pages that nobody may have yet. */
static void keep_back(struct um_node *node, struct um_block *block, unsigned int idx,
		      unsigned int order)
{
	__set_bit(idx, block->kept);
	block->held++;
	node->in_use -= 1UL << order;
	node->held += 1UL << order;
	um_stat_add(UM_HELD, 1UL << order);
}

/*
 * Returns whether the worker has something to do. Interrupts are off from before the
 * block is looked up, so its descriptor cannot go meanwhile.
 */
static __always_inline bool put(struct page *page, unsigned int order, enum um_contents contents)
{
	unsigned long flags, pfn = page_to_pfn(page);
	bool kick = contents == UM_SECRET, good;
	struct um_block *block;
	struct um_node *node;
	unsigned int idx;

	local_irq_save(flags);
	block = mmkit_um_block_find(pfn);
	if (unlikely(!block)) {
		local_irq_restore(flags);
		wrong_free();
		return false;
	}
	node = block->node;
	idx = pfn - block->pfn;
	raw_spin_lock(&node->lock);
	good = um_buddy_is_used(&block->buddy, idx, order) &&
	       !(block->held && test_bit(idx, block->kept));
	if (unlikely(good && referenced(page, order))) {
		keep_back(node, block, idx, order);
		kick = true;
	} else if (likely(good)) {
		chunk_back(node, block, page, idx, order, contents);
		/* Before anybody else can have them. */
		mmkit_page_event_retag(pfn, order, mmkit_um_idle_ip);
		node->in_use -= 1UL << order;
		out_done(node);
		if (unlikely(um_buddy_whole(&block->buddy)) && !kick)
			kick = block->leaving || over_limit();
	}
	raw_spin_unlock_irqrestore(&node->lock, flags);
	if (unlikely(!good))
		wrong_free();
	return kick;
}

void mmkit_um_put(struct page *page, unsigned int order, enum um_contents contents)
{
	bool kick = likely(!order) ? put(page, 0, contents) : put(page, order, contents);

	if (unlikely(kick))
		mmkit_um_kick();
}

/* What was kept back is free when nobody refers to it any more; under the lock of the node. */
void mmkit_um_unkeep(struct um_block *block, unsigned int idx)
{
	unsigned int order = um_buddy_order(&block->buddy, idx);
	struct page *page = pfn_to_page(block->pfn + idx);
	struct um_node *node = block->node;

	if (referenced(page, order))
		return;
	__clear_bit(idx, block->kept);
	block->held--;
	chunk_back(node, block, page, idx, order, UM_SECRET);
	mmkit_page_event_retag(block->pfn + idx, order, mmkit_um_idle_ip);
	node->held -= 1UL << order;
	out_done(node);
}

/*
 * Scrubs a page that is free and dirty; its block is in the cache. The page is
 * nobody's meanwhile.
 */
void mmkit_um_scrub_free(struct um_block *block, unsigned int idx)
{
	struct page *page = pfn_to_page(block->pfn + idx);
	struct um_node *node = block->node;
	bool taken, scrubbed;
	unsigned long flags;

	raw_spin_lock_irqsave(&node->lock, flags);
	taken = !block->leaving && test_bit(idx, block->dirty) &&
		um_buddy_take(&block->buddy, idx);
	if (taken) {
		/* As if it were kept back: nobody can free it meanwhile. */
		__set_bit(idx, block->kept);
		block->held++;
		block->nr_dirty--;
		node->free--;
		relist(node, block);
	}
	raw_spin_unlock_irqrestore(&node->lock, flags);
	if (!taken)
		return;

	scrubbed = mmkit_um_scrub(page);
	um_stat(UM_SCRUBS);

	raw_spin_lock_irqsave(&node->lock, flags);
	__clear_bit(idx, block->kept);
	block->held--;
	chunk_back(node, block, page, idx, 0, scrubbed ? UM_ZEROES : UM_SECRET);
	raw_spin_unlock_irqrestore(&node->lock, flags);
}

/* --- public interface ---------------------------------------------------- */

struct page *mmkit_unmapped_alloc(gfp_t gfp, unsigned int order)
{
	return mmkit_um_take(NUMA_NO_NODE, gfp, order, _RET_IP_);
}
MMKIT_EXPORT(mmkit_unmapped_alloc);

struct page *mmkit_unmapped_alloc_node(int nid, gfp_t gfp, unsigned int order)
{
	return mmkit_um_take(nid, gfp, order, _RET_IP_);
}
MMKIT_EXPORT(mmkit_unmapped_alloc_node);

void mmkit_unmapped_free(struct page *page, unsigned int order)
{
	if (page)
		mmkit_um_put(page, order, UM_SECRET);
}
MMKIT_EXPORT(mmkit_unmapped_free);

void mmkit_unmapped_free_noscrub(struct page *page, unsigned int order)
{
	if (page)
		mmkit_um_put(page, order, UM_HARMLESS);
}
MMKIT_EXPORT(mmkit_unmapped_free_noscrub);

/* --- the nodes ----------------------------------------------------------- */

static struct um_node *node_new(int nid)
{
	struct um_node *node;
	unsigned int order;

	node = kzalloc_node(sizeof(*node), GFP_KERNEL, node_online(nid) ? nid : NUMA_NO_NODE);
	if (!node)
		return NULL;
	raw_spin_lock_init(&node->lock);
	INIT_LIST_HEAD(&node->leaving);
	for (order = 0; order <= UM_BUDDY_MAX_ORDER; order++) {
		INIT_LIST_HEAD(&node->partial[order]);
		INIT_LIST_HEAD(&node->whole[order]);
	}
	return node;
}

/* Whom the pages of the cache belong to, for the profiler. */
static noinline unsigned long unmapped_idle(void)
{
	return _THIS_IP_;
}

int mmkit_um_cache_init(void)
{
	int nid;

	mmkit_um_idle_ip = unmapped_idle();
	mmkit_um_nodes = kcalloc(nr_node_ids, sizeof(*mmkit_um_nodes), GFP_KERNEL);
	if (!mmkit_um_nodes)
		return -ENOMEM;
	for_each_node(nid) {
		mmkit_um_nodes[nid] = node_new(nid);
		if (!mmkit_um_nodes[nid]) {
			mmkit_um_cache_exit();
			return -ENOMEM;
		}
	}
	return 0;
}

void mmkit_um_cache_exit(void)
{
	int nid;

	for_each_node(nid)
		kfree(mmkit_um_nodes[nid]);
	kfree(mmkit_um_nodes);
}
