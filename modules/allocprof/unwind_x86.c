// SPDX-License-Identifier: GPL-2.0-only
/*
 * The true way up the stack on x86: the kernel's own unwinder says where each
 * return address lies, the unwind tables say whether it always lies there.
 */
#include <linux/module.h>
#include <linux/sched.h>

#include <asm/orc_types.h>

#include "allocprof.h"

static const int *core_ips;
static const struct orc_entry *core_entries;
static size_t core_nr;

/* The entry of the last address that is not above @ip. */
static const struct orc_entry *orc_search(const int *ips, const struct orc_entry *entries,
					  size_t nr, unsigned long ip)
{
	size_t low = 0, high = nr;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if ((unsigned long)&ips[mid] + ips[mid] <= ip)
			low = mid;
		else
			high = mid;
	}
	if (!nr || (unsigned long)&ips[low] + ips[low] > ip)
		return NULL;
	return &entries[low];
}

static const struct orc_entry *orc_find(unsigned long ip)
{
	struct module *mod;

	if (mmkit_ksym(core_kernel_text)(ip))
		return orc_search(core_ips, core_entries, core_nr, ip);
	mod = mmkit_ksym(__module_text_address)(ip);
	if (!mod)
		return NULL;
	return orc_search(mod->arch.orc_unwind_ip, mod->arch.orc_unwind, mod->arch.num_orcs, ip);
}

/*
 * How far the next return address is from this one, when that is a constant: in
 * a frame that is measured from the stack pointer. 0 otherwise.
 */
static u32 orc_step(unsigned long ip)
{
	const struct orc_entry *orc = orc_find(ip - 1);

	if (!orc || orc->type != MMKIT_ORC_CALL || orc->sp_reg != ORC_REG_SP || orc->sp_offset <= 0)
		return 0;
	return orc->sp_offset;
}

void mmkit_ap_unwind_start(struct ap_unwind *unwind, void *frame)
{
	unwind_start(&unwind->state, current, NULL, frame);
}

bool mmkit_ap_unwind_frame(struct ap_unwind *unwind, struct ap_frame *out)
{
	struct unwind_state *state = &unwind->state;
	unsigned long sp = state->sp;

	if (unwind_done(state) || state->regs)
		return false;
	out->ip = unwind_get_return_address(state);
	if (!out->ip)
		return false;
	out->raw = READ_ONCE_NOCHECK(*((unsigned long *)sp - 1));
	out->step = orc_step(out->ip);
	unwind_next_frame(state);
	if (unwind_done(state) || state->sp - sp != out->step)
		out->step = 0;
	return true;
}

int mmkit_ap_unwind_init(const struct mmkit_ksym_table *table)
{
	const int *stop = (const int *)mmkit_ksym_found(table, "__stop_orc_unwind_ip");

	core_ips = (const int *)mmkit_ksym_found(table, "__start_orc_unwind_ip");
	core_entries = (const struct orc_entry *)mmkit_ksym_found(table, "__start_orc_unwind");
	core_nr = stop - core_ips;
	return 0;
}
