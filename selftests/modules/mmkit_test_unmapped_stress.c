// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads that take unmapped pages at random and give them back, ops=N times in
 * all. Each page is marked when it is taken: a mark that is not there any more
 * when the page is given back means that somebody else had it, too. They start at
 * load, or with wait=1 when the parameter "running" is written to; that is 0 when
 * all are done, and unloading waits for it.
 */
#include <linux/completion.h>
#include <linux/gfp.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <mmkit/unmapped.h>

#include "test.h"

static unsigned int ops = 10000;
module_param(ops, uint, 0444);
MODULE_PARM_DESC(ops, "how often to take something, all threads together");

static unsigned int threads = 4;
module_param(threads, uint, 0444);
MODULE_PARM_DESC(threads, "how many threads");

static int nid = NUMA_NO_NODE;
module_param(nid, int, 0444);
MODULE_PARM_DESC(nid, "node to ask");

#define BLOCK_ORDER	(PMD_SHIFT - PAGE_SHIFT)
#define SLOTS		24
#define LAST_WORD	(PAGE_SIZE / sizeof(u64) - 1)

/* Who is freed with scrubbing writes this; nobody may ever see it in a page that is new to him. */
#define SECRET		(0x5ecULL << 52)
#define OPEN		(0x09eULL << 52)

struct slot {
	struct page *page;
	unsigned int order;
	u64 mark;
};

struct worker {
	struct completion done;
	u64 random, marks;
	unsigned long taken, denied, denied_sleeping;
	unsigned long stolen, present, foreign, seen, not_zero, not_mapped, crooked;
	struct slot slots[SLOTS];
};

static bool wait;
module_param(wait, bool, 0444);
MODULE_PARM_DESC(wait, "until running is written to");

static struct worker *workers;
static atomic_t running;

static u32 random(struct worker *worker)
{
	worker->random = worker->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return worker->random >> 33;
}

static unsigned int random_order(struct worker *worker)
{
	u32 draw = random(worker) % 1024;

	if (draw < 640)
		return 0;
	if (draw < 1000)
		return 1 + draw % 4;
	return 5 + draw % (BLOCK_ORDER - 4);
}

static gfp_t random_gfp(struct worker *worker)
{
	static const gfp_t base[] = {
		GFP_KERNEL, GFP_KERNEL | __GFP_NORETRY, GFP_NOWAIT, GFP_ATOMIC
	};
	u32 draw = random(worker);

	return base[draw % ARRAY_SIZE(base)] | (draw & 8 ? __GFP_ZERO : 0) | __GFP_NOWARN;
}

/* Beside each mark, so that no other bytes that memory can hold are taken for one. */
static u64 seal(u64 mark)
{
	return (mark ^ mark >> 29) * 0x9e3779b97f4a7c15ULL;
}

static bool is_secret(u64 word, u64 beside)
{
	return word >> 52 == SECRET >> 52 && beside == seal(word);
}

static void look_at_new(struct worker *worker, struct page *page, u64 mark, bool zeroed)
{
	u64 *words = mmkit_unmapped_map_local(page);
	char byte;

	worker->present += !copy_from_kernel_nofault(&byte, page_address(page), 1);
	worker->foreign += page_ref_count(page) != 1 || !PageOffline(page);
	if (!words) {
		worker->not_mapped++;
		return;
	}
	worker->not_zero += zeroed && memchr_inv(words, 0, PAGE_SIZE);
	worker->seen += is_secret(words[0], words[1]) ||
			is_secret(words[LAST_WORD], words[LAST_WORD - 1]);
	words[0] = mark;
	words[LAST_WORD] = mark;
	words[1] = seal(mark);
	words[LAST_WORD - 1] = seal(mark);
	mmkit_unmapped_unmap_local(words);
}

static void look_at_old(struct worker *worker, struct page *page, u64 mark)
{
	u64 *words = mmkit_unmapped_map_local(page);
	char byte;

	worker->present += !copy_from_kernel_nofault(&byte, page_address(page), 1);
	if (!words) {
		worker->not_mapped++;
		return;
	}
	worker->stolen += words[0] != mark || words[LAST_WORD] != mark;
	mmkit_unmapped_unmap_local(words);
}

