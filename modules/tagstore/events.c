// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that are freed carry tags no more. That much is done here, in any context;
 * settle.c does the rest.
 */
#include <linux/mm.h>

#include <mmkit/page_events.h>

#include "tagstore.h"

static void notrace on_free(void *data, struct page *page, unsigned int order)
{
	preempt_disable_notrace();
	mmkit_ts_free(page_to_pfn(page), 1UL << order);
	preempt_enable_notrace();
}

static struct mmkit_page_events events = {
	.name	= "tagstore",
	.free	= on_free,
};

int mmkit_ts_events_init(void)
{
	return mmkit_page_events_register(&events);
}

void mmkit_ts_events_exit(void)
{
	mmkit_page_events_unregister(&events);
}
