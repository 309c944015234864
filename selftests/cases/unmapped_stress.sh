# SPDX-License-Identifier: GPL-2.0-only
# Four threads take unmapped pages and give them back, while the cache is filled, emptied and shrunk.
# vm: timeout=900
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh

# Everything that can be asked of the cache from outside; only what has no room or no memory may fail.
meddle() {
	local largest=$(um_value max_cached_bytes) words=0
	while ! um_stress_done; do
		echo $((block_bytes * 2)) > $um/max_cached_bytes || echo max_cached_bytes
		cat $um_debugfs/cache $um_debugfs/stats $um/* > /dev/null 2>&1
		echo $largest > $um/max_cached_bytes || echo max_cached_bytes
		[ $((words % 3)) -ne 0 ] || echo 4 2> /dev/null > $um/prefill
		echo 1 > $um/drain || echo drain
		echo 2 > /proc/sys/vm/drop_caches
		words=$((words + 1))
		usleep 20000
	done
	echo $words > /tmp/meddled
}

load mmkit
load mmkit_unmapped
um_empty
free_kb > /dev/null
before=$(free_kb)
um_stress ops=$(often 20000 2000000)
meddle > /tmp/meddle
check "the cache does what it is told meanwhile, $(cat /tmp/meddled) times" [ ! -s /tmp/meddle ]
um_stress_end
check "the cache says of none that it split anything" \
	[ "$(um_stat fallbacks)" != 0 -o "$(um_stat splits_2m)" = 0 ]
check "nothing is in use" [ "$(um_value in_use_bytes)" = 0 ]
echo "hits $(um_stat hits), misses $(um_stat misses), refills $(um_stat refills), scrubs $(um_stat scrubs)"
check "some were had from the cache, some were not" \
	[ "$(um_stat hits)" -gt 1000 -a "$(um_stat misses)" -gt 5 ]
check "everything can be given back" um_empty
check "no block is left" [ "$(um_value blocks)" = 0 ]
check "nothing is kept back" [ "$(um_value quarantined_bytes)" = 0 ]
memory_is_back $before 4096
check "the fuse is whole" um_whole
unload mmkit_unmapped mmkit
