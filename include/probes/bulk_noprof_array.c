// SPDX-License-Identifier: GPL-2.0-only
/* The bulk page allocator fills an array. */
#include <linux/gfp.h>

unsigned long (*mmkit_probe)(gfp_t gfp, int nid, nodemask_t *nodes, int nr,
			     struct page **array) = alloc_pages_bulk_noprof;
