# SPDX-License-Identifier: GPL-2.0-only
# Pieces of generated code where a return must be made safe, on a CPU that wants it so.
# vm: kernels=6.12,7.3 arch=amd64 qemu="-cpu EPYC-Milan" append="init_on_alloc=0 spec_rstack_overflow=safe-ret"
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/jit_emit.sh

emit_mode spec_rstack_overflow 'Safe RET'
emit_test 'through srso_alias_return_thunk' 'through (__pi_)*__x86_indirect_thunk_.*' 'is counted by 0 bytes'
