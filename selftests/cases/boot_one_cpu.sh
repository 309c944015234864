# SPDX-License-Identifier: GPL-2.0-only
# All modules on a machine with one CPU; on amd64 its page tables have five levels.
# vm: smp=1 timeout=120 check=6.1,7.3-arm64
. /mmkit/lib.sh
. /mmkit/everything.sh

check "there is one CPU" [ "$(cat /sys/devices/system/cpu/online)" = 0 ]
[ "$(uname -m)" != x86_64 ] || check "page tables have five levels" grep -qw la57 /proc/cpuinfo
everything
