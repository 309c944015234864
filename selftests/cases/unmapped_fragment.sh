# SPDX-License-Identifier: GPL-2.0-only
# Memory in pieces: compaction is asked, then smaller pieces do, and a page is had while there is one.
# vm: mem=512M timeout=300 check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh

um_load
free_kb > /dev/null
before=$(free_kb)
um_do fragment
asked=$(($(vmstat compact_stall) + $(vmstat compact_fail)))
um_do blocks 100
check "compaction was asked for a large piece" \
	[ $(($(vmstat compact_stall) + $(vmstat compact_fail))) -gt $asked ]
fallbacks=$(um_stat fallbacks)
um_do hold 1000
# The kernel goes on compacting: what else it has made is used up first.
for try in $(seq 20); do
	[ "$(um_stat fallbacks)" -eq $fallbacks ] || break
	um_do blocks 100
	um_do hold 1000
done
check "1000 single pages are had, from small pieces ($(($(um_stat fallbacks) - fallbacks)))" \
	[ "$(um_stat fallbacks)" -gt $fallbacks ]
um_do hold 100 0 4
um_do fill
um_do look
failures=$(um_stat failures)
um_do blocks 100
check "what cannot be had is counted" [ "$(um_stat failures)" -gt $failures ]
um_do drop
check "all of it can be given back" um_empty
um_do defragment
check "no block is left" [ "$(um_value blocks)" = 0 ]
check "the fuse is whole" um_whole
um_do hold 600
um_do fill
um_do look
um_do drop
um_unload
memory_is_back $before 4096
