// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cache of unmapped pages, as one of its users. What to do is written, as
 * words and numbers, to the parameter "run"; what came of it is read from there.
 * Pages that a command holds stay held until another one drops them, or the
 * module is unloaded. See "commands" at the end for all of them.
 */
#include <linux/bitmap.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/timer.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>

#include <mmkit/unmapped.h>

#include "test.h"
#include "test_file.h"

#define BLOCK_ORDER	(PMD_SHIFT - PAGE_SHIFT)
#define BLOCK_PAGES	(1UL << BLOCK_ORDER)
#define PAGE_WORDS	(PAGE_SIZE / sizeof(u64))
#define SECRET		0x5ec4e75ec4e75ec4ULL

/* What the last command had to say, for who reads "run", and for the log. */
static char said[PAGE_SIZE - 256];
static size_t said_len;

static __printf(1, 2) void say(const char *format, ...)
{
	char line[160];
	va_list args;

	va_start(args, format);
	vscnprintf(line, sizeof(line), format, args);
	va_end(args);
	pr_info("%s", line);
	if (said_len + strlen(line) < sizeof(said))
		said_len += scnprintf(said + said_len, sizeof(said) - said_len, "%s", line);
	else
		pr_err("not ok - too much was said\n");
}

#undef TEST
#define TEST(cond, text) say("%s - %s\n", (cond) ? "ok" : "not ok", text)

/* What is held, and what was held last. */
struct chunk {
	struct list_head link;
	struct page *page;
	unsigned int order;
};

static LIST_HEAD(held);
static LIST_HEAD(dropped);

/* --- looking at pages -------------------------------------------------- */

/* What a page that is held is filled with: no two pages alike, no two words of a page. */
static u64 word_of(struct page *page, unsigned int i)
{
	return (page_to_pfn(page) << 16 | i) * 0x9e3779b97f4a7c15ULL ^ SECRET;
}

static bool page_fill(struct page *page)
{
	u64 *words = mmkit_unmapped_map_local(page);
	unsigned int i;

	if (!words)
		return false;
	for (i = 0; i < PAGE_WORDS; i++)
		words[i] = word_of(page, i);
	mmkit_unmapped_unmap_local(words);
	return true;
}

/* Words of a page that are what page_fill() wrote, or 0. */
static unsigned int words_filled(struct page *page)
{
	u64 *words = mmkit_unmapped_map_local(page);
	unsigned int i, found = 0;

	if (!words)
		return 0;
	for (i = 0; i < PAGE_WORDS; i++)
		found += words[i] == word_of(page, i);
	mmkit_unmapped_unmap_local(words);
	return found;
}

static unsigned int words_zero(struct page *page)
{
	u64 *words = mmkit_unmapped_map_local(page);
	unsigned int i, found = 0;

	if (!words)
		return 0;
	for (i = 0; i < PAGE_WORDS; i++)
		found += !words[i];
	mmkit_unmapped_unmap_local(words);
	return found;
}

typedef bool (*page_test)(struct page *page);

static bool is_filled(struct page *page)
{
	return words_filled(page) == PAGE_WORDS;
}

static bool is_forgotten(struct page *page)
{
	return !words_filled(page);
}

static bool is_zero(struct page *page)
{
	return words_zero(page) == PAGE_WORDS;
}

static bool is_absent(struct page *page)
{
	char byte;

	return copy_from_kernel_nofault(&byte, page_address(page), 1) &&
	       copy_from_kernel_nofault(&byte, page_address(page) + PAGE_SIZE - 1, 1);
}

static bool is_present(struct page *page)
{
	char byte;

	return !copy_from_kernel_nofault(&byte, page_address(page), 1) &&
	       !copy_from_kernel_nofault(&byte, page_address(page) + PAGE_SIZE - 1, 1);
}

static bool is_own(struct page *page)
{
	return page_ref_count(page) == 1 && PageOffline(page);
}

static bool is_disowned(struct page *page)
{
	return !PageOffline(page);
}

#ifdef CONFIG_X86_64
static unsigned long *was_whole;	/* bit a block of memory */
static unsigned long nr_blocks;

/* The entry of the direct map is whole, whether what it maps is absent or not. */
static bool is_whole(unsigned long block)
{
	struct page *page = pfn_to_online_page(block << BLOCK_ORDER);
	unsigned int level;

	return page && lookup_address((unsigned long)page_address(page), &level) &&
	       level >= PG_LEVEL_2M;
}

static unsigned long splits(void)
{
	unsigned long *events = kcalloc(NR_VM_EVENT_ITEMS, sizeof(*events), GFP_KERNEL);
	unsigned long count = 0;

	if (events) {
		all_vm_events(events);
		count = events[DIRECT_MAP_LEVEL2_SPLIT];
	}
	kfree(events);
	return count;
}

static void forget_whole(void)
{
	bitmap_free(was_whole);
	was_whole = NULL;
	nr_blocks = 0;
}

static int remember(const long *arg)
{
	unsigned long block, count;
	unsigned int i = 0;
	int nid;

	forget_whole();
	/* A module that was loaded splits entries a while later, too: when its init text goes. */
	do {
		count = splits();
		msleep(500);
	} while (splits() != count && i++ < 20);
	for_each_online_node(nid)
		nr_blocks = max(nr_blocks, node_end_pfn(nid) >> BLOCK_ORDER);
	was_whole = bitmap_zalloc(nr_blocks, GFP_KERNEL);
	if (!was_whole)
		return -ENOMEM;
	for (block = 0; block < nr_blocks; block++)
		__assign_bit(block, was_whole, is_whole(block));
	say("# %u of %lu blocks are whole\n", bitmap_weight(was_whole, nr_blocks), nr_blocks);
	return 0;
}

