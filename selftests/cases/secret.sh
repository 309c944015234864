# SPDX-License-Identifier: GPL-2.0-only
# vm: timeout=240
# What /dev/mmkit_secret promises, put to the test by a program (secret.c) and, where no program can
# see, by a module that looks at the page itself.
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh

device=/dev/mmkit_secret
sysfs=/sys/kernel/mmkit/unmapped
group=/sys/fs/cgroup/secret

# promise TEXT NAME [ARGUMENT...]
promise() {
	local text=$1
	shift
	check "$text" /mmkit/bin/secret "$@"
}

# The program must find fault with memory that keeps no such promise: it is no judge otherwise.
faulted() {
	truncate -s 16M /tmp/shared
	MMKIT_SECRET=/tmp/shared /mmkit/bin/secret "$@"
	[ $? = 1 ]
}

is() { [ "$(cat "$sysfs/$1")" = "$2" ]; }

in_group() {
	sh -c 'echo $$ > '$group'/cgroup.procs && exec "$0" "$@"' "$@"
}

charged() { cat $group/memory.current; }

stat_kernel() { awk '$1 == "kernel" { print $2 }' $group/memory.stat; }

stat_kernel_has() { [ "$(stat_kernel)" -ge "$1" ]; }

# --- before anything -----------------------------------------------------------------------------

check "the example says no without the device" sh -c '! /mmkit/bin/keep_key x < /dev/zero'

# Each page of free memory holds something: who does not zero it will be seen.
hold thp $(($(free_kb) / 1024 * 3 / 4))
release
load mmkit_unmapped
load mmkit_test_peek
modprobe brd 2> /dev/null
begin=$(cat $sysfs/in_use_bytes)

check "the device is for root alone" [ "$(stat -c %a:%u $device)" = 600:0 ]

# --- what each promise is worth --------------------------------------------------------------------

promise "not read by /proc/PID/mem" mem
promise "nor by ptrace" trace
promise "nor by process_vm_readv" vm_readv
promise "not pinned: vmsplice, futex, io_uring, O_DIRECT" pin /dev/ram0
promise "not in a core dump" core
promise "not in /proc/kcore" kcore
modprobe zram
echo 64M > /sys/block/zram0/disksize
mkswap /dev/zram0 > /dev/null && swapon /dev/zram0
promise "not in swap" swap
promise "advice changes nothing" advice
promise "mlock changes nothing" lock
promise "not for userfaultfd" uffd
promise "never executable" protect
promise "a descriptor for reading" read_only
promise "what mmap and others are refused" errnos
promise "a mapping moves and does not grow" remap
promise "one object, several mappings" alias
promise "one object, several processes" pass
promise "what is partly unmapped" partial
promise "zeroes at first touch" zero
promise "fork shares" share
promise "exec drops" exec
promise "threads that touch a page at once" threads "$(often 20 200)"
promise "mappings that come and go" churn "$(often 2000 10000)"
check "nothing is left of all that" is in_use_bytes "$begin"

for name in mem trace vm_readv "pin /dev/ram0" core kcore swap advice lock uffd protect errnos remap alias \
	partial zero exec "threads 1"; do
	check "shared memory of a file fails: $name" faulted $name
done
rm /tmp/shared
swapoff /dev/zram0

# --- the page itself -----------------------------------------------------------------------------------

hold_secret 64
frames=
wrong=
for i in $(seq 0 63); do
	look_at "$pid" "$(printf %x $((0x$address + i * page)))"
	frames="$frames $pfn"
	[ "$direct $nonzero" = "no $page" ] || wrong="$wrong page $i: $direct $nonzero"
done
check "64 pages, none in the direct map, all seen through a local mapping$wrong" [ -z "$wrong" ]
look_at "$pid" "$address"
check "with what was written" [ "$contents" = "$first" ]
let_go
wrong=
for i in $frames; do
	look_at "$i"
	[ "$direct $nonzero" = "no 0" ] || wrong="$wrong frame $i: $direct $nonzero"
done
check "after SIGKILL nothing of it is there$wrong" [ -z "$wrong" ]

# --- limits ----------------------------------------------------------------------------------------------

chmod 666 $device
promise "the locked-memory limit of the opener" limits
chmod 600 $device

most=$(cat $sysfs/secret_max_bytes)
ram=$(awk '/^MemTotal/ { print $2 * 1024 }' /proc/meminfo)
check "a tenth of memory can be secret ($most of $ram bytes)" \
	[ "$most" -gt $((ram / 100 * 8)) -a "$most" -lt $((ram / 100 * 12)) ]
for value in x -1 "1 2" ""; do
	check "secret_max_bytes does not take \"$value\"" \
		sh -c "! echo '$value' > $sysfs/secret_max_bytes && [ \$(cat $sysfs/secret_max_bytes) = $most ]"
done
echo 1048576 > $sysfs/secret_max_bytes
promise "the limit of all secret memory" cap 1048576
echo "$most" > $sysfs/secret_max_bytes

hold_secret 16
check "the module stays while a page is out" sh -c '! rmmod mmkit_unmapped'
check "whose bytes are counted" is secret_bytes $((16 * page))
let_go

# --- memory cgroup --------------------------------------------------------------------------------------------

mkdir -p /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo +memory > /sys/fs/cgroup/cgroup.subtree_control
mkdir $group
pages=$((8388608 / page))
hold_secret 1 in_group
one=$(charged)
let_go
hold_secret $pages in_group
more=$(($(charged) - one))
check "a memory cgroup is charged ($more of 8388608 bytes)" [ $more -gt 8000000 -a $more -lt 9000000 ]
# Sums over CPUs are made every two seconds.
wait_for 10 stat_kernel_has 8388608
check "as memory of the kernel ($(stat_kernel))" stat_kernel_has 8388608
let_go
check "and gets it back ($(charged))" [ "$(charged)" -lt 2000000 ]
echo 4M > $group/memory.max
in_group /mmkit/bin/secret take $pages > /tmp/taken
status=$?
echo "with 4 MiB: status $status, \"$(cat /tmp/taken)\", $(tr '\n' ' ' < $group/memory.events)"
check "a process that wants more than memory.max gets SIGBUS" \
	[ $status = 0 -a "$(cut -d' ' -f2- /tmp/taken)" = "Bus error" ]
check "nobody is killed for it" grep -qx "oom_kill 0" $group/memory.events
check "having got less than that" \
	[ "$(awk '{ print $1 + 0 }' /tmp/taken)" -lt $((4194304 / page)) ]
check "and gives it back ($(charged))" [ "$(charged)" -lt 2000000 ]
hold_secret 64 in_group
echo "$pid" > /sys/fs/cgroup/cgroup.procs
check "a group can go while its charges stay" rmdir $group
let_go
umount /sys/fs/cgroup

# --- many ------------------------------------------------------------------------------------------------------

promise "processes that come and go" many "$(often 2000 20000)"
check "nothing is left of them" is in_use_bytes "$begin"
check "nor of secret memory" is secret_bytes 0
check "nothing is in quarantine" is quarantined_bytes 0

check "the example keeps a key: SipHash of \"message\"" \
	[ "$(printf '\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17' | /mmkit/bin/keep_key message)" = 50bd4f3781fafdf2 ]
check "and of nothing" \
	[ "$(printf '\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17' | /mmkit/bin/keep_key)" = 726fdb47dd0e0e31 ]

unload mmkit_test_peek mmkit_unmapped
check "the device goes with the module" [ ! -e $device ]
load mmkit_unmapped secret=0
check "and is not there with secret=0" [ ! -e $device ]
