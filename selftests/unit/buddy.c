// SPDX-License-Identifier: GPL-2.0-only
/*
 * The buddy allocator against an array of pages: who has each page, and with which
 * order. What is free follows from that alone: a chunk of some order can be had when
 * all pages of a naturally aligned run are free, and the free chunks are the runs
 * that no larger free run contains.
 */
#include <limits.h>
#include <string.h>

#include "ktap.h"
#include "buddy.h"

#define MAX_PAGES	(1u << UM_BUDDY_MAX_ORDER)
#define WORD_ORDER	6	/* pages of a word of model.free */

static struct um_buddy buddy, buddy_before;
static unsigned long *map_before;

static struct {
	u32 pages;			/* of the block */
	u32 last_owner;
	u32 owner[MAX_PAGES];		/* 0: free; no two allocations have the same */
	u8 order[MAX_PAGES];
	u64 free[MAX_PAGES / 64];	/* a bit a page, for the speed of the figures below */

	u32 nr_free;
	int largest;
	u32 runs[UM_BUDDY_MAX_ORDER + 2];	/* free, aligned; may be parts of larger ones */
	u32 chunks[UM_BUDDY_MAX_ORDER + 1];	/* those that are not */
} model;

/* What a free is, in the eyes of the model. */
enum verdict { GOOD, NOT_ALLOCATED, INSIDE, WRONG_ORDER, BEYOND, TOO_LARGE, NR_VERDICTS };

static const char *const verdict_names[NR_VERDICTS] = {
	"good", "of free pages", "inside a chunk", "of wrong order", "beyond the block",
	"too large",
};

/* What has happened. */
static struct {
	u32 allocs, no_room, takes, not_free;
	u32 frees[NR_VERDICTS];
	u32 whole, full;
} nr;

/* The figures from the bitmap: the runs of an order are pairs of runs of the one below. */
static void model_figures(void)
{
	static const u64 aligned[WORD_ORDER + 1] = {
		-1ull, 0x5555555555555555, 0x1111111111111111, 0x0101010101010101,
		0x0001000100010001, 0x0000000100000001, 1,
	};
	static u64 run[MAX_PAGES / 64];
	u32 words = (model.pages + 63) / 64, order, i;

	memcpy(run, model.free, words * sizeof(run[0]));
	memset(model.runs, 0, sizeof(model.runs));
	model.largest = -1;
	for (order = 0; order <= buddy.max; order++) {
		for (i = 0; i < words; i++)
			model.runs[order] += run[i] ? __builtin_popcountll(run[i]) : 0;
		if (!model.runs[order])
			break;
		model.largest = order;
		for (i = 0; i < words && order < WORD_ORDER; i++)
			run[i] &= run[i] >> (1u << order) & aligned[order + 1];
		for (i = 0; i < words && order >= WORD_ORDER; i++) {
			u32 step = 1u << (order - WORD_ORDER);

			run[i] = i % (2 * step) || i + step >= words ? 0 : run[i] & run[i + step];
		}
	}
	for (order = 0; order <= buddy.max; order++)
		model.chunks[order] = model.runs[order] - 2 * model.runs[order + 1];
	model.nr_free = model.runs[0];
}

static void model_set(u32 page, u32 order, u32 owner)
{
	u32 i;

	for (i = page; i < page + (1u << order); i++) {
		model.owner[i] = owner;
		model.order[i] = order;
		if (!owner == !(model.free[i / 64] >> i % 64 & 1))
			model.free[i / 64] ^= 1ull << i % 64;
	}
}

static bool model_run_free(u32 page, u32 order)
{
	u32 i;

	if (order < WORD_ORDER) {
		u64 mask = (1ull << (1u << order)) - 1;

		return (model.free[page / 64] >> page % 64 & mask) == mask;
	}
	for (i = page / 64; i < (page + (1u << order)) / 64; i++) {
		if (model.free[i] != -1ull)
			return false;
	}
	return true;
}

