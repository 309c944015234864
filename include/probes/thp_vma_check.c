// SPDX-License-Identifier: GPL-2.0-only
/* hugepage_vma_check() says whether an area may have huge pages. */
#include <linux/mm.h>
#include <linux/huge_mm.h>

static_assert(__same_type(&hugepage_vma_check,
			  (bool (*)(struct vm_area_struct *, unsigned long, bool, bool, bool))0));
