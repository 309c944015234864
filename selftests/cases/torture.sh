# SPDX-License-Identifier: GPL-2.0-only
# All modules come and go in random legal order, with random parameters, while memory is short, processes
# and files come and go, and somebody reads and writes our own files. What is not legal is refused.
# After that nothing is left, and all works.
# vm: smp=2 timeout=600 soak_timeout=14400 check=6.1-amd64
# vm-arm64: smp=2 mem=1056M dtb=tagstore_small
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh
. /mmkit/tagstore.sh

ENOENT=2
rounds=$(often 2 200)
seed=$(often 1 $(od -An -N3 -tu4 /dev/urandom))
state=$seed
modules=$(suite)

# random N: sets drawn, from 0 to N - 1
random() {
	state=$(((state * 1103515245 + 12345) & 0x7fffffff))
	drawn=$(((state >> 12) % $1))
}

# one_of WORD...: sets word
one_of() {
	random $#
	shift $drawn
	word=$1
}

# --- load on the machine ---

running() { [ ! -e /tmp/stop ]; }

# What is left of the machine while modules come and go, which is much: they wait most of the time.
background()
{
	renice 10 $(exec sh -c 'echo $PPID') > /dev/null
	$1
}

forks() {
	while running; do
		ls /proc/self/fd | sort > /dev/null
		(exec true) & wait $!
		usleep 100000
	done
}

files() {
	while running; do
		dd if=/dev/zero of=/tmp/torture.file bs=64k count=64 2> /dev/null
		cat /tmp/torture.file > /dev/null
		rm /tmp/torture.file
		usleep 200000
	done
}

# A part of what is free, single pages and huge ones, and then reclaim.
memory() {
	local some kind
	while running; do
		some=$(($(mem_free_kb) / 1024 / $(often 12 3)))
		for kind in anon thp holes; do
			: > /tmp/torture.$kind
			/mmkit/bin/touch_pages $kind $some > /tmp/torture.$kind &
			wait_for 20 grep -q ready /tmp/torture.$kind
			kill $!
			wait $!
			usleep 300000
		done 2> /dev/null
		echo 3 > /proc/sys/vm/drop_caches
	done
}

# Whatever module comes or goes: its files answer, or say that they have gone.
meddle() {
	while running; do
		cat /sys/kernel/mmkit/* /sys/kernel/mmkit/*/* /sys/module/mmkit*/parameters/*
		usleep 200000
		cat $mmkit_debugfs/* $mmkit_debugfs/*/*
		usleep 200000
		echo 1 > $um/prefill
		echo 0 > $prof_sysfs/enabled
		usleep 200000
		echo 1 > $prof_sysfs/enabled
		echo 1 > $tagstore/drain
		echo 1 > $um/drain
		echo 1 > /sys/kernel/mmkit/jit/drain
		usleep 200000
	done > /dev/null 2>&1
}

# --- what is legal ---

needs() { awk -v m="$1" '$1 == m { $1 = ""; print }' /mmkit/ko/depends; }

lacks() {
	local needed
	for needed in $(needs $1); do
		_is_loaded $needed || return 0
	done
	return 1
}

is_needed() { [ "$(awk -v m="$1" '$1 == m { print $4 }' /proc/modules)" != - ]; }

# parameters MODULE: sets params; a third of the time there are none
parameters() {
	params=
	[ $1 != mmkit_tagstore ] || params="give_back=1"
	random 3
	case $1:$drawn in
	mmkit:1) params="hide=no_such_symbol" ;;
	mmkit:2) params="hide=no_such_symbol,nor_this" ;;
	mmkit_allocprof:1)
		random 2
		params="wide=$drawn verify=$((1 - drawn))"
		random 2000
		params="$params max_sites=$((64 + drawn)) skip=shmem_fault"
		;;
	mmkit_allocprof:2) params="enabled=0" ;;
	mmkit_unmapped:1)
		random 4
		params="max_cached_bytes=$((drawn * block_bytes)) secret=$((drawn % 2))"
		;;
	mmkit_unmapped:2)
		random 200
		params="secret_max_bytes=$((drawn * 32768))"
		;;
	mmkit_jit:1)
		random 4
		params="max_bytes=$(((drawn + 1) * block_bytes)) ksym=$((drawn % 2))"
		;;
	mmkit_jit:2) params="guarded=0" ;;
	mmkit_tagstore:1)
		random 700
		params="$params pool_pages=$drawn"
		;;
	mmkit_tagstore:2)
		random 500
		params="$params linger_ms=$drawn"
		;;
	esac
}

wrong() { echo "round $round: $*" | tee -a /tmp/wrong; }

legal_load() {
	parameters $1
	said=$(insmod /mmkit/ko/$1.ko $params 2>&1) || wrong "$1 $params does not load: $said"
	loads=$((loads + 1))
}

illegal_load() {
	/mmkit/bin/load_once /mmkit/ko/$1.ko
	[ $? = $ENOENT ] || wrong "$1 without $(needs $1): no ENOENT"
	# It tries twice, and the kernel names each symbol each time: not every time.
	if [ $refused_loads -lt 2 ]; then
		said=$(insmod /mmkit/ko/$1.ko 2>&1)
		[ "$(echo "$said" | grep -c 'unknown symbol')/$(echo "$said" | wc -l)" = 1/1 ] ||
			wrong "$1 without $(needs $1): not one line: $said"
	fi
	! _is_loaded $1 || wrong "$1 is loaded without $(needs $1)"
	refused_loads=$((refused_loads + 1))
}

