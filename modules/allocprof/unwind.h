/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two ways up the stack, for each architecture.
 *
 * struct ap_step: the fast one. It takes no decision and asks nobody: x86 adds
 * the distance that the memo knows for a return address, arm64 follows the
 * frame records.
 *
 * struct ap_unwind: the true one, for what the memo does not know. x86 asks the
 * kernel's own unwinder and the unwind tables; arm64 compares the frame records
 * with the kernel's own walk.
 */
#ifndef MMKIT_ALLOCPROF_UNWIND_H
#define MMKIT_ALLOCPROF_UNWIND_H

#include <linux/compiler.h>

/**
 * struct ap_frame - one frame that struct ap_unwind found
 * @ip:	  the return address
 * @raw:  the word on the stack; not @ip where a tracer has put its own there
 * @step: what the memo may remember for it, 0 if nothing
 */
struct ap_frame {
	unsigned long ip;
	unsigned long raw;
	u32 step;
};

#if defined(CONFIG_X86_64)

#include <asm/unwind.h>

#define AP_ARCH_KSYM_DATA(X)								\
	X(REQUIRED, __start_orc_unwind_ip, "the unwind tables cannot be read")		\
	X(REQUIRED, __stop_orc_unwind_ip, "the unwind tables cannot be read")		\
	X(REQUIRED, __start_orc_unwind, "the unwind tables cannot be read")

/*
 * Where the return address of this function lies. That stays true for whom it
 * calls last, and needs no frame.
 */
#ifdef __CHECKER__
#define ap_frame_here()		__builtin_frame_address(0)
#else
#define ap_frame_here()		((void *)((unsigned long *)__builtin_dwarf_cfa() - 1))
#endif
#define ap_frame_keep()		do { } while (0)

struct ap_step {
	const unsigned long *slot;	/* where a return address lies */
};

static __always_inline struct ap_step ap_step_first(void *frame)
{
	return (struct ap_step){ frame };
}

static __always_inline unsigned long ap_step_ip(const struct ap_step *step)
{
	return READ_ONCE_NOCHECK(*step->slot);
}

static __always_inline void ap_step_next(struct ap_step *step, unsigned long known)
{
	step->slot = (const void *)step->slot + known;
}

struct ap_unwind {
	struct unwind_state state;
};

#elif defined(CONFIG_ARM64)

#define AP_ARCH_KSYM_DATA(X)

/* The frame record of this function, which must not end while it is looked at. */
#define ap_frame_here()		__builtin_frame_address(0)
#define ap_frame_keep()		barrier()

struct ap_step {
	const unsigned long *record;	/* frame record: caller's record, return address */
};

/* Kernel and module text have all of these bits set; a signature lies in them. */
#define AP_TEXT_TOP_BITS	GENMASK(63, VA_BITS_MIN - 1)

static __always_inline struct ap_step ap_step_first(void *frame)
{
	return (struct ap_step){ frame };
}

static __always_inline unsigned long ap_step_ip(const struct ap_step *step)
{
	return READ_ONCE_NOCHECK(step->record[1]) | AP_TEXT_TOP_BITS;
}

static __always_inline void ap_step_next(struct ap_step *step, unsigned long known)
{
	step->record = (const unsigned long *)READ_ONCE_NOCHECK(step->record[0]);
}

struct ap_unwind {
	struct ap_step step;
	unsigned long trace[48];
	unsigned int at, nr;
};

#endif

struct mmkit_ksym_table;
int mmkit_ap_unwind_init(const struct mmkit_ksym_table *table);
void mmkit_ap_unwind_start(struct ap_unwind *unwind, void *frame);
bool mmkit_ap_unwind_frame(struct ap_unwind *unwind, struct ap_frame *out);

#endif /* MMKIT_ALLOCPROF_UNWIND_H */
