# SPDX-License-Identifier: GPL-2.0-only
# The shrinkers asked by hand: what they count is what can be freed, what they say they freed is free,
# it is no more than was asked for, and never more than there is.
# vm: timeout=120 check=6.1-amd64
# vm-amd64: mem=512M
# vm-arm64: mem=1056M dtb=tagstore_small
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh
. /mmkit/jit.sh
. /mmkit/tagstore.sh

[ "$(grep -c ' shrinker_list$' /proc/kallsyms)" = 1 ] || skip "this kernel has no name, or several, for its list of shrinkers"

counted() { tell shrink count $1; answer shrink count; }
freed() { tell shrink scan $1 $2; answer shrink freed; }

# --- the cache of unmapped pages: pages, given in blocks ---
um_load
load mmkit_test_shrink || exit
um_empty
check "an empty cache counts nothing" [ "$(counted mmkit_unmapped)" = empty ]
check "and has nothing to free" [ "$(freed mmkit_unmapped 1)" = stop ]

echo 6 > $um/prefill
um_do hold 1
um_do fill
whole=$((($(um_value cached_bytes) / block_bytes) * block_pages))
check "it counts its $whole pages of whole blocks, and not the rest of the one in use" \
	[ "$(counted mmkit_unmapped)" = $whole -a "$(um_value cached_bytes)" -gt $((whole * page)) ]
check "ninety-nine pages are less than a block: nothing goes" [ "$(freed mmkit_unmapped 99)" = 0 ]
check "nor is there less" [ "$(counted mmkit_unmapped)" = $whole ]
check "but they are remembered: with the rest of a block asked for it goes" \
	[ "$(freed mmkit_unmapped $((block_pages - 100)))" = $block_pages ]
check "and is counted no more" [ "$(counted mmkit_unmapped)" = $((whole - block_pages)) ]
check "of two and a half blocks two go" \
	[ "$(freed mmkit_unmapped $((block_pages * 5 / 2)))" = $((block_pages * 2)) ]
check "of all the pages in the world go those that are there" \
	[ "$(freed mmkit_unmapped 1000000000)" = $((whole - 3 * block_pages)) ]
check "then none is left to count" [ "$(counted mmkit_unmapped)" = empty ]
check "and no more is freed" [ "$(freed mmkit_unmapped 1000000000)" = stop ]
given_back() { [ "$(um_stat shrink_queued_pages)" = $whole -a "$(um_stat released_pages)" -ge $whole ]; }
check "all that was said to be free is given back" wait_for 10 given_back
um_do look
echo 3 > $um/prefill
check "of what was asked for in vain no more than a block is remembered" \
	[ "$(freed mmkit_unmapped 1)" -le $block_pages ]

# By several at once, while others take and give: never more than there was.
um_stress ops=$(often 4000 60000)
queued=$(um_stat shrink_queued_pages)
rm -f /tmp/freed
while ! um_stress_done; do
	freed mmkit_unmapped $block_pages >> /tmp/freed
	freed mmkit_unmapped $((block_pages / 3)) >> /tmp/freed
done
sum=$(awk '{ n += $1 } END { print n + 0 }' /tmp/freed)
queued=$(($(um_stat shrink_queued_pages) - queued))
check "under load $(grep -c . /tmp/freed) scans freed $sum pages, of which the cache knows ($queued)" \
	[ $sum -le $queued -a $sum -gt 0 ]
um_stress_end
given_back() { [ "$(um_stat shrink_queued_pages)" -le "$(um_stat released_pages)" ]; }
check "and all of them are given back" wait_for 10 given_back
um_do look
um_do drop
echo 1 > $um/drain
check "nothing is cached, nothing is lost" [ "$(um_value cached_bytes) $(um_value quarantined_bytes)" = "0 0" ]
check "the fuse is whole" um_whole
unload mmkit_test_unmapped mmkit_unmapped

# --- the pool of the tag-storage manager ---
suite | grep -qx mmkit_tagstore || { unload mmkit_test_shrink mmkit; exit; }
load_tagstore && watch_tags || exit
pool() { echo $(($(tagstore pool_bytes) / page)); }
at_rest
check "an empty pool counts nothing" [ "$(counted mmkit_tagstore)" = empty ]
check "and has nothing to free, either" [ "$(freed mmkit_tagstore 10)" = stop ]
/mmkit/bin/mte_paths first_touch
there=$(pool)
check "a pool of $there pages counts them" [ $there -gt 20 -a "$(counted mmkit_tagstore)" = $there ]
check "ten are freed of them" [ "$(freed mmkit_tagstore 10)" = 10 ]
check "and are not there any more" [ "$(pool) $(counted mmkit_tagstore)" = "$((there - 10)) $((there - 10))" ]
check "and then the rest" [ "$(freed mmkit_tagstore 1000000000)" = $((there - 10)) ]
check "so that it is empty" [ "$(pool) $(counted mmkit_tagstore)" = "0 empty" ]
check "tags are as good as before" /mmkit/bin/mte_paths first_touch cow mprotect
check "no tag without room ($(watched checked) writes)" [ "$(watched violations)" = 0 ] || violations
check "afterwards nothing is tagged, nothing is kept" at_rest
