# SPDX-License-Identifier: GPL-2.0-only
# Smoke: an object is written again and again, and called by other CPUs in between. Emulation keeps what is
# executed and what is in memory the same by itself, so this shows no more than that nothing falls over.
# vm: mem=512M timeout=300
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/jit.sh

jit_load
load mmkit_test_text
rounds=$(often 10000 100000)
tell text smoke 3 $rounds
answers text
check "$(answer text calls) calls in $rounds rounds, $(answer text ns_round) ns each, are answered with what was written last" \
	[ "$(answer text wrong)" = 0 -a "$(answer text failed)" = 0 -a "$(answer text rounds)" = $rounds ]
unload mmkit_test_text
jit_unload
