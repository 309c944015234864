# SPDX-License-Identifier: GPL-2.0-only
# Where the kernel leaves itself writable (rodata=off). Linux 6.1 maps memory in large blocks then, of
# which it can change none: no page leaves the direct map. Later ones map it page by page all the same,
# for the sake of KFENCE, which can be switched on at any time, and everything works.
# vm: arch=arm64 timeout=120 check=6.1,7.3 append="init_on_alloc=0 rodata=off"
. /mmkit/lib.sh
. /mmkit/everything.sh

case $(uname -r) in
6.1.*) without_unmapped ;;
*) everything ;;
esac