/* Entries of the direct map that were broken up. */
static unsigned long broken(void)
{
	unsigned long block, count = 0;

	for_each_set_bit(block, was_whole, nr_blocks)
		count += !is_whole(block);
	return count;
}
#else
/* The direct map of arm64 is in pages to begin with, and nobody counts. */
static int remember(const long *arg)
{
	return 0;
}

static void forget_whole(void)
{
}

static unsigned long broken(void)
{
	return 0;
}

static unsigned long splits(void)
{
	return 0;
}
#endif

/* Pages of a chunk that fail a test. */
static unsigned long bad_pages(struct page *page, unsigned int order, page_test test)
{
	unsigned long i, bad = 0;

	for (i = 0; i < 1UL << order; i++)
		bad += !test(page + i);
	return bad;
}

static unsigned long bad_in(struct list_head *chunks, page_test test)
{
	struct chunk *chunk;
	unsigned long bad = 0;

	list_for_each_entry(chunk, chunks, link) {
		bad += bad_pages(chunk->page, chunk->order, test);
		cond_resched_tasks_rcu_qs();
	}
	return bad;
}

/* --- the module's files ------------------------------------------------ */

static long long value_of(const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/kernel/mmkit/unmapped/%s", name);
	return test_read_number(path);
}

static bool says_blown(void)
{
	char text[6];

	return test_read_file("/sys/kernel/mmkit/unmapped/state", text, sizeof(text)) > 0 &&
	       !strcmp(text, "blown");
}

static bool drain(void)
{
	return test_write_file("/sys/kernel/mmkit/unmapped/drain", "1\n") == 2;
}

/* --- holding and dropping ---------------------------------------------- */

static void forget_dropped(void)
{
	struct chunk *chunk, *next;

	list_for_each_entry_safe(chunk, next, &dropped, link)
		kfree(chunk);
	INIT_LIST_HEAD(&dropped);
}

static int keep(struct page *page, unsigned int order)
{
	struct chunk *chunk = kmalloc(sizeof(*chunk), GFP_KERNEL);

	if (!chunk) {
		mmkit_unmapped_free(page, order);
		return -ENOMEM;
	}
	chunk->page = page;
	chunk->order = order;
	list_add_tail(&chunk->link, &held);
	return 0;
}

static void drop(bool scrub)
{
	struct chunk *chunk;

	forget_dropped();
	list_for_each_entry(chunk, &held, link) {
		if (scrub)
			mmkit_unmapped_free(chunk->page, chunk->order);
		else
			mmkit_unmapped_free_noscrub(chunk->page, chunk->order);
	}
	list_splice_init(&held, &dropped);
}

/* Its name is what the profiler shows for pages that are held. */
static noinline struct page *hold_chunk(int nid, gfp_t gfp, unsigned int order)
{
	struct page *page;

	page = nid == NUMA_NO_NODE ? mmkit_unmapped_alloc(gfp, order) :
	       mmkit_unmapped_alloc_node(nid, gfp, order);
	/* Not a tail call: it would leave no trace of this function. */
	barrier();
	return page;
}

/* How to ask, by number, for "hold". */
static const gfp_t kinds[] = {
	GFP_KERNEL, GFP_KERNEL | __GFP_ZERO, GFP_NOWAIT, GFP_KERNEL | __GFP_THISNODE,
	GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN,
};

static int hold(const long *arg)
{
	unsigned int order = arg[1], kind = arg[2];
	long i;

	if (kind >= ARRAY_SIZE(kinds))
		return -EINVAL;
	for (i = 0; i < arg[0]; i++) {
		struct page *page = hold_chunk(arg[3] - 1, kinds[kind], order);

		if (!page || keep(page, order))
			break;
		if (kinds[kind] & __GFP_ZERO && bad_pages(page, order, is_zero)) {
			TEST(false, "zeroed pages are zero");
			return -EIO;
		}
	}
	say("# %ld of %ld chunks of order %u\n", i, arg[0], order);
	if (i < arg[0])
		return -ENOMEM;
	return 0;
}

/* Fills what is held, so that "look" has something to look for. */
static int fill(const long *arg)
{
	TEST(!bad_in(&held, page_fill), "every page that is held can be written");
	return 0;
}

static int look(const long *arg)
{
	TEST(!list_empty(&held), "pages are held");
	TEST(!bad_in(&held, is_absent), "no page that is held is in the direct map");
	TEST(!bad_in(&held, is_own), "each has one reference and is marked");
	TEST(!bad_in(&held, is_filled), "and has kept its contents");
	return 0;
}

/* With debug_pagealloc the kernel takes out what is free. */
static bool is_back(struct page *page)
{
	return is_present(page) || (debug_pagealloc_enabled() && !page_count(page));
}

/* What was dropped went back to the kernel. */
static int back(const long *arg)
{
	TEST(!list_empty(&dropped) && !bad_in(&dropped, is_back),
	     "every page that was dropped is in the direct map again");
	TEST(!bad_in(&dropped, is_disowned), "and is not marked");
	TEST(!broken(), "and no entry of the direct map was broken up");
	return 0;
}

static int where(const long *arg)
{
	struct chunk *chunk;

	list_for_each_entry(chunk, &held, link) {
		unsigned long start = (unsigned long)page_address(chunk->page);

		say("at 0x%lx-0x%lx first 0x%llx\n", start, start + (PAGE_SIZE << chunk->order),
		    word_of(chunk->page, 0));
	}
	return 0;
}

