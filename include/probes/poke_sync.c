// SPDX-License-Identifier: GPL-2.0-only
/* x86: how text is written, and CPUs are synchronised, up to 6.13 or so. */
#include <linux/memory.h>
#include <asm/text-patching.h>

void (*mmkit_probe_sync)(void) = text_poke_sync;
void (*mmkit_probe_one)(void *addr, const void *opcode, size_t len,
			const void *emulate) = text_poke_bp;
