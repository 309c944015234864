# SPDX-License-Identifier: GPL-2.0-only
#
# Helpers of the DKMS cases, which run in a guest made from the chroot: modprobe is kmod's own, the
# index is what depmod wrote there. The rest is described in selftests/guest/lib.sh.

. /mmkit/lib.sh

prof=/sys/kernel/mmkit/allocprof
unmapped=/sys/kernel/mmkit/unmapped
lockdown=/sys/kernel/security/lockdown
mount -t securityfs security /sys/kernel/security 2>/dev/null

# By its path: the shell would run the modprobe of busybox.
modprobe() { /usr/sbin/modprobe "$@"; }
loaded() { grep -q "^$1 " /proc/modules; }
not_loaded() { ! loaded "$1"; }
dmesg_says() { case_dmesg | grep -v 'mmkit-case: ' | grep -qF -- "$1"; }
dmesg_lacks() { ! dmesg_says "$1"; }

# Every file of the suite is opened and read to its end.
read_all()
{
	local file count=0
	for file in $(find /sys/kernel/mmkit /sys/kernel/debug/mmkit -type f -perm -400); do
		cat "$file" > /tmp/content 2> /tmp/error || { echo "$file: $(cat /tmp/error)"; return 1; }
		count=$((count + 1))
	done
	echo "$count files"
	grep -q '^allocinfo - version: 2' /sys/kernel/debug/mmkit/allocprof/allocinfo &&
		[ -e $prof/tracked_bytes ] && [ $count -ge 16 ]
}

# The cache takes memory out of the direct map and gives it back.
cache_works()
{
	echo 1 > $unmapped/prefill && [ "$(cat $unmapped/blocks)" = 1 ] &&
		echo 1 > $unmapped/drain && [ "$(cat $unmapped/blocks)" = 0 ] && [ -c /dev/mmkit_secret ]
}

# unload_by_name: what is loaded is taken away by name, mmkit with the last.
unload_by_name()
{
	check "modprobe -r mmkit_jit mmkit_allocprof" modprobe -r mmkit_jit mmkit_allocprof
	check "mmkit_jit is gone" not_loaded mmkit_jit
	check "mmkit_unmapped, which nobody needs any more, too" not_loaded mmkit_unmapped
	check "mmkit_allocprof is gone" not_loaded mmkit_allocprof
	check "mmkit went with it" not_loaded mmkit
}

# in_readme LINE: ci/dkms, outside, makes a result of it.
in_readme() { echo "in README: $*"; }

# refused TEXT MESSAGE COMMAND...: it fails, the kernel log says MESSAGE, README explains both.
refused()
{
	local text="$1" message="$2" output
	shift 2
	if output=$("$@" 2>&1); then
		fail "$text: it loads"
		modprobe -r mmkit_allocprof
		return
	fi
	check "$text: \"$message\"" dmesg_says "$message"
	in_readme "$message"
	case $1 in
	modprobe) in_readme "$output" ;;
	*) in_readme "${output##*: }" ;;
	esac
}