static int frames(const long *arg)
{
	struct chunk *chunk;

	list_for_each_entry(chunk, &held, link)
		say("frame %lu\n", page_to_pfn(chunk->page));
	return 0;
}

static int without(const long *arg)
{
	unsigned long pfn = arg[0], found = 0;
	struct chunk *chunk;

	list_for_each_entry(chunk, &held, link)
		found += pfn - page_to_pfn(chunk->page) < 1UL << chunk->order;
	TEST(!list_empty(&held) && !found, "a page is not among those that are held");
	return 0;
}

static int on_node(const long *arg)
{
	struct chunk *chunk;
	long elsewhere = 0;

	list_for_each_entry(chunk, &held, link)
		elsewhere += page_to_nid(chunk->page) != arg[0];
	TEST(!list_empty(&held) && !elsewhere, "all that is held lies on the node");
	return 0;
}

static int do_drop(const long *arg)
{
	drop(!arg[0]);
	return 0;
}

/* Chunks until one lies in a range of page frames; that one is held, the others are not. */
static int within(const long *arg)
{
	int err, nid = page_to_nid(pfn_to_page(arg[0]));
	unsigned int order = arg[2];
	struct chunk *found;
	struct page *page;
	unsigned long i;

	/* Memory that came online last is given out last: all that lies before it is held first. */
	for (i = 0; i < totalram_pages() >> order; i++) {
		page = hold_chunk(nid, GFP_KERNEL | __GFP_NORETRY, order);
		if (!page)
			break;
		err = keep(page, order);
		if (err)
			return err;
		if (page_to_pfn(page) < arg[0] || page_to_pfn(page) >= arg[1])
			continue;
		found = list_last_entry(&held, struct chunk, link);
		list_del(&found->link);
		drop(false);
		list_add(&found->link, &held);
		return 0;
	}
	drop(false);
	return -ENOENT;
}

/* A page that outlives the module: the next load can give it back. */
static int leak(const long *arg)
{
	struct page *page = mmkit_unmapped_alloc(GFP_KERNEL, 0);

	if (!page)
		return -ENOMEM;
	page_fill(page);
	say("left behind %lu\n", page_to_pfn(page));
	return 0;
}

static int adopt(const long *arg)
{
	struct page *page = pfn_to_page(arg[0]);

	TEST(is_absent(page) && is_filled(page), "a page that was left behind is as it was left");
	mmkit_unmapped_free(page, 0);
	return 0;
}

/* --- what is promised of every page ------------------------------------ */

static bool overlap(struct page *a, unsigned int a_order, struct page *b, unsigned int b_order)
{
	unsigned long pfn_a = page_to_pfn(a), pfn_b = page_to_pfn(b);

	return pfn_a < pfn_b + (1UL << b_order) && pfn_b < pfn_a + (1UL << a_order);
}

static void every_order(gfp_t gfp)
{
	struct page *pages[BLOCK_ORDER + 1];
	unsigned int order, other;
	unsigned long missing = 0, aligned = 0, own = 0, absent = 0, shared = 0;
	unsigned long zero = 0, write = 0, filled = 0;

	for (order = 0; order <= BLOCK_ORDER; order++) {
		pages[order] = mmkit_unmapped_alloc(gfp, order);
		if (!pages[order]) {
			missing++;
			continue;
		}
		if (gfp & __GFP_ZERO)
			zero += bad_pages(pages[order], order, is_zero);
		aligned += !IS_ALIGNED(page_to_pfn(pages[order]), 1UL << order);
		own += bad_pages(pages[order], order, is_own);
		absent += bad_pages(pages[order], order, is_absent);
		write += bad_pages(pages[order], order, page_fill);
		for (other = 0; other < order; other++) {
			if (pages[other])
				shared += overlap(pages[order], order, pages[other], other);
		}
	}
	TEST(!broken(), "no entry of the direct map is broken up");
	for (order = 0; order <= BLOCK_ORDER; order++) {
		if (!pages[order])
			continue;
		filled += bad_pages(pages[order], order, is_filled);
		mmkit_unmapped_free(pages[order], order);
	}
	TEST(!missing, "every order up to that of a block can be had");
	TEST(!aligned, "chunks are aligned to their size");
	TEST(!shared && !filled, "no page is part of two");
	TEST(!own, "every page has one reference and is marked");
	TEST(!absent, "no page is in the direct map");
	TEST(!write, "every page can be written");
	if (gfp & __GFP_ZERO)
		TEST(!zero, "every page that was asked to be zero is");
}

/* A whole block as pages: none twice, none in the direct map, all back afterwards. */
static void every_page(void)
{
	long i, nr = 2 * BLOCK_PAGES;

	for (i = 0; i < nr; i++) {
		struct page *page = mmkit_unmapped_alloc(GFP_KERNEL, 0);

		if (!page || keep(page, 0))
			break;
		page_fill(page);
	}
	TEST(i == nr, "two blocks can be had page by page");
	TEST(!bad_in(&held, is_filled), "and no page twice");
	TEST(!bad_in(&held, is_absent) && !bad_in(&held, is_own), "all absent, all marked");
	TEST(!broken(), "and no entry of the direct map is broken up");
	TEST(value_of("in_use_bytes") == nr * PAGE_SIZE, "in_use_bytes counts them");
	drop(true);
	TEST(value_of("in_use_bytes") == 0, "and counts them out");
	TEST(drain() && value_of("cached_bytes") == 0 && value_of("blocks") == 0,
	     "drain gives everything back");
	back(NULL);
}

