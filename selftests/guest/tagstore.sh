# SPDX-License-Identifier: GPL-2.0-only
#
# Helpers for cases about tag storage; sourced after lib.sh.
#
#   load_tagstore [P=V...]        loads the manager for the storage of this machine
#   tagstore_goes                 empties its pool and unloads it; it cannot go while something is tagged
#   tagstore FILE                 what a sysfs file of the manager says
#   tagstat KEY                   a number of its statistics
#   meminfo KEY                   a number of /proc/meminfo
#   movable_storage               where there is room for it in memory that the kernel keeps movable
#   watch_tags [P=V...]           loads the checker for the storage of this machine
#   watched KEY                   a number of what its probes have counted
#   watched_again                 counts from 0
#   violations                    the first violations, for the log
#   walk                          has the checker look at all pages
#   walked KEY                    a number of the last walk
#   at_rest                       a walk finds no violation and no leak, once all has settled
#   on_lists                      pages that are free, on the lists of single CPUs
#   short_lists                   has the kernel keep few of them; are they few now?
#   usual_lists                   undoes it
#   prepare_paths                 swap, huge pages: what the paths want to have
#   each_path FUNCTION            takes each path of mte_paths (its line is in /tmp/path), states whether
#                                 its data and tags are right, calls FUNCTION PATH unless it was skipped
#   tidy_paths                    undoes prepare_paths

tagstore=/sys/kernel/mmkit/tagstore
tagwatch=/sys/kernel/debug/mmkit_tagwatch

# A machine with 1056 MiB, from 1 GiB on: the last 32 of them hold the tags of all others.
ram_start=0x40000000
storage_start=0x80000000
storage_size=$((32 << 20))
storage_pages=$((storage_size / $(page_bytes)))
tagged_size=$((1024 << 20))

# The emulator keeps tags elsewhere: what the manager had can be lent when it goes.
load_tagstore()
{
	load mmkit_tagstore give_back=1 "$@"
}

tagstore_goes() { echo 1 > $tagstore/drain; rmmod mmkit_tagstore; } 2> /dev/null

tagstore() { cat "$tagstore/$1"; }
tagstat() { awk -v key="$1" '$1 == key { print $2 }' $mmkit_debugfs/tagstore/stats; }
meminfo() { awk -v key="$1:" '$1 == key { print $2 }' /proc/meminfo; }

watch_tags()
{
	load mmkit_test_tagwatch storage=$storage_start storage_bytes=$storage_size \
		tagged=$ram_start tagged_bytes=$tagged_size "$@"
}

watched() { awk -v key="$1" '$1 == key { print $2 }' $tagwatch/counts; }
watched_again() { echo 0 > $tagwatch/counts; }
violations() { cat $tagwatch/kept; }
walk() { cat $tagwatch/walk > /tmp/walked; }
walked() { awk -v key="$1" '$1 == key { print $2 }' /tmp/walked; }

# Storage is kept for a while when nobody needs it, and pages wait in the pool: neither is at rest.
_rests()
{
	echo 1 > $tagstore/drain
	walk
	[ "$(walked violations)" = 0 ] && [ "$(walked leaks)" = 0 ]
}

at_rest()
{
	wait_for 3 _rests && return
	cat /tmp/walked
	return 1
}

on_lists() { awk '$1 == "count:" { n += $2 } END { print n + 0 }' /proc/zoneinfo; }

# What is there goes when more comes, or when the CPU is idle.
short_lists()
{
	echo 1000000 > /proc/sys/vm/percpu_pagelist_high_fraction
	free_kb > /dev/null
	[ "$(on_lists)" -lt 1536 ]
}

usual_lists() { echo 0 > /proc/sys/vm/percpu_pagelist_high_fraction; }

prepare_paths()
{
	modprobe zram 2>/dev/null
	{ echo 64M > /sys/block/zram0/disksize && mkswap /dev/zram0 > /dev/null && swapon /dev/zram0; } ||
		fail "no swap on zram"
	echo 6 > /proc/sys/vm/nr_hugepages
}

tidy_paths()
{
	echo 0 > /proc/sys/vm/nr_hugepages
	swapoff /dev/zram0
	rmmod zram
} 2>/dev/null

each_path()
{
	local path
	for path in $(/mmkit/bin/mte_paths list); do
		watched_again
		if /mmkit/bin/mte_paths $path > /tmp/path 2>&1; then
			pass "$path: data and tags are right"
		else
			fail "$path: data and tags are right"
		fi
		cat $tagwatch/counts >> /tmp/counts
		# The line of the path, and what was counted but is 0.
		echo "$(cat /tmp/path)" $(awk '$2 { print $1, $2 }' $tagwatch/counts)
		grep -q ^skip /tmp/path || $1 $path
	done
}

# From 32 MiB on: its last pages belong to the kernel. So could others, if that chose its place at random.
movable_storage()
{
	printf '%#x\n' "$(awk -v page="$(page_bytes)" '$1 == "Node" { movable = $4 == "Movable" }
		movable && $1 == "start_pfn:" { printf "%.0f\n", ($2 * page + 32 * 1048576); exit }' /proc/zoneinfo)"
}

# Without tags it lies in movable memory, where there are 12 MiB for it.
_simulated_region()
{
	if [ "$(uname -m)" = aarch64 ]; then
		sim_storage=$storage_start sim_bytes=$((24 << 20)) sim_tagged=$ram_start sim_cma=1
	else
		sim_storage=$(movable_storage)
		sim_bytes=$((12 << 20)) sim_tagged=0x1000000 sim_cma=0
	fi
}

# load_simulated BLOCK_PAGES [P=V...]: the manager without hooks, for storage of this machine
load_simulated()
{
	local block=$1
	shift
	_simulated_region
	load mmkit_tagstore simulate=1 \
		regions=$sim_storage:$sim_bytes:$sim_tagged:$((block * $(page_bytes))) "$@"
}

# load_test_tagstore BLOCK_PAGES: the test module, for the same storage
load_test_tagstore()
{
	_simulated_region
	load mmkit_test_tagstore storage=$sim_storage storage_bytes=$sim_bytes tagged=$sim_tagged \
		cma=$sim_cma block_pages=$1
}
