// SPDX-License-Identifier: GPL-2.0-only
/* Probes that do nothing: what any profiler pays for its events. */
#include <linux/module.h>

#include <mmkit/page_events.h>

#include "test.h"

static void notrace on_alloc(void *data, struct page *page, unsigned int order, gfp_t gfp, int type)
{
}

static void notrace on_free(void *data, struct page *page, unsigned int order)
{
}

static struct mmkit_page_events events = {
	.name	= "bench",
	.alloc	= on_alloc,
	.free	= on_free,
};

static int __init probes_init(void)
{
	return mmkit_page_events_register(&events);
}
module_init(probes_init);

static void __exit probes_exit(void)
{
	mmkit_page_events_unregister(&events);
}
module_exit(probes_exit);
