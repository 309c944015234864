// SPDX-License-Identifier: GPL-2.0-only
/* MAX_ORDER is one more than the largest order of the page allocator. */
#include <linux/mmzone.h>

int mmkit_probe[MAX_ORDER];
#ifdef MAX_PAGE_ORDER
#error MAX_ORDER has another meaning here
#endif
