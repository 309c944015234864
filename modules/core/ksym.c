// SPDX-License-Identifier: GPL-2.0-only
/*
 * Symbols of the kernel that are not exported.
 *
 * The walk over all symbols of the kernel is itself not exported; its address
 * is taken from a kprobe that is registered, never armed, and removed at once.
 * On kernels with indirect branch tracking that address lies behind the landing
 * pad of the function, which a direct call does not need. Everything else comes
 * from the walk: one pass finds all rows of a table and notices names that are
 * not unique.
 */
#include <linux/bsearch.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>
#include <linux/utsname.h>

#include "core.h"

#define MMKIT_KSYM_BOOTSTRAP(X)								\
	X(REQUIRED, int, kallsyms_on_each_symbol,					\
	  (int (*fn)MMKIT_KALLSYMS_CB_ARGS, void *data), "no symbol can be found")	\
	X(REQUIRED, int, kallsyms_lookup_size_offset,					\
	  (unsigned long addr, unsigned long *size, unsigned long *offset),		\
	  "the size of a function cannot be found")

MMKIT_KSYM_DECLARE_TABLE(MMKIT_KSYM_BOOTSTRAP)
MMKIT_KSYM_DEFINE_TABLE(bootstrap, "core", MMKIT_KSYM_BOOTSTRAP, MMKIT_KSYM_NO_DATA);

static_assert(__same_type(kallsyms_on_each_symbol, mmkit_ksym_proto_kallsyms_on_each_symbol));
static_assert(__same_type(kallsyms_lookup_size_offset,
			  mmkit_ksym_proto_kallsyms_lookup_size_offset));

static DEFINE_MUTEX(tables_lock);
static LIST_HEAD(tables);
static const char *hidden_names;

/* Is @name one of the names that the user wants treated as missing? */
static bool ksym_hidden(const char *name)
{
	size_t len = strlen(name);
	const char *at = hidden_names;

	while (at && (at = strstr(at, name))) {
		if ((at == hidden_names || at[-1] == ',') && (!at[len] || at[len] == ','))
			return true;
		at += len;
	}
	return false;
}

static void ksym_missing(const struct mmkit_ksym_table *table, const struct mmkit_ksym *row)
{
	pr_err("%s: the kernel (%s) has %s %s: %s\n", table->owner, utsname()->release,
	       row->count > 1 ? "several symbols called" : "no", row->name, row->lost);
}

/* --- tables ------------------------------------------------------------ */

static int ksym_match MMKIT_KALLSYMS_CB_ARGS
{
	struct mmkit_ksym_table *table = data;
	unsigned int i;

	for (i = 0; i < table->nr; i++) {
		struct mmkit_ksym *row = &table->rows[i];

		if (name[0] == row->name[0] && !strcmp(name, row->name)) {
			row->addr = addr;
			row->count++;
		}
	}
	return 0;
}

/* Static calls are set only when every required row is there. */
static int ksym_settle(struct mmkit_ksym_table *table)
{
	struct mmkit_ksym *row;

	for (row = table->rows; row < table->rows + table->nr; row++) {
		if (ksym_hidden(row->name))
			row->count = 0;
		if (row->count != 1)
			row->addr = 0;
		if (!row->addr && (row->flags & MMKIT_KSYM_REQUIRED)) {
			ksym_missing(table, row);
			return -EOPNOTSUPP;
		}
	}
	for (row = table->rows; row < table->rows + table->nr; row++) {
		if (row->addr && row->key)
			__static_call_update(row->key, row->tramp, (void *)row->addr);
	}
	return 0;
}

static void ksym_list(struct mmkit_ksym_table *table)
{
	mutex_lock(&tables_lock);
	list_add_tail(&table->link, &tables);
	mutex_unlock(&tables_lock);
}

int mmkit_ksym_resolve(struct mmkit_ksym_table *table)
{
	unsigned int i;
	int err;

	for (i = 0; i < table->nr; i++) {
		table->rows[i].addr = 0;
		table->rows[i].count = 0;
	}
	mmkit_ksym(kallsyms_on_each_symbol)(ksym_match, table);
	err = ksym_settle(table);
	if (!err)
		ksym_list(table);
	return err;
}
MMKIT_EXPORT(mmkit_ksym_resolve);

void mmkit_ksym_release(struct mmkit_ksym_table *table)
{
	mutex_lock(&tables_lock);
	list_del(&table->link);
	mutex_unlock(&tables_lock);
}
MMKIT_EXPORT(mmkit_ksym_release);

unsigned long mmkit_ksym_found(const struct mmkit_ksym_table *table, const char *name)
{
	unsigned int i;

	for (i = 0; i < table->nr; i++) {
		if (!strcmp(table->rows[i].name, name))
			return table->rows[i].addr;
	}
	return 0;
}
MMKIT_EXPORT(mmkit_ksym_found);

