// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks of tag storage against an oracle that knows no block arithmetic: it lays
 * out the tags of a region byte after byte, page by page, and gives each page one
 * bit in each page of storage that its tags touch. What a block has for users is
 * what these bits, the calls that hold it and its being taken add up to. All
 * counts are compared after each step.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "blocks.h"
#include "ktap.h"

#define MAX_ORDER	10u
#define MAX_START	63u

/* A whole number of blocks of each size below, and two runs of any order fit in. */
#define STORAGE_PAGES	96u
#define PAGES		(STORAGE_PAGES * TS_RATIO)

static const unsigned int block_sizes[] = { 1, 2, 3, 4, 6, 8, 16 };

/* --- the oracle -------------------------------------------------------- */

#define PAGE_BYTES	4096u
#define GRANULE_BYTES	16u
#define TAG_BITS	4u

static struct ts_blocks blocks;
static u32 users[STORAGE_PAGES];
static u8 state[PAGES];

/* The block and the page of storage that hold the tags of a page. */
static unsigned int block_of[PAGES];
static unsigned int storage_of[PAGES];
/* A bit for each page whose tags lie in a page of storage and need it. */
static u32 needed_by[STORAGE_PAGES];
static bool taken[STORAGE_PAGES];
static unsigned int holds[STORAGE_PAGES];

static void lay_out(unsigned int block_pages)
{
	unsigned int page, byte = 0, left = 0, block = 0, storage = 0;

	for (page = 0; page < PAGES; page++) {
		storage_of[page] = storage;
		block_of[page] = block;
		byte += PAGE_BYTES / GRANULE_BYTES * TAG_BITS / 8;
		if (byte < PAGE_BYTES)
			continue;
		EXPECT(byte == PAGE_BYTES, "tags of page %u lie in two pages", page);
		byte = 0;
		storage++;
		if (++left == block_pages) {
			left = 0;
			block++;
		}
	}
	EXPECT(storage == STORAGE_PAGES, "%u pages of storage", storage);
}

static void begin(unsigned int block_pages, unsigned int start)
{
	memset(users, 0, sizeof(users));
	memset(state, TS_FREE, sizeof(state));
	memset(needed_by, 0, sizeof(needed_by));
	memset(taken, 0, sizeof(taken));
	memset(holds, 0, sizeof(holds));
	blocks = (struct ts_blocks) {
		.tagged = 0x40000 + start, .nr_tagged = PAGES,
		.storage = 0xc0000 + start, .nr_storage = STORAGE_PAGES,
		.block_pages = block_pages, .users = users, .state = state,
	};
	lay_out(block_pages);
	EXPECT(!ts_blocks_flaw(&blocks), "%s", ts_blocks_flaw(&blocks));
}

static u32 bit_of(unsigned int page)
{
	return 1u << page % 32;
}

static bool is_counted(unsigned int page)
{
	return needed_by[storage_of[page]] & bit_of(page);
}

/* Pages that need a block, and calls that hold it. */
static unsigned int expected_load(unsigned int block)
{
	unsigned int i, sum = holds[block];

	for (i = 0; i < blocks.block_pages; i++) {
		u32 bits = needed_by[block * blocks.block_pages + i];

		/* Most words are all or nothing, and a sanitizer is slow enough. */
		if (bits == ~0u)
			sum += 32;
		else if (bits)
			sum += __builtin_popcount(bits);
	}
	return sum;
}

static bool agrees(unsigned int block)
{
	unsigned int load = expected_load(block);

	EXPECT(taken[block] || !load, "block %u is lent and has %u users", block, load);
	EXPECT(users[block] == taken[block] + load,
	       "block %u of %u pages, region at %#lx: %u users, %u expected", block,
	       blocks.block_pages, blocks.tagged, users[block], taken[block] + load);
	return users[block] == taken[block] + load;
}

static void compare(void)
{
	unsigned int block;

	for (block = 0; block < STORAGE_PAGES / blocks.block_pages; block++) {
		if (!agrees(block))
			return;
	}
}

/* --- steps, each with what it must answer ------------------------------- */

static void hold(unsigned int block)
{
	bool held = ts_block_hold(&blocks, block);

	EXPECT(held == taken[block], "block %u", block);
	holds[block] += held;
}

