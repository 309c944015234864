/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the emission helpers of mmkit/jit.h need of the kernel, and how they are
 * started. emit_x86.c or emit_arm64.c is built, as a part of mmkit_jit.
 */
#ifndef MMKIT_JIT_EMIT_H
#define MMKIT_JIT_EMIT_H

#include <linux/types.h>

#include <mmkit/jit.h>
#include <mmkit/ksym.h>

#include "compat.h"

#undef pr_fmt
#define pr_fmt(fmt) "mmkit: jit: " fmt

/*
 * No row is required: what is missing matters only to a CPU that this kernel would
 * use it on. There mmkit_jit_emit_init() refuses.
 */
#ifdef CONFIG_X86_64
#define JIT_LOST_RETURN	"code cannot return on CPUs that need a return thunk"
#define JIT_LOST_JUMP	"code cannot jump through registers on CPUs that need a thunk"
#define JIT_EMIT_KSYMS(X)						\
	X(OPTIONAL, u8 *, its_static_thunk, (int reg), JIT_LOST_JUMP)	\
	MMKIT_CALL_DEPTH_KSYMS(X)
#define JIT_EMIT_DATA(X)						\
	X(OPTIONAL, x86_return_thunk, JIT_LOST_RETURN)			\
	X(OPTIONAL, __x86_indirect_thunk_array, JIT_LOST_JUMP)		\
	MMKIT_CALL_DEPTH_DATA(X)
#else
#define JIT_EMIT_KSYMS(X)
#define JIT_EMIT_DATA(X)
#endif

MMKIT_KSYM_DECLARE_TABLE(JIT_EMIT_KSYMS)

/**
 * mmkit_jit_emit_init() - find out how this kernel branches on this CPU
 * @table: resolved, and contains the rows of JIT_EMIT_KSYMS and JIT_EMIT_DATA
 *
 * Before any other helper is called. Nothing has to be undone.
 *
 * Context: process.
 * Return: 0, or -EOPNOTSUPP, with a message, when code could not be made safe.
 */
int mmkit_jit_emit_init(const struct mmkit_ksym_table *table);

#endif /* MMKIT_JIT_EMIT_H */
