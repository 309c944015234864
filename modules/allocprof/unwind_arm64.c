// SPDX-License-Identifier: GPL-2.0-only
/*
 * The true way up the stack on arm64: frame records. The kernel's own walk is
 * asked where a tracer has put its trampoline in place of a return address.
 */
#include <linux/module.h>
#include <linux/stacktrace.h>

#include "allocprof.h"

void mmkit_ap_unwind_start(struct ap_unwind *unwind, void *frame)
{
	unsigned long raw;

	unwind->step = ap_step_first(frame);
	unwind->nr = stack_trace_save(unwind->trace, ARRAY_SIZE(unwind->trace), 0);
	/* The walk begins in here: skip to the frame that was asked for. */
	raw = ap_step_ip(&unwind->step);
	for (unwind->at = 0; unwind->at < unwind->nr; unwind->at++) {
		if (unwind->trace[unwind->at] == raw)
			return;
	}
	/* A tracer has its trampoline there: skip to whoever called us. */
	unwind->at = 0;
	while (unwind->at < unwind->nr && within_module(unwind->trace[unwind->at], THIS_MODULE))
		unwind->at++;
}

bool mmkit_ap_unwind_frame(struct ap_unwind *unwind, struct ap_frame *out)
{
	unsigned int i;

	if (unwind->at >= unwind->nr || !unwind->step.record)
		return false;
	out->raw = ap_step_ip(&unwind->step);
	/* The word of a record is in the trace, unless it is a tracer's trampoline. */
	for (i = unwind->at; i < unwind->nr; i++) {
		if (unwind->trace[i] == out->raw) {
			unwind->at = i;
			break;
		}
	}
	out->ip = unwind->trace[unwind->at++];
	out->step = 1;
	ap_step_next(&unwind->step, 1);
	return true;
}

int mmkit_ap_unwind_init(const struct mmkit_ksym_table *table)
{
	return 0;
}
