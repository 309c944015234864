# SPDX-License-Identifier: GPL-2.0-only
# Half an hour of everything at once ("make soak"; MINUTES= another time): all modules are loaded and
# used, one or another goes and comes again, while memory runs short, is moved, merged and unplugged,
# CPUs go and come, tracers are switched and all that can be written is written. Then all is as it was.
# vm: soak=only mem=1G,slots=4,maxmem=4G timeout=900 append="init_on_alloc=0"
# vm-amd64: qemu="-object memory-backend-ram,id=hot,size=256M -device pc-dimm,id=dimm,memdev=hot"
# vm-arm64: mem=1056M,slots=4,maxmem=4G dtb=tagstore_small emulator=backports
# vm-arm64: qemu="-object memory-backend-ram,id=hot,size=256M -device virtio-mem-pci,id=grow,memdev=hot,requested-size=256M"
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh
. /mmkit/jit.sh
. /mmkit/tagstore.sh

memory=/sys/devices/system/memory
tracing=/sys/kernel/tracing

up() { cut -d. -f1 /proc/uptime; }
below() { echo $((RANDOM % $1)); }
rounds() { wc -l 2> /dev/null < /tmp/rounds.$1 || echo 0; }
has_tagstore() { suite | grep -qx mmkit_tagstore; }

# wrong TEXT...: somebody saw what must not be
wrong() { echo "$*" >> /tmp/wrong; }

# --- modules that come and go ---

# use MODULE COMMAND: while the module stays
use() {
	local sign=/tmp/use.$1.$2
	while : > $sign; [ -e /tmp/reload.$1 ]; do
		rm $sign
		while [ -e /tmp/reload.$1 ]; do usleep 100000; done
	done
	$2
	rm $sign
}

unused() { ! ls /tmp/use.$1.* > /dev/null 2>&1; }

