/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tag storage: where the memory tags of arm64 (MTE) live, lent out as ordinary
 * memory while nothing is tagged.
 *
 * The manager reserves storage by itself before a page becomes tagged. These
 * functions are for code that tags pages on its own account, and for tests.
 *
 * A tag has 4 bits for 16 bytes (Arm Architecture Reference Manual, "The Memory
 * Tagging Extension"), so the tags of 32 pages fill one page of storage.
 */
#ifndef MMKIT_TAGSTORE_H
#define MMKIT_TAGSTORE_H

#include <linux/types.h>

struct page;

/**
 * mmkit_tagstore_reserve() - make room for the tags of pages
 * @page:  first page
 * @order: 2^@order pages
 * @gfp:   without __GFP_DIRECT_RECLAIM only storage that is taken already counts
 *
 * What ordinary memory lies in the storage is migrated away. Pages that are
 * reserved already stay so, and pages of no region need nothing. When it fails
 * every count and owner is as it was.
 *
 * Context: with __GFP_DIRECT_RECLAIM process context that may sleep, with no folio
 *	    lock held, because migration waits for those; else any.
 * Return: 0; -EAGAIN when it would have to sleep; -EBUSY when the storage cannot be
 *	   emptied now; -EINTR when the task is dying; -ENOMEM; -EINVAL when the pages
 *	   lie in tag storage themselves; -EIO when the fuse of the component has blown.
 */
int mmkit_tagstore_reserve(struct page *page, unsigned int order, gfp_t gfp);

/**
 * mmkit_tagstore_free() - pages do not carry tags any more
 * @page:  first page
 * @order: 2^@order pages
 *
 * Not needed for pages that go back to the page allocator: that is seen. Pages that
 * are not reserved are left alone.
 *
 * Context: any.
 */
void mmkit_tagstore_free(struct page *page, unsigned int order);

/**
 * mmkit_tagstore_page_reserved() - may this page carry tags?
 * @page: the page
 *
 * Context: any.
 * Return: true when the page is reserved, or belongs to no region.
 */
bool mmkit_tagstore_page_reserved(struct page *page);

#endif /* MMKIT_TAGSTORE_H */
