// SPDX-License-Identifier: GPL-2.0-only
/* A tracing callback redirects through struct pt_regs. */
#include <linux/ftrace.h>

void mmkit_probe(struct ftrace_regs *fregs);
void mmkit_probe(struct ftrace_regs *fregs)
{
	instruction_pointer_set(ftrace_get_regs(fregs), 0UL);
}

#ifndef CONFIG_DYNAMIC_FTRACE_WITH_REGS
#error the callback is not given all registers
#endif
