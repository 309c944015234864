/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instructions of x86-64, byte by byte. No kernel interface is used here; the unit
 * tests build it as it is, and have a disassembler read what it writes. Addresses are
 * numbers: where an instruction will be executed, and where it leads.
 *
 * Each function writes to @buf and returns how many bytes.
 */
#ifndef MMKIT_JIT_ENCODE_X86_H
#define MMKIT_JIT_ENCODE_X86_H

#define JIT_X86_REGS	16
#define JIT_X86_RSP	4
#define JIT_X86_INT3	0xcc
#define JIT_X86_CALL	0xe8	/* opcodes of jit_x86_branch() */
#define JIT_X86_JMP	0xe9
#define JIT_X86_BRANCH_LEN	5

static inline int jit_x86_copy(u8 *buf, const u8 *code, int len)
{
	int i;

	for (i = 0; i < len; i++)
		buf[i] = code[i];
	return len;
}

#define jit_x86_bytes(buf, ...)							\
	jit_x86_copy(buf, (const u8 []){ __VA_ARGS__ }, sizeof((const u8 []){ __VA_ARGS__ }))

/* endbr64 */
static inline int jit_x86_landing_pad(u8 *buf)
{
	return jit_x86_bytes(buf, 0xf3, 0x0f, 0x1e, 0xfa);
}

/* push %rbp; mov %rsp,%rbp */
static inline int jit_x86_enter(u8 *buf)
{
	return jit_x86_bytes(buf, 0x55, 0x48, 0x89, 0xe5);
}

/* leave */
static inline int jit_x86_leave(u8 *buf)
{
	return jit_x86_bytes(buf, 0xc9);
}

/* ret; int3: CPUs speculate past a return */
static inline int jit_x86_ret(u8 *buf)
{
	return jit_x86_bytes(buf, 0xc3, JIT_X86_INT3);
}

/* lfence */
static inline int jit_x86_lfence(u8 *buf)
{
	return jit_x86_bytes(buf, 0x0f, 0xae, 0xe8);
}

/* One instruction as long as a branch: nopl 0x0(%rax,%rax,1) */
static inline int jit_x86_nop(u8 *buf)
{
	return jit_x86_bytes(buf, 0x0f, 0x1f, 0x44, 0x00, 0x00);
}

/* jmp *%reg; int3 */
static inline int jit_x86_jump_reg(u8 *buf, unsigned int reg)
{
	int n = reg >= 8 ? jit_x86_bytes(buf, 0x41) : 0;

	return n + jit_x86_bytes(buf + n, 0xff, 0xe0 | (reg & 7), JIT_X86_INT3);
}

/* A call or jump with a distance of 32 bits, counted from its end. Or -ERANGE. */
static inline int jit_x86_branch(u8 *buf, u8 opcode, u64 at, u64 to)
{
	u64 distance = to - (at + JIT_X86_BRANCH_LEN);

	if (distance + 0x80000000ULL > 0xffffffffULL)
		return -ERANGE;
	return jit_x86_bytes(buf, opcode, (u8)distance, (u8)(distance >> 8),
			     (u8)(distance >> 16), (u8)(distance >> 24));
}

#endif /* MMKIT_JIT_ENCODE_X86_H */
