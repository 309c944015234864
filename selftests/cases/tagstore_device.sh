# SPDX-License-Identifier: GPL-2.0-only
# Storage that a device has its memory in.
# vm: arch=arm64 mem=2112M smp=2 dtb=tagstore_device check=6.12
. /mmkit/lib.sh
. /mmkit/suite.sh

want_errno EOPNOTSUPP tagstore simulate=1
expect_dmesg "tag-storage@c0000000 .*not lendable: device /device has its memory there"
want_errno EOPNOTSUPP tagstore simulate=1 regions=0xc0200000:2M:0x40000000
expect_dmesg "0xc0200000.*not lendable: device /device has its memory there"