static void take(unsigned int block)
{
	ts_block_take(&blocks, block);
	taken[block] = true;
}

static bool drop(unsigned int block)
{
	bool idle = ts_block_drop(&blocks, block);

	if (holds[block])
		holds[block]--;
	else
		EXPECT(!idle, "a user of block %u that nobody had is gone", block);
	EXPECT(!idle || !expected_load(block), "block %u is not idle", block);
	return idle;
}

static void lend(unsigned int block)
{
	bool idle = taken[block] && !expected_load(block);

	EXPECT(ts_block_lend(&blocks, block) == idle, "block %u", block);
	if (idle)
		taken[block] = false;
}

static void reserve(unsigned int page)
{
	enum ts_state old = ts_page_state(&blocks, blocks.tagged + page);
	bool was_free = old == TS_FREE || old == TS_LATE;
	u32 *count = &users[block_of[page]], before = *count;

	EXPECT(was_free != is_counted(page), "page %u", page);
	EXPECT(ts_page_reserve(&blocks, blocks.tagged + page) == was_free, "page %u", page);
	EXPECT(state[page] == TS_RESERVED, "page %u", page);
	EXPECT(*count == before + was_free, "page %u: %u users, %u before", page, *count, before);
	needed_by[storage_of[page]] |= bit_of(page);
}

static void release(unsigned int page)
{
	u32 *count = &users[block_of[page]], before = *count;
	u8 old = state[page];

	EXPECT(ts_page_free(&blocks, blocks.tagged + page) == (old == TS_RESERVED), "page %u", page);
	EXPECT(state[page] == (old == TS_RESERVED ? TS_PENDING :
			       old == TS_LATE ? TS_FREE : old), "page %u", page);
	EXPECT(*count == before, "page %u: %u users, %u before", page, *count, before);
}

static void settle(unsigned int page)
{
	u32 *count = &users[block_of[page]], before = *count;
	bool pending = state[page] == TS_PENDING;
	bool idle = ts_page_settle(&blocks, blocks.tagged + page);

	if (pending)
		needed_by[storage_of[page]] &= ~bit_of(page);
	EXPECT(*count == before - pending, "page %u: %u users, %u before", page, *count, before);
	EXPECT(idle == (pending && *count == 1), "page %u", page);
	EXPECT(!pending || state[page] == TS_FREE, "page %u", page);
}

/* Tags came first: nobody is counted until the block was taken. */
static void be_late(unsigned int page)
{
	u32 *count = &users[block_of[page]], before = *count;
	u8 old = state[page];

	EXPECT(ts_page_late(&blocks, blocks.tagged + page) == (old == TS_FREE), "page %u", page);
	/* What is pending has room still, and must not lose it. */
	EXPECT(state[page] == (old == TS_FREE ? TS_LATE :
			       old == TS_PENDING ? TS_RESERVED : old), "page %u", page);
	EXPECT(*count == before, "page %u: %u users, %u before", page, *count, before);
}

static void catch_up(unsigned int page)
{
	u32 *count = &users[block_of[page]], before = *count;
	u8 old = state[page];

	ts_page_catch_up(&blocks, blocks.tagged + page);
	EXPECT(state[page] == (old == TS_LATE ? TS_RESERVED : old), "page %u", page);
	EXPECT(*count == before + (old == TS_LATE), "page %u: %u users, %u before", page, *count,
	       before);
	if (old == TS_LATE)
		needed_by[storage_of[page]] |= bit_of(page);
}

/* --- what the manager makes of them ------------------------------------- */

/* Blocks that were lent are taken, as reserving does; how many were. */
static unsigned int hold_range(unsigned int page, unsigned int nr, bool *fresh)
{
	unsigned long first = ts_block_of(&blocks, blocks.tagged + page);
	unsigned long span = ts_blocks_spanned(&blocks, blocks.tagged + page, nr), i;
	unsigned int nr_fresh = 0;

	for (i = 0; i < span; i++) {
		fresh[first + i] = !taken[first + i];
		if (fresh[first + i]) {
			hold(first + i);
			take(first + i);
			nr_fresh++;
		}
		hold(first + i);
		agrees(first + i);
	}
	return nr_fresh;
}

