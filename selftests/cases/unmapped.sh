# SPDX-License-Identifier: GPL-2.0-only
# The cache of unmapped pages keeps what its header promises.
# vm: timeout=180
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh

# Free chunks, block by block, make up what is cached.
table_adds_up() {
	awk -v cached="$(um_value cached_bytes)" -v blocks="$(um_value blocks)" -v page=$page '
		/^Node [0-9]+$/ { nodes++ }
		$1 == "Order:" { cols = NF; for (i = 2; i <= NF; i++) if ($i != i - 2) bad = "order" }
		$1 == "Free:" { for (i = 2; i <= NF; i++) { size = i == 2 ? page : 2 * size; free += $i * size } }
		$1 == "Cached:" { for (i = 2; i <= NF; i++) have += $i }
		/^(Free|Cached|Refilled|Released):/ { rows++; if (NF != cols) bad = "columns" }
		END {
			if (!nodes || rows != 4 * nodes) bad = "rows"
			if (free != cached) bad = "free chunks: " free " bytes, " cached " are cached"
			if (have != blocks) bad = have " blocks, sysfs says " blocks
			if (bad) print bad
			exit bad != ""
		}' $um_debugfs/cache
}

um_load
free_kb > /dev/null
before=$(free_kb)
splits=$(vmstat direct_map_level2_splits)

um_do api
um_do contents
um_do borrowed
um_do local
um_do api
check "the table adds up" table_adds_up
check "the kernel has split nothing of the direct map" \
	[ "$(vmstat direct_map_level2_splits)" = $splits ]
check "nor does the cache say so" [ "$(um_stat splits_2m)" = 0 ]

# --- who may not sleep ---
check "an empty cache" um_empty
misses=$(um_stat misses)
um_do dry
check "has missed" [ "$(um_stat misses)" -gt $misses ]
check "and is empty still" [ "$(um_value blocks)" = 0 ]
echo 1 > $um/prefill
check "one block is cached" [ "$(um_value cached_bytes)" = $block_bytes -a "$(um_value blocks)" = 1 ]
check "the table adds up with it" table_adds_up
refills=$(um_stat refills)
um_do atomic
check "no block came while nobody could wait" [ "$(um_stat refills)" = $refills ]
um_do "hold 3 2"
check "the table adds up with pages out" wait_for 5 table_adds_up
um_do drop

# --- pages that are known to be zero are not zeroed again ---
all_clean() {
	[ $(($(um_stat scrubs) - scrubs)) -ge $block_pages ]
}
check "empty again" um_empty
echo 1 > $um/prefill
scrubs=$(um_stat scrubs)
um_do hold $block_pages
um_do fill
um_do drop
check "freed pages are scrubbed soon" wait_for 10 all_clean
zeroed=$(um_stat zeroed)
scrubs=$(um_stat scrubs)
um_do hold $block_pages 0 1
check "what was scrubbed is not zeroed again" [ "$(um_stat zeroed)" = $zeroed ]
um_do fill
um_do drop 1
check "what need not be scrubbed is not" [ "$(um_stat scrubs)" = $scrubs ]
um_do hold $block_pages 0 1
check "and is zeroed for who asks" [ $(($(um_stat zeroed) - zeroed)) -ge $block_pages ]
um_do drop 1

# --- a whole block at a time ---
um_empty
um_do hold 4 $block_order
um_do fill
um_do look
um_do drop
check "what is free goes back" um_empty
um_do back
check "the fuse is whole" um_whole
um_unload
memory_is_back $before 2048

# --- the cache goes while what was freed is still being scrubbed ---
for round in 1 2 3 4 5; do
	um_load
	um_do hold 4 $block_order
	um_do drop
	um_unload
done
later=$(free_kb)
check "each time all of it is given back ($later kB free)" [ "$later" -gt $((after - 2048)) ]
