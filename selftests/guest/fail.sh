# SPDX-License-Identifier: GPL-2.0-only
#
# Helpers for cases that let things fail; sourced after suite.sh.
#
#   each_point FILE ARGUMENT...   has fail_nth (see there) let each point fail, states what it says
#   function_fails NAME RESULT ARGUMENT...
#                                 the same for each call of a function of the kernel
#   exist NAME...                 those that the kernel has
#   required MODULE NAME...       those that a module of the suite takes by name, and cannot do without
#   any_allocation                lets any allocation be one that fails; fails where none can
#   tables_now                    what the tables of the suite and of the kernel hold of it, without
#                                 numbers that grow
#   use_memory                    a program writes half of memory; the kernel would meet what is not mapped

fail=/sys/module/mmkit_test_fail/parameters
ko=/mmkit/ko
root=/sys/kernel/mmkit
api=/sys/module/mmkit_test_api/parameters/run
ts=/sys/module/mmkit_test_tagstore/parameters/run
fail_memory=$(free_kb)

# _points PREFIX FILE ARGUMENT... Without rseq: for want of a page the kernel ends who uses that.
_points()
{
	local prefix=$1
	shift
	if GLIBC_TUNABLES=glibc.pthread.rseq=0 /mmkit/bin/fail_nth "$@" > /tmp/points 2>&1; then
		pass "$prefix$(tail -n 1 /tmp/points)"
	else
		cat /tmp/points
		fail "$prefix$(tail -n 1 /tmp/points)"
	fi
}

each_point() { _points "" "$@"; }

function_fails()
{
	local function=$1 result=$2
	shift 2
	if echo "$function $result" > $fail/function; then
		_points "$function $result: " $fail/nth "$@"
	else
		fail "$function cannot be made to fail"
	fi
	echo > $fail/function
}

exist()
{
	local name
	for name; do grep -q " $name\$" /proc/kallsyms && echo "$name"; done
}

required()
{
	local module=$1 name
	shift
	for name; do
		tr '\0' '\n' < "/mmkit/ko/$module.ko" | grep -q "^symbol=required .*[ *]$name(" && echo "$name"
	done
}

any_allocation()
{
	local attr
	[ -e /proc/self/fail-nth ] || return
	for attr in /sys/kernel/debug/failslab /sys/kernel/debug/fail_page_alloc; do
		echo 0 > $attr/verbose && echo N > $attr/ignore-gfp-wait || return
	done
	echo N > $attr/ignore-gfp-highmem && echo 0 > $attr/min-order
}

tables_now()
{
	cat $mmkit_debugfs/components $mmkit_debugfs/symbols
	awk '{ print $1, $2, $4 }' $mmkit_debugfs/pagetab
	awk '{ print $1, $2, $3, $5 }' $mmkit_debugfs/redirects
	cut -d' ' -f1 /proc/slabinfo | grep mmkit
	sed 's/^[^ ]* *//' /sys/kernel/debug/kprobes/list
}

use_memory()
{
	hold anon $(($(mem_free_kb) / 1024 / 2))
	release
	# It has lived until it was told to end.
	[ $? = 143 ]
}
