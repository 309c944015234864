# SPDX-License-Identifier: GPL-2.0-only
# Everything that crosses the border between the kernel and the suite is crossed: each resolved
# symbol is called by its module, each redirect is hit, and each function that the kernel was given a
# pointer to is entered. Probes bear witness. 6.12 and 7.3 run it on a CPU with IBT (ci/ibt).
# vm: kernels=7.2 arch=amd64 append="movablecore=256M nokaslr" timeout=120
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh

witness=/sys/kernel/debug/mmkit_witness

# Entered only when an invariant is broken, or when the machine goes down. The fuse itself is blown by a
# test module. What a block of text is kept for is longer than this test.
not_on_demand="mmkit_allocprof:disarm mmkit_unmapped:on_reboot mmkit_jit:spare_expired"

read_all() {
	local file
	for file in $(find /sys/kernel/debug/mmkit /sys/kernel/mmkit /sys/module/mmkit*/parameters -type f -perm -400); do
		cat $file > /dev/null || fail "$file cannot be read"
	done
}

# Every second page is freed, so that compaction has something to move.
migrate() {
	hold holes 32
	echo 1 > /proc/sys/vm/compact_memory
	release
}

# From the top: that memory is movable. A block can be in use for the moment, hence more than once.
replug() {
	local block try
	for try in 1 2 3 4 5; do
		for block in $(ls -d /sys/devices/system/memory/memory* | sort -t y -k 4 -rn); do
			echo offline 2> /dev/null > $block/state || continue
			echo online_movable > $block/state
			return
		done
		sleep 1
	done
	return 1
}

# Of what a test module says only the bad counts: the rest is the matter of its own case.
try() {
	load "$@" || return
	unload $1
	case_dmesg | grep "] $1: not ok" && fail "$1 failed"
}

# Puts probes on the resolved functions of the loaded modules, and on callbacks of module $1. The list
# of callbacks comes from the objects, where the compiler marks what can be called by pointer.
watch() {
	awk 'NR > 1 && $4 == "found" && $6 != "data" { print $2 }' $mmkit_debugfs/symbols
	[ ! -e /mmkit/callbacks ] || grep "^$1:" /mmkit/callbacks
}

watch_all() {
	local name
	for name in $(watch $1 | sort -u); do
		grep -qx $name /tmp/watched && continue
		echo $name >> /tmp/watched
		echo $name > $witness || fail "$name cannot be watched"
	done
}

# Everything that the cache of unmapped pages can be told, and told of.
use_unmapped() {
	local file
	um_do local
	um_do borrowed
	um_do hold 3
	echo 1 > $um/prefill
	echo 1 > $um/drain
	for file in max_cached_bytes secret_max_bytes; do
		cat $um/$file > /tmp/value
		cat /tmp/value > $um/$file
	done
	echo 2 > $um/prefill
	echo 2 > /proc/sys/vm/drop_caches
	/mmkit/bin/secret share > /tmp/share || fail "secret memory is not shared"
	# Refused, because pages are out.
	echo disk 2> /dev/null > /sys/power/state
	# Somebody has to be killed for it; the cache is asked first.
	hold anon 4
	echo 1000 > /proc/$holder/oom_score_adj
	echo f > /proc/sysrq-trigger
	wait $holder
	expect_dmesg 'kworker.* invoked oom-killer|Out of memory: Killed'
	um_do drop
}

# So few sites that tags run low, which calls for the worker that makes more.
load mmkit
load mmkit_test_witness
: > /tmp/watched
watch_all mmkit
load mmkit_allocprof verify=1 max_sites=256
watch_all mmkit_allocprof
# Some of what it needs of the kernel it calls when it is loaded.
load mmkit_jit
watch_all no_callbacks_yet
unload mmkit_jit mmkit_unmapped
load mmkit_unmapped
watch_all mmkit_unmapped
load mmkit_test_unmapped

load mmkit_jit
watch_all mmkit_jit

# Redirects count from here on.
echo 0 > $prof_sysfs/enabled
echo 1 > $prof_sysfs/enabled
try mmkit_test_events
try mmkit_test_pagetab stay=1
try mmkit_test_redirect
expect_dmesg 'test-rival: calls cannot be redirected'
expect_dmesg 'test-missing: the kernel .* has no mmkit_no_such_function'
try mmkit_test_contig
try mmkit_test_fuse
expect_dmesg 'mmkit: fuse of test has blown'
try mmkit_test_alloc events=400
migrate
use_unmapped
try mmkit_test_jit what=brief
try mmkit_test_jit_emit
echo 1 > /sys/kernel/mmkit/jit/drain
check "a block of memory goes and comes" replug
# An object is there to be shown.
load mmkit_test_text
echo "hold 100 reach" > /sys/module/mmkit_test_text/parameters/run
read_all
unload mmkit_test_text
cat $witness > /tmp/seen

component_module() {
	[ $1 = core ] && echo mmkit || echo mmkit_$1
}

called=0
awk 'NR > 1 { print $1, $2, $4, $6 }' $mmkit_debugfs/symbols > /tmp/rows
while read -r component symbol state proto; do
	if [ $state = missing ] || [ "$proto" = data ]; then
		echo "$component $symbol: $state, $proto"
	elif grep "^$symbol " /tmp/seen | grep -q "\[$(component_module $component)\]"; then
		called=$((called + 1))
	else
		grep "^$symbol " /tmp/seen
		fail "$component never calls $symbol"
	fi
done < /tmp/rows
check "each of $called resolved functions is called by its module" [ $called -gt 5 ]

awk 'NR > 1' $mmkit_debugfs/redirects > /tmp/redirects
check "each of $(wc -l < /tmp/redirects) redirects is hit" \
	awk '$3 != "live" || !$4 { print; bad = 1 } END { exit bad || NR < 3 }' /tmp/redirects

check "memo and unwinder agree on $(prof_stat verified) events" \
	[ "$(cat $prof_sysfs/verify_mismatches)" = 0 ]

if [ -e /mmkit/callbacks ]; then
	# Each way to load the profiler has probes of its own.
	for how in verify=0 "verify=0 wide=1" "verify=1 wide=1"; do
		unload mmkit_allocprof
		load mmkit_allocprof $how
		for name in $(grep '^mmkit_allocprof:on_' /mmkit/callbacks); do
			echo $name > $witness || fail "$name cannot be watched"
		done
		try mmkit_test_alloc events=400
		cat $witness >> /tmp/seen
	done
	entered=0
	while read -r name; do
		case " $not_on_demand " in *" $name "*) continue ;; esac
		if awk -v n=$name '$1 == n && $2 { found = 1 } END { exit !found }' /tmp/seen; then
			entered=$((entered + 1))
		else
			fail "the kernel never enters $name"
		fi
	done < /mmkit/callbacks
	check "each of $entered callbacks is entered, but not $not_on_demand" [ $entered -gt 20 ]
fi
unload mmkit_test_unmapped mmkit_test_witness mmkit_jit mmkit_unmapped mmkit_allocprof mmkit
