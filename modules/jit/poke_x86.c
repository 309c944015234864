// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writing to text: x86. The kernel does it through page tables that only the CPU
 * that writes has loaded, under text_mutex.
 */
#include <linux/memory.h>
#include <linux/mutex.h>
#include <linux/string.h>

#include "jit.h"

#define INT3		0xcc
#define JMP_REL32	0xe9

/* The only instruction of five bytes that compilers and mmkit_jit_emit_nop() make a NOP of. */
static const u8 nop5[JIT_BRANCH_BYTES] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };

static struct mutex *text_lock;

int mmkit_jit_poke_init(const struct mmkit_ksym_table *ksyms)
{
	text_lock = (struct mutex *)mmkit_ksym_found(ksyms, "text_mutex");
	return 0;
}

void mmkit_jit_poke_exit(void)
{
}

unsigned long mmkit_jit_poke_alias(void)
{
	return 0;
}

/* Through an ordinary mapping. */
void mmkit_jit_poke_fill(void *to, size_t len)
{
	memset(to, INT3, len);
}

void mmkit_jit_poke(void *text, void *code, size_t len)
{
	jit_stat(JIT_WRITES);
	mmkit_ksym(text_poke_copy)(text, code, len);
}

void mmkit_jit_poke_trap(void *text, size_t len)
{
	jit_stat(JIT_WRITES);
	mmkit_ksym(text_poke_set)(text, INT3, len);
}

/* No CPU executes what it fetched before. */
void mmkit_jit_poke_sync(void)
{
	jit_stat(JIT_SYNCS);
	mmkit_poke_sync();
}

void mmkit_jit_poke_fresh(void *text, size_t len)
{
	mmkit_jit_poke_sync();
}

int mmkit_jit_poke_branch(void *at, const void *to)
{
	long distance = (long)to - (long)(at + JIT_BRANCH_BYTES);
	u8 insn[JIT_BRANCH_BYTES] = { JMP_REL32 };
	s32 rel = distance;

	if (rel != distance)
		return -ERANGE;
	memcpy(insn + 1, &rel, sizeof(rel));
	mutex_lock(text_lock);
	if (*(u8 *)at != JMP_REL32 && memcmp(at, nop5, sizeof(nop5))) {
		mutex_unlock(text_lock);
		return -EINVAL;
	}
	mmkit_poke_branch(at, insn, sizeof(insn));
	mutex_unlock(text_lock);
	return 0;
}