static bool model_is_chunk(u32 page, u32 order)
{
	u32 twice = page & ~(1u << order);

	return model_run_free(page, order) &&
	       (order == buddy.max || !model_run_free(twice, order + 1));
}

static enum verdict model_verdict(u32 page, u32 order)
{
	if (order > buddy.max)
		return TOO_LARGE;
	if (page >= model.pages)
		return BEYOND;
	if (!model.owner[page])
		return NOT_ALLOCATED;
	if (page && model.owner[page - 1] == model.owner[page])
		return INSIDE;
	return model.order[page] == order ? GOOD : WRONG_ORDER;
}

static size_t map_bytes(void)
{
	return um_buddy_map_words(buddy.max) * sizeof(long);
}

/* The map is as long as it must be, so that the sanitizer sees what is beyond. */
static void block_start(u32 max)
{
	unsigned long *map = calloc(um_buddy_map_words(max), sizeof(long));

	memset(&buddy, 0xa5, sizeof(buddy));
	if (!map)
		abort();
	um_buddy_init(&buddy, max, map);
	map_before = malloc(map_bytes());
	if (!map_before)
		abort();
	memset(&model, 0, sizeof(model));
	memset(&nr, 0, sizeof(nr));
	model.pages = 1u << max;
	memset(model.free, 0xff, sizeof(model.free));
	if (model.pages < 64)
		model.free[0] = (1ull << model.pages) - 1;
	model_figures();
}

static void block_end(void)
{
	free(buddy.map);
	free(map_before);
}

static void remember(void)
{
	buddy_before = buddy;
	memcpy(map_before, buddy.map, map_bytes());
}

static bool same(const struct um_buddy *one, const struct um_buddy *other)
{
	return one->max == other->max && one->all == other->all && one->orders == other->orders &&
	       one->pages == other->pages && one->map == other->map && one->used == other->used &&
	       !memcmp(one->count, other->count, sizeof(one->count));
}

static bool unchanged(void)
{
	return same(&buddy, &buddy_before) &&
	       !memcmp(buddy.map, map_before, map_bytes());
}

static void check_figures(void)
{
	u32 order;

	model_figures();
	EXPECT(buddy.pages == model.nr_free, "%u instead of %u", buddy.pages, model.nr_free);
	EXPECT(um_buddy_largest(&buddy) == model.largest, "%d instead of %d",
	       um_buddy_largest(&buddy), model.largest);
	EXPECT(um_buddy_whole(&buddy) == (model.nr_free == model.pages), "%u of %u are free",
	       model.nr_free, model.pages);
	for (order = 0; order <= buddy.max; order++) {
		EXPECT(buddy.count[order] == model.chunks[order], "order %u: %u instead of %u",
		       order, buddy.count[order], model.chunks[order]);
		EXPECT((buddy.orders >> order & 1) == !!model.chunks[order], "order %u", order);
	}
	EXPECT(!(buddy.orders >> order), "orders %#x, the block has %u", buddy.orders, buddy.max);
	nr.whole += model.nr_free == model.pages;
	nr.full += !model.nr_free;
}

/* The figures once more, page by page, and each free and each take that must be refused. */
static void check_slowly(void)
{
	u32 order, page, i;

	for (page = 0; page < model.pages; page++)
		EXPECT(!!model.owner[page] != (model.free[page / 64] >> page % 64 & 1), "page %u",
		       page);
	for (order = 0; order <= buddy.max; order++) {
		u32 runs = 0;

		for (page = 0; page < model.pages; page += 1u << order) {
			for (i = 0; i < 1u << order && !model.owner[page + i]; i++)
				;
			runs += i == 1u << order;
		}
		EXPECT(runs == model.runs[order], "%u instead of %u runs of order %u",
		       model.runs[order], runs, order);
	}
	remember();
	for (order = 0; order <= buddy.max + 1; order++) {
		for (page = 0; page < model.pages + 2; page++) {
			enum verdict verdict = model_verdict(page, order);

			EXPECT(verdict == GOOD || !um_buddy_free(&buddy, page, order),
			       "page %u, order %u: %s", page, order, verdict_names[verdict]);
		}
	}
	for (page = 0; page < model.pages; page++)
		EXPECT(!model.owner[page] || !um_buddy_take(&buddy, page), "page %u", page);
	EXPECT(unchanged(), "a refusal has left traces");
}

