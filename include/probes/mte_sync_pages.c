// SPDX-License-Identifier: GPL-2.0-only
/* mte_sync_tags(pte, nr_pages); a page is locked while it becomes tagged. */
#include <linux/mm.h>
#include <asm/mte.h>

#ifdef CONFIG_ARM64_MTE
static_assert(__same_type(&mte_sync_tags, (void (*)(pte_t, unsigned int))0));
static_assert(__same_type(&mte_restore_tags, (void (*)(swp_entry_t, struct page *))0));
static_assert(__same_type(&try_page_mte_tagging, (bool (*)(struct page *))0));
#endif
