// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memo against a map of address to value. The memo may forget when a set is
 * full; what it must never do is answer with another address's value, or with
 * anything for an address whose text is gone.
 */
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "ktap.h"
#include "memo.h"

static u64 memo[AP_MEMO_WORDS] __attribute__((aligned(64)));

/* Where text lies on the kernels that we know. */
static const unsigned long text_bases[] = {
	0xffffffff81000000,	/* amd64 kernel */
	0xffffffff9a600000,	/* the same, moved */
	0xffffffffc0000000,	/* amd64 modules */
	0xffffffffff000000 - 0x100000,	/* the last of them */
	0xffff800008000000,	/* arm64 kernel */
	0xffffbb8f4c000000,	/* the same, moved */
	0xffffa58c11000000,	/* arm64 modules */
};

#define TEXT_BYTES	0x100000ul
#define NR_IPS		30000u

static unsigned long ips[NR_IPS];	/* sorted, no two alike in the low 40 bits */
static u32 model[NR_IPS];		/* 0: none */

static int ip_cmp(const void *a, const void *b)
{
	unsigned long left = *(const unsigned long *)a, right = *(const unsigned long *)b;

	return left < right ? -1 : left > right;
}

static void make_ips(void)
{
	u32 i, j = 0;

	for (i = 0; i < NR_IPS; i++)
		ips[i] = text_bases[random_below(ARRAY_SIZE(text_bases))] +
			 random_below(TEXT_BYTES);
	qsort(ips, NR_IPS, sizeof(ips[0]), ip_cmp);
	for (i = 1; i < NR_IPS; i++) {
		if (ips[i] <= ips[i - 1])
			ips[i] = ips[i - 1] + 1;
	}
	for (i = 0; i < NR_IPS; i++)
		j += !(ips[i] << AP_MEMO_VALUE_BITS);
	EXPECT(!j, "an address has no key");
	memset(memo, 0, sizeof(memo));
	memset(model, 0, sizeof(model));
}

static u32 random_value(void)
{
	u32 value = 1 + random_below(AP_MEMO_VALUES - 1);

	/* both ends of what a value can be */
	switch (random_below(16)) {
	case 0:
		return 1;
	case 1:
		return AP_MEMO_VALUES - 1;
	case 2:
		return AP_MEMO_SITE;
	default:
		return value;
	}
}

static bool in_range(unsigned long ip, unsigned long start, unsigned long end)
{
	return ip >= start && ip < end;
}

/* No word may be left whose key lies in the range, whoever put it there. */
static void check_forgotten(unsigned long start, unsigned long end)
{
	u64 low = (u64)start << AP_MEMO_VALUE_BITS >> AP_MEMO_VALUE_BITS;
	u32 i;

	for (i = 0; i < AP_MEMO_WORDS; i++) {
		u64 key = memo[i] >> AP_MEMO_VALUE_BITS;

		EXPECT(!memo[i] || key < low || key - low >= end - start,
		       "key %#llx of the range %#lx to %#lx is left", (unsigned long long)key,
		       start, end);
	}
}

/* Answers are what was put last, or nothing once evicted. */
static void check_all(bool evictions)
{
	u32 i;

	for (i = 0; i < NR_IPS; i++) {
		u32 value = ap_memo_find(memo, ips[i]);
		u64 glance = ap_memo_glance(memo, ips[i]);

		EXPECT(glance >= AP_MEMO_VALUES || glance == value, "%#lx: a glance says %#llx, not %#x",
		       ips[i], (unsigned long long)glance, value);
		EXPECT(value == model[i] || (evictions && !value), "%#lx: %#x instead of %#x",
		       ips[i], value, model[i]);
		if (!value)
			model[i] = 0;
	}
}

static void forget(unsigned long start, unsigned long end)
{
	u32 i;

	ap_memo_forget(memo, start, end);
	check_forgotten(start, end);
	for (i = 0; i < NR_IPS; i++) {
		if (in_range(ips[i], start, end))
			model[i] = 0;
	}
}

static void forget_random(void)
{
	unsigned long start = text_bases[random_below(ARRAY_SIZE(text_bases))] +
			      random_below(TEXT_BYTES);

	forget(start, start + random_below(TEXT_BYTES / 4));
}

