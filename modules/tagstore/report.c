// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the user sees, and the one control.
 *
 *   sysfs     one value a file; drain can be written
 *   debugfs   blocks  a line a region, then the blocks that are taken, in runs
 *             stats   what the manager did, and how long it took
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include "tagstore.h"

DEFINE_PER_CPU(unsigned long [TS_NR_STATS], mmkit_ts_stats);
atomic_long_t mmkit_ts_latency[TS_LATENCY_BUCKETS];

static unsigned long stat_sum(enum ts_stat stat)
{
	unsigned long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(mmkit_ts_stats[stat], cpu));
	return sum;
}

/* What all regions are made of. */
struct sums {
	unsigned long storage;	/* pages */
	unsigned long taken;
	unsigned long idle;	/* of those taken, nobody needs these */
	unsigned long pages;	/* that are counted in blocks */
};

static void add_region(struct sums *sums, const struct ts_region *region)
{
	const struct ts_blocks *b = &region->blocks;
	unsigned long block;

	sums->storage += b->nr_storage;
	for (block = 0; block < ts_nr_blocks(b); block++) {
		u32 users = READ_ONCE(b->users[block]);

		if (users)
			sums->taken += b->block_pages;
		if (users == 1)
			sums->idle += b->block_pages;
		if (users)
			sums->pages += users - 1;
		if (!(block % 4096))
			cond_resched_tasks_rcu_qs();
	}
}

static struct sums sum_up(void)
{
	struct sums sums = { };
	unsigned int i;

	for (i = 0; i < mmkit_ts_nr_regions; i++)
		add_region(&sums, &mmkit_ts_regions[i]);
	return sums;
}

unsigned long mmkit_ts_counted_pages(void)
{
	return sum_up().pages;
}

/* --- sysfs ---------------------------------------------------------------------- */

#define TS_ATTR(_name, value)								\
static ssize_t _name##_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf) \
{											\
	return sysfs_emit(buf, "%lu\n", (unsigned long)(value));			\
}											\
static struct kobj_attribute _name##_attr = __ATTR_RO(_name)

TS_ATTR(regions, mmkit_ts_nr_regions);
TS_ATTR(storage_bytes, sum_up().storage * PAGE_SIZE);
TS_ATTR(reserved_bytes, sum_up().taken * PAGE_SIZE);
TS_ATTR(reserved_idle_bytes, sum_up().idle * PAGE_SIZE);
TS_ATTR(pool_bytes, mmkit_ts_pool_count() * PAGE_SIZE);
TS_ATTR(late_reservations, stat_sum(TS_STAT_LATE));
TS_ATTR(reserve_failures, stat_sum(TS_STAT_RESERVE_FAILURES));

static ssize_t lent_bytes_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	struct sums sums = sum_up();

	return sysfs_emit(buf, "%lu\n", (sums.storage - sums.taken) * PAGE_SIZE);
}

static struct kobj_attribute lent_bytes_attr = __ATTR_RO(lent_bytes);

static ssize_t drain_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf,
			   size_t count)
{
	if (!sysfs_streq(buf, "1"))
		return -EINVAL;
	mmkit_ts_pool_drain(ULONG_MAX);
	mmkit_ts_settle_all();
	return count;
}

static struct kobj_attribute drain_attr = __ATTR_WO(drain);

const struct attribute * const mmkit_ts_attrs[] = {
	&regions_attr.attr,
	&storage_bytes_attr.attr,
	&reserved_bytes_attr.attr,
	&reserved_idle_bytes_attr.attr,
	&lent_bytes_attr.attr,
	&pool_bytes_attr.attr,
	&late_reservations_attr.attr,
	&reserve_failures_attr.attr,
	&drain_attr.attr,
	NULL
};

/* --- debugfs --------------------------------------------------------------------- */

static void show_blocks(struct seq_file *m, const struct ts_blocks *b)
{
	unsigned long block, run, pages;
	u32 users;

	for (block = 0; block < ts_nr_blocks(b); block += run ?: 1) {
		pages = 0;
		for (run = 0; block + run < ts_nr_blocks(b); run++) {
			users = READ_ONCE(b->users[block + run]);
			if (!users)
				break;
			pages += users - 1;
		}
		if (run)
			seq_printf(m, "  blocks %lu-%lu pages %lu\n", block, block + run - 1,
				   pages);
		cond_resched_tasks_rcu_qs();
	}
}

static int blocks_show(struct seq_file *m, void *unused)
{
	unsigned int i;

	for (i = 0; i < mmkit_ts_nr_regions; i++) {
		const struct ts_region *region = &mmkit_ts_regions[i];
		const struct ts_blocks *b = &region->blocks;

		seq_printf(m, "region %u storage %#llx bytes %lu serves %#llx bytes %lu block %lu in %s taken %lu from %s\n",
			   i, (u64)PFN_PHYS(b->storage), b->nr_storage * PAGE_SIZE,
			   (u64)PFN_PHYS(b->tagged), b->nr_tagged * PAGE_SIZE,
			   b->block_pages * PAGE_SIZE, region->cma ? "cma" : "movable",
			   READ_ONCE(region->taken) * PAGE_SIZE, region->name);
		show_blocks(m, b);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(blocks);

static int stats_show(struct seq_file *m, void *unused)
{
#define TS_STAT_NAME(id, name) name,
	static const char * const names[] = { TS_STATS(TS_STAT_NAME) };
#undef TS_STAT_NAME
	struct sums sums = sum_up();
	unsigned int i;

	static_assert(ARRAY_SIZE(names) == TS_NR_STATS);
	for (i = 0; i < TS_NR_STATS; i++)
		seq_printf(m, "%s %lu\n", names[i], stat_sum(i));
	for (i = 0; i < TS_LATENCY_BUCKETS; i++) {
		unsigned long nr = atomic_long_read(&mmkit_ts_latency[i]);

		if (nr)
			seq_printf(m, "takes_below_%lu_us %lu\n", 1UL << i, nr);
	}
	/* What tags need now, of what was set aside for them. */
	seq_printf(m, "needed_of_carve_out %lu / %lu bytes (%lu.%02lu %%)\n",
		   (sums.taken - sums.idle) * PAGE_SIZE, sums.storage * PAGE_SIZE,
		   sums.storage ? (sums.taken - sums.idle) * 100 / sums.storage : 0,
		   sums.storage ? (sums.taken - sums.idle) * 10000 / sums.storage % 100 : 0);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

void mmkit_ts_report_files(void)
{
	struct dentry *dir = mmkit_ts_component.debugfs;

	if (IS_ERR_OR_NULL(dir))
		return;
	debugfs_create_file("blocks", 0400, dir, NULL, &blocks_fops);
	debugfs_create_file("stats", 0400, dir, NULL, &stats_fops);
}
