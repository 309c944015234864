// SPDX-License-Identifier: GPL-2.0-only
/* The page tables of the kernel, as they are: x86. */
#include <asm/pgtable.h>
#include <asm/set_memory.h>

#include "unmapped.h"

/*
 * The entry that decides about @addr, at whatever level it is, also when it is not
 * present; NULL when there is none. @size receives what the entry describes.
 */
pte_t *mmkit_um_walk(unsigned long addr, unsigned long *size)
{
	unsigned int level;
	pte_t *entry = lookup_address(addr, &level);

	*size = entry ? page_level_size(level) : PAGE_SIZE;
	return entry;
}