static int api(const long *arg)
{
	static const unsigned int too_large[] = { BLOCK_ORDER + 1, BLOCK_ORDER + 2, 31, 63, ~0U };
	unsigned long before;
	bool refused = true;
	unsigned int i;

	drain();
	if (remember(NULL))
		return -ENOMEM;
	before = splits();
	every_order(GFP_KERNEL);
	every_order(GFP_KERNEL);
	every_order(GFP_KERNEL | __GFP_ZERO);
	every_page();
	every_order(GFP_KERNEL | __GFP_ZERO);
	for (i = 0; i < ARRAY_SIZE(too_large); i++)
		refused &= !mmkit_unmapped_alloc(GFP_KERNEL, too_large[i]);
	TEST(refused, "larger orders are refused");
	mmkit_unmapped_free(NULL, 0);
	mmkit_unmapped_free_noscrub(NULL, BLOCK_ORDER);
	mmkit_unmapped_unmap_local(NULL);
	TEST(drain() && value_of("blocks") == 0, "nothing stays behind");
	TEST(splits() == before, "the kernel has split nothing of the direct map");
	return 0;
}

/* --- contents ---------------------------------------------------------- */

/* Single pages until all of a chunk that was freed have come back; they are held. */
static unsigned long take_back(struct page *page, unsigned int order)
{
	unsigned long left = 1UL << order, pfn = page_to_pfn(page);
	unsigned int i;

	for (i = 0; left && i < 16 * BLOCK_PAGES; i++) {
		struct page *got = mmkit_unmapped_alloc(GFP_KERNEL, 0);

		if (!got || keep(got, 0))
			break;
		left -= page_to_pfn(got) >= pfn && page_to_pfn(got) < pfn + (1UL << order);
	}
	return left;
}

/* Is anything that page_fill() wrote still in a chunk after it was freed with scrubbing? */
static void secrets(unsigned int order, unsigned int wait_ms)
{
	struct page *page = mmkit_unmapped_alloc(GFP_KERNEL, order);
	unsigned long left;

	if (!page) {
		TEST(false, "a chunk to fill can be had");
		return;
	}
	bad_pages(page, order, page_fill);
	mmkit_unmapped_free(page, order);
	msleep(wait_ms);
	left = take_back(page, order);
	say("# order %u, %u ms later: %lu pages did not come back\n", order, wait_ms, left);
	TEST(!left, "pages that were freed come back");
	TEST(!bad_in(&held, is_forgotten), "without what their last owner wrote");
	drop(false);
}

static void no_secrets(unsigned int order)
{
	struct page *page = mmkit_unmapped_alloc(GFP_KERNEL, order);
	unsigned long i, kept = 0;
	struct chunk *chunk;

	if (!page) {
		TEST(false, "a chunk to fill can be had");
		return;
	}
	bad_pages(page, order, page_fill);
	mmkit_unmapped_free_noscrub(page, order);
	if (take_back(page, order))
		TEST(false, "pages that were freed come back");
	list_for_each_entry(chunk, &held, link)
		kept += is_filled(chunk->page);
	TEST(kept == 1UL << order, "what was freed without scrubbing is not written");
	drop(false);
	/* The same pages again, but zeroed. */
	for (i = 0; i < BLOCK_PAGES; i++) {
		page = mmkit_unmapped_alloc(GFP_KERNEL | __GFP_ZERO, 0);
		if (!page || keep(page, 0))
			break;
	}
	TEST(i == BLOCK_PAGES && !bad_in(&held, is_zero), "unless zeroed pages are asked for");
	drop(false);
}

static int contents(const long *arg)
{
	secrets(0, 0);
	secrets(0, 300);
	secrets(3, 0);
	secrets(3, 300);
	secrets(BLOCK_ORDER, 0);
	secrets(BLOCK_ORDER, 300);
	no_secrets(0);
	no_secrets(4);
	return 0;
}

/* A chunk is freed while somebody else refers to page @idx of it. */
static void borrow(unsigned int order, unsigned int idx)
{
	struct page *page = mmkit_unmapped_alloc(GFP_KERNEL, order), *borrowed = page + idx;
	unsigned int i, again = 0;
	struct chunk *chunk;

	if (!page) {
		TEST(false, "a chunk to borrow from can be had");
		return;
	}
	bad_pages(page, order, page_fill);
	get_page(borrowed);
	mmkit_unmapped_free(page, order);
	TEST(value_of("in_use_bytes") == 0 && value_of("quarantined_bytes") == PAGE_SIZE << order,
	     "what somebody refers to is kept back when it is freed");
	for (i = 0; i < 2 * BLOCK_PAGES; i++) {
		struct page *other = mmkit_unmapped_alloc(GFP_KERNEL, 0);

		if (!other || keep(other, 0))
			break;
	}
	list_for_each_entry(chunk, &held, link)
		again += overlap(page, order, chunk->page, 0);
	drop(false);
	TEST(drain() && value_of("blocks") == 1 && is_absent(borrowed) && is_filled(borrowed),
	     "it stays what it was, where it was");
	TEST(!again, "and is not handed out");
	put_page(borrowed);
	for (i = 0; i < 100 && value_of("quarantined_bytes"); i++)
		msleep(50);
	TEST(value_of("quarantined_bytes") == 0, "it is free soon after nobody does any more");
	TEST(!take_back(page, order) && !bad_in(&held, is_forgotten),
	     "comes back, and has been scrubbed");
	drop(false);
}

