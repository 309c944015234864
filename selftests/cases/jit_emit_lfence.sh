# SPDX-License-Identifier: GPL-2.0-only
# Pieces of generated code where an indirect jump waits for what came before it. Not on 7.3: that
# kernel dies when it rewrites its own jumps so, as there is no room for some.
# vm: kernels=6.1,6.12 arch=amd64 append="init_on_alloc=0 spectre_v2=retpoline,lfence"
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/jit_emit.sh

emit_mode spectre_v2 LFENCE
emit_test 'is c3 cc 00' 'is 0f ae e8' 'is counted by 0 bytes'
