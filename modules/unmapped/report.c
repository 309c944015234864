// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the user sees, and the controls.
 *
 *   sysfs     one value a file; prefill, drain and the limits can be written
 *   debugfs   cache   blocks and free chunks by order, for each node
 *             stats   what the cache did
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include "unmapped.h"

/* --- sysfs --------------------------------------------------------------- */

#define UM_ATTR_RW(_name) static struct kobj_attribute _name##_attr = __ATTR_RW(_name)
#define UM_ATTR_RO(_name) static struct kobj_attribute _name##_attr = __ATTR_RO(_name)

/* A number of pages, in bytes. */
#define UM_ATTR_BYTES(_name, pages)							\
static ssize_t _name##_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf) \
{											\
	return sysfs_emit(buf, "%lu\n", (pages) << PAGE_SHIFT);			\
}											\
UM_ATTR_RO(_name)

UM_ATTR_BYTES(cached_bytes, um_sum(free));
UM_ATTR_BYTES(in_use_bytes, um_sum(in_use));
UM_ATTR_BYTES(quarantined_bytes, um_sum(quarantined) + um_sum(held));
UM_ATTR_BYTES(secret_bytes, mmkit_um_secret_pages());

static ssize_t blocks_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	unsigned long blocks = 0;
	unsigned int order;

	for (order = 0; order <= UM_BLOCK_ORDER; order++)
		blocks += um_sum(blocks[order]);
	return sysfs_emit(buf, "%lu\n", blocks);
}
UM_ATTR_RO(blocks);

/* A number of bytes, rounded down to pages, at most all of memory. */
static int pages_of(const char *buf, unsigned long *pages)
{
	unsigned long long bytes;
	int err = kstrtoull(buf, 0, &bytes);

	if (err)
		return err;
	if (bytes >> PAGE_SHIFT > totalram_pages())
		return -ERANGE;
	*pages = bytes >> PAGE_SHIFT;
	return 0;
}

static ssize_t max_cached_bytes_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lu\n", READ_ONCE(mmkit_um_max_pages) << PAGE_SHIFT);
}

/* What is above a lower limit is gone when the write returns. */
static ssize_t max_cached_bytes_store(struct kobject *kobj, struct kobj_attribute *attr,
				      const char *buf, size_t count)
{
	unsigned long pages;
	int err = pages_of(buf, &pages);

	if (err)
		return err;
	WRITE_ONCE(mmkit_um_max_pages, pages);
	mmkit_um_settle();
	return count;
}
UM_ATTR_RW(max_cached_bytes);

static ssize_t secret_max_bytes_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lu\n", READ_ONCE(mmkit_um_secret_max_pages) << PAGE_SHIFT);
}

static ssize_t secret_max_bytes_store(struct kobject *kobj, struct kobj_attribute *attr,
				      const char *buf, size_t count)
{
	unsigned long pages;
	int err = pages_of(buf, &pages);

	if (err)
		return err;
	WRITE_ONCE(mmkit_um_secret_max_pages, pages);
	return count;
}
UM_ATTR_RW(secret_max_bytes);

static ssize_t prefill_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lu\n", mmkit_um_whole_blocks());
}

static ssize_t prefill_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf,
			     size_t count)
{
	unsigned int blocks;
	int err = kstrtouint(buf, 0, &blocks);

	if (!err)
		err = mmkit_um_prefill(blocks);
	return err ?: count;
}
UM_ATTR_RW(prefill);

static ssize_t drain_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf,
			   size_t count)
{
	if (!sysfs_streq(buf, "1"))
		return -EINVAL;
	mmkit_um_drain();
	return count;
}

static struct kobj_attribute drain_attr = __ATTR_WO(drain);

const struct attribute * const mmkit_um_attrs[] = {
	&cached_bytes_attr.attr,
	&in_use_bytes_attr.attr,
	&quarantined_bytes_attr.attr,
	&blocks_attr.attr,
	&secret_bytes_attr.attr,
	&max_cached_bytes_attr.attr,
	&secret_max_bytes_attr.attr,
	&prefill_attr.attr,
	&drain_attr.attr,
	NULL
};

