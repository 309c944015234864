// SPDX-License-Identifier: GPL-2.0-only
/*
 * Marks and runs on a machine in user space: a page allocator that does what
 * the kernel's does to pages, a profiler that keeps marks and counters the way
 * modules/allocprof/events.c, hooks.c and preload.c do, and beside it a model
 * that says for each page who owns it and whether it stands for a call. At each
 * checkpoint the counters equal what the model adds up to.
 */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "ktap.h"
#include "marks.h"

#define MAX_ORDER	10u
#define NR_PAGES	(1u << 15)
#define NR_TAGS		AP_MAX_TAGS16

/* --- the profiler ------------------------------------------------------ */

struct counters {
	u64 pages_in, calls_in, pages_out, calls_out;
};

static bool wide;
static bool scanning;
static u32 table[NR_PAGES] __attribute__((aligned(8)));	/* used as u16 when not wide */
static struct counters counters[NR_TAGS];
static u64 untracked_frees, overwritten;

static u32 known_tag(u32 tag)
{
	EXPECT(tag < NR_TAGS, "tag %#x was never given out", tag);
	return tag % NR_TAGS;
}

static void count_in(u32 tag, u64 pages, u64 calls)
{
	counters[known_tag(tag)].pages_in += pages;
	counters[known_tag(tag)].calls_in += calls;
}

static void count_out(u32 tag, u64 pages, u64 calls)
{
	struct counters *of = &counters[known_tag(tag)];

	of->pages_out += pages;
	of->calls_out += calls;
	EXPECT(of->pages_out <= of->pages_in, "pages of tag %u are negative", tag);
	EXPECT(of->calls_out <= of->calls_in, "calls of tag %u are negative", tag);
}

static void run_out(const struct ap_run *run)
{
	if (ap_counted(run->tag) && run->pages)
		count_out(run->tag, run->pages, run->calls);
}

/* As many marks together as events.c replaces. */
static u32 replace_words(u32 pfn, u32 nr, u64 old, u64 word)
{
	return scanning ? 0 : ap_mark_replace_words(table, wide, pfn, nr, old, word);
}

static void profile_mark(u32 pfn, u32 mark)
{
	u32 old = ap_mark_replace(table, wide, scanning, pfn, mark);

	if (ap_counted(old & (ap_head(wide) - 1))) {
		count_out(old & (ap_head(wide) - 1), 1, !!(old & ap_head(wide)));
		overwritten++;
	}
}

static void profile_alloc(u32 pfn, u32 nr, u32 tag)
{
	u64 empty = ap_mark_word(wide, AP_TAG_EMPTY, false);
	u32 i = 0, in_word = ap_marks_in_word(wide);

	if (nr >= in_word)
		i = replace_words(pfn, in_word, empty, ap_mark_word(wide, tag, true));
	if (!i)
		profile_mark(pfn + i++, tag | ap_head(wide));
	while (i < nr) {
		i += replace_words(pfn + i, nr - i, empty, ap_mark_word(wide, tag, false));
		if (i < nr)
			profile_mark(pfn + i++, tag);
	}
	for (i = 0; i < nr; i++)
		EXPECT(ap_mark_get(table, wide, pfn + i) == (i ? tag : tag | ap_head(wide)),
		       "page %u of %u", i, nr);
	count_in(tag, nr, 1);
}

static void profile_clear(u32 pfn, u32 nr, u32 mark)
{
	struct ap_run run = { .tag = ap_mark_get(table, wide, pfn) & (ap_head(wide) - 1) }, done;
	u64 pages = 0, word = ap_mark_word(wide, mark, false);
	u32 i = 0, some, in_word = ap_marks_in_word(wide);

	if (nr >= in_word) {
		i = replace_words(pfn, in_word, ap_mark_word(wide, run.tag, true), word);
		run.pages = i;
		run.calls = !!i;
	}
	while (i < nr) {
		some = replace_words(pfn + i, nr - i, ap_mark_word(wide, run.tag, false), word);
		run.pages += some;
		i += some;
		if (i == nr)
			break;
		if (ap_run_add(&run, &done, wide,
			       ap_mark_replace(table, wide, scanning, pfn + i++, mark))) {
			run_out(&done);
			pages += done.pages;
		}
	}
	for (i = 0; i < nr; i++)
		EXPECT(ap_mark_get(table, wide, pfn + i) == mark, "page %u", pfn + i);
	run_out(&run);
	EXPECT(pages + run.pages == nr, "runs cover %llu of %u pages",
	       (unsigned long long)(pages + run.pages), nr);
}

