# SPDX-License-Identifier: GPL-2.0-only
# Pieces of generated code, on the machine that most cases have: compared with what the kernel makes
# of compiled code, and executed. Other cases do so with other mitigations of x86.
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/jit_emit.sh

if [ "$(uname -m)" = x86_64 ]; then
	emit_mode spectre_v2 Retpolines
	emit_test 'is c3 cc 00' 'through (__pi_)*__x86_indirect_thunk_.*' 'is counted by 0 bytes'
else
	emit_test
fi
