// SPDX-License-Identifier: GPL-2.0-only
/* The page tables of the kernel, as they are: x86. */
#include <asm/pgtable.h>
#include <asm/set_memory.h>

#include <mmkit/walk.h>

#include "compat.h"

pte_t *mmkit_walk(unsigned long addr, unsigned long *size)
{
	unsigned int level;
	pte_t *entry = lookup_address(addr, &level);

	*size = entry ? page_level_size(level) : PAGE_SIZE;
	return entry;
}
MMKIT_EXPORT(mmkit_walk);
