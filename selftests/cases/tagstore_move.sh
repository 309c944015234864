# SPDX-License-Identifier: GPL-2.0-only
# Tagged pages move when somebody wants the memory where they are: to pages with room, with data and
# tags, or not at all. And when the fuse blows nothing is lent, tags or no tags.
# vm: arch=arm64 mem=1056M dtb=tagstore_small smp=2 emulator=backports check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/tagstore.sh

test=/sys/module/mmkit_test_tagstore/parameters/run
nothing_lent() { [ "$(tagstore lent_bytes)" = 0 ]; }

load_tagstore || exit 1
watch_tags || exit 1
load mmkit_test_tagstore storage=$storage_start storage_bytes=$storage_size tagged=$ram_start cma=1
/mmkit/bin/mte_paths hold 64 > /tmp/held 2>&1 &
holder=$!
wait_for 60 grep -q ready /tmp/held || fail "a program uses tags"

# Runs of blocks, all of whose pages are reserved, each with the tags of so much as one chunk at least.
awk '$1 == "blocks" { split($2, b, "-"); n = b[2] - b[1] + 1; if (n >= 16 && $4 == n * 32) print b[1] }' \
	$mmkit_debugfs/tagstore/blocks > /tmp/runs
watched_again
hits=$(tagstat pool_hits)
refused=0
while read -r block; do
	echo "move $((block * 32)) 512" > $test || refused=$((refused + 1))
done 2> /dev/null < /tmp/runs
moved=$(watched mte_copy_page_tags)
hits=$(($(tagstat pool_hits) - hits))
echo "$(grep -c . /tmp/runs) chunks wanted, $refused times not had, $moved pages moved, $hits to the pool," \
	"$(tagstat kept_from_migration) stayed"
check "$moved tagged pages moved, none to a page without room" \
	[ "$moved" -ge 256 -a "$(watched violations)" = 0 ] || violations
check "the pool is where they went" [ $hits -ge $moved -a $hits -gt 0 ]
walk
check "all $(walked tagged_pages) of them have room" [ "$(walked violations)" = 0 -a "$(walked tagged_pages)" -ge 16384 ] ||
	cat /tmp/walked
check "no late reservation" [ "$(tagstore late_reservations)" = 0 ]

# --- the fuse ---
echo fuse > $test
expect_dmesg 'fuse of tagstore has blown'
check "with a blown fuse nothing is lent" wait_for 20 nothing_lent
watched_again
check "tags can be used" /mmkit/bin/mte_paths first_touch mprotect cow tmpfs_shared
check "and have room ($(watched checked) writes)" [ "$(watched violations)" = 0 -a "$(watched checked)" -gt 1000 ] || violations
kill -USR1 $holder
wait $holder
check "data and tags are what they were: $(tail -n 1 /tmp/held)" grep -qx "16384 pages, 0 wrong" /tmp/held
echo 1 > $tagstore/drain
check "also when nothing is tagged any more" nothing_lent
unload mmkit_test_tagstore mmkit_tagstore
