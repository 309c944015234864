# SPDX-License-Identifier: GPL-2.0-only
# All modules on a CPU of the first generation: no memory tags, no landing pads, no signed pointers.
# vm: arch=arm64 timeout=120 check=6.1,7.3 qemu="-machine mte=off -cpu cortex-a72"
. /mmkit/lib.sh
. /mmkit/everything.sh

check "the CPU has no tags, landing pads or signed pointers" sh -c "! grep -Eqw 'mte|bti|paca' /proc/cpuinfo"
everything