/*
 * What breaks up is the smallest chunk that is large enough, so that large ones stay
 * whole, and the first of them.
 */
static void check_choice(u32 page, u32 order)
{
	u32 first = 0;

	while (!model.chunks[order])
		order++;
	while (!model_is_chunk(first, order))
		first += 1u << order;
	EXPECT(page == first, "page %u instead of %u, the first chunk of order %u", page, first,
	       order);
}

static void alloc(u32 order, bool choice)
{
	bool room = order <= buddy.max && model.runs[order];
	u32 i;
	int page;

	remember();
	page = um_buddy_alloc(&buddy, order);
	EXPECT((page >= 0) == room, "order %u: page %d", order, page);
	if (page < 0) {
		EXPECT(page == -1 && unchanged(), "order %u: page %d", order, page);
		nr.no_room++;
		return;
	}
	if (!room)
		return;
	if (page >= (int)model.pages || page & ((1 << order) - 1)) {
		EXPECT(false, "order %u: page %d of %u", order, page, model.pages);
		return;
	}
	for (i = page; i < page + (1u << order); i++)
		EXPECT(!model.owner[i], "order %u: page %d has an owner", order, i);
	if (choice)
		check_choice(page, order);
	model_set(page, order, ++model.last_owner);
	check_figures();
	nr.allocs++;
}

static void take(u32 page)
{
	bool expected = !model.owner[page], taken;

	remember();
	taken = um_buddy_take(&buddy, page);
	EXPECT(taken == expected, "page %u", page);
	if (!expected) {
		EXPECT(unchanged(), "page %u", page);
		nr.not_free++;
		return;
	}
	model_set(page, 0, ++model.last_owner);
	check_figures();
	nr.takes++;
}

static void give(u32 page, u32 order)
{
	enum verdict verdict = model_verdict(page, order);
	bool freed;

	remember();
	freed = um_buddy_free(&buddy, page, order);
	EXPECT(freed == (verdict == GOOD), "page %u, order %u: %s", page, order,
	       verdict_names[verdict]);
	nr.frees[verdict]++;
	if (verdict != GOOD) {
		EXPECT(unchanged(), "page %u, order %u: %s", page, order, verdict_names[verdict]);
		return;
	}
	model_set(page, order, 0);
	check_figures();
}

static u32 too_large(void)
{
	static const u32 orders[] = { 31, 32, 33, 63, 64, 65, INT_MAX, 1u << 31, UINT_MAX };
	u32 n = random_below(2 * ARRAY_SIZE(orders));

	return n < ARRAY_SIZE(orders) ? orders[n] : buddy.max + 1 + n % 3;
}

/* The first page of a chunk that is allocated, or of the block when there is none. */
static u32 any_allocated(void)
{
	u32 page = random_below(model.pages);

	if (model.nr_free == model.pages)
		return 0;
	while (!model.owner[page])
		page = (page + 1) & (model.pages - 1);
	return page >> model.order[page] << model.order[page];
}

static u32 freed_page, freed_order;

static void give_wrong(void)
{
	u32 page = any_allocated(), order = model.order[page];

	switch (random_below(8)) {
	case 0:
		return give(freed_page, freed_order);
	case 1:
		return give(page, random_below(buddy.max + 1));
	case 2:
		return give(page, too_large());
	case 3:
		return give(page + ((1 + random_below(-1u >> buddy.max)) << buddy.max), order);
	case 4:
		return give(model.pages + random_below(model.pages), random_below(buddy.max + 1));
	case 5:		/* inside, at a page that fits the order and at any */
		return give(page + (random_below(1u << order) & -1u << random_below(order + 1)),
			    random_below(order + 1));
	case 6:		/* what contains it */
		order = random_below(buddy.max + 1);
		return give(page >> order << order, order);
	default:
		return give(random_below(model.pages), random_below(buddy.max + 1));
	}
}

