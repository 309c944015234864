// SPDX-License-Identifier: GPL-2.0-only
/* x86: the kernel can count calls, and has a function that writes the counting instruction. */
#include <linux/types.h>
#include <asm/alternative.h>
#include <asm/cpufeature.h>

int mmkit_probe_feature = X86_FEATURE_CALL_DEPTH;
int (*mmkit_probe)(u8 **pprog, void *func, void *ip) = x86_call_depth_emit_accounting;
