# SPDX-License-Identifier: GPL-2.0-only
# CPUs go and come under load: what they have counted stays counted.
# vm: timeout=300 check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh

rounds=$(often 1 10)

work() {
	while [ ! -e /tmp/stop ]; do
		dd if=/dev/zero of=/tmp/file.$1 bs=256k count=32 2>/dev/null
		rm /tmp/file.$1
		ls -R /sys/kernel/mm > /dev/null
	done
}

switch() {
	echo $2 > /sys/devices/system/cpu/cpu$1/online
}

load mmkit
load mmkit_allocprof verify=1
[ -e /sys/devices/system/cpu/cpu1/online ] || skip "no CPU can be switched off here"
rm -f /tmp/stop
for i in 1 2 3 4; do work $i & done

bad=0 negative=0
for round in $(seq $rounds); do
	for cpu in 1 2 3; do
		switch $cpu 0 || bad=$((bad + 1))
		awk 'NR > 2 && ($1 < 0 || $2 < 0)' $prof/allocinfo | grep . && negative=$((negative + 1))
	done
	[ $round -ne 1 ] || check "with one CPU left the books close" books_close
	for cpu in 3 1 2; do switch $cpu 1 || bad=$((bad + 1)); done
done
check "CPUs went and came $((3 * rounds)) times" [ $bad -eq 0 ]
check "no counter was negative" [ $negative -eq 0 ]
check "memo and unwinder agree on $(prof_stat verified) events" \
	[ "$(cat $prof_sysfs/verify_mismatches)" = 0 ]

# Switched on and off while CPUs are.
for round in $(seq $(often 1 5)); do
	(switch 1 0; switch 1 1) &
	switcher=$!
	echo 0 > $prof_sysfs/enabled
	echo 1 > $prof_sysfs/enabled
	wait $switcher
done
check "the profiler can be switched meanwhile" [ "$(cat $prof_sysfs/enabled)" = 1 ]

touch /tmp/stop
wait

# Loaded while CPUs are off, which then come.
switch 2 0
unload mmkit_allocprof
load mmkit_allocprof verify=1
switch 2 1
taskset 4 dd if=/dev/zero of=/tmp/on2 bs=1M count=8 2>/dev/null
before=$(prof_bytes 'shmem_.*')
switch 2 0
rm /tmp/on2
check "what an absent CPU had counted is counted out elsewhere" \
	[ "$(prof_bytes 'shmem_.*')" -le $((before - 8388608)) ]
switch 2 1
check "all CPUs are back" [ "$(cat /sys/devices/system/cpu/online)" = 0-3 ]
check "the books close" books_close
check "memory and files are gone from their sites" [ "$(prof_bytes 'shmem_.*')" -lt 8388608 ]
check "memo and unwinder agree on $(prof_stat verified) events" \
	[ "$(cat $prof_sysfs/verify_mismatches)" = 0 ]
unload mmkit_allocprof mmkit
