// SPDX-License-Identifier: GPL-2.0-only
/*
 * The text allocator: memory for generated code.
 *
 * What a blown fuse means here: no new objects. Who has some keeps them and can free
 * them. Loading again is possible when none is left.
 */
#include <linux/bpf.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/vmalloc.h>

#include "jit.h"

static ulong max_bytes = 64UL << 20;
module_param(max_bytes, ulong, 0444);
MODULE_PARM_DESC(max_bytes, "most memory, and most address space, to take for text");

static bool ksym = true;
module_param(ksym, bool, 0444);
MODULE_PARM_DESC(ksym, "let the kernel know text by the name of mmkit_jit");

static bool guarded = true;
module_param(guarded, bool, 0444);
MODULE_PARM_DESC(guarded, "arm64: indirect branches into text must meet landing pads, where the CPU can check");

MMKIT_KSYM_DEFINE_TABLE(ksyms, "jit", JIT_KSYMS, JIT_DATA);

MMKIT_POKE_SAME_TYPE;
static_assert(__same_type(__get_vm_area_caller, mmkit_ksym_proto___get_vm_area_caller));
static_assert(__same_type(vunmap_range, mmkit_ksym_proto_vunmap_range));
static_assert(__same_type(bpf_ksym_add, mmkit_ksym_proto_bpf_ksym_add));
static_assert(__same_type(bpf_ksym_del, mmkit_ksym_proto_bpf_ksym_del));

struct mmkit_component mmkit_jit_component = {
	.name	= "jit",
	.owner	= THIS_MODULE,
	.attrs	= mmkit_jit_attrs,
};

static int check_parameters(void)
{
	/* More than the range of modules is not a limit, but a mistake. */
	if (max_bytes < JIT_BLOCK_BYTES || max_bytes > SZ_1G) {
		pr_err("parameter max_bytes: %lu is not from %u to %u\n", max_bytes,
		       JIT_BLOCK_BYTES, SZ_1G);
		return -ERANGE;
	}
	mmkit_jit_max_blocks = max_bytes / JIT_BLOCK_BYTES;
	return 0;
}

static int __init jit_init(void)
{
	int err;

	err = check_parameters();
	if (err)
		return err;
	err = mmkit_ksym_resolve(&ksyms);
	if (err)
		return err;
	err = mmkit_jit_emit_init(&ksyms);
	if (err)
		goto err_ksyms;
	err = mmkit_jit_poke_init(&ksyms);
	if (err)
		goto err_ksyms;
	err = mmkit_jit_slab_init();
	if (err)
		goto err_poke;
	err = mmkit_component_register(&mmkit_jit_component);
	if (err)
		goto err_slab;
	err = mmkit_jit_owners_init();
	if (err)
		goto err_component;
	mmkit_jit_space_init(&ksyms, ksym, guarded);
	err = mmkit_jit_events_init();
	if (err)
		goto err_owners;
	/* Nothing fails after this: an open file would outlive the module. */
	mmkit_jit_report_files();
	return 0;

err_owners:
	mmkit_jit_owners_exit();
err_component:
	mmkit_component_unregister(&mmkit_jit_component);
err_slab:
	mmkit_jit_slab_exit();
err_poke:
	mmkit_jit_poke_exit();
err_ksyms:
	mmkit_ksym_release(&ksyms);
	return err;
}
module_init(jit_init);

/* While an object lives somebody has a reference to the module: nothing goes then. */
static void __exit jit_exit(void)
{
	mmkit_component_wait_unused(&mmkit_jit_component);
	mmkit_jit_events_exit();
	mmkit_component_unregister(&mmkit_jit_component);
	mmkit_jit_slab_exit();
	mmkit_jit_space_exit();
	mmkit_jit_owners_exit();
	mmkit_jit_poke_exit();
	mmkit_ksym_release(&ksyms);
}
module_exit(jit_exit);

MMKIT_IMPORT;
MODULE_DESCRIPTION("mmkit text allocator: memory for generated code, never writable; can be unloaded while no object lives");
MODULE_INFO(features, MMKIT_FEATURES);
MODULE_VERSION(MMKIT_VERSION);
MODULE_LICENSE("GPL");
