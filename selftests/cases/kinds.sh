# SPDX-License-Identifier: GPL-2.0-only
# What user space does is named for what it is, and moves with migration.
# vm: check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh

# grows FUNCTIONS BYTES TEXT COMMAND...: the command adds about that many bytes to them
grows() {
	local functions=$1 wanted=$2 text=$3 before grown
	shift 3
	before=$(prof_bytes "$functions")
	"$@"
	grown=$(($(prof_bytes "$functions") - before))
	check "$text ($grown of $wanted bytes)" \
		[ $grown -ge $((wanted * 95 / 100)) -a $grown -le $((wanted * 105 / 100 + 524288)) ]
}

MB=1048576
anon='do_anonymous_page|__handle_mm_fault|handle_mm_fault|alloc_anon_folio|do_pte_missing'
thp='do_huge_pmd_anonymous_page|vma_alloc_anon_folio_pmd|__do_huge_pmd_anonymous_page'

load mmkit
load mmkit_allocprof verify=1

grows "$anon" $((32 * MB)) "anonymous memory" hold anon 32
before=$(prof_bytes "$anon")
migrated=$(prof_stat migrated_pages)
release
check "which goes when the process does" [ "$(prof_bytes "$anon")" -lt $((before - 30 * MB)) ]

grows "$thp" $((32 * MB)) "transparent huge pages" hold thp 32
before=$(prof_bytes "$thp")
echo 1 > /sys/kernel/debug/split_huge_pages
check "which keep their bytes when they are split" \
	[ "$(awk '/^AnonHugePages/ { print $2 }' /proc/meminfo)" -lt 8192 -a \
	  "$(prof_bytes "$thp")" = "$before" ]
release
check "and are freed page by page" [ "$(prof_bytes "$thp")" -lt $((before - 30 * MB)) ]
grows "shmem_.*" $((16 * MB)) "tmpfs" dd if=/dev/zero of=/tmp/file bs=1M count=16
rm /tmp/file

# Every second page is freed, so that compaction has something to move.
hold holes 128
before=$(prof_bytes "$anon")
migrated=$(prof_stat migrated_pages)
echo 1 > /proc/sys/vm/compact_memory
moved=$(($(prof_stat migrated_pages) - migrated))
after=$(prof_bytes "$anon")
check "compaction moved $moved pages" [ $moved -gt 100 ]
check "and their bytes stayed with who asked for them ($before, $after)" \
	[ $after -ge $((before - MB)) -a $after -le $((before + MB)) ]
release

grows "wp_page_copy|do_wp_page" $((16 * MB)) \
	"memory copied on write after fork" hold cow 16
release

check "memo and unwinder agree on $(prof_stat verified) events" \
	[ "$(cat /sys/kernel/mmkit/allocprof/verify_mismatches)" = 0 ]
check "the books close" books_close
unload mmkit_allocprof mmkit
