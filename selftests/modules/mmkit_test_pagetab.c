// SPDX-License-Identifier: GPL-2.0-only
/*
 * Side tables: every online page has an entry of its own, callbacks are called
 * for what they should be, and tables follow memory that comes and goes. With
 * stay=1 one table stays for a test of hotplug, and says what its callbacks saw.
 */
#include <linux/err.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>

#include <mmkit/pagetab.h>

#include "test.h"

static bool stay;
module_param(stay, bool, 0444);
MODULE_PARM_DESC(stay, "keep a table until the module is unloaded");

static unsigned int fill;
module_param(fill, uint, 0444);
MODULE_PARM_DESC(fill, "make this many tables of 8 bytes a page, or as many as fit");

/* Sections that have a table, seen through the callbacks. */
static long covered_sections;
module_param(covered_sections, long, 0444);
MODULE_PARM_DESC(covered_sections, "sections that have a table now (read)");

static unsigned long refuse_pfn;
static struct mmkit_pagetab *kept, **filled;

static bool need(void *data, unsigned long pfn, unsigned long nr_pages)
{
	return !refuse_pfn || pfn < refuse_pfn;
}

static bool need_nothing(void *data, unsigned long pfn, unsigned long nr_pages)
{
	return false;
}

static void table_init(void *data, unsigned long pfn, unsigned long nr_pages)
{
	(*(long *)data)++;
}

static void table_fini(void *data, unsigned long pfn, unsigned long nr_pages)
{
	(*(long *)data)--;
}

static const struct mmkit_pagetab_ops ops = {
	.need = need, .init = table_init, .fini = table_fini,
};

static const struct mmkit_pagetab_ops nothing_ops = { .need = need_nothing };

struct sweep {
	struct mmkit_pagetab *tab;
	bool write;
	unsigned long pages, wrong;
};

static u64 pattern(unsigned long pfn, unsigned int bytes)
{
	u64 value = pfn * 0x9e3779b97f4a7c15ULL;

	return bytes == 8 ? value : value >> (64 - 8 * bytes);
}

/* Writes or compares the entry of each page of a range. */
static int sweep_range(void *data, unsigned long start, unsigned long nr_pages)
{
	struct sweep *sweep = data;
	unsigned int bytes = 1U << sweep->tab->shift;
	unsigned long pfn;

	for (pfn = start; pfn < start + nr_pages; pfn++) {
		u64 value = pattern(pfn, bytes), was = 0;

		if (!pfn_to_online_page(pfn))
			continue;
		sweep->pages++;
		preempt_disable();
		if (!mmkit_pagetab_covers(sweep->tab, pfn))
			sweep->wrong++;
		else if (sweep->write)
			memcpy(mmkit_pagetab_entry(sweep->tab, pfn), &value, bytes);
		else
			memcpy(&was, mmkit_pagetab_entry(sweep->tab, pfn), bytes);
		preempt_enable();
		if (!sweep->write && was != value)
			sweep->wrong++;
	}
	cond_resched_tasks_rcu_qs();
	return 0;
}

static unsigned long sweep(struct mmkit_pagetab *tab, bool write, unsigned long *pages)
{
	struct sweep job = { .tab = tab, .write = write };

	mmkit_pagetab_for_each(tab, sweep_range, &job);
	*pages = job.pages;
	return job.wrong;
}

static unsigned long present_pages(void)
{
	unsigned long pages = 0;
	int nid;

	for_each_online_node(nid)
		pages += node_present_pages(nid);
	return pages;
}

static void test_size(unsigned int bytes)
{
	struct mmkit_pagetab *tab;
	long sections = 0;
	unsigned long pages, wrong;

	tab = mmkit_pagetab_create("test", bytes, &ops, &sections);
	if (IS_ERR(tab)) {
		TEST(false, "a table is made");
		return;
	}
	pr_info("# %u bytes a page, %ld sections, %lu bytes\n", bytes, sections,
		mmkit_pagetab_bytes(tab));
	wrong = sweep(tab, true, &pages);
	TEST(!wrong && pages >= present_pages(), "every online page has an entry");
	wrong = sweep(tab, false, &pages);
	TEST(!wrong, "no entry shares memory with another");
	TEST(mmkit_pagetab_bytes(tab) >= pages * bytes, "its memory is accounted");
	preempt_disable();
	wrong = mmkit_pagetab_covers(tab, ~0UL) || mmkit_pagetab_covers(tab, 1UL << 50);
	preempt_enable();
	TEST(!wrong, "page frames that do not exist are not covered");
	mmkit_pagetab_destroy(tab);
	TEST(!sections, "each range that was announced was taken back");
}

