// SPDX-License-Identifier: GPL-2.0-only
/* Symbol namespaces are bare words. */
#include <linux/module.h>

MODULE_IMPORT_NS(MMKIT_PROBE);
