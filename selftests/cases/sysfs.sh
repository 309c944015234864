# SPDX-License-Identifier: GPL-2.0-only
# The files people and scripts rely on: one value each, the right modes, no way to harm.
# vm: timeout=120 check=6.1,7.3
. /mmkit/lib.sh

root=/sys/kernel/mmkit
sysfs=$root/allocprof
debugfs=/sys/kernel/debug/mmkit

one_line() {
	[ "$(wc -l < $1)" -eq 1 ]
}

number() {
	grep -qxE -- '-?[0-9]+' $1
}

mode() {
	stat -c %a $1
}

load mmkit
load mmkit_allocprof

# --- sysfs ---
for name in version core/state allocprof/state allocprof/enabled allocprof/tracked_bytes \
	    allocprof/preload_bytes allocprof/unaccounted_bytes allocprof/sites \
	    allocprof/table_bytes allocprof/overflow allocprof/verify_mismatches; do
	check "$name is there" [ -f $root/$name ]
done
for file in $(find $root -type f); do
	check "$file holds one value" one_line $file
	case $file in
	*/enabled) check "$file can be written by root" [ "$(mode $file)" = 644 ] ;;
	*) check "$file is read-only" [ "$(mode $file)" = 444 ] ;;
	esac
	case $file in
	*/version) check "$file is a version" grep -qxE '[0-9]+\.[0-9]+\.[0-9]+' $file ;;
	*/state) check "$file is ok" grep -qx ok $file ;;
	*/unaccounted_bytes) check "$file is a number" number $file ;;
	*) check "$file is a number, not negative" grep -qxE '[0-9]+' $file ;;
	esac
done
for file in $(find $root -type f ! -name enabled); do
	check "$file cannot be written" sh -c "! echo 1 2>/dev/null > $file"
done

# --- the one control ---
for word in 2 -1 maybe nonsense "" " " 0x1 01 10 10000000000000000000000 /; do
	printf '%s\n' "$word" > /tmp/word
	said=$(cat /tmp/word 2>&1 > $sysfs/enabled)
	case $said in
	*"Invalid argument"*) pass "enabled refuses \"$word\"" ;;
	*) fail "enabled refuses \"$word\": $said" ;;
	esac
	check "and stays 1" [ "$(cat $sysfs/enabled)" = 1 ] || echo 1 > $sysfs/enabled
done
before=$(cat $sysfs/sites)
check "enabled takes 1 again" sh -c "echo 1 > $sysfs/enabled"
check "which changes nothing" [ "$(cat $sysfs/sites)" -ge $before ]
check "enabled takes 0" sh -c "echo 0 > $sysfs/enabled"
check "and is 0" [ "$(cat $sysfs/enabled)" = 0 ]
for name in tracked_bytes preload_bytes unaccounted_bytes sites table_bytes overflow; do
	check "$name is 0 while off" [ "$(cat $sysfs/$name)" = 0 ]
done
echo yonder 2>/dev/null > $sysfs/enabled
check "nonsense does not start it" [ "$(cat $sysfs/enabled)" = 0 ]
for name in allocinfo sites books stats; do
	check "$name can be read while off" sh -c "cat $debugfs/allocprof/$name > /dev/null"
done
echo 1 > $sysfs/enabled
check "and on again" [ "$(cat $sysfs/enabled)" = 1 ]

# --- debugfs: read-only, so that lockdown lets it be opened ---
for file in components symbols redirects pagetab allocprof/allocinfo allocprof/sites \
	    allocprof/books allocprof/stats; do
	check "$file is there" [ -f $debugfs/$file ]
done
for file in $(find $debugfs -type f); do
	case $(mode $file) in
	400 | 444) pass "$file may only be read" ;;
	*) fail "$file has mode $(mode $file)" ;;
	esac
	check "$file has something to say" sh -c "[ \$(wc -l < $file) -ge 1 ]"
	check "$file can be read in small pieces" sh -c "dd if=$file bs=7 2>/dev/null | tail -c 1 |
		od -An -c | grep -q '\\\\n'"
	check "$file cannot be written" sh -c "! echo 1 2>/dev/null > $file"
done
check "components names both" sh -c "[ \$(grep -cE '^(core|allocprof) +ok ' \
	$debugfs/components) -eq 2 ]"

# --- files that are open when their module goes ---
(
	exec 3< $debugfs/allocprof/allocinfo 4< $sysfs/tracked_bytes
	head -c 100 <&3 > /dev/null
	sleep 2
	cat <&3 <&4 > /dev/null 2>&1
) &
sleep 1
rmmod mmkit_allocprof 2>/dev/null
wait
rmmod mmkit_allocprof 2>/dev/null
check "a module whose files are open goes, at the latest when they are closed" \
	[ ! -e /sys/module/mmkit_allocprof ]
unload mmkit
check "nothing is left" [ ! -e $root -a ! -e $debugfs ]
