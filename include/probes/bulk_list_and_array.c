// SPDX-License-Identifier: GPL-2.0-only
/* The bulk page allocator fills a list or an array, under the name __alloc_pages_bulk(). */
#include <linux/gfp.h>

unsigned long (*mmkit_probe)(gfp_t gfp, int nid, nodemask_t *nodes, int nr,
			     struct list_head *list, struct page **array) = __alloc_pages_bulk;
