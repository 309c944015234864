// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the user sees.
 *
 *   debugfs allocinfo   the kernel's own format 2.0 of /proc/allocinfo
 *           sites       the same and more, tab separated, with a header row
 *           books       where all pages of the machine are
 *           stats       what the profiler did
 *   sysfs               one number a file
 *
 * Every reader holds mmkit_ap_lock, so the profiler cannot stop under it.
 */
#include <linux/debugfs.h>
#include <linux/kallsyms.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "allocprof.h"

/* The first two positions of a listing are its header and (preload)anon. */
static void *tag_at(loff_t pos)
{
	u32 tag;

	if (!pos)
		return SEQ_START_TOKEN;
	tag = pos - 1 + AP_TAG_ANON;
	return mmkit_ap_enabled && tag < mmkit_ap_tags() ? (void *)(unsigned long)tag : NULL;
}

static void *tags_start(struct seq_file *m, loff_t *pos)
{
	mutex_lock(&mmkit_ap_lock);
	return tag_at(*pos);
}

static void *tags_next(struct seq_file *m, void *v, loff_t *pos)
{
	return tag_at(++*pos);
}

static void tags_stop(struct seq_file *m, void *v)
{
	mutex_unlock(&mmkit_ap_lock);
}

/* --- allocinfo --------------------------------------------------------- */

/* A size is exact unless other sites share the tag. */
static const char *accuracy(u32 tag)
{
	return tag == AP_TAG_OVERFLOW ? " accurate:no" : "";
}

static int allocinfo_show(struct seq_file *m, void *v)
{
	static char name[AP_NAME_LEN], func[AP_NAME_LEN];
	u32 tag = (unsigned long)v;
	struct ap_live live;

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, "allocinfo - version: 2.0\n");
		seq_puts(m, "#     <size>  <calls> <tag info>\n");
		return 0;
	}
	if (!mmkit_ap_tag_shown(tag))
		return 0;
	mmkit_ap_live(tag, &live);
	mmkit_ap_tag_name(tag, name, func);
	seq_printf(m, "%12lli %8llu %s func:%s%s \n", (s64)(live.pages << PAGE_SHIFT), live.calls,
		   name, func, accuracy(tag));
	return 0;
}

static const struct seq_operations allocinfo_sops = {
	.start	= tags_start,
	.next	= tags_next,
	.stop	= tags_stop,
	.show	= allocinfo_show,
};
DEFINE_SEQ_ATTRIBUTE(allocinfo);

/* --- sites ------------------------------------------------------------- */

/**
 * struct node_pages - pages of each tag on each node, read off the side table
 * @nr_tags: tags when the file was opened
 * @online:  nodes that were online then: those that are shown, whatever comes meanwhile
 * @pages:   nr_node_ids counts for each tag
 */
struct node_pages {
	u32 nr_tags;
	nodemask_t online;
	u64 *pages;
};

static int count_section(void *data, unsigned long start, unsigned long nr_pages)
{
	struct node_pages *nodes = data;
	unsigned long pfn;

	for (pfn = start; pfn < start + nr_pages; pfn++) {
		struct page *page = pfn_to_online_page(pfn);
		u32 tag;

		if (!page)
			continue;
		tag = ap_mark_get(mmkit_ap_table, mmkit_ap_wide, pfn) &
		      (ap_head(mmkit_ap_wide) - 1);
		if (ap_counted(tag) && tag < nodes->nr_tags)
			nodes->pages[(size_t)tag * nr_node_ids + page_to_nid(page)]++;
		if (!(pfn % 4096))
			cond_resched_tasks_rcu_qs();
	}
	return 0;
}

static int count_nodes(struct node_pages *nodes)
{
	int err = 0;

	nodes->online = node_online_map;
	mutex_lock(&mmkit_ap_lock);
	if (mmkit_ap_enabled) {
		nodes->nr_tags = mmkit_ap_tags();
		nodes->pages = kvcalloc((size_t)nodes->nr_tags * nr_node_ids, sizeof(*nodes->pages),
					GFP_KERNEL);
		if (nodes->pages)
			mmkit_pagetab_for_each(mmkit_ap_side_table, count_section, nodes);
		else
			err = -ENOMEM;
	}
	mutex_unlock(&mmkit_ap_lock);
	return err;
}

static void sites_header(struct seq_file *m, const struct node_pages *nodes)
{
	int nid;

	seq_puts(m, "bytes\tcalls\tbytes_total\tcalls_total");
	for_each_node_mask(nid, nodes->online)
		seq_printf(m, "\tbytes_node%d", nid);
	seq_puts(m, "\tsite\n");
}

