# SPDX-License-Identifier: GPL-2.0-only
# Who sees what: somebody without rights opens what include/mmkit/ABI lets them, and finds no address of
# the kernel there. Those who may see addresses see them where kptr_restrict allows it, and nowhere else.
# At its end the kernel is locked down, so this boot has a size of its own.
# vm: mem=704M smp=2 timeout=300 check=7.3-amd64
# vm-arm64: mem=2176M dtb=tagstore
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/jit.sh

as() { local who=$1; shift; /mmkit/bin/permissions "$who" "$@"; }
restrict() { echo "$1" > /proc/sys/kernel/kptr_restrict; }
device=/dev/mmkit_secret
lockdown=/sys/kernel/security/lockdown

load mmkit
load mmkit_unmapped
want_errno ERANGE mmkit_jit max_bytes=1
load_suite
load mmkit_test_jit what=keep
load mmkit_test_text
tell text hold 3000
find / -xdev > /dev/null 2>&1

# Where the suite really is. What comes of an allocation later is not in it.
restrict 1
{
	awk '/\[mmkit|mmkit_jit/ { print $1 }' /proc/kallsyms
	awk '/^mmkit/ { print $6 }' /proc/modules
	find /sys/module/mmkit*/sections -type f -exec cat {} +
	awk '/mmkit/ { sub("-", "\n", $1); print $1 }' /proc/vmallocinfo
	awk 'NR > 1 && $4 == "found" { print $5 }' $mmkit_debugfs/symbols
	awk '{ print $1 }' $jit_debugfs/map
} | sed 's/^0x//' | sort -u > /tmp/known 2> /dev/null
check "root sees where the suite is: $(wc -l < /tmp/known) addresses" [ "$(wc -l < /tmp/known)" -gt 500 ]
restrict 0

# Files of the suite, those of the kernel about it, and the places where the kernel tells of itself.
find /sys/kernel/mmkit $mmkit_debugfs -type f > /tmp/ours
find /sys/module/mmkit* -type f > /tmp/about
find /sys/kernel/debug/kprobes /sys/kernel/tracing -maxdepth 1 -type f > /tmp/kernel
ls /proc/vmallocinfo /proc/kcore /proc/kpageflags /proc/kpagecount >> /tmp/kernel
echo $device > /tmp/device
ls /proc/kallsyms /proc/modules /proc/iomem > /tmp/public

# --- nobody, and root of a user namespace ---

# What the reference lets everybody do: "r PATH", and "w PATH".
promised() {
	awk '/^What:/ { what = $2 } /^Mode:/ { print $2, what }' /mmkit/ABI | while read -r mode path; do
		for path in $(echo "$path" | sed "s,<component>,*,"); do
			[ ! -e "$path" ] || [ $((0$mode & 4)) = 0 ] || echo "r $path"
			[ ! -e "$path" ] || [ $((0$mode & 2)) = 0 ] || echo "w $path"
		done
	done | sort
}

opens() { as "$1" opens < "$2" | sort; }
nothing_opens() { opens "$1" "$2" > /tmp/opens; [ ! -s /tmp/opens ] || { cat /tmp/opens; false; }; }

grep /parameters/ /tmp/about | cat /tmp/ours /tmp/device - | grep -v /mmkit_test > /tmp/described
promised > /tmp/promised
for who in nobody userns; do
	opens $who /tmp/described > /tmp/opens
	check "$who opens the $(wc -l < /tmp/promised) files that the reference names" cmp /tmp/promised /tmp/opens
	check "$who opens no file of debugfs or tracefs, and none in /proc that only root reads" nothing_opens $who /tmp/kernel
	opens $who /tmp/about > /tmp/opens
	check "$who writes to nothing in /sys/module/mmkit*, and reads no section's address" \
		[ -s /tmp/opens -a "$(grep -Ec '^w|/sections/' /tmp/opens)" = 0 ]
	as $who leaks /tmp/known < /tmp/public > /tmp/leaks
	cat /tmp/ours /tmp/about | as $who leaks /tmp/known >> /tmp/leaks
	check "$who reads no address of the kernel in any of them" [ ! -s /tmp/leaks ] || head /tmp/leaks
	check "$who reads no kernel log" sh -c "! /mmkit/bin/permissions $who run dmesg 2> /dev/null | grep mmkit"
	check "$who unloads nothing" sh -c "! /mmkit/bin/permissions $who run rmmod mmkit_allocprof 2> /dev/null"
done
sed 's,^/sys,/tmp/userns,' /tmp/described | grep ^/tmp/userns/kernel/mmkit > /tmp/inside
sed 's,/sys,/tmp/userns,' /tmp/promised | grep /tmp/userns/kernel/mmkit > /tmp/promised.inside
opens userns /tmp/inside > /tmp/opens
check "a sysfs of its own gives it no more" cmp /tmp/promised.inside /tmp/opens
opens root /tmp/described > /tmp/opens.root
check "root opens more: $(wc -l < /tmp/opens.root)" [ "$(wc -l < /tmp/opens.root)" -gt $(($(wc -l < /tmp/promised) + 20)) ]
check "and reads the kernel log" sh -c "/mmkit/bin/permissions root run dmesg | grep -q mmkit"

