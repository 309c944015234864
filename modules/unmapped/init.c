// SPDX-License-Identifier: GPL-2.0-only
/*
 * The unmapped-page cache: memory that is in no direct map.
 *
 * What a blown fuse means here: nothing is taken from the kernel any more. Who has
 * pages keeps them, what is freed is scrubbed, and a block returns only if each of
 * its pages is seen to be present in the direct map; the others are lost. Loading
 * again is possible when nothing is out.
 */
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/memcontrol.h>
#include <linux/module.h>
#include <linux/set_memory.h>
#include <linux/vmalloc.h>

#include "unmapped.h"

static uint prefill;
module_param(prefill, uint, 0444);
MODULE_PARM_DESC(prefill, "blocks to take at load");

static ulong max_cached_bytes;
module_param(max_cached_bytes, ulong, 0444);
MODULE_PARM_DESC(max_cached_bytes, "most memory to keep cached; 0: 5 % of memory");

static bool secret = true;
module_param(secret, bool, 0444);
MODULE_PARM_DESC(secret, "offer /dev/mmkit_secret");

static ulong secret_max_bytes;
module_param(secret_max_bytes, ulong, 0444);
MODULE_PARM_DESC(secret_max_bytes, "most memory of /dev/mmkit_secret; 0: 10 % of memory");

MMKIT_KSYM_DEFINE_TABLE(ksyms, "unmapped", UM_KSYMS, MMKIT_KSYM_NO_DATA);

MMKIT_DIRECT_MAP_SAME_TYPE;
static_assert(__same_type(__get_vm_area_caller, mmkit_ksym_proto___get_vm_area_caller));
static_assert(__same_type(vunmap_range, mmkit_ksym_proto_vunmap_range));
static_assert(__same_type(__memcg_kmem_charge_page, mmkit_ksym_proto___memcg_kmem_charge_page));
static_assert(__same_type(__memcg_kmem_uncharge_page,
			  mmkit_ksym_proto___memcg_kmem_uncharge_page));

struct mmkit_component mmkit_um_component = {
	.name	= "unmapped",
	.owner	= THIS_MODULE,
	.attrs	= mmkit_um_attrs,
};

static int limit(const char *name, unsigned long bytes, unsigned long percent, unsigned long *pages)
{
	*pages = bytes ? bytes >> PAGE_SHIFT : totalram_pages() * percent / 100;
	if (*pages <= totalram_pages())
		return 0;
	pr_err("parameter %s: %lu is more than there is memory\n", name, bytes);
	return -ERANGE;
}

static int check_parameters(void)
{
	int err;

	err = limit("max_cached_bytes", max_cached_bytes, 5, &mmkit_um_max_pages);
	if (!err)
		err = limit("secret_max_bytes", secret_max_bytes, 10, &mmkit_um_secret_max_pages);
	if (!err && prefill > mmkit_um_max_pages / UM_BLOCK_PAGES) {
		pr_err("parameter prefill: %u blocks are more than max_cached_bytes\n", prefill);
		err = -ERANGE;
	}
	if (!err && IS_ENABLED(CONFIG_PREEMPT_RT)) {
		pr_err("kernels with PREEMPT_RT are not supported\n");
		err = -EOPNOTSUPP;
	}
	return err;
}

static int prefill_at_load(void)
{
	int err = mmkit_um_prefill(prefill);

	if (err)
		pr_err("parameter prefill: %u blocks cannot be had\n", prefill);
	return err;
}

static int __init unmapped_init(void)
{
	int err;

	err = check_parameters();
	if (err)
		return err;
	err = mmkit_ksym_resolve(&ksyms);
	if (err)
		return err;
	err = mmkit_um_direct_map_check();
	if (err)
		goto err_ksyms;
	err = mmkit_um_cache_init();
	if (err)
		goto err_ksyms;
	err = mmkit_um_local_init();
	if (err)
		goto err_cache;
	err = mmkit_um_worker_init();
	if (err)
		goto err_local;
	err = mmkit_component_register(&mmkit_um_component);
	if (err)
		goto err_worker;
	mmkit_um_direct_map_report();
	err = mmkit_um_shrinker_init();
	if (err)
		goto err_component;
	err = mmkit_um_events_init();
	if (err)
		goto err_shrinker;
	err = prefill_at_load();
	if (err)
		goto err_events;
	if (secret)
		err = mmkit_um_secret_init(&ksyms);
	if (err)
		goto err_events;
	/* Nothing fails after this: an open file would outlive the module. */
	mmkit_um_report_files();
	return 0;

err_events:
	mmkit_um_events_exit();
err_shrinker:
	mmkit_um_shrinker_exit();
err_component:
	/* Before the fuse is waited for: giving back can blow it. */
	mmkit_um_cache_stop();
	mmkit_component_unregister(&mmkit_um_component);
err_worker:
	mmkit_um_worker_exit();
	mmkit_um_blocks_exit();
err_local:
	mmkit_um_local_exit();
err_cache:
	mmkit_um_cache_exit();
err_ksyms:
	mmkit_ksym_release(&ksyms);
	return err;
}
module_init(unmapped_init);

/* While pages are out somebody has a reference to the module: nothing goes then. */
static void __exit unmapped_exit(void)
{
	mmkit_component_wait_unused(&mmkit_um_component);
	mmkit_um_secret_exit();
	mmkit_um_events_exit();
	mmkit_um_shrinker_exit();
	mmkit_um_cache_stop();
	mmkit_component_unregister(&mmkit_um_component);
	mmkit_um_worker_exit();
	mmkit_um_blocks_exit();
	mmkit_um_local_exit();
	mmkit_um_cache_exit();
	mmkit_ksym_release(&ksyms);
}
module_exit(unmapped_exit);

MMKIT_IMPORT;
MODULE_DESCRIPTION("mmkit unmapped-page cache: memory in no direct map, and /dev/mmkit_secret; can be unloaded while no page is out");
MODULE_INFO(features, MMKIT_FEATURES);
MODULE_VERSION(MMKIT_VERSION);
MODULE_LICENSE("GPL");
