/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Allocation and free events of the page allocator.
 *
 * A client's functions become probes of the kernel's own tracepoints
 * mm_page_alloc and mm_page_free. While there is one client, an x86 kernel
 * calls it directly from the allocator; the tracepoint itself fans out to
 * several. Without a client the tracepoints are off and cost nothing.
 *
 * What the events do not cover: pages taken by the bulk allocator from per-CPU
 * lists, by alloc_contig_range() and by compaction, and memory that comes
 * online, which is freed without ever having been allocated.
 */
#ifndef MMKIT_PAGE_EVENTS_H
#define MMKIT_PAGE_EVENTS_H

#include <linux/jump_label.h>
#include <linux/list.h>
#include <linux/types.h>

struct page;

/**
 * struct mmkit_page_events - a client
 * @name:   for messages
 * @alloc:  2^@order pages from @page on have been allocated; @page is NULL when
 *	    the allocation failed. May be NULL, and costs nothing then
 * @free:   2^@order pages from @page on are about to be freed; @order can
 *	    exceed the page allocator's largest
 * @retag:  the pages from @pfn on change hands inside the suite, to the code at
 *	    @ip; may be NULL
 *
 * @alloc, @free and @retag run in any context that can allocate or free: task,
 * softirq, hardirq, under any lock, and on newer kernels with preemption on and
 * in NMI. They nest. They disable preemption themselves where they need it, take
 * no lock, use this_cpu operations for counters, and do not allocate, sleep or
 * print.
 * @data is the client itself.
 */
struct mmkit_page_events {
	const char *name;
	void (*alloc)(void *data, struct page *page, unsigned int order, gfp_t gfp, int type);
	void (*free)(void *data, struct page *page, unsigned int order);
	void (*retag)(void *data, unsigned long pfn, unsigned int order, unsigned long ip);

	/* private: belongs to the core */
	struct list_head link;
};

/**
 * mmkit_page_events_register() - start the events for a client
 * @client: the client, static for the life of its module
 *
 * Context: process, may sleep.
 * Return: 0, -EEXIST when registered already, -EOPNOTSUPP when the kernel lacks
 *	   the tracepoints, or the error of tracepoint_probe_register() (-ENOMEM).
 */
int mmkit_page_events_register(struct mmkit_page_events *client);

/**
 * mmkit_page_events_unregister() - stop the events for a client
 * @client: the client
 *
 * On return no probe of the client is running, on no CPU.
 *
 * Context: process, may sleep (waits for a grace period).
 */
void mmkit_page_events_unregister(struct mmkit_page_events *client);

/**
 * mmkit_page_events_wait() - wait for probes in flight
 *
 * On return every probe that was running, of any client, has ended.
 *
 * Context: process, may sleep (waits for grace periods, expedited).
 */
void mmkit_page_events_wait(void);

/* For mmkit_page_event_retag() alone. */
DECLARE_STATIC_KEY_FALSE(mmkit_page_event_retag_key);
void mmkit_page_event_retag_slow(unsigned long pfn, unsigned int order, unsigned long ip);

/**
 * mmkit_page_event_retag() - pages change hands inside the suite
 * @pfn:   first page
 * @order: 2^@order pages
 * @ip:	   code address that stands for the new owner
 *
 * A cache that hands out pages it took earlier tells whom they belong to now.
 *
 * Context: any. A few instructions while no client listens.
 */
static inline void mmkit_page_event_retag(unsigned long pfn, unsigned int order, unsigned long ip)
{
	if (static_branch_unlikely(&mmkit_page_event_retag_key))
		mmkit_page_event_retag_slow(pfn, order, ip);
}

#endif /* MMKIT_PAGE_EVENTS_H */
