# SPDX-License-Identifier: GPL-2.0-only
# Translations are flushed once for a block, and not at all for what is cached. Probes count.
# vm: timeout=120
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh

tracing=/sys/kernel/tracing
x86=$([ "$(uname -m)" = x86_64 ] && echo yes)

# What flushes translations of the direct map from all CPUs. That of arm64 is no function.
watch() {
	local vmalloc
	um_do space
	vmalloc=$(sed -n 's/vmalloc at //p' $um_run)
	echo "p:um_all flush_tlb_all" >> $tracing/kprobe_events &&
		echo "p:um_range flush_tlb_kernel_range start=%di:x64 end=%si:x64" >> $tracing/kprobe_events &&
		echo "start < $vmalloc" > $tracing/events/kprobes/um_range/filter &&
		echo 1 > $tracing/events/kprobes/enable || fail "flushes cannot be watched"
}

flushes() { grep -c ': um_[ar]' $tracing/trace; }

um_load
[ -z "$x86" ] || watch
echo 1 > $um/prefill
um_do hits 100
counted=$(um_stat tlb_flushes) hits=$(um_stat hits)
echo > $tracing/trace
um_do hits 1000
check "1000 allocations of what is cached" [ $(($(um_stat hits) - hits)) -ge 1000 ]
check "flush nothing" [ "$(flushes)" = 0 ]
check "nor do they say so" [ "$(um_stat tlb_flushes)" = $counted ]

wrong=0
for try in 1 2 3 4 5; do
	um_empty
	echo > $tracing/trace
	counted=$(um_stat tlb_flushes)
	echo 1 > $um/prefill
	[ $(($(um_stat tlb_flushes) - counted)) -eq 1 ] || wrong=$((wrong + 1))
	[ -z "$x86" -o "$(flushes)" = 1 ] || { wrong=$((wrong + 1)); grep ': um_[ar]' $tracing/trace; }
done
check "each of 5 blocks is flushed once" [ $wrong -eq 0 ]
echo > $tracing/trace
um_empty
echo "$(flushes) flushes for the way back of a block"
if [ -n "$x86" ]; then
	echo 0 > $tracing/events/kprobes/enable
	echo > $tracing/kprobe_events
	echo > $tracing/trace
fi
um_unload
