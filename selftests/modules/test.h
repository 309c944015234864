/* SPDX-License-Identifier: GPL-2.0-only */
/* What the test modules say: a line in the kernel log for each thing they looked at. */
#ifndef MMKIT_TEST_H
#define MMKIT_TEST_H

#include <linux/module.h>
#include <linux/printk.h>

#include "compat.h"

#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

/* The bulk allocator under the name of this kernel, filling an array. */
#if defined(MMKIT_HAVE_BULK_NOPROF_ARRAY)
#define mmkit_test_bulk(gfp, nr, array)	alloc_pages_bulk(gfp, nr, array)
#else
#define mmkit_test_bulk(gfp, nr, array)	alloc_pages_bulk_array(gfp, nr, array)
#endif

/* The same, filling a list, where it still can. */
#ifndef MMKIT_HAVE_BULK_NOPROF_ARRAY
#define mmkit_test_bulk_list(gfp, nr, list)	alloc_pages_bulk_list(gfp, nr, list)
#endif

/* Claims the pages of [start, end), wherever the kernel can move their contents. */
#if defined(MMKIT_HAVE_CONTIG_FROZEN_FLAGS)
#define mmkit_test_contig(start, end, gfp)	alloc_contig_range(start, end, ACR_FLAGS_NONE, gfp)
#else
#define mmkit_test_contig(start, end, gfp)	alloc_contig_range(start, end, MIGRATE_MOVABLE, gfp)
#endif

#define TEST(cond, text) pr_info("%s - %s\n", (cond) ? "ok" : "not ok", text)

MMKIT_IMPORT;
MODULE_DESCRIPTION("mmkit self-test");
MODULE_LICENSE("GPL");

#endif /* MMKIT_TEST_H */
