# SPDX-License-Identifier: GPL-2.0-only
# The text allocator beside what modules are loaded into (execmem_alloc(), once module_alloc()), and
# beside what BPF programs are put into, with few objects and with many.
# vm: mem=1G smp=1
. ./jit.sh

# What has memory of the kernel's address space, in bytes.
vmalloc_bytes() {
	awk -v page="$(page_bytes)" '{ for (i = 3; i <= NF; i++) if (sub("^pages=", "", $i)) n += $i }
		END { printf "%.0f\n", n * page }' /proc/vmallocinfo
}

# kept KIND LIVE LENGTH
kept() { load mmkit_bench_jit keep="$1" live="$2" len="$3"; }

# What is taken for so many of that kind, in bytes.
taken() {
	kept "$1" "$2" 300 || return
	if [ $1 = mmkit ]; then jit_value text_bytes; else vmalloc_bytes; fi
	unload mmkit_bench_jit
}

# places KIND WHO: what programs of 300 bytes take, all together and each alone. There may be room already
# for the first of them: it is what 10,000 more take.
places() {
	local kind=$1 who=$2 first all apart
	first=$(taken $kind 10000)
	all=$(taken $kind 20000)
	apart=$(said mmkit_bench_jit "$kind: one every .*" | sed 's/.*every \([0-9]*\) .*/\1/')
	if [ -z "$apart" ]; then
		missing "bytes for a 300-byte program of 10,000" "$who" "$why"
		return
	fi
	figure "bytes for a 300-byte program of 10,000" "$who" $(((all - first) / 10000))
	figure "bytes from one 300-byte program to the next" "$who" "$apart"
}

# In whole blocks there is room for others, too: what the slabs have of them.
slabs() {
	kept mmkit 10000 300 || return
	figure "bytes of slabs for a 300-byte program of 10,000" mmkit \
		$(($(awk 'NR > 1 { n += $5 } END { print n }' $jit_debugfs/slabs) / 10000))
	unload mmkit_bench_jit
}

# timed KIND WHO LIVE
timed() {
	local code text what
	for code in "" " with code"; do
		text=$(said mmkit_bench_jit "$1$code: $3 live, alloc .*")
		what="256 bytes$code, $3 live"
		if [ -z "$text" ]; then
			missing "alloc, $what" "$2" "$why"
			continue
		fi
		figure "alloc, $what" "$2" "$(echo "$text" | sed 's/.*alloc \([0-9]*\), .*/\1/')"
		figure "free, $what" "$2" "$(echo "$text" | sed 's/.*free \([0-9]*\)$/\1/')"
	done
}

load mmkit
load mmkit_unmapped
load mmkit_jit
if grep -q ' execmem_alloc$' /proc/kallsyms; then modules=execmem; else modules=module_alloc; fi
why="this kernel has no such function, or one that wants more than memory"
for kind in mmkit $modules prog_pack; do
	places $kind $kind
done
slabs
for live in 10 1000 10000; do
	load mmkit_bench_jit live=$live rounds=500
	unload mmkit_bench_jit
	for kind in mmkit $modules prog_pack; do
		timed $kind $kind $live
	done
done
jit_unload
