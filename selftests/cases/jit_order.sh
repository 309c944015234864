# SPDX-License-Identifier: GPL-2.0-only
# Code is complete in memory before other CPUs are synchronised, and that is over before the caller goes on:
# probes on the functions of the kernel that do both look at it.
# vm: mem=512M timeout=120 check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/jit.sh

jit_load
load mmkit_test_order
for what in "update 16" "update 333" "update 5000" "update 16000" "alloc 64" "alloc 5000" "free 64" "free 5000" patch; do
	tell order $what || continue
	check "$what: $(answer order writes) writes, all in memory when the last of $(answer order syncs) synchronisations begins, and that over when it returns" \
		jit_in_order
done
unload mmkit_test_order
module_results mmkit_test_order
jit_unload
