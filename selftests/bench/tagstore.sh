# SPDX-License-Identifier: GPL-2.0-only
# Memory with tags, and memory without, before the manager of tag storage comes and with it. Each time all
# storage is lent and the pool is empty: what it costs to take some is in the figures, with the time that
# the task waits for others meanwhile.
# vm: arch=arm64 mem=1056M smp=1 dtb=tagstore_small
. ./calls.sh
. ./tagstore.sh

pages=16384

# touched KIND: sets touch and give, of a page, and busy, what of touch was no waiting
touched() {
	set -- $(/mmkit/bin/touch_cost "$1" $pages)
	touch=$2 give=$7 busy=${18}
}

touches() {
	touched anonymous
	figure "first touch of plain memory, a page" "$1" $touch
	figure "give back plain memory, a page" "$1" $give
	touched mte
	figure "first touch of PROT_MTE memory, a page" "$1" $touch
	figure "first touch of PROT_MTE memory, a page, without waiting" "$1" $busy
	figure "give back PROT_MTE memory, a page" "$1" $give
}

empty() { echo 1 > $tagstore/drain && [ "$(tagstore pool_bytes)" = 0 ]; }

# Large chunks of free memory are split by who comes first, which neither is charged with.
touched mte
touches plain
load mmkit
load_tagstore || exit
touched anonymous
wait_for 10 empty || fail "the pool is empty"
touches mmkit
# What is kept for a while is there for the next.
touched mte
figure "first touch of PROT_MTE memory, storage kept" mmkit $touch

# per_thousand CALLS: for so many first touches
per_thousand() { echo "$1" | awk -v n=$pages '{ printf "%.2f", $1 * 1000 / n }'; }

wait_for 10 empty || fail "the pool is empty again"
takes=$(tagstat takes)
count_calls alloc_contig_range alloc_contig_range_noprof || fail "calls can be counted"
touched mte
figure "alloc_contig_range, for 1,000 first touches" mmkit "$(per_thousand "$(calls)")"
figure "the same, as the manager says" mmkit "$(per_thousand $(($(tagstat takes) - takes)))"
cat $mmkit_debugfs/tagstore/stats
[ "$(tagstore late_reservations)" = 0 ] || fail "no late reservation"
# Not while something is tagged, which is seen a while later that it is not.
wait_for 10 tagstore_goes || fail "mmkit_tagstore does not unload"
unload mmkit