static int borrowed(const long *arg)
{
	drain();
	borrow(0, 0);
	borrow(3, 5);
	return 0;
}

/* --- local mappings ---------------------------------------------------- */

/* Somebody who interrupts: maps a page of its own, looks, writes, and unmaps. */
struct visit {
	struct page *page;
	struct visit *next;		/* interrupts this one */
	void *addr;
	bool in_hardirq, in_softirq, irqs_off, right, ran;
};

static struct irq_work visit_irq;
static struct tasklet_struct visit_tasklet;
static struct timer_list visit_timer;
static struct visit *visitor[2];	/* of the irq_work; of tasklet and timer */

static bool wait_briefly(const bool *done)
{
	u64 end = ktime_get_mono_fast_ns() + 300 * NSEC_PER_MSEC;

	/* Pairs with visit(): its answer is there. */
	while (!smp_load_acquire(done) && ktime_get_mono_fast_ns() < end)
		cpu_relax();
	/* Pairs with visit(), too: it may have come at the very end. */
	return smp_load_acquire(done);
}

static void visit(struct visit *v)
{
	u64 *words = mmkit_unmapped_map_local(v->page);

	v->in_hardirq = in_hardirq();
	v->in_softirq = in_serving_softirq();
	v->irqs_off = irqs_disabled();
	v->addr = words;
	v->right = words && words[0] == word_of(v->page, 0) &&
		   words[PAGE_WORDS - 1] == word_of(v->page, PAGE_WORDS - 1);
	if (v->next && !v->in_hardirq) {
		visitor[0] = v->next;
		irq_work_queue(&visit_irq);
		v->right &= wait_briefly(&v->next->ran);
	}
	if (words) {
		words[1] = word_of(v->page, 0);
		v->right &= words[0] == word_of(v->page, 0);
		words[1] = word_of(v->page, 1);
	}
	mmkit_unmapped_unmap_local(words);
	/* Pairs with wait_briefly(): the answer is there. */
	smp_store_release(&v->ran, true);
}

static void visit_from_irq(struct irq_work *work)
{
	visit(visitor[0]);
}

static void visit_from_tasklet(struct tasklet_struct *tasklet)
{
	visit(visitor[1]);
}

static void visit_from_timer(struct timer_list *timer)
{
	visit(visitor[1]);
}

static void visit_from_call(void *data)
{
	visit(data);
}

static bool by_irq(struct visit *v)
{
	visitor[0] = v;
	irq_work_queue(&visit_irq);
	return wait_briefly(&v->ran);
}

/* Softirqs that are off when one is raised run when they come on, and not in a thread. */
static bool by_tasklet(struct visit *v)
{
	visitor[1] = v;
	local_bh_disable();
	tasklet_schedule(&visit_tasklet);
	local_bh_enable();
	return wait_briefly(&v->ran);
}

static bool by_timer(struct visit *v)
{
	visitor[1] = v;
	visit_timer.expires = jiffies + 1;
	add_timer_on(&visit_timer, smp_processor_id());
	return wait_briefly(&v->ran);
}

static bool by_other_cpu(struct visit *v)
{
	unsigned int cpu = cpumask_any_but(cpu_online_mask, smp_processor_id());

	return cpu < nr_cpu_ids && !smp_call_function_single(cpu, visit_from_call, v, true) &&
	       v->ran;
}

/* Visits while the task itself has a page mapped; that one must stay as it is. */
static void visited(const char *who, bool (*go)(struct visit *v), struct visit *v,
		    const bool *where)
{
	struct chunk *own = list_first_entry(&held, struct chunk, link);
	u64 *words = NULL;
	bool came = false, kept = false;
	int try;

	/* A softirq can have been left to its thread, which waits for us to let go. */
	for (try = 0; try < 10 && !came; try++) {
		cond_resched_tasks_rcu_qs();
		words = mmkit_unmapped_map_local(own->page);
		if (!words)
			break;
		came = go(v);
		kept = words[0] == word_of(own->page, 0) && words[7] == word_of(own->page, 7);
		mmkit_unmapped_unmap_local(words);
	}
	timer_delete_sync(&visit_timer);
	say("# %s: came %d, saw its page %d, hardirq %d, softirq %d\n", who, came, v->right,
	    v->in_hardirq, v->in_softirq);
	TEST(came && *where, "an interrupt comes");
	TEST(v->right && v->addr && v->addr != words,
	     "maps another page elsewhere, sees that page");
	TEST(kept, "and the page of who was interrupted is in its place");
}

static void nesting(struct page **page)
{
	void *addr[MMKIT_UNMAPPED_LOCAL_DEPTH];
	unsigned int i, k, wrong = 0, alike = 0, left = 0, there = 0;
	char byte;

	preempt_disable();
	for (i = 0; i < MMKIT_UNMAPPED_LOCAL_DEPTH; i++) {
		addr[i] = mmkit_unmapped_map_local(page[i]);
		for (k = 0; k < i; k++)
			alike += addr[k] == addr[i];
		for (k = 0; k <= i; k++)
			wrong += *(u64 *)addr[k] != word_of(page[k], 0);
	}
	for (i = MMKIT_UNMAPPED_LOCAL_DEPTH; i--;) {
		/* "Or any address in that page". */
		mmkit_unmapped_unmap_local(addr[i] + (i & 1) * 100);
		left += !copy_from_kernel_nofault(&byte, addr[i], 1);
		for (k = 0; k < i; k++)
			there += *(u64 *)addr[k] == word_of(page[k], 0);
	}
	preempt_enable();
	TEST(!alike && !wrong, "four pages are mapped at once, each at its own address");
	TEST(!left, "an address faults when its page is unmapped");
	TEST(there == 6, "while those mapped earlier stay");
}