/* --- text ranges ------------------------------------------------------- */

struct range_walk {
	const char **names;		/* sorted */
	unsigned int nr_names;
	struct mmkit_text_range *ranges;
	unsigned int nr, max;
	bool overflow;
};

static int name_cmp(const void *a, const void *b)
{
	return strcmp(*(const char * const *)a, *(const char * const *)b);
}

static int range_cmp(const void *a, const void *b)
{
	const struct mmkit_text_range *left = a, *right = b;

	return left->start < right->start ? -1 : left->start > right->start;
}

/* The name without what compilers and allocation tagging append to it. */
static bool base_name(char *base, size_t room, const char *name)
{
	size_t len = strcspn(name, ".");
	const size_t tag = strlen("_noprof");

	if (len > tag && !strncmp(name + len - tag, "_noprof", tag))
		len -= tag;
	if (!len || len >= room)
		return false;
	memcpy(base, name, len);
	base[len] = '\0';
	return true;
}

static int range_match MMKIT_KALLSYMS_CB_ARGS
{
	struct range_walk *walk = data;
	unsigned long size, offset;
	char base[KSYM_NAME_LEN > 128 ? 128 : KSYM_NAME_LEN];
	const char *key = base;

	if (!base_name(base, sizeof(base), name) ||
	    !bsearch(&key, walk->names, walk->nr_names, sizeof(key), name_cmp))
		return 0;
	if (!mmkit_ksym(kallsyms_lookup_size_offset)(addr, &size, &offset))
		return 0;
	if (walk->nr == walk->max) {
		walk->overflow = true;
		return -ENOSPC;
	}
	walk->ranges[walk->nr].start = addr - offset;
	walk->ranges[walk->nr].end = addr - offset + size;
	walk->nr++;
	return 0;
}

int mmkit_ksym_text_ranges(const char * const *names, unsigned int nr,
			   struct mmkit_text_range *ranges, unsigned int max)
{
	struct range_walk walk = { .nr_names = nr, .ranges = ranges, .max = max };

	walk.names = kmemdup(names, array_size(nr, sizeof(*names)), GFP_KERNEL);
	if (!walk.names)
		return -ENOMEM;
	sort(walk.names, nr, sizeof(*walk.names), name_cmp, NULL);
	mmkit_ksym(kallsyms_on_each_symbol)(range_match, &walk);
	kfree(walk.names);
	if (walk.overflow)
		return -ENOSPC;
	sort(ranges, walk.nr, sizeof(*ranges), range_cmp, NULL);
	return walk.nr;
}
MMKIT_EXPORT(mmkit_ksym_text_ranges);

/* --- debugfs ----------------------------------------------------------- */

static int symbols_show(struct seq_file *m, void *unused)
{
	struct mmkit_ksym_table *table;
	unsigned int i;

	seq_printf(m, "%-10s %-28s %-8s %-7s %-18s %s\n", "component", "symbol", "need", "state",
		   "address", "prototype");
	mutex_lock(&tables_lock);
	list_for_each_entry(table, &tables, link) {
		for (i = 0; i < table->nr; i++) {
			const struct mmkit_ksym *row = &table->rows[i];

			seq_printf(m, "%-10s %-28s %-8s %-7s %-18pK %s\n", table->owner, row->name,
				   row->flags & MMKIT_KSYM_REQUIRED ? "required" : "optional",
				   row->addr ? "found" : "missing", (void *)row->addr, row->proto);
		}
	}
	mutex_unlock(&tables_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(symbols);

/* --- bootstrap --------------------------------------------------------- */

static int ksym_by_kprobe(struct mmkit_ksym *row)
{
	struct kprobe kp = { .symbol_name = row->name, .flags = KPROBE_FLAG_DISABLED };
	int err;

	err = register_kprobe(&kp);
	if (err) {
		pr_err("core: no kprobe on %s (error %d): are kprobes built in and allowed?\n",
		       row->name, err);
		return err == -ENOENT ? -EOPNOTSUPP : err;
	}
	row->addr = (unsigned long)kp.addr;
	row->count = 1;
	unregister_kprobe(&kp);
	return 0;
}

int mmkit_ksym_init(const char *hidden)
{
	unsigned int i;
	int err;

	hidden_names = hidden;
	for (i = 0; i < bootstrap.nr; i++) {
		if (ksym_hidden(bootstrap.rows[i].name))
			continue;
		err = ksym_by_kprobe(&bootstrap.rows[i]);
		if (err)
			return err;
	}
	err = ksym_settle(&bootstrap);
	if (err)
		return err;
	/* Now that the walk works it tells where it begins itself. */
	return mmkit_ksym_resolve(&bootstrap);
}

void mmkit_ksym_files(void)
{
	mmkit_debugfs_table("symbols", &symbols_fops);
}

void mmkit_ksym_exit(void)
{
	mmkit_ksym_release(&bootstrap);
}
