/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MMKIT_ALLOCPROF_H
#define MMKIT_ALLOCPROF_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/jump_label.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/types.h>

#include <mmkit/component.h>
#include <mmkit/ksym.h>
#include <mmkit/pagetab.h>
#include <mmkit/redirect.h>

#include "compat.h"
#include "marks.h"
#include "memo.h"

#undef pr_fmt
#define pr_fmt(fmt) "mmkit_allocprof: " fmt

struct module;
struct seq_file;
struct zone;

#define AP_COMMON_KSYMS(X)								\
	X(REQUIRED, void, drain_all_pages, (struct zone *zone),				\
	  "free pages on per-CPU lists would be taken for used ones")			\
	X(REQUIRED, int, core_kernel_text, (unsigned long addr),			\
	  "kernel text cannot be told from generated code")				\
	X(REQUIRED, struct module *, __module_text_address, (unsigned long addr),	\
	  "module text cannot be told from generated code")

MMKIT_KSYM_DECLARE_TABLE(AP_COMMON_KSYMS)
extern struct mmkit_component mmkit_ap_component;

/* Parameters. */
extern bool mmkit_ap_wide;
extern bool mmkit_ap_verify;
extern uint mmkit_ap_max_sites;
extern char *mmkit_ap_skip;

/* Guards everything that starts and stops; reports hold it while they look. */
extern struct mutex mmkit_ap_lock;
extern bool mmkit_ap_enabled;
extern struct mmkit_pagetab *mmkit_ap_side_table;

/* --- counters, books.c --- */

/**
 * struct ap_counters - one tag on one CPU; only ever grow
 * @singles_in:  allocations of one page that got the tag
 * @singles_out: allocations of one page that lost it
 * @pages_in:	 pages besides these that got it
 * @calls_in:	 allocations besides these that got it
 * @pages_out:	 pages besides these that lost it
 * @calls_out:	 allocations besides these that lost it
 *
 * A single page is what is mostly asked for: one counter is all that it touches.
 */
struct ap_counters {
	u64 singles_in;
	u64 singles_out;
	u64 pages_in;
	u64 calls_in;
	u64 pages_out;
	u64 calls_out;
};

/*
 * Counts one, on whatever CPU: counters are only ever summed, so it matters that
 * no count is lost, and not whose it is. For the latter arm64 would disable
 * preemption.
 */
#ifdef CONFIG_ARM64
#define ap_count(counter)	atomic64_inc((atomic64_t *)raw_cpu_ptr(&(counter)))
#else
#define ap_count(counter)	this_cpu_inc(counter)
#endif

/* Tags come in chunks, because per-CPU memory does: 24 KiB a chunk and CPU. */
#define AP_CHUNK_SHIFT	9
#define AP_CHUNK_TAGS	(1u << AP_CHUNK_SHIFT)

enum ap_stat {
	AP_STAT_UNWINDS,
	AP_STAT_MEMO_EVICTIONS,
	AP_STAT_UNTRACKED_FREES,
	AP_STAT_OVERWRITTEN,
	AP_STAT_BULK_PAGES,
	AP_STAT_CONTIG_PAGES,
	AP_STAT_MIGRATED,
	AP_STAT_MIGRATED_UNKNOWN,
	AP_STAT_RETAGGED,
	AP_STAT_NO_TAG_READY,
	AP_STAT_VERIFIED,
	AP_STAT_MISMATCHES,
	AP_NR_STATS,
};

DECLARE_PER_CPU(unsigned long [AP_NR_STATS], mmkit_ap_stats);

static inline void ap_stat(enum ap_stat stat)
{
	this_cpu_inc(mmkit_ap_stats[stat]);
}

/**
 * struct ap_live - what a tag stands for now and in all
 */
struct ap_live {
	u64 pages, calls;		/* live */
	u64 all_pages, all_calls;	/* ever allocated */
};

void mmkit_ap_live(u32 tag, struct ap_live *live);
u64 mmkit_ap_stat_sum(enum ap_stat stat);

/**
 * struct ap_books - where the pages of the machine are
 * @managed:   pages the page allocator was given. A balloon driver takes the
 *	       pages that it holds off this number although they are tracked:
 *	       the books are short by the balloon then.
 * @tracked:   live pages of call sites, (overflow) and (unknown)
 * @preload:   live pages of the preload buckets but (reserved)
 * @reserved:  pages of (preload) reserved, not part of @managed
 * @free:      free pages in the buddy lists
 * @pcp:       free pages on per-CPU lists
 * @unaccepted: pages that the firmware has not yet given; part of @preload
 */
struct ap_books {
	u64 managed, tracked, preload, reserved, free, pcp, unaccepted;
};

void mmkit_ap_books(struct ap_books *books);
s64 mmkit_ap_unaccounted(const struct ap_books *books);

/* --- tags and call sites, sites.c --- */

/**
 * struct ap_chunk - AP_CHUNK_TAGS tags
 * @counters: their counters
 * @ip:	      return address of each site; stays after its text is gone
 * @name:     name of a site whose text is gone, NULL while it can be looked up
 */
struct ap_chunk {
	struct ap_counters __percpu *counters;
	unsigned long ip[AP_CHUNK_TAGS];
	char *name[AP_CHUNK_TAGS];
};

#define AP_MAX_CHUNKS	(AP_MAX_TAGS32 >> AP_CHUNK_SHIFT)

