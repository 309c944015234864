// SPDX-License-Identifier: GPL-2.0-only
/* swapops.h tells what is swapped out from what is not. */
#include <linux/mm.h>
#include <linux/swap.h>
#include <linux/swapops.h>

static_assert(__same_type(&pte_to_swp_entry, (swp_entry_t (*)(pte_t))0));
static_assert(__same_type(&non_swap_entry, (int (*)(swp_entry_t))0));
