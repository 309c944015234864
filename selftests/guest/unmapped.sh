# SPDX-License-Identifier: GPL-2.0-only
#
# Helpers for the cache of unmapped pages; sourced by its cases after suite.sh.
#
#   um_load [P=V...]              loads the cache, with parameters, and its test module, or ends the case
#   um_unload                     and unloads them; nothing may be in use then
#   um_value NAME                 what a file of the cache in sysfs holds
#   um_stat KEY                   a number of debugfs unmapped/stats
#   um_do COMMAND [NUMBER...]     lets the test module do something, states its results
#   um_stress [P=V...]            lets threads take and give pages back; um_stress_done says when
#                                 they are done, um_stress_end states what they found
#   um_empty                      gives all free blocks back; nothing is cached then
#   um_refuses FILE WORD ERROR    writing WORD fails with ERROR (strerror) and changes nothing
#   um_whole                      its fuse is whole
#   hold_secret PAGES [PREFIX...] a program has so much secret memory, until let_go; sets pid and address
#   look_at FRAME | PID ADDRESS   asks mmkit_test_peek; sets pfn, direct, nonzero and contents
#   vmstat KEY                    a number of /proc/vmstat; 0 where the kernel does not count it
#   mem_free_kb                   free memory, as it is: nothing is dropped for it

um=/sys/kernel/mmkit/unmapped
um_debugfs=$mmkit_debugfs/unmapped
um_run=/sys/module/mmkit_test_unmapped/parameters/run
peek=/sys/kernel/debug/mmkit_test_peek
page=$(page_bytes)
block_bytes=$((page / 8 * page))
block_pages=$((block_bytes / page))
case $page in 4096) block_order=9 ;; 16384) block_order=11 ;; *) block_order=13 ;; esac

um_load()
{
	_is_loaded mmkit || load mmkit || exit
	load mmkit_unmapped "$@" && load mmkit_test_unmapped || exit
}

um_unload()
{
	unload mmkit_test_unmapped || return
	[ "$(um_value in_use_bytes)" = 0 ] || fail "$(um_value in_use_bytes) bytes are in use"
	unload mmkit_unmapped mmkit
}

um_value() { cat "$um/$1"; }

um_stat() { awk -v key="$1" '$1 == key { print $2 }' $um_debugfs/stats; }

um_do()
{
	local line
	echo "$*" > $um_run || { fail "$*: the test module cannot"; return 1; }
	while read -r line; do
		case $line in
		ok\ -\ *) pass "$*: ${line#ok - }" ;;
		not\ ok\ -\ *) fail "$*: ${line#not ok - }" ;;
		?*) echo "$*: $line" ;;
		esac
	done < $um_run
}

um_stress_done() { [ "$(cat /sys/module/mmkit_test_unmapped_stress/parameters/running)" = 0 ]; }

um_stress()
{
	local before after
	load mmkit_test_unmapped_stress wait=1 "$@" || return
	# A module that was loaded splits entries of the direct map a while later, too.
	after=$(vmstat direct_map_level2_splits)
	until [ "$before" = "$after" ]; do
		usleep 500000
		before=$after
		after=$(vmstat direct_map_level2_splits)
	done
	um_splits=$after
	echo 1 > /sys/module/mmkit_test_unmapped_stress/parameters/running
}

um_stress_end()
{
	wait_for 300 um_stress_done
	# To unload a module splits, too.
	[ "$(um_stat fallbacks)" != 0 ] || check "nothing of the direct map was split ($um_splits)" \
		[ "$(vmstat direct_map_level2_splits)" = "$um_splits" ]
	unload mmkit_test_unmapped_stress
	module_results mmkit_test_unmapped_stress
}

um_empty()
{
	echo 1 > $um/drain
	[ "$(um_value cached_bytes)" = 0 ]
}

um_refuses()
{
	local file=$1 word=$2 error=$3 before said
	before=$(cat "$um/"*_bytes $um/blocks)
	printf '%s\n' "$word" > /tmp/word
	said=$(cat /tmp/word 2>&1 > "$um/$file")
	case $said in
	*"$error"*) pass "$file refuses \"$word\": $error" ;;
	*) fail "$file refuses \"$word\": $error expected, got \"$said\"" ;;
	esac
	[ "$(cat "$um/"*_bytes $um/blocks)" = "$before" ] || fail "$file: \"$word\" changes something"
}

um_whole() { ! grep '^blown' $um/state; }

hold_secret()
{
	local pages=$1
	shift
	: > /tmp/held
	"$@" /mmkit/bin/secret hold "$pages" > /tmp/held &
	holder=$!
	wait_for 10 grep -q ready /tmp/held
	read -r _ pid address first < /tmp/held
}

let_go()
{
	kill -KILL "$pid"
	wait $holder
} 2>/dev/null

look_at()
{
	local key value
	pfn= direct= nonzero= contents=
	echo "$*" > $peek && while read -r key value; do
		case $key in
		pfn) pfn=$value ;;
		direct) direct=$value ;;
		nonzero) nonzero=$value ;;
		first) contents=$value ;;
		esac
	done < $peek
}

vmstat() { awk -v key="$1" '$1 == key { n = $2 } END { print n + 0 }' /proc/vmstat; }

mem_free_kb() { awk '/^MemFree/ { print $2 }' /proc/meminfo; }
