// SPDX-License-Identifier: GPL-2.0-only
/* leafops.h does. */
#include <linux/mm.h>
#include <linux/swap.h>
#include <linux/leafops.h>

static_assert(__same_type(&softleaf_from_pte, (swp_entry_t (*)(pte_t))0));
static_assert(__same_type(&softleaf_is_swap, (bool (*)(swp_entry_t))0));
