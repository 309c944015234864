# SPDX-License-Identifier: GPL-2.0-only
# Memory that goes: with pages that are only cached it can, with pages that are out it cannot.
# vm: mem=1G,slots=4,maxmem=4G timeout=300 append="memhp_default_state=offline init_on_alloc=0" check=6.1,7.3
# vm-amd64: qemu="-object memory-backend-ram,id=m0,size=1G -numa node,nodeid=0,cpus=0-3,memdev=m0 -numa node,nodeid=1 -object memory-backend-ram,id=hot,size=512M -device pc-dimm,id=dimm,memdev=hot,node=1"
# vm-arm64: qemu="-object memory-backend-ram,id=hot,size=512M -device virtio-mem-pci,id=grow,memdev=hot,requested-size=512M"
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh

memory=/sys/devices/system/memory
bytes=$((0x$(cat $memory/block_size_bytes)))

plugged() {
	[ $(($(plugged_blocks | wc -l) * bytes)) -ge $((512 * 1024 * 1024)) ]
}

state() {
	echo $2 > $1/state
}

is() {
	[ "$(cat $1/state)" = $2 ]
}

plug_memory
wait_for 10 plugged
all=$(plugged_blocks)
first=$(echo $all | cut -d ' ' -f 1)
[ -n "$first" ] || { fail "no memory was plugged in"; exit; }
for dir in $all; do
	is $dir offline || state $dir offline
done
check "plugged memory is off to begin with" is $first offline

# A page of the kernel can come to lie in a block as soon as it is there, and then the block stays:
# that is not our matter, and another block is tried.
others=$(echo $all | cut -d ' ' -f 2-)
comes_and_goes() {
	for one in $others; do
		is $one offline || continue
		check "$one comes online as memory of the kernel" state $one online_kernel
		start=$((0x$(cat $one/phys_index) * (bytes / page)))
		end=$((start + bytes / page))
		um_do within $start $end $1 || return
		um_do fill
		um_do look
		check "pages of it are out" [ "$(um_value in_use_bytes)" = $((page << $1)) ]
		check "it cannot go" sh -c "! echo offline 2> /dev/null > $one/state"
		check "and stays online" is $one online
		um_do look
		um_do drop $2
		check "the pages are cached now" [ "$(um_value cached_bytes)" -ge $((page << $1)) ]
		if state $one offline; then
			check "and the block goes" is $one offline
			return
		fi
	done
	fail "no block of memory goes"
}

um_load
um_empty
if [ -e /sys/devices/system/node/node1 ]; then
	check "a node without memory has nothing to give" sh -c \
		"! echo 'hold 1 0 3 2' 2> /dev/null > $um_run"
	um_do hold 1 0 0 2
	um_do drop
	um_empty
else
	[ "$(uname -m)" != x86_64 ] || fail "there is no second node"
fi
# The kernel puts what it needs for memory of a node, and never gives back, in the first block.
check "memory is plugged in" state $first online_kernel
comes_and_goes 0
um_do hold 100 2
um_do fill
um_do look
um_do drop
comes_and_goes $block_order 1

if [ -e /sys/devices/system/node/node1 ]; then
	check "it comes once more" state $one online_kernel
	um_empty
	um_do hold 20 1 3 2
	um_do fill
	um_do look
	check "the table has its node" grep -qx 'Node 1' $um_debugfs/cache
	check "what is asked of it is its own" awk '/^Node/ { node = $2 }
		node == 1 && $1 == "Cached:" { for (i = 2; i <= NF; i++) sum += $i }
		END { exit !sum }' $um_debugfs/cache
	um_do drop
	check "and it goes" state $one offline
fi

# --- somebody else refuses, before us and after us, while pages of it are cached ---
inject=/sys/kernel/debug/notifier-error-inject/memory/actions
um_empty
# Nothing goes because there is too much.
most=$(um_value max_cached_bytes)
echo $((256 << 20)) > $um/max_cached_bytes || fail "256 MiB can be cached"
for priority in 1000 -1000; do
	when=$([ $priority -gt 0 ] && echo before || echo after)
	modprobe memory-notifier-error-inject priority=$priority || { fail "somebody can refuse $when us"; break; }
	echo -12 > $inject/MEM_GOING_ONLINE/error
	check "it does not come when somebody $when us refuses" sh -c "! echo online_kernel 2> /dev/null > $one/state"
	echo 0 > $inject/MEM_GOING_ONLINE/error
	check "then it comes" state $one online_kernel
	um_do within $start $end 0
	um_do drop
	cached=$(um_value cached_bytes)
	echo -16 > $inject/MEM_GOING_OFFLINE/error
	check "it does not go when somebody $when us refuses" sh -c "! echo offline 2> /dev/null > $one/state"
	if [ $priority -gt 0 ]; then
		check "its pages are cached still" [ "$(um_value cached_bytes)" = $cached ]
	else
		check "its pages are cached no more" [ "$(um_value cached_bytes)" -lt $cached ]
	fi
	um_do within $start $end 0
	um_do fill
	um_do look
	um_do drop
	echo 0 > $inject/MEM_GOING_OFFLINE/error
	modprobe -r memory-notifier-error-inject
	wait_for 20 state $one offline 2> /dev/null || fail "then it goes"
	check "the fuse is whole" um_whole
done
echo $most > $um/max_cached_bytes

# --- under load ---
um_stress nid=$([ -e /sys/devices/system/node/node1 ] && echo 1 || echo 0) ops=$(often 12000 200000)
went=0 stayed=0
while ! um_stress_done; do
	state $one online_kernel 2> /dev/null
	usleep 100000
	if state $one offline 2> /dev/null; then went=$((went + 1)); else stayed=$((stayed + 1)); fi
done
um_stress_end
check "under load it went $went times, and stayed $stayed times" [ $((went + stayed)) -gt 0 ]
check "the fuse is whole at last" um_whole
um_unload
