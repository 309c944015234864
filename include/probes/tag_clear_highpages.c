// SPDX-License-Identifier: GPL-2.0-only
/* The page allocator has tags of many pages cleared at once, or only their data. */
#include <linux/mm.h>
#include <linux/highmem.h>

static_assert(__same_type(&tag_clear_highpages, (bool (*)(struct page *, int, bool))0));
