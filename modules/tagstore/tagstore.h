/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private to mmkit_tagstore.
 *
 * Lock order: mmkit_ts_region.lock (takes and lends blocks; may sleep, inside it
 * the page allocator migrates) is taken with no other lock of ours held but that
 * of who settles what was freed, and never two of them. The lock of a pool is a
 * spinlock and innermost.
 */
#ifndef MMKIT_TAGSTORE_PRIVATE_H
#define MMKIT_TAGSTORE_PRIVATE_H

#undef pr_fmt
#define pr_fmt(fmt) "mmkit: tagstore: " fmt

#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/sysfs.h>

#include <mmkit/component.h>
#include <mmkit/ksym.h>
#include <mmkit/tagstore.h>

#include "blocks.h"
#include "compat.h"

#define TS_MAX_REGIONS	8

/* What else to try before a request fails for storage that cannot be emptied. */
#define TS_OTHER_PAGES	8

/**
 * struct ts_region - storage that can be lent, and the memory that it serves
 * @blocks:  as numbers
 * @cma:     the storage is an area of the contiguous allocator; else it lies in ZONE_MOVABLE
 * @pending: per block: pages in it were freed
 * @idle:    per block: nobody needed it when the worker looked last
 * @taken:   pages of storage that are not lent
 * @name:    where the description came from, for messages
 */
struct ts_region {
	struct ts_blocks blocks;
	bool cma;
	/** @lock: held by who takes or lends blocks */
	struct mutex lock;
	unsigned long *pending;
	unsigned long *idle;
	unsigned long taken;
	char name[40];
};

extern struct mmkit_component mmkit_ts_component;
extern bool mmkit_ts_simulate;

/* --- regions.c: where they are described, and whether they are sound ----------------- */

extern struct ts_region mmkit_ts_regions[TS_MAX_REGIONS];
extern unsigned int mmkit_ts_nr_regions;

/*
 * Fills mmkit_ts_regions from @param (may be NULL or empty) and, unless that names
 * some, from the device tree. One pr_err and an errno when a region is refused.
 */
int mmkit_ts_regions_init(const char *param);
void mmkit_ts_regions_exit(void);

/* The region whose memory @pfn belongs to, NULL for memory of no region. Any context. */
static inline struct ts_region *mmkit_ts_region_of(unsigned long pfn)
{
	unsigned int i;

	for (i = 0; i < mmkit_ts_nr_regions; i++) {
		if (ts_is_tagged(&mmkit_ts_regions[i].blocks, pfn))
			return &mmkit_ts_regions[i];
	}
	return NULL;
}

/* Does one of @nr pages lie in the storage of a region? Any context. */
static inline bool mmkit_ts_lies_in_storage(unsigned long pfn, unsigned long nr)
{
	unsigned int i;

	for (i = 0; i < mmkit_ts_nr_regions; i++) {
		const struct ts_blocks *b = &mmkit_ts_regions[i].blocks;

		if (pfn < b->storage + b->nr_storage && b->storage < pfn + nr)
			return true;
	}
	return false;
}

/* Does @pfn? Any context. */
static inline bool mmkit_ts_is_storage(unsigned long pfn)
{
	return mmkit_ts_lies_in_storage(pfn, 1);
}

/* --- reserve.c: taking storage before pages are tagged --------------------------------- */

/* How often storage that is lent is asked for: a page there can be pinned for a moment. */
#define TS_NOW		0	/* not at all, and without sleeping */
#define TS_ONCE		1	/* there is other memory to be had */
#define TS_SOON		5	/* a jiffy between them */
#define TS_PATIENT	12	/* 1, 2, 4.. jiffies between them: eight seconds with 250 Hz */

/* For those who try other pages first: the last of them is worth waiting for. */
static inline unsigned int mmkit_ts_patience(unsigned int others)
{
	return others < TS_OTHER_PAGES - 1 ? TS_ONCE : TS_PATIENT;
}

/* Pages that must be had before storage is asked for again that had no memory to migrate to. */
#define TS_PLACE_PAGES	32

/*
 * Pages [@pfn, @pfn + @nr) are about to carry tags. @tries: as above. 0, -EAGAIN (would
 * have to sleep), -EBUSY, -EINTR, -ENOMEM, -EIO (fuse), or -EINVAL when one of them lies in
 * storage.
 */
int mmkit_ts_reserve(unsigned long pfn, unsigned long nr, unsigned int tries);
/*
 * Page @pfn may get tags until mmkit_ts_unhold(), which is told whether it did. False when
 * its storage is lent, or when it lies in storage. Any context.
 */
bool mmkit_ts_hold(unsigned long pfn);
void mmkit_ts_unhold(unsigned long pfn, bool tagged);
/* They are free, or carry tags no more. Any context. */
void mmkit_ts_free(unsigned long pfn, unsigned long nr);
/* They carry tags already, and no room was made: count it, and make some soon. Any context. */
void mmkit_ts_late(unsigned long pfn, unsigned long nr);
/* May this page carry tags? Any context. */
bool mmkit_ts_reserved(unsigned long pfn);
/* Moves what is in pages of one region's storage elsewhere. Errors as above. Process context. */
int mmkit_ts_evacuate(unsigned long pfn, unsigned long nr, unsigned int tries);
/* Under the lock of the region: takes @nr blocks that are lent. */
int mmkit_ts_take(struct ts_region *region, unsigned long block, unsigned long nr,
		  unsigned int tries);

/* --- init.c: the module cannot go while pages are tagged -------------------------------- */

/* A page is tagged, or about to be. Any context. */
void mmkit_ts_used(void);
/* After pages were settled: perhaps nothing is tagged any more. */
void mmkit_ts_perhaps_unused(void);

