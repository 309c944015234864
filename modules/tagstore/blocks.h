/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which block of storage holds the tags of a page, and who uses the blocks.
 *
 * A region is a range of memory that can carry tags, and the storage that holds
 * them: a page of storage for 32 pages. Storage is taken and lent in blocks of
 * one or more pages. All is arithmetic by position in the region, never by the
 * order of an allocation: a page can begin anywhere.
 *
 * States. A page is
 *	FREE	  its tags need no room
 *	RESERVED  it carries tags, or is about to: its block is taken
 *	PENDING	  it was freed and is still counted; somebody will drop it
 *	LATE	  it carries tags although its block was not taken in time
 * and a block has a number of users: 0, it is lent out; 1, it is taken and nobody
 * needs it; 1 + n, n pages are counted in it or calls hold it for a moment. So
 *	users = 0, or 1 + pages RESERVED or PENDING + holds
 *
 * States change by compare and exchange, and users likewise; 0 is left, and
 * reached, only by who owns the region's mutex, because that means taking memory
 * from the page allocator or giving it back.
 */
#ifndef TS_BLOCKS_H
#define TS_BLOCKS_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include "shim.h"
#endif

/* A tag of 4 bits for 16 bytes. */
#define TS_RATIO	32

enum ts_state { TS_FREE, TS_RESERVED, TS_PENDING, TS_LATE };

/**
 * struct ts_blocks - a region as numbers
 * @tagged:	 first page frame of the memory that can carry tags
 * @nr_tagged:	 its pages, @nr_storage * TS_RATIO
 * @storage:	 first page frame of the storage
 * @nr_storage:	 its pages, a multiple of @block_pages
 * @block_pages: pages of storage that are taken together
 * @users:	 per block: see above
 * @state:	 per page that can carry tags: enum ts_state
 */
struct ts_blocks {
	unsigned long tagged;
	unsigned long nr_tagged;
	unsigned long storage;
	unsigned long nr_storage;
	unsigned int block_pages;
	u32 *users;
	u8 *state;
};

/* What is wrong with a region, NULL when it is sound. */
const char *ts_blocks_flaw(const struct ts_blocks *b);

static inline unsigned long ts_nr_blocks(const struct ts_blocks *b)
{
	return b->nr_storage / b->block_pages;
}

static inline bool ts_is_tagged(const struct ts_blocks *b, unsigned long pfn)
{
	return pfn - b->tagged < b->nr_tagged;
}

static inline bool ts_is_storage(const struct ts_blocks *b, unsigned long pfn)
{
	return pfn - b->storage < b->nr_storage;
}

/* The block that holds the tags of a page. */
static inline unsigned long ts_block_of(const struct ts_blocks *b, unsigned long pfn)
{
	return (pfn - b->tagged) / TS_RATIO / b->block_pages;
}

/* Blocks that hold the tags of @nr pages. */
static inline unsigned long ts_blocks_spanned(const struct ts_blocks *b, unsigned long pfn,
					      unsigned long nr)
{
	return ts_block_of(b, pfn + nr - 1) - ts_block_of(b, pfn) + 1;
}

static inline unsigned long ts_block_storage(const struct ts_blocks *b, unsigned long block)
{
	return b->storage + block * b->block_pages;
}

/* The block that a page of storage is part of. */
static inline unsigned long ts_storage_block(const struct ts_blocks *b, unsigned long pfn)
{
	return (pfn - b->storage) / b->block_pages;
}

/* Pages that have their tags in one block, and the first of them. */
static inline unsigned long ts_block_tagged_pages(const struct ts_blocks *b)
{
	return (unsigned long)b->block_pages * TS_RATIO;
}

static inline unsigned long ts_block_tagged(const struct ts_blocks *b, unsigned long block)
{
	return b->tagged + block * ts_block_tagged_pages(b);
}

static inline enum ts_state ts_page_state(const struct ts_blocks *b, unsigned long pfn)
{
	return READ_ONCE(b->state[pfn - b->tagged]);
}

/* One more user of a block that is taken; false when it is lent. Any context. */
bool ts_block_hold(struct ts_blocks *b, unsigned long block);
/* One user less. True when nobody needs the block any more. Any context. */
bool ts_block_drop(struct ts_blocks *b, unsigned long block);
/* The block was lent and is taken now. Under the mutex of the region. */
void ts_block_take(struct ts_blocks *b, unsigned long block);
/* The block is about to be lent; false when somebody uses it. Under the mutex of the region. */
bool ts_block_lend(struct ts_blocks *b, unsigned long block);

/* @pfn will carry tags; its block is held. Any context. True when it was FREE or LATE. */
bool ts_page_reserve(struct ts_blocks *b, unsigned long pfn);
/* @pfn is freed: RESERVED becomes PENDING. Any context. True when it was RESERVED. */
bool ts_page_free(struct ts_blocks *b, unsigned long pfn);
/*
 * @pfn carries tags, and nobody asked for room: FREE becomes LATE, and PENDING is
 * RESERVED again. Any context. True when it is LATE now and was not.
 */
bool ts_page_late(struct ts_blocks *b, unsigned long pfn);
/* LATE becomes RESERVED; its block is held. Any context. */
void ts_page_catch_up(struct ts_blocks *b, unsigned long pfn);
/* PENDING becomes FREE, and leaves its block. True when nobody needs that any more. */
bool ts_page_settle(struct ts_blocks *b, unsigned long pfn);

#endif /* TS_BLOCKS_H */
