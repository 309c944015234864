/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory for generated code.
 *
 * mmkit_jit hands out pieces of text: memory that is readable and executable, lies
 * where relative calls reach the kernel, and has no writable mapping. It comes from
 * 2M blocks of mmkit_unmapped, so that the direct map shows none of it either. All
 * bytes that belong to no object are trap instructions.
 *
 * A generator writes its code into a buffer of its own and hands that over:
 *
 *	text = mmkit_jit_alloc(NULL, size);
 *	n = mmkit_jit_emit_entry(buf);
 *	...
 *	n += mmkit_jit_emit_return(buf + n, text + n);
 *	mmkit_jit_update(text, buf, n);
 *
 * Objects are not written while they can be executed: mmkit_jit_update() is for an
 * object that no CPU is in and none can enter. What is live changes by a new object
 * and one branch to it, mmkit_jit_patch_branch().
 *
 * Rules for the code:
 *  - What is called through a pointer begins with mmkit_jit_emit_entry(). With indirect
 *    branch tracking (x86) or BTI (arm64) the call faults otherwise.
 *  - It returns with mmkit_jit_emit_return() and jumps through registers with
 *    mmkit_jit_emit_indirect_jump(): a plain "ret" is unsafe on some x86 CPUs.
 *  - Code that calls is seen by unwinders if it keeps a frame: mmkit_jit_emit_prologue()
 *    and mmkit_jit_emit_epilogue().
 *  - Kernels that check the type of a function at indirect calls (kCFI) want a hash of it
 *    in the four bytes before the entry. mmkit refuses to be built for them.
 */
#ifndef MMKIT_JIT_H
#define MMKIT_JIT_H

#include <linux/module.h>
#include <linux/types.h>

/**
 * mmkit_jit_alloc_owned() - allocate an object of text for a module
 * @owner: the module that answers for it, NULL for the kernel itself
 * @code:  what it shall hold, or NULL: traps, until mmkit_jit_update()
 * @len:   bytes, at least 1; what is left of the object's room stays traps
 * @name:  what maps and profiles call it, copied; may be NULL
 *
 * Any length works that max_bytes allows. Objects begin at a multiple of 16 bytes.
 * When this returns, @code is complete in memory and all CPUs will fetch it.
 *
 * Context: process, may sleep (takes text_mutex on x86; may refill: reclaim, TLB flush).
 * Return: the address, or NULL: @len is 0 or too large, no memory or address space,
 *	   max_bytes is reached, or the fuse has blown.
 */
void *mmkit_jit_alloc_owned(struct module *owner, const void *code, size_t len, const char *name);

/**
 * mmkit_jit_alloc() - allocate an object of text
 * @code: what it shall hold, or NULL
 * @len:  bytes
 *
 * mmkit_jit_alloc_owned() for the calling module, without a name.
 *
 * Context: as mmkit_jit_alloc_owned().
 * Return: as mmkit_jit_alloc_owned().
 */
static inline void *mmkit_jit_alloc(const void *code, size_t len)
{
	return mmkit_jit_alloc_owned(THIS_MODULE, code, len, NULL);
}

/**
 * mmkit_jit_alloc_named() - allocate an object of text that has a name
 * @code: what it shall hold, or NULL
 * @len:  bytes
 * @name: its name in debugfs jit/map
 *
 * Context: as mmkit_jit_alloc_owned().
 * Return: as mmkit_jit_alloc_owned().
 */
static inline void *mmkit_jit_alloc_named(const void *code, size_t len, const char *name)
{
	return mmkit_jit_alloc_owned(THIS_MODULE, code, len, name);
}

/**
 * mmkit_jit_update() - write code into an object
 * @text: first byte of an object
 * @code: what it shall hold from its first byte on
 * @len:  bytes, at most mmkit_jit_size(); what lies behind keeps its contents
 *
 * No CPU may be in the object, or be able to enter it, before this has returned.
 * Bytes are written in order and complete in memory before all CPUs are synchronised;
 * all CPUs are synchronised before this returns.
 *
 * Context: process, may sleep.
 * Return: 0, -EINVAL when @text is no object or @len too large, -ENOMEM.
 */
int mmkit_jit_update(void *text, const void *code, size_t len);

/**
 * mmkit_jit_free() - free an object that nobody executes any more
 * @text: first byte of an object, or NULL
 *
 * The object is filled with traps before its room can be used again. What is not
 * the first byte of a live object is not freed and blows the fuse.
 *
 * Context: process, may sleep; allocates nothing.
 */
void mmkit_jit_free(void *text);

/**
 * mmkit_jit_free_rcu() - free an object after an RCU grace period
 * @text: first byte of an object, or NULL
 *
 * For text that is only entered, and left again, inside rcu_read_lock() or with
 * preemption off. A task that is preempted in the text outside of it is not waited for.
 *
 * Context: any but NMI; allocates nothing.
 */
