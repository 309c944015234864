// SPDX-License-Identifier: GPL-2.0-only
/* arm64: text is written in bulk, by functions of one header. */
#include <linux/types.h>
#include <asm/patching.h>

void *(*mmkit_probe)(void *dst, void *src, size_t len) = aarch64_insn_copy;
