/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memo: what is known of a return address. For the text of a page-allocator
 * wrapper it is how far up the stack the next return address lies; for the text
 * of a call site it is the tag of the site.
 *
 * A table of 64-bit words, in sets of a cache line. An address is looked for in
 * the one word that its hash names, and where that belongs to another address in
 * the rest of the set. A word holds the low 40 bits of the address, which name
 * any kernel or module text, and a value of 24 bits, so a reader in any context
 * sees both or neither.
 *
 * No kernel interface is used here beyond one compare and exchange; the unit
 * tests build it as it is.
 */
#ifndef MMKIT_ALLOCPROF_MEMO_H
#define MMKIT_ALLOCPROF_MEMO_H

#define AP_MEMO_SHIFT		14
#define AP_MEMO_WORDS		(1u << AP_MEMO_SHIFT)
#define AP_MEMO_WAYS		8

#define AP_MEMO_VALUE_BITS	24
#define AP_MEMO_VALUES		(1u << AP_MEMO_VALUE_BITS)

/* A value with this bit is a tag, one without is a distance in bytes. */
#define AP_MEMO_SITE		(AP_MEMO_VALUES >> 1)

static __always_inline u64 ap_memo_key(unsigned long ip)
{
	return (u64)ip << AP_MEMO_VALUE_BITS;
}

/* The word where @ip is looked for first. */
static __always_inline u64 *ap_memo_slot(u64 *memo, unsigned long ip)
{
	/* 2^32 / golden ratio: neighbouring return addresses spread over all words */
	u32 hash = (u32)ip * 0x9e3779b1u;

	return memo + (hash >> (32 - AP_MEMO_SHIFT));
}

/* The set of a word. */
static inline u64 *ap_memo_set(u64 *memo, const u64 *slot)
{
	return memo + (slot - memo) / AP_MEMO_WAYS * AP_MEMO_WAYS;
}

/* Returns the value of @ip; AP_MEMO_VALUES or more when its first word does not have it. */
static __always_inline u64 ap_memo_glance(u64 *memo, unsigned long ip)
{
	/* READ_ONCE() would cost two instructions: the word is aligned, and used once anyway. */
	return data_race(*ap_memo_slot(memo, ip)) ^ ap_memo_key(ip);
}

/* Returns the value of @ip, 0 when there is none. */
static inline u32 ap_memo_find(u64 *memo, unsigned long ip)
{
	const u64 *set = ap_memo_set(memo, ap_memo_slot(memo, ip));
	u64 value = ap_memo_glance(memo, ip);
	unsigned int i;

	for (i = 0; value >= AP_MEMO_VALUES && i < AP_MEMO_WAYS; i++)
		value = READ_ONCE(set[i]) ^ ap_memo_key(ip);
	return value < AP_MEMO_VALUES ? value : 0;
}

/*
 * Remembers a value, which is not 0 and below AP_MEMO_VALUES. In a full set it
 * takes the place of another address, chosen by @victim. Returns true when it
 * did that.
 */
static inline bool ap_memo_add(u64 *memo, unsigned long ip, u32 value, unsigned int victim)
{
	u64 *slot = ap_memo_slot(memo, ip), *set = ap_memo_set(memo, slot);
	u64 key = ap_memo_key(ip);
	unsigned int i;

	/* A hole may lie before the address itself: look for that first. */
	for (i = 0; i < AP_MEMO_WAYS; i++) {
		if ((READ_ONCE(set[i]) ^ key) < AP_MEMO_VALUES) {
			WRITE_ONCE(set[i], key | value);
			return false;
		}
	}
	if (!cmpxchg(slot, 0, key | value))
		return false;
	for (i = 0; i < AP_MEMO_WAYS; i++) {
		if (!cmpxchg(&set[i], 0, key | value))
			return false;
	}
	WRITE_ONCE(set[victim % AP_MEMO_WAYS], key | value);
	return true;
}

/* Forgets all addresses of [@start, @end). */
static inline void ap_memo_forget(u64 *memo, unsigned long start, unsigned long end)
{
	unsigned int i;

	for (i = 0; i < AP_MEMO_WORDS; i++) {
		u64 word = READ_ONCE(memo[i]);
		u64 from_start = (word & ~(u64)(AP_MEMO_VALUES - 1)) - ap_memo_key(start);

		if (word && from_start >> AP_MEMO_VALUE_BITS < end - start)
			cmpxchg(&memo[i], word, 0);
	}
}

#endif /* MMKIT_ALLOCPROF_MEMO_H */
