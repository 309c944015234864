# SPDX-License-Identifier: GPL-2.0-only
# Symbol tables: found, missing and ambiguous names, text ranges.
. /mmkit/lib.sh
. /mmkit/suite.sh

load mmkit
module_test mmkit_test_ksym
check "symbols lists every row with its prototype" \
	grep -q '^core  *vunmap_range  *required found .* void (unsigned long addr' \
	/sys/kernel/debug/mmkit/symbols
check "symbols prints no kernel address" sh -c \
	'! grep -qE "ffff[0-9a-f]{12}" /sys/kernel/debug/mmkit/symbols'
unload mmkit
