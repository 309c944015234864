# SPDX-License-Identifier: GPL-2.0-only
# All modules where free pages are filled with a pattern, which is looked at when they are used again,
# and each cache of slabs is on its own.
# vm: timeout=120 check=6.1,7.2-arm64 append="init_on_alloc=1 page_poison=1 slab_nomerge"
. /mmkit/lib.sh
. /mmkit/everything.sh

check "pages are poisoned" sh -c "dmesg | grep -q 'PAGE_POISONING is on, will take precedence'"
everything
check "nobody wrote to a free page" sh -c "! dmesg | grep -E 'pagealloc: (memory corruption|single bit error)'"
