// SPDX-License-Identifier: GPL-2.0-only
/* get_user_pages_remote() also returns areas. */
#include <linux/mm.h>

static_assert(__same_type(&get_user_pages_remote,
			  (long (*)(struct mm_struct *, unsigned long, unsigned long, unsigned int,
				    struct page **, struct vm_area_struct **, int *))0));