static void drop_range(unsigned int page, unsigned int nr)
{
	unsigned long first = ts_block_of(&blocks, blocks.tagged + page);
	unsigned long span = ts_blocks_spanned(&blocks, blocks.tagged + page, nr), i;

	for (i = 0; i < span; i++) {
		drop(first + i);
		agrees(first + i);
	}
}

static void reserve_range(unsigned int page, unsigned int nr)
{
	bool fresh[STORAGE_PAGES];
	unsigned int i;

	hold_range(page, nr, fresh);
	compare();
	for (i = page; i < page + nr; i++) {
		/* Who reserves a page has its block, and no other one too many. */
		EXPECT(holds[block_of[i]], "block of page %u is not held", i);
		reserve(i);
	}
	drop_range(page, nr);
	compare();
}

static void free_range(unsigned int page, unsigned int nr)
{
	unsigned int i;

	for (i = page; i < page + nr; i++)
		release(i);
	compare();
	for (i = page; i < page + nr; i++)
		settle(i);
	compare();
}

static void lend_all(void)
{
	unsigned int block;

	for (block = 0; block < STORAGE_PAGES / blocks.block_pages; block++)
		lend(block);
	compare();
}

static void nothing_is_left(void)
{
	unsigned int i;

	lend_all();
	for (i = 0; i < STORAGE_PAGES / blocks.block_pages; i++)
		EXPECT(!users[i], "block %u has %u users", i, users[i]);
	for (i = 0; i < PAGES; i++)
		EXPECT(state[i] == TS_FREE, "page %u", i);
}

/* --- arithmetic ---------------------------------------------------------- */

/* Blocks that a run of pages needs, counted one by one. */
static unsigned int needed_blocks(unsigned int page, unsigned int nr)
{
	unsigned int i, sum = 1;

	for (i = page + 1; i < page + nr; i++)
		sum += block_of[i] != block_of[i - 1];
	return sum;
}

/* Two formulas that go by the order alone, which once were in use. */
static unsigned long by_order(unsigned int nr, unsigned int block_pages)
{
	(void)block_pages;
	return nr / 32 > 1 ? nr / 32 : 1;
}

static unsigned long by_order_rounded(unsigned int nr, unsigned int block_pages)
{
	return (by_order(nr, 1) + block_pages - 1) / block_pages;
}

struct verdict {
	unsigned long right, wrong;
	/* Too few: tags would be written to memory that is lent. */
	unsigned long too_few;
	/* Where the page allocator can place a run, in a region that begins on its boundary. */
	unsigned long wrong_aligned[ARRAY_SIZE(block_sizes)];
};

static void judge(struct verdict *v, unsigned long says, unsigned long is, bool aligned,
		  unsigned int size)
{
	v->right += says == is;
	v->wrong += says != is;
	v->too_few += says < is;
	v->wrong_aligned[size] += aligned && says != is;
}

static struct verdict ours, first_formula, second_formula;

static void arithmetic_of(unsigned int size, unsigned int start)
{
	unsigned int order, page, needed, nr;

	begin(block_sizes[size], start);
	for (page = 0; page < PAGES; page++) {
		unsigned long pfn = blocks.tagged + page, block = ts_block_of(&blocks, pfn);

		EXPECT(block == block_of[page], "page %u: block %lu", page, block);
		EXPECT(storage_of[page] + blocks.storage - ts_block_storage(&blocks, block) <
		       blocks.block_pages, "page %u has its tags in another block", page);
		EXPECT(pfn - ts_block_tagged(&blocks, block) < ts_block_tagged_pages(&blocks),
		       "page %u is not among those of its block", page);
		EXPECT(ts_is_tagged(&blocks, pfn), "page %u", page);
	}
	for (order = 0; order <= MAX_ORDER; order++) {
		nr = 1u << order;
		needed = needed_blocks(0, nr);
		for (page = 0; page + nr <= PAGES; page++) {
			unsigned long pfn = blocks.tagged + page;
			bool aligned = !start && !(page % nr);

			/* The run moves on by a page: one end gains a block, the other loses one. */
			if (page) {
				needed += block_of[page + nr - 1] != block_of[page + nr - 2];
				needed -= block_of[page] != block_of[page - 1];
			}
			EXPECT(ts_blocks_spanned(&blocks, pfn, nr) == needed,
			       "order %u at page %u: %lu blocks, %u expected", order, page,
			       ts_blocks_spanned(&blocks, pfn, nr), needed);
			judge(&ours, ts_blocks_spanned(&blocks, pfn, nr), needed, aligned, size);
			/* The page allocator places runs by their own size. */
			if (pfn % nr)
				continue;
			judge(&first_formula, by_order(nr, blocks.block_pages), needed, aligned,
			      size);
			judge(&second_formula, by_order_rounded(nr, blocks.block_pages), needed,
			      aligned, size);
		}
	}
}

