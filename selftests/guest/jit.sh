# SPDX-License-Identifier: GPL-2.0-only
#
# Helpers for the text allocator; sourced by its cases after suite.sh.
#
#   jit_load [P=V...]             loads the allocator, with parameters, or ends the case
#   jit_unload                    and unloads it, with what it needs; no text may be used then
#   jit_test WHAT [P=V...]        the test module does something, its results are stated
#   jit_value NAME                what a file of the allocator in sysfs holds
#   jit_stat KEY                  a number of debugfs jit/stats
#   jit_idle                      no byte is used (frees that wait are over)
#   jit_drain                     gives back memory that no object lies in
#   jit_windows                   where text is mapped: "START-END" (hexadecimal) a line
#   tell MODULE WORD...           says that to a test module (mmkit_test_MODULE)
#   answers MODULE                what came of it
#   answer MODULE KEY             of that the words that follow KEY
#   jit_in_order                  what mmkit_test_order saw last was in order

jit=/sys/kernel/mmkit/jit
jit_debugfs=$mmkit_debugfs/jit

jit_load()
{
	_is_loaded mmkit || load mmkit || exit
	_is_loaded mmkit_unmapped || load mmkit_unmapped || exit
	load mmkit_jit "$@" || exit
}

# What waits for a grace period holds the module until it is over.
jit_unload()
{
	jit_drain
	unload mmkit_jit mmkit_unmapped mmkit
}

jit_test()
{
	local what=$1
	shift
	echo "<6>mmkit_test_jit: begin $what" > /dev/kmsg
	load mmkit_test_jit what="$what" "$@" || return
	unload mmkit_test_jit
	_dmesg_since "mmkit_test_jit: begin" | sed -n 's/^.*] mmkit_test_jit: \(ok\|not ok\) - /\1 /p' > /tmp/said.jit
	[ -s /tmp/said.jit ] || fail "$what: nothing was said"
	while read -r line; do
		case $line in
		ok\ *) pass "$what: ${line#ok }" ;;
		*) fail "$what: ${line#not ok }" ;;
		esac
	done < /tmp/said.jit
	_dmesg_since "mmkit_test_jit: begin" | sed -n 's/^.*] mmkit_test_jit: #/#/p'
}

jit_value() { cat "$jit/$1"; }

jit_stat() { awk -v key="$1" '$1 == key { print $2 }' $jit_debugfs/stats; }

jit_idle() { [ "$(jit_value used_bytes)" = 0 ]; }

jit_drain() { echo 1 > $jit/drain; }

jit_windows()
{
	see_addresses awk '/mmkit_jit/ && /ioremap/ { gsub("0x", "", $1); print $1 }' /proc/vmallocinfo
}

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

# Not all functions that write can be watched on arm64: there the object as it was read back has to do.
jit_in_order()
{
	answers order
	answers order | awk -v machine="$(uname -m)" '
		{ said[$1] = $2 }
		END {
			if (machine == "x86_64" || said["writes"])
				late = said["write_before_sync"] != "yes"
			exit !said["syncs"] || said["complete_at_sync"] != "yes" || late ||
				said["sync_before_return"] != "yes" || said["holds_wanted"] != "yes"
		}'
}
