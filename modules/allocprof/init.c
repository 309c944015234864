// SPDX-License-Identifier: GPL-2.0-only
/*
 * The allocation profiler: who owns every page, on a kernel as shipped.
 *
 * Starting is a ladder, stopping the same ladder downwards; the run-time switch
 * "enabled" walks it too. While the profiler is off nothing is hooked and no
 * table exists.
 */
#include <linux/init.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mmzone.h>

#include "allocprof.h"

bool mmkit_ap_wide;
module_param_named(wide, mmkit_ap_wide, bool, 0444);
MODULE_PARM_DESC(wide, "4 bytes a page instead of 2, for more than 32,758 call sites");

bool mmkit_ap_verify;
module_param_named(verify, mmkit_ap_verify, bool, 0444);
MODULE_PARM_DESC(verify, "unwind each event a second time with the kernel's own unwinder");

uint mmkit_ap_max_sites;
module_param_named(max_sites, mmkit_ap_max_sites, uint, 0444);
MODULE_PARM_DESC(max_sites, "most call sites to tell apart, 64 or more; 0: as many as the table can hold");

char *mmkit_ap_skip;
module_param_named(skip, mmkit_ap_skip, charp, 0444);
MODULE_PARM_DESC(skip, "more functions to take for allocator wrappers, comma separated");

static bool enabled = true;
module_param(enabled, bool, 0444);
MODULE_PARM_DESC(enabled, "start profiling at load");

/* The profiler is started, stopped and read by one at a time. */
DEFINE_MUTEX(mmkit_ap_lock);
bool mmkit_ap_enabled;

struct mmkit_pagetab *mmkit_ap_side_table;

static bool closing;		/* the module goes: no way back; under mmkit_ap_lock */
static bool table_closing;

#define AP_KSYM_DATA(X) AP_ARCH_KSYM_DATA(X)
MMKIT_KSYM_DEFINE_TABLE(ksyms, "allocprof", AP_COMMON_KSYMS, AP_KSYM_DATA);

static_assert(__same_type(core_kernel_text, mmkit_ksym_proto_core_kernel_text));
static_assert(__same_type(__module_text_address, mmkit_ksym_proto___module_text_address));

/*
 * Memory goes offline: what is still marked there will not be freed any more.
 * When the whole table goes, the counters go too.
 */
static void table_fini(void *data, unsigned long pfn, unsigned long nr_pages)
{
	if (mmkit_ap_table && !READ_ONCE(table_closing))
		mmkit_ap_drop_range(pfn, nr_pages);
}

static const struct mmkit_pagetab_ops table_ops = { .fini = table_fini };

static int table_start(void)
{
	mmkit_ap_side_table = mmkit_pagetab_create("allocprof",
						   mmkit_ap_wide ? sizeof(u32) : sizeof(u16),
						   &table_ops, NULL);
	if (IS_ERR(mmkit_ap_side_table))
		return PTR_ERR(mmkit_ap_side_table);
	mmkit_ap_table = mmkit_ap_side_table->base;
	return 0;
}

static void table_stop(void)
{
	WRITE_ONCE(table_closing, true);
	mmkit_pagetab_destroy(mmkit_ap_side_table);
	table_closing = false;
	mmkit_ap_table = NULL;
	mmkit_ap_side_table = NULL;
}

static int profiler_start(void)
{
	int err;

	err = mmkit_ap_memo_start();
	if (err)
		return err;
	err = mmkit_ap_sites_start();
	if (err)
		goto err_memo;
	err = table_start();
	if (err)
		goto err_sites;
	static_branch_enable(&mmkit_ap_scanning);
	err = mmkit_ap_events_start();
	if (err)
		goto err_table;
	err = mmkit_ap_hooks_start();
	if (err)
		goto err_events;
	mmkit_ap_preload_scan(mmkit_ap_side_table);
	static_branch_disable(&mmkit_ap_scanning);
	return 0;

err_events:
	mmkit_ap_events_stop();
err_table:
	static_branch_disable(&mmkit_ap_scanning);
	table_stop();
err_sites:
	mmkit_ap_sites_stop();
err_memo:
	mmkit_ap_memo_stop();
	return err;
}

static void profiler_stop(void)
{
	mmkit_ap_hooks_stop();
	mmkit_ap_events_stop();
	table_stop();
	mmkit_ap_sites_stop();
	mmkit_ap_memo_stop();
}

int mmkit_ap_set_enabled(bool on)
{
	int err = 0;

	mutex_lock(&mmkit_ap_lock);
	if (on && (closing || mmkit_fuse_blown(&mmkit_ap_component))) {
		err = -EPERM;
	} else if (on && !mmkit_ap_enabled) {
		err = profiler_start();
		mmkit_ap_enabled = !err;
	} else if (!on && mmkit_ap_enabled) {
		profiler_stop();
		mmkit_ap_enabled = false;
	}
	mutex_unlock(&mmkit_ap_lock);
	return err;
}

static void disarm(struct mmkit_component *comp)
{
	mmkit_ap_set_enabled(false);
}

struct mmkit_component mmkit_ap_component = {
	.name	= "allocprof",
	.owner	= THIS_MODULE,
	.attrs	= mmkit_ap_attrs,
	.disarm	= disarm,
};

/* The component goes last: its fuse can be waited for when nothing can blow it. */
static void allocprof_down(void)
{
	mutex_lock(&mmkit_ap_lock);
	closing = true;
	mutex_unlock(&mmkit_ap_lock);
	mmkit_ap_set_enabled(false);
	mmkit_component_unregister(&mmkit_ap_component);
}

static int check_parameters(void)
{
	u32 most = (mmkit_ap_wide ? AP_MAX_TAGS32 : AP_MAX_TAGS16) - AP_TAG_SITE;

	if (mmkit_ap_max_sites && (mmkit_ap_max_sites < 64 || mmkit_ap_max_sites > most)) {
		pr_err("parameter max_sites: %u is not 0 and not in 64..%u\n", mmkit_ap_max_sites,
		       most);
		return -ERANGE;
	}
	return 0;
}

static int __init allocprof_init(void)
{
	int err;

	err = check_parameters();
	if (err)
		return err;
	err = mmkit_ksym_resolve(&ksyms);
	if (err)
		return err;
	err = mmkit_ap_unwind_init(&ksyms);
	if (err)
		goto err_ksyms;
	err = mmkit_ap_wrappers_find();
	if (err)
		goto err_ksyms;
	err = mmkit_component_register(&mmkit_ap_component);
	if (err)
		goto err_ksyms;
	if (enabled)
		err = mmkit_ap_set_enabled(true);
	if (err)
		goto err_component;
	/* Nothing fails after this: an open file would outlive the module. */
	mmkit_ap_report_files();
	return 0;

err_component:
	allocprof_down();
err_ksyms:
	mmkit_ksym_release(&ksyms);
	return err;
}
module_init(allocprof_init);

static void __exit allocprof_exit(void)
{
	mmkit_component_wait_unused(&mmkit_ap_component);
	allocprof_down();
	mmkit_ksym_release(&ksyms);
}
module_exit(allocprof_exit);

MMKIT_IMPORT;
MODULE_DESCRIPTION("mmkit allocation profiler: which kernel code owns every page; can be unloaded at any time");
MODULE_INFO(features, MMKIT_FEATURES);
MODULE_VERSION(MMKIT_VERSION);
MODULE_LICENSE("GPL");
