// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the user sees, and the one control.
 *
 *   sysfs     one value a file; drain can be written
 *   debugfs   slabs   objects by size class
 *             map     start size owner name, an object a line, as perf reads maps
 *             owners  objects and bytes of each module
 *             stats   what the allocator did
 */
#include <linux/capability.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/user_namespace.h>

#include "jit.h"

/* --- sysfs --------------------------------------------------------------- */

#define JIT_ATTR(_name, value)								\
static ssize_t _name##_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf) \
{											\
	return sysfs_emit(buf, "%lu\n", (unsigned long)(value));			\
}											\
static struct kobj_attribute _name##_attr = __ATTR_RO(_name)

static unsigned long used_bytes(void)
{
	unsigned long sum = 0;
	unsigned int class;

	for (class = 0; class <= JIT_RUNS; class++)
		sum += READ_ONCE(mmkit_jit_classes[class].used_bytes);
	return sum;
}

#define BLOCK_BYTES(blocks)	((unsigned long)READ_ONCE(blocks) * JIT_BLOCK_BYTES)

JIT_ATTR(text_bytes, BLOCK_BYTES(mmkit_jit_space.blocks));
JIT_ATTR(used_bytes, used_bytes());
JIT_ATTR(pages_2m, READ_ONCE(mmkit_jit_space.large));
JIT_ATTR(va_bytes, BLOCK_BYTES(mmkit_jit_space.slots));
JIT_ATTR(va_free, mmkit_jit_space_free());

static ssize_t drain_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf,
			   size_t count)
{
	if (!sysfs_streq(buf, "1"))
		return -EINVAL;
	mmkit_jit_settle();
	mmkit_jit_space_drain();
	return count;
}

static struct kobj_attribute drain_attr = __ATTR_WO(drain);

const struct attribute * const mmkit_jit_attrs[] = {
	&text_bytes_attr.attr,
	&used_bytes_attr.attr,
	&pages_2m_attr.attr,
	&va_bytes_attr.attr,
	&va_free_attr.attr,
	&drain_attr.attr,
	NULL
};

/* --- debugfs ------------------------------------------------------------- */

static int slabs_show(struct seq_file *m, void *unused)
{
	struct jit_class *class, seen;
	unsigned long flags;
	unsigned int nr;

	seq_puts(m, "class objects used slabs bytes\n");
	for (nr = 0; nr <= JIT_RUNS; nr++) {
		class = &mmkit_jit_classes[nr];
		flags = mmkit_jit_class_lock(class);
		seen = *class;
		mmkit_jit_class_unlock(class, flags);
		if (nr < JIT_RUNS)
			seq_printf(m, "%u", jit_class_bytes(nr));
		else
			seq_puts(m, "runs");
		seq_printf(m, " %lu %lu %lu %lu\n", seen.room, seen.used, seen.slabs,
			   seen.pages * PAGE_SIZE);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(slabs);

/* Who sees addresses in /proc/kallsyms sees them here. */
static bool shows_addresses(struct seq_file *m)
{
	char text[2 * sizeof(long) + 3];

	snprintf(text, sizeof(text), "%pK", m);
	return file_ns_capable(m->file, &init_user_ns, CAP_SYSLOG) &&
	       strspn(text, "0") < strlen(text);
}

struct map {
	struct seq_file *m;
	bool addresses;
};

/* A name is the owner's, and can hold anything. */
static void show_object(struct map *map, unsigned long addr, const struct jit_object *object)
{
	seq_printf(map->m, "%lx %x %s ", map->addresses ? addr : 0, object->len,
		   object->owner->name);
	seq_escape(map->m, object->name ?: "-", "\n\\");
	seq_putc(map->m, '\n');
}

/* Live objects only: those that are being freed have no name any more. */
static void map_slab(struct jit_slab *slab, void *data)
{
	struct jit_object *object;
	struct map *map = data;
	unsigned long flags;
	unsigned int idx;

	flags = mmkit_jit_class_lock(slab->class);
	for_each_set_bit(idx, slab->used, slab->objects) {
		object = &slab->object[idx];
		if (object->owner && !test_bit(idx, slab->dying))
			show_object(map, slab->addr + (unsigned long)idx * slab->bytes,
				    object);
	}
	mmkit_jit_class_unlock(slab->class, flags);
}

static int map_show(struct seq_file *m, void *unused)
{
	struct map map = { .m = m, .addresses = shows_addresses(m) };

	mmkit_jit_space_each_slab(map_slab, &map);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(map);

static int owners_show(struct seq_file *m, void *unused)
{
	mmkit_jit_owners_show(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(owners);

static const char * const stat_names[] = {
	[JIT_ALLOCS]		= "allocs",
	[JIT_FREES]		= "frees",
	[JIT_REFILLS]		= "refills",
	[JIT_FAILURES]		= "failures",
	[JIT_OVER_QUOTA]	= "over_quota",
	[JIT_LOCKS]		= "locks",
	[JIT_CONTENDED]		= "contended",
	[JIT_WRITES]		= "writes",
	[JIT_SYNCS]		= "syncs",
	[JIT_MAPS]		= "maps",
	[JIT_UNMAPS]		= "unmaps",
	[JIT_GRACES]		= "graces",
};

static_assert(ARRAY_SIZE(stat_names) == JIT_NR_STATS);

static int stats_show(struct seq_file *m, void *unused)
{
	unsigned long sum;
	unsigned int stat, class;
	int cpu;

	for (stat = 0; stat < JIT_NR_STATS; stat++) {
		sum = 0;
		for_each_possible_cpu(cpu)
			sum += READ_ONCE(per_cpu(mmkit_jit_stats[stat], cpu));
		seq_printf(m, "%s %lu\n", stat_names[stat], sum);
	}
	sum = 0;
	for (class = 0; class <= JIT_RUNS; class++)
		sum += READ_ONCE(mmkit_jit_classes[class].meta_bytes);
	seq_printf(m, "meta_bytes %lu\n", sum);
	seq_printf(m, "alias %lx\n", shows_addresses(m) ? mmkit_jit_poke_alias() : 0);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

void mmkit_jit_report_files(void)
{
	struct dentry *dir = mmkit_jit_component.debugfs;

	if (IS_ERR_OR_NULL(dir))
		return;
	debugfs_create_file("slabs", 0400, dir, NULL, &slabs_fops);
	debugfs_create_file("map", 0400, dir, NULL, &map_fops);
	debugfs_create_file("owners", 0400, dir, NULL, &owners_fops);
	debugfs_create_file("stats", 0400, dir, NULL, &stats_fops);
}
