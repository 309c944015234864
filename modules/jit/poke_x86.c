// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writing to text: x86. The kernel does it through page tables that only the CPU
 * that writes has loaded, under text_mutex.
 */
#include <linux/memory.h>
#include <linux/mutex.h>
#include <linux/string.h>

#include "encode_x86.h"
#include "jit.h"

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
	memset(to, JIT_X86_INT3, len);
}

void mmkit_jit_poke(void *text, void *code, size_t len)
{
	jit_stat(JIT_WRITES);
	mmkit_ksym(text_poke_copy)(text, code, len);
}

void mmkit_jit_poke_trap(void *text, size_t len)
{
	jit_stat(JIT_WRITES);
	mmkit_ksym(text_poke_set)(text, JIT_X86_INT3, len);
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
	u8 insn[JIT_BRANCH_BYTES], nop[JIT_BRANCH_BYTES];
	int len = jit_x86_branch(insn, JIT_X86_JMP, (unsigned long)at, (unsigned long)to);

	if (len < 0)
		return len;
	jit_x86_nop(nop);
	mutex_lock(text_lock);
	if (*(u8 *)at != JIT_X86_JMP && memcmp(at, nop, sizeof(nop))) {
		mutex_unlock(text_lock);
		return -EINVAL;
	}
	mmkit_poke_branch(at, insn, len);
	mutex_unlock(text_lock);
	return 0;
}
