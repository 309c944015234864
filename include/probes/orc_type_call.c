// SPDX-License-Identifier: GPL-2.0-only
/* Unwind tables call an ordinary frame ORC_TYPE_CALL. */
#include <linux/types.h>
#include <asm/orc_types.h>

int mmkit_probe[ORC_TYPE_CALL];
