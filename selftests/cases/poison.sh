# SPDX-License-Identifier: GPL-2.0-only
# Memory errors: pages of the suite, and pages that it keeps books of, go bad. Nobody gets such a page
# again, the kernel lives on, and what is missing is said. The pages are bad until the end of this boot.
# vm: smp=3 timeout=180 check=7.3
# vm-amd64: mem=512M
# vm-arm64: mem=1056M dtb=tagstore_small emulator=backports
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh
. /mmkit/jit.sh
. /mmkit/tagstore.sh

memory=/sys/devices/system/memory
[ -e $memory/hard_offline_page ] || skip "the kernel cannot be told of memory errors"

# Whatever the kernel makes of it, and says.
goes_bad() { echo $(($1 * page)) > $memory/hard_offline_page; } 2> /dev/null
soft_offline() { echo $(($1 * page)) > $memory/soft_offline_page; } 2> /dev/null
corrupted() { awk '/^HardwareCorrupted/ { print $2 * 1024 / '$page' }' /proc/meminfo; }
unaccounted() { awk '$1 == "unaccounted_bytes" { print $2 }' $prof/books; }
frames() { um_do frames | sed -n 's/.*frame //p'; }
quarantined() { [ "$(um_value quarantined_bytes)" = $(($1 * page)) ]; }

# area FLAG PID: where the first area with that flag of smaps begins
area() {
	awk -v want="$1" '/^[0-9a-f]+-[0-9a-f]+ / { split($1, a, "-") }
		/^VmFlags:/ { for (i = 2; i <= NF; i++) if ($i == want) { print a[1]; exit } }' /proc/$2/smaps
}

# frame_of PID ADDRESS [PAGES]: of the page so many behind it
frame_of() {
	look_at "$1" "$(printf %x $((0x$2 + ${3:-0} * page)))"
	echo "$pfn"
}

load mmkit_allocprof verify=1 || exit
um_load
load mmkit_test_peek || exit
books_close > /dev/null
begun=$(corrupted)

# --- in the cache, and handed out ---
um_empty
echo 2 > $um/prefill
um_do hold 3
cached=$(frames | sed -n 2p)
um_do drop
goes_bad $cached
check "a page that is free in the cache goes bad" [ "$(corrupted)" = $((begun + 1)) ]
um_do hold $((block_pages * 2)) 0 4
um_do without $cached
um_do drop
um_empty
um_do hold 20
out=$(frames | sed -n 7p)
um_do fill
goes_bad $out
um_do look
um_do drop
um_do hold $((block_pages * 2)) 0 4
um_do without $out
um_do drop
look_at $out
check "nor is it in the direct map" [ "$direct" = no ]
um_empty
check "the rest of their blocks goes back: 2 pages are kept" wait_for 10 quarantined 2
check "as many as had errors" [ "$(um_stat poisoned_pages)" = 2 ]
for other in $((out - 1)) $((cached + 1)); do
	look_at $other
	check "a page beside one is in the direct map again" [ "$direct" = yes ]
done
um_do hold 1 $block_order
out=$(frames)
goes_bad $((out + 5))
um_do drop
um_empty
check "of a chunk of a whole block one page is kept" wait_for 10 quarantined 3
um_do hold 2
out=$(frames | head -n 1)
check "a page of the cache cannot be moved away" sh -c "! echo $((out * page)) 2> /dev/null > $memory/soft_offline_page"
um_do fill
um_do look
um_do drop

# --- secret ---
hold_secret 16
frame=$(frame_of $pid $address 3)
goes_bad $frame
check "its owner goes on" kill -0 $pid
let_go
um_empty
check "a secret page with an error is kept" wait_for 10 quarantined 4
check "and no secret memory is left" [ "$(um_value secret_bytes)" = 0 ]
/mmkit/bin/secret many 20 > /tmp/crowd || { cat /tmp/crowd; fail "secret memory is as good as before"; }

# --- text ---
load mmkit_jit && load mmkit_test_text && load mmkit_test_wx || exit
tell text hold 300
tell wx pin $(answer text at)
frame=$((0x$(answer wx frame) / page))
goes_bad $frame
tell text call
check "text in a page with an error can be called as long as the CPU can" [ "$(answer text wrong)" = 0 ]
tell text drop
jit_idle || wait_for 10 jit_idle
unload mmkit_test_wx mmkit_test_text
jit_drain
um_empty
check "when its block goes the page is kept" wait_for 10 quarantined 5
load mmkit_test_text
tell text churn 2 1000 100000
check "text is as good as before" [ "$(answer text wrong) $(answer text crooked)" = "0 0" -a "$(answer text allocs)" -gt 10 ]
unload mmkit_test_text
wait_for 10 jit_idle
unload mmkit_jit

