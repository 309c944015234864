/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Buddy allocator of one block, on bitmaps of its own. No kernel interface is
 * used here; the unit tests build it as it is.
 *
 * How it works. The chunks of a block of 2^max pages form a binary tree: node 1 is
 * the whole block, nodes 2n and 2n + 1 are the halves of node n, and the leaves
 * 2^max .. 2^(max+1) - 1 are its pages. Two bitmaps have a bit for each node: "free",
 * the node is a free chunk, and "used", it is an allocated one. No node that is
 * either has an ancestor or a descendant that is, and together they cover the
 * block. So a free of something that was not allocated, or not with that order,
 * is seen by one bit.
 *
 * Two bits a node, two nodes a page: half a byte of metadata a page.
 */
#ifndef MMKIT_UM_BUDDY_H
#define MMKIT_UM_BUDDY_H

#define UM_BUDDY_MAX_ORDER	13
#define UM_LONG_BITS		(8 * (unsigned int)sizeof(long))

/**
 * struct um_buddy - free and used chunks of a block
 * @max:    order of the block
 * @all:    its pages: 2^@max, also the first node of order 0
 * @orders: bit n is set while there is a free chunk of order n
 * @pages:  free pages
 * @count:  free chunks by order
 * @map:    "free" bitmap, then "used" bitmap
 * @used:   the latter
 */
struct um_buddy {
	unsigned int max;
	unsigned int all;
	unsigned int orders;
	unsigned int pages;
	unsigned short count[UM_BUDDY_MAX_ORDER + 1];
	unsigned long *map;
	unsigned long *used;
};

/* Longs of one bitmap for a block of order @max, and of both. */
static inline unsigned int um_buddy_words(unsigned int max)
{
	return ((2U << max) + UM_LONG_BITS - 1) / UM_LONG_BITS;
}

static inline unsigned int um_buddy_map_words(unsigned int max)
{
	return 2 * um_buddy_words(max);
}

static inline bool um_node_test(const unsigned long *bits, unsigned int node)
{
	return bits[node / UM_LONG_BITS] >> (node % UM_LONG_BITS) & 1;
}

static inline void um_node_flip(unsigned long *bits, unsigned int node)
{
	bits[node / UM_LONG_BITS] ^= 1UL << (node % UM_LONG_BITS);
}

static inline unsigned int um_buddy_node(const struct um_buddy *buddy, unsigned int page,
					 unsigned int order)
{
	return (buddy->all + page) >> order;
}

static inline unsigned int um_buddy_page(const struct um_buddy *buddy, unsigned int node,
					 unsigned int order)
{
	return (node << order) - buddy->all;
}

static __always_inline void um_chunk_add(struct um_buddy *buddy, unsigned int node,
					 unsigned int order)
{
	um_node_flip(buddy->map, node);
	buddy->count[order]++;
	buddy->orders |= 1U << order;
}

static __always_inline void um_chunk_del(struct um_buddy *buddy, unsigned int node,
					 unsigned int order)
{
	um_node_flip(buddy->map, node);
	if (!--buddy->count[order])
		buddy->orders &= ~(1U << order);
}

/**
 * um_buddy_init() - all of the block is free
 * @buddy: the allocator
 * @max:   order of the block, at most UM_BUDDY_MAX_ORDER
 * @map:   um_buddy_map_words(@max) longs, all 0
 */
static inline void um_buddy_init(struct um_buddy *buddy, unsigned int max, unsigned long *map)
{
	*buddy = (struct um_buddy){
		.max = max, .all = 1U << max, .pages = 1U << max,
		.map = map, .used = map + um_buddy_words(max),
	};
	um_chunk_add(buddy, 1, max);
}

/* Is all of the block free? */
static inline bool um_buddy_whole(const struct um_buddy *buddy)
{
	return buddy->orders & buddy->all;
}

/* Order of the largest free chunk, -1 when there is none. */
static inline int um_buddy_largest(const struct um_buddy *buddy)
{
	return buddy->orders ? (int)UM_LONG_BITS - 1 - __builtin_clzl(buddy->orders) : -1;
}