# --- root without some capabilities ---
# Files of debugfs open for writing, and refuse to be written.
but_for() { grep -v "^w $mmkit_debugfs/" /tmp/opens.root | cmp - "$1"; }
opens bare /tmp/described > /tmp/opens.bare
check "uid 0 opens the same without any capability" but_for /tmp/opens.bare
check "and switches the profiler" as bare run sh -c "echo 0 > $prof_sysfs/enabled && echo 1 > $prof_sysfs/enabled"
for who in weak bare; do
	for command in "rmmod mmkit_test_text" "insmod /mmkit/ko/mmkit_test_ksym.ko"; do
		check "uid 0 cannot, $who: ${command%% *}" \
			sh -c "/mmkit/bin/permissions $who run $command 2>&1 | grep 'Operation not permitted'"
	done
done

# --- kptr_restrict ---

# sees FILE WHO/WHO WANTED...: addresses seen with kptr_restrict 0, 1 and 2: none (0), some (+) or either (?)
sees() {
	local file=$1 who=$2 value nr seen= bad=
	shift 2
	for value in 0 1 2; do
		restrict $value
		nr=$(as "$who" count /tmp/known "$file")
		case $1:$nr in
		'+:0' | 0:[1-9]* | *:) bad=1 ;;
		esac
		seen="$seen $1:$nr"
		shift
	done
	restrict 0
	check "$file, $who: with kptr_restrict 0, 1, 2 expected and seen$seen" [ -z "$bad" ]
}

# The measure is what the kernel shows of itself.
sees /proc/kallsyms root + + 0
for file in /proc/vmallocinfo /proc/modules /sys/module/mmkit/sections/.text; do
	sees $file root "?" + 0
	sees $file nosyslog 0 0 0
done

for file in $jit_debugfs/map $mmkit_debugfs/symbols; do
	case $file in
	# By %pK, which hashes with 0, and asks who reads.
	*/symbols) own="0 + 0" passed="0 0 0" got="0 + 0" ;;
	*) own="+ + 0" passed="+ 0 0" got="0 0 0" ;;
	esac
	sees $file root $own
	sees $file nosyslog 0 0 0
	sees $file bare 0 0 0
	sees $file root/nobody $passed
	sees $file nosyslog/root $got
done
sees $jit_debugfs/stats root "?" "?" 0
sees $jit_debugfs/stats nosyslog 0 0 0
for value in 0 1 2; do
	restrict $value
	grep -v -e /jit/map -e /jit/stats -e mmkit/symbols /tmp/ours | as root leaks /tmp/known > /tmp/leaks
	check "no other file of ours holds what looks like an address, with kptr_restrict $value" \
		[ ! -s /tmp/leaks ] || head /tmp/leaks
done
restrict 1
check "which would be found" \
	[ "$(echo $mmkit_debugfs/symbols | as root leaks /tmp/known | grep -c 'known, hex')" -gt 10 ]
restrict 0

# What root sees with 0 is no address, and says nothing of one.
awk 'NR > 1 && $4 == "found" { print $5 }' $mmkit_debugfs/symbols > /tmp/hashed
check "$(wc -l < /tmp/hashed) hashed addresses, as wide as a hash" \
	[ -s /tmp/hashed -a "$(grep -vcE '^[0-9a-f]{1,8}$|^\(_+ptrval_+\)$' /tmp/hashed)" = 0 ] || head -n 3 /tmp/hashed

# --- the kernel log ---
load mmkit_test_fuse
expect_dmesg 'mmkit: fuse of test has blown'
unload mmkit_test_fuse
# Registers are the kernel's own, in a splat as in any.
case_dmesg | grep -vE '\] ?(R[A-Z0-9]{2}:|RSP:|RBP:|FS:|CR[0-9]:|DR[0-9]:|(x[0-9]+|sp|lr|pc) *:|Code:)' > /tmp/log
check "the log has no address of the suite, but for registers" [ "$(as root count /tmp/known /tmp/log)" = 0 ]
cat /tmp/known >> /tmp/log
check "which would be found: $(as root count /tmp/known /tmp/log)" [ "$(as root count /tmp/known /tmp/log)" -gt 500 ]

# --- lockdown ---
mount -t securityfs security /sys/kernel/security 2> /dev/null
echo confidentiality > $lockdown
check "the kernel is locked down" grep -F '[confidentiality]' $lockdown
check "which closes /proc/kcore" sh -c '! head -c 1 /proc/kcore'
opens root /tmp/described > /tmp/opens.locked
check "root opens what it opened before" but_for /tmp/opens.locked
check "and reads it" sh -c "sed -n 's/^r //p' /tmp/opens.locked | grep -v ^/dev/ | xargs cat > /dev/null"
opens nobody /tmp/described > /tmp/opens
check "nobody opens no more" cmp /tmp/promised /tmp/opens
check "a program keeps a key" /mmkit/bin/keep_key message < /dev/zero
tell text call
check "text works" [ "$(answer text wrong)" = 0 -a "$(answer text called)" -ge 1 ]
check "no module comes any more that is not signed" \
	sh -c '! insmod /mmkit/ko/mmkit_test_ksym.ko 2> /dev/null'
tell text drop
unload mmkit_test_text mmkit_test_jit
