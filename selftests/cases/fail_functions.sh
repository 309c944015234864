# SPDX-License-Identifier: GPL-2.0-only
# Each function of the kernel that the suite calls and that can fail does so once, at each call: while a
# module comes and goes, and while it is used. What fails says so, and leaves nothing; then it works.
# vm: smp=2 append="init_on_alloc=0 movablecore=448M nokaslr" timeout=240 check=6.1-amd64
# vm-arm64: mem=1056M dtb=tagstore_small
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh
. /mmkit/tagstore.sh
. /mmkit/fail.sh

# In and out of the direct map.
take_out=$(required mmkit_unmapped set_direct_map_valid_noflush set_memory_np set_memory_valid)
bring_back=$(required mmkit_unmapped set_direct_map_valid_noflush __set_memory_prot set_memory_valid)

load mmkit_test_fail
_simulated_region
region=$sim_storage:$sim_bytes:$sim_tagged:$(page_bytes)

# --- the core ---
function_fails register_kprobe -12 load $ko/mmkit.ko
function_fails kallsyms_on_each_symbol 0 may=95 load $ko/mmkit.ko
function_fails kobject_create_and_add 0 load $ko/mmkit.ko
function_fails sysfs_create_file_ns -12 load $ko/mmkit.ko
function_fails debugfs_create_dir -12 load $ko/mmkit.ko
function_fails register_memory_notifier -12 load $ko/mmkit.ko

# --- the profiler ---
load mmkit
for function in sysfs_create_files __vmap_pages_range_noflush ftrace_set_filter_ip \
		register_ftrace_function tracepoint_probe_register register_module_notifier; do
	function_fails $function -12 load $ko/mmkit_allocprof.ko
done
function_fails __get_vm_area_caller 0 load $ko/mmkit_allocprof.ko
function_fails ftrace_location 0 may=95 load $ko/mmkit_allocprof.ko
function_fails register_ftrace_function -16 load $ko/mmkit_allocprof.ko

# --- unmapped pages ---
for function in sysfs_create_files __vmap_pages_range_noflush register_oom_notifier register_memory_notifier \
		register_pm_notifier register_reboot_notifier misc_register $take_out \
		$(exist register_shrinker kthread_create_worker kthread_create_worker_on_node); do
	function_fails $function -12 load $ko/mmkit_unmapped.ko prefill=1
done
for function in __get_vm_area_caller $(exist shrinker_alloc); do
	function_fails $function 0 load $ko/mmkit_unmapped.ko
done
load mmkit_unmapped
for function in $(exist __memcg_kmem_charge_page) $take_out; do
	function_fails $function -12 secret /dev/mmkit_secret , disarm , write $root/unmapped/drain 1
done

# --- text ---
for function in sysfs_create_files register_module_notifier register_memory_notifier register_pm_notifier; do
	function_fails $function -12 load $ko/mmkit_jit.ko
done
load mmkit_jit
load mmkit_test_api
function_fails __vmap_pages_range_noflush -12 write $api text 3000000 , disarm , write $root/jit/drain 1
unload mmkit_test_api mmkit_jit
# Address space is kept until the module goes.
function_fails __get_vm_area_caller 0 load $ko/mmkit_jit.ko , load $ko/mmkit_test_api.ko , arm , write $api text 100
unload mmkit_unmapped

# --- tag storage ---
for function in sysfs_create_files register_memory_notifier register_pm_notifier tracepoint_probe_register; do
	function_fails $function -12 load $ko/mmkit_tagstore.ko simulate=1 regions=$region
done
load mmkit_tagstore simulate=1 regions=$region linger_ms=100
load_test_tagstore 1
for result in -12 -16; do
	function_fails $(exist alloc_contig_range alloc_contig_range_noprof) $result \
		write $ts reserve 3200 0 , disarm , write $ts free 3200 0 , write $root/tagstore/drain 1
done
unload mmkit_test_tagstore mmkit_tagstore mmkit

memory_is_back $fail_memory 4096
check "a clean load works" load_suite
unload $(suite | grep -v "^mmkit$" | tac) mmkit

# What cannot be mapped again is nobody's any more.
load mmkit
load mmkit_unmapped prefill=1
echo "$bring_back -12" > $fail/function
echo 1 > $fail/nth
echo 1 > $um/drain
check "to map pages again has failed" [ "$(cat $fail/nth)" = 0 ]
echo > $fail/function
expect_dmesg "fuse of unmapped has blown: pages cannot be mapped again in the direct map"
check "they are lost" [ "$(um_value quarantined_bytes)" = $block_bytes ]
unload mmkit_unmapped mmkit
check "all other memory can be used" use_memory
unload mmkit_test_fail
