// SPDX-License-Identifier: GPL-2.0-only
/* Ranges of pages are claimed by alloc_contig_frozen_range_noprof(), by flags. */
#include <linux/gfp.h>

int (*mmkit_probe)(unsigned long start, unsigned long end, acr_flags_t flags, gfp_t gfp) =
	alloc_contig_frozen_range_noprof;
