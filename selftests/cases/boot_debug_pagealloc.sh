# SPDX-License-Identifier: GPL-2.0-only
# All modules where the kernel itself takes each free page out of the direct map, which is made of single
# pages for that.
# vm: timeout=300 kernels=6.12-debug append="init_on_alloc=0 debug_pagealloc=on"
. /mmkit/lib.sh
. /mmkit/everything.sh

check "the direct map has single pages only" [ "$(awk '/^DirectMap[24]M/ { print $2 }' /proc/meminfo)" = 0 ]
everything
