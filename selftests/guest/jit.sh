# SPDX-License-Identifier: GPL-2.0-only
#
# Helpers for the allocator of text; sourced by its cases after suite.sh.
#
#   jit_load [P=V...]             loads it, with parameters, or ends the case
#   jit_value NAME                what a file of it in sysfs holds
#   jit_stat KEY                  a number of debugfs jit/stats
#   jit_windows                   where text is mapped: "START-END" (hexadecimal) a line
#   jit_drain                     gives back memory that no object lies in
#   tell MODULE WORD...           says that to a test module (mmkit_test_MODULE)
#   answer MODULE KEY             what came of it: the words that follow KEY
#   answers MODULE                all of it

jit=/sys/kernel/mmkit/jit
jit_debugfs=$mmkit_debugfs/jit

jit_load()
{
	load mmkit_jit "$@" || exit
}

jit_value() { cat "$jit/$1"; }

jit_stat() { awk -v key="$1" '$1 == key { print $2 }' $jit_debugfs/stats; }

jit_windows()
{
	# With 1 those who may see kernel addresses do; with 0 they are scrambled.
	echo 1 > /proc/sys/kernel/kptr_restrict
	awk '/mmkit_jit/ && /ioremap/ { gsub("0x", "", $1); print $1 }' /proc/vmallocinfo
	echo 0 > /proc/sys/kernel/kptr_restrict
}

jit_drain() { echo 1 > $jit/drain; }

tell()
{
	local module=$1
	shift
	echo "$*" > "/sys/module/mmkit_test_$module/parameters/run" || {
		fail "mmkit_test_$module cannot: $*"
		return 1
	}
}

answers() { cat "/sys/module/mmkit_test_$1/parameters/run"; }

answer() { answers "$1" | awk -v key="$2" '$1 == key { sub(/^[^ ]* /, ""); print; exit }'; }
