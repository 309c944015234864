# SPDX-License-Identifier: GPL-2.0-only
# A node of the other form, in memory that can be lent.
# vm: arch=arm64 mem=2112M smp=2 dtb=tagstore_memory_pool check=6.1,7.2
. /mmkit/lib.sh
. /mmkit/suite.sh

load tagstore simulate=1 || exit
check "the node is a region" grep -q "^region 0 storage 0xc0000000 bytes 67108864 serves 0x40000000 bytes 2147483648 block 8192 in cma" \
	$mmkit_debugfs/tagstore/blocks
