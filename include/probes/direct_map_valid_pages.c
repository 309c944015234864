// SPDX-License-Identifier: GPL-2.0-only
/* x86: pages leave the direct map and return in one call that does not flush. */
#include <linux/mm.h>
#include <linux/set_memory.h>

#ifndef CONFIG_X86_64
#error "flushes elsewhere"
#endif

int (*mmkit_probe)(struct page *page, unsigned int nr, bool valid) = set_direct_map_valid_noflush;