void mmkit_jit_free_rcu(void *text);

/**
 * mmkit_jit_free_rcu_tasks() - free an object when no task can be in it
 * @text: first byte of an object, or NULL
 *
 * Waits for an RCU-tasks grace period: each task has slept by itself, or run in user
 * space. Covers text that is preempted, not text that calls what sleeps.
 *
 * Context: any but NMI; allocates nothing.
 */
void mmkit_jit_free_rcu_tasks(void *text);

/**
 * mmkit_jit_size() - the length of an object
 * @text: first byte of an object
 *
 * Context: any but NMI.
 * Return: bytes, as they were asked for; 0 when @text is no object.
 */
size_t mmkit_jit_size(const void *text);

/**
 * mmkit_jit_patch_branch() - let a branch in a live object go elsewhere
 * @at: where, inside an object: what mmkit_jit_emit_jump() made, or mmkit_jit_emit_nop()
 * @to: where to
 *
 * CPUs that execute the object meanwhile take either the old way or the new one. All
 * take the new one when this has returned; a task can still be on the old way then.
 *
 * Context: process, may sleep.
 * Return: 0, -EINVAL when @at is in no object or no such branch is there, -ERANGE when
 *	   a direct branch does not reach @to, -EOPNOTSUPP when the kernel lacks a function.
 */
int mmkit_jit_patch_branch(void *at, const void *to);

/* No helper below writes more bytes than this. */
#define MMKIT_JIT_EMIT_MAX	32

/**
 * mmkit_jit_emit_entry() - a landing pad, for what is called through a pointer
 * @buf: where to write
 *
 * ENDBR64 on x86, BTI C on arm64; on CPUs without the check it does nothing.
 *
 * Context: any.
 * Return: bytes written.
 */
int mmkit_jit_emit_entry(void *buf);

/**
 * mmkit_jit_emit_prologue() - a landing pad and a stack frame
 * @buf: where to write
 *
 * Frame pointers are what unwinders of the kernel follow through generated code.
 *
 * Context: any.
 * Return: bytes written.
 */
int mmkit_jit_emit_prologue(void *buf);

/**
 * mmkit_jit_emit_epilogue() - leave the frame of mmkit_jit_emit_prologue(), and return
 * @buf: where to write
 * @at:  where it will be executed
 *
 * Context: any.
 * Return: bytes written, or -ERANGE.
 */
int mmkit_jit_emit_epilogue(void *buf, const void *at);

/**
 * mmkit_jit_emit_return() - return in the way this kernel returns on this CPU
 * @buf: where to write
 * @at:  where it will be executed
 *
 * On x86 the order is that of the kernel's own compiler of BPF: the return thunk
 * that is in use, or RET and a trap.
 *
 * Context: any.
 * Return: bytes written, or -ERANGE when @at is too far from the kernel.
 */
int mmkit_jit_emit_return(void *buf, const void *at);

/**
 * mmkit_jit_emit_indirect_jump() - jump to the address in a register
 * @buf: where to write
 * @at:  where it will be executed
 * @reg: number of the register in the instruction set: 0 to 15 on x86 without 4 (RSP),
 *	 0 to 30 on arm64, where the target needs a landing pad for jumps unless it is
 *	 16 or 17
 *
 * With the mitigation this kernel uses on this CPU.
 *
 * Context: any.
 * Return: bytes written, -EINVAL for another register, or -ERANGE.
 */
int mmkit_jit_emit_indirect_jump(void *buf, const void *at, unsigned int reg);

/**
 * mmkit_jit_emit_call() - call a function of the kernel, of a module or of generated code
 * @buf:    where to write
 * @at:     where it will be executed
 * @target: the function
 *
 * On x86 one instruction, behind one that counts the call where the kernel does that;
 * modules and kernel are always near enough. On arm64 one instruction where that
 * reaches, else the address goes through register 16.
 *
 * Context: any.
 * Return: bytes written, or -ERANGE.
 */
int mmkit_jit_emit_call(void *buf, const void *at, const void *target);

/**
 * mmkit_jit_emit_jump() - one direct branch, which can be patched later
 * @buf:    where to write
 * @at:     where it will be executed
 * @target: where to
 *
 * Context: any.
 * Return: bytes written, or -ERANGE.
 */
int mmkit_jit_emit_jump(void *buf, const void *at, const void *target);

/**
 * mmkit_jit_emit_nop() - as long as a branch, to be patched into one
 * @buf: where to write
 *
 * Context: any.
 * Return: bytes written.
 */
int mmkit_jit_emit_nop(void *buf);

#endif /* MMKIT_JIT_H */
