// SPDX-License-Identifier: GPL-2.0-only
/* mfill_atomic_install_pte(pmd, vma, addr, page, newly_allocated, flags). */
#include <linux/mm.h>
#include <linux/userfaultfd_k.h>

static_assert(__same_type(&mfill_atomic_install_pte,
			  (int (*)(pmd_t *, struct vm_area_struct *, unsigned long,
				   struct page *, bool, uffd_flags_t))0));
