# SPDX-License-Identifier: GPL-2.0-only
# Ranges claimed by page frame number, and pages that change hands inside the suite.
. /mmkit/lib.sh
. /mmkit/suite.sh

held() {
	case_dmesg | sed -n 's/.*mmkit_test_contig: held //p' | sort
}

seen() {
	awk '/ \[mmkit_test_contig\] func:/ && $1 {
		sub("func:", "", $5); print $5, $1, $2
	}' $prof/allocinfo | sort
}

load mmkit
load mmkit_allocprof verify=1
load mmkit_test_contig
module_results mmkit_test_contig
held > /tmp/held
seen > /tmp/seen
check "each has its bytes and calls: $(tr '\n' ';' < /tmp/held)" cmp /tmp/held /tmp/seen
check "the claimed pages were seen by the hook" [ "$(prof_stat contig_pages)" -ge 1024 ]
check "the pages that changed hands are counted" [ "$(prof_stat retagged)" -eq 1 ]
check "the books close" books_close
unload mmkit_test_contig
check "what was freed is gone" sh -c \
	"! awk '/mmkit_test_contig:unloaded/ && (\$1 || \$2)' $prof/allocinfo | grep ."
check "the books close again" books_close
check "memo and unwinder agree on $(prof_stat verified) events" \
	[ "$(cat $prof_sysfs/verify_mismatches)" = 0 ]
unload mmkit_allocprof mmkit
