// SPDX-License-Identifier: GPL-2.0-only
/* Ranges of pages are claimed by alloc_contig_range_noprof(), by migrate type. */
#include <linux/gfp.h>

int (*mmkit_probe)(unsigned long start, unsigned long end, unsigned int type, gfp_t gfp) =
	alloc_contig_range_noprof;
