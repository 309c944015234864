# SPDX-License-Identifier: GPL-2.0-only
# Memory is full of tagged pages: the program that took it is killed, and that is all. Storage that
# cannot be had: who needs it gets other memory, and in the end SIGBUS, but does not fault for ever.
# vm: arch=arm64 mem=1056M dtb=tagstore_small smp=2 timeout=300 check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/tagstore.sh

test=/sys/module/mmkit_test_tagstore/parameters/run

walk_on() {
	while [ ! -e /tmp/enough ]; do
		cat $tagwatch/walk | grep -E '^(violations|tagged_pages|tagged_storage_pages)' >> /tmp/walks
		usleep 300000
	done
}

load_tagstore || exit 1
watch_tags || exit 1
check "before: nothing is tagged, nothing is kept" at_rest
lent=$(tagstore lent_bytes)

# More than there is, and nobody says so before it is touched.
echo 1 > /proc/sys/vm/overcommit_memory
walk_on &
walker=$!
sh -c 'echo 1000 > /proc/self/oom_score_adj; exec /mmkit/bin/mte_paths hold 4096' > /tmp/held 2>&1 &
holder=$!
wait $holder
status=$?
echo 0 > /proc/sys/vm/overcommit_memory
> /tmp/enough
wait $walker
expect_dmesg 'invoked oom-killer'
expect_dmesg 'Out of memory: Killed process [0-9]* \(mte_paths\)'
check "out of memory the program is killed, and not by SIGBUS" [ $status = 137 ] ||
	{ echo "status $status"; cat /tmp/held $mmkit_debugfs/tagstore/stats /proc/meminfo; }
check "no tag without room ($(watched checked) writes)" \
	[ "$(watched violations)" = 0 -a "$(watched checked)" -gt 150000 ] || violations
check "$(grep -c ^violations /tmp/walks) walks see no violation" \
	awk '$1 == "violations" { n++; bad += $2 } END { exit bad || !n }' /tmp/walks
check "and no tagged page in storage, of $(awk '$1 == "tagged_pages" && $2 > n { n = $2 } END { print n }' \
	/tmp/walks) at most" awk '$1 == "tagged_storage_pages" { bad += $2 }
		$1 == "tagged_pages" && $2 > n { n = $2 } END { exit bad || n < 100000 }' /tmp/walks
check "no late reservation" [ "$(tagstore late_reservations)" = 0 ]
check "afterwards nothing is tagged, nothing is kept" at_rest
check "and as much is lent as before" [ "$(tagstore lent_bytes)" = $lent ]
check "the fuse is whole" grep -qx ok $tagstore/state

# --- a piece of storage is pinned: that of 10 MiB, in the midst of memory ---
load mmkit_test_tagstore storage=$storage_start storage_bytes=$storage_size tagged=$ram_start cma=1
echo "pin 4000 80" > $test || fail "pages of storage can be pinned"
failures=$(tagstore reserve_failures)
# What the contiguous allocator has is not for pages of the pool.
held=$((($(meminfo MemAvailable) - $(meminfo CmaFree)) / 1024 - 60))
/mmkit/bin/mte_paths hold $held > /tmp/held 2>&1 &
holder=$!
check "with pinned storage a program gets other memory, $held MiB" wait_for 150 grep -q ready /tmp/held
failures=$(($(tagstore reserve_failures) - failures))
check "$failures times storage was pinned" [ $failures -gt 0 ]
walk
check "none of $(walked tagged_pages) tagged pages is without room" \
	[ "$(walked violations)" = 0 -a "$(walked tagged_pages)" -ge $((held << 8)) ] || cat /tmp/walked
kill $holder
wait $holder
echo unpin > $test
check "afterwards nothing is kept" at_rest

# --- all storage is pinned but what the zero page needs ---
zero=$(awk '$1 == "blocks" { split($2, b, "-"); print b[1]; exit }' $mmkit_debugfs/tagstore/blocks)
[ "$zero" -gt 0 ] || fail "the zero page has its storage"
pin_all() { echo "pin 0 $zero" > $test && echo "pin $((zero + 1)) $((storage_pages - zero - 1))" > $test; }
check "all storage is pinned" pin_all
# Not for long: whoever has it locked may be waiting for memory.
before=$(tagstat retries)
waits() { [ "$(tagstat retries)" -ge $((before + 7)) ]; }
/mmkit/bin/mte_paths first_touch > /tmp/waited 2>&1 &
waiter=$!
wait_for 10 waits || fail "a program without storage waits"
usleep 300000
echo unpin > $test
wait $waiter
status=$?
check "storage that is had in time is no reason to die" [ $status = 0 ] || cat /tmp/waited
# Whoever waits can be killed, also while the kernel touches its memory.
at_rest && pin_all || fail "all storage is pinned once more"
before=$(tagstat retries)
/mmkit/bin/mte_paths read_shared > /dev/null 2>&1 &
reader=$!
wait_for 10 waits || fail "a program whose memory the kernel writes to waits for storage"
kill -KILL $reader
is_dead() { ! grep '^State:' /proc/$reader/status | grep -qv zombie; } 2> /dev/null
check "a program that waits is dead when it is killed" wait_for 5 is_dead
echo unpin > $test
# And for ever.
at_rest && pin_all || fail "all storage is pinned once more"
timeout -s KILL 200 /mmkit/bin/mte_paths starve > /tmp/starved 2>&1
check "without storage nobody faults for ever" [ $? != 137 ]
while read -r result text; do
	check "without storage: $text" [ $result = ok ]
done < /tmp/starved
check "all was tried" [ "$(grep -c . /tmp/starved)" = 5 ]
# The fault was refused with a signal, of which the kernel says this:
expect_dmesg 'Huh VM_FAULT_OOM leaked out'
check "SIGBUS was counted" [ "$(tagstat sigbus)" -gt 2 ]
walk
check "nothing was tagged" [ "$(walked violations)" = 0 -a "$(walked tagged_pages)" = 0 ] || cat /tmp/walked
echo unpin > $test
check "with storage it works again" /mmkit/bin/mte_paths first_touch mprotect tmpfs_shared cow
check "no tag without room ($(watched checked) writes)" [ "$(watched violations)" = 0 ] || violations
check "at last nothing is tagged, nothing is kept" at_rest
