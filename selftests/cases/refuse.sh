# SPDX-License-Identifier: GPL-2.0-only
# What the kernel does not offer: refused with one clear message, or done without it.
# vm: timeout=120 check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh

EOPNOTSUPP=95
release=$(uname -r)

nothing_of_core() {
	[ ! -e /sys/kernel/mmkit ] && [ ! -e /sys/kernel/debug/mmkit ] &&
		[ ! -e /sys/module/mmkit ]
}

# one_message BEFORE SYMBOL: names symbol, release and consequence
one_message() {
	[ $(($(errors) - $1)) -eq 1 ] &&
		dmesg -r | grep '^<3>.* mmkit' | tail -n 1 | grep -F "($release) has no $2: " |
			grep -q 'has no .*: ..*'
}

# --- symbols of the core ---
load mmkit
core=$(awk '$1 == "core" && $3 == "required" { print $2 }' /sys/kernel/debug/mmkit/symbols)
load mmkit_allocprof
profiler=$(awk '$1 == "allocprof" && $3 == "required" { print $2 }' \
	/sys/kernel/debug/mmkit/symbols)
redirected=$(awk '$1 == "allocprof" { print $2 }' /sys/kernel/debug/mmkit/redirects)
unload mmkit_allocprof mmkit
check "core needs $(echo $core | wc -w) symbols" [ -n "$core" ]
check "the profiler needs $(echo $profiler | wc -w)" [ -n "$profiler" ]

# Each load walks all symbols of the kernel: one of each kind will do, when not soaking.
some() { echo "$*" | tr ' ' '\n' | head -n $(often 1 1000); }

for symbol in $(some $core); do
	before=$(errors)
	/mmkit/bin/load_once /mmkit/ko/mmkit.ko hide=$symbol
	got=$?
	check "core without $symbol: errno $EOPNOTSUPP" [ $got -eq $EOPNOTSUPP ]
	check "core without $symbol: one message says so" one_message $before $symbol
	check "core without $symbol: nothing is left" nothing_of_core
	[ $got -ne 0 ] || rmmod mmkit
done

# --- symbols of the profiler, and what it redirects ---
for symbol in $(some $profiler) $(some $redirected); do
	load mmkit hide=no_such_symbol,$symbol
	before=$(errors)
	/mmkit/bin/load_once /mmkit/ko/mmkit_allocprof.ko
	got=$?
	check "profiler without $symbol: errno $EOPNOTSUPP" [ $got -eq $EOPNOTSUPP ]
	check "profiler without $symbol: one message says so" one_message $before $symbol
	check "profiler without $symbol: nothing is left" nothing_of_allocprof
	[ $got -ne 0 ] || rmmod mmkit_allocprof
	unload mmkit
done
check "after all that nothing is left" nothing_of_core

# --- order of modules ---
/mmkit/bin/load_once /mmkit/ko/mmkit_allocprof.ko
check "the profiler without the core is refused" [ $? -ne 0 ]
load mmkit
load mmkit_allocprof
check "the core cannot go while the profiler needs it" sh -c '! rmmod mmkit 2>/dev/null'
check "and goes on working" [ "$(cat /sys/kernel/mmkit/core/state)" = ok ]
unload mmkit_allocprof mmkit

# --- kprobes disabled: an address is asked for, no kprobe is ever armed ---
kprobes=/sys/kernel/debug/kprobes/enabled
if [ -e $kprobes ]; then
	echo 0 > $kprobes
	load mmkit
	load mmkit_allocprof verify=1
	check "with kprobes disabled everything works" [ "$(cat /sys/kernel/mmkit/allocprof/state)" = ok ]
	find / -xdev > /dev/null 2>&1
	check "and the books close" books_close
	unload mmkit_allocprof mmkit
	check "kprobes stay disabled" [ "$(cat $kprobes)" = 0 ]
	echo 1 > $kprobes
else
	fail "the kernel has no $kprobes"
fi

# --- debugfs not mounted: nothing of the suite needs the mount ---
grep ' /sys/kernel/debug/*' /proc/mounts | awk '{ print $2 }' | sort -r > /tmp/mounts
while read -r mount; do umount $mount; done < /tmp/mounts
check "debugfs is not mounted" sh -c '! grep -q " debugfs " /proc/mounts'
load mmkit
load mmkit_allocprof
check "without a mounted debugfs the suite works" [ "$(cat /sys/kernel/mmkit/allocprof/state)" = ok ]
mount -t debugfs debugfs /sys/kernel/debug
check "and its tables are there once it is mounted" \
	grep -q '^allocprof  *ok ' /sys/kernel/debug/mmkit/components
check "the books close" books_close
unload mmkit_allocprof mmkit
check "nothing is left" nothing_of_core