# --- what the profiler has in its books ---
books_close > /dev/null
before=$(corrupted) open=$(unaccounted)
hold anon 4
start=$(area nh $holder)
frame=$(frame_of $holder $start 100)
goes_bad $frame
other=$(frame_of $holder $start 200)
soft_offline $other
look_at $holder "$(printf %x $((0x$start + 200 * page)))"
check "a page of a program moves away from an error" [ "$pfn" -gt 0 -a "$pfn" != "$other" ]
free=$(frame_of $holder $start 300)
release
usleep 300000
goes_bad $free
now=$(corrupted)
check "three more pages are corrupted for the kernel" [ $((now - before)) = 3 ]
said() { off=$((($(unaccounted) - open) / page)); echo "$off pages"; [ $off -ge 0 -a $off -le 3 ]; }
check "the books say what is missing: no more than that" wait_for 5 said
check "memo and unwinder agree" [ "$(cat $prof_sysfs/verify_mismatches)" = 0 ]
echo 0 > $prof_sysfs/enabled
echo 1 > $prof_sysfs/enabled
check "and so they do when counted anew" books_close

# --- tags and their storage ---
if suite | grep -qx mmkit_tagstore; then
	load_tagstore && watch_tags || exit
	at_rest
	/mmkit/bin/mte_paths hold 8 > /tmp/held 2>&1 &
	holder=$!
	wait_for 30 grep -q ready /tmp/held
	start=$(area mt $holder)
	frame=$(frame_of $holder $start 50)
	soft_offline $frame
	moved=$(frame_of $holder $start 50)
	check "a tagged page moves away from an error" [ "${moved:-0}" -gt 0 -a "$moved" != "$frame" ]
	walk
	check "to where there is room" [ "$(walked violations)" = 0 ] || cat /tmp/walked
	kill -USR1 $holder
	wait $holder
	check "with data and tags: $(tail -n 1 /tmp/held)" grep -q ', 0 wrong' /tmp/held
	# One that is in use, storage that is taken for another, storage that is lent, and what waits in the pool.
	/mmkit/bin/mte_paths hold 8 > /tmp/held 2>&1 &
	holder=$!
	wait_for 30 grep -q ready /tmp/held
	start=$(area mt $holder)
	tagged=$(frame_of $holder $start 60)
	goes_bad $tagged
	frame=$(frame_of $holder $start 900)
	goes_bad $(((storage_start + (frame * page - ram_start) / 32) / page))
	goes_bad $((storage_start / page + 4000))
	{ kill $holder; wait $holder; } 2> /dev/null
	/mmkit/bin/mte_paths first_touch cow mprotect tmpfs_shared churn
	check "tags are as good as before" [ $? = 0 ]
	/mmkit/bin/mte_paths hold 128 > /tmp/held 2>&1 &
	holder=$!
	check "also for a program that has many" wait_for 60 grep -q ready /tmp/held
	walk
	check "no tag without room" [ "$(walked violations)" = 0 -a "$(watched violations)" = 0 ] || violations
	check "no tagged page in storage" [ "$(walked tagged_storage_pages)" = 0 ]
	kill -USR1 $holder
	wait $holder
	check "with data and tags, too: $(tail -n 1 /tmp/held)" grep -q ', 0 wrong' /tmp/held
	check "nothing is kept for nothing" at_rest
	check "a tagged page that went bad keeps its room, and the manager" sh -c "! rmmod mmkit_tagstore 2> /dev/null"
	# The only way to be rid of it, and none for errors of hardware.
	modprobe hwpoison-inject
	check "without its error" sh -c "echo $tagged > /sys/kernel/debug/hwpoison/unpoison-pfn"
	check "it is free, and nothing is kept" at_rest
	check "the fuse is whole" grep -qx ok $tagstore/state
	rmmod hwpoison-inject
	unload mmkit_test_tagwatch
	check "and the manager goes" wait_for 10 tagstore_goes
fi

check "all fuses are whole" sh -c "! grep blown /sys/kernel/mmkit/*/state"
expect_dmesg 'Memory failure: '
unload mmkit_test_peek mmkit_test_unmapped mmkit_unmapped mmkit_allocprof
um_load
um_do api
check "loaded again it works, and has no page that is lost" quarantined 0
um_unload