static void tell(const char *who, const struct verdict *v)
{
	printf("# %s: %lu right, %lu wrong, %lu of them too few\n", who, v->right, v->wrong,
	       v->too_few);
}

static void arithmetic(void)
{
	unsigned int size, start;

	for (size = 0; size < ARRAY_SIZE(block_sizes); size++) {
		for (start = 0; start <= MAX_START; start++)
			arithmetic_of(size, start);
	}
	tell("position", &ours);
	EXPECT(ours.right > 1000000 && !ours.wrong, "%lu wrong", ours.wrong);
	EXPECT(!ts_is_tagged(&blocks, blocks.tagged - 1) &&
	       !ts_is_tagged(&blocks, blocks.tagged + PAGES), "the region has edges");
	EXPECT(ts_is_storage(&blocks, blocks.storage) &&
	       !ts_is_storage(&blocks, blocks.storage - 1) &&
	       !ts_is_storage(&blocks, blocks.storage + STORAGE_PAGES), "the storage has edges");
}

/* Comparing finds what is wrong with formulas that do not know the position. */
static void formulas_by_order(void)
{
	unsigned int size;

	tell("max(pages / 32, 1)", &first_formula);
	tell("DIV_ROUND_UP(max(pages / 32, 1), block)", &second_formula);
	EXPECT(first_formula.wrong && second_formula.wrong && second_formula.too_few,
	       "nothing found");
	for (size = 0; size < ARRAY_SIZE(block_sizes); size++) {
		unsigned int bs = block_sizes[size];

		/* Even with nothing out of place the first is right for single pages only ... */
		EXPECT(!first_formula.wrong_aligned[size] == (bs == 1), "block size %u", bs);
		/* ... and the second for powers of two only. */
		EXPECT(!second_formula.wrong_aligned[size] == !(bs & (bs - 1)),
		       "block size %u", bs);
	}
	begin(2, 0);
	EXPECT(by_order(64, 2) == 2 && needed_blocks(0, 64) == 1, "order 6, block size 2");
	begin(3, 0);
	EXPECT(by_order_rounded(64, 3) == 1 && needed_blocks(64, 64) == 2, "order 6, block size 3");
}

/* --- counts -------------------------------------------------------------- */

static void every_position(void)
{
	unsigned int size, start, order, page;
	unsigned long nr = 0;

	for (size = 0; size < ARRAY_SIZE(block_sizes); size++) {
		for (start = 0; start <= MAX_START; start++) {
			begin(block_sizes[size], start);
			for (order = 0; order <= MAX_ORDER; order++) {
				/* Counts do not know where a region begins: one sees it all. */
				for (page = start; page + (1u << order) <= PAGES;
				     page += start ? 389 : 1) {
					reserve_range(page, 1u << order);
					free_range(page, 1u << order);
					lend_all();
					nr++;
				}
			}
			nothing_is_left();
		}
	}
	printf("# %lu runs of pages\n", nr);
}

/* Two runs that overlap in every way; what is in both is reserved once, freed once. */
static void overlaps(void)
{
	unsigned int size, a, b, from, first, second, step;

	for (size = 0; size < ARRAY_SIZE(block_sizes); size++) {
		begin(block_sizes[size], 17);
		for (a = 0; a <= MAX_ORDER; a++) {
			for (b = 0; b <= a; b++) {
				step = a > 7 ? 13 : 1;
				for (from = 0; from < (1u << a) + (1u << b) - 1; from += step) {
					first = (1u << b) - 1 +
						random_below(PAGES - (1u << a) - 2 * (1u << b) + 3);
					second = first + 1 + from - (1u << b);
					reserve_range(first, 1u << a);
					reserve_range(second, 1u << b);
					free_range(first, 1u << a);
					reserve_range(first, 1);
					free_range(second, 1u << b);
					free_range(first, 1);
					lend_all();
				}
			}
		}
		nothing_is_left();
	}
}

