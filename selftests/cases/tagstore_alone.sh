# SPDX-License-Identifier: GPL-2.0-only
# Storage that the device tree keeps for tags alone, which no module can change.
# vm: arch=arm64 mem=2112M smp=2 dtb=tagstore_alone check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh

want_errno EOPNOTSUPP tagstore simulate=1
expect_dmesg "tag-storage@c0000000 .*not lendable on this kernel, add shared-dma-pool"
