# SPDX-License-Identifier: GPL-2.0-only
# All modules with huge pages taken at boot that are smaller and larger than a block of the page
# tables, or of its very size.
# vm: timeout=120 check=7.3,6.1-arm64
# vm-amd64: append="init_on_alloc=0 hugepages=64 transparent_hugepage=always"
# vm-arm64: append="init_on_alloc=0 hugepagesz=64K hugepages=64 hugepagesz=32M hugepages=4 transparent_hugepage=always"
. /mmkit/lib.sh
. /mmkit/everything.sh

has() { [ "$(cat /sys/kernel/mm/hugepages/hugepages-$1kB/nr_hugepages)" -eq $2 ]; }

if [ "$(uname -m)" = x86_64 ]; then
	check "there are huge pages of 2 MiB" has 2048 64
else
	check "there are huge pages of 64 KiB" has 64 64
	check "and of 32 MiB" has 32768 4
fi
check "and others for all" grep -qF '[always]' /sys/kernel/mm/transparent_hugepage/enabled
everything
