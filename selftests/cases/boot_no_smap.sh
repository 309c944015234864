# SPDX-License-Identifier: GPL-2.0-only
# All modules where the kernel can touch memory of programs, and there are no protection keys.
# vm: arch=amd64 timeout=120 check=6.1,7.2 append="init_on_alloc=0 nopku clearcpuid=smap"
. /mmkit/lib.sh
. /mmkit/everything.sh

check "the CPU has neither smap nor pku" sh -c "! grep -Eqw 'smap|ospke' /proc/cpuinfo"
everything