/* A value belongs to an address for as long as its text lives. */
static void like_a_map(void)
{
	u32 i, evicted = 0;

	make_ips();
	for (i = 0; i < 3000000; i++) {
		u32 n = random_below(NR_IPS);
		u32 value = ap_memo_find(memo, ips[n]);

		EXPECT(!value || value == model[n], "%#lx: %#x instead of %#x", ips[n], value,
		       model[n]);
		if (!value) {
			model[n] = model[n] ?: random_value();
			evicted += ap_memo_add(memo, ips[n], model[n], random_next(&ktap_random));
			EXPECT(ap_memo_find(memo, ips[n]) == model[n], "%#lx is not found", ips[n]);
		}
		if (!random_below(20000)) {
			forget_random();
			check_all(true);
		}
	}
	EXPECT(evicted > 1000, "only %u evictions", evicted);
	for (i = 0; i < ARRAY_SIZE(text_bases); i++)
		forget(text_bases[i], text_bases[i] + TEXT_BYTES + NR_IPS);
	for (i = 0; i < AP_MEMO_WORDS; i++)
		EXPECT(!memo[i], "word %u is left", i);
}

/* While there is room nothing gets lost. */
static void no_loss_while_there_is_room(void)
{
	u32 i;

	make_ips();
	for (i = 0; i < NR_IPS; i += 40) {
		model[i] = random_value();
		EXPECT(!ap_memo_add(memo, ips[i], model[i], i), "%#lx evicts", ips[i]);
	}
	check_all(false);
	for (i = 0; i < NR_IPS; i += 40) {
		model[i] = random_value();
		EXPECT(!ap_memo_add(memo, ips[i], model[i], i), "%#lx evicts itself", ips[i]);
	}
	check_all(false);
}

/* The first @nr addresses from @ip on whose set is that of @ip. */
static void same_set(unsigned long ip, unsigned long *found, u32 nr)
{
	u64 *set = ap_memo_set(memo, ap_memo_slot(memo, ip));

	for (; nr; ip++) {
		if (ap_memo_set(memo, ap_memo_slot(memo, ip)) == set) {
			*found++ = ip;
			nr--;
		}
	}
}

static void a_full_set_evicts_one(void)
{
	unsigned long ip[2 * AP_MEMO_WAYS];
	u32 round, i, n, lost;

	for (round = 0; round < 2000; round++) {
		memset(memo, 0, sizeof(memo));
		same_set(text_bases[round % ARRAY_SIZE(text_bases)] + random_below(TEXT_BYTES), ip,
			 ARRAY_SIZE(ip));
		for (n = 0; n < ARRAY_SIZE(ip); n++) {
			bool evicted = ap_memo_add(memo, ip[n], n + 1, random_next(&ktap_random));

			EXPECT(evicted == (n >= AP_MEMO_WAYS), "address %u of a set", n);
			EXPECT(ap_memo_find(memo, ip[n]) == n + 1, "address %u of a set", n);
			for (i = 0, lost = 0; i < n; i++) {
				u32 value = ap_memo_find(memo, ip[i]);

				EXPECT(!value || value == i + 1, "%u instead of %u", value, i + 1);
				lost += !value;
			}
			EXPECT(lost == (n < AP_MEMO_WAYS ? 0 : n - AP_MEMO_WAYS + 1),
			       "%u of %u are lost", lost, n + 1);
		}
	}
}

/*
 * A value that changes must not come back: not when a hole in front of the old
 * one was filled with the new one, and that was evicted.
 */
static void an_old_value_never_returns(void)
{
	unsigned long ip[AP_MEMO_WAYS + 2];
	u32 i, hole, victim, value;

	for (hole = 0; hole < AP_MEMO_WAYS; hole++) {
		for (victim = 0; victim < AP_MEMO_WAYS; victim++) {
			memset(memo, 0, sizeof(memo));
			same_set(text_bases[0], ip, ARRAY_SIZE(ip));
			for (i = 0; i < AP_MEMO_WAYS; i++)
				ap_memo_add(memo, ip[i], 1, 0);
			ap_memo_forget(memo, ip[hole], ip[hole] + 1);
			ap_memo_add(memo, ip[AP_MEMO_WAYS - 1], 2, 0);
			ap_memo_add(memo, ip[AP_MEMO_WAYS], 1, victim);
			ap_memo_add(memo, ip[AP_MEMO_WAYS + 1], 1, victim);
			value = ap_memo_find(memo, ip[AP_MEMO_WAYS - 1]);
			EXPECT(value != 1 || hole == AP_MEMO_WAYS - 1,
			       "hole %u, victim %u: an old value is back", hole, victim);
		}
	}
}

