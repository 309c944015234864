# SPDX-License-Identifier: GPL-2.0-only
# 200,000 allocations and frees (ten million when soaking) in every way there is: the books close exactly.
# vm: mem=2G smp=2 threads=multi timeout=600
. /mmkit/lib.sh
. /mmkit/suite.sh

# What the test module holds, and what the profiler says, a line a function. How many
# allocations a vmalloc() takes is the kernel's choice.
compare_held() {
	dmesg | sed -n 's/.*mmkit_test_alloc: held //p' | sed 's/^\(stress_vmalloc [0-9]*\) .*/\1 -/' |
		sort > /tmp/held
	awk '/ \[mmkit_test_alloc\] func:stress_/ {
		sub("func:", "", $5); bytes[$5] += $1; calls[$5] += $2
	} END {
		for (f in bytes) print f, bytes[f], f == "stress_vmalloc" ? "-" : calls[f]
	}' $prof/allocinfo | sort > /tmp/seen
	cmp /tmp/held /tmp/seen || { diff /tmp/held /tmp/seen; return 1; }
}

load mmkit
load mmkit_allocprof verify=1

load mmkit_test_alloc events=100000 hold=64
check "live bytes and calls of each function agree with what it holds" compare_held
check "the books close while memory is held" books_close
unload mmkit_test_alloc

# The module works while it is loaded, for longer than the kernel wants a task to wait.
echo 0 > /proc/sys/kernel/hung_task_timeout_secs
load mmkit_test_alloc events=$(often 60000 10000000) threads=4 seed=7
dmesg | sed -n 's/.*mmkit_test_alloc: done/done/p' | tail -n 1
check "bytes and calls of every function are back to nothing" sh -c \
	"! grep ' \[mmkit_test_alloc\] ' $prof/allocinfo | grep -qv '^ *0 *0 '"
check "every way to allocate was seen" sh -c \
	"[ \$(grep -c ' \[mmkit_test_alloc\] func:stress_' $prof/allocinfo) -ge 10 ]"
unload mmkit_test_alloc

check "no counter is negative" sh -c "! grep -q -- '-[0-9]' $prof/allocinfo"
check "memo and unwinder agree on $(prof_stat verified) events" \
	[ "$(cat $prof_sysfs/verify_mismatches)" = 0 ]
check "a full unwind is the rare case: $(prof_stat unwinds) in $(prof_stat allocations)" \
	[ $(($(prof_stat unwinds) * 10)) -lt "$(prof_stat allocations)" ]
check "the books close" books_close
unload mmkit_allocprof mmkit
