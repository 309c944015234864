# SPDX-License-Identifier: GPL-2.0-only
# Memory comes and goes, and a whole node with it, while all modules work: tables, books and caches are
# right after each step. DIMMs want a machine with ACPI, the memory of a virtual device does not. What
# describes the pages of a DIMM lies in the DIMM itself.
# vm: mem=1G,slots=4,maxmem=4G timeout=500 monitor=yes check=7.3-amd64,6.12-arm64 append="init_on_alloc=0 memory_hotplug.memmap_on_memory=1"
# vm-amd64: qemu="-object memory-backend-ram,id=m0,size=1G -numa node,nodeid=0,cpus=0-3,memdev=m0 -numa node,nodeid=1 -object memory-backend-ram,id=room,size=1G -device virtio-mem-pci,id=vmem,memdev=room,node=1,requested-size=0"
# vm-arm64: mem=1056M,slots=4,maxmem=4G dtb=tagstore_small qemu="-object memory-backend-ram,id=room,size=1G -device virtio-mem-pci,id=vmem,memdev=room,requested-size=0"
. /mmkit/lib.sh
. /mmkit/everything.sh
. /mmkit/machine.sh

mib=1048576
nodes() { cat /sys/devices/system/node/$1; }

online_new() {
	local dir
	for dir in $(new_blocks); do block_state $dir $1 || return 1; done
}

# A page can be in use for the moment; whoever wants the block asks again.
offline_new() {
	local dir
	for dir in $(new_blocks); do
		[ "$(cat $dir/state)" = offline ] || block_state $dir offline || return 1
	done
} 2> /dev/null

# dimm NODE: one of 256 MiB comes; it is called dimm
dimm() {
	blocks_now
	ask object-add "\"qom-type\":\"memory-backend-ram\",\"id\":\"mem\",\"size\":$((256 * mib))" > /dev/null &&
		plug pc-dimm dimm "\"memdev\":\"mem\",\"node\":$1" > /dev/null &&
		wait_for 20 new_bytes_are $((256 * mib))
}

no_dimm() {
	wait_for 60 unplugged dimm && ask object-del '"id":"mem"' && new_bytes_are 0
}

# hold_on NODE MEGABYTES: on that one, and no other will do
hold_on() {
	: > /tmp/touched
	/mmkit/bin/policy bind $((1 << $1)) /mmkit/bin/touch_pages anon $2 > /tmp/touched 2>&1 &
	holder=$!
	wait_for 60 grep -q ready /tmp/touched
}

# size BYTES: the device shall have so much plugged in; it takes its time
vmem() { ask $1 "\"path\":\"/machine/peripheral/vmem\",\"property\":\"$2\"${3:+,\"value\":$3}"; }
has_size() { [ "$(vmem qom-get size)" = "{\"return\": $1}" ]; }
size() { vmem qom-set requested-size $1 > /dev/null && wait_for 60 has_size $1; }

no_node_1() { [ ! -e /sys/devices/system/node/node1 ]; }

machine_open
echo offline > $memory/auto_online_blocks
all_load
# The emulator keeps no tags for memory that was added, so there is no more than what is tagged already.
all_work files secrets pages text
all_right "to begin with"

# --- DIMMs ---
if [ -e /sys/firmware/acpi ]; then
	for round in $(seq $(often 1 8)); do
		check "a DIMM comes" dimm 0
		all_right "a DIMM that is offline"
		check "its memory comes online, to be movable" online_new online_movable
		all_right "a DIMM that is online"
		hold anon 200
		all_right "a DIMM in use"
		check "its memory goes offline while it is in use" wait_for 60 offline_new
		release
		all_right "a DIMM that is offline again"
		unplug dimm
		check "the DIMM goes" no_dimm
		all_right "no DIMM"

		# Who has begun to read is told of no more nodes than the head of the table had.
		exec 6< $prof/sites
		IFS= read -r head <&6
		check "a DIMM comes to a node that has nothing" dimm 1
		check "and its memory online" online_new online_movable
		check "which makes the node" [ "$(nodes has_memory)" = 0-1 ]
		{ echo "$head"; cat <&6; } > /tmp/sites
		exec 6<&-
		check "a table that is read before and after it came has as many columns in each of $(grep -c . /tmp/sites) rows" \
			awk -F '\t' 'NR == 1 { want = NF } NF != want { print; bad = 1 } END { exit want < 6 || bad }' /tmp/sites
		all_right "a node more"
		hold_on 1 200 || fail "200 MiB are had there"
		all_right "a node in use"
		release
		unplug dimm
		check "the DIMM goes, online as it is" no_dimm
		check "and the node with it" no_node_1
		all_right "a node less"
	done
fi

# --- a device with memory, which somebody else refuses ---
modprobe virtio_mem
blocks_now
check "a device has 256 MiB, which are offline" size $((256 * mib))
one=$(new_blocks | head -n 1)
for priority in 1000 -1000; do
	when=$([ $priority -gt 0 ] && echo before || echo after)
	refuse $priority MEM_GOING_ONLINE -12 || fail "somebody can refuse $when us"
	check "memory does not come when somebody $when us refuses" fails block_state $one online_movable
	all_right "refused $when us, offline"
	refuse_no_more
	check "then it comes" block_state $one online_movable
	all_right "not refused"
	refuse $priority MEM_GOING_OFFLINE -16
	check "it does not go when somebody $when us refuses" fails block_state $one offline
	all_right "refused $when us, online"
	refuse_no_more
	check "then it goes" wait_for 20 block_state $one offline
	all_right "offline again"
done
check "the device has nothing" size 0

# --- which comes and goes piece by piece ---
echo online_movable > $memory/auto_online_blocks
for round in $(seq $(often 1 8)); do
	# Not all of a block, then all of it, then a part of it goes.
	for want in 200 384 72; do
		check "the device has $want MiB" size $((want * mib))
		all_right "$want MiB"
	done
	check "it has nothing" size 0
	all_right "nothing of it"
	[ $(uname -m) = aarch64 ] || check "nor is there its node" wait_for 10 no_node_1
done

# What the kernel has of it for itself can stay for ever; what is cached cannot go by itself.
echo online_kernel > $memory/auto_online_blocks
check "the device has 384 MiB, for the kernel" size $((384 * mib))
all_right "384 MiB for the kernel"
if [ -e /sys/firmware/acpi ]; then
	um_do hold 20 1 3 2
	um_do fill
	all_right "pages of it are out"
fi
vmem qom-set requested-size 0 > /dev/null
sleep 2
all_right "as much of it gone as can go ($(vmem qom-get size) left)"
all_rest
all_right "at last"
all_unload
