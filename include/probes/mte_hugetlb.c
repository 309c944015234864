// SPDX-License-Identifier: GPL-2.0-only
/* Memory of hugetlbfs can be tagged. */
#include <linux/mm.h>
#include <asm/mte.h>

void (*mmkit_probe)(struct folio *folio) = folio_set_hugetlb_mte_tagged;