static int local(const long *arg)
{
	struct visit irq = {}, irq2 = {}, tasklet = {}, timer = {}, call = {};
	struct page *page[MMKIT_UNMAPPED_LOCAL_DEPTH], *block;
	const long some[4] = { MMKIT_UNMAPPED_LOCAL_DEPTH };
	struct chunk *chunk;
	unsigned int i = 0;
	int count;

	if (hold(some))
		return -ENOMEM;
	list_for_each_entry(chunk, &held, link) {
		page_fill(chunk->page);
		page[i++] = chunk->page;
	}
	count = preempt_count();
	page_fill(page[0]);
	TEST(count == preempt_count(), "preemption is on again afterwards");
	nesting(page);

	irq.page = page[1];
	visited("irq_work", by_irq, &irq, &irq.in_hardirq);
	tasklet.page = page[1];
	tasklet.next = &irq2;
	irq2.page = page[2];
	visited("tasklet", by_tasklet, &tasklet, &tasklet.in_softirq);
	TEST(irq2.ran && irq2.right && irq2.in_hardirq && irq2.addr != tasklet.addr,
	     "the interrupt is interrupted, and the third page is right, too");
	timer.page = page[3];
	visited("timer", by_timer, &timer, &timer.in_softirq);
	call.page = page[2];
	if (num_online_cpus() > 1)
		visited("call on another CPU", by_other_cpu, &call, &call.irqs_off);
	TEST(!bad_in(&held, is_filled), "all pages have their contents");
	drop(true);

	block = mmkit_unmapped_alloc(GFP_KERNEL, BLOCK_ORDER);
	if (!block)
		return -ENOMEM;
	TEST(!bad_pages(block, BLOCK_ORDER, page_fill) && !bad_pages(block, BLOCK_ORDER, is_filled),
	     "each page of a block can be mapped, and is itself");
	mmkit_unmapped_free(block, BLOCK_ORDER);
	return 0;
}

/* --- from where nobody may sleep --------------------------------------- */

static DEFINE_RAW_SPINLOCK(no_sleep);

static struct page *alloc_locked(gfp_t gfp, unsigned int order)
{
	struct page *page;
	unsigned long flags;

	raw_spin_lock_irqsave(&no_sleep, flags);
	page = mmkit_unmapped_alloc(gfp, order);
	raw_spin_unlock_irqrestore(&no_sleep, flags);
	return page;
}

static void free_locked(struct page *page, unsigned int order, bool scrub)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&no_sleep, flags);
	if (scrub)
		mmkit_unmapped_free(page, order);
	else
		mmkit_unmapped_free_noscrub(page, order);
	raw_spin_unlock_irqrestore(&no_sleep, flags);
}

/* With nothing cached, nothing is to be had by who may not wait. */
static int dry(const long *arg)
{
	static const gfp_t atomic[] = { GFP_ATOMIC, GFP_NOWAIT, GFP_ATOMIC | __GFP_ZERO,
					GFP_KERNEL & ~__GFP_DIRECT_RECLAIM };
	unsigned int i, order, got = 0;

	for (i = 0; i < ARRAY_SIZE(atomic); i++) {
		for (order = 0; order <= BLOCK_ORDER; order++) {
			struct page *page = alloc_locked(atomic[i] | __GFP_NOWARN, order);

			got += !!page;
			mmkit_unmapped_free(page, order);
		}
	}
	TEST(!got, "with an empty cache who may not sleep gets nothing");
	return 0;
}

struct in_irq {
	struct irq_work work;
	unsigned long rounds, got;
	bool in_hardirq, right, done;
};

static void alloc_in_irq(struct irq_work *work)
{
	struct in_irq *in = container_of(work, struct in_irq, work);
	unsigned long i;

	in->in_hardirq = in_hardirq();
	in->right = true;
	for (i = 0; i < in->rounds; i++) {
		unsigned int order = i % 4;
		gfp_t gfp = i & 8 ? GFP_ATOMIC | __GFP_ZERO : GFP_ATOMIC;
		struct page *page = mmkit_unmapped_alloc(gfp, order);

		if (!page)
			continue;
		in->got++;
		if (i & 8)
			in->right &= !bad_pages(page, order, is_zero);
		in->right &= !bad_pages(page, order, is_absent) && page_fill(page) &&
			     is_filled(page);
		if (i & 1)
			mmkit_unmapped_free(page, order);
		else
			mmkit_unmapped_free_noscrub(page, order);
	}
	in->done = true;
}

