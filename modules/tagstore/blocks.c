// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks of storage and their users: see blocks.h. Also built in user space,
 * where it is compared with a bit for each page.
 */
#ifdef __KERNEL__
#include <linux/atomic.h>
#include <linux/compiler.h>
#endif

#include "blocks.h"

const char *ts_blocks_flaw(const struct ts_blocks *b)
{
	if (!b->nr_storage || !b->nr_tagged)
		return "a range is empty";
	if (!b->block_pages || b->nr_storage % b->block_pages)
		return "the storage is not a whole number of blocks";
	if (b->nr_tagged / TS_RATIO != b->nr_storage || b->nr_tagged % TS_RATIO)
		return "the storage is not 1/32 of the memory that it serves";
	if (b->tagged + b->nr_tagged < b->tagged || b->storage + b->nr_storage < b->storage)
		return "a range goes beyond the end of memory";
	if (b->storage < b->tagged + b->nr_tagged && b->tagged < b->storage + b->nr_storage)
		return "the storage lies in the memory whose tags it holds";
	return NULL;
}

bool ts_block_hold(struct ts_blocks *b, unsigned long block)
{
	u32 old = READ_ONCE(b->users[block]), seen;

	for (; old; old = seen) {
		seen = cmpxchg(&b->users[block], old, old + 1);
		if (seen == old)
			return true;
	}
	return false;
}

bool ts_block_drop(struct ts_blocks *b, unsigned long block)
{
	u32 old = READ_ONCE(b->users[block]), seen;

	/* A block that is only taken has no user to lose. */
	for (; old > 1; old = seen) {
		seen = cmpxchg(&b->users[block], old, old - 1);
		if (seen == old)
			return old == 2;
	}
	return false;
}

void ts_block_take(struct ts_blocks *b, unsigned long block)
{
	cmpxchg(&b->users[block], 0, 1);
}

bool ts_block_lend(struct ts_blocks *b, unsigned long block)
{
	return cmpxchg(&b->users[block], 1, 0) == 1;
}

static u8 *state_of(struct ts_blocks *b, unsigned long pfn)
{
	return &b->state[pfn - b->tagged];
}

bool ts_page_reserve(struct ts_blocks *b, unsigned long pfn)
{
	u8 *state = state_of(b, pfn), seen;

	for (;;) {
		seen = READ_ONCE(*state);
		if (seen == TS_RESERVED)
			return false;
		/* What is pending has its user still. */
		if (seen == TS_PENDING) {
			if (cmpxchg(state, TS_PENDING, TS_RESERVED) == TS_PENDING)
				return false;
			continue;
		}
		/* The user comes before the state: who sees it may drop it. */
		ts_block_hold(b, ts_block_of(b, pfn));
		if (cmpxchg(state, seen, TS_RESERVED) == seen)
			return true;
		ts_block_drop(b, ts_block_of(b, pfn));
	}
}

bool ts_page_free(struct ts_blocks *b, unsigned long pfn)
{
	u8 *state = state_of(b, pfn), seen;

	for (;;) {
		seen = READ_ONCE(*state);
		if (seen == TS_RESERVED && cmpxchg(state, seen, TS_PENDING) == seen)
			return true;
		/* What was late has no user. */
		if (seen == TS_LATE && cmpxchg(state, seen, TS_FREE) == seen)
			return false;
		if (seen == TS_FREE || seen == TS_PENDING)
			return false;
	}
}

bool ts_page_late(struct ts_blocks *b, unsigned long pfn)
{
	u8 *state = state_of(b, pfn), seen;

	for (;;) {
		seen = READ_ONCE(*state);
		if (seen == TS_FREE && cmpxchg(state, seen, TS_LATE) == seen)
			return true;
		/* Its user is still there: not too late. */
		if (seen == TS_PENDING && cmpxchg(state, seen, TS_RESERVED) == seen)
			return false;
		if (seen == TS_RESERVED || seen == TS_LATE)
			return false;
	}
}

void ts_page_catch_up(struct ts_blocks *b, unsigned long pfn)
{
	u8 *state = state_of(b, pfn);

	if (READ_ONCE(*state) != TS_LATE)
		return;
	ts_block_hold(b, ts_block_of(b, pfn));
	if (cmpxchg(state, TS_LATE, TS_RESERVED) != TS_LATE)
		ts_block_drop(b, ts_block_of(b, pfn));
}

bool ts_page_settle(struct ts_blocks *b, unsigned long pfn)
{
	u8 *state = state_of(b, pfn);

	if (READ_ONCE(*state) != TS_PENDING || cmpxchg(state, TS_PENDING, TS_FREE) != TS_PENDING)
		return false;
	return ts_block_drop(b, ts_block_of(b, pfn));
}
