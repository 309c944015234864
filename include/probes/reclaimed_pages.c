// SPDX-License-Identifier: GPL-2.0-only
/* What shrinkers free is accounted by a function. */
#include <linux/swap.h>

void (*mmkit_probe)(unsigned long pages) = mm_account_reclaimed_pages;