static void profile_free(u32 pfn, u32 order)
{
	if (!order && !ap_counted(ap_mark_get(table, wide, pfn) & (ap_head(wide) - 1)))
		untracked_frees++;
	profile_clear(pfn, 1u << order, AP_TAG_EMPTY);
}

static bool profile_if_untagged(u32 pfn, u32 tag)
{
	if (ap_counted(ap_mark_get(table, wide, pfn) & (ap_head(wide) - 1)))
		return false;
	profile_alloc(pfn, 1, tag);
	return true;
}

static void profile_migrate(u32 dst, u32 src, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		u32 to = ap_mark_replace(table, wide, true, dst + i, AP_TAG_EMPTY);
		u32 from = ap_mark_replace(table, wide, true, src + i, AP_TAG_EMPTY);

		/* Of the old page nothing is known yet: the migrator keeps the new one. */
		if (from == AP_TAG_NONE) {
			ap_mark_replace(table, wide, true, dst + i,
					to == AP_TAG_EMPTY ? (u32)AP_TAG_NONE : to);
			continue;
		}
		ap_mark_replace(table, wide, true, dst + i, from);
		if (to != AP_TAG_NONE)
			ap_mark_replace(table, wide, true, src + i, to);
	}
}

static void profile_install(u32 pfn, u32 tag, bool head)
{
	count_in(tag, 1, head);
	if (!ap_mark_change(table, wide, pfn, AP_TAG_NONE, tag | (head ? ap_head(wide) : 0)))
		count_out(tag, 1, head);
}

static void profile_settle(u32 pfn)
{
	u32 mark = ap_mark_get(table, wide, pfn), tag = mark & (ap_head(wide) - 1);

	if (!ap_counted(tag) || tag >= AP_TAG_OVERFLOW)
		return;
	if (ap_mark_change(table, wide, pfn, mark, AP_TAG_EMPTY))
		count_out(tag, 1, mark != tag);
}

/* --- the model --------------------------------------------------------- */

enum owner { NOBODY_LOOKED, FREED, OWNED };

static struct model {
	enum owner owner;
	u32 tag;
	bool call;		/* the page stands for a call */
} model[NR_PAGES];

static void model_own(u32 pfn, u32 nr, u32 tag)
{
	u32 i;

	for (i = 0; i < nr; i++)
		model[pfn + i] = (struct model){ OWNED, tag, !i };
}

static void model_free(u32 pfn, u32 nr)
{
	while (nr--)
		model[pfn++] = (struct model){ FREED, 0, false };
}

static void checkpoint(void)
{
	static u64 pages[NR_TAGS], calls[NR_TAGS];
	u32 pfn, tag;

	memset(pages, 0, sizeof(pages));
	memset(calls, 0, sizeof(calls));
	for (pfn = 0; pfn < NR_PAGES; pfn++) {
		u32 mark = ap_mark_get(table, wide, pfn);
		const struct model *is = &model[pfn];
		u32 expected = is->owner == NOBODY_LOOKED ? (u32)AP_TAG_NONE :
			       is->owner == FREED ? (u32)AP_TAG_EMPTY :
			       is->tag | (is->call ? ap_head(wide) : 0);

		EXPECT(mark == expected, "page %u has mark %#x, not %#x", pfn, mark, expected);
		if (is->owner == OWNED) {
			pages[is->tag]++;
			calls[is->tag] += is->call;
		}
	}
	for (tag = 0; tag < NR_TAGS; tag++) {
		const struct counters *of = &counters[tag];

		EXPECT(of->pages_in - of->pages_out == pages[tag], "tag %u: %lld pages, not %llu",
		       tag, (long long)(of->pages_in - of->pages_out),
		       (unsigned long long)pages[tag]);
		EXPECT(of->calls_in - of->calls_out == calls[tag], "tag %u: %lld calls, not %llu",
		       tag, (long long)(of->calls_in - of->calls_out),
		       (unsigned long long)calls[tag]);
	}
}