static int site_list_show(struct seq_file *m, void *v)
{
	static char name[AP_NAME_LEN], func[AP_NAME_LEN];
	struct node_pages *nodes = m->private;
	u32 tag = (unsigned long)v;
	struct ap_live live;
	int nid;

	if (v == SEQ_START_TOKEN) {
		sites_header(m, nodes);
		return 0;
	}
	if (tag >= nodes->nr_tags || !mmkit_ap_tag_shown(tag))
		return 0;
	mmkit_ap_live(tag, &live);
	mmkit_ap_tag_name(tag, name, func);
	seq_printf(m, "%llu\t%llu\t%llu\t%llu", live.pages << PAGE_SHIFT, live.calls,
		   live.all_pages << PAGE_SHIFT, live.all_calls);
	for_each_node_mask(nid, nodes->online)
		seq_printf(m, "\t%llu",
			   nodes->pages[(size_t)tag * nr_node_ids + nid] << PAGE_SHIFT);
	seq_printf(m, "\t%s\n", tag < AP_TAG_SITE ? func : name);
	return 0;
}

static const struct seq_operations sites_sops = {
	.start	= tags_start,
	.next	= tags_next,
	.stop	= tags_stop,
	.show	= site_list_show,
};

static int sites_release(struct inode *inode, struct file *file)
{
	struct node_pages *nodes = ((struct seq_file *)file->private_data)->private;

	kvfree(nodes->pages);
	return seq_release_private(inode, file);
}

static int sites_open(struct inode *inode, struct file *file)
{
	struct node_pages *nodes = __seq_open_private(file, &sites_sops, sizeof(*nodes));
	int err;

	if (!nodes)
		return -ENOMEM;
	err = count_nodes(nodes);
	if (err)
		seq_release_private(inode, file);
	return err;
}

static const struct file_operations sites_fops = {
	.owner		= THIS_MODULE,
	.open		= sites_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= sites_release,
};

/* --- books and stats --------------------------------------------------- */

