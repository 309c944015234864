// SPDX-License-Identifier: GPL-2.0-only
/* arm64: pages leave the direct map and return in one call. */
#include <linux/mm.h>
#include <linux/set_memory.h>

int (*mmkit_probe)(unsigned long addr, int numpages, int enable) = set_memory_valid;
bool (*mmkit_probe_can)(void) = can_set_direct_map;
