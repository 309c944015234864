// SPDX-License-Identifier: GPL-2.0-only
/* arm64: text is written by words, and in no other way. */
#include <linux/types.h>
#include <asm/patching.h>

int (*mmkit_probe)(void *addr, u32 insn) = aarch64_insn_patch_text_nosync;
int aarch64_insn_copy;
