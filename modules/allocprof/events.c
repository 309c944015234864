// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page events: the hot path.
 *
 * An allocation finds its call site, marks its pages and counts; a free reads
 * the marks and counts back. Both run in any context, NMI included, and nest in
 * each other: they take no lock and allocate nothing, and all they change are
 * per-CPU counters, with single this_cpu operations, and the marks of pages
 * that belong to them for the moment. So what is usual does not mind being
 * preempted, which newer tracepoints allow; the rest disables preemption. Only
 * while pages are being classified (preload.c) does somebody else write marks;
 * then they exchange them atomically.
 *
 * Frees leave AP_TAG_EMPTY behind, not AP_TAG_NONE: classification takes only
 * pages of which nothing is known.
 */
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>

#include <mmkit/page_events.h>

#include "allocprof.h"

void *mmkit_ap_table __read_mostly;
DEFINE_STATIC_KEY_FALSE(mmkit_ap_scanning);
DEFINE_PER_CPU(unsigned long [AP_NR_STATS], mmkit_ap_stats);

static __always_inline u32 mark_replace_in(void *table, bool wide, unsigned long index, u32 mark)
{
	if (static_branch_unlikely(&mmkit_ap_scanning))
		return ap_mark_replace(table, wide, true, index, mark);
	return ap_mark_replace(table, wide, false, index, mark);
}

static __always_inline u32 mark_replace(bool wide, unsigned long pfn, u32 mark)
{
	return mark_replace_in(mmkit_ap_table, wide, pfn, mark);
}

/*
 * The table as seen from the struct page: a shift of the address of that is an
 * index, if from another beginning. It saves the way by the frame number.
 */
static void *table_by_page __read_mostly;

static __always_inline unsigned long mark_index(const struct page *page)
{
	if (!is_power_of_2(sizeof(*page)))
		return page_to_pfn(page);
	return (unsigned long)page / sizeof(*page);
}

static __always_inline u32 mark_replace_page(bool wide, const struct page *page, u32 mark)
{
	return mark_replace_in(table_by_page, wide, mark_index(page), mark);
}

/* A tag that was never given out can only come from a table that is corrupt. */
static noinline void bad_tag(void)
{
	mmkit_fuse_blow(&mmkit_ap_component, "a page carries a tag that does not exist");
}

static __always_inline struct ap_counters __percpu *tag_counters(u32 tag)
{
	if (unlikely(tag >= READ_ONCE(mmkit_ap_nr_tags))) {
		bad_tag();
		return NULL;
	}
	return ap_counters(tag);
}

static __always_inline void count_in(u32 tag, u64 pages, u64 calls)
{
	struct ap_counters __percpu *counters = tag_counters(tag);

	if (unlikely(!counters))
		return;
	this_cpu_add(counters->pages_in, pages);
	this_cpu_add(counters->calls_in, calls);
}

static __always_inline void count_out(u32 tag, u64 pages, u64 calls)
{
	struct ap_counters __percpu *counters = tag_counters(tag);

	if (unlikely(!counters))
		return;
	/* Whoever sees the page go out sees that it came in (mmkit_ap_live()). */
	smp_wmb();
	this_cpu_add(counters->pages_out, pages);
	this_cpu_add(counters->calls_out, calls);
}

void mmkit_ap_count_in(u32 tag, u64 pages, u64 calls)
{
	count_in(tag, pages, calls);
}

void mmkit_ap_count_out(u32 tag, u64 pages, u64 calls)
{
	count_out(tag, pages, calls);
}

static void run_out(const struct ap_run *run)
{
	if (ap_counted(run->tag) && run->pages)
		count_out(run->tag, run->pages, run->calls);
}

/* The page had a mark although it was free: its free went unseen. */
static noinline void overwritten(bool wide, u32 old)
{
	struct ap_run run = { .tag = AP_TAG_NONE }, none;

	ap_run_add(&run, &none, wide, old);
	run_out(&run);
	ap_stat(AP_STAT_OVERWRITTEN);
}

static __always_inline void mark_one(bool wide, unsigned long pfn, u32 mark)
{
	u32 old = mark_replace(wide, pfn, mark);

	if (unlikely((old & (ap_head(wide) - 1)) > AP_TAG_EMPTY))
		overwritten(wide, old);
}

