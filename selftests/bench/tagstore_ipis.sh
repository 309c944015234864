# SPDX-License-Identifier: GPL-2.0-only
# How often CPUs disturb each other for memory with tags: interrupts between four of them.
# vm: arch=arm64 mem=1056M smp=4 dtb=tagstore_small
. ./tagstore.sh

pages=16384

# Those of all kinds and CPUs until now.
ipis() {
	awk '$1 ~ /^IPI[0-9]+:$/ { for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i } END { print n + 0 }' /proc/interrupts
}

disturbed() {
	local before
	before=$(ipis)
	/mmkit/bin/touch_cost "$2" $pages
	figure "interrupts between CPUs, for 1,000 first touches of $3" "$1" $((($(ipis) - before) * 1000 / pages))
}

disturbed plain anonymous "plain memory"
disturbed plain mte "PROT_MTE memory"
load mmkit
load_tagstore || exit
disturbed mmkit anonymous "plain memory"
disturbed mmkit mte "PROT_MTE memory"
# Not while something is tagged, which is seen a while later that it is not.
wait_for 10 tagstore_goes || fail "mmkit_tagstore does not unload"
unload mmkit
