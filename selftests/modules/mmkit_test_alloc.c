// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allocates pages in every way there is, each in a function of its own, so that
 * the profiler's books can be compared with ours, function by function.
 *
 * events=N: N allocations and as many frees, at random, by threads=N threads
 * that also hand each other what they have. At the end all but hold=N objects a
 * thread are freed. What is held is said in the log:
 *
 *	held FUNCTION BYTES CALLS
 *
 * and is freed when the module is unloaded.
 */
#include <linux/completion.h>
#include <linux/gfp.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "test.h"

static unsigned int events = 10000;
module_param(events, uint, 0444);
MODULE_PARM_DESC(events, "allocations, all threads together");

static unsigned int threads = 4;
module_param(threads, uint, 0444);
MODULE_PARM_DESC(threads, "how many threads");

static unsigned int hold;
module_param(hold, uint, 0444);
MODULE_PARM_DESC(hold, "objects that each thread keeps until the module is unloaded");

static unsigned int seed = 1;
module_param(seed, uint, 0444);
MODULE_PARM_DESC(seed, "of the random numbers");

#define MAX_PAGES	8
#define SLOTS		64
#define GFP		(GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY)

/* One object. @pages: what has to be freed page by page, for the bulk kinds. */
struct object {
	struct object_kind const *kind;
	void *mem;
	struct page *pages[MAX_PAGES];
	unsigned int order;
	unsigned long live_pages, live_calls;
};

struct object_kind {
	const char *name;		/* of the function that allocates */
	bool (*get)(struct object *obj);
	void (*put)(struct object *obj);
};

/* --- ways to get pages ------------------------------------------------- */

static noinline bool stress_pages(struct object *obj)
{
	obj->mem = alloc_pages(GFP, obj->order);
	obj->live_pages = 1UL << obj->order;
	obj->live_calls = 1;
	return obj->mem;
}

static void put_pages(struct object *obj)
{
	__free_pages(obj->mem, obj->order);
}

static noinline bool stress_compound(struct object *obj)
{
	obj->mem = alloc_pages(GFP | __GFP_COMP, obj->order);
	obj->live_pages = 1UL << obj->order;
	obj->live_calls = 1;
	return obj->mem;
}

static void put_compound(struct object *obj)
{
	put_page(obj->mem);
}

/* Split, and freed page by page, the head last. */
static noinline bool stress_split(struct object *obj)
{
	obj->mem = alloc_pages(GFP, obj->order);
	if (!obj->mem)
		return false;
	split_page(obj->mem, obj->order);
	obj->live_pages = 1UL << obj->order;
	obj->live_calls = 1;
	return true;
}

static void put_split(struct object *obj)
{
	struct page *page = obj->mem;
	unsigned long i;

	for (i = 1UL << obj->order; i--;)
		__free_page(page + i);
}

/* A part of 2^order pages; the allocator gives the tail back at once. */
static noinline bool stress_exact(struct object *obj)
{
	obj->live_pages = (1UL << obj->order) - (obj->order > 1);
	obj->live_calls = 1;
	obj->mem = alloc_pages_exact(obj->live_pages * PAGE_SIZE, GFP);
	return obj->mem;
}

static void put_exact(struct object *obj)
{
	free_pages_exact(obj->mem, obj->live_pages * PAGE_SIZE);
}

static noinline bool stress_free_pages(struct object *obj)
{
	obj->mem = (void *)__get_free_pages(GFP, obj->order);
	obj->live_pages = 1UL << obj->order;
	obj->live_calls = 1;
	return obj->mem;
}

static void put_free_pages(struct object *obj)
{
	free_pages((unsigned long)obj->mem, obj->order);
}

static noinline bool stress_zeroed(struct object *obj)
{
	obj->mem = (void *)get_zeroed_page(GFP);
	obj->order = 0;
	obj->live_pages = 1;
	obj->live_calls = 1;
	return obj->mem;
}

static noinline bool stress_folio(struct object *obj)
{
	struct folio *folio = folio_alloc(GFP, obj->order);

	obj->mem = folio;
	obj->live_pages = 1UL << obj->order;
	obj->live_calls = 1;
	return folio;
}

static void put_folio(struct object *obj)
{
	folio_put(obj->mem);
}

static noinline bool stress_bulk(struct object *obj)
{
	unsigned int i;

	memset(obj->pages, 0, sizeof(obj->pages));
	obj->live_pages = mmkit_test_bulk(GFP, MAX_PAGES, obj->pages);
	obj->live_calls = obj->live_pages;
	for (i = 0; i < MAX_PAGES; i++)
		obj->mem = obj->pages[i] ?: obj->mem;
	return obj->live_pages;
}

static void put_bulk(struct object *obj)
{
	unsigned int i;

	for (i = 0; i < MAX_PAGES; i++) {
		if (obj->pages[i])
			__free_page(obj->pages[i]);
	}
}

/* Single pages, taken by the bulk allocator where it can. */
static noinline bool stress_vmalloc(struct object *obj)
{
	obj->live_pages = 1UL << min(obj->order, 4U);
	obj->live_calls = obj->live_pages;
	obj->mem = __vmalloc(obj->live_pages * PAGE_SIZE, GFP);
	return obj->mem;
}