# What a module has counted goes with it.
keep_counts() {
	case $1 in
	mmkit_allocprof)
		echo "mismatches $(cat $prof_sysfs/verify_mismatches)"
		echo "verified $(prof_stat verified)"
		;;
	mmkit_unmapped)
		echo "queued $(um_stat shrink_queued_pages)"
		echo "splits $(um_stat splits_2m)"
		;;
	mmkit_tagstore)
		echo "late $(tagstore late_reservations)"
		;;
	esac >> /tmp/kept
	grep blown /sys/kernel/mmkit/*/state >> /tmp/wrong
}

kept() { awk -v key="$1" '$1 == key { n += $2 } END { print n + 0 }' /tmp/kept; }

load_one() {
	case $1 in
	mmkit_allocprof) load $1 verify=1 ;;
	mmkit_unmapped) load $1 max_cached_bytes=$most ;;
	mmkit_tagstore) load_tagstore linger_ms=500 ;;
	*) load $1 ;;
	esac
}

# What waits for a grace period, or to be settled, keeps its module for a while.
goes() {
	case $1 in
	mmkit_jit) jit_drain ;;
	mmkit_tagstore) echo 1 > $tagstore/drain ;;
	esac
	rmmod $1
} 2> /dev/null

# again MODULE...: in load order; all that use one of them are among them
again() {
	local name backwards=
	for name; do
		: > /tmp/reload.$name
		wait_for 600 unused $name || wrong "$name is used for ever"
		backwards="$name $backwards"
	done
	for name in $backwards; do
		keep_counts $name
		wait_for 60 goes $name || wrong "$name cannot be unloaded"
	done
	for name; do
		_is_loaded $name || load_one $name
		rm -f /tmp/reload.$name
	done
}

reload() {
	local which=$(below 6)
	rmmod mmkit 2> /dev/null && wrong "mmkit goes while it is in use"
	case $which in
	0 | 1) again mmkit_allocprof ;;
	2) again mmkit_jit ;;
	3) again mmkit_unmapped mmkit_jit ;;
	4) if has_tagstore; then again mmkit_tagstore; fi ;;
	5) again $(suite) ;;
	esac
	usleep 3000000
}

# --- what uses them ---

profile() {
	cat $prof/* $prof_sysfs/* > /dev/null || wrong "a file of the profiler cannot be read"
	awk 'NR > 2 && ($1 < 0 || $2 < 0)' $prof/allocinfo >> /tmp/wrong
	if [ $(below 4) = 0 ]; then
		keep_counts mmkit_allocprof
		echo 0 > $prof_sysfs/enabled
		usleep $(below 500000)
		echo 1 > $prof_sysfs/enabled
	fi
	usleep 1000000
}

taking() {
	load mmkit_test_unmapped_stress ops=2000 || return
	wait_for 300 um_stress_done
	unload mmkit_test_unmapped_stress
}

secrets() {
	/mmkit/bin/secret many 15 > /tmp/crowd 2>&1 || cat /tmp/crowd >> /tmp/wrong
}

text() {
	load mmkit_test_text && load mmkit_test_order || return
	tell text churn 2 1000 300000
	[ "$(answer text wrong) $(answer text crooked)" = "0 0" ] || wrong "text: $(answers text)"
	tell text smoke 2 20
	[ "$(answer text failed) $(answer text wrong)" = "0 0" ] || wrong "text: $(answers text)"
	tell order update $((16 + $(below 9000)))
	jit_in_order > /tmp/order || wrong "order of writes: $(cat /tmp/order)"
	unload mmkit_test_order mmkit_test_text
}

# No text that can be written, at any time, by whatever mapping.
mappings() {
	load mmkit_test_wx || return
	alias=$(see_addresses jit_stat alias)
	[ "$alias" = 0 ] || tell wx allow $alias
	tell wx windows $(jit_windows)
	tell wx walk 1
	[ "$(answer wx writable) $(answer wx wx) $(answer wx other_hits)" = "0 0 0" ] ||
		wrong "mappings: $(answers wx)"
	unload mmkit_test_wx
	usleep 5000000
}

tags() {
	local paths="first_touch populate mremap brk remote_write cow cow_plain mprotect tmpfs_shared
		tmpfs_private shared_anon churn" nr path
	nr=$(echo $paths | wc -w)
	for path in $(echo $paths | cut -d ' ' -f $((1 + $(below nr))),$((1 + $(below nr)))); do
		/mmkit/bin/mte_paths $path > /tmp/path 2>&1 || cat /tmp/path >> /tmp/wrong
	done
	walk
	[ "$(walked violations)" = 0 ] || wrong "tags: $(cat /tmp/walked)"
}

# --- what happens to the machine ---

# Not for ever: what cannot be moved now is tried again until somebody says no.
go_offline() {
	timeout 20 sh -c "echo offline > $1/state" 2> /dev/null && echo >> /tmp/rounds.offline
}

# The emulator keeps no tags for memory that is plugged: where programs have tags, it stays away.
# The first block can come as memory of the kernel, which may stay for the sake of one page.
plug() {
	local dir zone=movable
	[ $(below 2) = 0 ] || zone=kernel
	for dir in $blocks; do
		echo online_$zone 2> /dev/null > $dir/state && echo >> /tmp/rounds.online
		zone=movable
		usleep 900000
	done
	for dir in $blocks; do go_offline $dir; done
}

cpus() {
	local cpu=$((1 + $(below 3)))
	echo 0 2> /dev/null > /sys/devices/system/cpu/cpu$cpu/online
	usleep $(below 500000)
	echo 1 2> /dev/null > /sys/devices/system/cpu/cpu$cpu/online && echo >> /tmp/rounds.cpus
}

# More than what is free, so that reclaim has to ask the cache, but not more than there is.
press() {
	local cached=$(cat $um/cached_bytes 2> /dev/null) some pid
	some=$((($(mem_free_kb) + ${cached:-0} / 1024) / 1024 - 160))
	[ $some -gt 0 ] || return
	: > /tmp/pressed
	/mmkit/bin/touch_pages thp $some > /tmp/pressed &
	pid=$!
	wait_for 60 grep -q ready /tmp/pressed
	{ kill $pid; wait $pid; } 2> /dev/null
	echo >> /tmp/rounds.pressure
}

# One after the other: memory that goes while it is short would make the kernel kill.
machine() {
	plug
	cpus
	press
	cpus
}

# Memory for all that the kernel has it for, forks, files; what is there is merged, and moves.
work() {
	local paths="anon populate thp cow ptes write pipe unix threads ksm" path i pid
	path=$(echo $paths | cut -d ' ' -f $((1 + $(below 10))))
	: > /tmp/worked
	/mmkit/bin/page_paths $path 8 /tmp/work > /tmp/worked 2>&1 &
	pid=$!
	for i in 1 2 3 4 5 6 7 8; do ls /proc/self/fd | sort > /dev/null; done
	wait_for 60 grep -q ready /tmp/worked || wrong "$path: $(cat /tmp/worked)"
	case $(below 4) in
	0) echo 1 > /proc/sys/vm/compact_memory ;;
	1) echo 3 > /proc/sys/vm/drop_caches ;;
	esac
	usleep $(below 500000)
	{ kill $pid; wait $pid; } 2> /dev/null
	rm -f /tmp/work
}

# put FILE WORD: it can be refused, and the file can be away
put() { echo "$2" > $1; } 2> /dev/null

# Mostly the cache is well filled.
controls() {
	local step file
	for step in 1 2 3; do
		put $um/prefill $((64 * 1024 * 1024 / block_bytes))
		usleep 1000000
	done
	put $um/max_cached_bytes $((block_bytes * $(below 8)))
	usleep 500000
	put $um/max_cached_bytes $most
	for file in $um/drain $jit/drain $tagstore/drain; do
		[ $(below 2) = 0 ] || put $file 1
	done
	for file in $um/prefill $um/max_cached_bytes $um/secret_max_bytes $um/drain $jit/drain \
		$tagstore/drain $prof_sysfs/enabled; do
		put $file "x$(dd if=/dev/urandom bs=$((1 + $(below 40))) count=1 2> /dev/null | tr -d '\0\n')" &&
			wrong "$file takes what is no number"
	done
	find /sys/kernel/mmkit $mmkit_debugfs -type f -exec cat {} + > /dev/null 2>&1
}

trace_off() {
	echo nop > $tracing/current_tracer
	echo 0 > $tracing/events/kmem/enable
	echo > $tracing/set_ftrace_filter
	[ ! -e $tracing/events/kprobes ] || echo 0 > $tracing/events/kprobes/enable
	echo > $tracing/kprobe_events
	echo > $tracing/trace
} 2> /dev/null

tracers() {
	case $(below 4) in
	0) echo '*alloc*pages* *fault*' > $tracing/set_ftrace_filter && echo function > $tracing/current_tracer ;;
	1) echo '*folio*alloc* *split*folio* *shrink*' > $tracing/set_ftrace_filter && echo function_graph > $tracing/current_tracer ;;
	2) echo 1 > $tracing/events/kmem/enable ;;
	3) echo 'r:mmkit_soak handle_mm_fault' > $tracing/kprobe_events && echo 1 > $tracing/events/kprobes/enable ;;
	esac
	usleep 1500000
	trace_off
	usleep 2000000
}

# --- before and after ---

swap() {
	if [ $1 = on ]; then swapon /dev/zram0; else swapoff /dev/zram0; fi
}

# Memory in use, in kB, when nothing is cached and the plugged memory is off, if it goes.
in_use_kb() {
	local dir try
	for dir in $blocks; do
		for try in 1 2 3 4 5 6; do
			[ "$(cat $dir/state)" = offline ] || go_offline $dir || usleep 500000
		done
	done
	um_empty
	jit_drain
	! has_tagstore || at_rest > /dev/null
	echo $(($(awk '/^MemTotal/ { print $2 }' /proc/meminfo) - $(free_kb)))
}

plugged() { [ -n "$(plugged_blocks)" ]; }

# go_on ACTIVITY [MODULE]
go_on() {
	while [ "$(up)" -lt "$end" ]; do
		if [ -n "$2" ]; then use $2 $1; else $1; fi
		echo >> /tmp/rounds.$1
	done
}

blocks=
plugs=
if ! has_tagstore; then
	plug_memory
	wait_for 20 plugged || { fail "no memory was plugged in"; exit; }
	usleep 3000000
	blocks=$(plugged_blocks)
	plugs="online offline"
fi
rm -f /tmp/rounds.* /tmp/use.* /tmp/reload.* /tmp/wrong /tmp/kept
: > /tmp/wrong

modprobe zram
echo 128M > /sys/block/zram0/disksize && mkswap /dev/zram0 > /dev/null || fail "no swap on zram"
echo 100 > /sys/kernel/mm/ksm/sleep_millisecs
echo 1 > /sys/kernel/mm/ksm/run
most=$((128 * 1024 * 1024))
activities="profile taking secrets text mappings machine work controls tracers reload"
for name in $(suite); do load_one $name || exit; done
! has_tagstore || { watch_tags && activities="$activities tags"; }

# Once through: what is made at the first use is made.
end=0
swap on
for name in $activities; do $name; done
again $(suite)
swap off
before=$(in_use_kb)
before=$(in_use_kb)
swap on
rm -f /tmp/rounds.* /tmp/kept

begun=$(up)
end=$((begun + $(cat /mmkit/soak) * 60))
go_on profile mmkit_allocprof &
go_on taking mmkit_unmapped &
go_on secrets mmkit_unmapped &
go_on text mmkit_jit &
go_on mappings mmkit_jit &
! has_tagstore || go_on tags mmkit_tagstore &
go_on machine &
go_on work &
go_on controls &
go_on tracers &
go_on reload &
wait
echo "$(($(up) - begun)) seconds"

for name in $(suite); do keep_counts $name; done
for name in $activities $plugs cpus pressure; do
	check "$name went on to the end, $(rounds $name) times" [ "$(rounds $name)" -gt 1 ]
done
check "nobody saw what must not be" [ ! -s /tmp/wrong ] || sort /tmp/wrong | uniq -c | head -n 40
case_dmesg | grep 'mmkit_test_[a-z_]*: not ok' > /tmp/said
check "nor did the threads that took pages" [ ! -s /tmp/said ] || sort /tmp/said | uniq -c | head
check "memory was short at times: the cache gave $(kept queued) pages" [ "$(kept queued)" -gt 0 ]
check "memo and unwinder agree on $(kept verified) events" [ "$(kept mismatches)" = 0 -a "$(kept verified)" -gt 1000 ]
check "the cache has split nothing of the direct map" [ "$(kept splits)" = 0 ]
if has_tagstore; then
	check "no tag without room ($(watched checked) writes)" \
		[ "$(watched violations)" = 0 -a "$(watched checked)" -gt 1000 ] || violations
	check "no late reservation" [ "$(kept late)" = 0 ]
	check "nothing is tagged, nothing is kept" at_rest
fi
check "no text is left" wait_for 10 jit_idle
jit_drain
check "nothing is in use" [ "$(um_value in_use_bytes)" = 0 ]
check "nothing is secret" [ "$(um_value secret_bytes)" = 0 ]
none_kept_back() { [ "$(um_value quarantined_bytes)" = 0 ]; }
check "nothing is kept back" wait_for 10 none_kept_back
swap off
echo 2 > /sys/kernel/mm/ksm/run
after=$(in_use_kb)
check "nothing is cached" [ "$(um_value cached_bytes)" = 0 ]
check "memory is back ($before kB in use before, $after kB after)" [ "$after" -lt $((before + 8192)) ]
check "the books close" books_close
check "all fuses are whole" sh -c "! grep blown /sys/kernel/mmkit/*/state"
check "all CPUs are there" [ "$(cat /sys/devices/system/cpu/online)" = 0-3 ]
! has_tagstore || unload mmkit_test_tagwatch
for name in $(suite | tac); do
	wait_for 30 goes $name || fail "$name cannot be unloaded"
done