goes() { rmmod $1; } 2> /dev/null

# Somebody can be reading one of its files, or has secret memory, for a moment.
legal_unload() {
	wait_for 30 goes $1 || wrong "$1 does not unload: $(rmmod $1 2>&1) $(grep "^$1 " /proc/modules)"
	unloads=$((unloads + 1))
}

what_is_there() {
	cut -d' ' -f1,2,4,5 /proc/modules
	ls -d /sys/kernel/mmkit/* $mmkit_debugfs/*
}

illegal_unload() {
	local how
	what_is_there > /tmp/there
	for how in "" -f; do
		said=$(rmmod $how $1 2>&1) && wrong "$1 goes while it is needed (rmmod $how)"
		case $said in
		*"Resource temporarily unavailable"*) ;;
		*) wrong "$1 while it is needed: $said" ;;
		esac
	done
	what_is_there | cmp -s - /tmp/there || wrong "a refused rmmod of $1 has changed something"
	refused_unloads=$((refused_unloads + 1))
}

# --- what they are for, for a moment ---
use() {
	random 3
	[ $drawn = 0 ] || return
	case $1 in
	mmkit_unmapped)
		# There can be a limit, or no device.
		/mmkit/bin/secret take 20 > /dev/null 2>&1
		;;
	mmkit_jit)
		load mmkit_test_jit what=keep
		unload mmkit_test_jit
		;;
	mmkit_tagstore)
		/mmkit/bin/mte_paths first_touch > /tmp/path || wrong "tags: $(cat /tmp/path)"
		;;
	esac
}

is_blown() { grep -l '^blown' /sys/kernel/mmkit/*/state; }

# Up until all are there, now and then a step back; then down. A step picks any module, and does with it
# what can be done, or must be refused.
one_round() {
	while [ -n "$(for m in $modules; do _is_loaded $m || echo $m; done)" ]; do
		one_of $modules
		if ! _is_loaded $word; then
			if ! lacks $word; then
				legal_load $word
				use $word
			elif random 3 && [ $drawn = 0 ]; then
				illegal_load $word
			fi
		elif is_needed $word; then
			random 2
			[ $drawn = 0 ] || illegal_unload $word
		else
			random 6
			[ $drawn != 0 ] || legal_unload $word
		fi
	done
	! is_blown || wrong "a fuse has blown"
	while [ -n "$(loaded)" ]; do
		one_of $(loaded)
		if is_needed $word; then illegal_unload $word; else legal_unload $word; fi
		[ ! -s /tmp/wrong ] || break
	done
	leftovers > /tmp/left.round
	[ ! -s /tmp/left.round ] || wrong "left behind: $(head -n 5 /tmp/left.round)"
}

# Memory of the kernel itself that does not go by dropping caches.
kernel_kb() {
	awk '/^(SUnreclaim|Percpu|VmallocUsed|KernelStack):/ { sum += $2 } END { print sum }' /proc/meminfo
}

direct_kb() { awk '/^DirectMap/ { sum += $2 } END { print sum + 0 }' /proc/meminfo; }

echo "seed $seed"
rm -f /tmp/stop /tmp/wrong
loads=0 unloads=0 refused_loads=0 refused_unloads=0
# Once through: what is made at the first use is made.
round=0
one_round
before=$(free_kb)
kernel=$(kernel_kb)
direct=$(direct_kb)
splits=$(vmstat direct_map_level2_splits)

for load in forks files memory meddle; do
	background $load &
	burdens="$burdens $!"
done
for round in $(seq $rounds); do
	one_round
	[ ! -s /tmp/wrong ] || break
	[ $((round % 20)) != 0 ] || echo "torture: round $round of $rounds" > /dev/kmsg
done
touch /tmp/stop
wait $burdens
check "$rounds rounds: $loads loads, $unloads unloads, $refused_loads and $refused_unloads refused" [ ! -s /tmp/wrong ]
check "some of each" [ $refused_loads -gt 0 -a $refused_unloads -gt 0 -a $loads -gt $((rounds * 3)) ]
check "each was loaded and unloaded" [ $loads = $unloads ]

memory_is_back $before 4096
now=$(kernel_kb)
check "the kernel has no more memory than before ($kernel kB before, $now kB after)" \
	[ $now -lt $((kernel + 4096 * $(slowness))) ]
check "the direct map is as large as before" [ "$(direct_kb)" = $direct ]
echo "entries of the direct map that were split: $(($(vmstat direct_map_level2_splits) - splits))"
direct_map_whole none_out=1

load mmkit
! echo "$modules" | grep -q tagstore || load_tagstore
load_suite
find / -xdev > /dev/null 2>&1
check "the profiler's books close" books_close
check "all fuses are whole" sh -c "! grep -l '^blown' /sys/kernel/mmkit/*/state"
echo 1 > $um/prefill
direct_map_whole
check "what is out is what the cache has" [ $out = $((($(um_value cached_bytes) + $(um_value in_use_bytes)) / page)) ]
