# SPDX-License-Identifier: GPL-2.0-only
#
# A kernel that wants signatures and does not know the key of DKMS, under lockdown and then with
# module.sig_enforce as well: nothing loads, and the log says why.

. /mmkit/lib-guest.sh

unsigned=/mmkit/unsigned/mmkit.ko

check "lockdown is on" grep -F '[integrity]' $lockdown
refused "lockdown: unsigned" "unsigned module loading is restricted; see man kernel_lockdown.7" insmod $unsigned
refused "lockdown: signed" "Lockdown: modprobe: unsigned module loading is restricted; see man kernel_lockdown.7" \
	modprobe mmkit_allocprof
echo 1 > /sys/module/module/parameters/sig_enforce
refused "sig_enforce: unsigned" "Loading of unsigned module is rejected" insmod $unsigned
refused "sig_enforce: signed" "Loading of module with unavailable key is rejected" modprobe mmkit_allocprof
check "nothing is loaded" not_loaded mmkit
