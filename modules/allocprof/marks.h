/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Marks: what the side table says of a page. A mark is a tag and a head bit,
 * in 16 bits, or 32 with wide=1. Every page of an allocation has its tag, the
 * first one also the head bit, so pages of a split, partly freed or migrated
 * allocation are counted right one by one: a page frees its own bytes, a head
 * frees its call.
 *
 * No kernel interface is used here beyond one exchange and one compare and
 * exchange; the unit tests build it as it is.
 */
#ifndef MMKIT_ALLOCPROF_MARKS_H
#define MMKIT_ALLOCPROF_MARKS_H

#define AP_HEAD16	0x8000u
#define AP_HEAD32	0x80000000u

/* Tags below AP_TAG_SITE are not call sites. */
enum ap_tag {
	AP_TAG_NONE,		/* nothing is known of the page */
	AP_TAG_EMPTY,		/* free, or deliberately untracked */
	AP_TAG_ANON,		/* (preload): allocated before we looked */
	AP_TAG_FILE,
	AP_TAG_SLAB,
	AP_TAG_PGTABLE,
	AP_TAG_RESERVED,
	AP_TAG_OTHER,
	AP_TAG_OVERFLOW,	/* no index was left for the call site */
	AP_TAG_UNKNOWN,		/* the stack has no call site */
	AP_TAG_SITE,
};

/* Highest number of tags that marks of each width can hold. */
#define AP_MAX_TAGS16	AP_HEAD16
#define AP_MAX_TAGS32	(1u << 20)

static inline u32 ap_head(bool wide)
{
	return wide ? AP_HEAD32 : AP_HEAD16;
}

static inline bool ap_counted(u32 tag)
{
	return tag > AP_TAG_EMPTY;
}

static __always_inline u32 ap_mark_get(const void *table, bool wide, unsigned long pfn)
{
	return wide ? READ_ONCE(((const u32 *)table)[pfn]) : READ_ONCE(((const u16 *)table)[pfn]);
}

/* Returns the mark that was there. @atomic: somebody else may change it too. */
static __always_inline u32 ap_mark_replace(void *table, bool wide, bool atomic,
					   unsigned long pfn, u32 mark)
{
	u32 old;

	if (wide) {
		u32 *at = (u32 *)table + pfn;

		if (atomic)
			return xchg(at, mark);
		old = READ_ONCE(*at);
		WRITE_ONCE(*at, mark);
	} else {
		u16 *at = (u16 *)table + pfn;

		if (atomic)
			return xchg(at, (u16)mark);
		old = READ_ONCE(*at);
		WRITE_ONCE(*at, (u16)mark);
	}
	return old;
}

/* Returns true when the mark was @old and is @mark now. */
static inline bool ap_mark_change(void *table, bool wide, unsigned long pfn, u32 old, u32 mark)
{
	if (wide)
		return cmpxchg((u32 *)table + pfn, old, mark) == old;
	return cmpxchg((u16 *)table + pfn, (u16)old, (u16)mark) == (u16)old;
}

/* So many marks have a word of 64 bits. */
static __always_inline unsigned int ap_marks_in_word(bool wide)
{
	return wide ? 2 : 4;
}

/* A word of pages with one tag, the first of them a head or not. */
static __always_inline u64 ap_mark_word(bool wide, u32 tag, bool head)
{
	u64 word = tag * (wide ? 0x0000000100000001ull : 0x0001000100010001ull);

	/* Both architectures put what comes first in the low bits. */
	return head ? word | ap_head(wide) : word;
}

/*
 * Replaces the marks of up to @nr pages from @pfn on with @word, word by word,
 * as long as they fill one and that is @old. Returns how many they were. Nobody
 * else may change them.
 */
static __always_inline unsigned long ap_mark_replace_words(void *table, bool wide,
							   unsigned long pfn, unsigned long nr,
							   u64 old, u64 word)
{
	unsigned int in_word = ap_marks_in_word(wide);
	u64 *from = (u64 *)table + pfn / in_word, *to = from + nr / in_word, *at = from;

	if (pfn % in_word)
		return 0;
	for (; at < to && READ_ONCE(*at) == old; at++)
		WRITE_ONCE(*at, word);
	return (at - from) * in_word;
}

/**
 * struct ap_run - neighbouring pages with one tag
 * @tag:   their tag
 * @pages: how many
 * @calls: how many of them are heads
 */
struct ap_run {
	u32 tag;
	unsigned long pages;
	unsigned long calls;
};

/*
 * Adds a page with @mark to the run. Returns true when the page begins a new
 * run: then *@done is the one that ended (its pages may be 0).
 */
static __always_inline bool ap_run_add(struct ap_run *run, struct ap_run *done, bool wide, u32 mark)
{
	u32 tag = mark & (ap_head(wide) - 1);
	unsigned long head = !!(mark & ap_head(wide));
	bool ended = run->tag != tag;

	if (ended) {
		*done = *run;
		run->tag = tag;
		run->pages = 0;
		run->calls = 0;
	}
	run->pages++;
	run->calls += head;
	return ended;
}

#endif /* MMKIT_ALLOCPROF_MARKS_H */
