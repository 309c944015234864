# SPDX-License-Identifier: GPL-2.0-only
# Code is complete in memory before other CPUs are synchronised, and that is over before the caller goes on:
# probes on the functions of the kernel that do both look at it.
# vm: mem=512M timeout=120
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/jit.sh

order_says() { answers order; [ "$(answer order "$1")" = "$2" ]; }

jit_load
load mmkit_test_order
for what in "update 16" "update 64" "update 100" "update 333" "update 5000" "update 16000" \
		"alloc 64" "alloc 300" "alloc 5000" "free 64" "free 5000" patch; do
	tell order $what || continue
	check "$what: CPUs are synchronised, $(answer order syncs) times" [ "$(answer order syncs)" -gt 0 ]
	check "$what: all is written before the last of these begins" order_says complete_at_sync yes
	# Not all functions that write can be watched on arm64.
	if [ "$(answer order writes)" -gt 0 ] || [ $(uname -m) = x86_64 ]; then
		check "$what: nothing is written later than that, by $(answer order writes) calls" \
			order_says write_before_sync yes
	fi
	check "$what: it is over before the call returns" order_says sync_before_return yes
	case $what in
	free*) ;;
	*) check "$what: the object holds what was asked for" order_says holds_code yes ;;
	esac
done
unload mmkit_test_order
module_results mmkit_test_order
