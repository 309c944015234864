// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which blocks go: from the lists of a node to those that the worker gives back.
 * Only blocks that are all free go, the largest first, and of these the one that
 * was used longest ago. They are no part of the cache from here on, and can be
 * counted as given: no allocation brings them back.
 *
 * All of it runs under the lock of the node alone, so anybody can ask for it,
 * reclaim included.
 */
#include "unmapped.h"

/* Under the lock of the node. */
void mmkit_um_block_leave(struct um_node *node, struct um_block *block)
{
	mmkit_um_unlist(node, block);
	block->leaving = true;
	list_add_tail(&block->link, &node->leaving);
	node->free -= um_block_pages(block);
	node->leaving_pages += um_block_pages(block);
	node->blocks[um_block_order(block)]--;
}

/* At most @pages; under the lock of the node. Returns how many. */
static unsigned long leave_some(struct um_node *node, unsigned long pages)
{
	unsigned long left = pages;
	int order;

	for (order = UM_BLOCK_ORDER; order >= 0; order--) {
		while (1UL << order <= left && !list_empty(&node->whole[order])) {
			mmkit_um_block_leave(node, list_last_entry(&node->whole[order],
								   struct um_block, link));
			left -= 1UL << order;
		}
	}
	return pages - left;
}

/* At most @pages of a node leave, in blocks. Returns how many. */
unsigned long mmkit_um_leave(struct um_node *node, unsigned long pages)
{
	unsigned long flags, left;

	raw_spin_lock_irqsave(&node->lock, flags);
	left = leave_some(node, pages);
	raw_spin_unlock_irqrestore(&node->lock, flags);
	return left;
}

void mmkit_um_leave_all(void)
{
	struct um_node *node;
	int nid;

	for_each_um_node(node, nid)
		mmkit_um_leave(node, ULONG_MAX);
}

/* All free blocks that have pages in [@pfn, @end). */
void mmkit_um_leave_range(unsigned long pfn, unsigned long end)
{
	struct um_block *block, *next;
	unsigned long flags;
	struct um_node *node;
	int nid, order;

	for_each_um_node(node, nid) {
		raw_spin_lock_irqsave(&node->lock, flags);
		for (order = 0; order <= UM_BLOCK_ORDER; order++) {
			list_for_each_entry_safe(block, next, &node->whole[order], link) {
				if (block->pfn < end && block->pfn + um_block_pages(block) > pfn)
					mmkit_um_block_leave(node, block);
			}
		}
		raw_spin_unlock_irqrestore(&node->lock, flags);
	}
}
