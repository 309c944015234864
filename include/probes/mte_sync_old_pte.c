// SPDX-License-Identifier: GPL-2.0-only
/* mte_sync_tags(old_pte, pte); tags come back from swap inside it. */
#include <linux/mm.h>
#include <asm/mte.h>

#ifdef CONFIG_ARM64_MTE
static_assert(__same_type(&mte_sync_tags, (void (*)(pte_t, pte_t))0));
static_assert(__same_type(&mte_restore_tags, (bool (*)(swp_entry_t, struct page *))0));
#endif
