# SPDX-License-Identifier: GPL-2.0-only
# What is used cannot be unloaded: rmmod is refused and changes nothing. Files that are open when their
# module goes stay safe to read.
# vm: timeout=180 check=6.1,7.3
# vm-arm64: smp=2 mem=1056M dtb=tagstore_small
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh
. /mmkit/jit.sh
. /mmkit/tagstore.sh

with_tags=
suite | grep -qx mmkit_tagstore && with_tags=yes
free_kb > /dev/null
before=$(free_kb)

# What can be told of a module from outside, and stays while nothing happens.
seen_of() {
	grep "^$1 " /proc/modules | cut -d' ' -f1-5
	ls -R /sys/kernel/mmkit /sys/module/$1 $mmkit_debugfs
	cat /sys/kernel/mmkit/*/state
	wc -l < /sys/kernel/tracing/enabled_functions
}

# is_used MODULE WHY: it stays, as it is
is_used() {
	local module=$1 why=$2 said
	seen_of $module > /tmp/seen
	said=$(rmmod $module 2>&1)
	case $said in
	*"Resource temporarily unavailable"*) pass "$module stays: $why" ;;
	*) fail "$module stays: $why ($said)" ;;
	esac
	seen_of $module > /tmp/seen.after
	cmp -s /tmp/seen /tmp/seen.after || {
		diff /tmp/seen /tmp/seen.after
		fail "$module is as it was: $why"
	}
}

goes() { rmmod $1; } 2> /dev/null
landed() { grep -q landed /tmp/program; }

load mmkit
[ -z "$with_tags" ] || load_tagstore linger_ms=100
load_suite

# --- modules that others stand on ---
for how in "" -f; do
	check "what others need stays (rmmod $how)" sh -c "! rmmod $how mmkit 2> /dev/null"
	check "so does what the text allocator needs (rmmod $how)" sh -c "! rmmod $how mmkit_unmapped 2> /dev/null"
done
is_used mmkit "others need it"
load unpack stay=1 keys=10
is_used mmkit_jit "a module has text there"
check "also when forced" sh -c '! rmmod -f mmkit_jit 2> /dev/null'
unload unpack
load mmkit_test_jit what=keep forget=1
unload mmkit_test_jit
is_used mmkit_jit "objects are alive that somebody has left"
load mmkit_test_jit what=adopt adopt="$(awk '{ print "0x" $1 }' $jit_debugfs/map | paste -s -d ,)"
unload mmkit_test_jit mmkit_jit

# --- secret memory ---
start_program /mmkit/bin/secret hold 16
is_used mmkit_unmapped "secret memory is mapped"
end_program
for kind in alone cycle; do
	start_program /mmkit/bin/secret flight $kind
	is_used mmkit_unmapped "a descriptor is in flight ($kind)"
	kill -USR1 $program
	check "which lands ($kind)" wait_for 10 landed
	check "all is well with it ($kind)" sh -c "! grep BAD /tmp/program"
	if [ $kind = cycle ]; then
		check "what nobody can receive is let go" wait_for 20 goes mmkit_unmapped
		load mmkit_unmapped
	else
		is_used mmkit_unmapped "a descriptor has landed"
	fi
	end_program
done

# --- tags ---
if [ -n "$with_tags" ]; then
	start_program /mmkit/bin/mte_paths hold 8
	is_used mmkit_tagstore "pages are tagged"
	end_program
fi

# --- open files: of debugfs they keep the module, of sysfs they go on without it ---
for file in components allocprof/allocinfo unmapped/stats ${with_tags:+tagstore/stats}; do
	case $file in */*) module=mmkit_${file%/*} ;; *) module=mmkit ;; esac
	exec 5< $mmkit_debugfs/$file
	head -c 1 <&5 > /dev/null
	is_used $module "$file of debugfs is open"
	check "$file can be read to its end" sh -c 'cat <&5 > /dev/null'
	exec 5<&-
done
exec 5< $prof_sysfs/sites 6<> $um/max_cached_bytes
unload mmkit_allocprof mmkit_unmapped
for fd in 5 6; do
	check "a file of sysfs that has gone says so ($fd)" sh -c "cat <&$fd 2>&1 | grep -q 'No such device'"
done
check "also to who writes" sh -c 'echo 0 2>&1 >&6 | grep -q "No such device"'
load mmkit_allocprof
load mmkit_unmapped
check "the next module does not answer there" sh -c "cat <&5 2>&1 | grep -q 'No such device'"
exec 5<&- 6<&-

# --- a load that fails leaves nothing that somebody could have opened ---
for module in $(loaded); do
	check "$module goes when nobody uses it" wait_for 20 goes $module
done
load mmkit hide=folio_migrate_flags
rm -f /tmp/stop /tmp/opened
while [ ! -e /tmp/stop ]; do
	sleep 2 < $prof/allocinfo && touch /tmp/opened
done 2> /dev/null &
opener=$!
/mmkit/bin/load_once /mmkit/ko/mmkit_allocprof.ko
check "a load fails when calls cannot be redirected" [ $? -ne 0 ]
touch /tmp/stop
wait $opener
check "nobody could open a file of it meanwhile" [ ! -e /tmp/opened ]
unload mmkit

direct_map_whole none_out=1
memory_is_back $before 4096
