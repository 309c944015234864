// SPDX-License-Identifier: GPL-2.0-only
/* x86: the kernel protects indirect jumps, and does not count calls. */
#include <linux/types.h>
#include <asm/cpufeature.h>

#ifdef X86_FEATURE_CALL_DEPTH
#error "it has a name for counting"
#endif
int mmkit_probe = X86_FEATURE_RETPOLINE;
