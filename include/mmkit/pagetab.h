/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Side tables: a few bytes for every page, for modules.
 *
 * The kernel's own page extensions are a list fixed at compile time, which no
 * module can join. A side table is a virtually contiguous array indexed by page
 * frame number and backed by memory only where pages are online, so a lookup is
 * one shift and one addition.
 */
#ifndef MMKIT_PAGETAB_H
#define MMKIT_PAGETAB_H

#include <linux/types.h>

struct mmkit_pagetab_area;

/**
 * struct mmkit_pagetab_ops - callbacks of the owner of a table
 * @need: is a table wanted for these pages? NULL means yes. A range that is not
 *	  needed gets no memory, and its entries must not be looked up.
 * @init: the table for these pages exists now, and is all zero; the pages are
 *	  not yet, or no longer necessarily, free. May be NULL.
 * @fini: the table for these pages is about to go, with memory that goes
 *	  offline or with the whole table. May be NULL.
 *
 * All three run in process context, one call at a time, with memory hotplug
 * held off; they may sleep, and must not create or destroy a table. Ranges are
 * whole sections.
 */
struct mmkit_pagetab_ops {
	bool (*need)(void *data, unsigned long pfn, unsigned long nr_pages);
	void (*init)(void *data, unsigned long pfn, unsigned long nr_pages);
	void (*fini)(void *data, unsigned long pfn, unsigned long nr_pages);
};

/**
 * struct mmkit_pagetab - a table
 * @base:  where the entry of page frame 0 would be
 * @shift: an entry has 2^@shift bytes
 * @area:  belongs to the core
 */
struct mmkit_pagetab {
	void *base;
	unsigned int shift;
	struct mmkit_pagetab_area *area;
};

/**
 * mmkit_pagetab_create() - make a table for all online memory, now and later
 * @name:	 shown in debugfs "pagetab"; a string that stays
 * @entry_bytes: size of an entry: 1, 2, 4 or 8
 * @ops:	 callbacks, may be NULL
 * @data:	 for the callbacks
 *
 * Memory of the table lies on the node of the pages that it describes. Memory
 * that comes online is refused by its -ENOMEM when no table can be had for it.
 *
 * Context: process, may sleep; not from a memory notifier.
 * Return: the table, or an error pointer: -EINVAL (entry_bytes), -ENOMEM.
 */
struct mmkit_pagetab *mmkit_pagetab_create(const char *name, unsigned int entry_bytes,
					   const struct mmkit_pagetab_ops *ops, void *data);

/**
 * mmkit_pagetab_destroy() - give everything back
 * @tab: the table; NULL and error pointers are ignored
 *
 * The caller has stopped everyone who could look up an entry.
 *
 * Context: process, may sleep; not from a memory notifier.
 */
void mmkit_pagetab_destroy(struct mmkit_pagetab *tab);

/**
 * mmkit_pagetab_entry() - the entry of a page
 * @tab: the table
 * @pfn: a page that is online, in a range that is needed
 *
 * No check, no lock, no branch. A page that is allocated, or is being allocated
 * or freed, is online. For any other pfn ask mmkit_pagetab_covers() in the same
 * section with preemption disabled.
 *
 * Context: preemption disabled, for as long as the entry is used.
 * Return: the entry.
 */
static inline void *mmkit_pagetab_entry(const struct mmkit_pagetab *tab, unsigned long pfn)
{
	return tab->base + (pfn << tab->shift);
}

/**
 * mmkit_pagetab_covers() - does the table have memory for a page?
 * @tab: the table
 * @pfn: any number
 *
 * Context: preemption disabled (RCU), for as long as the answer is relied on.
 * Return: true when mmkit_pagetab_entry() may be used.
 */
bool mmkit_pagetab_covers(const struct mmkit_pagetab *tab, unsigned long pfn);

/**
 * mmkit_pagetab_for_each() - visit all ranges that a table covers
 * @tab:  the table
 * @fn:	  called for each section, with memory hotplug held off; may sleep; a
 *	  return value other than 0 ends the walk
 * @data: for @fn
 *
 * Context: process, may sleep; not from a memory notifier.
 * Return: 0, or what @fn returned.
 */
int mmkit_pagetab_for_each(struct mmkit_pagetab *tab,
			   int (*fn)(void *data, unsigned long pfn, unsigned long nr_pages),
			   void *data);

/**
 * mmkit_pagetab_bytes() - memory that a table uses
 * @tab: the table, may be NULL
 *
 * Context: any.
 * Return: bytes.
 */
unsigned long mmkit_pagetab_bytes(const struct mmkit_pagetab *tab);

#endif /* MMKIT_PAGETAB_H */
