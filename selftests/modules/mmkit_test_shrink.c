// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asks the shrinker of a module as memory reclaim does. What to do is written to the
 * parameter "run", what came of it is read from there:
 *
 *	count MODULE [NODE]	how much could be freed: "count NUMBER|empty"
 *	scan MODULE NR [NODE]	free so much: "freed NUMBER|stop"
 *
 * A kernel does not know its shrinkers by name: that of a module is known by where its
 * functions lie.
 */
#include <linux/kallsyms.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/sched/mm.h>
#include <linux/shrinker.h>
#include <linux/string.h>

#include <mmkit/ksym.h>

#include "test_run.h"

#define NO_KSYMS(X)
#define SHRINK_DATA(X)								\
	X(REQUIRED, shrinker_list, "the shrinkers cannot be found")		\
	X(OPTIONAL, shrinker_mutex, "the lock of their list is another one")	\
	X(OPTIONAL, shrinker_rwsem, "the lock of their list is another one")

MMKIT_KSYM_DECLARE_TABLE(NO_KSYMS)
MMKIT_KSYM_DEFINE_TABLE(ksyms, "test", NO_KSYMS, SHRINK_DATA);

static void list_lock(bool lock)
{
	struct mutex *mutex = (struct mutex *)mmkit_ksym_found(&ksyms, "shrinker_mutex");
	struct rw_semaphore *rwsem = (void *)mmkit_ksym_found(&ksyms, "shrinker_rwsem");

	if (mutex && lock)
		mutex_lock(mutex);
	else if (mutex)
		mutex_unlock(mutex);
	else if (rwsem && lock)
		down_read(rwsem);
	else if (rwsem)
		up_read(rwsem);
}

static bool belongs_to(const struct shrinker *shrinker, const char *module)
{
	char symbol[KSYM_SYMBOL_LEN], want[MODULE_NAME_LEN + 2];

	sprint_symbol_no_offset(symbol, (unsigned long)shrinker->count_objects);
	snprintf(want, sizeof(want), "[%s]", module);
	return strstr(symbol, want);
}

/* It stays for as long as its module is loaded. */
static struct shrinker *shrinker_of(const char *module)
{
	struct list_head *list = (struct list_head *)mmkit_ksym_found(&ksyms, "shrinker_list");
	struct shrinker *shrinker, *found = NULL;

	list_lock(true);
	list_for_each_entry(shrinker, list, list) {
		if (belongs_to(shrinker, module))
			found = shrinker;
	}
	list_lock(false);
	return found;
}

static void say_number(const char *what, unsigned long nr, unsigned long special,
		       const char *name)
{
	if (nr == special)
		say("%s %s\n", what, name);
	else
		say("%s %lu\n", what, nr);
}

static int ask(const char *module, struct shrink_control *sc, bool scan)
{
	struct shrinker *shrinker = shrinker_of(module);
	unsigned int noreclaim;

	if (!shrinker)
		return -ENOENT;
	noreclaim = memalloc_noreclaim_save();
	fs_reclaim_acquire(GFP_KERNEL);
	if (scan)
		say_number("freed", shrinker->scan_objects(shrinker, sc), SHRINK_STOP, "stop");
	else
		say_number("count", shrinker->count_objects(shrinker, sc), SHRINK_EMPTY, "empty");
	fs_reclaim_release(GFP_KERNEL);
	memalloc_noreclaim_restore(noreclaim);
	return 0;
}

static int run_count(char *args)
{
	struct shrink_control sc = { .gfp_mask = GFP_KERNEL };
	char module[MODULE_NAME_LEN];

	if (sscanf(args, "%55s %d", module, &sc.nid) < 1)
		return -EINVAL;
	return ask(module, &sc, false);
}

static int run_scan(char *args)
{
	struct shrink_control sc = { .gfp_mask = GFP_KERNEL };
	char module[MODULE_NAME_LEN];

	if (sscanf(args, "%55s %lu %d", module, &sc.nr_to_scan, &sc.nid) < 2)
		return -EINVAL;
	sc.nr_scanned = sc.nr_to_scan;
	return ask(module, &sc, true);
}

TEST_COMMANDS({ "count", run_count },
	      { "scan", run_scan });

static int __init test_init(void)
{
	return mmkit_ksym_resolve(&ksyms);
}
module_init(test_init);

static void __exit test_exit(void)
{
	mmkit_ksym_release(&ksyms);
}
module_exit(test_exit);
