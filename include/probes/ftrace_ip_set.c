// SPDX-License-Identifier: GPL-2.0-only
/* A tracing callback redirects with ftrace_instruction_pointer_set(). */
#include <linux/ftrace.h>

void mmkit_probe(struct ftrace_regs *fregs);
void mmkit_probe(struct ftrace_regs *fregs)
{
	ftrace_instruction_pointer_set(fregs, 0UL);
}

#ifndef CONFIG_HAVE_DYNAMIC_FTRACE_WITH_ARGS
#error the generic version of it does nothing
#endif