/* A block is cached: all of it can be had, and no more. */
static int atomic(const long *arg)
{
	struct in_irq in = { .rounds = 100 };
	unsigned long slept = current->nvcsw, got = 0, rest, i;
	struct chunk *chunk, *next;
	struct page *page;
	LIST_HEAD(room);

	for (i = 0; i < 1000; i++) {
		page = alloc_locked(i & 1 ? GFP_ATOMIC : GFP_NOWAIT, i % 5);
		got += !!page;
		free_locked(page, i % 5, i % 3 == 0);
	}
	TEST(got == 1000, "what is cached can be had under a raw spinlock");
	TEST(current->nvcsw == slept, "without sleeping");

	/* Memory for the list comes first, so that nothing but the cache is asked below. */
	for (i = 0; i < BLOCK_PAGES + 1; i++) {
		chunk = kzalloc(sizeof(*chunk), GFP_KERNEL);
		if (!chunk)
			return -ENOMEM;
		list_add(&chunk->link, &room);
	}
	/* A page that is just being scrubbed is not to be had; between two all seem to be there. */
	for (i = 0, rest = 0; i < 500 && rest < 10; i++) {
		rest = value_of("cached_bytes") < BLOCK_PAGES * PAGE_SIZE ? 0 : rest + 1;
		msleep(10);
	}
	got = 0;
	list_for_each_entry_safe(chunk, next, &room, link) {
		chunk->page = alloc_locked(GFP_ATOMIC, 0);
		if (!chunk->page)
			continue;
		got++;
		list_move(&chunk->link, &held);
	}
	list_for_each_entry_safe(chunk, next, &room, link)
		kfree(chunk);
	say("# %lu pages of a block of %lu\n", got, BLOCK_PAGES);
	TEST(got == BLOCK_PAGES, "all that is cached can be had, and no more");
	TEST(!bad_in(&held, page_fill) && !bad_in(&held, is_filled), "each page once");
	/* Half of them go back from where they were taken. */
	i = 0;
	forget_dropped();
	list_for_each_entry_safe(chunk, next, &held, link) {
		if (i++ & 1)
			continue;
		free_locked(chunk->page, 0, true);
		list_move(&chunk->link, &dropped);
	}
	drop(true);

	init_irq_work(&in.work, alloc_in_irq);
	irq_work_queue(&in.work);
	irq_work_sync(&in.work);
	say("# %lu of %lu chunks had in an interrupt\n", in.got, in.rounds);
	TEST(in.done && in.in_hardirq && in.got == in.rounds && in.right,
	     "an interrupt gets pages, uses them, and gives them back");
	return 0;
}

/* --- what must be refused ---------------------------------------------- */

static bool waits_for_fuse(void)
{
	unsigned int i;

	for (i = 0; i < 100 && !says_blown(); i++)
		msleep(20);
	return says_blown();
}

static void abuse_double(struct page *own)
{
	struct page *page = mmkit_unmapped_alloc(GFP_KERNEL, 0);

	mmkit_unmapped_free(page, 0);
	mmkit_unmapped_free(page, 0);
}

static void abuse_interior(struct page *own)
{
	mmkit_unmapped_free(own + 1, 0);
}

static void abuse_smaller(struct page *own)
{
	mmkit_unmapped_free_noscrub(own, 1);
}

static void abuse_larger(struct page *own)
{
	mmkit_unmapped_free(own, 3);
}

static void abuse_huge(struct page *own)
{
	mmkit_unmapped_free(own, 63);
}

static void abuse_foreign(struct page *own)
{
	struct page *page = alloc_page(GFP_KERNEL);

	if (!page)
		return;
	memset(page_address(page), 0xa5, PAGE_SIZE);
	mmkit_unmapped_free(page, 0);
	TEST(page_ref_count(page) == 1 && is_present(page) &&
	     !memchr_inv(page_address(page), 0xa5, PAGE_SIZE), "a foreign page is not touched");
	__free_page(page);
}

static void abuse_depth(struct page *own)
{
	void *addr[MMKIT_UNMAPPED_LOCAL_DEPTH + 1];
	unsigned int i, got = 0, wrong = 0;

	preempt_disable();
	for (i = 0; i <= MMKIT_UNMAPPED_LOCAL_DEPTH; i++) {
		addr[i] = mmkit_unmapped_map_local(own + i % 4);
		got += !!addr[i];
	}
	for (i = MMKIT_UNMAPPED_LOCAL_DEPTH + 1; i--;) {
		if (addr[i])
			wrong += *(u64 *)addr[i] != word_of(own + i % 4, 0);
		mmkit_unmapped_unmap_local(addr[i]);
	}
	preempt_enable();
	TEST(got == MMKIT_UNMAPPED_LOCAL_DEPTH && !addr[MMKIT_UNMAPPED_LOCAL_DEPTH],
	     "a fifth mapping is not to be had");
	TEST(!wrong, "and does not disturb the other four");
}

static const struct {
	const char *name;
	void (*abuse)(struct page *own);
} abuses[] = {
	{ "double free", abuse_double },
	{ "free of an interior page", abuse_interior },
	{ "free with a smaller order", abuse_smaller },
	{ "free with a larger order", abuse_larger },
	{ "free with an order that does not exist", abuse_huge },
	{ "free of a foreign page", abuse_foreign },
	{ "nesting too deep", abuse_depth },
};

/* One wrong call; who did nothing wrong keeps what is his. */
static int abuse(const long *arg)
{
	const long some[4] = { 4, 2 };
	struct page *page;
	long long in_use;

	if (arg[0] < 0 || arg[0] >= ARRAY_SIZE(abuses))
		return -EINVAL;
	if (hold(some))
		return -ENOMEM;
	fill(NULL);
	in_use = value_of("in_use_bytes");
	say("# %s\n", abuses[arg[0]].name);
	abuses[arg[0]].abuse(list_first_entry(&held, struct chunk, link)->page);
	TEST(waits_for_fuse(), "the fuse blows");
	TEST(value_of("in_use_bytes") == in_use, "nothing counts as given back");
	look(NULL);
	page = mmkit_unmapped_alloc(GFP_KERNEL, 0);
	TEST(!page, "nothing new is handed out");
	mmkit_unmapped_free(page, 0);
	drop(true);
	TEST(value_of("in_use_bytes") == 0, "what is out can be given back");
	return 0;
}

