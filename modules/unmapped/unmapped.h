/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MMKIT_UM_H
#define MMKIT_UM_H

#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>

#include <mmkit/component.h>
#include <mmkit/ksym.h>
#include <mmkit/unmapped.h>
#include <mmkit/walk.h>

#include "compat.h"
#include "buddy.h"

#undef pr_fmt
#define pr_fmt(fmt) "mmkit: unmapped: " fmt

#define UM_BLOCK_ORDER	(PMD_SHIFT - PAGE_SHIFT)
#define UM_BLOCK_PAGES	(1UL << UM_BLOCK_ORDER)

/* What the module needs of the kernel, beside what takes pages out of the direct map. */
#define UM_COMMON_KSYMS(X)								\
	X(REQUIRED, struct vm_struct *, __get_vm_area_caller,				\
	  (unsigned long size, unsigned long flags, unsigned long start,		\
	   unsigned long end, const void *caller),					\
	  "pages that are in no direct map cannot be zeroed")				\
	X(REQUIRED, int, __vmap_pages_range_noflush,					\
	  (unsigned long addr, unsigned long end, pgprot_t prot, struct page **pages,	\
	   unsigned int page_shift),							\
	  "pages that are in no direct map cannot be zeroed")				\
	X(REQUIRED, void, vunmap_range, (unsigned long addr, unsigned long end),	\
	  "pages that are in no direct map cannot be zeroed")				\
	X(OPTIONAL, int, __memcg_kmem_charge_page,					\
	  (struct page *page, gfp_t gfp, int order),					\
	  "secret memory is not charged to memory cgroups")				\
	X(OPTIONAL, void, __memcg_kmem_uncharge_page, (struct page *page, int order),	\
	  "secret memory is not charged to memory cgroups")

#ifdef CONFIG_X86_64
#define UM_ARCH_KSYMS(X)								\
	X(REQUIRED, void, flush_tlb_one_kernel, (unsigned long addr),			\
	  "pages that are in no direct map cannot be zeroed")
#else
#define UM_ARCH_KSYMS(X)
#endif

#define UM_KSYMS(X)		\
	UM_COMMON_KSYMS(X)	\
	UM_ARCH_KSYMS(X)	\
	MMKIT_DIRECT_MAP_KSYMS(X)

struct vm_struct;
MMKIT_KSYM_DECLARE_TABLE(UM_KSYMS)

/**
 * struct um_block - pages that were taken out of the direct map together
 * @link:   in one of the lists of the node
 * @node:   where the memory is
 * @pfn:    first page
 * @list:   which list of the node holds it: 0 none, 1 + order partly used with a
 *	    largest free chunk of that order, UM_LIST_WHOLE all free
 * @leaving: it is on its way back to the page allocator
 * @bad:    a page has a memory error: nothing is handed out any more
 * @held:   chunks that are kept back: somebody has a reference to a page, or it is
 *	    just being scrubbed
 * @nr_dirty: free pages that have to be scrubbed
 * @dirty:  bit a page: it was freed and not scrubbed yet
 * @zero:   bit a page: it is free and holds zeroes
 * @kept:   bit a page: one of @held begins here
 * @buddy:  which pages are free
 * @rcu:    frees the descriptor
 *
 * All but @pfn and @node is guarded by the lock of the node. The bits of a page
 * that is allocated belong to its owner, and stay as they were when it was taken.
 */
struct um_block {
	struct list_head link;
	struct um_node *node;
	unsigned long pfn;
	u8 list;
	bool leaving;
	bool bad;
	unsigned int held;
	unsigned int nr_dirty;
	unsigned long *dirty;
	unsigned long *zero;
	unsigned long *kept;
	struct um_buddy buddy;
	struct rcu_head rcu;
};

#define UM_LIST_NONE	0
#define UM_LIST_PARTIAL	1
#define UM_LIST_WHOLE	(UM_LIST_PARTIAL + UM_BUDDY_MAX_ORDER + 1)

static inline unsigned int um_block_order(const struct um_block *block)
{
	return block->buddy.max;
}

