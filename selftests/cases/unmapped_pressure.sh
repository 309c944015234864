# SPDX-License-Identifier: GPL-2.0-only
# Memory runs short: the cache gives back what is free before anybody is killed, and no more than asked.
# vm: mem=512M timeout=300 check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh

mb() { echo $(($1 / 1024 / 1024)); }

um_load
echo $((192 << 20)) > $um/max_cached_bytes
blocks=$((160 * 1024 * 1024 / block_bytes))
check "160 MB are cached" sh -c "echo $blocks > $um/prefill"
um_do hold 100
um_do fill
in_use=$(um_value in_use_bytes)
cached=$(um_value cached_bytes)

# --- a little more than there is ---
need=$(($(mem_free_kb) / 1024 + 8))
hold anon $need
left=$(um_value cached_bytes)
echo "$(um_stat shrink_queued_pages) pages queued, $(um_stat released_pages) released"
check "$need MB were had ($(mb $cached) MB cached before, $(mb $left) MB after)" [ -n "$holder" ]
check "for which the cache has shrunk" [ $left -lt $cached ]
check "but not by more than half" [ $left -gt $((cached / 2)) ]
check "nobody was killed for it" sh -c "! dmesg | grep -q 'Out of memory'"
um_do look
release
given_back() { [ "$(um_stat shrink_queued_pages)" -le "$(um_stat released_pages)" ]; }
check "what was handed to reclaim has been given back" wait_for 10 given_back
sleep 1
later=$(um_value cached_bytes)
check "afterwards the cache stays as large ($(mb $later) MB)" [ $later -gt $((cached / 3)) ]

# --- nearly all there is ---
need=$((($(mem_free_kb) + $(um_value cached_bytes) / 1024) / 1024 - 40))
hold anon $need
left=$(um_value cached_bytes)
echo "$(um_stat shrink_queued_pages) pages queued, $(um_stat released_pages) released"
check "$need MB were had, $(mb $left) MB stay cached" [ $left -lt $((later / 2)) ]
check "nobody was killed for that" sh -c "! dmesg | grep -q 'Out of memory'"
check "what is in use stays in use" [ "$(um_value in_use_bytes)" = $in_use ]
um_do look
release

# --- more than there is ---
echo 1 > /proc/sys/vm/overcommit_memory
check "some are cached again" sh -c "echo 20 > $um/prefill"
/mmkit/bin/touch_pages anon 600 > /dev/null &
wait $!
check "who asks for more than there is is killed" [ $? -eq 137 ]
check "as the kernel says" sh -c "dmesg | grep -q 'Out of memory: Killed process .*touch_pages'"
echo 0 > /proc/sys/vm/overcommit_memory
expect_dmesg 'touch_pages( invoked oom-killer|: page allocation failure)|Out of memory: Killed .*touch_pages'
check "but not before all that was free went back" [ "$(um_value cached_bytes)" -lt $block_bytes ]
check "what is in use stays in use again" [ "$(um_value in_use_bytes)" = $in_use ]
um_do look
um_do hold 100
um_do drop
check "the fuse is whole" um_whole
um_unload