static void ranges_end_where_they_say(void)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(text_bases); i++) {
		unsigned long start = text_bases[i], end = start + TEXT_BYTES;
		/* The last byte that can be addressed is as good as any. */
		unsigned long at[] = { start - 1, start, start + 1, end - 1, end, end + 1, -1ul };
		u32 n;

		memset(memo, 0, sizeof(memo));
		for (n = 0; n < ARRAY_SIZE(at); n++)
			ap_memo_add(memo, at[n], n + 1, 0);
		ap_memo_forget(memo, start, start);
		for (n = 0; n < ARRAY_SIZE(at); n++)
			EXPECT(ap_memo_find(memo, at[n]) == n + 1, "an empty range has taken %u", n);
		ap_memo_forget(memo, start, end);
		for (n = 0; n < ARRAY_SIZE(at); n++)
			EXPECT(ap_memo_find(memo, at[n]) ==
			       (in_range(at[n], start, end) ? 0 : n + 1), "base %u, address %u", i, n);
		ap_memo_forget(memo, -16ul, -1ul);
		EXPECT(ap_memo_find(memo, -1ul), "the end of a range was taken with it");
		ap_memo_forget(memo, -16ul, 0);
		EXPECT(!ap_memo_find(memo, -1ul), "a range up to the last byte");
	}
}

/*
 * Threads: whatever they do to each other, an address has its own value or
 * none. The value is a function of the address.
 */
static u32 value_of(unsigned long ip)
{
	return ((u32)(ip * 0x9e3779b97f4a7c15ul >> 40) & (AP_MEMO_VALUES - 1)) | 1;
}

static bool stop;
static u64 nr_found, nr_added, nr_forgotten;

static void *hammer(void *arg)
{
	u64 state = (unsigned long)arg, found = 0, added = 0, forgotten = 0;

	while (!READ_ONCE(stop)) {
		unsigned long ip = ips[random_next(&state) % NR_IPS];
		u32 value = ap_memo_find(memo, ip);

		EXPECT(!value || value == value_of(ip), "%#lx: %#x instead of %#x", ip, value,
		       value_of(ip));
		found += !!value;
		if (!value) {
			ap_memo_add(memo, ip, value_of(ip), random_next(&state));
			added++;
		}
		if (!(random_next(&state) % 20000)) {
			ap_memo_forget(memo, ip, ip + random_next(&state) % TEXT_BYTES);
			forgotten++;
		}
	}
	__atomic_fetch_add(&nr_found, found, __ATOMIC_RELAXED);
	__atomic_fetch_add(&nr_added, added, __ATOMIC_RELAXED);
	__atomic_fetch_add(&nr_forgotten, forgotten, __ATOMIC_RELAXED);
	return NULL;
}

static void threads_see_no_other_value(void)
{
	struct timespec four_seconds = { .tv_sec = 4 };
	pthread_t threads[4];
	unsigned long i;

	make_ips();
	stop = false;
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&threads[i], NULL, hammer, (void *)(ktap_random + i));
	nanosleep(&four_seconds, NULL);
	WRITE_ONCE(stop, true);
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < NR_IPS; i++) {
		u32 value = ap_memo_find(memo, ips[i]);

		EXPECT(!value || value == value_of(ips[i]), "%#lx: %#x", ips[i], value);
	}
	for (i = 0; i < ARRAY_SIZE(text_bases); i++)
		ap_memo_forget(memo, text_bases[i], text_bases[i] + TEXT_BYTES + NR_IPS);
	for (i = 0; i < AP_MEMO_WORDS; i++)
		EXPECT(!memo[i], "word %lu is left", i);
	EXPECT(nr_found > 10000 && nr_added > 10000 && nr_forgotten > 10, "too little happened");
	printf("# %llu found, %llu added, %llu ranges forgotten\n", (unsigned long long)nr_found,
	       (unsigned long long)nr_added, (unsigned long long)nr_forgotten);
}

static const struct ktap_test tests[] = {
	{ "find, add and forget, like a map", like_a_map },
	{ "nothing gets lost while there is room", no_loss_while_there_is_room },
	{ "a full set evicts one for each that comes", a_full_set_evicts_one },
	{ "an old value never returns", an_old_value_never_returns },
	{ "ranges end where they say", ranges_end_where_they_say },
	{ "threads see no other address's value", threads_see_no_other_value },
};

int main(void)
{
	return ktap_run(tests, ARRAY_SIZE(tests), 20233);
}
