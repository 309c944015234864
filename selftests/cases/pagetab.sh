# SPDX-License-Identifier: GPL-2.0-only
# Side tables: an entry for every page, nothing for pages that are not needed.
. /mmkit/lib.sh
. /mmkit/suite.sh

load mmkit
module_test mmkit_test_pagetab

# As many tables as there is room for: the last one fails, nobody is killed for it. It is memory
# that ends; where reclaim finds some while the tables are made, it can be the address space.
free_kb > /dev/null
before=$(free_kb)
load mmkit_test_pagetab fill=2000
unload mmkit_test_pagetab
expect_dmesg 'pagetab fill: no (memory for the entries|address space)'
expect_dmesg 'ok - a table that does not fit is -ENOMEM'
memory_is_back $before 8192
check "no table is left" sh -c "[ \$(wc -l < /sys/kernel/debug/mmkit/pagetab) -eq 1 ]"

# The kernel's own picture of memory, read while gigabytes of absent table pages are mapped.
load mmkit_test_pagetab stay=1
check "/proc/kcore is read over memory that tables leave absent" kcore_sweep
unload mmkit_test_pagetab
unload mmkit