/* --- debugfs ------------------------------------------------------------- */

static void show_row(struct seq_file *m, const char *name, const unsigned long *by_order)
{
	unsigned int order;

	seq_printf(m, "%-10s", name);
	for (order = 0; order <= UM_BLOCK_ORDER; order++)
		seq_printf(m, "%8lu", by_order[order]);
	seq_putc(m, '\n');
}

/* Free chunks by order. */
static void count_free(struct um_node *node, unsigned long *by_order)
{
	struct um_block *block;
	unsigned int list, order;

	for (list = 0; list <= UM_BLOCK_ORDER; list++) {
		list_for_each_entry(block, &node->partial[list], link) {
			for (order = 0; order <= list; order++)
				by_order[order] += block->buddy.count[order];
		}
		list_for_each_entry(block, &node->whole[list], link)
			by_order[list]++;
	}
}

static int cache_show(struct seq_file *m, void *unused)
{
	unsigned long orders[UM_BUDDY_MAX_ORDER + 1], chunks[UM_BUDDY_MAX_ORDER + 1];
	struct um_node *node, seen;
	unsigned long flags;
	unsigned int order;
	int nid;

	for (order = 0; order <= UM_BLOCK_ORDER; order++)
		orders[order] = order;
	for_each_um_node(node, nid) {
		memset(chunks, 0, sizeof(chunks));
		raw_spin_lock_irqsave(&node->lock, flags);
		count_free(node, chunks);
		memcpy(&seen, node, sizeof(seen));
		raw_spin_unlock_irqrestore(&node->lock, flags);

		seq_printf(m, "Node %d\n", nid);
		show_row(m, "Order:", orders);
		show_row(m, "Free:", chunks);
		show_row(m, "Cached:", seen.blocks);
		show_row(m, "Refilled:", seen.refilled);
		show_row(m, "Released:", seen.released);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(cache);

static const char * const stat_names[] = {
	[UM_HITS]		= "hits",
	[UM_MISSES]		= "misses",
	[UM_REFILLS]		= "refills",
	[UM_FALLBACKS]		= "fallbacks",
	[UM_FAILURES]		= "failures",
	[UM_TLB_FLUSHES]	= "tlb_flushes",
	[UM_SPLITS_2M]		= "splits_2m",
	[UM_SPLITS_1G]		= "splits_1g",
	[UM_SCRUBS]		= "scrubs",
	[UM_ZEROED]		= "zeroed",
	[UM_SHRINK_QUEUED]	= "shrink_queued_pages",
	[UM_RELEASED]		= "released_pages",
	[UM_OOM_DRAINS]		= "oom_drains",
	[UM_POISONED]		= "poisoned_pages",
	[UM_HELD]		= "held_pages",
	[UM_QUARANTINED]	= "quarantined_pages",
	[UM_VERIFIED]		= "verified_pages",
};

static_assert(ARRAY_SIZE(stat_names) == UM_NR_STATS);

static int stats_show(struct seq_file *m, void *unused)
{
	unsigned int stat;
	unsigned long sum;
	int cpu;

	for (stat = 0; stat < UM_NR_STATS; stat++) {
		sum = 0;
		for_each_possible_cpu(cpu)
			sum += READ_ONCE(per_cpu(mmkit_um_stats[stat], cpu));
		seq_printf(m, "%s %lu\n", stat_names[stat], sum);
	}
	seq_printf(m, "block_descriptor_bytes %zu\n", mmkit_um_block_bytes(UM_BLOCK_ORDER));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

void mmkit_um_report_files(void)
{
	struct dentry *dir = mmkit_um_component.debugfs;

	if (IS_ERR_OR_NULL(dir))
		return;
	debugfs_create_file("cache", 0400, dir, NULL, &cache_fops);
	debugfs_create_file("stats", 0400, dir, NULL, &stats_fops);
}
