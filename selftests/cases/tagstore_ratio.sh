# SPDX-License-Identifier: GPL-2.0-only
# A node that is wrong.
# vm: arch=arm64 mem=2112M smp=2 dtb=tagstore_ratio check=7.2
. /mmkit/lib.sh
. /mmkit/suite.sh

want_errno EINVAL tagstore simulate=1
expect_dmesg "tag-storage@c0000000 .storage 0xc0000000.0x2000000, memory 0x40000000.0x80000000.*1/32"
