# SPDX-License-Identifier: GPL-2.0-only
# Secret memory: /dev/mmkit_secret beside memfd_secret(2) and memory that is no secret, in three sizes that
# exist side by side. What has split the direct map does not do so again, so ours comes first. A page that
# is zeroed by one instruction with a prefix counts 4,096 of them.
# vm: mem=1G smp=1 append="init_on_alloc=0 secretmem.enable=1"
. ./calls.sh
. ./unmapped.sh

sizes="16 64 256"

# touched KIND WHO
touched() {
	local size pages field
	set -- "$1" "$2" $(for size in $sizes; do echo $((size * 1048576 / page)); done)
	/mmkit/bin/touch_cost "$1" $3 $4 $5 > /tmp/touched
	cat /tmp/touched
	if ! grep -q splits /tmp/touched; then
		missing "first touch, a page" "$2" "$(tail -n 1 "/tmp/touched")"
		return
	fi
	for size in $sizes; do
		# KIND: N ns a first touch, N ns to give back, N pages, N + N splits
		field=$(awk -v pages=$((size * 1048576 / page)) '$12 == pages' /tmp/touched)
		set -- "$1" "$2" $field
		figure "first touch, a page of $size MiB" "$2" "$4"
		figure "give back, a page of $size MiB" "$2" "$9"
		figure "both, a page of $size MiB" "$2" $(($4 + $9))
		figure "2M entries split for $size MiB" "$2" "${16}"
		figure "1G entries split for $size MiB" "$2" "${18}"
		figure "2M entries split, for a GiB by $size MiB" "$2" $((${16} * 1024 / size))
	done
}

# flushed KIND WHO: how many flushes come with 1,000 first touches, and with giving the pages back.
flushed() {
	count_calls flush_tlb_all flush_tlb_kernel_range || return
	/mmkit/bin/touch_cost "$1" 4000
	figure "flushes on all CPUs for 1,000 pages" "$2" $(($(calls) / 4))
}

touched anonymous anonymous
load mmkit
load mmkit_unmapped
echo $((512 << 20)) > $um/secret_max_bytes
touched mmkit_secret mmkit
# Of what the cache still has each page is known to be zero.
set -- $(/mmkit/bin/touch_cost mmkit_secret 4096)
figure "first touch, a page that is cached" mmkit "$2"
[ "$(uname -m)" != x86_64 ] || flushed mmkit_secret mmkit
figure "splits that the cache says it has caused" mmkit $(($(um_stat splits_2m) + $(um_stat splits_1g)))
unload mmkit_unmapped mmkit
touched memfd_secret memfd_secret
[ "$(uname -m)" != x86_64 ] || flushed memfd_secret memfd_secret
