// SPDX-License-Identifier: GPL-2.0-only
/*
 * x86-64: RDI is where the fields go, RSI is the key.
 *
 * A field is fetched by one load where 1, 2, 4 or 8 bytes of the key hold all of it; they
 * need not be aligned. Only a field of more than 57 bits can need 9 bytes: two words
 * are shifted together then.
 */
#include "unpack.h"

enum { RAX = 0, RDX = 2, RSI = 6, RDI = 7 };

#define REX_W	0x48

/* The byte that names a register and an address: base register and 8 bits of distance. */
static u8 at_distance(unsigned int reg, unsigned int base)
{
	return 0x40 | reg << 3 | base;
}

static u8 both_registers(unsigned int reg, unsigned int rm)
{
	return 0xc0 | reg << 3 | rm;
}

/* Loads the bytes at @offset of the key, zero-extended to 64 bits. */
static void load(struct unpack_code *code, unsigned int reg, unsigned int bytes,
		 unsigned int offset)
{
	if (bytes == 8)
		unpack_byte(code, REX_W);
	if (bytes >= 4) {
		unpack_byte(code, 0x8b);
	} else {
		unpack_byte(code, 0x0f);
		unpack_byte(code, bytes == 2 ? 0xb7 : 0xb6);
	}
	unpack_byte(code, at_distance(reg, RSI));
	unpack_byte(code, offset);
}

/* RAX <<= count, or RAX >>= count */
static void shift_rax(struct unpack_code *code, bool left, unsigned int count)
{
	if (!count)
		return;
	unpack_byte(code, REX_W);
	unpack_byte(code, 0xc1);
	unpack_byte(code, both_registers(left ? 4 : 5, RAX));
	unpack_byte(code, count);
}

/* Shifts at the top cut off what lies above the field, shifts at the bottom what lies below. */
static void take_bits(struct unpack_code *code, unsigned int shift, unsigned int bits)
{
	shift_rax(code, true, 64 - shift - bits);
	shift_rax(code, false, 64 - bits);
}

static void move_immediate(struct unpack_code *code, unsigned int reg, u64 value)
{
	/* A write to the lower half of a register clears the upper one. */
	bool wide = value >> 32;

	if (wide)
		unpack_byte(code, REX_W);
	unpack_byte(code, 0xb8 | reg);
	unpack_le32(code, value);
	if (wide)
		unpack_le32(code, value >> 32);
}

static void add_immediate(struct unpack_code *code, u64 value)
{
	s64 sign = value;

	if (!value)
		return;
	if (sign >= -128 && sign < 128) {
		unpack_byte(code, REX_W);
		unpack_byte(code, 0x83);
		unpack_byte(code, both_registers(0, RAX));
		unpack_byte(code, value);
	} else if (sign >= -0x80000000LL && sign < 0x80000000LL) {
		unpack_byte(code, REX_W);
		unpack_byte(code, 0x05);
		unpack_le32(code, value);
	} else {
		move_immediate(code, RDX, value);
		unpack_byte(code, REX_W);
		unpack_byte(code, 0x01);
		unpack_byte(code, both_registers(RDX, RAX));
	}
}

static void store(struct unpack_code *code, unsigned int field)
{
	unpack_byte(code, REX_W);
	unpack_byte(code, 0x89);
	unpack_byte(code, at_distance(RAX, RDI));
	unpack_byte(code, field * 8);
}

/* RAX = the bits of the key from @first on */
static void fetch(struct unpack_code *code, unsigned int first, unsigned int bits,
		  unsigned int key_bytes)
{
	unsigned int offset = first / 8, shift = first % 8;

	if (!shift && (bits == 8 || bits == 16 || bits == 32)) {
		load(code, RAX, bits / 8, offset);
		return;
	}
	/* Not beyond the end of the key: it can be the end of a page. */
	if (offset > key_bytes - 8) {
		offset = key_bytes - 8;
		shift = first - offset * 8;
	}
	if (shift + bits <= 64) {
		load(code, RAX, 8, offset);
		take_bits(code, shift, bits);
		return;
	}
	offset = first / 64 * 8;
	shift = first % 64;
	load(code, RAX, 8, offset);
	load(code, RDX, 8, offset + 8);
	/* shrd: the lowest bits of RDX come in at the top of RAX. */
	unpack_byte(code, REX_W);
	unpack_byte(code, 0x0f);
	unpack_byte(code, 0xac);
	unpack_byte(code, both_registers(RDX, RAX));
	unpack_byte(code, shift);
	take_bits(code, 0, bits);
}

int unpack_compile_x86(const struct unpack_format *format, void *buf, size_t room)
{
	struct unpack_code code = { .buf = buf, .room = room };
	unsigned int i, used = 0;

	if (!unpack_format_good(format))
		return -EINVAL;
	for (i = 0; i < format->nr_fields; i++) {
		if (format->bits[i]) {
			fetch(&code, unpack_first_bit(format, i, used), format->bits[i],
			      format->words * 8);
			add_immediate(&code, format->add[i]);
		} else {
			move_immediate(&code, RAX, format->add[i]);
		}
		store(&code, i);
		used += format->bits[i];
	}
	return code.len <= room ? (int)code.len : -ENOSPC;
}
