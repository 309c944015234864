/* SPDX-License-Identifier: GPL-2.0-only */
/* The page tables of the kernel, as they are: for modules that prove what they changed. */
#ifndef MMKIT_WALK_H
#define MMKIT_WALK_H

#include <linux/pgtable.h>

/**
 * mmkit_walk() - the entry of the kernel's page tables that decides about an address
 * @addr: a kernel address
 * @size: receives how many bytes the entry describes
 *
 * At whatever level the entry is, also when it is not present. Entries of all
 * levels are read as a pte_t. The caller knows that the tables below @addr are not
 * freed meanwhile: those of the direct map, or of an area of its own.
 *
 * Context: any.
 * Return: the entry, or NULL when there is none.
 */
pte_t *mmkit_walk(unsigned long addr, unsigned long *size);

#endif /* MMKIT_WALK_H */
