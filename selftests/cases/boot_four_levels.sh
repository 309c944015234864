# SPDX-License-Identifier: GPL-2.0-only
# All modules on a CPU whose page tables have four levels.
# vm: arch=amd64 timeout=120 check=6.1,7.3 qemu="-cpu max,la57=off"
. /mmkit/lib.sh
. /mmkit/everything.sh

check "page tables have four levels" sh -c "! grep -qw la57 /proc/cpuinfo"
everything
