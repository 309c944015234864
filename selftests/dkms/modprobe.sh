# SPDX-License-Identifier: GPL-2.0-only
#
# What DKMS has installed loads and unloads by name.

. /mmkit/lib-guest.sh

check "modprobe is kmod's" sh -c '/usr/sbin/modprobe --version | grep "^kmod version"'
check "modprobe mmkit_allocprof" modprobe mmkit_allocprof
check "modprobe mmkit_jit" modprobe mmkit_jit
check "mmkit came with it" loaded mmkit
verdict="mmkit: module verification failed: signature and/or required key missing - tainting kernel"
check "the kernel says what it thinks of the key" dmesg_says "$verdict"
in_readme "$verdict"
check "every file can be read" read_all
check "it counts" [ "$(cat $prof/tracked_bytes)" -gt 0 ]
check "pages leave the direct map" cache_works
unload_by_name
check "parameters are taken" modprobe mmkit_allocprof wide=1
check "wide=1 arrived" grep -q Y /sys/module/mmkit_allocprof/parameters/wide
check "mmkit cannot go while it is used" sh -c '! /usr/sbin/modprobe -r mmkit'
unload_by_name
