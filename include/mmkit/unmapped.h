/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages that are in no direct map.
 *
 * mmkit_unmapped keeps a cache of memory that it took out of the kernel's direct
 * map, a PMD_SIZE block at a time where it can: the entry of the direct map stays
 * whole, and translations are flushed once a block. An allocation that the cache
 * can serve changes no page table and flushes nothing.
 *
 * Who owns such a page reaches its contents through a mapping of its own, or for
 * a moment with mmkit_unmapped_map_local(). page_address() of it faults.
 */
#ifndef MMKIT_UNMAPPED_H
#define MMKIT_UNMAPPED_H

#include <linux/gfp.h>
#include <linux/types.h>

struct page;

/**
 * mmkit_unmapped_alloc() - allocate pages that are in no direct map
 * @gfp:   %__GFP_ZERO asks for zeroed memory. Without %__GFP_DIRECT_RECLAIM only what
 *	   is cached is taken; with it the cache may be refilled, under the reclaim
 *	   flags given here. %__GFP_THISNODE is honoured. Zone modifiers, %__GFP_COMP and
 *	   %__GFP_ACCOUNT mean nothing here.
 * @order: 2^@order pages, side by side and naturally aligned; 0 to
 *	   %PMD_SHIFT - %PAGE_SHIFT
 *
 * The pages hold no bytes of an earlier user of the cache that freed them with
 * mmkit_unmapped_free(). What else memory can contain, they can contain, unless
 * %__GFP_ZERO is given.
 *
 * Each page has a reference count of 1 and carries PageOffline; neither may be
 * changed. The memory comes from the node of the calling CPU if possible.
 *
 * Context: task, softirq or hardirq, not NMI. Sleeps only with
 *	    %__GFP_DIRECT_RECLAIM, and then not in a workqueue with WQ_MEM_RECLAIM: a refill
 *	    can wait for other work. With %__GFP_ZERO, and when pages are reused that were
 *	    not scrubbed yet, it writes each page through a local mapping, of which one
 *	    must be left.
 * Return: the first page, or NULL: nothing cached and no refill allowed or possible,
 *	   @order too large, hibernation begins, or the fuse has blown.
 */
struct page *mmkit_unmapped_alloc(gfp_t gfp, unsigned int order);

/**
 * mmkit_unmapped_alloc_node() - the same, from a node
 * @nid:   node to prefer, or %NUMA_NO_NODE; with %__GFP_THISNODE the only one
 * @gfp:   as for mmkit_unmapped_alloc()
 * @order: as for mmkit_unmapped_alloc()
 *
 * Context: as mmkit_unmapped_alloc().
 * Return: as mmkit_unmapped_alloc().
 */
struct page *mmkit_unmapped_alloc_node(int nid, gfp_t gfp, unsigned int order);

/**
 * mmkit_unmapped_free() - give pages back, to be scrubbed
 * @page:  first page, may be NULL
 * @order: the order they were allocated with
 *
 * The contents are overwritten before anybody can have the pages: by a kernel
 * thread soon, or by whoever takes them earlier. All mappings of the owner are
 * gone and flushed. A page that somebody else still holds a reference to is kept
 * back until that is dropped.
 *
 * A page that was not allocated here, or with another @order, is not freed and
 * blows the fuse.
 *
 * Context: task, softirq or hardirq, not NMI.
 */
void mmkit_unmapped_free(struct page *page, unsigned int order);

/**
 * mmkit_unmapped_free_noscrub() - give pages back that hold no secret
 * @page:  first page, may be NULL
 * @order: the order they were allocated with
 *
 * For contents that are ciphertext, or were zeroed: the next owner may see them.
 * Otherwise as mmkit_unmapped_free().
 *
 * Context: task, softirq or hardirq, not NMI.
 */
void mmkit_unmapped_free_noscrub(struct page *page, unsigned int order);

/* How many local mappings can be nested on a CPU. */
#define MMKIT_UNMAPPED_LOCAL_DEPTH	4

/**
 * mmkit_unmapped_map_local() - map one page for a moment
 * @page: a page of mmkit_unmapped_alloc(), any of a larger allocation too
 *
 * Preemption is off until mmkit_unmapped_unmap_local(). Mappings nest, those of
 * interrupts too, %MMKIT_UNMAPPED_LOCAL_DEPTH deep; the last one made is undone
 * first. No other CPU is given the address. Its page tables are shared, though: on
 * x86, where only this CPU's translation is flushed afterwards, another CPU can
 * hold one that it loaded by speculation.
 *
 * Context: task, softirq or hardirq, not NMI.
 * Return: the address, or NULL when nested too deeply (the fuse blows).
 */
void *mmkit_unmapped_map_local(struct page *page);

/**
 * mmkit_unmapped_unmap_local() - undo the last mmkit_unmapped_map_local()
 * @addr: what it returned, or any address in that page; NULL is nothing
 *
 * On return the translation is flushed: on x86 from this CPU, on arm64 from all.
 *
 * Context: task, softirq or hardirq, not NMI; on the CPU that mapped.
 */
void mmkit_unmapped_unmap_local(void *addr);

#endif /* MMKIT_UNMAPPED_H */
