/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packed keys: rows of bit fields in a few 64-bit words, as a database or a file
 * system keeps them. A format says how wide each field is, and what is added to it:
 * keys of one node of a tree are close to each other, so the differences are short.
 * The format is known only at run time. An interpreter walks it for each key; a
 * compiler walks it once and makes a function of it.
 *
 * Nothing here but main.c needs the kernel.
 */
#ifndef UNPACK_H
#define UNPACK_H

#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/types.h>
#else
#include "shim.h"
#endif

#define UNPACK_WORDS		6
#define UNPACK_FIELDS		16

/* No format makes more code than this, in bytes. */
#define UNPACK_CODE_MAX		768

/**
 * struct unpack_format - how a packed key looks
 * @words:     64-bit words of a key
 * @nr_fields: fields in it, at least one
 * @from_high: the first field has the highest bits of the last word and the next one
 *	       lies below it; else the first has the lowest bits of the first word and the
 *	       next one lies above. A field can go on in the next word.
 * @bits:      width of each field, 0 to 64; what is left of the key is not looked at
 * @add:       what is added to each field, modulo 2^64
 */
struct unpack_format {
	u8 words;
	u8 nr_fields;
	bool from_high;
	u8 bits[UNPACK_FIELDS];
	u64 add[UNPACK_FIELDS];
};

/* What the compilers make: @out has room for all fields, @in is a packed key. */
typedef void (*unpack_fn)(u64 *out, const u64 *in);

/* Can there be such a format? */
static inline bool unpack_format_good(const struct unpack_format *format)
{
	unsigned int i, sum = 0;

	if (!format->words || format->words > UNPACK_WORDS ||
	    !format->nr_fields || format->nr_fields > UNPACK_FIELDS)
		return false;
	for (i = 0; i < format->nr_fields; i++) {
		if (format->bits[i] > 64)
			return false;
		sum += format->bits[i];
	}
	return sum <= format->words * 64u;
}

/* The lowest bit of a field, when the fields before it have @used bits. */
static inline unsigned int unpack_first_bit(const struct unpack_format *format, unsigned int i,
					    unsigned int used)
{
	return format->from_high ? format->words * 64u - used - format->bits[i] : used;
}

/* Where the compilers write. What does not fit is counted and not written. */
struct unpack_code {
	u8 *buf;
	size_t room, len;
};

static inline void unpack_byte(struct unpack_code *code, u8 byte)
{
	if (code->len < code->room)
		code->buf[code->len] = byte;
	code->len++;
}

static inline void unpack_le32(struct unpack_code *code, u32 value)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		unpack_byte(code, value >> (8 * i));
}

/* interp.c: @format must be good. */
void unpack_interpret(const struct unpack_format *format, u64 *out, const u64 *in);

/*
 * compile_x86.c, compile_arm64.c: the body of an unpack_fn. The landing pad in front
 * of it and the return behind it are for the caller to add. The body keeps no frame,
 * calls nothing and changes only registers that belong to a function that is called.
 *
 * Return: bytes written, -EINVAL: not a good format, -ENOSPC: more than @room.
 */
int unpack_compile_x86(const struct unpack_format *format, void *buf, size_t room);
int unpack_compile_arm64(const struct unpack_format *format, void *buf, size_t room);

/* formats.c: what to try it on. Random numbers follow from *@state, which is not 0. */
u64 unpack_random(u64 *state);
unsigned int unpack_nr_edges(void);
void unpack_edge(struct unpack_format *format, unsigned int nr, u64 *state);
void unpack_random_format(struct unpack_format *format, u64 *state);
void unpack_random_key(u64 *in, u64 *state);
void unpack_spoil(struct unpack_format *format, u64 *state);

#endif /* UNPACK_H */