/* A compound page is split, and its parts are freed, and used again, in any order. */
static void partial_frees(void)
{
	unsigned int size, order, part, round, i, j, nr, piece[1u << MAX_ORDER], other;

	for (size = 0; size < ARRAY_SIZE(block_sizes); size++) {
		begin(block_sizes[size], 41);
		for (order = 1; order <= MAX_ORDER; order++) {
			for (part = 0; part < order; part++) {
				for (round = 0; round < 3; round++) {
					unsigned int page = random_below(PAGES - (1u << order) + 1);

					reserve_range(page, 1u << order);
					nr = 1u << (order - part);
					for (i = 0; i < nr; i++) {
						j = random_below(i + 1);
						piece[i] = piece[j];
						piece[j] = i;
					}
					for (i = 0; i < nr; i++) {
						other = page + (piece[i] << part);
						free_range(other, 1u << part);
						lend_all();
						if (random_below(8))
							continue;
						reserve_range(other, 1u << part);
						for (j = 0; j < 1u << part; j++)
							release(other + j);
						/* Freed, but not settled, and taken again. */
						reserve_range(other, 1);
						free_range(other, 1u << part);
					}
					nothing_is_left();
				}
			}
		}
	}
}

/* Reserving that fails has changed nothing, wherever it fails. */
static void rollback(void)
{
	u32 users_before[STORAGE_PAGES];
	u8 state_before[PAGES];
	bool fresh[STORAGE_PAGES];
	unsigned int size, round, i;

	for (size = 0; size < ARRAY_SIZE(block_sizes); size++) {
		begin(block_sizes[size], 5);
		for (round = 0; round < 2000; round++) {
			unsigned int nr = 1u << random_below(MAX_ORDER + 1);
			unsigned int page = random_below(PAGES - nr + 1);

			if (!random_below(3))
				reserve_range(random_below(PAGES - 64), 1 + random_below(64));
			if (!random_below(3))
				free_range(random_below(PAGES - 512), 512);
			memcpy(users_before, users, sizeof(users));
			memcpy(state_before, state, sizeof(state));
			/* The blocks of the first pages were had, the next one was not. */
			nr = 1 + random_below(nr);
			hold_range(page, nr, fresh);
			drop_range(page, nr);
			for (i = block_of[page]; i <= block_of[page + nr - 1]; i++) {
				if (fresh[i])
					lend(i);
			}
			EXPECT(!memcmp(users_before, users, sizeof(users)), "round %u", round);
			EXPECT(!memcmp(state_before, state, sizeof(state)), "round %u", round);
		}
		free_range(0, PAGES);
		nothing_is_left();
	}
}

static void random_steps(void)
{
	unsigned int size, step, page, block, i;
	unsigned long done[10] = {};

	for (size = 0; size < ARRAY_SIZE(block_sizes); size++) {
		begin(block_sizes[size], random_below(MAX_START + 1));
		for (step = 0; step < 200000; step++) {
			unsigned int what = random_below(ARRAY_SIZE(done));

			page = random_below(4) ? random_below(64) : random_below(PAGES);
			block = block_of[page];
			done[what]++;
			switch (what) {
			case 0:
				hold(block);
				break;
			case 1:
				take(block);
				break;
			case 2:
				/* Only who holds a block may drop it, or nobody uses it at all. */
				if (holds[block] || !expected_load(block))
					drop(block);
				break;
			case 3:
				lend(block);
				break;
			case 4:
				if (holds[block])
					reserve(page);
				break;
			case 5:
				release(page);
				break;
			case 6:
				settle(page);
				break;
			case 7:
				i = 1 + random_below(40);
				if (page + i <= PAGES && !random_below(8))
					reserve_range(page, i);
				break;
			case 8:
				be_late(page);
				break;
			case 9:
				if (holds[block])
					catch_up(page);
				break;
			}
			agrees(block);
			if (!(step % 16))
				compare();
		}
		for (block = 0; block < STORAGE_PAGES / blocks.block_pages; block++) {
			while (holds[block])
				drop(block);
		}
		free_range(0, PAGES);
		nothing_is_left();
	}
	for (i = 0; i < ARRAY_SIZE(done); i++)
		EXPECT(done[i] > 1000, "step %u only %lu times", i, done[i]);
}

