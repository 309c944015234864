# SPDX-License-Identifier: GPL-2.0-only
# As boot_rodata_off, with KFENCE on from the beginning: no kernel has a reason then to map memory page
# by page, and no page leaves the direct map. 6.1 has no KFENCE.
# vm: arch=arm64 timeout=120 check=7.2 append="init_on_alloc=0 rodata=off kfence.sample_interval=100"
. /mmkit/lib.sh
. /mmkit/everything.sh

without_unmapped
