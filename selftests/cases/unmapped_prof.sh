# SPDX-License-Identifier: GPL-2.0-only
# Whose pages they are: those that are out belong to who asked, the others to the cache; books close.
# vm: timeout=180
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh

load mmkit
load mmkit_allocprof verify=1
um_load

check "nothing is cached" um_empty
check "and nothing is anybody's" [ "$(prof_bytes '.*unmapped_idle.*')" = 0 ]
echo 3 > $um/prefill
check "what is cached is the cache's" [ "$(prof_bytes '.*unmapped_idle.*')" = $((3 * block_bytes)) ]
um_do hold 100
um_do hold 10 3
um_do hold 5 0 2
out=$(((100 + 80 + 5) * page))
check "what is out is its owner's" [ "$(prof_bytes hold_chunk)" = $out ]
check "the rest is the cache's" [ "$(prof_bytes '.*unmapped_idle.*')" = $((3 * block_bytes - out)) ]
check "in two pieces of the table" [ "$(grep -c 'unmapped_idle' $prof/allocinfo)" = 1 ]
check "nobody else of the suite has any" [ "$(awk '/ \[mmkit_unmapped\] / && !/unmapped_idle/ {
	sum += $1 } END { print (sum > 4194304) }' $prof/allocinfo)" = 0 ]
check "the books close" books_close
um_empty
um_do hold 100
check "after a refill, too" [ "$(prof_bytes hold_chunk)" = $((out + 100 * page)) ]
um_do drop 1
check "what was freed is its owner's no more" [ "$(prof_bytes hold_chunk)" = 0 ]
check "but the cache's" [ "$(prof_bytes '.*unmapped_idle.*')" = "$(um_value cached_bytes)" ]
um_empty
check "until it goes" [ "$(prof_bytes '.*unmapped_idle.*')" = 0 ]
check "the books close again" books_close

# --- the profiler comes later, and goes earlier ---
um_do hold 50
unload mmkit_allocprof
um_do hold 50
load mmkit_allocprof verify=1
check "the books close with pages that were out before" books_close
um_do drop
um_do hold 70
check "what comes later is its owner's" [ "$(prof_bytes hold_chunk)" = $((70 * page)) ]
unload mmkit_allocprof
um_do drop
load mmkit_allocprof
um_empty
check "no number is negative" sh -c "! awk 'NR > 2 && (\$1 < 0 || \$2 < 0)' $prof/allocinfo | grep ."
check "the books close at last" books_close
unload mmkit_test_unmapped mmkit_unmapped
check "the fuse is whole" grep -qx ok $prof_sysfs/state
unload mmkit_allocprof mmkit
