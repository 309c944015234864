# SPDX-License-Identifier: GPL-2.0-only
# The control of tagstore_paths: with nobody who makes room for tags, the checker must object to
# every one of the same paths, and the paths themselves must work on a plain kernel. The machine
# describes no storage, so that no manager has been there before.
# vm: arch=arm64 mem=1056M emulator=backports timeout=300 check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/tagstore.sh

# What the checker thinks of as kept can be memory of the kernel, which was in the storage before.
objects() {
	local seen=$(watched checked) bad=$(watched violations)
	check "$1: the checker objects ($bad of $seen writes)" [ $bad -gt 1 -a $((bad * 10)) -ge $((seen * 9)) ]
	[ "$(watched missed)" = 0 ] || fail "$1: $(watched missed) writes were not looked at"
}

check "a description that cannot be is refused" sh -c "! insmod /mmkit/ko/mmkit_test_tagwatch.ko \
	storage=$storage_start storage_bytes=$storage_size tagged=$ram_start tagged_bytes=4096"
expect_dmesg 'mmkit_test_tagwatch: storage is not 1/32'

trap tidy_paths EXIT
prepare_paths
watch_tags || exit 1
each_path objects
for routine in $(awk '/^mte_/ { print $1 }' $tagwatch/counts); do
	check "$routine was seen" awk -v r=$routine '$1 == r { n += $2 } END { exit !n }' /tmp/counts
done

/mmkit/bin/mte_paths hold 64 > /tmp/held &
holder=$!
wait_for 20 grep -q ready /tmp/held
walk
check "a walk finds tagged pages without room ($(walked violations) of $(walked tagged_pages))" \
	[ "$(walked violations)" -ge $(((64 << 20) / $(page_bytes) * 9 / 10)) ]
kill $holder
unload mmkit_test_tagwatch
expect_dmesg 'mmkit_test_tagwatch: [1-9][0-9]* violations'
