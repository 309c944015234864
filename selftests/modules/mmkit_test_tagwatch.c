// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checks whether pages had room for their tags when tags were written.
 *
 * It knows nothing of the manager of tag storage but the ranges it is told by
 * parameter, and looks at what struct page says of a page of storage: one that is
 * kept for tags belongs to nobody, on no list, with the one reference of who took it
 * from the page allocator.
 *
 * First check: the kernel writes tags in five routines only. A kprobe at the entry
 * of each sees the page before its tags are written: it must lie outside all storage,
 * and where it lies in a range that storage serves, its page of storage must be kept.
 * A freshly allocated page, before its owner puts it anywhere, looks kept too, so
 * that a violation is always real, and one in a great many could be missed.
 *
 * Second check: a walk over all pages of the ranges, which also finds storage that
 * is kept for nothing.
 *
 * debugfs mmkit_tagwatch/
 *	counts	what the probes saw, "name value" lines; a write of anything resets
 *	walk	does the walk and shows what it found, "name value" lines
 *	kept	the first violations: page frame, routine, caller, reason
 */
#include <linux/debugfs.h>
#include <linux/hugetlb.h>
#include <linux/kprobes.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/seq_file.h>

#include <asm/mte.h>

#include "test.h"

/* A tag of 4 bits for 16 bytes. */
#define PAGES_PER_STORAGE	32
#define MAX_RANGES		8
#define MAX_KEPT		20

static unsigned long storage[MAX_RANGES], storage_bytes[MAX_RANGES];
static unsigned long tagged[MAX_RANGES], tagged_bytes[MAX_RANGES];
static unsigned int block_pages = 1;
static int nr, nr_storage_bytes, nr_tagged, nr_tagged_bytes;

module_param_array(storage, ulong, &nr, 0444);
MODULE_PARM_DESC(storage, "physical addresses where storage begins");
module_param_array(storage_bytes, ulong, &nr_storage_bytes, 0444);
MODULE_PARM_DESC(storage_bytes, "bytes of each storage");
module_param_array(tagged, ulong, &nr_tagged, 0444);
MODULE_PARM_DESC(tagged, "physical addresses where the memory begins that it serves");
module_param_array(tagged_bytes, ulong, &nr_tagged_bytes, 0444);
MODULE_PARM_DESC(tagged_bytes, "bytes of that memory");
module_param(block_pages, uint, 0444);
MODULE_PARM_DESC(block_pages, "pages of storage that are taken together");

struct violation {
	unsigned long pfn;
	unsigned long caller;
	const char *routine;
	const char *reason;
};

static struct violation kept[MAX_KEPT];
static atomic_long_t violations, in_storage, inside, outside, odd;
static struct dentry *dir;

/* --- what a page is --------------------------------------------------------- */

static long storage_range(unsigned long pfn)
{
	int i;

	for (i = 0; i < nr; i++) {
		if (pfn - PHYS_PFN(storage[i]) < PHYS_PFN(storage_bytes[i]))
			return i;
	}
	return -1;
}

static long tagged_range(unsigned long pfn)
{
	int i;

	for (i = 0; i < nr; i++) {
		if (pfn - PHYS_PFN(tagged[i]) < PHYS_PFN(tagged_bytes[i]))
			return i;
	}
	return -1;
}

/* Why a page of storage is not kept for tags; NULL when it is. */
static const char *not_kept(unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);

	if (!page)
		return NULL;	/* not even memory: nobody can write there */
	if (PageBuddy(page))
		return "the storage is free";
	if (PageCompound(page))
		return "the storage is part of a larger page";
	if (PageLRU(page))
		return "the storage is on the LRU";
	if (READ_ONCE(page->mapping))
		return "the storage belongs to a mapping";
	/* Mapped somewhere, or of a type: slab, page table, balloon. */
	if (atomic_read(&page->_mapcount) != -1)
		return "the storage is mapped or of a type";
	if (page_ref_count(page) != 1)
		return page_ref_count(page) ? "the storage is shared" : "the storage has no owner";
	return NULL;
}

/* Of a hugetlb page the head alone says that it is tagged, and the kernel's helper says nothing. */
static bool has_mark(struct page *page)
{
	return test_bit(PG_mte_tagged, (unsigned long *)&page->flags);
}

static bool is_tagged(struct page *page)
{
	return has_mark(page) || (PageHuge(page) && has_mark(compound_head(page)));
}

/* --- first check: at the write ---------------------------------------------- */

struct routine {
	struct kprobe kp;
	atomic_long_t hits;
};

static void violated(unsigned long pfn, struct kprobe *kp, struct pt_regs *regs, const char *reason)
{
	long i = atomic_long_inc_return(&violations) - 1;

	if (i >= MAX_KEPT)
		return;
	kept[i].pfn = pfn;
	kept[i].routine = kp->symbol_name;
	kept[i].caller = procedure_link_pointer(regs);
	/* Who reads the others has seen this one. */
	smp_store_release(&kept[i].reason, reason);
}

