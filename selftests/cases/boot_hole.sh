# SPDX-License-Identifier: GPL-2.0-only
# All modules on a machine with a hole of gigabytes in its memory, with huge pages of 1 GiB, and of
# 2 MiB for whoever can have them.
# vm: arch=amd64 mem=3G timeout=120 check=6.12,7.3 append="init_on_alloc=0 hugepagesz=1G hugepages=1 transparent_hugepage=always" qemu="-machine max-ram-below-4g=1G"
. /mmkit/lib.sh
. /mmkit/everything.sh

check "memory begins again at 4 GiB" grep -qi '^ *100000000-[0-9a-f]* : System RAM' /proc/iomem
check "there is a page of 1 GiB" [ "$(cat /sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages)" = 1 ]
check "huge pages are for all" grep -qF '[always]' /sys/kernel/mm/transparent_hugepage/enabled
everything
