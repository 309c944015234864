// SPDX-License-Identifier: GPL-2.0-only
/* Shrinkers are allocated by the kernel. */
#include <linux/mm.h>
#include <linux/shrinker.h>

struct shrinker *mmkit_probe(void);
struct shrinker *mmkit_probe(void)
{
	return shrinker_alloc(0, "mmkit");
}
