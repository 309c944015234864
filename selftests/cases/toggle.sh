# SPDX-License-Identifier: GPL-2.0-only
# On and off again under load: off means gone, on means right.
# vm: timeout=300 check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh

rounds=$(often 2 20)

forks() {
	while [ ! -e /tmp/stop ]; do
		ps > /dev/null
		ls /proc/self/fd | sort > /dev/null
	done
}

memory() {
	while [ ! -e /tmp/stop ]; do
		dd if=/dev/zero of=/tmp/file.$1 bs=256k count=64 2>/dev/null
		rm /tmp/file.$1
		find /sys/kernel -maxdepth 3 > /dev/null
	done
}

# Readers must survive whatever happens to the profiler.
readers() {
	while [ ! -e /tmp/stop ]; do
		cat $prof/allocinfo $prof/sites $prof/books $prof/stats > /dev/null || echo failed
		cat $prof_sysfs/* > /dev/null || echo failed
		sleep 0.1
	done
}

# What is off has no table, no redirect and no probe on the page events.
gone() {
	! grep allocprof $mmkit_debugfs/pagetab &&
		[ "$(cat $prof_sysfs/table_bytes)" = 0 ] &&
		! grep allocprof $mmkit_debugfs/redirects &&
		! grep -E '__alloc_pages_bulk|alloc_pages_bulk|folio_migrate_flags' \
			/sys/kernel/tracing/enabled_functions &&
		[ "$(tail -n +3 $prof/allocinfo | wc -l)" -eq 0 ]
}

load mmkit
load mmkit_allocprof verify=1
rm -f /tmp/stop
forks & loads=$!
memory 1 & loads="$loads $!"
memory 2 & loads="$loads $!"
readers > /tmp/readers 2>&1 &

# Each time it is switched on the profiler counts from nothing.
bad_off=0 bad_on=0 mismatches=0 verified=0
for round in $(seq $rounds); do
	verified=$((verified + $(prof_stat verified)))
	mismatches=$((mismatches + $(cat $prof_sysfs/verify_mismatches)))
	echo 0 > $prof_sysfs/enabled || bad_off=$((bad_off + 1))
	gone || bad_off=$((bad_off + 1))
	before=$(prof_stat verified)
	if [ $((round % 2)) -eq 0 ]; then
		sleep 0.2
		[ "$(prof_stat verified)" = "$before" ] || bad_off=$((bad_off + 1))
	fi
	echo 1 > $prof_sysfs/enabled || bad_on=$((bad_on + 1))
	[ "$(cat $prof_sysfs/table_bytes)" -gt 0 ] || bad_on=$((bad_on + 1))
	awk 'NR > 2 && ($1 < 0 || $2 < 0)' $prof/allocinfo | grep . && bad_on=$((bad_on + 1))
	# The books close at rest: what was switched on under load is looked at with the load held.
	kill -STOP $loads
	books_close > /tmp/closing || { cat /tmp/closing; bad_on=$((bad_on + 1)); }
	kill -CONT $loads
done
check "off $rounds times under load: no table, no redirect, no event" [ $bad_off -eq 0 ]
check "on $rounds times: the books close, nothing is negative" [ $bad_on -eq 0 ]
touch /tmp/stop
wait
check "files could be read all the time" [ ! -s /tmp/readers ]
check "the books close at rest" books_close
mismatches=$((mismatches + $(cat $prof_sysfs/verify_mismatches)))
check "memo and unwinder agree on $((verified + $(prof_stat verified))) events" [ $mismatches -eq 0 ]
check "the fuse is whole" grep -qx ok $prof_sysfs/state

# Enabled by several at once: one of them does it, the others wait.
for i in 1 2 3 4; do
	(for j in 1 2 3; do echo $(((i + j) % 2)) > $prof_sysfs/enabled || echo failed; done) &
done > /tmp/several
wait
check "switched by several at once" [ ! -s /tmp/several ]
echo 1 > $prof_sysfs/enabled
check "and right afterwards" books_close

# Off leaves no memory behind: not after the first round, not after many.
used() {
	echo 0 > $prof_sysfs/enabled
	free_kb
}
again=$(often 2 10)
first=$(used)
for round in $(seq $again); do
	echo 1 > $prof_sysfs/enabled
	echo 0 > $prof_sysfs/enabled
done
last=$(used)
check "$again rounds cost no memory ($first kB free before, $last kB after)" \
	[ "$last" -ge $((first - 2048)) ]
check "while off a module goes at once" unload mmkit_allocprof
unload mmkit
