// SPDX-License-Identifier: GPL-2.0-only
/* mprotect_fixup(iterator, tlb, vma, ...). */
#include <linux/mm.h>

static_assert(__same_type(&mprotect_fixup,
			  (int (*)(struct vma_iterator *, struct mmu_gather *,
				   struct vm_area_struct *, struct vm_area_struct **,
				   unsigned long, unsigned long, unsigned long))0));
