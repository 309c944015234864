# SPDX-License-Identifier: GPL-2.0-only
# A node of the other form, in memory that cannot be lent.
# vm: arch=arm64 mem=2112M smp=2 dtb=tagstore_memory check=6.12,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh

want_errno EOPNOTSUPP tagstore simulate=1
expect_dmesg "tag-storage@c0000000 .*block 0x2000.*not lendable on this kernel, add shared-dma-pool"
