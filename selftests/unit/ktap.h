/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KTAP for the unit tests. A test is a function; EXPECT() reports and goes on,
 * a test that has reported fails. Random numbers come from a fixed seed, which
 * is printed; SEED=n in the environment takes another one.
 */
#ifndef UNIT_KTAP_H
#define UNIT_KTAP_H

#include <stdio.h>
#include <stdlib.h>

#include "shim.h"

struct ktap_test {
	const char *name;
	void (*run)(void);
};

/* The first few failures of a test tell what is wrong; the rest is counted. */
#define KTAP_SHOWN	8

static unsigned long ktap_failures;
static u64 ktap_random;

#define EXPECT(cond, fmt, ...)						\
do {									\
	if (!(cond) && __atomic_fetch_add(&ktap_failures, 1, __ATOMIC_RELAXED) < KTAP_SHOWN) \
		printf("# %s:%d: %s: " fmt "\n", __FILE__, __LINE__, #cond, ##__VA_ARGS__); \
} while (0)

/* xorshift64*; @state is not 0 */
static inline u32 random_next(u64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (u32)((*state * 0x2545f4914f6cdd1dULL) >> 32);
}

static inline u32 random_below(u32 limit)
{
	return (u32)(((u64)random_next(&ktap_random) * limit) >> 32);
}

static inline int ktap_run(const struct ktap_test *tests, unsigned int nr, u64 seed)
{
	unsigned int i, failed = 0;

	if (getenv("SEED"))
		seed = strtoull(getenv("SEED"), NULL, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("KTAP version 1\n1..%u\n", nr);
	for (i = 0; i < nr; i++) {
		ktap_failures = 0;
		ktap_random = seed | 1;
		printf("# seed %llu\n", (unsigned long long)seed);
		tests[i].run();
		if (ktap_failures > KTAP_SHOWN)
			printf("# %lu failures in all\n", ktap_failures);
		printf("%sok %u %s\n", ktap_failures ? "not " : "", i + 1, tests[i].name);
		failed += !!ktap_failures;
	}
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif /* UNIT_KTAP_H */
