/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Caches and tag storage. Tags are cached by the address of their data, and the
 * storage by its own address, and a cache does not know that both are the same
 * memory. So when storage changes hands nothing of its last use may be left in a
 * cache, from where it would be written over the next one.
 *
 * No emulator has such caches: what is tested is that the calls are made.
 */
#ifndef TS_MAINTAIN_H
#define TS_MAINTAIN_H

#include <linux/mm.h>

#include "tagstore.h"

#ifdef CONFIG_ARM64
#include <asm/asm-extable.h>
#include <asm/barrier.h>
#include <asm/cpufeature.h>
#include <asm/sysreg.h>

/* Op over [start, end) a line at a time. An address that is not mapped has nothing cached. */
#define ts_clean_lines(op, start, end)							\
do {											\
	unsigned long line_ = 4UL << ((read_cpuid_cachetype() >> 16) & 0xf);		\
	unsigned long at_;								\
											\
	for (at_ = (start); at_ < (end); at_ += line_)					\
		asm volatile("1:	" op ", %0\n"					\
			     "2:\n"							\
			     _ASM_EXTABLE_UACCESS(1b, 2b)				\
			     : : "r" (at_) : "memory");					\
	dsb(sy);									\
} while (0)

/* DC CIVAC, and DC CIGVAC, which the assembler may not know by name. */
#define TS_CLEAN_DATA	"sys	#3, c7, c14, #1"
#define TS_CLEAN_TAGS	"sys	#3, c7, c14, #3"
#endif

/* The storage was used as memory, and will hold tags. */
static inline void mmkit_ts_clean_data(unsigned long pfn, unsigned long pages)
{
	mmkit_ts_count(TS_STAT_CLEAN_DATA, pages);
#ifdef CONFIG_ARM64
	unsigned long start = (unsigned long)page_address(pfn_to_page(pfn));

	ts_clean_lines(TS_CLEAN_DATA, start, start + pages * PAGE_SIZE);
#endif
}

/* The pages from @pfn on carry tags no more, and the storage will be used as memory. */
static inline void mmkit_ts_clean_tags(unsigned long pfn, unsigned long pages)
{
	mmkit_ts_count(TS_STAT_CLEAN_TAGS, pages);
#ifdef CONFIG_ARM64
	if (system_supports_mte()) {
		unsigned long start = (unsigned long)page_address(pfn_to_page(pfn));

		ts_clean_lines(TS_CLEAN_TAGS, start, start + pages * PAGE_SIZE);
	}
#endif
}

#endif /* TS_MAINTAIN_H */