/* --- the machine ------------------------------------------------------- */

/* What will be freed by one call; an allocation may be several of them. */
struct block {
	u32 pfn, order;
};

static bool taken[NR_PAGES];
static struct block blocks[NR_PAGES];
static u32 nr_blocks, nr_taken;

static void block_add(u32 pfn, u32 order)
{
	blocks[nr_blocks++] = (struct block){ pfn, order };
}

static struct block block_take(u32 at)
{
	struct block block = blocks[at];

	blocks[at] = blocks[--nr_blocks];
	return block;
}

static u32 random_order(void)
{
	u32 order = 0;

	while (order < MAX_ORDER && random_below(3))
		order++;
	return order;
}

/* Both ends of what a tag of a site can be, and few enough to meet again. */
static u32 random_tag(void)
{
	static const u32 tags[] = { AP_TAG_OVERFLOW, AP_TAG_UNKNOWN, AP_TAG_SITE, NR_TAGS - 1 };

	if (!random_below(10))
		return tags[random_below(ARRAY_SIZE(tags))];
	return AP_TAG_SITE + random_below(300) * 100;
}

/* Returns NR_PAGES when there is no room. */
static u32 pages_take(u32 order)
{
	u32 try, i, nr = 1u << order;

	for (try = 0; try < 12; try++) {
		u32 pfn = random_below(NR_PAGES >> order) << order;

		for (i = 0; i < nr && !taken[pfn + i]; i++)
			;
		if (i < nr)
			continue;
		memset(taken + pfn, 1, nr);
		nr_taken += nr;
		return pfn;
	}
	return NR_PAGES;
}

static u32 machine_alloc(u32 order, u32 tag)
{
	u32 pfn = pages_take(order);

	if (pfn == NR_PAGES)
		return pfn;
	profile_alloc(pfn, 1u << order, tag);
	model_own(pfn, 1u << order, tag);
	return pfn;
}

static void machine_free(u32 pfn, u32 order)
{
	profile_free(pfn, order);
	model_free(pfn, 1u << order);
	memset(taken + pfn, 0, 1u << order);
	nr_taken -= 1u << order;
}

/* --- what drivers do --------------------------------------------------- */

static void do_alloc(void)
{
	u32 order = random_order(), pfn = machine_alloc(order, random_tag());

	if (pfn != NR_PAGES)
		block_add(pfn, order);
}

static void do_free(void)
{
	struct block block;

	if (!nr_blocks)
		return;
	block = block_take(random_below(nr_blocks));
	machine_free(block.pfn, block.order);
}

/* Pieces of any size, each freed some time. */
static void do_split(void)
{
	struct block block;
	u32 at, order, end;

	if (!nr_blocks)
		return;
	block = block_take(random_below(nr_blocks));
	end = block.pfn + (1u << block.order);
	for (at = block.pfn; at < end; at += 1u << order) {
		order = random_below(block.order + 1);
		while (at & ((1u << order) - 1) || at + (1u << order) > end)
			order--;
		if (random_below(4))
			block_add(at, order);
		else
			machine_free(at, order);
	}
}

/* alloc_pages_exact(): the tail goes back page by page. */
static void do_exact(void)
{
	u32 order = random_order(), pfn = machine_alloc(order, random_tag()), used, i;

	if (pfn == NR_PAGES)
		return;
	used = 1 + random_below(1u << order);
	for (i = 0; i < 1u << order; i++) {
		if (i < used)
			block_add(pfn + i, 0);
		else
			machine_free(pfn + i, 0);
	}
}

