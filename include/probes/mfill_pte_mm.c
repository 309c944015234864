// SPDX-License-Identifier: GPL-2.0-only
/* mfill_atomic_install_pte(mm, pmd, vma, ...). */
#include <linux/mm.h>
#include <linux/userfaultfd_k.h>

static_assert(__same_type(&mfill_atomic_install_pte,
			  (int (*)(struct mm_struct *, pmd_t *, struct vm_area_struct *,
				   unsigned long, struct page *, bool, bool))0));
