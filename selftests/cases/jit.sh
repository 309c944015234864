# SPDX-License-Identifier: GPL-2.0-only
# The text allocator: what it promises of objects, what it shows, what it gives back.
# vm: timeout=180
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/jit.sh

free_kb > /dev/null
before=$(free_kb)
jit_load
check "no text is taken before it is asked for" [ "$(jit_value text_bytes)" = 0 ]
jit_test all
wait_for 30 jit_idle
check "nothing is used" jit_idle
check "of slabs one of each class is kept, and none of objects that have their own" \
	awk 'NR > 1 && ($3 || $4 > ($1 != "runs")) { print; bad = 1 } END { exit bad }' $jit_debugfs/slabs
# For ten seconds, which on a debug kernel are over.
large=$(($(jit_value pages_2m) * 2097152)) kept=$(jit_value text_bytes)
[ $(slowness) -gt 1 ] || check "their blocks are kept for a while" [ "$kept" -gt 0 ]
case $(page_bytes) in
4096) [ $(slowness) -gt 1 ] || check "one entry maps each" [ "$kept" = $large ] ;;
*) check "they are mapped page by page" grep -q '^jit .*degraded.*page by page' $mmkit_debugfs/components ;;
esac
check "the quota was never reached" [ "$(jit_stat over_quota)" = 0 ]
# Not to the second: the machine is slow.
no_text() { [ "$(jit_value text_bytes)" = 0 ]; }
wait_for 30 no_text
check "but not for ever" no_text
no_slab() { awk 'NR > 1 && $2 + $3 + $4 + $5 { exit 1 }' $jit_debugfs/slabs; }
check "no slab is left" no_slab
jit_test brief
check "drain refuses what is not 1" sh -c "! echo 2 2> /dev/null > $jit/drain"
echo 1 > $jit/drain
check "drained, none is" no_text
check "nor a slab" no_slab
check "nor of the cache below" [ "$(cat /sys/kernel/mmkit/unmapped/in_use_bytes)" = 0 ]
check "address space stays" [ "$(jit_value va_bytes)" -gt 0 ]
check "and all of it is free" [ "$(jit_value va_free)" = "$(jit_value va_bytes)" ]

# --- who has what ---
load mmkit_test_jit what=keep
check "the map has three objects of their owner" \
	[ "$(grep -c ' mmkit_test_jit ' $jit_debugfs/map)" = 3 ]
check "with names" grep -Eq '^[0-9a-f]+ 12c mmkit_test_jit second$' $jit_debugfs/map
check "and without" grep -Eq '^[0-9a-f]+ 2710 mmkit_test_jit -$' $jit_debugfs/map
at=$(awk '$4 == "second" { print $1 }' $jit_debugfs/map)
printf '%s\n%s\n%s more\n' $at "${at%?}f" ffffffff00000000 > /tmp/frames
awk -f /mmkit/frames.awk $jit_debugfs/map /tmp/frames > /tmp/named
printf '%s mmkit_test_jit:second+0\n%s mmkit_test_jit:second+15\nffffffff00000000 more\n' $at "${at%?}f" > /tmp/wanted
check "frames in objects can be named by the map, and no others" cmp /tmp/named /tmp/wanted
check "owners has their sum" grep -qx 'mmkit_test_jit 3 10364 loaded' $jit_debugfs/owners
check "slabs, too" awk '{ used[$1] = $3 } END { exit !(used[64] == 1 && used[320] == 1 && used["runs"] == 1) }' \
	$jit_debugfs/slabs
check "and used_bytes" [ "$(jit_value used_bytes)" = 10364 ]
check "the module stays while objects live" sh -c "! rmmod mmkit_jit 2> /dev/null"
check "hibernation is refused" sh -c "! echo disk 2> /dev/null > /sys/power/state"
[ ! -e /sys/power/disk ] || expect_dmesg 'no hibernation while'
unload mmkit_test_jit
check "its owner is gone without objects" sh -c "! grep mmkit_test_jit $jit_debugfs/owners"

# --- many at once ---
jit_test refill
check "64 that come at once make one slab or two" [ "$(jit_stat refills)" -gt 0 ]
jit_test threads rounds="$(often 600 20000)"
wait_for 30 jit_idle
check "nothing is used after that" jit_idle
echo "locks $(jit_stat locks), contended $(jit_stat contended)"
check "hardly a lock of a class was found taken" [ $(($(jit_stat contended) * 20)) -lt "$(jit_stat locks)" ]

# --- a fleet of a thousand programs ---
load mmkit_test_jit what=mix rounds=1000
echo 1 > $jit/drain
slabs=$(awk 'NR > 1 { sum += $5 } END { print sum }' $jit_debugfs/slabs)
case_dmesg | sed -n "s/^.*] mmkit_test_jit: # mix/mix/p"
echo "mix: $(jit_value used_bytes) bytes used, $slabs in slabs, $(jit_value text_bytes) in blocks," \
	"$(jit_stat meta_bytes) of descriptors, $(jit_stat maps) mappings, $(jit_stat unmaps) unmapped"
check "no class has more than one slab with room" \
	awk 'NR > 1 && $4 && $1 != "runs" && $3 <= $2 - $2 / $4 { print; bad = 1 } END { exit bad }' $jit_debugfs/slabs
unload mmkit_test_jit
check "unloaded, nothing is used" jit_idle
jit_unload

# --- limits ---
load mmkit_unmapped
for value in 0 1048576 2147483648 much; do
	/mmkit/bin/load_once /mmkit/ko/mmkit_jit.ko max_bytes=$value
	got=$?
	case $value in much) want=22 ;; *) want=34 ;; esac
	check "max_bytes=$value is refused with errno $want" [ $got = $want ]
done
check "each time with a sentence" [ "$(case_dmesg | grep -c 'parameter max_bytes: [0-9]* is not from')" = 3 ]
jit_load max_bytes=4194304
jit_test quota
check "what was over the quota is counted" [ "$(jit_stat over_quota)" -gt 0 ]
jit_unload
memory_is_back $before 8192
