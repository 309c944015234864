# SPDX-License-Identifier: GPL-2.0-only
# A machine without tag storage.
# vm: arch=arm64 mem=2112M smp=2 check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh

want_errno ENODEV tagstore simulate=1
expect_dmesg "no tag storage: the device tree describes none"