static void put_vmalloc(struct object *obj)
{
	vfree(obj->mem);
}

static noinline bool stress_kmalloc(struct object *obj)
{
	obj->order = clamp(obj->order, 2U, 5U);
	obj->live_pages = 1UL << obj->order;
	obj->live_calls = 1;
	obj->mem = kmalloc(obj->live_pages * PAGE_SIZE, GFP);
	return obj->mem;
}

static void put_kmalloc(struct object *obj)
{
	kfree(obj->mem);
}

static const struct object_kind kinds[] = {
	{ "stress_pages", stress_pages, put_pages },
	{ "stress_compound", stress_compound, put_compound },
	{ "stress_split", stress_split, put_split },
	{ "stress_exact", stress_exact, put_exact },
	{ "stress_free_pages", stress_free_pages, put_free_pages },
	{ "stress_zeroed", stress_zeroed, put_free_pages },
	{ "stress_folio", stress_folio, put_folio },
	{ "stress_bulk", stress_bulk, put_bulk },
	{ "stress_vmalloc", stress_vmalloc, put_vmalloc },
	{ "stress_kmalloc", stress_kmalloc, put_kmalloc },
};

/* --- threads ----------------------------------------------------------- */

struct worker {
	struct completion done;
	u64 random;
	unsigned long allocated, failed;
	struct object *slots[SLOTS];
};

static struct worker *workers;
/* Where threads leave objects for each other, so that frees come from elsewhere. */
static struct object *exchange[SLOTS];

static u32 random(struct worker *worker)
{
	worker->random = worker->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return worker->random >> 33;
}

/* Small orders most of the time, like everybody. */
static unsigned int random_order(struct worker *worker)
{
	u32 draw = random(worker) % 1024;

	if (draw < 820)
		return 0;
	if (draw < 1000)
		return 1 + draw % 3;
	return draw < 1020 ? 4 + draw % 4 : 8 + draw % 3;
}

static void object_free(struct object *obj)
{
	if (!obj)
		return;
	obj->kind->put(obj);
	kfree(obj);
}

static struct object *object_get(struct worker *worker)
{
	struct object *obj = kzalloc(sizeof(*obj), GFP_KERNEL);

	if (!obj)
		return NULL;
	obj->kind = &kinds[random(worker) % ARRAY_SIZE(kinds)];
	obj->order = random_order(worker);
	if (obj->kind->get(obj)) {
		worker->allocated++;
		return obj;
	}
	worker->failed++;
	kfree(obj);
	return NULL;
}

static int work(void *data)
{
	struct worker *worker = data;
	unsigned int i;

	for (i = 0; i < events / threads; i++) {
		u32 slot = random(worker) % SLOTS;
		struct object *old = worker->slots[slot];

		if (!(random(worker) % 4))
			old = xchg(&exchange[random(worker) % SLOTS], old);
		object_free(old);
		worker->slots[slot] = object_get(worker);
		cond_resched_tasks_rcu_qs();
	}
	for (i = hold; i < SLOTS; i++) {
		object_free(worker->slots[i]);
		worker->slots[i] = NULL;
	}
	kthread_complete_and_exit(&worker->done, 0);
}

static void report(void)
{
	unsigned long allocated = 0, failed = 0;
	unsigned int i, k, slot;

	for (i = 0; i < threads; i++) {
		allocated += workers[i].allocated;
		failed += workers[i].failed;
	}
	for (k = 0; k < ARRAY_SIZE(kinds); k++) {
		unsigned long pages = 0, calls = 0;

		for (i = 0; i < threads; i++) {
			for (slot = 0; slot < SLOTS; slot++) {
				const struct object *obj = workers[i].slots[slot];

				if (obj && obj->kind == &kinds[k]) {
					pages += obj->live_pages;
					calls += obj->live_calls;
				}
			}
		}
		pr_info("held %s %lu %lu\n", kinds[k].name, pages * PAGE_SIZE, calls);
	}
	pr_info("done %lu allocations, %lu failed\n", allocated, failed);
}

static void free_all(void)
{
	unsigned int i, slot;

	for (i = 0; i < threads; i++) {
		for (slot = 0; slot < SLOTS; slot++)
			object_free(workers[i].slots[slot]);
	}
	kvfree(workers);
}

static int __init test_init(void)
{
	unsigned int i;

	if (!threads || threads > 64 || hold > SLOTS)
		return -ERANGE;
	workers = kvcalloc(threads, sizeof(*workers), GFP_KERNEL);
	if (!workers)
		return -ENOMEM;
	for (i = 0; i < threads; i++) {
		init_completion(&workers[i].done);
		workers[i].random = seed + i;
		if (IS_ERR(kthread_run(work, &workers[i], "mmkit_stress/%u", i)))
			complete(&workers[i].done);
	}
	for (i = 0; i < threads; i++)
		wait_for_completion(&workers[i].done);
	for (i = 0; i < SLOTS; i++)
		object_free(xchg(&exchange[i], NULL));
	report();
	return 0;
}
module_init(test_init);

static void __exit test_exit(void)
{
	free_all();
	pr_info("all is freed\n");
}
module_exit(test_exit);
