# SPDX-License-Identifier: GPL-2.0-only
#
# Helpers of the test cases (busybox sh). The contract of a case is described in "run".
#
#   pass TEXT                     this subtest is good
#   fail TEXT                     this subtest is bad; the case goes on
#   skip REASON                   the case cannot be run here; ends it
#   check TEXT COMMAND...         good if the command succeeds; its output is shown if not
#   suite                         the modules of the suite that this machine has a use for, in order
#   load_suite                    loads all of them
#   load MODULE [PARAM=VALUE...]  loads a module and those it needs; "mmkit_" may be left out
#   unload MODULE...              unloads, in the order given
#   want_errno ERRNO MODULE [PARAM=VALUE...]
#                                 loading must fail with ERRNO (EINVAL, ENOMEM, ...) and leave
#                                 exactly one line of level error or worse in dmesg
#   expect_dmesg REGEX            a line the case provokes itself (grep -E): must have appeared
#                                 since the case began; the report it belongs to is no splat then
#   often CHECK SOAK              prints how many rounds to make: the first number in "make check",
#                                 the second in "make soak"
#   case_dmesg                    prints dmesg since the case began
#   loaded                        modules of ours, and modules of others that use them, newest first
#   leftovers                     what is there of the suite that a clean kernel has not
#   wait_for SECONDS COMMAND...   until the command succeeds; fails when the time is over
#
# load, unload, want_errno and expect_dmesg state a result only when they fail, except that
# want_errno and expect_dmesg also state their success.

_state()
{
	echo "$1" >> "$RESULTS"
	echo "$1" >&4
}

pass() { _state "ok - $CASE/$*"; }
fail() { _state "not ok - $CASE/$*"; }

skip()
{
	_state "ok - $CASE # SKIP $*"
	exit 0
}

check()
{
	local text="$1" output status
	shift
	output=$("$@" 2>&1)
	status=$?
	if [ $status = 0 ]; then
		pass "$text"
	else
		echo "$text: \"$*\" ended with $status"
		[ -z "$output" ] || echo "$output"
		fail "$text"
	fi
	return $status
}

wait_for()
{
	local left=$(($1 * 10 * $(slowness)))
	shift
	until "$@"; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		usleep 100000
	done
}

# How many times longer all takes on this kernel.
slowness() { cat /mmkit/slow 2>/dev/null || echo 1; }

often()
{
	if [ -e /mmkit/soak ]; then echo "$2"; else echo "$1"; fi
}

# dmesg since the last line that holds $1.
_dmesg_since()
{
	dmesg ${2:-} | awk -v mark="$1" 'index($0, mark) { text = ""; next } { text = text $0 "\n" } END { printf "%s", text }'
}

case_dmesg() { _dmesg_since "mmkit-case: begin $CASE"; }

_ko_name()
{
	if [ -e "/mmkit/ko/$1.ko" ]; then echo "$1"; else echo "mmkit_$1"; fi
}

_is_loaded() { grep -q "^$(echo "$1" | tr - _) " /proc/modules; }

# /proc/modules has the newest first, which is the order to take them out again.
loaded()
{
	awk '{ name[NR] = $1 }
		$1 ~ /^mmkit/ { ours = ours "," $1 "," $4 }
		END { for (i = 1; i <= NR; i++) if (index(ours ",", "," name[i] ",")) print name[i] }' /proc/modules
}

# What a clean kernel has nothing of.
leftovers()
{
	loaded
	ls -d /sys/module/mmkit* /sys/kernel/mmkit /sys/kernel/debug/mmkit 2>/dev/null
	grep mmkit /proc/vmallocinfo
	grep mmkit /proc/slabinfo
	grep mmkit /sys/kernel/debug/kprobes/list 2>/dev/null
	# Whoever traces or replaces functions: the next case starts with none.
	cat /sys/kernel/tracing/enabled_functions 2>/dev/null
}

_load_needed()
{
	local needed
	for needed in $(awk -v m="$1" '$1 == m { $1 = ""; print }' /mmkit/ko/depends); do
		_is_loaded "$needed" && continue
		if [ -e "/mmkit/ko/$needed.ko" ]; then
			_load_needed "$needed" && insmod "/mmkit/ko/$needed.ko" || return 1
		else
			modprobe "$needed" || return 1
		fi
	done
}

load()
{
	local name output
	name=$(_ko_name "$1")
	shift
	output=$( { _load_needed "$name" && insmod "/mmkit/ko/$name.ko" "$@"; } 2>&1) && return 0
	echo "$output"
	fail "$name${*:+ $*} does not load: ${output#*.ko\': }"
	return 1
}

unload()
{
	local name output
	for name; do
		name=$(_ko_name "$name")
		output=$(rmmod "$name" 2>&1) && continue
		fail "$name does not unload: $output"
		return 1
	done
}

# What manages tag storage wants a machine that describes some.
suite()
{
	if grep -rqs arm,mte-tag-storage /proc/device-tree/; then
		cat /mmkit/ko/suite
	else
		grep -vx mmkit_tagstore /mmkit/ko/suite
	fi
}

load_suite()
{
	local name
	for name in $(suite); do
		_is_loaded "$name" || load "$name" || return 1
	done
}

# The number of an errno.
_errno()
{
	case $1 in
	EPERM) echo 1 ;;
	ENOENT) echo 2 ;;
	EIO) echo 5 ;;
	ENOEXEC) echo 8 ;;
	EAGAIN) echo 11 ;;
	ENOMEM) echo 12 ;;
	EACCES) echo 13 ;;
	EBUSY) echo 16 ;;
	EEXIST) echo 17 ;;
	ENODEV) echo 19 ;;
	EINVAL) echo 22 ;;
	ERANGE) echo 34 ;;
	ENOSYS) echo 38 ;;
	EOVERFLOW) echo 75 ;;
	EOPNOTSUPP) echo 95 ;;
	*) echo "$1" ;;
	esac
}

want_errno()
{
	local errno="$1" name status lines mark
	name=$(_ko_name "$2")
	shift 2
	_load_needed "$name" || { fail "what $name needs does not load"; return 1; }
	mark="mmkit-case: $CASE want $errno $name $(cat /proc/uptime)"
	echo "<6>$mark" > /dev/kmsg
	# The insmod of busybox tries twice, and the kernel says everything twice.
	/mmkit/bin/load_once "/mmkit/ko/$name.ko" "$@"
	status=$?
	if [ $status = 0 ]; then
		fail "$name${*:+ $*} loads, $errno expected"
		rmmod "$name"
		return 1
	fi
	if [ $status != "$(_errno "$errno")" ]; then
		fail "$name${*:+ $*}: $errno expected, got $status"
		return 1
	fi
	lines=$(_dmesg_since "$mark" -r | grep -E '^<[0-3]>')
	if [ "$(echo "$lines" | grep -c .)" != 1 ]; then
		echo "$lines"
		fail "$name${*:+ $*}: exactly one error line expected in dmesg"
		return 1
	fi
	pass "$name${*:+ $*} is refused with $errno: $(echo "$lines" | sed 's/^<[0-9]>\[[^]]*\] *//')"
}

expect_dmesg()
{
	local regex="$1"
	echo "<6>mmkit-case: expect $CASE: $regex" > /dev/kmsg
	if wait_for 3 _case_says "$regex"; then
		pass "dmesg says: $regex"
	else
		fail "dmesg does not say: $regex"
		case_dmesg | tail -n 20
	fi
}

_case_says() { case_dmesg | grep -v 'mmkit-case: ' | grep -Eq -- "$1"; }
