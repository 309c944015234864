# SPDX-License-Identifier: GPL-2.0-only
# Pieces of generated code where calls are counted, on a CPU that wants it so.
# vm: kernels=6.12,7.3 arch=amd64 qemu="-cpu Skylake-Client" append="init_on_alloc=0 spectre_v2=retpoline retbleed=stuff"
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/jit_emit.sh

emit_mode retbleed Stuffing
emit_test 'through call_depth_return_thunk' 'through (__pi_)*__x86_indirect_jump_thunk_.*' 'is counted by (9|10) bytes'
