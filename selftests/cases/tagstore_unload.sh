# SPDX-License-Identifier: GPL-2.0-only
# The manager cannot go while pages are tagged. When it has gone no storage is lent, unless it was
# told that no tags live there. It can be loaded while pages are tagged: those that lie in storage
# move, with data and tags, and where one cannot, it refuses.
# vm: arch=arm64 mem=1056M dtb=tagstore_small smp=2 emulator=backports timeout=300 check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/tagstore.sh


# Pages of storage that nobody has said anything of, and that are on no list.
silent() { /mmkit/bin/keep_data pages $storage_start $storage_size | awk '$1 == "silent" { print $2 }'; }
all_silent() { [ "$(silent)" = $storage_pages ]; }
# Free pages on the lists of the CPUs say nothing, either: there are so many of them, of all memory.
all_lent() { [ "$(silent)" -le "$(on_lists)" ]; }
near() { [ $(($1 - $2)) -lt $3 -a $(($2 - $1)) -lt $3 ]; }
cma_free_is() { free_kb > /dev/null; [ $(($(meminfo CmaFree) + $(on_lists) * 4)) -ge $(($1 - 4096)) ]; }
cma_says() { echo "CmaFree $(meminfo CmaFree), pages on lists $(on_lists)"; }
refuses() { rmmod mmkit_tagstore 2>&1 | grep -Eq 'Resource temporarily unavailable|busy'; }

# holds MEGABYTES [START BYTES]: a program has that much tagged, and one page of that memory pinned
holds() {
	/mmkit/bin/mte_paths hold "$@" > /tmp/held 2>&1 &
	holder=$!
	wait_for 90 grep -q ready /tmp/held
}
ends() { kill $holder; wait $holder; } 2> /dev/null
tagged_now() { walk; tagged=$(($(walked tagged_pages) + $(walked tagged_storage_pages))); }

check "the kernel keeps few pages on lists of CPUs" wait_for 10 short_lists || on_lists
cma_before=$(meminfo CmaFree)
lists=$(on_lists)
free_before=$(/mmkit/bin/keep_data pages $storage_start $storage_size |
	awk -v kb=$(($(page_bytes) / 1024)) '$1 == "free" || $1 == "silent" { n += $2 } END { print n * kb }')
watch_tags || exit 1

# --- while pages are tagged ---
load mmkit_tagstore || exit 1
# The block of the zero page; half of the storage does not have it.
zero=$(awk '$1 == "blocks" { split($2, b, "-"); print b[1]; exit }' $mmkit_debugfs/tagstore/blocks)
half=$((storage_start + (zero < storage_pages / 2) * storage_size / 2))
holds 64 || fail "a program uses tags"
check "the manager stays" refuses
usleep 2500000
check "also when all has settled" refuses
walk
check "it still works: $(walked tagged_pages) tagged pages, none without room" \
	[ "$(walked violations)" = 0 -a "$(walked tagged_pages)" -ge 16384 ]
ends
check "without that program it goes" wait_for 20 tagstore_goes

# --- what it leaves ---
check "it leaves no storage that is lent" all_silent || silent
free_kb > /dev/null
cma_after=$(meminfo CmaFree)
check "CmaFree is lower by the $free_before kB of storage that were free ($cma_before kB, now $cma_after)" \
	near $((cma_before - cma_after)) $free_before $((4096 + lists * 4))
walk
check "pages of storage are kept, and nothing is tagged" [ "$(walked kept_pages)" = $storage_pages -a "$(walked tagged_pages)" = 0 ]
check "a program can use tags without the manager" /mmkit/bin/mte_paths first_touch
# Its redirects cannot be had, where ftrace can be switched off: what is kept stays so.
if echo 0 2> /dev/null > /proc/sys/kernel/ftrace_enabled; then
	want_errno EBUSY mmkit_tagstore give_back=1
	echo 1 > /proc/sys/kernel/ftrace_enabled
	check "a load that fails lends none of it" all_silent || silent
fi
load mmkit_tagstore give_back=1 linger_ms=100 || exit 1
check "the next load lends it again" wait_for 20 all_lent || silent
check "CmaFree is as it was" wait_for 10 cma_free_is $cma_before || cma_says
unload mmkit_tagstore
check "with give_back all is lent" all_lent || silent
check "and CmaFree as it was" wait_for 10 cma_free_is $cma_before || cma_says

# --- loaded late ---
# loaded_late: all tagged pages have room now, none in storage, and their owner misses nothing
loaded_late() {
	load_tagstore || return
	watched_again
	walk
	check "the manager makes room for all of them" \
		[ "$(walked violations)" = 0 -a "$(walked tagged_pages)" = "$tagged" ] || cat /tmp/walked
	check "none lies in storage any more, which is lent but for $(($(tagstore reserved_bytes) / 1024)) kB" \
		[ "$(walked tagged_storage_pages)" = 0 -a "$(tagstore reserved_bytes)" -ge $((tagged * 128)) ]
	check "and the manager stays" refuses
	kill -USR1 $holder
	wait $holder
	check "data and tags are what they were: $(tail -n 1 /tmp/held)" \
		grep -Eqx "$tagged pages, 0 wrong" /tmp/held
	check "afterwards nothing is tagged, nothing is kept" at_rest
	check "no late reservation" [ "$(tagstore late_reservations)" = 0 ]
	unload mmkit_tagstore
}

holds 64 || fail "a program uses tags before the manager is there"
tagged_now
echo "$(walked tagged_storage_pages) of $tagged tagged pages lie in storage"
loaded_late

# Tags that were swapped out come back with the manager there, to pages with room.
prepare_paths
holds 16 || fail "a program uses tags before the manager is there"
kill -USR2 $holder
wait_for 20 grep -q 'swapped out' /tmp/held
check "tagged pages are in swap: $(tail -n 1 /tmp/held)" grep -Eq '^[1-9][0-9]{3} swapped out' /tmp/held
tagged_now
echo "$tagged pages are tagged"
load_tagstore || exit 1
watched_again
kill -USR1 $holder
wait $holder
check "they come back with data and tags: $(tail -n 1 /tmp/held)" grep -qx "4096 pages, 0 wrong" /tmp/held
check "$(watched mte_restore_page_tags) of them from swap, none without room" [ "$(watched mte_restore_page_tags)" -ge 1000 -a "$(watched violations)" = 0 ]
check "afterwards nothing is tagged, nothing is kept, of those, too" at_rest
unload mmkit_tagstore
tidy_paths

# As many as there is memory for: what is not in use of storage is needed for their tags.
holds $(($(meminfo MemAvailable) / 1024 - 96)) || fail "a program tags all the memory there is"
tagged_now
check "$(walked tagged_storage_pages) of $tagged tagged pages lie in storage" [ "$(walked tagged_storage_pages)" -gt 100 ]
loaded_late

# --- one of them cannot move ---
holds $(($(meminfo MemAvailable) / 1024 - 96)) $half $((storage_size / 2)) ||
	fail "a program pins a tagged page in storage: $(cat /tmp/held)"
want_errno EBUSY mmkit_tagstore give_back=1
expect_dmesg 'mmkit: tagstore: page 0x[0-9a-f]* is tagged already, lies in tag storage and cannot leave it'
ends
load_tagstore || exit 1
check "without that program it loads, with nothing tagged or kept" at_rest
unload mmkit_tagstore
check "CmaFree is as it was, at last" wait_for 10 cma_free_is $cma_before || cma_says
usual_lists