/* --- settle.c: what was freed, and storage that nobody needs ---------------------------- */

extern unsigned int mmkit_ts_linger_ms;
struct work_struct;
/* On the queue of the module, while it is there. Any context. */
void mmkit_ts_queue(struct work_struct *work);
int mmkit_ts_settle_init(void);
void mmkit_ts_settle_exit(void);
/* Pages of a block were freed, or nobody holds it any more. Any context. */
void mmkit_ts_freed_in(struct ts_region *region, unsigned long block);
void mmkit_ts_idle(struct ts_region *region, unsigned long block);
/* Takes all storage, and lends none any more; returns pages that could not be had. */
unsigned long mmkit_ts_take_all(void);
/* The same, whoever wants to kill the caller. */
unsigned long mmkit_ts_take_all_unkillable(void);
/* Settles all that is pending and lends all that is idle, now. Process context. */
void mmkit_ts_settle_all(void);
/* What is taken stays so when the module goes, and the next load finds it. */
void mmkit_ts_leave_kept(void);
bool mmkit_ts_find_kept(void);
/* Whose storage is taken is known: what nobody needs can be lent from now on. */
void mmkit_ts_start_lending(void);
/* When nothing counts any more: lends whatever is taken. */
void mmkit_ts_lend_all(void);

/* --- pool.c: pages that may carry tags, ready to be used ---------------------------------- */

extern unsigned int mmkit_ts_pool_pages;
int mmkit_ts_pool_init(void);
void mmkit_ts_pool_exit(void);
/* One page outside all storage, reserved, if there is one. Any context. */
struct page *mmkit_ts_pool_ready(int nid);
/*
 * The same, and if there is none the pool is filled; NULL and *@err: -EAGAIN when only a sleeping
 * caller could have one, -ENOMEM without memory, else the error of mmkit_ts_reserve().
 */
struct page *mmkit_ts_pool_get(int nid, bool sleep, int *err);
/* Gives back what the pools hold; returns pages. */
unsigned long mmkit_ts_pool_drain(unsigned long pages);
unsigned long mmkit_ts_pool_count(void);

/* --- events.c: pages that are freed ------------------------------------------------------ */

int mmkit_ts_events_init(void);
void mmkit_ts_events_exit(void);

/* --- hooks.c, adopt.c, zero.c: where pages become tagged (arm64) ---------------------------- */

#ifdef CONFIG_ARM64
/* Can this CPU have tags, and has the kernel none of its own? One pr_err if not. */
int mmkit_ts_cpu_check(bool simulate);
int mmkit_ts_hooks_init(bool simulate);
void mmkit_ts_hooks_exit(void);
/* Pages that are reserved for ever: those of zeros, which are nobody's. */
unsigned long mmkit_ts_zero_pages(void);
/* Reserves for pages that are tagged already; refuses what cannot be had. */
int mmkit_ts_adopt(bool simulate);
#else
static inline int mmkit_ts_cpu_check(bool simulate)
{
	if (simulate)
		return 0;
	pr_err("this machine has no memory tags; simulate=1 runs the manager without them\n");
	return -EOPNOTSUPP;
}

static inline int mmkit_ts_hooks_init(bool simulate) { return 0; }
static inline void mmkit_ts_hooks_exit(void) { }
static inline unsigned long mmkit_ts_zero_pages(void) { return 0; }
static inline int mmkit_ts_adopt(bool simulate) { return 0; }
#endif

/* --- report.c: what the user sees ---------------------------------------------------------- */

#define TS_STATS(X)						\
	X(RESERVES, "reserves")					\
	X(TAKES, "takes")					\
	X(TAKEN_BLOCKS, "taken_blocks")				\
	X(LENT_BLOCKS, "lent_blocks")				\
	X(DISPLACED, "displaced_pages")				\
	X(RETRIES, "retries")					\
	X(RESERVE_FAILURES, "reserve_failures")			\
	X(LATE, "late_reservations")				\
	X(LATE_LOST, "late_without_room")			\
	X(IN_STORAGE, "tagged_in_storage")			\
	X(EVACUATIONS, "evacuations")				\
	X(POOL_HITS, "pool_hits")				\
	X(POOL_CHUNKS, "pool_chunks")				\
	X(POOL_EMPTY, "pool_empty")				\
	X(DROPPED_TAGS, "dropped_tags")				\
	X(NO_SWAP, "kept_from_swap")				\
	X(NO_MIGRATION, "kept_from_migration")			\
	X(NO_THP, "kept_from_huge_pages")			\
	X(NO_UFFD, "refused_userfaultfd")			\
	X(NO_KVM, "refused_kvm")				\
	X(SIGBUS, "sigbus")					\
	X(CLEAN_DATA, "data_cache_cleans")			\
	X(CLEAN_TAGS, "tag_cache_cleans")

#define TS_STAT_ENUM(id, name)	TS_STAT_##id,
enum ts_stat { TS_STATS(TS_STAT_ENUM) TS_NR_STATS };
#undef TS_STAT_ENUM

DECLARE_PER_CPU(unsigned long [TS_NR_STATS], mmkit_ts_stats);

static inline void mmkit_ts_count(enum ts_stat stat, unsigned long by)
{
	this_cpu_add(mmkit_ts_stats[stat], by);
}

/* How long reserves took that had to take storage: 2^n microseconds and more. */
#define TS_LATENCY_BUCKETS	24
extern atomic_long_t mmkit_ts_latency[TS_LATENCY_BUCKETS];

extern const struct attribute * const mmkit_ts_attrs[];
/* Pages that are counted in blocks. */
unsigned long mmkit_ts_counted_pages(void);
void mmkit_ts_report_files(void);

#endif /* MMKIT_TAGSTORE_PRIVATE_H */
