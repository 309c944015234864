// SPDX-License-Identifier: GPL-2.0-only
/* Unwind tables call an ordinary frame UNWIND_HINT_TYPE_CALL. */
#include <linux/types.h>
#include <linux/objtool.h>
#include <asm/orc_types.h>

int mmkit_probe[UNWIND_HINT_TYPE_CALL + 1];
