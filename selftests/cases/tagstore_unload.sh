# SPDX-License-Identifier: GPL-2.0-only
# The manager cannot go while pages are tagged. When it has gone no storage is lent, unless it was
# told that no tags live there. It can be loaded while pages are tagged, but not while one of them
# lies in storage.
# vm: arch=arm64 mem=2112M dtb=tagstore smp=2 timeout=240
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/tagstore.sh

meminfo() { awk -v key="$1:" '$1 == key { print $2 }' /proc/meminfo; }

# Pages of storage that nobody has said anything of, and that are on no list.
silent() { /mmkit/bin/keep_data pages $storage_start $storage_size | awk '$1 == "silent" { print $2 }'; }
all_silent() { [ "$(silent)" = $((storage_size / $(page_bytes))) ]; }
# Free pages on the lists of the CPUs say nothing, either.
few_silent() { [ "$(silent)" -lt 4096 ]; }
near() { [ $(($1 - $2)) -lt $3 -a $(($2 - $1)) -lt $3 ]; }
# What others had in storage has gone from there, and need not come back.
cma_free_is() { free_kb > /dev/null; [ "$(meminfo CmaFree)" -ge $(($1 - 4096)) ]; }
goes() { echo 1 > $tagstore/drain; rmmod mmkit_tagstore; } 2> /dev/null
refuses() { rmmod mmkit_tagstore 2>&1 | grep -Eq 'Resource temporarily unavailable|busy'; }

# holds MEGABYTES: a program has that much tagged
holds() {
	/mmkit/bin/mte_paths hold $1 > /tmp/held 2>&1 &
	holder=$!
	wait_for 90 grep -q ready /tmp/held
}
ends() { kill $holder; wait $holder; } 2> /dev/null

free_kb > /dev/null
cma_before=$(meminfo CmaFree)
free_before=$(/mmkit/bin/keep_data pages $storage_start $storage_size |
	awk -v kb=$(($(page_bytes) / 1024)) '$1 == "free" || $1 == "silent" { n += $2 } END { print n * kb }')
watch_tags || exit 1

# --- while pages are tagged ---
load mmkit_tagstore || exit 1
holds 64 || fail "a program uses tags"
check "the manager stays" refuses
usleep 2500000
check "also when all has settled" refuses
walk
check "it still works: $(walked tagged_pages) tagged pages, none without room" \
	[ "$(walked violations)" = 0 -a "$(walked tagged_pages)" -ge 16384 ]
ends
check "without that program it goes" wait_for 20 goes

# --- what it leaves ---
check "it leaves no storage that is lent" all_silent || silent
free_kb > /dev/null
cma_after=$(meminfo CmaFree)
check "CmaFree is lower by the $free_before kB of storage that were free ($cma_before kB, now $cma_after)" \
	near $((cma_before - cma_after)) $free_before 4096
walk
check "pages of storage are kept, and nothing is tagged" [ "$(walked kept_pages)" = 16384 -a "$(walked tagged_pages)" = 0 ]
check "a program can use tags without the manager" /mmkit/bin/mte_paths first_touch
# Its redirects cannot be had, where ftrace can be switched off: what is kept stays so.
if echo 0 2> /dev/null > /proc/sys/kernel/ftrace_enabled; then
	want_errno EBUSY mmkit_tagstore give_back=1
	echo 1 > /proc/sys/kernel/ftrace_enabled
	check "a load that fails lends none of it" all_silent || silent
fi
load mmkit_tagstore give_back=1 linger_ms=100 || exit 1
check "the next load lends it again" wait_for 20 few_silent || silent
check "CmaFree is as it was" wait_for 10 cma_free_is $cma_before || meminfo CmaFree
unload mmkit_tagstore
check "with give_back all is lent" few_silent || silent
check "and CmaFree as it was" wait_for 10 cma_free_is $cma_before || meminfo CmaFree

# --- loaded late ---
# Pages of storage leave the lists of the CPUs, from where they would be had first.
echo 1 > /proc/sys/vm/compact_memory
holds 64 || fail "a program uses tags before the manager is there"
walk
tagged=$(walked tagged_pages)
# From the end of memory, and no page of it in storage: that has never been short of memory.
check "none of $tagged tagged pages lies in storage" [ "$(walked tagged_storage_pages)" = 0 -a "$tagged" -ge 16384 ]
load_tagstore || exit 1
watched_again
walk
check "the manager makes room for all of them" [ "$(walked violations)" = 0 -a "$(walked tagged_pages)" = "$tagged" ] ||
	cat /tmp/walked
check "for $(($(tagstore reserved_bytes) / 1024)) kB" [ "$(tagstore reserved_bytes)" -ge $((2 << 20)) ]
check "and stays" refuses
ends
check "afterwards nothing is tagged, nothing is kept" at_rest
check "no late reservation" [ "$(tagstore late_reservations)" = 0 ]
unload mmkit_tagstore

# --- a tagged page in storage ---
holds $(($(meminfo MemAvailable) / 1024 - 80)) || fail "a program tags all the memory there is"
walk
check "$(walked tagged_storage_pages) tagged pages lie in storage" [ "$(walked tagged_storage_pages)" -gt 0 ]
want_errno EBUSY mmkit_tagstore give_back=1
expect_dmesg 'mmkit: tagstore: page 0x[0-9a-f]* is tagged already, and lies in tag storage'
ends
load_tagstore || exit 1
check "without that program it loads, with nothing tagged or kept" at_rest
unload mmkit_tagstore
check "CmaFree is as it was, at last" wait_for 10 cma_free_is $cma_before || meminfo CmaFree