/* Not word by word while somebody else may write. */
static __always_inline unsigned long replace_words(bool wide, unsigned long pfn, unsigned long nr,
						   u64 old, u64 word)
{
	if (static_branch_unlikely(&mmkit_ap_scanning))
		return 0;
	return ap_mark_replace_words(mmkit_ap_table, wide, pfn, nr, old, word);
}

/* Gives pages a tag, the first of them a call. */
static __always_inline void mark_range(bool wide, unsigned long pfn, unsigned long nr, u32 tag)
{
	const u64 empty = ap_mark_word(wide, AP_TAG_EMPTY, false);
	unsigned long i = 0;

	if (nr >= ap_marks_in_word(wide))
		i = replace_words(wide, pfn, ap_marks_in_word(wide), empty,
				  ap_mark_word(wide, tag, true));
	if (!i)
		mark_one(wide, pfn + i++, tag | ap_head(wide));
	while (i < nr) {
		i += replace_words(wide, pfn + i, nr - i, empty, ap_mark_word(wide, tag, false));
		if (i < nr)
			mark_one(wide, pfn + i++, tag);
	}
	count_in(tag, nr, 1);
}

/* Takes the marks of a range away. */
static __always_inline void clear_range(bool wide, unsigned long pfn, unsigned long nr, u32 mark)
{
	const u64 word = ap_mark_word(wide, mark, false);
	struct ap_run run = { }, done;
	unsigned long i = 0, some;
	u64 old;

	/* What begins with the head of an allocation is mostly all of it. */
	run.tag = ap_mark_get(mmkit_ap_table, wide, pfn) & (ap_head(wide) - 1);
	if (nr >= ap_marks_in_word(wide)) {
		i = replace_words(wide, pfn, ap_marks_in_word(wide),
				  ap_mark_word(wide, run.tag, true), word);
		run.pages = i;
		run.calls = !!i;
	}
	while (i < nr) {
		old = ap_mark_word(wide, run.tag, false);
		some = replace_words(wide, pfn + i, nr - i, old, word);
		run.pages += some;
		i += some;
		if (i == nr)
			break;
		if (ap_run_add(&run, &done, wide, mark_replace(wide, pfn + i++, mark)))
			run_out(&done);
	}
	run_out(&run);
}

static noinline void retag_range(unsigned long pfn, unsigned long nr, u32 tag)
{
	clear_range(mmkit_ap_wide, pfn, nr, AP_TAG_EMPTY);
	mark_range(mmkit_ap_wide, pfn, nr, tag);
}

/*
 * The rest of an allocation event that is not the usual one: of many pages, of a
 * call site that the memo does not know at a glance, or one to verify.
 */
static noinline void alloc_slow(void *frame, struct page *page, unsigned int order)
{
	unsigned long pfn = page_to_pfn(page);
	u32 tag;

	preempt_disable_notrace();
	tag = ap_callsite(frame);
	if (mmkit_ap_wide)
		mark_range(true, pfn, 1UL << order, tag);
	else
		mark_range(false, pfn, 1UL << order, tag);
	preempt_enable_notrace();
}

/*
 * A page that a known call site allocates. Whatever else there is to do is done
 * by somebody who is called last, so that no register has to be saved.
 */
static __always_inline void alloc_event(bool wide, bool verify, void *frame, struct page *page,
					unsigned int order)
{
	unsigned long known, tag;
	u32 old;

	if (unlikely(!page))
		return;
	if (unlikely(verify || order)) {
		alloc_slow(frame, page, order);
		ap_frame_keep();
		return;
	}
	known = ap_callsite_known(frame);
	if (unlikely(known < AP_MEMO_SITE)) {
		alloc_slow(frame, page, 0);
		ap_frame_keep();
		return;
	}
	/* It is in the memo, so it exists. */
	tag = known - AP_MEMO_SITE;
	old = mark_replace_page(wide, page, tag + ap_head(wide));
	ap_count(ap_counters(tag)->singles_in);
	if (unlikely((old & (ap_head(wide) - 1)) > AP_TAG_EMPTY))
		overwritten(wide, old);
}

static noinline void free_range(struct page *page, unsigned int order)
{
	preempt_disable_notrace();
	if (mmkit_ap_wide)
		clear_range(true, page_to_pfn(page), 1UL << order, AP_TAG_EMPTY);
	else
		clear_range(false, page_to_pfn(page), 1UL << order, AP_TAG_EMPTY);
	preempt_enable_notrace();
}

