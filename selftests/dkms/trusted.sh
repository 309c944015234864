# SPDX-License-Identifier: GPL-2.0-only
#
# Secure Boot, lockdown=integrity and module.sig_enforce=1, with the key of DKMS enrolled as a machine
# owner's key: everything works as without.

. /mmkit/lib-guest.sh

unsigned=/mmkit/unsigned/mmkit.ko
writable=$(find /sys/kernel/debug -path '*/mmkit' -prune -o -type f -perm 0644 -print 2>/dev/null | head -n 1)

check "Secure Boot is on" sh -c 'dmesg | grep -i "secure boot enabled"'
check "lockdown is on" grep -F '[integrity]' $lockdown
check "lockdown is real: $writable does not open" sh -c "! dd if=$writable of=/dev/null"
check "signatures are enforced" grep -q Y /sys/module/module/parameters/sig_enforce
check "the kernel has taken the key" sh -c "dmesg | grep \"Loaded X.509 cert 'DKMS module signing key\""

refused "unsigned" "Loading of unsigned module is rejected" insmod $unsigned
check "modprobe mmkit_allocprof" modprobe mmkit_allocprof
check "modprobe mmkit_jit" modprobe mmkit_jit
check "mmkit came with it" loaded mmkit
check "the signature was good" dmesg_lacks "module verification failed"
check "the kernel is not tainted by an unsigned module" \
	sh -c '[ $(($(cat /proc/sys/kernel/tainted) >> 13 & 1)) = 0 ]'
check "every file can be read" read_all
check "it counts" [ "$(cat $prof/tracked_bytes)" -gt 0 ]
check "pages leave the direct map" cache_works
check "enabled can be written" sh -c "echo 0 > $prof/enabled && echo 1 > $prof/enabled"
check "nothing of it was locked down" dmesg_lacks "Lockdown: cat"
unload_by_name

check "confidentiality, from here on" sh -c "echo confidentiality > $lockdown && grep -F '[confidentiality]' $lockdown"
check "confidentiality: modprobe mmkit_allocprof" modprobe mmkit_allocprof
check "confidentiality: modprobe mmkit_jit" modprobe mmkit_jit
check "confidentiality: pages leave the direct map" cache_works
check "confidentiality: every file can be read" read_all
check "confidentiality: it counts" [ "$(cat $prof/tracked_bytes)" -gt 0 ]
check "confidentiality: enabled can be written" sh -c "echo 0 > $prof/enabled && echo 1 > $prof/enabled"
unload_by_name
