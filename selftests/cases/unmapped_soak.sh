# SPDX-License-Identifier: GPL-2.0-only
# Half an hour of everything at once: threads that take pages, secret memory of processes that come,
# go and are killed, pressure, controls, memory and CPUs that come and go. Then all is as it was.
# vm: soak=only mem=768M,slots=4,maxmem=4G timeout=2700 append="init_on_alloc=0"
# vm-amd64: qemu="-object memory-backend-ram,id=hot,size=256M -device pc-dimm,id=dimm,memdev=hot"
# vm-arm64: qemu="-object memory-backend-ram,id=hot,size=256M -device virtio-mem-pci,id=grow,memdev=hot,requested-size=256M"
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh

memory=/sys/devices/system/memory
seconds=1800

up() { cut -d. -f1 /proc/uptime; }

on() { [ "$(up)" -lt "$end" ]; }

taking() {
	while on; do
		load mmkit_test_unmapped_stress ops=20000 || break
		until [ "$(cat /sys/module/mmkit_test_unmapped_stress/parameters/running)" = 0 ]; do
			usleep 200000
		done
		unload mmkit_test_unmapped_stress || break
		echo >> /tmp/rounds.taking
	done
}

secrets() {
	while on; do
		/mmkit/bin/secret many 40 > /tmp/crowd 2>&1 || cat /tmp/crowd >> /tmp/wrong
		echo >> /tmp/rounds.secrets
	done
}

# Mostly the cache is well filled.
controls() {
	while on; do
		for step in 1 2 3 4 5 6; do
			echo $((64 * 1024 * 1024 / block_bytes)) 2> /dev/null > $um/prefill
			usleep 1000000
		done
		echo $((block_bytes * 3)) > $um/max_cached_bytes
		usleep 500000
		echo $most > $um/max_cached_bytes
		echo 1 > $um/drain
		cat $um_debugfs/cache $um_debugfs/stats > /dev/null
		echo >> /tmp/rounds.controls
	done
}

plug() {
	local dir
	for dir in $blocks; do
		echo online_kernel 2> /dev/null > $dir/state && echo >> /tmp/rounds.online
		usleep 900000
	done
	for dir in $blocks; do echo offline 2> /dev/null > $dir/state && echo >> /tmp/rounds.offline; done
	echo 0 2> /dev/null > /sys/devices/system/cpu/cpu3/online
	usleep 300000
	echo 1 2> /dev/null > /sys/devices/system/cpu/cpu3/online
}

# More than what is free, so that reclaim has to ask the cache, but not more than there is.
press() {
	local some=$((($(mem_free_kb) + $(um_value cached_bytes) / 1024 - 122880) / 1024))
	: > /tmp/pressed
	/mmkit/bin/touch_pages thp $some > /tmp/pressed &
	wait_for 60 grep -q ready /tmp/pressed
	kill $! 2> /dev/null
	wait $! 2> /dev/null
	echo >> /tmp/rounds.pressure
}

# One after the other: memory that goes while it is short would make the kernel kill.
machine() {
	while on; do
		plug
		plug
		press
	done
}

# Memory in use, in kB, when the cache is empty and the plugged memory is off, if it goes.
at_rest() {
	local dir try
	for dir in $blocks; do
		for try in 1 2 3 4 5 6 7 8 9 10; do
			[ "$(cat $dir/state)" = offline ] && break
			echo offline 2> /dev/null > $dir/state || usleep 500000
		done
	done
	um_empty
	echo $(($(awk '/^MemTotal/ { print $2 }' /proc/meminfo) - $(free_kb)))
}

rounds() { wc -l 2> /dev/null < /tmp/rounds.$1 || echo 0; }

ls -d $memory/memory[0-9]* > /tmp/boot_blocks
if [ -e /sys/firmware/acpi ]; then
	bytes=$((0x$(cat $memory/block_size_bytes)))
	blocks=$(for dir in $memory/memory[0-9]*; do
		[ $((0x$(cat $dir/phys_index) * bytes)) -lt $((0x100000000)) ] || echo $dir
	done)
else
	modprobe virtio_mem
	usleep 5000000
	blocks=$(ls -d $memory/memory[0-9]* | grep -vxFf /tmp/boot_blocks)
fi
[ -n "$blocks" ] || { fail "no memory was plugged in"; exit; }

rm -f /tmp/rounds.* /tmp/wrong
load mmkit
load mmkit_unmapped max_cached_bytes=$((128 * 1024 * 1024))
most=$(um_value max_cached_bytes)
# Once through: what is made at the first use is made.
load mmkit_test_unmapped_stress ops=2000
until [ "$(cat /sys/module/mmkit_test_unmapped_stress/parameters/running)" = 0 ]; do usleep 200000; done
unload mmkit_test_unmapped_stress
/mmkit/bin/secret many 10 > /dev/null
before=$(at_rest)
before=$(at_rest)
splits=$(vmstat direct_map_level2_splits)
end=$(($(up) + seconds))
taking & secrets & controls & machine &
wait
echo "rounds: taking $(rounds taking), secrets $(rounds secrets), pressure $(rounds pressure)," \
	"controls $(rounds controls), online $(rounds online), offline $(rounds offline)"
cat $um_debugfs/stats
for what in taking secrets pressure controls online offline; do
	check "$what went on to the end, $(rounds $what) times" [ "$(rounds $what)" -gt 1 ]
done
check "no process found fault" [ ! -s /tmp/wrong ] || head -n 20 /tmp/wrong
case_dmesg | grep 'mmkit_test_unmapped_stress: not ok' > /tmp/wrong
check "nor did the threads" [ ! -s /tmp/wrong ] || sort /tmp/wrong | uniq -c
check "memory was short at times" [ "$(um_stat shrink_queued_pages)" -gt 0 ]
check "nothing is in use" [ "$(um_value in_use_bytes)" = 0 ]
check "nothing is secret" [ "$(um_value secret_bytes)" = 0 ]
check "nothing is kept back" [ "$(um_value quarantined_bytes)" = 0 ]
check "nothing is cached" um_empty
after=$(at_rest)
check "memory is back ($before kB in use before, $after kB after)" [ "$after" -lt $((before + 8192)) ]
check "the cache has split nothing of the direct map" [ "$(um_stat splits_2m)" = 0 ]
check "the fuse is whole" sh -c "! grep blown $um/state"
unload mmkit_unmapped mmkit
