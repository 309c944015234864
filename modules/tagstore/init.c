// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tag-storage manager: memory that is set aside for the tags of arm64's MTE,
 * lent out as ordinary memory and taken back before a page becomes tagged.
 *
 * What a blown fuse means here: fail closed. All storage is taken back as far as
 * it can be, nothing is lent any more, what is taken stays so, and the hooks stay:
 * only pages whose storage is taken can become tagged.
 *
 * Unloading. While pages are tagged the module has a reference to itself and
 * cannot go. When it goes nobody reserves storage any more, so all of it is taken
 * and kept, unless give_back says that no tags live there (an emulator, say). The
 * pages that are kept bear a number of ours, by which the next load knows them.
 */
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/module.h>

#include "tagstore.h"

static char *regions;
module_param(regions, charp, 0444);
MODULE_PARM_DESC(regions, "storage:bytes:tagged[:block],... instead of the device tree");

bool mmkit_ts_simulate;
module_param_named(simulate, mmkit_ts_simulate, bool, 0444);
MODULE_PARM_DESC(simulate, "no hooks: pages become tagged by the functions for modules alone");

module_param_named(pool_pages, mmkit_ts_pool_pages, uint, 0444);
MODULE_PARM_DESC(pool_pages, "pages of a chunk that is reserved together, at most");

module_param_named(linger_ms, mmkit_ts_linger_ms, uint, 0444);
MODULE_PARM_DESC(linger_ms, "how long storage stays reserved when nobody needs it");

static bool give_back;
module_param(give_back, bool, 0444);
MODULE_PARM_DESC(give_back, "lend all storage when unloaded: only where no tags live in it");

static bool used;

void mmkit_ts_used(void)
{
	/* What the caller has done to a page or the pool comes before this look. */
	smp_mb();
	if (!READ_ONCE(used) && !xchg(&used, true))
		__module_get(THIS_MODULE);
}

static unsigned long own_pages(void)
{
	return mmkit_ts_pool_count() + mmkit_ts_zero_pages();
}

/*
 * Pages that somebody else than the module needs. Its own can come or go meanwhile: looked at
 * before and after, so that none that is somebody else's is taken for one of them.
 */
static bool in_use(void)
{
	unsigned long own = own_pages(), counted;

	/* The pool lets a page go before it is counted out. */
	smp_rmb();
	counted = mmkit_ts_counted_pages();
	/* And a new one is counted in before the pool has it. */
	smp_rmb();
	return counted > min(own, own_pages());
}

void mmkit_ts_perhaps_unused(void)
{
	if (!READ_ONCE(used) || in_use() || !xchg(&used, false))
		return;
	/* Whoever came meanwhile has a reference of his own, or has seen ours and needs it. */
	if (in_use() && !xchg(&used, true))
		return;
	module_put(THIS_MODULE);
}

/* Fail closed. */
static void disarm(struct mmkit_component *comp)
{
	unsigned long lost = mmkit_ts_take_all();

	if (lost)
		pr_warn("%lu bytes of tag storage could not be taken back\n", lost * PAGE_SIZE);
}

struct mmkit_component mmkit_ts_component = {
	.name	= "tagstore",
	.owner	= THIS_MODULE,
	.attrs	= mmkit_ts_attrs,
	.disarm	= disarm,
};

static int check_parameters(void)
{
	if (mmkit_ts_pool_pages > 1U << 20) {
		pr_err("parameter pool_pages: %u is more than %u\n", mmkit_ts_pool_pages, 1U << 20);
		return -ERANGE;
	}
	if (mmkit_ts_linger_ms > 60 * MSEC_PER_SEC) {
		pr_err("parameter linger_ms: %u is more than %lu\n", mmkit_ts_linger_ms,
		       60 * MSEC_PER_SEC);
		return -ERANGE;
	}
	return mmkit_ts_cpu_check(mmkit_ts_simulate);
}

static bool keep_storage(void)
{
	return !give_back && !mmkit_ts_simulate;
}

/* With the hooks still there: nobody tags a page whose storage is lent. */
static void storage_take(void)
{
	unsigned long lost = keep_storage() ? mmkit_ts_take_all_unkillable() : 0;

	if (lost)
		pr_warn("%lu bytes of tag storage stay lent: nothing may use PROT_MTE until the module is loaded again\n",
			lost * PAGE_SIZE);
}

static void storage_leave(bool keep)
{
	if (keep)
		mmkit_ts_leave_kept();
	else
		mmkit_ts_lend_all();
}

static int __init tagstore_init(void)
{
	bool kept;
	int err;

	err = check_parameters();
	if (err)
		return err;
	err = mmkit_ts_regions_init(regions);
	if (err)
		return err;
	kept = mmkit_ts_find_kept();
	err = mmkit_ts_pool_init();
	if (err)
		goto err_regions;
	err = mmkit_ts_settle_init();
	if (err)
		goto err_pool;
	err = mmkit_component_register(&mmkit_ts_component);
	if (err)
		goto err_settle;
	err = mmkit_ts_events_init();
	if (err)
		goto err_component;
	err = mmkit_ts_hooks_init(mmkit_ts_simulate);
	if (err)
		goto err_events;
	err = mmkit_ts_adopt(mmkit_ts_simulate);
	if (err)
		goto err_hooks;
	mmkit_ts_start_lending();
	mmkit_ts_perhaps_unused();
	/* Nothing fails after this: an open file would outlive the module. */
	mmkit_ts_report_files();
	return 0;

err_hooks:
	mmkit_ts_hooks_exit();
err_events:
	mmkit_ts_events_exit();
err_component:
	mmkit_component_unregister(&mmkit_ts_component);
err_settle:
	mmkit_ts_settle_exit();
err_pool:
	mmkit_ts_pool_exit();
err_regions:
	storage_leave(kept);
	mmkit_ts_regions_exit();
	return err;
}
module_init(tagstore_init);

/* While something is tagged the module has a reference to itself: nothing goes then. */
static void __exit tagstore_exit(void)
{
	mmkit_component_wait_unused(&mmkit_ts_component);
	storage_take();
	mmkit_ts_hooks_exit();
	mmkit_ts_events_exit();
	mmkit_component_unregister(&mmkit_ts_component);
	mmkit_ts_settle_exit();
	mmkit_ts_pool_exit();
	storage_leave(keep_storage());
	mmkit_ts_regions_exit();
}
module_exit(tagstore_exit);

MMKIT_IMPORT;
MODULE_DESCRIPTION("mmkit tag-storage manager: lends the memory of MTE tags; can be unloaded while nothing is tagged");
MODULE_INFO(features, MMKIT_FEATURES);
MODULE_VERSION(MMKIT_VERSION);
MODULE_LICENSE("GPL");
