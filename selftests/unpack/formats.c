// SPDX-License-Identifier: GPL-2.0-only
/* Formats and keys to try: the odd ones, one by one, and any number of random ones. */
#include "unpack.h"

/* xorshift64* */
u64 unpack_random(u64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

static unsigned int below(u64 *state, unsigned int limit)
{
	return (unpack_random(state) >> 32) * limit >> 32;
}

/* Each exists in both directions. */
static const struct unpack_format edges[] = {
	{ .words = 1, .nr_fields = 1, .bits = { 64 } },
	{ .words = 1, .nr_fields = 1, .bits = { 1 } },
	{ .words = 1, .nr_fields = 1, .bits = { 0 } },
	{ .words = 1, .nr_fields = 2, .bits = { 1, 63 } },
	{ .words = 1, .nr_fields = 8, .bits = { 8, 8, 8, 8, 8, 8, 8, 8 } },
	{ .words = 1, .nr_fields = 16, .bits = { 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4 } },
	{ .words = 2, .nr_fields = 3, .bits = { 1, 64, 63 } },
	{ .words = 2, .nr_fields = 3, .bits = { 63, 64, 1 } },
	{ .words = 2, .nr_fields = 3, .bits = { 32, 64, 32 } },
	{ .words = 2, .nr_fields = 16, .bits = { 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8 } },
	{ .words = 3, .nr_fields = 3, .bits = { 64, 64, 64 } },
	{ .words = 3, .nr_fields = 6, .bits = { 64, 0, 64, 0, 64, 0 } },
	{ .words = 3, .nr_fields = 5, .bits = { 57, 58, 59, 17, 1 } },
	{ .words = 3, .nr_fields = 12, .bits = { 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16 } },
	{ .words = 4, .nr_fields = 8, .bits = { 32, 32, 32, 32, 32, 32, 32, 32 } },
	{ .words = 4, .nr_fields = 9, .bits = { 1, 31, 33, 31, 33, 31, 33, 31, 32 } },
	{ .words = 5, .nr_fields = 7, .bits = { 61, 3, 62, 2, 63, 1, 64 } },
	{ .words = 6, .nr_fields = 6, .bits = { 64, 64, 64, 64, 64, 64 } },
	{ .words = 6, .nr_fields = 7, .bits = { 7, 64, 64, 64, 64, 64, 57 } },
	{ .words = 6, .nr_fields = 16,
	  .bits = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64 } },
	{ .words = 6, .nr_fields = 16,
	  .bits = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 64 } },
	{ .words = 6, .nr_fields = 16,
	  .bits = { 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24 } },
	{ .words = 6, .nr_fields = 16,
	  .bits = { 63, 1, 62, 2, 61, 3, 60, 4, 59, 5, 47, 13, 1, 1, 1, 1 } },
};

/* Where an immediate operand becomes too long for one way to encode it. */
static const u64 sums[] = {
	0, 1, 127, 128, 255, 4095, 4096, 65535, 65536, 0x7fffffff, 0x80000000, 0xffffffff,
	0x100000000, 0x1234000056780000, 0x7fffffffffffffff, 0x8000000000000000,
	-1ULL, -128ULL, -129ULL, -4095ULL, -4096ULL, -65536ULL, -65537ULL, -0x80000000LL,
	-0x80000001LL, 0xffff1234ffff5678,
};

static void choose_sums(struct unpack_format *format, u64 *state)
{
	unsigned int i;

	for (i = 0; i < format->nr_fields; i++) {
		format->add[i] = unpack_random(state);
		switch (below(state, 4)) {
		case 0:
			format->add[i] = 0;
			break;
		case 1:
			format->add[i] = sums[below(state, ARRAY_SIZE(sums))];
			break;
		case 2:
			format->add[i] >>= below(state, 64);
			break;
		}
	}
}

unsigned int unpack_nr_edges(void)
{
	return 2 * ARRAY_SIZE(edges);
}

void unpack_edge(struct unpack_format *format, unsigned int nr, u64 *state)
{
	*format = edges[nr / 2];
	format->from_high = nr % 2;
	choose_sums(format, state);
}

void unpack_random_format(struct unpack_format *format, u64 *state)
{
	unsigned int i, left;

	*format = (struct unpack_format) {
		.words = 1 + below(state, UNPACK_WORDS),
		.nr_fields = 1 + below(state, UNPACK_FIELDS),
		.from_high = below(state, 2),
	};
	left = format->words * 64;
	for (i = 0; i < format->nr_fields; i++) {
		/* Whole bytes are common, and what the last field takes is often all there is. */
		unsigned int bits = below(state, 65);

		if (!below(state, 3))
			bits = bits / 8 * 8;
		if (bits > left || (i == format->nr_fields - 1u && below(state, 2)))
			bits = left < 64 ? left : 64;
		format->bits[i] = bits;
		left -= bits;
	}
	choose_sums(format, state);
}

/* Random words, some of them all zeroes or all ones: carries go far then. */
void unpack_random_key(u64 *in, u64 *state)
{
	u64 which = unpack_random(state);
	unsigned int i;

	for (i = 0; i < UNPACK_WORDS; i++, which >>= 4) {
		in[i] = unpack_random(state);
		if ((which & 15) < 2)
			in[i] = which & 1 ? ~0ULL : 0;
	}
}

/* Makes another format of it, wrong in one place by the least that can be. */
void unpack_spoil(struct unpack_format *format, u64 *state)
{
	unsigned int i = below(state, format->nr_fields);

	if (below(state, 2) && format->bits[i])
		format->bits[i]--;
	else
		format->add[i] ^= 1ULL << below(state, 64);
}
