# SPDX-License-Identifier: GPL-2.0-only
# A machine of four nodes: one has no memory, one has neither CPUs nor much memory.
# vm: mem=2G smp=4,sockets=4 timeout=120 check=6.1,7.3 qemu="-object memory-backend-ram,id=m0,size=896M -object memory-backend-ram,id=m1,size=896M -object memory-backend-ram,id=m3,size=256M -numa node,nodeid=0,cpus=0-1,memdev=m0 -numa node,nodeid=1,cpus=2,memdev=m1 -numa node,nodeid=2,cpus=3 -numa node,nodeid=3,memdev=m3"
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh
. /mmkit/jit.sh

nodes() { cat /sys/devices/system/node/$1; }
check "nodes with memory: $(nodes has_memory), of $(nodes online)" \
	[ "$(nodes has_memory)" = 0-1,3 -a "$(nodes online)" = 0-3 ]

# --- pages from the direct map, node by node ---
um_load
for node in 0 1 3; do
	um_do hold $((block_pages + 1)) 0 3 $((node + 1))
	um_do node $node
	um_do fill
	um_do look
	um_do drop
done
check "each node had a cache of its own" [ "$(um_value blocks)" -ge 3 ]
check "and has nothing any more" um_empty
# The CPU of the node without memory gets what lies next to it.
taskset 8 sh -c ". /mmkit/lib.sh; . /mmkit/suite.sh; . /mmkit/unmapped.sh; um_do hold 64; um_do fill; um_do look"
# A node that is full: others have what was asked for without insisting.
um_do drop
um_do hold 4 $block_order 0 4
um_do fill
um_do look
um_do drop
check "the fuse is whole" um_whole
um_unload

# --- text, wherever it is asked for ---
jit_load
load mmkit_test_text || exit
for cpus in 1 4 8; do
	check "text is had on CPUs $cpus" taskset $cpus sh -c "echo hold 4000 > /sys/module/mmkit_test_text/parameters/run"
done
check "and is what was written" sh -c "echo call > /sys/module/mmkit_test_text/parameters/run"
tell text churn 4 1000 8192
tell text drop
unload mmkit_test_text
jit_unload

# --- who owns the pages of each ---
load mmkit_allocprof verify=1
anon='do_anonymous_page|__handle_mm_fault|handle_mm_fault|alloc_anon_folio|do_pte_missing'
for cpus in 1 4 8; do
	before=$(prof_bytes "$anon")
	taskset $cpus /mmkit/bin/touch_pages anon 32 > /tmp/touched &
	holder=$!
	wait_for 30 grep -q ready /tmp/touched
	grown=$(($(prof_bytes "$anon") - before))
	check "32 MiB of CPUs $cpus have an owner ($grown bytes)" [ $grown -ge 33030144 -a $grown -le 35000000 ]
	release
done
check "memo and unwinder agree on $(prof_stat verified) events" [ "$(cat $prof_sysfs/verify_mismatches)" = 0 ]
check "the books close" books_close
unload mmkit_allocprof mmkit