static inline unsigned long um_block_pages(const struct um_block *block)
{
	return block->buddy.all;
}

/**
 * struct um_node - the cache of a NUMA node
 * @lock:      guards what follows; taken in any context but NMI
 * @partial:   blocks in use, by the order of their largest free chunk
 * @whole:     blocks all free, by their order; the one used last is first
 * @partial_orders: bit a list of @partial that is not empty
 * @whole_orders:   bit a list of @whole that is not empty
 * @leaving:   blocks to be given back
 * @free:      free pages in blocks that are not leaving
 * @whole_pages: pages of the blocks in @whole
 * @in_use:    pages handed out
 * @held:      pages freed while somebody had a reference
 * @leaving_pages: pages of blocks that are leaving
 * @quarantined: pages that cannot be used or given back any more
 * @credit:    pages that the shrinker was asked for and has not given yet
 * @blocks:    blocks by order, those that are leaving not counted
 * @refilled:  blocks ever taken, by order
 * @released:  blocks ever given back, by order
 */
struct um_node {
	raw_spinlock_t lock;
	struct list_head partial[UM_BUDDY_MAX_ORDER + 1];
	struct list_head whole[UM_BUDDY_MAX_ORDER + 1];
	unsigned int partial_orders;
	unsigned int whole_orders;
	struct list_head leaving;
	unsigned long free;
	unsigned long whole_pages;
	unsigned long in_use;
	unsigned long held;
	unsigned long leaving_pages;
	unsigned long quarantined;
	unsigned long credit;
	unsigned long blocks[UM_BUDDY_MAX_ORDER + 1];
	unsigned long refilled[UM_BUDDY_MAX_ORDER + 1];
	unsigned long released[UM_BUDDY_MAX_ORDER + 1];
};

/* Counters of debugfs "stats"; their names are in report.c. */
enum um_stat {
	UM_HITS,
	UM_MISSES,
	UM_REFILLS,
	UM_FALLBACKS,
	UM_FAILURES,
	UM_TLB_FLUSHES,
	UM_SPLITS_2M,
	UM_SPLITS_1G,
	UM_SCRUBS,
	UM_ZEROED,
	UM_SHRINK_QUEUED,
	UM_RELEASED,
	UM_OOM_DRAINS,
	UM_POISONED,
	UM_HELD,
	UM_QUARANTINED,
	UM_VERIFIED,
	UM_NR_STATS,
};

DECLARE_PER_CPU(unsigned long [UM_NR_STATS], mmkit_um_stats);

static __always_inline void um_stat_add(enum um_stat stat, unsigned long nr)
{
	this_cpu_add(mmkit_um_stats[stat], nr);
}

static __always_inline void um_stat(enum um_stat stat)
{
	um_stat_add(stat, 1);
}

/* What pages hold that are freed. */
enum um_contents {
	UM_SECRET,	/* to be scrubbed before anybody sees it */
	UM_HARMLESS,	/* the next owner may see it */
	UM_ZEROES,
};

/* init.c */
extern struct mmkit_component mmkit_um_component;

/* cache.c */
bool mmkit_um_closed(void);
void mmkit_um_close(bool close);
void mmkit_um_cache_stop(void);
extern struct um_node **mmkit_um_nodes;		/* nr_node_ids of them */
extern unsigned long mmkit_um_idle_ip;		/* owner of what is cached */
int mmkit_um_cache_init(void);
void mmkit_um_cache_exit(void);
struct page *mmkit_um_take(int nid, gfp_t gfp, unsigned int order, unsigned long ip);
void mmkit_um_put(struct page *page, unsigned int order, enum um_contents contents);
int mmkit_um_add_block(int nid, gfp_t gfp);
void mmkit_um_unlist(struct um_node *node, struct um_block *block);
void mmkit_um_unkeep(struct um_block *block, unsigned int idx);
bool mmkit_um_scrub(struct page *page);
void mmkit_um_scrub_free(struct um_block *block, unsigned int idx);

