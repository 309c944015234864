// SPDX-License-Identifier: GPL-2.0-only
/*
 * arm64: x0 is where the fields go, x1 is the key. All its words are loaded into x2 to
 * x7 first; a field takes one instruction to get out of there, two where it goes on in
 * the next word and does not fill its own. Fields are made in x8 and x9 and leave in
 * pairs.
 */
#include "unpack.h"

enum { OUT = 0, IN = 1, WORDS = 2, FIELDS = 8, SCRATCH = 10 };

/* Two words of the key, then one if there is an odd number. */
static void load_key(struct unpack_code *code, unsigned int words)
{
	unsigned int i;

	for (i = 0; i + 1 < words; i += 2)	/* ldp x, x, [x1, #8 * i] */
		unpack_le32(code, 0xa9400000 | i << 15 | (WORDS + i + 1) << 10 | IN << 5 |
			    (WORDS + i));
	if (i < words)				/* ldr x, [x1, #8 * i] */
		unpack_le32(code, 0xf9400000 | i << 10 | IN << 5 | (WORDS + i));
}

/* Sixteen bits at a time; a value with more ones than zeroes is made from its complement. */
static void move_immediate(struct unpack_code *code, unsigned int reg, u64 value)
{
	unsigned int i, zeroes = 0, ones = 0;
	bool first = true, inverted;
	u64 fill;

	for (i = 0; i < 64; i += 16) {
		zeroes += (u16)(value >> i) == 0;
		ones += (u16)(value >> i) == 0xffff;
	}
	inverted = ones > zeroes;
	fill = inverted ? ~0ULL : 0;
	for (i = 0; i < 64; i += 16) {
		u32 part = (u16)(value >> i);

		if (part == (u16)fill)
			continue;
		if (!first)			/* movk */
			unpack_le32(code, 0xf2800000 | i / 16 << 21 | part << 5 | reg);
		else if (inverted)		/* movn */
			unpack_le32(code, 0x92800000 | i / 16 << 21 | (part ^ 0xffff) << 5 | reg);
		else				/* movz */
			unpack_le32(code, 0xd2800000 | i / 16 << 21 | part << 5 | reg);
		first = false;
	}
	if (first)				/* nothing but the filling */
		unpack_le32(code, (inverted ? 0x92800000 : 0xd2800000) | reg);
}

static void add_immediate(struct unpack_code *code, unsigned int reg, u64 value)
{
	if (!value)
		return;
	if (value < 4096) {			/* add x, x, #value */
		unpack_le32(code, 0x91000000 | (u32)value << 10 | reg << 5 | reg);
	} else if (-value < 4096) {		/* sub x, x, #-value */
		unpack_le32(code, 0xd1000000 | (u32)-value << 10 | reg << 5 | reg);
	} else {
		move_immediate(code, SCRATCH, value);
		unpack_le32(code, 0x8b000000 | SCRATCH << 16 | reg << 5 | reg);
	}
}

/* @to = bits [shift, shift + bits) of @from: ubfx, or lsr, which is the same instruction */
static void take_bits(struct unpack_code *code, unsigned int to, unsigned int from,
		      unsigned int shift, unsigned int bits)
{
	unpack_le32(code, 0xd3400000 | shift << 16 | (shift + bits - 1) << 10 | from << 5 | to);
}

static void fetch(struct unpack_code *code, unsigned int reg, unsigned int first,
		  unsigned int bits)
{
	unsigned int word = WORDS + first / 64, shift = first % 64;

	if (shift + bits <= 64) {
		take_bits(code, reg, word, shift, bits);
		return;
	}
	/* extr reg, next word, word, #shift */
	unpack_le32(code, 0x93c00000 | word << 16 | shift << 10 | (word + 1) << 5 | reg);
	if (bits < 64)
		take_bits(code, reg, reg, 0, bits);
}

int unpack_compile_arm64(const struct unpack_format *format, void *buf, size_t room)
{
	struct unpack_code code = { .buf = buf, .room = room };
	unsigned int i, used = 0;

	if (!unpack_format_good(format))
		return -EINVAL;
	load_key(&code, format->words);
	for (i = 0; i < format->nr_fields; i++) {
		unsigned int reg = FIELDS + i % 2;

		if (format->bits[i]) {
			fetch(&code, reg, unpack_first_bit(format, i, used), format->bits[i]);
			add_immediate(&code, reg, format->add[i]);
		} else {
			move_immediate(&code, reg, format->add[i]);
		}
		if (i % 2)			/* stp x8, x9, [x0, #8 * (i - 1)] */
			unpack_le32(&code, 0xa9000000 | (i - 1) << 15 | (FIELDS + 1) << 10 |
				    OUT << 5 | FIELDS);
		used += format->bits[i];
	}
	if (i % 2)				/* str x8, [x0, #8 * (i - 1)] */
		unpack_le32(&code, 0xf9000000 | (i - 1) << 10 | OUT << 5 | FIELDS);
	return code.len <= room ? (int)code.len : -ENOSPC;
}
