// SPDX-License-Identifier: GPL-2.0-only
/* arm64: text is written in bulk, by functions of another header. */
#include <linux/types.h>
#include <asm/text-patching.h>

void *(*mmkit_probe)(void *dst, void *src, size_t len) = aarch64_insn_copy;
