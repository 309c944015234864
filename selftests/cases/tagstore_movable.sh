# SPDX-License-Identifier: GPL-2.0-only
# Storage in memory that the kernel keeps movable.
# vm: arch=arm64 mem=2112M smp=2 append="init_on_alloc=0 movablecore=512M" check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/tagstore.sh

storage=$(movable_storage)
load tagstore simulate=1 "regions=$storage:2M:0x40000000" || exit
check "movable memory is a region" grep -q "^region 0 storage $storage bytes 2097152 .* in movable" \
	$mmkit_debugfs/tagstore/blocks
