/* SPDX-License-Identifier: GPL-2.0-only */
/* A little generated code, for tests of what holds it. */
#ifndef MMKIT_TEST_TEXT_H
#define MMKIT_TEST_TEXT_H

#include <linux/types.h>

#include <mmkit/jit.h>

/* No function made here is longer. */
#define CODE_MAX	(2 * MMKIT_JIT_EMIT_MAX + 16)

/* What holds no code holds traps: INT3, or BRK #0x100. */
static inline u8 trap_byte(unsigned long addr)
{
#ifdef CONFIG_X86_64
	return 0xcc;
#else
	return 0xd4202000 >> addr % 4 * 8;
#endif
}

/* Puts a number where functions return theirs. */
static inline int emit_number(u8 *buf, u32 number)
{
#ifdef CONFIG_X86_64
	buf[0] = 0xb8;					/* mov eax, number */
	memcpy(buf + 1, &number, sizeof(number));
	return 5;
#else
	u32 insns[] = {
		0x52800000 | (number & 0xffff) << 5,	/* movz w0, low half */
		0x72a00000 | (number >> 16) << 5,	/* movk w0, high half, lsl 16 */
	};

	memcpy(buf, insns, sizeof(insns));
	return sizeof(insns);
#endif
}

/* u32 f(void) { return answer; }, with a landing pad or without; to be executed at @at. */
static inline int emit_answer_pad(u8 *buf, const void *at, u32 answer, bool pad)
{
	int n = pad ? mmkit_jit_emit_entry(buf) : 0;
	int more;

	n += emit_number(buf + n, answer);
	more = mmkit_jit_emit_return(buf + n, at + n);
	return more < 0 ? more : n + more;
}

static inline int emit_answer(u8 *buf, const void *at, u32 answer)
{
	return emit_answer_pad(buf, at, answer, true);
}

static inline u32 call_text(const void *text)
{
	return ((u32 (*)(void))text)();
}

#endif /* MMKIT_TEST_TEXT_H */
