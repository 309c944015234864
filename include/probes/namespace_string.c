// SPDX-License-Identifier: GPL-2.0-only
/* Symbol namespaces are string literals. */
#include <linux/module.h>

MODULE_IMPORT_NS("MMKIT_PROBE");
