# SPDX-License-Identifier: GPL-2.0-only
# Hostile programs (hostile.c) do at random what can be done to /dev/mmkit_secret and to all files of the
# suite, as root and as nobody. Afterwards nothing is in use, all is whole, and memory is back.
# vm: timeout=180 soak_timeout=1500 check=7.3-amd64
# vm-arm64: smp=2 mem=1056M dtb=tagstore_small
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh
. /mmkit/jit.sh
. /mmkit/tagstore.sh

device_operations=$(often 8000 40000)
file_operations=$(often 3000 20000)
seconds=$(often 0 600)
first=$(often 1 $(od -An -N3 -tu4 /dev/urandom))

up() { cut -d. -f1 /proc/uptime; }

settled() { [ "$(um_value in_use_bytes)" = 0 ]; }

load_all() {
	load mmkit
	! suite | grep -q tagstore || load_tagstore
	load_suite
}

# Once through: what is made at the first use is made.
load_all
/mmkit/bin/hostile device 1 500 > /dev/null
unload $(loaded)
before=$(free_kb)

load_all
largest=$(um_value max_cached_bytes)
secret=$(um_value secret_max_bytes)
begun=$(up) round=0
while :; do
	seed=$((first + round))
	round=$((round + 1))
	echo "seed $seed"
	/mmkit/bin/hostile device $seed $device_operations > /tmp/hostile.device 2>&1 &
	on_device=$!
	/mmkit/bin/hostile files $seed $file_operations /sys/kernel/mmkit $mmkit_debugfs /sys/module/mmkit* \
		/dev/mmkit_secret > /tmp/hostile.files 2>&1
	files=$?
	wait $on_device
	device=$?
	cat /tmp/hostile.device /tmp/hostile.files
	[ $device = 0 -a $files = 0 ] || break
	[ $(($(up) - begun)) -lt $seconds ] || break
done
check "nothing is to be had of the device ($round rounds)" [ $device = 0 ]
check "nor of the files" [ $files = 0 ]
check "all that was in use is given back" wait_for 10 settled
check "nothing is secret" [ "$(um_value secret_bytes)" = 0 ]
check "nothing is kept back" [ "$(um_value quarantined_bytes)" = 0 ]
check "no text is used" jit_idle
check "all fuses are whole" sh -c "! grep '^blown' /sys/kernel/mmkit/*/state"

# Whatever has been written by chance can be undone.
check "the profiler can be switched off" sh -c "echo 0 > $prof_sysfs/enabled"
check "and on" sh -c "echo 1 > $prof_sysfs/enabled"
check "limits can be set" sh -c "echo $largest > $um/max_cached_bytes && echo $secret > $um/secret_max_bytes"
check "the cache fills" sh -c "echo 1 > $um/prefill"
check "and empties" um_empty
check "the books close" books_close
check "secret memory can be had" /mmkit/bin/secret zero
unload $(loaded)
direct_map_whole none_out=1
memory_is_back $before 4096
