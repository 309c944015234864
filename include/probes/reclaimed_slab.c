// SPDX-License-Identifier: GPL-2.0-only
/* What shrinkers free is accounted by hand. */
#include <linux/sched.h>
#include <linux/swap.h>

void mmkit_probe(void);
void mmkit_probe(void)
{
	current->reclaim_state->reclaimed_slab++;
}
