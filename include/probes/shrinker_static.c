// SPDX-License-Identifier: GPL-2.0-only
/* Shrinkers are registered where they lie. */
#include <linux/mm.h>
#include <linux/shrinker.h>

int mmkit_probe(struct shrinker *shrinker);
int mmkit_probe(struct shrinker *shrinker)
{
	return register_shrinker(shrinker, "mmkit");
}
