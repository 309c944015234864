// SPDX-License-Identifier: GPL-2.0-only
/* vma_alloc_folio_noprof(gfp, order, vma, addr, hugepage). */
#include <linux/gfp.h>

static_assert(__same_type(&vma_alloc_folio_noprof,
			  (struct folio *(*)(gfp_t, int, struct vm_area_struct *,
					     unsigned long, bool))0));
