# SPDX-License-Identifier: GPL-2.0-only
# What a profiler costs a machine at work, all instructions counted: the programs' own and the kernel's.
# vm: mem=1G timeout=900
# boot: kernels=7.2-peers who="alloc_tag compressed" append="init_on_alloc=0 sysctl.vm.mem_profiling=1,compressed"
# boot: kernels=7.2-peers who="alloc_tag page_ext" append="init_on_alloc=0 sysctl.vm.mem_profiling=1"
# boot: kernels=7.2-peers who=page_owner append="init_on_alloc=0 page_owner=on"
# boot: kernels=6.12,7.2,7.3 arch=amd64 who=bpftrace needs=bpftrace mem=2G timeout=1200

. ./peers.sh

# works WHO: the second time, when files and memory are where they stay.
works() {
	local work total=0 needed
	for work in archive files programs pipes; do
		/mmkit/bin/run_time sh ./workload $work > /dev/null || fail "$work"
		needed=$(/mmkit/bin/run_time sh ./workload $work) || fail "$work"
		figure "$work" "$1" "$needed"
		total=$((total + needed))
	done
	figure "all of it" "$1" "$total"
}

with_each works