/* The first free chunk of @order; there is one. */
static __always_inline unsigned int um_chunk_first(const struct um_buddy *buddy, unsigned int order)
{
	unsigned int first = buddy->all >> order;
	unsigned int word = first / UM_LONG_BITS;

	/* Nodes first .. 2 * first - 1: a part of word 0, or whole words. */
	if (!word)
		return __builtin_ctzl(buddy->map[0] >> first << first);
	while (!buddy->map[word])
		word++;
	return word * UM_LONG_BITS + __builtin_ctzl(buddy->map[word]);
}

/* Node @node of @have is free: keep its part of @order that holds @page, free the rest. */
static __always_inline void um_chunk_carve(struct um_buddy *buddy, unsigned int node,
					   unsigned int have, unsigned int page, unsigned int order)
{
	um_chunk_del(buddy, node, have);
	while (have > order) {
		have--;
		node = 2 * node + (page >> have & 1);
		um_chunk_add(buddy, node ^ 1, have);
	}
	um_node_flip(buddy->used, node);
	buddy->pages -= 1U << order;
}

/**
 * um_buddy_alloc() - take a chunk
 * @buddy: the allocator
 * @order: order of the chunk
 *
 * Return: first page of the chunk, counted from the start of the block, or -1 when
 *	   no free chunk is that large.
 */
static __always_inline int um_buddy_alloc(struct um_buddy *buddy, unsigned int order)
{
	unsigned int fit = order <= buddy->max ? buddy->orders >> order : 0;
	unsigned int node, page, have;

	if (!fit)
		return -1;
	have = order + __builtin_ctzl(fit);
	node = um_chunk_first(buddy, have);
	page = um_buddy_page(buddy, node, have);
	um_chunk_carve(buddy, node, have, page, order);
	return page;
}

/**
 * um_buddy_take() - take one certain page
 * @buddy: the allocator
 * @page:  a page of the block, counted from its start
 *
 * Return: true when it was free; it is allocated now, with order 0.
 */
static inline bool um_buddy_take(struct um_buddy *buddy, unsigned int page)
{
	unsigned int order;

	for (order = 0; order <= buddy->max; order++) {
		unsigned int node = um_buddy_node(buddy, page, order);

		if (um_node_test(buddy->map, node)) {
			um_chunk_carve(buddy, node, order, page, 0);
			return true;
		}
	}
	return false;
}

/* Is there an allocated chunk of @order that begins at @page? */
static __always_inline bool um_buddy_is_used(const struct um_buddy *buddy, unsigned int page,
					     unsigned int order)
{
	return order <= buddy->max && page < buddy->all && !(page & ((1U << order) - 1)) &&
	       um_node_test(buddy->used, um_buddy_node(buddy, page, order));
}

/* Order of the allocated chunk that begins at @page, -1 when there is none. */
static inline int um_buddy_order(const struct um_buddy *buddy, unsigned int page)
{
	unsigned int order;

	for (order = 0; order <= buddy->max; order++) {
		if (um_buddy_is_used(buddy, page, order))
			return order;
	}
	return -1;
}

/* Gives a chunk back that is allocated with that order. */
static __always_inline void um_chunk_free(struct um_buddy *buddy, unsigned int page,
					  unsigned int order)
{
	unsigned int node = um_buddy_node(buddy, page, order);

	um_node_flip(buddy->used, node);
	buddy->pages += 1U << order;
	while (node > 1 && um_node_test(buddy->map, node ^ 1)) {
		um_chunk_del(buddy, node ^ 1, order);
		node /= 2;
		order++;
	}
	um_chunk_add(buddy, node, order);
}

/**
 * um_buddy_free() - give a chunk back
 * @buddy: the allocator
 * @page:  first page of the chunk
 * @order: order it was taken with
 *
 * Return: false when that is not an allocated chunk; nothing is changed then.
 */
static inline bool um_buddy_free(struct um_buddy *buddy, unsigned int page, unsigned int order)
{
	if (unlikely(!um_buddy_is_used(buddy, page, order)))
		return false;
	um_chunk_free(buddy, page, order);
	return true;
}

#endif /* MMKIT_UM_BUDDY_H */
