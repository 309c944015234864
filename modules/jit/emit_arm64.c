// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pieces of arm64 code. The kernel itself returns by RET and jumps by BR, whatever
 * the CPU is.
 */
#include <linux/errno.h>

#include "emit.h"
#include "encode_arm64.h"

int mmkit_jit_emit_init(const struct mmkit_ksym_table *table)
{
	return 0;
}

int mmkit_jit_emit_entry(void *buf)
{
	return jit_arm64_landing_pad(buf);
}
MMKIT_EXPORT(mmkit_jit_emit_entry);

int mmkit_jit_emit_prologue(void *buf)
{
	int n = jit_arm64_landing_pad(buf);

	return n + jit_arm64_enter(buf + n);
}
MMKIT_EXPORT(mmkit_jit_emit_prologue);

int mmkit_jit_emit_epilogue(void *buf, const void *at)
{
	int n = jit_arm64_leave(buf);

	return n + jit_arm64_ret(buf + n);
}
MMKIT_EXPORT(mmkit_jit_emit_epilogue);

int mmkit_jit_emit_return(void *buf, const void *at)
{
	return jit_arm64_ret(buf);
}
MMKIT_EXPORT(mmkit_jit_emit_return);

int mmkit_jit_emit_indirect_jump(void *buf, const void *at, unsigned int reg)
{
	if (reg >= JIT_ARM64_REGS)
		return -EINVAL;
	return jit_arm64_branch_reg(buf, JIT_ARM64_BR, reg);
}
MMKIT_EXPORT(mmkit_jit_emit_indirect_jump);

int mmkit_jit_emit_call(void *buf, const void *at, const void *target)
{
	return jit_arm64_call(buf, (unsigned long)at, (unsigned long)target);
}
MMKIT_EXPORT(mmkit_jit_emit_call);

int mmkit_jit_emit_jump(void *buf, const void *at, const void *target)
{
	return jit_arm64_branch(buf, JIT_ARM64_B, (unsigned long)at, (unsigned long)target);
}
MMKIT_EXPORT(mmkit_jit_emit_jump);

int mmkit_jit_emit_nop(void *buf)
{
	return jit_arm64_nop(buf);
}
MMKIT_EXPORT(mmkit_jit_emit_nop);
