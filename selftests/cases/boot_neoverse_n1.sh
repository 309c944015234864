# SPDX-License-Identifier: GPL-2.0-only
# All modules on a CPU of servers: atomic instructions, but no memory tags and no landing pads.
# vm: arch=arm64 timeout=120 check=6.12,7.2 qemu="-machine mte=off -cpu neoverse-n1"
. /mmkit/lib.sh
. /mmkit/everything.sh

check "the CPU has atomics, no tags or landing pads" sh -c "grep -qw atomics /proc/cpuinfo && ! grep -Eqw 'mte|bti' /proc/cpuinfo"
everything
