# SPDX-License-Identifier: GPL-2.0-only
# The fuse: one WARN, one disarm, visible, and gone with its module.
. /mmkit/lib.sh
. /mmkit/suite.sh

load mmkit
load mmkit_test_fuse
expect_dmesg 'mmkit: fuse of test has blown: a test blows this fuse on purpose'
expect_dmesg 'test is disarmed until its module is loaded again'
module_results mmkit_test_fuse
check "components shows the blown fuse" grep -q \
	'^test  *blown .* a test blows this fuse on purpose' /sys/kernel/debug/mmkit/components
check "so does sysfs" grep -q '^blown: a test blows' /sys/kernel/mmkit/test/state
unload mmkit_test_fuse
check "with the module the component is gone" [ ! -e /sys/kernel/mmkit/test ]
unload mmkit
