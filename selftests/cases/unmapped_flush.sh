# SPDX-License-Identifier: GPL-2.0-only
# Translations are flushed once for a block, and not at all for what is cached. Probes count.
# vm: timeout=120
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh

tracing=/sys/kernel/tracing

# Calls of what flushes kernel translations of all CPUs. That of arm64 is no function.
flushes() {
	awk '$1 ~ /^um_/ { sum += $2 } END { print sum + 0 }' $tracing/kprobe_profile
}

um_load
if [ "$(uname -m)" = x86_64 ]; then
	for name in flush_tlb_all flush_tlb_kernel_range; do
		echo "p:um_$name $name" >> $tracing/kprobe_events || fail "no probe on $name"
	done
	echo 1 > $tracing/events/kprobes/enable
fi
echo 1 > $um/prefill
um_do hits 100
sum=$(flushes) counted=$(um_stat tlb_flushes) hits=$(um_stat hits)
um_do hits 1000
check "1000 allocations of what is cached" [ $(($(um_stat hits) - hits)) -ge 1000 ]
check "flush nothing" [ "$(flushes)" = $sum ]
check "nor do they say so" [ "$(um_stat tlb_flushes)" = $counted ]

# The kernel itself flushes what vfree() left behind when it next can: the least of a few tries counts.
least=100
for try in 1 2 3 4 5; do
	um_empty
	sum=$(flushes) counted=$(um_stat tlb_flushes)
	echo 1 > $um/prefill
	now=$(($(flushes) - sum))
	[ $now -ge $least ] || least=$now
done
check "a block is flushed once, it says" [ $(($(um_stat tlb_flushes) - counted)) -eq 1 ]
[ "$(uname -m)" != x86_64 ] || check "a block is flushed once" [ $least -eq 1 ]
if [ "$(uname -m)" = x86_64 ]; then
	echo 0 > $tracing/events/kprobes/enable
	echo > $tracing/kprobe_events
fi
um_unload