static void give_allocated(void)
{
	u32 page = any_allocated();

	freed_page = page;
	freed_order = model.order[page];
	give(freed_page, freed_order);
}

static void fuzz(u32 max, u32 steps)
{
	u32 phase_end = 0, allocs = 0, top = 0, i;

	block_start(max);
	check_figures();
	for (i = 0; i < steps && !ktap_failures; i++) {
		/* Phases that fill and phases that empty, with chunks small or large. */
		if (i == phase_end) {
			static const u32 percent[] = { 3, 40, 55, 65, 80, 97 };

			phase_end += 1 + random_below(8u << max);
			allocs = percent[random_below(ARRAY_SIZE(percent))];
			top = random_below(max + 1);
		}
		if (!random_below(4))
			give_wrong();
		else if (random_below(100) >= allocs)
			give_allocated();
		else if (!random_below(5))
			take(random_below(model.pages));
		else
			alloc(random_below(40) ? random_below(top + 1) : too_large(),
			      !random_below(8));
		if (!(i % 4096))
			check_slowly();
	}
	printf("# order %u: %u steps, %u allocated, %u taken, %u freed; whole %u, full %u times\n",
	       max, i, nr.allocs, nr.takes, nr.frees[GOOD], nr.whole, nr.full);
	for (i = 0; i < NR_VERDICTS; i++) {
		EXPECT(nr.frees[i] > steps / 1000 || (!max && (i == INSIDE || i == WRONG_ORDER)),
		       "only %u frees %s", nr.frees[i], verdict_names[i]);
	}
	EXPECT(nr.allocs > steps / 100 && nr.no_room > steps / 100 && nr.takes > steps / 100 &&
	       nr.not_free > steps / 100, "too little happened");
	EXPECT(nr.whole >= 5 && nr.full >= 5, "whole %u times, full %u times", nr.whole, nr.full);

	/* Back to the beginning, and no trace of all that. */
	while (model.nr_free < model.pages && !ktap_failures)
		give_allocated();
	remember();
	memset(buddy.map, 0, map_bytes());
	um_buddy_init(&buddy, max, buddy.map);
	EXPECT(unchanged(), "order %u: an empty block is not as it was", max);
	block_end();
}

static void ten_million_steps(void)
{
	fuzz(9, 10000000);
}

static void blocks_of_other_orders(void)
{
	u32 max;

	for (max = 0; max <= 8; max++)
		fuzz(max, 200000);
	fuzz(10, 200000);
	fuzz(11, 200000);
	fuzz(12, 200000);
	fuzz(13, 300000);
}

/*
 * All that can happen to a small block. A state is who has which page, a byte each;
 * each state that can be reached is met with each call. The allocator must be in the
 * same state whenever the model is: then this is all sequences, of whatever length.
 */
#define SMALL		3
#define NR_STATES	677	/* of a block of order SMALL */
#define FREE		0xffu
#define REST		0xfeu	/* not the first page of a chunk */

static struct {
	u8 pages[1 << SMALL];
	struct um_buddy buddy;
	unsigned long map[2];
} states[NR_STATES];
static u32 nr_states;

static void state_get(u32 n)
{
	u32 page;

	buddy = states[n].buddy;
	memcpy(buddy.map, states[n].map, map_bytes());
	model_set(0, buddy.max, 0);
	for (page = 0; page < model.pages; page++) {
		if (states[n].pages[page] < REST)
			model_set(page, states[n].pages[page], ++model.last_owner);
	}
	model_figures();
}

