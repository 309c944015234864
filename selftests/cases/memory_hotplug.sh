# SPDX-License-Identifier: GPL-2.0-only
# Memory goes and comes under load: tables follow it, refusals of others leave nothing behind.
# vm: mem=1G,slots=4,maxmem=4G timeout=400 append="movable_node" check=6.1,7.3
# vm-amd64: qemu="-object memory-backend-ram,id=hot,size=512M -device pc-dimm,id=dimm,memdev=hot"
# vm-arm64: qemu="-object memory-backend-ram,id=hot,size=512M -device virtio-mem-pci,id=grow,memdev=hot,requested-size=512M"
# modules: memory-notifier-error-inject
. /mmkit/lib.sh
. /mmkit/suite.sh

memory=/sys/devices/system/memory
block_bytes=$((0x$(cat $memory/block_size_bytes)))
inject=/sys/kernel/debug/notifier-error-inject/memory/actions

table_bytes() {
	awk '$1 == "allocprof" { print $3 }' $mmkit_debugfs/pagetab
}

managed() {
	awk '$1 == "managed_bytes" { print $2 }' $prof/books
}

plugged() {
	[ $(($(plugged_blocks | wc -l) * block_bytes)) -ge $((512 * 1024 * 1024)) ]
}

state() {
	echo $2 2>/dev/null > $1/state
}

all() {
	local dir bad=0
	for dir in $blocks; do
		[ "$(cat $dir/state)" = ${1%_*} ] || state $dir $1 || bad=$((bad + 1))
	done
	return $bad
}

work() {
	while [ ! -e /tmp/stop ]; do
		dd if=/dev/zero of=/tmp/file.$1 bs=1M count=64 2>/dev/null
		rm /tmp/file.$1
		find /sys/kernel/mm > /dev/null
	done
}

load mmkit
load mmkit_allocprof verify=1
plug_memory
wait_for 10 plugged
blocks=$(plugged_blocks)
[ -n "$blocks" ] || { fail "no memory was plugged in: $(ls $memory | tr '\n' ' ')"; exit; }
count=$(echo $blocks | wc -w)
all offline
check "$count plugged blocks are off to begin with" sh -c "! cat $memory/memory*/state | sort | uniq -c |
	grep -q ' going'"
off_bytes=$(table_bytes)
off_managed=$(managed)
per_block=$((block_bytes / $(page_bytes) * 2))

# --- on and off, at rest ---
check "blocks come online" all online_movable
check "the table grows by 2 bytes a page ($off_bytes, $(table_bytes))" \
	[ "$(table_bytes)" -eq $((off_bytes + count * per_block)) ]
check "managed grows ($off_managed, $(managed))" \
	[ "$(managed)" -gt $((off_managed + count * block_bytes * 9 / 10)) ]
check "managed is MemTotal" [ "$(managed)" -eq \
	$(($(awk '/^MemTotal/ { print $2 }' /proc/meminfo) * 1024)) ]
check "the books close" books_close
check "blocks go offline" all offline
check "the table is as before" [ "$(table_bytes)" -eq $off_bytes ]
check "managed is as before" [ "$(managed)" -eq $off_managed ]
check "the books close again" books_close

# --- under load ---
rm -f /tmp/stop
work 1 & work 2 &
went=0 came=0 wrong=0
for round in $(seq $(often 2 5)); do
	for dir in $blocks; do state $dir online_movable && came=$((came + 1)); done
	sleep 1
	books_close > /dev/null || wrong=$((wrong + 1))
	for dir in $blocks; do
		# A block can be in use for the moment; what is asked is that nothing breaks.
		for try in 1 2 3 4 5; do state $dir offline && went=$((went + 1)) && break; done
	done
	on=$(for dir in $blocks; do cat $dir/state; done | grep -c online)
	[ "$(table_bytes)" -eq $((off_bytes + on * per_block)) ] || wrong=$((wrong + 1))
	books_close > /dev/null || wrong=$((wrong + 1))
done
touch /tmp/stop
wait
check "under load blocks came $came times and went $went times" [ $came -gt 4 -a $went -gt 4 ]
check "and table and books were right each time" [ $wrong -eq 0 ]
all offline
check "at rest the table is as before" [ "$(table_bytes)" -eq $off_bytes ]
check "memo and unwinder agree on $(prof_stat verified) events" \
	[ "$(cat $prof_sysfs/verify_mismatches)" = 0 ]

# --- the profiler is switched while memory comes and goes ---
for round in $(seq $(often 1 5)); do
	(all online_movable; all offline) &
	switcher=$!
	echo 0 > $prof_sysfs/enabled
	echo 1 > $prof_sysfs/enabled
	wait $switcher
done
all offline
check "switching the profiler meanwhile does no harm" [ "$(table_bytes)" -eq $off_bytes ]
check "and the books close" books_close

# --- somebody else refuses, before us and after us ---
one=$(echo $blocks | cut -d ' ' -f 1)
if modprobe memory-notifier-error-inject 2>/dev/null; then
	modprobe -r memory-notifier-error-inject
	for priority in 1000 -1000; do
		modprobe memory-notifier-error-inject priority=$priority
		when=$([ $priority -gt 0 ] && echo before || echo after)
		echo -12 > $inject/MEM_GOING_ONLINE/error
		check "coming online fails when somebody $when us refuses" sh -c \
			"! echo online_movable 2>/dev/null > $one/state"
		check "refusal $when us: the table is as before" [ "$(table_bytes)" -eq $off_bytes ]
		check "refusal $when us: the books close" books_close
		echo 0 > $inject/MEM_GOING_ONLINE/error
		check "then it comes online" state $one online_movable
		on_bytes=$(table_bytes)
		check "and has its table" [ $on_bytes -eq $((off_bytes + per_block)) ]
		echo -16 > $inject/MEM_GOING_OFFLINE/error
		check "going offline fails when somebody $when us refuses" sh -c \
			"! echo offline 2>/dev/null > $one/state"
		check "refusal $when us: the table is still there" [ "$(table_bytes)" -eq $on_bytes ]
		check "refusal $when us: the books still close" books_close
		echo 0 > $inject/MEM_GOING_OFFLINE/error
		check "then it goes" state $one offline
		check "and its table with it" [ "$(table_bytes)" -eq $off_bytes ]
		modprobe -r memory-notifier-error-inject
	done
else
	fail "memory-notifier-error-inject cannot be loaded"
fi

check "memo and unwinder agree on $(prof_stat verified) events" \
	[ "$(cat $prof_sysfs/verify_mismatches)" = 0 ]
check "the fuse is whole" grep -qx ok $prof_sysfs/state
all online_movable
check "unloads while plugged memory is in use" unload mmkit_allocprof
load mmkit_allocprof
check "and counts it when loaded again" books_close
check "with a table for it" [ "$(table_bytes)" -eq $((off_bytes + count * per_block)) ]
unload mmkit_allocprof mmkit
