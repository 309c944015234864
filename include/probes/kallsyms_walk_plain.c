// SPDX-License-Identifier: GPL-2.0-only
/* The walk over all symbols hands the callback a name and an address. */
#include <linux/kallsyms.h>

int (*mmkit_probe)(int (*fn)(void *, const char *, unsigned long), void *data) =
	kallsyms_on_each_symbol;
