# SPDX-License-Identifier: GPL-2.0-only
# What grows with the memory of the machine, and what does not.
# vm: arch=amd64 mem=1G
# boot: arch=amd64 who="4 GiB" mem=4G
# boot: arch=amd64 who="16 GiB" mem=16G
. ./clock.sh
. ./unmapped.sh

size=$(cat /mmkit/who)
size=${size:-1 GiB}

cost() { said "$1" "$2: [0-9]* ns.*" | sed 's/^[^:]*: \([0-9]*\) ns.*/\1/'; }

for what in mmkit mmkit_allocprof mmkit_unmapped mmkit_jit; do
	mark "load $what"
	load $what
	mark "loaded $what"
done
figure "table of the profiler, bytes" "$size" "$(awk '$1 == "allocprof" { print $3 }' $mmkit_debugfs/pagetab)"
load mmkit_bench rounds=20000 && unload mmkit_bench
figure "a page, allocated and freed, profiled" "$size" "$(said mmkit_bench 'order .*' | sed 's/^order 0: \([0-9]*\) .*/\1/')"
mark "read allocinfo"
cat $prof/allocinfo > /dev/null
mark "allocinfo is read"
load mmkit_bench_jit live=1000 rounds=500
figure "text of 256 bytes, allocated" "$size" "$(said mmkit_bench_jit 'mmkit: 1000 live, alloc .*' | sed 's/.*alloc \([0-9]*\), .*/\1/')"
unload mmkit_bench_jit mmkit_jit
for what in mmkit_allocprof mmkit_unmapped; do
	mark "unload $what"
	unload $what
	mark "unloaded $what"
done
load mmkit_unmapped prefill=4
load mmkit_bench_unmapped rounds=20000 && unload mmkit_bench_unmapped
figure "an unmapped page, allocated and freed" "$size" "$(cost mmkit_bench_unmapped noscrub)"
load mmkit_bench_unmapped what=refill blocks=16 && unload mmkit_bench_unmapped
figure "out of the direct map, a block" "$size" "$(cost mmkit_bench_unmapped refill_block)"
unload mmkit_unmapped mmkit
for what in mmkit mmkit_allocprof mmkit_unmapped; do
	figure "load $what, us" "$size" "$(between "load $what" "loaded $what")"
done
for what in mmkit_allocprof mmkit_unmapped; do
	figure "unload $what, us" "$size" "$(between "unload $what" "unloaded $what")"
done
figure "read allocinfo, us" "$size" "$(between "read allocinfo" "allocinfo is read")"
