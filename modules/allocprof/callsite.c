// SPDX-License-Identifier: GPL-2.0-only
/*
 * Call sites: who asked the page allocator.
 *
 * How it works. The fast way (ap_callsite() in allocprof.h) walks up the stack
 * from the frame of our own probe, return address by return address, with the
 * memo as its only guide: a wrapper's entry says how far away the next return
 * address is, a call site's entry says which tag it has. It looks at one word
 * for each; here the rest of the memo is asked. What the memo does not know is
 * unwound, truly, and remembered where that is safe:
 *
 *  - the word on the stack is the return address itself, not that of a tracer's
 *    trampoline, so it will mean the same next time;
 *  - the frame has a constant size according to the unwind tables;
 *  - the text belongs to the kernel or a module, not to generated code, whose
 *    addresses are used again;
 *  - and it is forgotten when the module, or its init text, goes: entries made
 *    by a probe in flight at that moment go in a second round, after a grace
 *    period.
 */
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/stacktrace.h>

#include "allocprof.h"

u64 *mmkit_ap_memo __read_mostly;
struct ap_usual mmkit_ap_usual[AP_USUAL_LEVELS] __read_mostly;

/* Who is to be the usual one of a level, and by how many votes it is ahead. */
static struct ap_candidate {
	atomic_t busy;
	unsigned long ip;
	unsigned int votes;
} candidates[AP_USUAL_LEVELS];

/* So many more new sites have it than have not. */
#define USUAL_LEAD	3

/* The last disagreement between memo and unwinder, for the report. */
unsigned long mmkit_ap_mismatch_memo, mmkit_ap_mismatch_unwound;

static void memo_remember(unsigned long ip, u32 value)
{
	if (value && ap_memo_add(mmkit_ap_memo, ip, value, (unsigned int)(ip >> 5)))
		ap_stat(AP_STAT_MEMO_EVICTIONS);
}

/*
 * Each new site votes for its return address; who is ahead of all others stays.
 * At the first level there is but one. A vote that nests in another is lost.
 */
static void usual_vote(unsigned int level, unsigned long ip, u32 step)
{
	struct ap_candidate *candidate = &candidates[level];
	struct ap_usual *usual = &mmkit_ap_usual[level];

	if (READ_ONCE(usual->ip) || !step || !mmkit_ksym(core_kernel_text)(ip) ||
	    atomic_xchg(&candidate->busy, 1))
		return;
	if (!candidate->votes || candidate->ip == ip) {
		candidate->ip = ip;
		candidate->votes++;
	} else {
		candidate->votes--;
	}
	if (!usual->ip && candidate->votes > level * USUAL_LEAD) {
		usual->step = step;
		/* Only x86 reads the step, and in this order. */
		smp_store_release(&usual->ip, ip);
	}
	atomic_set_release(&candidate->busy, 0);
}

/* The whole memo, as deep as it goes: 0 when it does not know. */
static u32 memo_walk(void *frame)
{
	struct ap_step step = ap_step_first(frame);
	int i;

	for (i = 0; i < AP_MAX_DEPTH; i++) {
		u32 known = ap_memo_find(mmkit_ap_memo, ap_step_ip(&step));

		if (known & AP_MEMO_SITE)
			return known & ~AP_MEMO_SITE;
		if (!known)
			return 0;
		ap_step_next(&step, known);
	}
	return 0;
}

/*
 * Unwinds from @frame to the call site, fills the memo on the way, and returns
 * the tag of the site.
 */
noinline u32 mmkit_ap_callsite_slow(void *frame)
{
	struct ap_unwind unwind;
	struct ap_frame at;
	u32 known = memo_walk(frame);
	int i;

	if (known)
		return known;
	ap_stat(AP_STAT_UNWINDS);
	mmkit_ap_unwind_start(&unwind, frame);
	for (i = 0; i < 2 * AP_MAX_DEPTH && mmkit_ap_unwind_frame(&unwind, &at); i++) {
		u32 tag;

		if (!mmkit_ap_is_text(at.ip))
			continue;
		if (mmkit_ap_is_wrapper(at.ip)) {
			if (at.raw != at.ip)
				continue;
			memo_remember(at.ip, at.step);
			if (i < AP_USUAL_LEVELS)
				usual_vote(i, at.ip, at.step);
			continue;
		}
		tag = mmkit_ap_site_tag(at.ip);
		if (at.raw == at.ip && (tag >= AP_TAG_SITE || mmkit_ap_overflowed()))
			memo_remember(at.ip, AP_MEMO_SITE | tag);
		return tag;
	}
	return AP_TAG_UNKNOWN;
}

/* Asks the kernel's own stack walk, which knows nothing of the memo. */
noinline void mmkit_ap_callsite_verify(u32 tag)
{
	unsigned long trace[2 * AP_MAX_DEPTH];
	unsigned long ip = 0, known;
	unsigned int i, nr;

	if (tag == AP_TAG_OVERFLOW)
		return;
	nr = stack_trace_save(trace, ARRAY_SIZE(trace), 1);
	for (i = 0; i < nr && !ip; i++) {
		if (mmkit_ap_is_text(trace[i]) && !mmkit_ap_is_wrapper(trace[i]))
			ip = trace[i];
	}
	known = tag >= AP_TAG_SITE ? mmkit_ap_site_ip(tag) : 0;
	ap_stat(AP_STAT_VERIFIED);
	if (ip != known) {
		ap_stat(AP_STAT_MISMATCHES);
		WRITE_ONCE(mmkit_ap_mismatch_memo, known);
		WRITE_ONCE(mmkit_ap_mismatch_unwound, ip);
	}
}

void mmkit_ap_memo_forget_text(unsigned long start, unsigned long end)
{
	ap_memo_forget(mmkit_ap_memo, start, end);
}

int mmkit_ap_memo_start(void)
{
	mmkit_ap_memo = kvcalloc(AP_MEMO_WORDS, sizeof(*mmkit_ap_memo), GFP_KERNEL);
	if (!mmkit_ap_memo)
		return -ENOMEM;
	mmkit_ap_mismatch_memo = 0;
	mmkit_ap_mismatch_unwound = 0;
	return 0;
}

void mmkit_ap_memo_stop(void)
{
	kvfree(mmkit_ap_memo);
	mmkit_ap_memo = NULL;
	memset(mmkit_ap_usual, 0, sizeof(mmkit_ap_usual));
	memset(candidates, 0, sizeof(candidates));
}