/* Some pages of a bulk come with an event, under the same tag, most without. */
static void do_bulk(void)
{
	u32 nr = 1 + random_below(100), tag = random_tag(), got[100], i, n = 0;

	for (i = 0; i < nr; i++) {
		u32 pfn = random_below(8) ? pages_take(0) : machine_alloc(0, tag);

		if (pfn != NR_PAGES)
			got[n++] = pfn;
	}
	for (i = 0; i < n; i++) {
		bool event = model[got[i]].owner == OWNED && model[got[i]].tag >= AP_TAG_OVERFLOW;
		/* A free page in a bucket that was not yet settled keeps it. */
		bool bucket = model[got[i]].owner == OWNED && !event;

		EXPECT(profile_if_untagged(got[i], tag) == !(event || bucket), "page %u", got[i]);
		if (!event && !bucket)
			model_own(got[i], 1, tag);
		block_add(got[i], 0);
	}
}

static void do_migrate(void)
{
	struct block *block;
	u32 dst, nr, i;

	if (!nr_blocks)
		return;
	block = &blocks[random_below(nr_blocks)];
	nr = 1u << block->order;
	dst = machine_alloc(block->order, AP_TAG_SITE + 7);
	if (dst == NR_PAGES)
		return;
	profile_migrate(dst, block->pfn, nr);
	for (i = 0; i < nr; i++) {
		struct model from = model[block->pfn + i];

		if (from.owner == NOBODY_LOOKED) {
			model_free(block->pfn + i, 1);
			continue;
		}
		model[block->pfn + i] = model[dst + i];
		model[dst + i] = from;
	}
	i = block->pfn;
	block->pfn = dst;
	machine_free(i, block->order);
}

/* --- pages that were there first --------------------------------------- */

/* What the scan saw of a page a while ago. */
struct sight {
	u32 pfn, tag;
	bool head;
};

static struct sight sights[64];

/* Before the profiler looks: pages are taken without anybody noticing. */
static void boot(void)
{
	u32 order, pfn, i;

	memset(table, 0, sizeof(table));
	memset(counters, 0, sizeof(counters));
	memset(model, 0, sizeof(model));
	memset(taken, 0, sizeof(taken));
	nr_blocks = 0;
	nr_taken = 0;
	untracked_frees = 0;
	overwritten = 0;
	for (i = 0; i < 2000; i++) {
		order = random_order();
		pfn = pages_take(order);
		if (pfn != NR_PAGES)
			block_add(pfn, order);
	}
	for (i = 0; i < ARRAY_SIZE(sights); i++)
		sights[i].pfn = NR_PAGES;
}

/* Classified after what was seen a while ago, which may no longer be so. */
static void install(const struct sight *sight)
{
	struct model *is = &model[sight->pfn];

	if (sight->pfn == NR_PAGES)
		return;
	profile_install(sight->pfn, sight->tag, sight->head);
	if (is->owner == NOBODY_LOOKED)
		*is = (struct model){ OWNED, sight->tag, sight->head };
}

static void see(u32 pfn)
{
	struct sight *sight = &sights[random_below(ARRAY_SIZE(sights))];

	install(sight);
	sight->pfn = NR_PAGES;
	/* Free blocks are left alone, but for those on their way between lists. */
	if (!taken[pfn] && random_below(50))
		return;
	if (ap_mark_get(table, wide, pfn) != AP_TAG_NONE)
		return;
	*sight = (struct sight){ pfn, AP_TAG_ANON + random_below(AP_TAG_OVERFLOW - AP_TAG_ANON),
				 random_below(2) };
}

static void settle(u32 pfn)
{
	if (taken[pfn])
		return;
	profile_settle(pfn);
	if (model[pfn].owner == OWNED)
		model_free(pfn, 1);
}

/* --- the tests --------------------------------------------------------- */

static void do_anything(void)
{
	static void (* const deeds[])(void) = {
		do_alloc, do_alloc, do_alloc, do_free, do_free, do_free, do_free, do_free,
		do_split, do_exact, do_bulk, do_migrate,
	};

	deeds[random_below(ARRAY_SIZE(deeds))]();
	/* Small pages would fill the machine and keep large blocks from ever coming back. */
	if (nr_taken > NR_PAGES / 4 * 3) {
		while (nr_taken > NR_PAGES / 4)
			do_free();
	}
}

