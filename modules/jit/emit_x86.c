// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pieces of x86-64 code.
 *
 * Returns and indirect jumps of compiled code are rewritten by the kernel when it
 * boots and when it loads a module: what is right depends on the CPU, its microcode
 * and the command line. Generated code has no such second chance, so it is written as
 * the kernel's own compiler of BPF would write it; none of that changes after boot.
 *
 * Two things are not as in a rewritten module. Where only branches in the first half
 * of a cache line are unsafe (ITS), the kernel leaves the others as they are; here all
 * take a thunk. And a trap stands behind each bare branch, as some CPUs speculate past
 * it.
 *
 * Kernels that count calls ("retbleed=stuff") do so to refill the CPU's stack of return
 * addresses before it runs empty. Each return, also one through the thunk here,
 * counts down, so each call counts up just before it. The kernel's function that writes the
 * counting instruction is called without a target: it would look for that instruction
 * in front of the target, which is nobody's memory at the start of a block of text.
 * A call that is not counted is safe, the stack is just refilled too early.
 */
#include <linux/errno.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/utsname.h>

#include <asm/alternative.h>
#include <asm/cpufeature.h>
#include <asm/nospec-branch.h>

#include "emit.h"
#include "encode_x86.h"

static_assert(__same_type(its_static_thunk, mmkit_ksym_proto_its_static_thunk));
MMKIT_CALL_DEPTH_SAME_TYPE;

static const void *return_thunk;	/* NULL: a plain return */
static const void *jump_thunks[JIT_X86_REGS];	/* NULL: a plain jump */
static bool jump_lfence;		/* which waits for what came before */
static bool count_calls;

static int refuse(const char *name, const char *lost)
{
	pr_err("the kernel (%s) has no %s: %s\n", utsname()->release, name, lost);
	return -EOPNOTSUPP;
}

static int find_return(const struct mmkit_ksym_table *table)
{
	const void **thunk;

	if (!cpu_feature_enabled(X86_FEATURE_RETHUNK))
		return 0;
	thunk = (const void **)mmkit_ksym_found(table, "x86_return_thunk");
	if (!thunk)
		return refuse("x86_return_thunk", JIT_LOST_RETURN);
	return_thunk = *thunk;
	return 0;
}

static void use_thunks(const retpoline_thunk_t *array)
{
	unsigned int reg;

	for (reg = 0; reg < JIT_X86_REGS; reg++)
		jump_thunks[reg] = array[reg];
}

static int find_jump(const struct mmkit_ksym_table *table)
{
	const char *array = mmkit_counts_calls() ?
			    MMKIT_CALL_DEPTH_JUMP : "__x86_indirect_thunk_array";
	const void *its[JIT_X86_REGS] = { };
	unsigned int reg;

	if (mmkit_ksym_found(table, "its_static_thunk")) {
		for (reg = 0; reg < JIT_X86_REGS; reg++)
			its[reg] = mmkit_ksym(its_static_thunk)(reg);
	}
	if (cpu_feature_enabled(X86_FEATURE_INDIRECT_THUNK_ITS)) {
		if (!its[0])
			return refuse("its_static_thunk", JIT_LOST_JUMP);
		memcpy(jump_thunks, its, sizeof(its));
	} else if (cpu_feature_enabled(X86_FEATURE_RETPOLINE_LFENCE)) {
		jump_lfence = true;
	} else if (cpu_feature_enabled(X86_FEATURE_RETPOLINE)) {
		if (!mmkit_ksym_found(table, array))
			return refuse(array, JIT_LOST_JUMP);
		use_thunks((const retpoline_thunk_t *)mmkit_ksym_found(table, array));
	}
	return 0;
}

int mmkit_jit_emit_init(const struct mmkit_ksym_table *table)
{
	count_calls = mmkit_ksym_found(table, MMKIT_CALL_DEPTH_EMIT);
	return find_return(table) ?: find_jump(table);
}

static int branch(u8 *buf, u8 opcode, const void *at, const void *to)
{
	return jit_x86_branch(buf, opcode, (unsigned long)at, (unsigned long)to);
}

int mmkit_jit_emit_entry(void *buf)
{
	return jit_x86_landing_pad(buf);
}
MMKIT_EXPORT(mmkit_jit_emit_entry);

int mmkit_jit_emit_prologue(void *buf)
{
	int n = jit_x86_landing_pad(buf);

	return n + jit_x86_enter(buf + n);
}
MMKIT_EXPORT(mmkit_jit_emit_prologue);

int mmkit_jit_emit_return(void *buf, const void *at)
{
	if (return_thunk)
		return branch(buf, JIT_X86_JMP, at, return_thunk);
	return jit_x86_ret(buf);
}
MMKIT_EXPORT(mmkit_jit_emit_return);

int mmkit_jit_emit_epilogue(void *buf, const void *at)
{
	int n = jit_x86_leave(buf);
	int ret = mmkit_jit_emit_return(buf + n, at + n);

	return ret < 0 ? ret : n + ret;
}
MMKIT_EXPORT(mmkit_jit_emit_epilogue);

int mmkit_jit_emit_indirect_jump(void *buf, const void *at, unsigned int reg)
{
	int n;

	if (reg >= JIT_X86_REGS || reg == JIT_X86_RSP)
		return -EINVAL;
	if (jump_thunks[reg])
		return branch(buf, JIT_X86_JMP, at, jump_thunks[reg]);
	n = jump_lfence ? jit_x86_lfence(buf) : 0;
	return n + jit_x86_jump_reg(buf + n, reg);
}
MMKIT_EXPORT(mmkit_jit_emit_indirect_jump);

int mmkit_jit_emit_call(void *buf, const void *at, const void *target)
{
	int n = count_calls ? mmkit_call_depth_emit(buf, at) : 0;
	int ret = branch(buf + n, JIT_X86_CALL, at + n, target);

	return ret < 0 ? ret : n + ret;
}
MMKIT_EXPORT(mmkit_jit_emit_call);

int mmkit_jit_emit_jump(void *buf, const void *at, const void *target)
{
	return branch(buf, JIT_X86_JMP, at, target);
}
MMKIT_EXPORT(mmkit_jit_emit_jump);

int mmkit_jit_emit_nop(void *buf)
{
	return jit_x86_nop(buf);
}
MMKIT_EXPORT(mmkit_jit_emit_nop);
