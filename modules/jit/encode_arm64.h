/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instructions of arm64, word by word. No kernel interface is used here; the unit
 * tests build it as it is, and have a disassembler read what it writes. Addresses are
 * numbers: where an instruction will be executed, and where it leads.
 *
 * Each function writes to @buf and returns how many bytes.
 */
#ifndef MMKIT_JIT_ENCODE_ARM64_H
#define MMKIT_JIT_ENCODE_ARM64_H

#define JIT_ARM64_REGS	31
#define JIT_ARM64_IP	16	/* the register that calls may destroy on their way */
#define JIT_ARM64_B	0x14000000U	/* opcodes of jit_arm64_branch() */
#define JIT_ARM64_BL	0x94000000U
#define JIT_ARM64_BR	0xd61f0000U	/* opcodes of jit_arm64_branch_reg() */
#define JIT_ARM64_BLR	0xd63f0000U

/* Instructions are little-endian whatever data is. */
static inline int jit_arm64_word(u8 *buf, u32 insn)
{
	buf[0] = insn & 0xff;
	buf[1] = insn >> 8 & 0xff;
	buf[2] = insn >> 16 & 0xff;
	buf[3] = insn >> 24;
	return 4;
}

/* bti c */
static inline int jit_arm64_landing_pad(u8 *buf)
{
	return jit_arm64_word(buf, 0xd503245f);
}

/* stp x29, x30, [sp, #-16]!; mov x29, sp */
static inline int jit_arm64_enter(u8 *buf)
{
	jit_arm64_word(buf, 0xa9bf7bfd);
	return 4 + jit_arm64_word(buf + 4, 0x910003fd);
}

/* mov sp, x29; ldp x29, x30, [sp], #16 */
static inline int jit_arm64_leave(u8 *buf)
{
	jit_arm64_word(buf, 0x910003bf);
	return 4 + jit_arm64_word(buf + 4, 0xa8c17bfd);
}

/* ret */
static inline int jit_arm64_ret(u8 *buf)
{
	return jit_arm64_word(buf, 0xd65f03c0);
}

/* nop */
static inline int jit_arm64_nop(u8 *buf)
{
	return jit_arm64_word(buf, 0xd503201f);
}

/* br or blr */
static inline int jit_arm64_branch_reg(u8 *buf, u32 opcode, unsigned int reg)
{
	return jit_arm64_word(buf, opcode | reg << 5);
}

/* b or bl: 26 bits of distance in words. Or -ERANGE. */
static inline int jit_arm64_branch(u8 *buf, u32 opcode, u64 at, u64 to)
{
	u64 distance = to - at;

	if (distance & 3 || distance + 0x8000000 > 0xffffffc)
		return -ERANGE;
	return jit_arm64_word(buf, opcode | (distance >> 2 & 0x3ffffff));
}

/* adrp; add: 21 bits of distance in units of 4K, which no page size changes. Or -ERANGE. */
static inline int jit_arm64_near_address(u8 *buf, unsigned int reg, u64 at, u64 address)
{
	u64 pages = (address >> 12) - (at >> 12);

	if (pages + 0x100000 > 0x1fffff)
		return -ERANGE;
	jit_arm64_word(buf, 0x90000000U | (pages & 3) << 29 | (pages >> 2 & 0x7ffff) << 5 | reg);
	return 4 + jit_arm64_word(buf + 4, 0x91000000U | (address & 0xfff) << 10 | reg << 5 | reg);
}

/* movz; movk; movk; movk: any address */
static inline int jit_arm64_address(u8 *buf, unsigned int reg, u64 address)
{
	u32 part;

	for (part = 0; part < 4; part++)
		jit_arm64_word(buf + 4 * part, (part ? 0xf2800000U : 0xd2800000U) | part << 21 |
			       (u32)(address >> 16 * part & 0xffff) << 5 | reg);
	return 16;
}

/* A call by the shortest way there is: one, three or five instructions. */
static inline int jit_arm64_call(u8 *buf, u64 at, u64 to)
{
	int n = jit_arm64_branch(buf, JIT_ARM64_BL, at, to);

	if (n > 0)
		return n;
	n = jit_arm64_near_address(buf, JIT_ARM64_IP, at, to);
	if (n < 0)
		n = jit_arm64_address(buf, JIT_ARM64_IP, to);
	return n + jit_arm64_branch_reg(buf + n, JIT_ARM64_BLR, JIT_ARM64_IP);
}

#endif /* MMKIT_JIT_ENCODE_ARM64_H */