extern u32 mmkit_ap_nr_tags;	/* one past the last tag that exists */
extern struct ap_chunk *mmkit_ap_chunks[AP_MAX_CHUNKS];
/* For each chunk where the counters of tag 0 would be, were they before its own. */
extern struct ap_counters __percpu *mmkit_ap_counters[AP_MAX_CHUNKS];

static inline struct ap_chunk *ap_chunk(u32 tag)
{
	return READ_ONCE(mmkit_ap_chunks[tag >> AP_CHUNK_SHIFT]);
}

/* The counters of a tag that exists. */
static __always_inline struct ap_counters __percpu *ap_counters(unsigned long tag)
{
	/* Not by an index: nobody has to check it. READ_ONCE() would cost an instruction. */
	return data_race(*(mmkit_ap_counters + (tag >> AP_CHUNK_SHIFT))) + tag;
}

int mmkit_ap_sites_start(void);
void mmkit_ap_sites_stop(void);
u32 mmkit_ap_site_tag(unsigned long ip);
unsigned long mmkit_ap_site_ip(u32 tag);
u32 mmkit_ap_tags(void);
u32 mmkit_ap_nr_sites(void);
bool mmkit_ap_overflowed(void);
u64 mmkit_ap_sites_bytes(void);
bool mmkit_ap_tag_shown(u32 tag);

/* "symbol:offset [module]", and "symbol" alone; either buffer may be NULL. */
#define AP_NAME_LEN	192
void mmkit_ap_tag_name(u32 tag, char *tag_buf, char *func_buf);

/* --- text of the page allocator's wrappers, wrappers.c --- */

int mmkit_ap_wrappers_find(void);
bool mmkit_ap_is_wrapper(unsigned long ip);
bool mmkit_ap_is_text(unsigned long ip);

/* --- call sites, callsite.c and unwind_*.c --- */

extern u64 *mmkit_ap_memo;

int mmkit_ap_memo_start(void);
void mmkit_ap_memo_stop(void);
void mmkit_ap_memo_forget_text(unsigned long start, unsigned long end);
u32 mmkit_ap_callsite_slow(void *frame);
void mmkit_ap_callsite_verify(u32 tag);
extern unsigned long mmkit_ap_mismatch_memo, mmkit_ap_mismatch_unwound;

#include "unwind.h"

/* Deepest chain of wrappers that is followed; most have two or three. */
#define AP_MAX_DEPTH	24
#define AP_USUAL_DEPTH	6

/**
 * struct ap_usual - a return address that is usual at one level of the chain
 * @ip:	  the address, in text of the kernel itself, which stays; 0 until it is known
 * @step: how far from there the next one is
 *
 * Where the probe itself returns to is always the same; where that returns to is
 * mostly. To compare with what is expected costs half of what the memo does.
 */
struct ap_usual {
	unsigned long ip, step;
};

#define AP_USUAL_LEVELS	2

extern struct ap_usual mmkit_ap_usual[AP_USUAL_LEVELS];

/*
 * What the memo has for the call site above a function whose ap_frame_here() is
 * @frame, the first return address outside the page allocator's wrappers:
 * AP_MEMO_SITE and its tag. 0 when the first words of the memo do not say.
 */
static __always_inline unsigned long ap_callsite_known(void *frame)
{
	struct ap_step step = ap_step_first(frame);
	int i;

#pragma GCC unroll 2
	for (i = 0; i < AP_USUAL_LEVELS; i++) {
		/* READ_ONCE() would cost an instruction. */
		if (unlikely(ap_step_ip(&step) != data_race(mmkit_ap_usual[i].ip)))
			break;
		ap_step_next(&step, mmkit_ap_usual[i].step);
	}
#pragma GCC unroll 6
	for (i = 0; i < AP_USUAL_DEPTH; i++) {
		u64 known = ap_memo_glance(mmkit_ap_memo, ap_step_ip(&step));

		if (known >= AP_MEMO_SITE)
			return known < AP_MEMO_VALUES ? known : 0;
		ap_step_next(&step, known);
	}
	return 0;
}

/* The tag of that site. */
static inline u32 ap_callsite(void *frame)
{
	unsigned long known = ap_callsite_known(frame);
	u32 tag = known ? known - AP_MEMO_SITE : mmkit_ap_callsite_slow(frame);

	if (unlikely(mmkit_ap_verify))
		mmkit_ap_callsite_verify(tag);
	return tag;
}

/* --- page events, events.c --- */

extern void *mmkit_ap_table;
DECLARE_STATIC_KEY_FALSE(mmkit_ap_scanning);

int mmkit_ap_events_start(void);
void mmkit_ap_events_stop(void);
bool mmkit_ap_mark_if_untagged(unsigned long pfn, u32 tag, bool head);
void mmkit_ap_count_in(u32 tag, u64 pages, u64 calls);
void mmkit_ap_count_out(u32 tag, u64 pages, u64 calls);
void mmkit_ap_drop_range(unsigned long pfn, unsigned long nr_pages);

/* --- what the events miss, hooks.c --- */

int mmkit_ap_hooks_start(void);
void mmkit_ap_hooks_stop(void);

/* --- pages that were there first, preload.c --- */

void mmkit_ap_preload_scan(struct mmkit_pagetab *tab);

/* --- files, report.c --- */

extern const struct attribute * const mmkit_ap_attrs[];
void mmkit_ap_report_files(void);
int mmkit_ap_set_enabled(bool on);

#endif /* MMKIT_ALLOCPROF_H */
