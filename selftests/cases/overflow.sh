# SPDX-License-Identifier: GPL-2.0-only
# More call sites than tags: what is not told apart is counted exactly, once said, and cleared.
# vm: timeout=120 check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh

# Bytes and calls of (overflow), then of the sites of the test module.
overflow() {
	awk '/ \(overflow\):0 func:/ { print $1, $2 }' $prof/allocinfo
}

own() {
	awk '/ \[mmkit_test_sites\] func:/ { bytes += $1; calls += $2 } END { print bytes + 0, calls + 0 }' \
		$prof/allocinfo
}

number() {
	echo "$1" | cut -d ' ' -f "$2"
}

load mmkit
load mmkit_allocprof verify=1 max_sites=64
before=$(overflow)
load mmkit_test_sites
during=$(overflow)
own=$(own)
check "64 sites are told apart" [ "$(cat $prof_sysfs/sites)" -eq 64 ]
grown=$(($(number "$during" 2) - $(number "$before" 2)))
check "256 calls: $(number "$own" 2) have their own site, $grown and more share (overflow)" \
	[ $((grown + $(number "$own" 2))) -ge 256 -a "$(number "$own" 2)" -le 64 ]
check "sysfs says how much" [ "$(cat $prof_sysfs/overflow)" -ge $((192 * 4096)) ]
check "one warning says so" [ "$(case_dmesg | grep -c 'all 64 call sites are in use')" -eq 1 ]
check "the books close" books_close
unload mmkit_test_sites
after=$(overflow)
# What is left belongs to sites of the system that share the tag with those of the module.
shared=$((256 - $(number "$own" 2)))
check "what was freed is counted out ($before, $during, $after)" \
	[ "$(number "$after" 2)" -lt $((shared / 4)) ]
check "the books close again" books_close
check "memo and unwinder agree on $(prof_stat verified) events" \
	[ "$(cat $prof_sysfs/verify_mismatches)" = 0 ]

# Tags of text that is gone serve new text.
load mmkit_test_alloc events=20000 hold=16
check "new sites are named in their place" grep -q ' \[mmkit_test_alloc\] func:' $prof/allocinfo
unload mmkit_test_alloc mmkit_allocprof

load mmkit_allocprof verify=1
load mmkit_test_sites
check "without a limit each site is its own" sh -c \
	"[ \$(grep -c ' \[mmkit_test_sites\] func:many_sites_' $prof/allocinfo) -eq 256 ]"
check "and (overflow) is empty" [ "$(cat $prof_sysfs/overflow)" = 0 ]
unload mmkit_test_sites
check "pages of a module that is gone are gone" sh -c \
	"! awk '/mmkit_test_sites:unloaded/ && (\$1 || \$2)' $prof/allocinfo | grep ."
unload mmkit_allocprof mmkit
