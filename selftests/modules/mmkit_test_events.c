// SPDX-License-Identifier: GPL-2.0-only
/* Page events: two clients see the same, a client that left sees nothing. */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/sched.h>

#include <mmkit/page_events.h>

#include "test.h"

#define ROUNDS 1000

/* Counts what the task that runs the test does, in pages. */
struct watch {
	struct mmkit_page_events events;
	struct task_struct *task;
	atomic_long_t allocated, freed, retagged;
};

static void on_alloc(void *data, struct page *page, unsigned int order, gfp_t gfp, int type)
{
	struct watch *watch = data;

	if (page && current == watch->task && in_task())
		atomic_long_add(1L << order, &watch->allocated);
}

static void on_free(void *data, struct page *page, unsigned int order)
{
	struct watch *watch = data;

	if (current == watch->task && in_task())
		atomic_long_add(1L << order, &watch->freed);
}

static void on_retag(void *data, unsigned long pfn, unsigned int order, unsigned long ip)
{
	atomic_long_add(1L << order, &((struct watch *)data)->retagged);
}

static struct watch first = {
	.events = { .name = "first", .alloc = on_alloc, .free = on_free, .retag = on_retag },
};

static struct watch second = {
	.events = { .name = "second", .alloc = on_alloc, .free = on_free },
};

static long allocate_and_free(void)
{
	long pages = 0;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		unsigned int order = i % 4;
		struct page *page = alloc_pages(GFP_KERNEL, order);

		if (!page)
			continue;
		pages += 1L << order;
		__free_pages(page, order);
	}
	return pages;
}

/*
 * All is seen, and nothing else: the kernel can let this task free something of its
 * own meanwhile, so a round with more is done again; one with less is the end.
 */
static void see_all(void)
{
	long pages, allocated, freed;
	int round;

	for (round = 0; round < 5; round++) {
		allocated = atomic_long_read(&first.allocated);
		freed = atomic_long_read(&first.freed);
		pages = allocate_and_free();
		allocated = atomic_long_read(&first.allocated) - allocated;
		freed = atomic_long_read(&first.freed) - freed;
		if (freed <= pages)
			break;
		pr_info("%ld pages, %ld allocated, %ld freed\n", pages, allocated, freed);
	}
	TEST(allocated == pages, "it sees every allocation");
	TEST(freed == pages, "it sees every free");
}

static int __init test_init(void)
{
	long pages, before;
	int err;

	first.task = current;
	second.task = current;
	err = mmkit_page_events_register(&first.events);
	TEST(!err, "a client registers");
	if (err)
		return err;
	TEST(mmkit_page_events_register(&first.events) == -EEXIST, "but not twice");

	see_all();

	TEST(!mmkit_page_events_register(&second.events), "a second client registers");
	before = atomic_long_read(&first.allocated);
	pages = allocate_and_free();
	TEST(atomic_long_read(&second.allocated) == pages, "the second client sees its share");
	TEST(atomic_long_read(&first.allocated) - before == pages, "the first still sees all");

	mmkit_page_event_retag(0, 3, _THIS_IP_);
	TEST(atomic_long_read(&first.retagged) == 8, "pages that change hands are reported");

	mmkit_page_events_unregister(&first.events);
	before = atomic_long_read(&first.allocated);
	pages = atomic_long_read(&second.allocated) + allocate_and_free();
	TEST(atomic_long_read(&first.allocated) == before, "a client that left sees nothing");
	TEST(atomic_long_read(&second.allocated) == pages, "the one that stayed sees all");
	mmkit_page_event_retag(0, 3, _THIS_IP_);
	TEST(atomic_long_read(&first.retagged) == 8, "nobody listens to changes of hands");
	mmkit_page_events_unregister(&second.events);
	return 0;
}
module_init(test_init);

static void __exit test_exit(void)
{
}
module_exit(test_exit);
