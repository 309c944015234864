# SPDX-License-Identifier: GPL-2.0-only
# Loading the suite and unloading it. The clock counts instructions and goes on while everybody sleeps: a
# grace period is time, too. A module of the kernel stands beside.
# vm: mem=1G smp=1
# vm-arm64: mem=1056M dtb=tagstore_small
. ./clock.sh
modprobe zram && modprobe -r zram

# Each round is a figure of its own; the second finds warm caches.
for round in 1 2; do
	mark "begin $round"
	for name in $(suite); do
		mark "load $name $round"
		insmod ko/$name.ko
		mark "loaded $name $round"
	done
	mark "all $round"
	gone=$(suite | tac)
	for name in $gone; do
		mark "unload $name $round"
		rmmod $name
		mark "unloaded $name $round"
	done
	mark "end $round"
	mark "load zram $round"
	modprobe zram
	mark "loaded zram $round"
	mark "unload zram $round"
	rmmod zram
	mark "unloaded zram $round"
done
[ -z "$(loaded)" ] || fail "all is unloaded"
for name in $(suite); do
	figure "load $name, us" mmkit "$(between "load $name 2" "loaded $name 2")"
	figure "unload $name, us" mmkit "$(between "unload $name 2" "unloaded $name 2")"
done
figure "load a module, us" "zram of the kernel" "$(between "load zram 2" "loaded zram 2")"
figure "unload a module, us" "zram of the kernel" "$(between "unload zram 2" "unloaded zram 2")"
for round in 1 2; do
	figure "load and unload the suite, time $round, us" mmkit "$(between "begin $round" "end $round")"
done
