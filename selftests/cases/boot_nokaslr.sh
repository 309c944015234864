# SPDX-License-Identifier: GPL-2.0-only
# All modules in a kernel that lies where it was linked, and on amd64 has four levels of page tables
# though the CPU has five.
# vm: timeout=120 check=7.2,6.12-arm64 append="init_on_alloc=0 nokaslr"
# vm-amd64: append="init_on_alloc=0 nokaslr no5lvl"
. /mmkit/lib.sh
. /mmkit/everything.sh

if [ "$(uname -m)" = x86_64 ]; then
	check "the kernel lies where it was linked" see_addresses grep -q '^ffffffff81000000 . _text$' /proc/kallsyms
	check "page tables have four levels" sh -c "! grep -qw la57 /proc/cpuinfo"
else
	check "the kernel lies where it was linked" sh -c "dmesg | grep -q 'KASLR disabled'"
fi
everything
