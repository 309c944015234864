# SPDX-License-Identifier: GPL-2.0-only
# A kernel that was told to have no debugfs: the suite works without its tables, and says so.
# vm: append="debugfs=off" check=6.1,7.3
. /mmkit/lib.sh

sysfs=/sys/kernel/mmkit

mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
check "debugfs cannot be had" [ ! -e /sys/kernel/debug/mmkit -a ! -e /sys/kernel/debug/bdi ]
load mmkit
load mmkit_allocprof verify=1
expect_dmesg 'mmkit: core: debugfs is not available, its tables are missing'
expect_dmesg 'mmkit: allocprof: debugfs is not available, its tables are missing'
for component in core allocprof; do
	check "$component is degraded and says why" \
		grep -qx 'degraded: debugfs is not available, its tables are missing' \
		$sysfs/$component/state
done
find / -xdev > /dev/null 2>&1
check "the profiler counts" [ "$(cat $sysfs/allocprof/tracked_bytes)" -gt 0 ]
check "sites are found" [ "$(cat $sysfs/allocprof/sites)" -gt 10 ]
check "memo and unwinder agree" [ "$(cat $sysfs/allocprof/verify_mismatches)" = 0 ]
echo 0 > $sysfs/allocprof/enabled
check "it can be stopped" [ "$(cat $sysfs/allocprof/table_bytes)" = 0 ]
echo 1 > $sysfs/allocprof/enabled
check "and started" [ "$(cat $sysfs/allocprof/table_bytes)" -gt 0 ]
check "unaccounted is within 1 %" awk '
	/^MemTotal/ { total = $2 * 1024 }
	FILENAME ~ /unaccounted/ { off = $1 < 0 ? -$1 : $1 }
	END { exit !(total && off * 100 <= total) }' /proc/meminfo \
	$sysfs/allocprof/unaccounted_bytes
unload mmkit_allocprof mmkit
check "nothing is left" [ ! -e $sysfs ]
