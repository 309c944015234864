# SPDX-License-Identifier: GPL-2.0-only
# The functions for modules, without the hooks: what pages need is reserved, neither more nor less,
# in any order and from any context that is allowed, and what fails changes nothing.
# vm: smp=2 timeout=120
# vm-amd64: mem=1G append="init_on_alloc=0 movablecore=256M nokaslr"
# vm-arm64: mem=1056M dtb=tagstore_small
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/tagstore.sh

test=/sys/module/mmkit_test_tagstore/parameters/run
blocks=$mmkit_debugfs/tagstore/blocks

# tell COMMAND...: to the test module, and what it answers
tell() { echo "$*" > $test && cat $test; }
# reserves ERRNO FIRST ORDER
reserves() { [ "$(tell reserve $2 $3)" = "$(_errno $1)" ]; }

nothing_lent() { [ "$(tagstore lent_bytes)" = 0 ]; }

# with_blocks PAGES: a block of storage is so large
with_blocks()
{
	load_simulated $1 linger_ms=100 || return
	load_test_tagstore $1 || return
	echo "blocks of $1 pages"
	echo api > $test
	module_results mmkit_test_tagstore
	unload mmkit_test_tagstore mmkit_tagstore
}

with_blocks 1
echo "<6>mmkit-case: begin $CASE" > /dev/kmsg
with_blocks 6

# A page of storage that is pinned. Block 100 holds the tags of pages 3200 to 3231.
load_simulated 1 linger_ms=60000 && load_test_tagstore 1 || exit
pages_of_block=32
busy=$((100 * pages_of_block))
tell pin 100 1 || fail "a page of storage can be pinned"
check "the block before it can be had" reserves 0 $((99 * pages_of_block)) 0
cat $blocks > /tmp/before
retries=$(tagstat retries) failures=$(tagstore reserve_failures)
check "pages whose storage is pinned cannot be reserved" reserves EBUSY $busy 0
retries=$(($(tagstat retries) - retries))
check "tried again $retries times, and then no more" [ $retries -ge 1 -a $retries -le 20 ]
check "it is counted" [ "$(tagstore reserve_failures)" = $((failures + 1)) ]
check "the blocks are as they were" diff /tmp/before $blocks
check "nor together with blocks that can be had" reserves EBUSY $((96 * pages_of_block)) 9
check "nor with those that are taken" reserves EBUSY $((99 * pages_of_block)) 6
echo 1 > $tagstore/drain
check "the blocks are as they were again" diff /tmp/before $blocks
check "other blocks can be had" reserves 0 $((101 * pages_of_block)) 5
check "far away, too" reserves 0 $((400 * pages_of_block)) 9
(echo "dying $busy 0" > $test) 2> /dev/null
expect_dmesg "mmkit_test_tagstore: ok - a task that dies gets EINTR"
tell free $((101 * pages_of_block)) 5
tell free $((400 * pages_of_block)) 9
echo 1 > $tagstore/drain
check "what failed and what was freed left nothing" diff /tmp/before $blocks
tell unpin
check "not pinned any more it can be had" reserves 0 $busy 0
check "with one page for it" [ "$(tagstore reserved_bytes)" = $((2 * $(page_bytes))) ]
rmmod mmkit_tagstore 2> /dev/null && fail "the manager goes while pages are reserved"
tell free $busy 0
tell free $((99 * pages_of_block)) 0
echo 1 > $tagstore/drain
check "at last all is lent" [ "$(tagstore reserved_bytes)" = 0 ]

# The fuse: what is taken stays so, nothing else can be reserved.
tell reserve $busy 0 > /dev/null
tell fuse
expect_dmesg "fuse of tagstore has blown: a page in tag storage carries tags"
check "the fuse takes all storage" wait_for 20 nothing_lent
check "nothing can be reserved any more" reserves EIO $((300 * pages_of_block)) 0
tell free $busy 0
echo 1 > $tagstore/drain
check "nothing is lent any more" nothing_lent
unload mmkit_test_tagstore mmkit_tagstore
