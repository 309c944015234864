# SPDX-License-Identifier: GPL-2.0-only
# Pages of /dev/mmkit_secret go from user to user, and to the kernel, without what was in them: whether
# their owner leaves, unmaps a part, forks, or is killed while it touches them.
# vm: timeout=120 check=7.3-amd64,6.1-arm64
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh

device=/dev/mmkit_secret
peek=/sys/kernel/debug/mmkit_test_peek

# look_at FRAME | PID ADDRESS: one line, "pfn N direct yes|no nonzero N first HEX"
look_at() { echo "$*" > $peek && tr '\n' ' ' < $peek; }

um_load
load mmkit_test_peek
chmod 666 $device
before=$(um_stat refills)
check "$(often 512 5000) processes of four users" /mmkit/bin/secret users "$(often 512 5000)"
handed=$(um_stat hits)
taken=$((($(um_stat refills) - before) * block_pages))
check "pages went round: $handed were handed out of at most $taken" [ "$handed" -gt $((taken * 4)) ]
check "nothing is left of them" [ "$(um_value in_use_bytes):$(um_value quarantined_bytes)" = 0:0 ]

truncate -s 16M /tmp/shared
chmod 666 /tmp/shared
MMKIT_SECRET=/tmp/shared /mmkit/bin/secret users 16
check "in a file that they share each finds what the others wrote" [ $? = 1 ]
rm /tmp/shared

# --- what the kernel gets ---
: > /tmp/held
/mmkit/bin/secret hold 64 > /tmp/held &
holder=$!
wait_for 10 grep -q ready /tmp/held
read -r _ pid address _ < /tmp/held
for i in $(seq 0 63); do
	look_at "$pid" "$(printf %x $((0x$address + i * page)))"
	echo
done > /tmp/secret
{ kill -KILL "$pid"; wait $holder; } 2> /dev/null
check "64 pages held a secret each" \
	[ "$(awk -v all="$page" '$4 == "no" && $6 == all { print $8 }' /tmp/secret | sort -u | wc -l)" -gt 4 ]
check "all blocks go back to the kernel" um_empty
while read -r _ frame _ _ _ _ _ was; do
	set -- $(look_at "$frame")
	[ "$4" = yes ] || echo "frame $frame is not in the direct map"
	[ "$8" != "$was" ] || echo "frame $frame holds what it held"
done < /tmp/secret > /tmp/wrong
check "the kernel has its pages back, and nothing of what was in them" [ ! -s /tmp/wrong ]
unload mmkit_test_peek
um_unload