/* A chance for the machine to do a few things between two steps of a scan. */
static void meanwhile(void)
{
	if (!random_below(4))
		do_anything();
}

static void scan(void)
{
	u32 pfn, i;

	scanning = true;
	for (pfn = 0; pfn < NR_PAGES; pfn++) {
		see(pfn);
		meanwhile();
	}
	for (i = 0; i < ARRAY_SIZE(sights); i++) {
		install(&sights[i]);
		sights[i].pfn = NR_PAGES;
	}
	checkpoint();
	for (pfn = 0; pfn < NR_PAGES; pfn++) {
		settle(pfn);
		meanwhile();
	}
	scanning = false;
	checkpoint();
}

static void free_everything(void)
{
	u32 tag;

	while (nr_blocks)
		do_free();
	/* Whatever is left in a bucket was free when memory went offline. */
	profile_clear(0, NR_PAGES / 2, AP_TAG_NONE);
	profile_clear(NR_PAGES / 2, NR_PAGES / 2, AP_TAG_NONE);
	for (tag = 0; tag < NR_TAGS; tag++) {
		EXPECT(counters[tag].pages_in == counters[tag].pages_out, "tag %u has pages", tag);
		EXPECT(counters[tag].calls_in == counters[tag].calls_out, "tag %u has calls", tag);
	}
	EXPECT(!counters[AP_TAG_NONE].pages_in && !counters[AP_TAG_EMPTY].pages_in,
	       "free pages are counted");
}

static void everything_at_random(void)
{
	u64 allocated = 0;
	u32 i;

	boot();
	scan();
	for (i = 0; i < 2000000; i++) {
		do_anything();
		if (!(i % 100000))
			checkpoint();
	}
	for (i = 0; i < NR_TAGS; i++)
		allocated += counters[i].pages_in;
	printf("# %llu pages allocated, %llu frees of nobody's pages, %llu marks overwritten\n",
	       (unsigned long long)allocated, (unsigned long long)untracked_frees,
	       (unsigned long long)overwritten);
	EXPECT(allocated > 5000000, "too little happened");
	free_everything();
}

static void in_16_bits(void)
{
	wide = false;
	everything_at_random();
}

static void in_32_bits(void)
{
	wide = true;
	everything_at_random();
}

/* Memory that goes while pages are marked there: their counts go with it. */
static void memory_that_goes(void)
{
	u32 i, tag;

	for (i = 0; i < 2; i++) {
		u32 step;

		wide = i;
		boot();
		scan();
		for (step = 0; step < 50000; step++)
			do_anything();
		profile_clear(0, NR_PAGES, AP_TAG_NONE);
		for (tag = 0; tag < NR_TAGS; tag++)
			EXPECT(counters[tag].pages_in == counters[tag].pages_out &&
			       counters[tag].calls_in == counters[tag].calls_out,
			       "tag %u is left", tag);
	}
}

static void runs_of_pages(void)
{
	static const struct { u32 tag; bool head; } pages[] = {
		{ 0, 0 }, { 10, 1 }, { 10, 0 }, { 10, 1 }, { 0x7fff, 1 }, { 0x7fff, 0 }, { 1, 0 },
		{ 1, 0 }, { 10, 0 },
	};
	static const struct ap_run runs[] = {
		{ AP_TAG_EMPTY, 0, 0 }, { 0, 1, 0 }, { 10, 3, 2 }, { 0x7fff, 2, 1 }, { 1, 2, 0 },
		{ 10, 1, 0 },
	};
	u32 w, i, n;

	for (w = 0; w < 2; w++) {
		struct ap_run run = { .tag = AP_TAG_EMPTY }, done;

		for (i = 0, n = 0; i < ARRAY_SIZE(pages); i++) {
			if (!ap_run_add(&run, &done, w,
					pages[i].tag | (pages[i].head ? ap_head(w) : 0)))
				continue;
			EXPECT(done.tag == runs[n].tag && done.pages == runs[n].pages &&
			       done.calls == runs[n].calls, "run %u", n);
			n++;
		}
		EXPECT(n == ARRAY_SIZE(runs) - 1, "%u runs", n);
		EXPECT(run.tag == runs[n].tag && run.pages == runs[n].pages &&
		       run.calls == runs[n].calls, "last run");
	}
}