/* A page that stood for no call, or of which nothing is known. */
static noinline void free_odd(bool wide, u32 mark)
{
	u32 tag = mark & (ap_head(wide) - 1);

	preempt_disable_notrace();
	if (ap_counted(tag))
		count_out(tag, 1, !!(mark & ap_head(wide)));
	else
		ap_stat(AP_STAT_UNTRACKED_FREES);
	preempt_enable_notrace();
}

static __always_inline void free_event(bool wide, struct page *page, unsigned int order)
{
	u32 mark, tag;

	if (unlikely(order)) {
		free_range(page, order);
		return;
	}
	mark = mark_replace_page(wide, page, AP_TAG_EMPTY);
	tag = mark - ap_head(wide);
	/* What is no head is far above all tags. READ_ONCE() would cost an instruction. */
	if (unlikely(tag >= data_race(mmkit_ap_nr_tags))) {
		free_odd(wide, mark);
		return;
	}
	/* Whoever sees the page go out sees that it came in (mmkit_ap_live()). */
	smp_wmb();
	ap_count(ap_counters(tag)->singles_out);
}

/* A probe for each way the module can have been loaded. */
#define ALLOC_PROBE(name, wide, verify)							\
static void notrace name(void *data, struct page *page, unsigned int order, gfp_t gfp, int type) \
{											\
	alloc_event(wide, verify, ap_frame_here(), page, order);				\
}

#define FREE_PROBE(name, wide)								\
static void notrace name(void *data, struct page *page, unsigned int order)		\
{											\
	free_event(wide, page, order);							\
}

ALLOC_PROBE(on_alloc, false, false)
ALLOC_PROBE(on_alloc_verify, false, true)
ALLOC_PROBE(on_alloc_wide, true, false)
ALLOC_PROBE(on_alloc_wide_verify, true, true)
FREE_PROBE(on_free, false)
FREE_PROBE(on_free_wide, true)

/* Pages change hands inside the suite. */
static void on_retag(void *data, unsigned long pfn, unsigned int order, unsigned long ip)
{
	u32 tag;

	preempt_disable_notrace();
	tag = mmkit_ap_site_tag(ip);
	retag_range(pfn, 1UL << order, tag);
	ap_stat(AP_STAT_RETAGGED);
	preempt_enable_notrace();
}

/*
 * Marks one page, with @head as an allocation of its own, unless it has a tag.
 * For pages that were taken without an event and belong to the caller.
 * Preemption is disabled. Returns true when the page is marked now.
 */
bool mmkit_ap_mark_if_untagged(unsigned long pfn, u32 tag, bool head)
{
	u32 old = ap_mark_get(mmkit_ap_table, mmkit_ap_wide, pfn);

	if (ap_counted(old & (ap_head(mmkit_ap_wide) - 1)))
		return false;
	mark_one(mmkit_ap_wide, pfn, head ? tag | ap_head(mmkit_ap_wide) : tag);
	count_in(tag, 1, head);
	return true;
}

/* Memory goes offline: nobody will free these pages. */
void mmkit_ap_drop_range(unsigned long pfn, unsigned long nr_pages)
{
	clear_range(mmkit_ap_wide, pfn, nr_pages, AP_TAG_NONE);
}

static struct mmkit_page_events events = {
	.name	= "allocprof",
	.retag	= on_retag,
};

int mmkit_ap_events_start(void)
{
	size_t width = mmkit_ap_wide ? sizeof(u32) : sizeof(u16);
	int cpu;

	table_by_page = mmkit_ap_table - mark_index(pfn_to_page(0)) * width;
	for_each_possible_cpu(cpu)
		memset(per_cpu_ptr(&mmkit_ap_stats, cpu), 0, sizeof(mmkit_ap_stats));
	if (mmkit_ap_verify)
		events.alloc = mmkit_ap_wide ? on_alloc_wide_verify : on_alloc_verify;
	else
		events.alloc = mmkit_ap_wide ? on_alloc_wide : on_alloc;
	events.free = mmkit_ap_wide ? on_free_wide : on_free;
	return mmkit_page_events_register(&events);
}

void mmkit_ap_events_stop(void)
{
	mmkit_page_events_unregister(&events);
}