/* The page that is written is the first argument of all five. */
static int on_write(struct kprobe *kp, struct pt_regs *regs)
{
	unsigned long addr = regs_get_kernel_argument(regs, 0), pfn;
	const char *reason;
	long i;

	atomic_long_inc(&container_of(kp, struct routine, kp)->hits);
	if (!virt_addr_valid((void *)addr)) {
		atomic_long_inc(&odd);
		return 0;
	}
	pfn = virt_to_pfn((void *)addr);
	if (storage_range(pfn) >= 0) {
		atomic_long_inc(&in_storage);
		violated(pfn, kp, regs, "a page of storage gets tags itself");
		return 0;
	}
	i = tagged_range(pfn);
	if (i < 0) {
		atomic_long_inc(&outside);
		return 0;
	}
	atomic_long_inc(&inside);
	reason = not_kept(PHYS_PFN(storage[i]) + (pfn - PHYS_PFN(tagged[i])) / PAGES_PER_STORAGE);
	if (reason)
		violated(pfn, kp, regs, reason);
	return 0;
}
NOKPROBE_SYMBOL(on_write);

#define ROUTINE(name)	{ .kp = { .symbol_name = #name, .pre_handler = on_write } }

static struct routine routines[] = {
	ROUTINE(mte_clear_page_tags),
	ROUTINE(mte_zero_clear_page_tags),
	ROUTINE(mte_copy_page_tags),
	ROUTINE(mte_restore_page_tags),
	ROUTINE(mte_copy_tags_from_user),
};

static int counts_show(struct seq_file *m, void *unused)
{
	unsigned long missed = 0;
	long hits = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(routines); i++) {
		seq_printf(m, "%s %ld\n", routines[i].kp.symbol_name,
			   atomic_long_read(&routines[i].hits));
		hits += atomic_long_read(&routines[i].hits);
		missed += routines[i].kp.nmissed;
	}
	seq_printf(m, "hits %ld\n", hits);
	seq_printf(m, "checked %ld\n", atomic_long_read(&inside));
	seq_printf(m, "unmanaged %ld\n", atomic_long_read(&outside));
	seq_printf(m, "no_page %ld\n", atomic_long_read(&odd));
	/* A write that a probe did not see is one that nobody looked at. */
	seq_printf(m, "missed %lu\n", missed);
	seq_printf(m, "writes_to_storage %ld\n", atomic_long_read(&in_storage));
	seq_printf(m, "violations %ld\n", atomic_long_read(&violations));
	return 0;
}

static void reset(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(routines); i++) {
		atomic_long_set(&routines[i].hits, 0);
		routines[i].kp.nmissed = 0;
	}
	atomic_long_set(&inside, 0);
	atomic_long_set(&outside, 0);
	atomic_long_set(&odd, 0);
	atomic_long_set(&in_storage, 0);
	memset(kept, 0, sizeof(kept));
	atomic_long_set(&violations, 0);
}

static ssize_t counts_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	reset();
	return len;
}

static int counts_open(struct inode *inode, struct file *file)
{
	return single_open(file, counts_show, NULL);
}

static const struct file_operations counts_fops = {
	.owner		= THIS_MODULE,
	.open		= counts_open,
	.read		= seq_read,
	.write		= counts_write,
	.llseek		= seq_lseek,
	.release	= single_release,
};

