// SPDX-License-Identifier: GPL-2.0-only
/* x86: the same under later names. */
#include <linux/memory.h>
#include <asm/text-patching.h>

void (*mmkit_probe_sync)(void) = smp_text_poke_sync_each_cpu;
void (*mmkit_probe_one)(void *addr, const void *opcode, size_t len, const void *emulate) =
	smp_text_poke_single;
