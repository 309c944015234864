// SPDX-License-Identifier: GPL-2.0-only
/* The core module: brings up what the components stand on. */
#include <linux/init.h>
#include <linux/memory_hotplug.h>
#include <linux/ftrace.h>
#include <linux/module.h>
#include <linux/vmalloc.h>

#include "core.h"

static char *hide;
module_param(hide, charp, 0444);
MODULE_PARM_DESC(hide, "kernel symbols to treat as missing, comma separated");

MMKIT_KSYM_DEFINE_TABLE(core_table, "core", MMKIT_CORE_KSYMS, MMKIT_KSYM_NO_DATA);

static_assert(__same_type(get_online_mems, mmkit_ksym_proto_get_online_mems));
static_assert(__same_type(put_online_mems, mmkit_ksym_proto_put_online_mems));
static_assert(__same_type(__get_vm_area_caller, mmkit_ksym_proto___get_vm_area_caller));
static_assert(__same_type(vunmap_range, mmkit_ksym_proto_vunmap_range));
static_assert(__same_type(ftrace_location, mmkit_ksym_proto_ftrace_location));

static struct mmkit_component core_component = {
	.name	= "core",
	.owner	= THIS_MODULE,
};

static int __init mmkit_init(void)
{
	int err;

	err = mmkit_component_init();
	if (err)
		return err;
	err = mmkit_ksym_init(hide);
	if (err)
		goto err_component;
	err = mmkit_ksym_resolve(&core_table);
	if (err)
		goto err_ksym;
	err = mmkit_pagetab_init();
	if (err)
		goto err_table;
	err = mmkit_component_register(&core_component);
	if (err)
		goto err_pagetab;
	/* Nothing fails after this: an open file would outlive the module. */
	mmkit_component_files();
	mmkit_ksym_files();
	mmkit_pagetab_files();
	mmkit_redirect_files();
	return 0;

err_pagetab:
	mmkit_pagetab_exit();
err_table:
	mmkit_ksym_release(&core_table);
err_ksym:
	mmkit_ksym_exit();
err_component:
	mmkit_component_exit();
	return err;
}
module_init(mmkit_init);

static void __exit mmkit_exit(void)
{
	mmkit_component_wait_unused(&core_component);
	mmkit_component_unregister(&core_component);
	mmkit_pagetab_exit();
	mmkit_ksym_release(&core_table);
	mmkit_ksym_exit();
	mmkit_component_exit();
}
module_exit(mmkit_exit);

MODULE_DESCRIPTION("mmkit core: symbols, page events, side tables and redirects for the suite; can be unloaded when no component is");
MODULE_INFO(features, MMKIT_FEATURES);
MODULE_VERSION(MMKIT_VERSION);
MODULE_LICENSE("GPL");
