/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pool of tags that are ready for use: one producer in process context, any
 * number of consumers in any context, NMI included. A ring; head and tail only
 * grow, so a consumer that was interrupted cannot mistake one round for another.
 *
 * No kernel interface is used here beyond compare and exchange and ordered
 * loads and stores; the unit tests build it as it is.
 */
#ifndef MMKIT_ALLOCPROF_TAGPOOL_H
#define MMKIT_ALLOCPROF_TAGPOOL_H

#define AP_POOL_SIZE	4096u

struct ap_pool {
	u64 head;		/* next to take */
	u64 tail;		/* next to put */
	u32 ring[AP_POOL_SIZE];
};

static inline u32 ap_pool_ready(const struct ap_pool *pool)
{
	u64 head = READ_ONCE(pool->head);

	return (u32)(READ_ONCE(pool->tail) - head);
}

/* Returns a tag, 0 when none is ready. */
static inline u32 ap_pool_take(struct ap_pool *pool)
{
	for (;;) {
		u64 head = READ_ONCE(pool->head);
		u32 tag;

		/* Pairs with ap_pool_put(): the ring is filled up to the tail. */
		if (head == smp_load_acquire(&pool->tail))
			return 0;
		tag = READ_ONCE(pool->ring[head % AP_POOL_SIZE]);
		if (cmpxchg(&pool->head, head, head + 1) == head)
			return tag;
	}
}

/* Returns false when the ring is full. One caller at a time. */
static inline bool ap_pool_put(struct ap_pool *pool, u32 tag)
{
	u64 tail = READ_ONCE(pool->tail);

	if (tail - READ_ONCE(pool->head) == AP_POOL_SIZE)
		return false;
	WRITE_ONCE(pool->ring[tail % AP_POOL_SIZE], tag);
	/* Pairs with ap_pool_take(). */
	smp_store_release(&pool->tail, tail + 1);
	return true;
}

#endif /* MMKIT_ALLOCPROF_TAGPOOL_H */
