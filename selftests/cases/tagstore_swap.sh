# SPDX-License-Identifier: GPL-2.0-only
# What comes back from swap. Without tags it needs no room, though there may be some: it keeps no storage,
# and does not keep the manager from going. With tags it has room, wherever it was read to before.
# vm: arch=arm64 mem=1056M dtb=tagstore_small smp=2 timeout=240 check=6.1,6.12,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/tagstore.sh

trap tidy_paths EXIT
prepare_paths
# For a while the kernel would keep more free than there is beside storage.
echo 0 > /proc/sys/vm/watermark_boost_factor
load_tagstore || exit 1
watch_tags || exit 1
check "before: nothing is tagged, nothing is kept" at_rest
/mmkit/bin/mte_paths plain 16 > /tmp/plain 2>&1 &
plain=$!
wait_for 60 grep -q ready /tmp/plain
check "swapped in among tagged pages: $(head -n 1 /tmp/plain)" \
	grep -Eqx '[1-9][0-9]{3} swapped out, [1-9][0-9]{3} are back, 0 wrong' /tmp/plain
check "no tag without room ($(watched checked) writes)" \
	[ "$(watched violations)" = 0 -a "$(watched checked)" -gt 1000 ] || violations
check "no late reservation" [ "$(tagstore late_reservations)" = 0 ]
check "what has no tags keeps no storage" at_rest || cat $mmkit_debugfs/tagstore/blocks
check "and the manager goes" wait_for 10 tagstore_goes
kill $plain
wait $plain

# swapped HOLD MEGABYTES: a program has so many tagged pages, and most of them are swapped out
swapped() {
	/mmkit/bin/mte_paths $1 $2 > /tmp/held 2>&1 &
	holder=$!
	wait_for 60 grep -q ready /tmp/held || fail "a program has tagged pages before the manager is there"
	kill -USR2 $holder
	wait_for 20 grep -q 'swapped out' /tmp/held
}

# short: what is free is storage for the most part, so that readahead takes pages of it
short() {
	: > /tmp/touched
	/mmkit/bin/touch_pages anon $(($(meminfo MemFree) / 1024 - 72)) > /tmp/touched &
	toucher=$!
	wait_for 60 grep -q ready /tmp/touched
}

plenty() {
	kill $toucher
	wait $toucher
} 2> /dev/null

# ahead HOLD WHAT: such pages of a program are read ahead, without the manager's doing
ahead() {
	swapped $1 16
	load_tagstore || exit 1
	short
	watched_again
	free=$(meminfo CmaFree)
	kill -HUP $holder
	check "$2: they are read ahead" wait_for 20 grep -q 'read ahead' /tmp/held
	echo "$2: $((free - $(meminfo CmaFree))) kB more of storage are in use, of $free; $(meminfo MemFree) kB are free"
}

# right WHAT: they have their data and tags, and room
right() {
	kill -USR1 $holder
	wait $holder
	check "$1: $(tail -n 1 /tmp/held)" grep -Eqx '[0-9]+ pages, 0 wrong' /tmp/held
	check "$1: $(watched mte_restore_page_tags) with tags, none without room" \
		[ "$(watched mte_restore_page_tags)" -ge 1000 -a "$(watched violations)" = 0 ] || violations
	check "$1: no late reservation" [ "$(tagstore late_reservations)" = 0 ]
	check "$1: the fuse is whole" sh -c "! grep '^blown' $tagstore/state"
	check "$1: nothing is kept" at_rest
}

ahead hold "pages of a process"
right "pages of a process"
plenty
unload mmkit_tagstore

ahead hold_shared "pages of tmpfs"
right "pages of tmpfs"
plenty
unload mmkit_tagstore

# It brings back all, wherever that was read to.
ahead hold "before swapoff"
check "there is no more swap" swapoff /dev/zram0
right "back when there was no more swap"
plenty
check "and the manager goes again" wait_for 10 tagstore_goes
