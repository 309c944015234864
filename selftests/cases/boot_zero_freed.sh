# SPDX-License-Identifier: GPL-2.0-only
# All modules where each page is zeroed when it is freed, there are no transparent huge pages, and
# memory cgroups do not count what the kernel has for itself.
# vm: timeout=120 check=7.2,7.3-arm64 append="init_on_alloc=0 init_on_free=1 transparent_hugepage=never cgroup.memory=nokmem"
. /mmkit/lib.sh
. /mmkit/everything.sh

check "free pages are zeroed" sh -c "dmesg | grep -q 'mem auto-init.*heap free:on'"
check "no huge pages" grep -qF '[never]' /sys/kernel/mm/transparent_hugepage/enabled
everything
