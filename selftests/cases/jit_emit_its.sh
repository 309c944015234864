# SPDX-License-Identifier: GPL-2.0-only
# Pieces of generated code where branches are unsafe in the first half of a cache line. From 7.0 on a
# CPU can be said to have enhanced IBRS, without which jumps are retpolines, which are safe already.
# vm: kernels=6.12,7.3 arch=amd64 append="init_on_alloc=0 indirect_target_selection=force setcpuid=ibrs_enhanced"
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/jit_emit.sh

emit_mode indirect_target_selection 'Aligned branch/return thunks'
if grep -q 'Enhanced / Automatic IBRS' /sys/devices/system/cpu/vulnerabilities/spectre_v2; then
	emit_test 'through its_return_thunk' 'through (__pi_)*__x86_indirect_its_thunk_.*' 'is counted by 0 bytes'
else
	check "only 6.12 cannot be told" grep '^6\.12\.' /proc/sys/kernel/osrelease
	emit_test 'through its_return_thunk' 'through (__pi_)*__x86_indirect_thunk_.*' 'is counted by 0 bytes'
fi
