// SPDX-License-Identifier: GPL-2.0-only
/* __thp_vma_allowable_orders(vma, vm_flags, type, orders). */
#include <linux/mm.h>
#include <linux/huge_mm.h>

static_assert(__same_type(&__thp_vma_allowable_orders,
			  (unsigned long (*)(struct vm_area_struct *, vm_flags_t,
					     enum tva_type, unsigned long))0));