/* --- threads ------------------------------------------------------------- */

#define THREAD_ROUNDS	600000
/* All work on a few pages for a while, then on others: blocks become idle. */
#define THREAD_WINDOW	(3 * TS_RATIO)
#define THREAD_STAY	200

static pthread_mutex_t region_lock = PTHREAD_MUTEX_INITIALIZER;
static u8 owned[PAGES];
static bool lent_out[STORAGE_PAGES];	/* under region_lock */
static bool stop;
static unsigned long nr_lent, nr_cancelled;

/* As reserving does it: only a block that is lent needs the mutex. */
static void hold_for_use(unsigned int block)
{
	while (!ts_block_hold(&blocks, block)) {
		pthread_mutex_lock(&region_lock);
		ts_block_take(&blocks, block);
		lent_out[block] = false;
		pthread_mutex_unlock(&region_lock);
	}
}

/* A page allocator with one user a page: reserves, uses, frees. */
static void *use_pages(void *seed)
{
	u64 random = (uintptr_t)seed | 1;
	unsigned int round;

	for (round = 0; round < THREAD_ROUNDS; round++) {
		unsigned int page = (round / THREAD_STAY * THREAD_WINDOW +
				     random_next(&random) % THREAD_WINDOW) % PAGES;
		unsigned int block = block_of[page], shared = page / TS_RATIO * TS_RATIO;

		if (page == shared || xchg(&owned[page], 1))
			continue;
		hold_for_use(block);
		/* Nobody owns this one: all reserve, free and settle it at once. */
		ts_page_reserve(&blocks, blocks.tagged + shared);
		EXPECT(READ_ONCE(users[block]) > 1, "block %u", block);
		ts_page_free(&blocks, blocks.tagged + shared);
		ts_page_settle(&blocks, blocks.tagged + shared);
		if (!ts_page_reserve(&blocks, blocks.tagged + page))
			__atomic_fetch_add(&nr_cancelled, 1, __ATOMIC_RELAXED);
		ts_block_drop(&blocks, block);
		EXPECT(READ_ONCE(users[block]) > 1 && READ_ONCE(state[page]) == TS_RESERVED,
		       "page %u lost its block", page);
		EXPECT(ts_page_free(&blocks, blocks.tagged + page), "page %u", page);
		smp_store_release(&owned[page], 0);
	}
	return NULL;
}

/* The worker: settles what was freed and lends what is idle. */
static void *settle_pages(void *unused)
{
	unsigned int page, block;

	(void)unused;
	while (!READ_ONCE(stop)) {
		for (page = 0; page < PAGES; page++)
			ts_page_settle(&blocks, blocks.tagged + page);
		for (block = 0; block < ts_nr_blocks(&blocks); block++) {
			pthread_mutex_lock(&region_lock);
			if (ts_block_lend(&blocks, block)) {
				EXPECT(!lent_out[block], "block %u is lent twice", block);
				lent_out[block] = true;
				nr_lent++;
			}
			pthread_mutex_unlock(&region_lock);
		}
	}
	return NULL;
}

static void threads(void)
{
	pthread_t user[2], worker;
	unsigned int i;

	begin(2, 3);
	memset(lent_out, 1, sizeof(lent_out));
	pthread_create(&worker, NULL, settle_pages, NULL);
	for (i = 0; i < ARRAY_SIZE(user); i++)
		pthread_create(&user[i], NULL, use_pages, (void *)(uintptr_t)(ktap_random + 2 * i));
	for (i = 0; i < ARRAY_SIZE(user); i++)
		pthread_join(user[i], NULL);
	WRITE_ONCE(stop, true);
	pthread_join(worker, NULL);
	for (i = 0; i < PAGES; i += TS_RATIO)
		ts_page_free(&blocks, blocks.tagged + i);
	for (i = 0; i < PAGES; i++)
		ts_page_settle(&blocks, blocks.tagged + i);
	for (i = 0; i < ts_nr_blocks(&blocks); i++) {
		EXPECT(users[i] <= 1, "block %u has %u users", i, users[i]);
		EXPECT(lent_out[i] == !users[i], "block %u", i);
	}
	for (i = 0; i < PAGES; i++)
		EXPECT(state[i] == TS_FREE, "page %u", i);
	printf("# %lu times lent, %lu frees taken back\n", nr_lent, nr_cancelled);
	EXPECT(nr_lent > 10 && nr_cancelled > 10, "the threads did not meet");
}

