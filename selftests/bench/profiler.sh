# SPDX-License-Identifier: GPL-2.0-only
# What it costs to know the owner of each page: a pair of allocation and free, by order; a first touch.
# vm: mem=1G
# boot: kernels=7.2-peers who="alloc_tag compressed" append="init_on_alloc=0 sysctl.vm.mem_profiling=1,compressed"
# boot: kernels=7.2-peers who="alloc_tag page_ext" append="init_on_alloc=0 sysctl.vm.mem_profiling=1"
# boot: kernels=7.2-peers who=page_owner append="init_on_alloc=0 page_owner=on"
# boot: kernels=6.12,7.2,7.3 arch=amd64 who=bpftrace needs=bpftrace mem=2G timeout=1200

. ./peers.sh

# pairs WHO: of orders that a CPU has lists of. Of others a block may have to be split first, or not, as it
# happens.
pairs() {
	local order
	for order in 0 1 3 9; do
		load mmkit_bench order=$order rounds=$((20000 >> (order / 2)))
		figure "alloc and free, order $order" "$1" "$(said mmkit_bench 'order .* ns a pair.*' |
			sed 's/^order [0-9]*: \([0-9]*\) .*/\1/')"
		unload mmkit_bench
	done
	if [ "$1" = page_owner ]; then
		missing "alloc and free in bulk, a page" "$1" "the kernel gives one page at a time then"
	else
		load mmkit_bench bulk=64 rounds=2000
		figure "alloc and free in bulk, a page" "$1" "$(said mmkit_bench 'bulk .* ns a page.*' |
			sed 's/^bulk [0-9]*: \([0-9]*\) .*/\1/')"
		unload mmkit_bench
	fi
	# The first time, free lists are still to be filled.
	/mmkit/bin/touch_cost anonymous 4096 > /dev/null
	touched=$(/mmkit/bin/touch_cost anonymous 4096)
	figure "first touch of anonymous memory" "$1" "$(echo "$touched" | sed 's/^[^:]*: \([0-9]*\) .*/\1/')"
	figure "giving it back, a page" "$1" "$(echo "$touched" | sed 's/.*touch, \([0-9]*\) .*/\1/')"
}

with_each pairs
