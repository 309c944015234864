# SPDX-License-Identifier: GPL-2.0-only
# Storage that all devices take their memory from.
# vm: arch=arm64 mem=2112M smp=2 dtb=tagstore_default check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh

want_errno EOPNOTSUPP tagstore simulate=1
expect_dmesg "tag-storage@c0000000 .*linux,cma-default"
want_errno EOPNOTSUPP tagstore simulate=1 regions=0xc0000000:64M:0x40000000
expect_dmesg "0xc0000000.*area of all devices"
