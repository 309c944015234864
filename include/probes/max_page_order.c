// SPDX-License-Identifier: GPL-2.0-only
/* The largest order of the page allocator is MAX_PAGE_ORDER. */
#include <linux/mmzone.h>

int mmkit_probe[MAX_PAGE_ORDER];
