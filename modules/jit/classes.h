/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Size classes of text. Nothing here but arithmetic: it is also built, and tested
 * for every length, in user space.
 *
 * Up to 64 bytes a class is a multiple of 16; above, each doubling has four, so that
 * no object wastes more than a fifth of its room. A class is m << s bytes with m odd
 * and at most 7, and its slab a number of pages with the same m: nothing is left
 * over at the end of a slab.
 */
#ifndef MMKIT_JIT_CLASSES_H
#define MMKIT_JIT_CLASSES_H

#ifdef __KERNEL__
#include <linux/bitops.h>
#include <linux/types.h>
#define jit_log2(n)	__fls(n)
#else
#include <stddef.h>
#define jit_log2(n)	(63 - (unsigned int)__builtin_clzl(n))
#endif

#define JIT_ALIGN		16
#define JIT_CLASS_MAX_BYTES	8192
#define JIT_NR_CLASSES		32

/* A slab has at least this many objects. */
#define JIT_MIN_OBJECTS		4

/* The class of the smallest objects that hold @len bytes, 1 to JIT_CLASS_MAX_BYTES. */
static inline unsigned int jit_class(size_t len)
{
	unsigned long last = len - 1;
	unsigned int log;

	if (last < 64)
		return last / JIT_ALIGN;
	log = jit_log2(last);
	return 4 + (log - 6) * 4 + (last >> (log - 2) & 3);
}

static inline unsigned int jit_class_bytes(unsigned int class)
{
	if (class < 4)
		return (class + 1) * JIT_ALIGN;
	return ((class & 3) + 5) << (class / 4 + 3);
}

static inline unsigned int jit_slab_pages(unsigned int class, unsigned int page_shift)
{
	unsigned int bytes = jit_class_bytes(class), pages = bytes;

	while (!(pages & 1))
		pages /= 2;
	while ((pages << page_shift) / bytes < JIT_MIN_OBJECTS)
		pages *= 2;
	return pages;
}

#endif /* MMKIT_JIT_CLASSES_H */