static int kept_show(struct seq_file *m, void *unused)
{
	const char *reason;
	unsigned int i;

	for (i = 0; i < MAX_KEPT; i++) {
		/* Pairs with violated(): the rest is there. */
		reason = smp_load_acquire(&kept[i].reason);
		if (reason)
			seq_printf(m, "%#lx %s %pS: %s\n", kept[i].pfn, kept[i].routine,
				   (void *)kept[i].caller, reason);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(kept);

/* --- second check: a walk --------------------------------------------------- */

/**
 * struct walked - what a walk finds, in pages
 * @tagged:	     that carry tags, in memory that storage serves
 * @tagged_storage:  of storage, that carry tags
 * @not_kept:	     that carry tags and have no room for them
 * @kept:	     of storage, that are kept
 * @leaked:	     of storage, that are kept while nothing in their block is tagged
 * @first:	     page frame of the first violation
 * @first_leak:	     page frame of the first page of storage that leaked
 */
struct walked {
	unsigned long tagged;
	unsigned long tagged_storage;
	unsigned long not_kept;
	unsigned long kept;
	unsigned long leaked;
	unsigned long first;
	unsigned long first_leak;
};

/* The zero page has tags, is read through PROT_MTE, and never says so. */
static bool carries_tags(unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);

	return page && (is_tagged(page) || pfn == page_to_pfn(ZERO_PAGE(0)));
}

static void walk_storage_page(struct walked *w, unsigned long spfn, unsigned long pfn, bool *any)
{
	unsigned long end = pfn + PAGES_PER_STORAGE;
	struct page *page;

	for (; pfn < end; pfn++) {
		if (!carries_tags(pfn))
			continue;
		*any = true;
		page = pfn_to_page(pfn);
		if (!is_tagged(page))
			continue;
		w->tagged++;
		/* Put aside for a memory error it keeps its mark, and nobody sees its tags. */
		if (PageHWPoison(page))
			continue;
		/* It can have been freed, and its storage lent, since it was seen to carry tags. */
		if (not_kept(spfn) && is_tagged(page) && not_kept(spfn)) {
			if (!w->not_kept++ && !w->tagged_storage)
				w->first = pfn;
		}
	}
}

static void walk_range(struct walked *w, unsigned int range)
{
	unsigned long first = PHYS_PFN(storage[range]), pages = PHYS_PFN(storage_bytes[range]);
	unsigned long at, i, kept_here;
	struct page *page;
	bool any;

	for (at = 0; at < pages; at += block_pages) {
		any = false;
		kept_here = 0;
		for (i = at; i < at + block_pages; i++) {
			page = pfn_to_online_page(first + i);
			if (page && is_tagged(page)) {
				if (!w->tagged_storage++ && !w->not_kept)
					w->first = first + i;
			}
			/* Storage with a memory error looks kept for ever. */
			if (page && !not_kept(first + i) && !PageHWPoison(page))
				kept_here++;
			walk_storage_page(w, first + i,
					  PHYS_PFN(tagged[range]) + i * PAGES_PER_STORAGE, &any);
		}
		w->kept += kept_here;
		/* A page that is being allocated looks kept: the manager takes whole blocks. */
		if (kept_here == block_pages && !any) {
			if (!w->leaked)
				w->first_leak = first + at;
			w->leaked += block_pages;
		}
		cond_resched_tasks_rcu_qs();
	}
}

static int walk_show(struct seq_file *m, void *unused)
{
	struct walked w = {};
	int i;

	for (i = 0; i < nr; i++)
		walk_range(&w, i);
	seq_printf(m, "tagged_pages %lu\n", w.tagged);
	seq_printf(m, "kept_pages %lu\n", w.kept);
	seq_printf(m, "tagged_storage_pages %lu\n", w.tagged_storage);
	seq_printf(m, "violations %lu\n", w.not_kept + w.tagged_storage);
	seq_printf(m, "leaks %lu\n", w.leaked);
	seq_printf(m, "first_violation %#lx\n", w.first);
	seq_printf(m, "first_leak %#lx\n", w.first_leak);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(walk);

/* --- load and unload -------------------------------------------------------- */

static const char *flaw(void)
{
	int i;

	if (!nr || nr != nr_storage_bytes || nr != nr_tagged || nr != nr_tagged_bytes)
		return "storage, storage_bytes, tagged, tagged_bytes: needed, all equally often";
	if (!block_pages)
		return "block_pages is 0";
	for (i = 0; i < nr; i++) {
		if (!PAGE_ALIGNED(storage[i] | storage_bytes[i] | tagged[i] | tagged_bytes[i]))
			return "a range does not begin or end at a page";
		if (tagged_bytes[i] != storage_bytes[i] * PAGES_PER_STORAGE)
			return "storage is not 1/32 of what it serves";
		if (PHYS_PFN(storage_bytes[i]) % block_pages)
			return "storage is not a whole number of blocks";
	}
	return NULL;
}

static void take_probes(unsigned int n)
{
	while (n--)
		unregister_kprobe(&routines[n].kp);
}

static int __init test_init(void)
{
	unsigned int i;
	int err;

	if (flaw()) {
		pr_err("%s\n", flaw());
		return -ERANGE;
	}
	dir = debugfs_create_dir("mmkit_tagwatch", NULL);
	if (IS_ERR(dir))
		return PTR_ERR(dir);
	for (i = 0; i < ARRAY_SIZE(routines); i++) {
		err = register_kprobe(&routines[i].kp);
		if (err) {
			pr_err("cannot watch %s\n", routines[i].kp.symbol_name);
			take_probes(i);
			debugfs_remove(dir);
			return err;
		}
	}
	debugfs_create_file("counts", 0644, dir, NULL, &counts_fops);
	debugfs_create_file("walk", 0444, dir, NULL, &walk_fops);
	debugfs_create_file("kept", 0444, dir, NULL, &kept_fops);
	return 0;
}
module_init(test_init);

static void __exit test_exit(void)
{
	unsigned int i;

	debugfs_remove(dir);
	take_probes(ARRAY_SIZE(routines));
	pr_info("%ld violations\n", atomic_long_read(&violations));
	for (i = 0; i < MAX_KEPT && kept[i].reason; i++)
		pr_info("%#lx %s %pS: %s\n", kept[i].pfn, kept[i].routine, (void *)kept[i].caller,
			kept[i].reason);
}
module_exit(test_exit);