static void give(struct worker *worker, struct slot *slot)
{
	unsigned long i, flags = 0;
	bool atomic = random(worker) & 1;

	if (!slot->page)
		return;
	for (i = 0; i < 1UL << slot->order; i++)
		look_at_old(worker, slot->page + i, slot->mark + i);
	if (atomic)
		local_irq_save(flags);
	if (slot->mark >> 52 == SECRET >> 52)
		mmkit_unmapped_free(slot->page, slot->order);
	else
		mmkit_unmapped_free_noscrub(slot->page, slot->order);
	if (atomic)
		local_irq_restore(flags);
	slot->page = NULL;
}

static void take(struct worker *worker, struct slot *slot)
{
	gfp_t gfp = random_gfp(worker);
	unsigned long i, flags = 0;
	bool atomic = !(gfp & __GFP_DIRECT_RECLAIM);

	slot->order = random_order(worker);
	if (atomic)
		local_irq_save(flags);
	slot->page = mmkit_unmapped_alloc_node(nid, gfp, slot->order);
	if (atomic)
		local_irq_restore(flags);
	if (!slot->page) {
		worker->denied++;
		worker->denied_sleeping += !atomic && !slot->order;
		return;
	}
	worker->taken++;
	worker->crooked += !IS_ALIGNED(page_to_pfn(slot->page), 1UL << slot->order);
	/* The thread, a number that never comes again, and which page of the chunk. */
	slot->mark = (random(worker) & 1 ? SECRET : OPEN) | (u64)(worker - workers) << 46 |
		     ++worker->marks << 14;
	for (i = 0; i < 1UL << slot->order; i++)
		look_at_new(worker, slot->page + i, slot->mark + i, gfp & __GFP_ZERO);
}

static int work(void *data)
{
	struct worker *worker = data;
	unsigned int i;

	for (i = 0; i < ops / threads; i++) {
		struct slot *slot = &worker->slots[random(worker) % SLOTS];

		give(worker, slot);
		take(worker, slot);
		cond_resched_tasks_rcu_qs();
	}
	for (i = 0; i < SLOTS; i++)
		give(worker, &worker->slots[i]);
	atomic_dec(&running);
	kthread_complete_and_exit(&worker->done, 0);
}

static int start(const char *text, const struct kernel_param *kp)
{
	unsigned int i;

	if (workers)
		return -EBUSY;
	workers = kvcalloc(threads, sizeof(*workers), GFP_KERNEL);
	if (!workers)
		return -ENOMEM;
	atomic_set(&running, threads);
	for (i = 0; i < threads; i++) {
		init_completion(&workers[i].done);
		workers[i].random = i + 1;
		if (IS_ERR(kthread_run(work, &workers[i], "mmkit_unmapped/%u", i))) {
			atomic_dec(&running);
			complete(&workers[i].done);
		}
	}
	return 0;
}

static int show_running(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%d\n", atomic_read(&running));
}

static const struct kernel_param_ops running_ops = { .set = start, .get = show_running };
module_param_cb(running, &running_ops, NULL, 0600);
MODULE_PARM_DESC(running, "threads that are not done yet; written to: start");

static int __init test_init(void)
{
	if (!threads || threads > 64)
		return -ERANGE;
	return wait ? 0 : start(NULL, NULL);
}
module_init(test_init);

static void __exit test_exit(void)
{
	struct worker sum = {};
	unsigned int i;

	for (i = 0; workers && i < threads; i++) {
		struct worker *worker = &workers[i];

		wait_for_completion(&worker->done);
		sum.taken += worker->taken;
		sum.denied += worker->denied;
		sum.denied_sleeping += worker->denied_sleeping;
		sum.stolen += worker->stolen;
		sum.present += worker->present;
		sum.foreign += worker->foreign;
		sum.seen += worker->seen;
		sum.not_zero += worker->not_zero;
		sum.not_mapped += worker->not_mapped;
		sum.crooked += worker->crooked;
	}
	pr_info("# %lu taken, %lu denied, %lu of them to who may sleep\n", sum.taken, sum.denied,
		sum.denied_sleeping);
	TEST(sum.taken > ops / 2, "most of what was asked for was had");
	TEST(!sum.denied_sleeping, "a single page was never denied to who may sleep");
	TEST(!sum.stolen, "no page was handed out twice");
	TEST(!sum.present, "no page was in the direct map while it was out");
	TEST(!sum.foreign, "every page had one reference and was marked");
	TEST(!sum.seen, "nobody saw what another one had to be scrubbed of");
	TEST(!sum.not_zero, "every page that was asked to be zero was");
	TEST(!sum.not_mapped, "every page could be mapped");
	TEST(!sum.crooked, "every chunk was aligned to its size");
	kvfree(workers);
}
module_exit(test_exit);