/* The first node from @nid on that has a cache. */
static inline int um_node_from(int nid, struct um_node **node)
{
	while (nid < nr_node_ids && !mmkit_um_nodes[nid])
		nid++;
	*node = nid < nr_node_ids ? mmkit_um_nodes[nid] : NULL;
	return nid;
}

/* for_each_um_node - the caches of all nodes that can ever be */
#define for_each_um_node(node, nid)					\
	for ((nid) = um_node_from(0, &(node)); (node);			\
	     (nid) = um_node_from((nid) + 1, &(node)))

/* The sum of a member of all nodes, which are not read at one moment. */
#define um_sum(member)							\
({									\
	unsigned long sum_ = 0;						\
	struct um_node *node_;						\
	int nid_;							\
									\
	for_each_um_node(node_, nid_)					\
		sum_ += READ_ONCE(node_->member);			\
	sum_;								\
})

/* blocks.c */
struct um_block *mmkit_um_block_look_up(unsigned long pfn);
struct um_block *mmkit_um_block_next(unsigned long *pfn);
struct um_block *mmkit_um_block_get(int nid, gfp_t gfp, unsigned int order);
void mmkit_um_block_put(struct um_block *block);
size_t mmkit_um_block_bytes(unsigned int order);
bool mmkit_um_node_has_room(int nid);
void mmkit_um_blocks_exit(void);

#define UM_RECENT	64
extern struct um_block *mmkit_um_recent[UM_RECENT];

static inline unsigned int um_recent_slot(unsigned long pfn)
{
	return pfn >> UM_BLOCK_ORDER & (UM_RECENT - 1);
}

/* The block that @pfn lies in. Under RCU, or with interrupts off, or holding pages of it. */
static __always_inline struct um_block *mmkit_um_block_find(unsigned long pfn)
{
	struct um_block *block = READ_ONCE(mmkit_um_recent[um_recent_slot(pfn)]);

	if (likely(block && pfn - block->pfn < um_block_pages(block)))
		return block;
	return mmkit_um_block_look_up(pfn);
}

/* direct_map.c */
int mmkit_um_direct_map_check(void);
void mmkit_um_direct_map_report(void);
bool mmkit_um_direct_map_is_changing(void);
bool mmkit_um_large_entries(void);
bool mmkit_um_direct_map_suits(struct page *page, unsigned int order);
int mmkit_um_direct_map_out(struct page *page, unsigned int order);
int mmkit_um_direct_map_back(struct page *page, unsigned int order);

/* local_map.c */
int mmkit_um_local_init(void);
void mmkit_um_local_exit(void);

/* leave.c */
void mmkit_um_block_leave(struct um_node *node, struct um_block *block);
unsigned long mmkit_um_leave(struct um_node *node, unsigned long pages);
void mmkit_um_leave_all(void);
void mmkit_um_leave_range(unsigned long pfn, unsigned long end);

/* worker.c */
extern unsigned long mmkit_um_max_pages;	/* most that may be cached */
int mmkit_um_worker_init(void);
void mmkit_um_worker_exit(void);
void mmkit_um_kick(void);
void mmkit_um_settle(void);
void mmkit_um_drain(void);
bool mmkit_um_settles_itself(void);
bool mmkit_um_settle_timeout(unsigned long timeout);
unsigned long mmkit_um_whole_blocks(void);
int mmkit_um_prefill(unsigned int blocks);

/* shrinker.c */
int mmkit_um_shrinker_init(void);
void mmkit_um_shrinker_exit(void);

/* events.c */
int mmkit_um_events_init(void);
void mmkit_um_events_exit(void);

/* secretdev.c */
extern unsigned long mmkit_um_secret_max_pages;
int mmkit_um_secret_init(const struct mmkit_ksym_table *ksyms);
void mmkit_um_secret_exit(void);
unsigned long mmkit_um_secret_pages(void);

/* report.c */
extern const struct attribute * const mmkit_um_attrs[];
void mmkit_um_report_files(void);

#endif /* MMKIT_UM_H */
