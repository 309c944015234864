// SPDX-License-Identifier: GPL-2.0-only
/* x86: any protection can be set, also that of memory that is not present. */
#include <linux/mm.h>
#include <linux/set_memory.h>

int (*mmkit_probe)(unsigned long addr, int numpages, pgprot_t prot) = __set_memory_prot;
int (*mmkit_probe_np)(unsigned long addr, int numpages) = set_memory_np;
