// SPDX-License-Identifier: GPL-2.0-only
/* Unpacks a key by looking at the format for each field. */
#include "unpack.h"

void unpack_interpret(const struct unpack_format *format, u64 *out, const u64 *in)
{
	unsigned int i, used = 0;

	for (i = 0; i < format->nr_fields; i++) {
		unsigned int bits = format->bits[i];
		unsigned int first = unpack_first_bit(format, i, used);
		unsigned int shift = first % 64;
		u64 value = 0;

		if (bits) {
			value = in[first / 64] >> shift;
			if (shift + bits > 64)
				value |= in[first / 64 + 1] << (64 - shift);
			value &= ~0ULL >> (64 - bits);
		}
		out[i] = value + format->add[i];
		used += bits;
	}
}
