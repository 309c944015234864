# SPDX-License-Identifier: GPL-2.0-only
# The cache of unmapped pages beside the page allocator, and beside what memfd_secret(2) does to a page.
# vm: mem=1G smp=1
. ./calls.sh
. ./unmapped.sh

bench() { load mmkit_bench_unmapped "$@" && unload mmkit_bench_unmapped; }
ns() { said mmkit_bench_unmapped "$1: [0-9]* ns" | sed 's/.*: \([0-9]*\) ns/\1/'; }

everywhere="flush_tlb_all flush_tlb_kernel_range"

# flushes NAME FUNCTION...: calls for 1,000 rounds. Some come by loading what makes them.
flushes() {
	local what=$1
	shift
	count_calls "$@" || return
	bench what="$what" rounds=100000 > /dev/null
	echo $(($(calls) / 100))
}

pairs() {
	bench order="$1" rounds="$2" || return
	figure "alloc and free, order $1" plain "$(ns pages)"
	figure "alloc and free, order $1" mmkit "$(ns noscrub)"
	figure "alloc and free of zeroes, order $1" plain "$(ns zeroed_pages)"
	figure "alloc and free of zeroes, order $1" mmkit "$(ns zeroed)"
	figure "alloc and free with scrub, order $1" mmkit "$(ns scrub)"
}

# A limit that none of this reaches: nothing is given back in between.
load mmkit
load mmkit_unmapped prefill=4 max_cached_bytes=$((256 << 20))
pairs $block_order 100
pairs 0 20000
figure "map one page, write, unmap" mmkit "$(ns map)"
one_by_one=$(ns one_by_one)
if [ -n "$one_by_one" ]; then
	figure "alloc and free, order 0" "as memfd_secret" "$one_by_one"
else
	missing "alloc and free, order 0" "as memfd_secret" "this kernel has no such functions"
fi

bench what=refill blocks=32
figure "out of the direct map, a page of a block" mmkit "$(ns refill_page)"
figure "back into the direct map, a page of a block" mmkit "$(ns back_page)"
figure "out of the direct map, a block" mmkit "$(ns refill_block)"
figure "back into the direct map, a block" mmkit "$(ns back_block)"

echo 1 > $um/prefill
counted=$(um_stat tlb_flushes)
bench what=noscrub rounds=100000
figure "flushes on all CPUs, 1,000 pairs, as it says" mmkit $((($(um_stat tlb_flushes) - counted) / 100))
flushed="flushes on all CPUs, 1,000 pairs, counted"
if [ "$(uname -m)" = x86_64 ]; then
	figure "$flushed" plain "$(flushes pages $everywhere)"
	figure "$flushed" mmkit "$(flushes noscrub $everywhere)"
	[ -z "$one_by_one" ] || figure "$flushed" "as memfd_secret" "$(flushes one_by_one $everywhere)"
	figure "flushes on all CPUs, 1,000 maps, counted" mmkit "$(flushes map $everywhere)"
	figure "flushes of one CPU, 1,000 maps, counted" mmkit "$(flushes map flush_tlb_one_kernel)"
else
	missing "$flushed" mmkit "they are instructions, not functions, on arm64"
fi
unload mmkit_unmapped mmkit