static void state_put(void)
{
	u8 pages[1 << SMALL] = { 0 };
	u32 page, n;

	for (page = 0; page < model.pages; page++)
		pages[page] = !model.owner[page] ? FREE :
			      page && model.owner[page - 1] == model.owner[page] ? REST :
			      model.order[page];
	for (n = 0; n < nr_states && memcmp(states[n].pages, pages, sizeof(pages)); n++)
		;
	if (n < nr_states) {
		EXPECT(same(&states[n].buddy, &buddy) &&
		       !memcmp(states[n].map, buddy.map, map_bytes()),
		       "order %u: state %u depends on the way to it", buddy.max, n);
		return;
	}
	if (n == NR_STATES) {
		EXPECT(false, "order %u: too many states", buddy.max);
		return;
	}
	memcpy(states[n].pages, pages, sizeof(pages));
	states[n].buddy = buddy;
	memcpy(states[n].map, buddy.map, map_bytes());
	nr_states++;
}

static void all_of_a_small_block(void)
{
	u32 max, expected, n, page, order;

	/* A block is free, or allocated, or two halves that are not both free. */
	for (max = 0, expected = 2; max <= SMALL; max++, expected = expected * expected + 1) {
		nr_states = 0;
		block_start(max);
		EXPECT(map_bytes() <= sizeof(states[0].map), "%zu bytes", map_bytes());
		check_figures();
		state_put();
		for (n = 0; n < nr_states && !ktap_failures; n++) {
			for (order = 0; order <= max + 2; order++) {
				state_get(n);
				alloc(order, true);
				state_put();
			}
			for (page = 0; page < model.pages; page++) {
				state_get(n);
				take(page);
				state_put();
			}
			for (order = 0; order <= max + 2; order++) {
				for (page = 0; page < 4 * model.pages; page++) {
					state_get(n);
					give(page, order);
					state_put();
				}
			}
		}
		EXPECT(nr_states == expected, "order %u: %u instead of %u states", max, nr_states,
		       expected);
		block_end();
	}
}

/* Half a byte a page, in whole longs; and each single page and each chunk has a place. */
static void memory_and_reach(void)
{
	u32 max, order, page;

	for (max = 0; max <= UM_BUDDY_MAX_ORDER; max++) {
		u32 longs = 2u << max <= UM_LONG_BITS ? 1 : (2u << max) / UM_LONG_BITS;

		block_start(max);
		EXPECT(um_buddy_map_words(max) == 2 * longs, "order %u: %u longs", max,
		       um_buddy_map_words(max));
		for (order = 0; order <= max && !ktap_failures; order++) {
			for (page = 0; page < model.pages; page += 1u << order)
				alloc(order, false);
			alloc(0, false);
			EXPECT(!model.nr_free, "order %u: %u pages are left", order, model.nr_free);
			/* Every other one first, so that there are no buddies to join. */
			for (page = model.pages; page; page -= 1u << order) {
				if (page >> order & 1)
					give(page - (1u << order), order);
			}
			EXPECT(model.largest == (int)order, "order %u: %d is free", order,
			       model.largest);
			for (page = 0; page < model.pages; page += 1u << order) {
				if (page >> order & 1)
					give(page, order);
			}
			EXPECT(um_buddy_whole(&buddy), "order %u: not whole", order);
		}
		for (page = 0; page < model.pages && !ktap_failures; page++)
			take(page ^ 1 % model.pages);
		EXPECT(!model.nr_free, "%u pages are left", model.nr_free);
		block_end();
	}
}

static const struct ktap_test tests[] = {
	{ "blocks of orders 0 to 3, all that can happen", all_of_a_small_block },
	{ "the map is as long as it must be, and all pages can be had", memory_and_reach },
	{ "ten million random steps on a block of order 9", ten_million_steps },
	{ "blocks of other orders, up to the largest", blocks_of_other_orders },
};

int main(void)
{
	return ktap_run(tests, ARRAY_SIZE(tests), 20235);
}
