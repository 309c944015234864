# SPDX-License-Identifier: GPL-2.0-only
# A page that comes back from swap without tags needs no room, though there may be some: it keeps no
# storage, and does not keep the manager from going.
# vm: arch=arm64 mem=1056M dtb=tagstore_small smp=2 check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/tagstore.sh

trap tidy_paths EXIT
prepare_paths
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
