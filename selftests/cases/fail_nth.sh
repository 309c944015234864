# SPDX-License-Identifier: GPL-2.0-only
# Each allocation fails once: while a module comes and goes, while it is written to and read from, in
# the device, and in each function for modules. What fails says so, and leaves nothing; then it works.
# vm: smp=2 append="init_on_alloc=0 movablecore=448M nokaslr" kernels=6.12-debug timeout=150
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh
. /mmkit/tagstore.sh
. /mmkit/fail.sh

self=/proc/self/fail-nth
init=$fail/init_nth

any_allocation || skip "the kernel has no fault injection"
load mmkit_test_fail
_simulated_region
region=$sim_storage:$sim_bytes:$sim_tagged:$(page_bytes)

# Each round is a load: of their points as many as there is time for.
few=rounds=$(often 2 100) some=rounds=$(often 8 1000)

# The kernel's own part of a load is the same for all of them.
each_point $self $some load $ko/mmkit.ko
each_point $init $some load $ko/mmkit.ko
load mmkit
each_point $init $some load $ko/mmkit_allocprof.ko wide=1 verify=1
each_point $init $some load $ko/mmkit_unmapped.ko prefill=2
each_point $init $some load $ko/mmkit_tagstore.ko simulate=1 regions=$region
load mmkit_unmapped
each_point $init $some load $ko/mmkit_jit.ko
each_point $self $few least=0 load $ko/mmkit_jit.ko , arm , unload mmkit_jit
unload mmkit_unmapped
each_point $self $few least=0 load $ko/mmkit_allocprof.ko , arm , unload mmkit_allocprof
each_point $self $few least=0 load $ko/mmkit_unmapped.ko prefill=2 , arm , unload mmkit_unmapped
each_point $self $few least=0 load $ko/mmkit_tagstore.ko simulate=1 regions=$region , arm , unload mmkit_tagstore
unload mmkit
each_point $self $few least=0 load $ko/mmkit.ko , arm , unload mmkit

load_suite
load mmkit_tagstore simulate=1 regions=$region linger_ms=100
load_test_tagstore 1
load mmkit_test_api
tables_now > /tmp/tables

# What can be written.
each_point $self $some write $root/allocprof/enabled 0 , disarm , write $root/allocprof/enabled 1
each_point $self $some write $root/allocprof/enabled 0 , arm , write $root/allocprof/enabled 1
each_point $self write $root/unmapped/prefill 2 , disarm , write $root/unmapped/drain 1
each_point $self write $root/unmapped/prefill 1 , arm , write $root/unmapped/drain 1
each_point $self write $root/unmapped/max_cached_bytes $(um_value max_cached_bytes)
each_point $self write $root/unmapped/secret_max_bytes $(um_value secret_max_bytes)
each_point $self write $api text 100 , arm , write $root/jit/drain 1
each_point $self write $root/tagstore/drain 1

# What can be read.
for file in $(find $root $mmkit_debugfs /sys/module/mmkit*/parameters -type f ! -name nth ! -name init_nth); do
	head -c 1 $file > /dev/null 2>&1 && each_point $self $few read $file
done

# The device, with pages that are there and without any.
each_point $self secret /dev/mmkit_secret , disarm , write $root/unmapped/drain 1
each_point $self write $root/unmapped/prefill 1 , arm , secret /dev/mmkit_secret
# vmalloc() says in the log that it has failed, and where.
! _case_says 'warn_alloc\+0x' || expect_dmesg 'warn_alloc\+0x'
# Without a page table the kernel has the access made again. Some addresses have one already.
! _case_says 'Huh VM_FAULT_OOM leaked out' || expect_dmesg 'Huh VM_FAULT_OOM leaked out'

# What modules call.
for what in ksym component events pagetab redirect; do
	each_point $self $some write $api $what
done
for order in 0 3 9; do
	each_point $self $some write $api pages $order , disarm , write $root/unmapped/drain 1
done
for len in 100 100000 3000000; do
	each_point $self $some write $api text $len , disarm , write $root/jit/drain 1 , write $root/unmapped/drain 1
done
each_point $self $some write $api text_later , disarm , write $root/jit/drain 1
each_point $self write $ts reserve 3200 6 , disarm , write $ts free 3200 6 , write $root/tagstore/drain 1

echo 1 > $root/jit/drain
um_empty
tables_now > /tmp/tables.after
check "the suite's tables are as they were" diff /tmp/tables /tmp/tables.after
unload mmkit_test_api mmkit_test_tagstore mmkit_tagstore mmkit_jit mmkit_unmapped mmkit_allocprof mmkit
memory_is_back $fail_memory 2048
check "a clean load works" load_suite
unload mmkit_jit mmkit_unmapped mmkit_allocprof mmkit
check "all memory can be used" use_memory
unload mmkit_test_fail
