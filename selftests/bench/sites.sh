# SPDX-License-Identifier: GPL-2.0-only
# What it costs to know the owner of each page when many places allocate in turn.
# vm: mem=1G
. ./peers.sh

pairs() {
	local sites
	for sites in 10 1000 10000; do
		load mmkit_bench_sites sites=$sites
		figure "alloc and free from $sites call sites" "$1" "$(said mmkit_bench_sites '.* ns a pair' |
			sed 's/.*: \([0-9]*\) .*/\1/')"
		unload mmkit_bench_sites
	done
}

with_each pairs
