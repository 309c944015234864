# vm: arch=arm64 mem=2112M smp=2 
# SPDX-License-Identifier: GPL-2.0-only
#
# A machine without tag storage.

. ./lib.sh
. ./suite.sh

want_errno ENODEV tagstore simulate=1
expect_dmesg "no tag storage: the device tree describes none"
