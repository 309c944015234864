# SPDX-License-Identifier: GPL-2.0-only
# Pieces of generated code where nothing is mitigated.
# vm: kernels=6.12,7.3 arch=amd64 append="init_on_alloc=0 mitigations=off"
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/jit_emit.sh

emit_mode spectre_v2 '^Vulnerable'
emit_test 'is c3 cc 00' 'is ff e0 cc' 'is counted by 0 bytes'