static int books_show(struct seq_file *m, void *unused)
{
	struct ap_books books;

	mutex_lock(&mmkit_ap_lock);
	if (mmkit_ap_enabled) {
		mmkit_ap_books(&books);
		seq_printf(m, "managed_bytes %llu\n", books.managed << PAGE_SHIFT);
		seq_printf(m, "tracked_bytes %llu\n", books.tracked << PAGE_SHIFT);
		seq_printf(m, "preload_bytes %llu\n", books.preload << PAGE_SHIFT);
		seq_printf(m, "free_bytes %llu\n", books.free << PAGE_SHIFT);
		seq_printf(m, "pcp_bytes %llu\n", books.pcp << PAGE_SHIFT);
		seq_printf(m, "unaccepted_bytes %llu\n", books.unaccepted << PAGE_SHIFT);
		seq_printf(m, "unaccounted_bytes %lld\n",
			   mmkit_ap_unaccounted(&books) * (s64)PAGE_SIZE);
		seq_printf(m, "reserved_bytes %llu\n", books.reserved << PAGE_SHIFT);
	}
	mutex_unlock(&mmkit_ap_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(books);

static const char * const stat_names[] = {
	[AP_STAT_UNWINDS]		= "unwinds",
	[AP_STAT_MEMO_EVICTIONS]	= "memo_evictions",
	[AP_STAT_UNTRACKED_FREES]	= "untracked_frees",
	[AP_STAT_OVERWRITTEN]		= "overwritten",
	[AP_STAT_BULK_PAGES]		= "bulk_pages",
	[AP_STAT_CONTIG_PAGES]		= "contig_pages",
	[AP_STAT_MIGRATED]		= "migrated_pages",
	[AP_STAT_MIGRATED_UNKNOWN]	= "migrated_unknown",
	[AP_STAT_RETAGGED]		= "retagged",
	[AP_STAT_NO_TAG_READY]		= "no_tag_ready",
	[AP_STAT_VERIFIED]		= "verified",
	[AP_STAT_MISMATCHES]		= "verify_mismatches",
};

static_assert(ARRAY_SIZE(stat_names) == AP_NR_STATS);

/*
 * Text of a module that is gone has no name, and an address is nobody's business:
 * %pS would print it. mmkit_ap_lock is held.
 */
static void seq_text(struct seq_file *m, unsigned long ip)
{
	static char symbol[KSYM_SYMBOL_LEN];

	sprint_symbol(symbol, ip);
	seq_printf(m, " %s", strncmp(symbol, "0x", 2) ? symbol : "(none)");
}

static int stats_show(struct seq_file *m, void *unused)
{
	struct ap_live live;
	u64 allocs = 0;
	u32 tag;
	int i;

	mutex_lock(&mmkit_ap_lock);
	for (tag = AP_TAG_OVERFLOW; mmkit_ap_enabled && tag < mmkit_ap_tags(); tag++) {
		mmkit_ap_live(tag, &live);
		allocs += live.all_calls;
	}
	seq_printf(m, "allocations %llu\n", allocs);
	for (i = 0; i < AP_NR_STATS; i++)
		seq_printf(m, "%s %llu\n", stat_names[i], mmkit_ap_stat_sum(i));
	if (mmkit_ap_mismatch_memo || mmkit_ap_mismatch_unwound) {
		seq_puts(m, "last_mismatch");
		seq_text(m, mmkit_ap_mismatch_memo);
		seq_text(m, mmkit_ap_mismatch_unwound);
		seq_putc(m, '\n');
	}
	mutex_unlock(&mmkit_ap_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

void mmkit_ap_report_files(void)
{
	struct dentry *dir = mmkit_ap_component.debugfs;

	if (IS_ERR_OR_NULL(dir))
		return;
	debugfs_create_file("allocinfo", 0400, dir, NULL, &allocinfo_fops);
	debugfs_create_file("sites", 0400, dir, NULL, &sites_fops);
	debugfs_create_file("books", 0400, dir, NULL, &books_fops);
	debugfs_create_file("stats", 0400, dir, NULL, &stats_fops);
}

/* --- sysfs ------------------------------------------------------------- */

static ssize_t enabled_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", READ_ONCE(mmkit_ap_enabled));
}

static ssize_t enabled_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf,
			     size_t len)
{
	int err;

	/* Nothing but 0 and 1: kstrtobool() would take "nonsense" for "no". */
	if (!sysfs_streq(buf, "0") && !sysfs_streq(buf, "1"))
		return -EINVAL;
	err = mmkit_ap_set_enabled(buf[0] == '1');
	return err ?: len;
}

static struct kobj_attribute enabled_attr = __ATTR_RW(enabled);

/* A number of the books, all 0 while the profiler is off. */
static ssize_t show_books(char *buf, s64 (*pages)(const struct ap_books *books))
{
	struct ap_books books = { };

	mutex_lock(&mmkit_ap_lock);
	if (mmkit_ap_enabled)
		mmkit_ap_books(&books);
	mutex_unlock(&mmkit_ap_lock);
	return sysfs_emit(buf, "%lld\n", pages(&books) * (s64)PAGE_SIZE);
}

static s64 tracked_pages(const struct ap_books *books)
{
	return books->tracked;
}

static s64 preload_pages(const struct ap_books *books)
{
	return books->preload;
}

#define BOOKS_ATTR(name, pages)								\
static ssize_t name##_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf) \
{											\
	return show_books(buf, pages);							\
}											\
static struct kobj_attribute name##_attr = __ATTR_RO(name)

BOOKS_ATTR(tracked_bytes, tracked_pages);
BOOKS_ATTR(preload_bytes, preload_pages);
BOOKS_ATTR(unaccounted_bytes, mmkit_ap_unaccounted);

static u64 live_sites(void)
{
	return mmkit_ap_nr_sites();
}

/* The side table, counters and names of all tags, memo and hash table. */
static u64 table_bytes(void)
{
	if (!mmkit_ap_enabled)
		return 0;
	return mmkit_pagetab_bytes(mmkit_ap_side_table) + mmkit_ap_sites_bytes() +
	       AP_MEMO_WORDS * sizeof(u64);
}

static u64 overflow_pages(void)
{
	struct ap_live live = { };

	if (mmkit_ap_enabled)
		mmkit_ap_live(AP_TAG_OVERFLOW, &live);
	return live.pages << PAGE_SHIFT;
}

static u64 verify_mismatches(void)
{
	return mmkit_ap_stat_sum(AP_STAT_MISMATCHES);
}

#define NUMBER_ATTR(name, number)							\
static ssize_t name##_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf) \
{											\
	u64 value;									\
											\
	mutex_lock(&mmkit_ap_lock);							\
	value = number();								\
	mutex_unlock(&mmkit_ap_lock);							\
	return sysfs_emit(buf, "%llu\n", value);					\
}											\
static struct kobj_attribute name##_attr = __ATTR_RO(name)

NUMBER_ATTR(sites, live_sites);
NUMBER_ATTR(table_bytes, table_bytes);
NUMBER_ATTR(overflow, overflow_pages);
NUMBER_ATTR(verify_mismatches, verify_mismatches);

const struct attribute * const mmkit_ap_attrs[] = {
	&enabled_attr.attr,
	&tracked_bytes_attr.attr,
	&preload_bytes_attr.attr,
	&unaccounted_bytes_attr.attr,
	&sites_attr.attr,
	&table_bytes_attr.attr,
	&overflow_attr.attr,
	&verify_mismatches_attr.attr,
	NULL,
};
