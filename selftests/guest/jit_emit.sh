# SPDX-License-Identifier: GPL-2.0-only
#
# Helpers for pieces of generated code; sourced by their cases after suite.sh.
#
#   emit_mode FILE PATTERN        the kernel says of itself that it is in this mode: PATTERN is in
#                                 FILE of /sys/devices/system/cpu/vulnerabilities
#   emit_test RETURN JUMP CALL    loads the test module, states its results, and that returns, jumps
#                                 and calls have the forms that belong to the mode (grep -E)

emit_mode()
{
	check "$1: $2" grep -E "$2" "/sys/devices/system/cpu/vulnerabilities/$1"
}

_emit_says()
{
	case_dmesg | grep -E "] mmkit_test_jit_emit: $1\$"
}

emit_test()
{
	load mmkit_test_jit_emit || return
	unload mmkit_test_jit_emit
	module_results mmkit_test_jit_emit
	case_dmesg | grep -E '] mmkit_test_jit_emit: (return|jump|call|veneer)'
	[ $# = 0 ] && return
	check "return $1" _emit_says "return $1"
	check "jump $2" _emit_says "jump $2"
	check "call $3" _emit_says "call $3"
}