/* A mark reaches into no neighbour, in either width. */
static void marks_keep_to_themselves(void)
{
	u32 w, how, i;

	for (w = 0; w < 2; w++) {
		for (how = 0; how < 3; how++) {
			u32 all = w ? ~0u : 0xffff;

			memset(table, 0, sizeof(table));
			for (i = 0; i < 64; i++) {
				if (how == 2)
					EXPECT(ap_mark_change(table, w, i, 0, i % 3 ? all : 0),
					       "mark %u", i);
				else
					EXPECT(!ap_mark_replace(table, w, how, i, i % 3 ? all : 0),
					       "mark %u", i);
			}
			for (i = 0; i < 65; i++)
				EXPECT(ap_mark_get(table, w, i) == (i % 3 && i < 64 ? all : 0),
				       "mark %u", i);
			EXPECT(!ap_mark_change(table, w, 1, 0, 5), "changed a mark that was not so");
			EXPECT(ap_mark_get(table, w, 1) == all, "changed it all the same");
		}
	}
}

/*
 * Classification against the machine on another thread, for real: the sum of
 * both sides' counters is what the marks say in the end.
 */
#define RACE_PAGES	4096u

static u64 race_in[2], race_out[2];	/* [0]: events, [1]: classification */
static bool race_done;

static void *race_scan(void *unused)
{
	u64 state = 20232;

	while (!READ_ONCE(race_done)) {
		u32 pfn = random_next(&state) % RACE_PAGES;

		race_in[1]++;
		if (!ap_mark_change(table, wide, pfn, AP_TAG_NONE, AP_TAG_OTHER | ap_head(wide)))
			race_out[1]++;
	}
	return NULL;
}

static void race(void)
{
	pthread_t thread;
	u64 live = 0;
	u32 i, old;

	memset(table, 0, sizeof(table));
	memset(race_in, 0, sizeof(race_in));
	memset(race_out, 0, sizeof(race_out));
	race_done = false;
	pthread_create(&thread, NULL, race_scan, NULL);
	/* On a busy machine the other thread may not have run yet. */
	for (i = 0; i < 4000000 || (READ_ONCE(race_in[1]) < 100000 && i < 400000000); i++) {
		u32 pfn = random_below(RACE_PAGES);

		/* Now and then nothing is known of the page any more. */
		u32 mark = random_below(8) ? random_below(2) ? AP_TAG_SITE | ap_head(wide) :
			   (u32)AP_TAG_EMPTY : (u32)AP_TAG_NONE;

		old = ap_mark_replace(table, wide, true, pfn, mark);
		race_out[0] += ap_counted(old & (ap_head(wide) - 1));
		race_in[0] += ap_counted(mark & (ap_head(wide) - 1));
	}
	WRITE_ONCE(race_done, true);
	pthread_join(thread, NULL);
	for (i = 0; i < RACE_PAGES; i++)
		live += ap_counted(ap_mark_get(table, wide, i) & (ap_head(wide) - 1));
	EXPECT(race_in[0] + race_in[1] - race_out[0] - race_out[1] == live,
	       "%llu pages are counted, %llu are marked",
	       (unsigned long long)(race_in[0] + race_in[1] - race_out[0] - race_out[1]),
	       (unsigned long long)live);
	EXPECT(race_in[1] - race_out[1] > 1000, "nothing was classified");
}

static void races_with_classification(void)
{
	wide = false;
	race();
	wide = true;
	race();
}

static const struct ktap_test tests[] = {
	{ "marks keep to themselves", marks_keep_to_themselves },
	{ "pages with one tag make a run", runs_of_pages },
	{ "everything at random, 16 bits", in_16_bits },
	{ "everything at random, 32 bits", in_32_bits },
	{ "memory that goes takes its counts along", memory_that_goes },
	{ "classification races with the machine", races_with_classification },
};

int main(void)
{
	return ktap_run(tests, ARRAY_SIZE(tests), 20232);
}
