# SPDX-License-Identifier: GPL-2.0-only
# Tracers on the same functions: they rewrite return addresses, the call sites stay right.
# vm: timeout=300 check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh

tracing=/sys/kernel/tracing

# To patch all of the kernel takes long under emulation: what handles pages, and system calls.
everything=$(often '*alloc* *page* *folio* *fault* *shmem* *_sys_*' '*')

# A function of the kernel under the name it has here.
function_of() {
	local name
	for name; do
		grep -qxE "$name( .*)?" $tracing/available_filter_functions && echo $name && return
	done
}

work() {
	local i
	for i in $(seq $(often 1 3)); do
		dd if=/dev/zero of=/tmp/file bs=256k count=32 2>/dev/null
		rm /tmp/file
		find /sys/kernel/mm > /dev/null
		modprobe zram num_devices=1 && rmmod zram
		ps > /dev/null
	done
}

mismatches() {
	cat $prof_sysfs/verify_mismatches
}

# under TEXT: load, then no mismatch, and the tracer has seen something
under() {
	local before=$(prof_stat verified)
	work
	check "$1: memo and unwinder agree on $(($(prof_stat verified) - before)) events" \
		[ "$(mismatches)" = 0 ]
	[ "$(mismatches)" = 0 ] || grep last_mismatch $prof/stats
	check "$1: the books close" books_close
}

[ -e $tracing/kprobe_events ] || skip "the kernel has no kprobe events"
load mmkit
load mmkit_allocprof verify=1
alloc=$(function_of __alloc_pages __alloc_frozen_pages_noprof __alloc_pages_noprof)
outer=$(function_of alloc_pages alloc_pages_noprof alloc_frozen_pages_noprof)
folio=$(function_of __folio_alloc vma_alloc_folio vma_alloc_folio_noprof __folio_alloc_noprof)
bulk=$(function_of __alloc_pages_bulk alloc_pages_bulk_noprof)
check "functions to trace: $alloc $outer $folio $bulk" [ -n "$alloc" -a -n "$outer" -a -n "$bulk" ]
under "no tracer"
check "the memo knows its way" [ $(($(prof_stat unwinds) * 20)) -lt "$(prof_stat allocations)" ]

# --- kretprobes: the return address on the stack is a trampoline's ---
for name in $alloc $outer $folio $bulk folio_migrate_flags; do
	echo "r:mmkit_r_$name $name" >> $tracing/kprobe_events || fail "no kretprobe on $name"
	echo "p:mmkit_p_$name $name" >> $tracing/kprobe_events || fail "no kprobe on $name"
done
echo 1 > $tracing/events/kprobes/enable
under "kretprobes"
hits=$(awk -v want="mmkit_r_$alloc" '$1 == want { print $2 }' $tracing/kprobe_profile)
check "the kretprobe was hit ($hits times)" [ "${hits:-0}" -gt 100 ]

# --- the page allocator's own events, with somebody else listening ---
echo 1 > $tracing/events/kmem/enable
under "kretprobes and kmem events"
check "events were recorded" grep -q mm_page_alloc: $tracing/trace
echo 0 > $tracing/events/kprobes/enable
under "kmem events"
echo 0 > $tracing/events/kmem/enable
echo > $tracing/kprobe_events

# --- function_graph: every return address of the functions it traces ---
if grep -q function_graph $tracing/available_tracers; then
	for name in 'alloc_pages*' '__alloc_pages*' $alloc $outer $folio $bulk; do
		echo "$name" >> $tracing/set_ftrace_filter
	done
	echo function_graph > $tracing/current_tracer
	under "function_graph"
	check "it has traced $alloc" grep -q "$alloc" $tracing/trace
	echo nop > $tracing/current_tracer
	# Each frame of each call chain.
	echo "$everything" > $tracing/set_ftrace_filter
	echo function_graph > $tracing/current_tracer
	ps > /dev/null
	dd if=/dev/zero of=/tmp/file bs=256k count=8 2>/dev/null
	rm /tmp/file
	check "function_graph on $(grep -c . $tracing/set_ftrace_filter) functions: no mismatch" \
		[ "$(mismatches)" = 0 ]
	echo nop > $tracing/current_tracer
else
	echo "the kernel has no function_graph tracer"
fi
echo "$everything" > $tracing/set_ftrace_filter
echo function > $tracing/current_tracer
under "function tracer"
echo nop > $tracing/current_tracer
echo > $tracing/set_ftrace_filter
echo > $tracing/trace

# --- and when they are gone the memo knows its way again ---
work
before=$(prof_stat unwinds)
allocations=$(prof_stat allocations)
work
unwinds=$(($(prof_stat unwinds) - before))
allocations=$(($(prof_stat allocations) - allocations))
check "without tracers unwinds are rare again: $unwinds in $allocations" \
	[ $((unwinds * 20)) -lt $allocations ]
check "redirects are live" sh -c "! grep -q ' dead ' $mmkit_debugfs/redirects"
unload mmkit_allocprof mmkit
