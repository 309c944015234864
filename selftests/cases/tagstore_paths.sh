# SPDX-License-Identifier: GPL-2.0-only
# Every way in which a page becomes tagged, with the manager: no tag is written before there is room
# for it, which a checker sees that shares nothing with the manager, and afterwards nothing is kept.
# vm: arch=arm64 mem=1056M timeout=400 dtb=tagstore_small emulator=backports
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/tagstore.sh

no_objection() {
	check "$1: no tag without room ($(watched checked) writes)" \
		[ "$(watched violations)" = 0 -a "$(watched checked)" -gt 0 ] || violations
	[ "$(watched missed)" = 0 ] || fail "$1: $(watched missed) writes were not looked at"
	check "$1: no late reservation" [ "$(tagstore late_reservations)" = 0 ]
	walk
	check "$1: none in a walk" [ "$(walked violations)" = 0 ] || cat /tmp/walked
}

# While the paths are taken somebody looks at all pages again and again.
walk_on() {
	while [ ! -e /tmp/enough ]; do
		cat $tagwatch/walk | grep -E '^(violations|tagged_pages)' >> /tmp/walks
		usleep 200000
	done
}

trap tidy_paths EXIT
prepare_paths
load_tagstore || exit 1
watch_tags || exit 1
check "before: nothing is tagged, nothing is kept" at_rest
each_path no_objection
check "after all paths: nothing is tagged, nothing is kept" at_rest

# All of them at once, one after the other in each of four, while the pages are walked.
walk_on &
walker=$!
watched_again
for order in "cow thp_fault mremap" "mprotect thp_mprotect brk" "tmpfs_shared tmpfs_private thp_split" \
	"churn swap_anon thp_collapse"; do
	/mmkit/bin/mte_paths $order > "/tmp/said.${order%% *}" 2>&1 &
	jobs="$jobs $!"
done
failed=0
for job in $jobs; do wait $job || failed=1; done
> /tmp/enough
wait $walker
cat /tmp/said.*
check "side by side: data and tags are right" [ $failed = 0 ]
check "side by side: no tag without room ($(watched checked) writes)" \
	[ "$(watched violations)" = 0 -a "$(watched checked)" -gt 10000 ] || violations
check "side by side: no late reservation" [ "$(tagstore late_reservations)" = 0 ]
check "side by side: $(grep -c ^violations /tmp/walks) walks see no violation" \
	awk '$1 == "violations" { n++; bad += $2 } END { exit bad || !n }' /tmp/walks
check "side by side: and saw pages that are tagged" \
	awk '$1 == "tagged_pages" { n += $2 } END { exit !n }' /tmp/walks
check "after all that: nothing is tagged, nothing is kept" at_rest
