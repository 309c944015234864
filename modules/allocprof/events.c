// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page events: the hot path.
 *
 * An allocation finds its call site, marks its pages and counts; a free reads
 * the marks and counts back. Both run in any context, NMI included, and nest in
 * each other: they take no lock and allocate nothing, and all they change are
 * per-CPU counters, with single this_cpu operations, and the marks of pages
 * that belong to them for the moment. Only while pages are being classified
 * (preload.c) does somebody else write marks; then they exchange them
 * atomically.
 *
 * Frees leave AP_TAG_EMPTY behind, not AP_TAG_NONE: classification takes only
 * pages of which nothing is known.
 */
#include <linux/mm.h>
#include <linux/module.h>

#include <mmkit/page_events.h>

#include "allocprof.h"

void *mmkit_ap_table __read_mostly;
DEFINE_STATIC_KEY_FALSE(mmkit_ap_scanning);
static DEFINE_STATIC_KEY_FALSE(wide_key);
DEFINE_PER_CPU(unsigned long [AP_NR_STATS], mmkit_ap_stats);

static __always_inline u32 mark_replace(bool wide, unsigned long pfn, u32 mark)
{
	if (static_branch_unlikely(&mmkit_ap_scanning))
		return ap_mark_replace(mmkit_ap_table, wide, true, pfn, mark);
	return ap_mark_replace(mmkit_ap_table, wide, false, pfn, mark);
}

/* A tag that was never given out can only come from a table that is corrupt. */
static noinline void bad_tag(void)
{
	mmkit_fuse_blow(&mmkit_ap_component, "a page carries a tag that does not exist");
}

static __always_inline struct ap_counters __percpu *tag_counters(u32 tag)
{
	struct ap_chunk *chunk = likely(tag < AP_MAX_TAGS32) ? ap_chunk(tag) : NULL;

	if (unlikely(!chunk)) {
		bad_tag();
		return NULL;
	}
	return chunk->counters + (tag & (AP_CHUNK_TAGS - 1));
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

static __always_inline void mark_alloc(bool wide, unsigned long pfn, unsigned long nr, u32 tag,
				       bool head)
{
	u32 mark = head ? tag | ap_head(wide) : tag;
	unsigned long i;

	for (i = 0; i < nr; i++) {
		u32 old = mark_replace(wide, pfn + i, mark);

		if (unlikely((old & (ap_head(wide) - 1)) > AP_TAG_EMPTY))
			overwritten(wide, old);
		mark = tag;
	}
	count_in(tag, nr, head);
}

/* Takes the marks of a range away. */
static void clear_range(bool wide, unsigned long pfn, unsigned long nr, u32 mark)
{
	struct ap_run run = { .tag = AP_TAG_EMPTY }, done;
	unsigned long i;

	for (i = 0; i < nr; i++) {
		if (ap_run_add(&run, &done, wide, mark_replace(wide, pfn + i, mark)))
			run_out(&done);
	}
	run_out(&run);
}

static __always_inline void mark_free(bool wide, unsigned long pfn, unsigned int order)
{
	u32 old, tag;

	if (order) {
		clear_range(wide, pfn, 1UL << order, AP_TAG_EMPTY);
		return;
	}
	old = mark_replace(wide, pfn, AP_TAG_EMPTY);
	tag = old & (ap_head(wide) - 1);
	if (likely(ap_counted(tag)))
		count_out(tag, 1, !!(old & ap_head(wide)));
	else
		ap_stat(AP_STAT_UNTRACKED_FREES);
}

static void notrace on_alloc(void *data, struct page *page, unsigned int order, gfp_t gfp, int type)
{
	u32 tag;

	if (unlikely(!page))
		return;
	preempt_disable_notrace();
	tag = ap_callsite(__builtin_frame_address(0));
	if (static_branch_unlikely(&wide_key))
		mark_alloc(true, page_to_pfn(page), 1UL << order, tag, true);
	else
		mark_alloc(false, page_to_pfn(page), 1UL << order, tag, true);
	preempt_enable_notrace();
}

static void notrace on_free(void *data, struct page *page, unsigned int order)
{
	preempt_disable_notrace();
	if (static_branch_unlikely(&wide_key))
		mark_free(true, page_to_pfn(page), order);
	else
		mark_free(false, page_to_pfn(page), order);
	preempt_enable_notrace();
}

/* Pages change hands inside the suite. */
static void on_retag(void *data, unsigned long pfn, unsigned int order, unsigned long ip)
{
	u32 tag;

	preempt_disable_notrace();
	tag = mmkit_ap_site_tag(ip);
	clear_range(mmkit_ap_wide, pfn, 1UL << order, AP_TAG_EMPTY);
	mark_alloc(mmkit_ap_wide, pfn, 1UL << order, tag, true);
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
	mark_alloc(mmkit_ap_wide, pfn, 1, tag, head);
	return true;
}

/* Memory goes offline: nobody will free these pages. */
void mmkit_ap_drop_range(unsigned long pfn, unsigned long nr_pages)
{
	clear_range(mmkit_ap_wide, pfn, nr_pages, AP_TAG_NONE);
}

static struct mmkit_page_events events = {
	.name	= "allocprof",
	.alloc	= on_alloc,
	.free	= on_free,
	.retag	= on_retag,
};

int mmkit_ap_events_start(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		memset(per_cpu_ptr(&mmkit_ap_stats, cpu), 0, sizeof(mmkit_ap_stats));
	if (mmkit_ap_wide)
		static_branch_enable(&wide_key);
	return mmkit_page_events_register(&events);
}

void mmkit_ap_events_stop(void)
{
	mmkit_page_events_unregister(&events);
}