/* --- descriptions -------------------------------------------------------- */

static void flaws(void)
{
	static const struct {
		struct ts_blocks region;
		const char *word;	/* of the flaw; NULL: none */
	} cases[] = {
		{ { 0x40000, 2048, 0x80000, 64, 1, NULL, NULL }, NULL },
		{ { 0x40000, 2048, 0x40800, 64, 64, NULL, NULL }, NULL },
		{ { 0x40040, 2048, 0x40000, 64, 2, NULL, NULL }, NULL },
		{ { 0x40000, 96 * 32, 0x80000, 96, 6, NULL, NULL }, NULL },
		{ { 0, 2048, 0x80000, 64, 1, NULL, NULL }, NULL },
		{ { 0x40000, 0, 0x80000, 64, 1, NULL, NULL }, "empty" },
		{ { 0x40000, 2048, 0x80000, 0, 1, NULL, NULL }, "empty" },
		{ { 0x40000, 0, 0x80000, 0, 0, NULL, NULL }, "empty" },
		{ { 0x40000, 2048, 0x80000, 64, 0, NULL, NULL }, "whole number" },
		{ { 0x40000, 2048, 0x80000, 64, 3, NULL, NULL }, "whole number" },
		{ { 0x40000, 2048, 0x80000, 64, 128, NULL, NULL }, "whole number" },
		{ { 0x40000, 2047, 0x80000, 64, 1, NULL, NULL }, "1/32" },
		{ { 0x40000, 2049, 0x80000, 64, 1, NULL, NULL }, "1/32" },
		{ { 0x40000, 2048 + 31, 0x80000, 64, 1, NULL, NULL }, "1/32" },
		{ { 0x40000, 2048 + 32, 0x80000, 64, 1, NULL, NULL }, "1/32" },
		{ { 0x40000, 2048, 0x80000, 65, 1, NULL, NULL }, "1/32" },
		/* 32 times this overflows to nothing. */
		{ { 0x40000, 0, 0x80000, 1ul << 59, 1, NULL, NULL }, "empty" },
		{ { 0x40000, 2048, 0x80000, (1ul << 59) + 64, 1, NULL, NULL }, "1/32" },
		{ { -2000ul, 2048, 0x80000, 64, 1, NULL, NULL }, "beyond" },
		{ { 0x40000, 2048, -32ul, 64, 1, NULL, NULL }, "beyond" },
		{ { 0x40000, 2048, 0x40000, 64, 1, NULL, NULL }, "lies in" },
		{ { 0x40000, 2048, 0x407ff, 64, 1, NULL, NULL }, "lies in" },
		{ { 0x40000, 2048, 0x407c0, 64, 1, NULL, NULL }, "lies in" },
		{ { 0x40000, 2048, 0x3ffc1, 64, 1, NULL, NULL }, "lies in" },
		{ { 0x40000, 2048, 0x3ffc0, 64, 1, NULL, NULL }, NULL },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *flaw = ts_blocks_flaw(&cases[i].region);

		EXPECT(flaw ? cases[i].word && strstr(flaw, cases[i].word) : !cases[i].word,
		       "region %u: %s, expected: %s", i, flaw ?: "sound", cases[i].word ?: "sound");
	}
}

static const struct ktap_test tests[] = {
	{ "every page, run and block size agrees with the layout of tags", arithmetic },
	{ "formulas that go by the order are found wrong", formulas_by_order },
	{ "counts of a run at every position", every_position },
	{ "counts of runs that overlap", overlaps },
	{ "counts of a split page that is freed in parts", partial_frees },
	{ "a reserve that fails leaves no trace", rollback },
	{ "random steps", random_steps },
	{ "threads that reserve, free, settle and lend", threads },
	{ "flaws of descriptions", flaws },
};

int main(void)
{
	return ktap_run(tests, ARRAY_SIZE(tests), 41027);
}