static void test_need(void)
{
	struct mmkit_pagetab *tab;
	unsigned long pages, wrong;
	long sections = 0;

	tab = mmkit_pagetab_create("test", 8, &nothing_ops, NULL);
	TEST(!IS_ERR(tab) && !mmkit_pagetab_bytes(tab), "a table that nobody needs has no memory");
	mmkit_pagetab_destroy(tab);

	refuse_pfn = 2 * PAGES_PER_SECTION;
	tab = mmkit_pagetab_create("test", 8, &ops, &sections);
	if (!IS_ERR(tab)) {
		wrong = sweep(tab, true, &pages);
		TEST(!wrong && pages <= refuse_pfn, "only needed ranges are covered");
		preempt_disable();
		wrong = mmkit_pagetab_covers(tab, refuse_pfn);
		preempt_enable();
		TEST(!wrong, "a range that is not needed is not covered");
	}
	mmkit_pagetab_destroy(tab);
	refuse_pfn = 0;
}

static void test_bad_sizes(void)
{
	unsigned int bytes;
	bool refused = true;

	for (bytes = 0; bytes < 20; bytes++) {
		if (bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8)
			continue;
		refused &= PTR_ERR(mmkit_pagetab_create("test", bytes, NULL, NULL)) == -EINVAL;
	}
	TEST(refused, "other entry sizes are -EINVAL");
	mmkit_pagetab_destroy(NULL);
	mmkit_pagetab_destroy(ERR_PTR(-ENOMEM));
}

static void take(struct list_head *taken, unsigned int order, gfp_t effort)
{
	struct page *page;

	while ((page = alloc_pages(GFP_KERNEL | effort | __GFP_NOWARN, order))) {
		set_page_private(page, order);
		list_add(&page->lru, taken);
	}
}

static void give(struct list_head *taken, unsigned long pages)
{
	while (!list_empty(taken) && pages) {
		struct page *page = list_first_entry(taken, struct page, lru);
		unsigned int order = page_private(page);

		list_del(&page->lru);
		set_page_private(page, 0);
		__free_pages(page, order);
		pages -= min(pages, 1UL << order);
	}
}

/* Makes tables until memory is full: the one that does not fit leaves nothing. */
static int test_fill(void)
{
	struct sysinfo info;
	LIST_HEAD(taken);
	unsigned int i;
	long err = 0;

	filled = kvcalloc(fill, sizeof(*filled), GFP_KERNEL);
	if (!filled)
		return -ENOMEM;
	/*
	 * All memory, that of the page cache included, but for a 512th: with
	 * more left the address space of arm64 would be full before the memory.
	 */
	take(&taken, 4, __GFP_NORETRY);
	take(&taken, 0, __GFP_RETRY_MAYFAIL);
	si_meminfo(&info);
	give(&taken, info.totalram / 512);
	for (i = 0; i < fill && !err; i++) {
		filled[i] = mmkit_pagetab_create("fill", 8, NULL, NULL);
		if (IS_ERR(filled[i])) {
			err = PTR_ERR(filled[i]);
			filled[i] = NULL;
		}
	}
	pr_info("# %u tables, then %ld\n", i - !!err, err);
	TEST(err == -ENOMEM, "a table that does not fit is -ENOMEM");
	for (i = 0; i < fill; i++)
		mmkit_pagetab_destroy(filled[i]);
	give(&taken, ULONG_MAX);
	kvfree(filled);
	return 0;
}

static int __init test_init(void)
{
	unsigned int bytes;

	if (stay) {
		kept = mmkit_pagetab_create("test", 1, &ops, &covered_sections);
		return PTR_ERR_OR_ZERO(kept);
	}
	if (fill)
		return test_fill();
	test_bad_sizes();
	for (bytes = 1; bytes <= 8; bytes *= 2)
		test_size(bytes);
	test_need();
	return 0;
}
module_init(test_init);

static void __exit test_exit(void)
{
	mmkit_pagetab_destroy(kept);
	if (stay)
		TEST(!covered_sections, "each range that was announced was taken back");
}
module_exit(test_exit);