/* --- memory without large pieces --------------------------------------- */

static LIST_HEAD(hogged);

/* All memory in pages; those with odd numbers are free again afterwards. */
static int fragment(const long *arg)
{
	struct page *page, *next;
	unsigned long taken = 0, left = 0;
	unsigned int i;
	int order;

	for (order = 3; order >= 0; order -= 3) {
		while ((page = alloc_pages(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN, order))) {
			split_page(page, order);
			for (i = 0; i < 1U << order; i++)
				list_add(&page[i].lru, &hogged);
			cond_resched_tasks_rcu_qs();
		}
	}
	/* What has 2^3 pages stays here and there: without it no process can be made. */
	list_for_each_entry_safe(page, next, &hogged, lru) {
		taken++;
		if (!(page_to_pfn(page) & 1) && page_to_pfn(page) % 128 >= 8)
			continue;
		left++;
		list_del(&page->lru);
		__free_page(page);
	}
	say("# %lu pages taken, %lu of them given back\n", taken, left);
	return taken > 1000 ? 0 : -ENOMEM;
}

static int defragment(const long *arg)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &hogged, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
	return 0;
}

/* The large pieces that are still there are taken away. */
static int blocks(const long *arg)
{
	long i;

	for (i = 0; i < arg[0]; i++) {
		struct page *page = mmkit_unmapped_alloc(GFP_KERNEL | __GFP_RETRY_MAYFAIL,
						 BLOCK_ORDER);

		if (!page || keep(page, BLOCK_ORDER))
			break;
	}
	say("# %ld blocks\n", i);
	TEST(i < arg[0], "large pieces are used up");
	return 0;
}

/* --- hits -------------------------------------------------------------- */

static int hits(const long *arg)
{
	unsigned long missed = 0;
	long i;

	for (i = 0; i < arg[0]; i++) {
		struct page *page = mmkit_unmapped_alloc(GFP_KERNEL, 0);

		missed += !page;
		mmkit_unmapped_free_noscrub(page, 0);
	}
	TEST(!missed, "every page can be had");
	return 0;
}

/* Where the direct map is over. */
static int space(const long *arg)
{
	say("vmalloc at 0x%lx\n", (unsigned long)VMALLOC_START);
	return 0;
}

/* --- commands ---------------------------------------------------------- */

static const struct {
	const char *name;
	int (*run)(const long *arg);
	bool alone;			/* nothing may be held */
} commands[] = {
	{ "api", api, true },		/* every promise that a header can make */
	{ "contents", contents, true },	/* scrubbed, kept, zeroed */
	{ "borrowed", borrowed, true },	/* freed while somebody has a reference */
	{ "local", local, true },	/* local mappings, from everywhere */
	{ "dry", dry, true },		/* nothing is cached, who may not sleep asks */
	{ "atomic", atomic, true },	/* one block is cached, who may not sleep asks */
	{ "abuse", abuse, true },	/* N: the wrong call number N */
	{ "hold", hold },		/* N ORDER KIND NODE+1: hold N chunks */
	{ "remember", remember },	/* which entries of the direct map are whole */
	{ "fill", fill },		/* what is held */
	{ "look", look },		/* at what is held, and filled */
	{ "where", where },		/* what is held lies */
	{ "frames", frames },		/* of what is held, if it is not much */
	{ "without", without },		/* PFN: what is held is without it */
	{ "node", on_node },		/* N: what is held lies there */
	{ "drop", do_drop },		/* what is held; 1: without scrubbing */
	{ "back", back },		/* is what was dropped, in the direct map? */
	{ "within", within, true },	/* START END ORDER: hold a chunk of that range of pfns */
	{ "leak", leak },		/* a page, and tell which */
	{ "adopt", adopt },		/* PFN: give back what was leaked */
	{ "fragment", fragment },	/* all memory */
	{ "defragment", defragment },
	{ "blocks", blocks },		/* N: hold whole blocks, fewer than N are to be had */
	{ "hits", hits },		/* N: allocate and free a page N times */
	{ "space", space },		/* tell where areas of vmalloc begin */
};

static int run_set(const char *text, const struct kernel_param *kp)
{
	long arg[4] = {};
	char name[16];
	unsigned int i;

	said_len = 0;
	said[0] = '\0';
	if (sscanf(text, "%15s %ld %ld %ld %ld", name, &arg[0], &arg[1], &arg[2], &arg[3]) < 1)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(name, commands[i].name))
			continue;
		if (commands[i].alone && !list_empty(&held))
			return -EBUSY;
		return commands[i].run(arg);
	}
	return -EINVAL;
}

static int run_get(char *buffer, const struct kernel_param *kp)
{
	return scnprintf(buffer, PAGE_SIZE, "%s", said);
}

static const struct kernel_param_ops run_ops = { .set = run_set, .get = run_get };
module_param_cb(run, &run_ops, NULL, 0600);
MODULE_PARM_DESC(run, "what to do now; what came of it");

static int __init test_init(void)
{
	init_irq_work(&visit_irq, visit_from_irq);
	tasklet_setup(&visit_tasklet, visit_from_tasklet);
	timer_setup(&visit_timer, visit_from_timer, 0);
	return 0;
}
module_init(test_init);

static void __exit test_exit(void)
{
	irq_work_sync(&visit_irq);
	tasklet_kill(&visit_tasklet);
	timer_delete_sync(&visit_timer);
	defragment(NULL);
	drop(true);
	forget_dropped();
	forget_whole();
}
module_exit(test_exit);
