/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private to mmkit_tagstore.
 *
 * Lock order: mmkit_ts_region.lock (takes and lends blocks; may sleep, inside it
 * the page allocator migrates) is taken with no other lock of ours held, and
 * never two of them. The lock of a pool is a spinlock and innermost.
 */
#ifndef MMKIT_TAGSTORE_PRIVATE_H
#define MMKIT_TAGSTORE_PRIVATE_H

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sysfs.h>

#include <mmkit/component.h>
#include <mmkit/ksym.h>
#include <mmkit/tagstore.h>

#include "blocks.h"
#include "compat.h"

#define TS_MAX_REGIONS	8

/**
 * struct ts_region - storage that can be lent, and the memory that it serves
 * @blocks:  as numbers
 * @cma:     the storage is an area of the contiguous allocator; else it lies in ZONE_MOVABLE
 * @lock:    who takes or lends blocks
 * @pending: per block: pages in it were freed
 * @idle:    per block: nobody needed it when the worker looked last
 * @taken:   pages of storage that are not lent
 * @name:    where the description came from, for messages
 */
struct ts_region {
	struct ts_blocks blocks;
	bool cma;
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

/* Does @pfn lie in the storage of a region? Any context. */
static inline bool mmkit_ts_is_storage(unsigned long pfn)
{
	unsigned int i;

	for (i = 0; i < mmkit_ts_nr_regions; i++) {
		if (ts_is_storage(&mmkit_ts_regions[i].blocks, pfn))
			return true;
	}
	return false;
}

#endif /* MMKIT_TAGSTORE_PRIVATE_H */
