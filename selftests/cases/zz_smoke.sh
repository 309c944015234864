# SPDX-License-Identifier: GPL-2.0-only
. /mmkit/lib.sh
. /mmkit/suite.sh
u=/sys/kernel/mmkit/unmapped
load mmkit_unmapped
cat $mmkit_debugfs/components
grep direct_map /proc/vmstat; grep Direct /proc/meminfo
free_kb
echo 8 > $u/prefill
cat $mmkit_debugfs/unmapped/cache $mmkit_debugfs/unmapped/stats
grep . $u/*
grep direct_map /proc/vmstat; grep Direct /proc/meminfo
free_kb
cat > /dev/null /proc/kpageflags
echo 1 > $u/drain
cat $mmkit_debugfs/unmapped/cache $mmkit_debugfs/unmapped/stats
grep direct_map /proc/vmstat; grep Direct /proc/meminfo
free_kb
ls -l /dev/mmkit_secret
pass x
unload mmkit_unmapped
