# SPDX-License-Identifier: GPL-2.0-only
# Modules that come and go while their sites are profiled: named while there, and afterwards.
# vm: timeout=300 check=6.1,7.3
# modules: zram loop brd
. /mmkit/lib.sh
. /mmkit/suite.sh

rounds=$(often 5 20)

reader() {
	while [ ! -e /tmp/stop ]; do
		cat $prof/allocinfo > /tmp/read || echo failed
		[ "$(head -n 1 /tmp/read)" = "allocinfo - version: 2.0" ] || echo "no header"
		tail -n +3 /tmp/read | grep -vE ' func:[^ ]+( accurate:no)? $'
		cat $prof/sites > /dev/null || echo failed
		sleep 0.1
	done
}

# A block device of memory, filled and given back; its pages are the module's.
use_zram() {
	modprobe zram num_devices=1 || return 1
	echo 16M > /sys/block/zram0/disksize || return 1
	[ -b /dev/zram0 ] || mknod /dev/zram0 b $(tr : ' ' < /sys/block/zram0/dev)
	dd if=/dev/urandom of=/dev/zram0 bs=64k count=32 2>/dev/null
	sync
	grep -c ' \[zram\] func:' $prof/allocinfo >> /tmp/sites.zram
	grep -q '\[zsmalloc\] func:' $prof/allocinfo && echo seen >> /tmp/sites.zsmalloc
	echo 1 > /sys/block/zram0/reset
	rmmod zram
}

use_loop() {
	modprobe loop || return 1
	dd if=/dev/zero of=/tmp/image bs=1M count=2 2>/dev/null
	losetup /dev/loop0 /tmp/image
	cat /dev/loop0 > /dev/null
	losetup -d /dev/loop0
	rm /tmp/image
	rmmod loop
}

use_brd() {
	modprobe brd rd_nr=1 rd_size=8192 || return 1
	dd if=/dev/zero of=/dev/ram0 bs=64k count=64 2>/dev/null
	sync
	awk '/ \[brd\] func:/ { sum += $1 } END { printf "%d\n", sum }' $prof/allocinfo >> /tmp/bytes.brd
	rmmod brd
}

load mmkit
load mmkit_allocprof verify=1
modprobe zram num_devices=1 || skip "this kernel has no zram"
rmmod zram
: > /tmp/sites.zram
: > /tmp/bytes.brd
: > /tmp/unloaded
rm -f /tmp/stop
reader > /tmp/reader 2>&1 &

with_brd=
modinfo brd > /dev/null 2>&1 && modprobe brd rd_nr=1 && with_brd=yes && rmmod brd

bad=0 most=0
for round in $(seq $rounds); do
	use_zram || bad=$((bad + 1))
	use_loop || bad=$((bad + 1))
	[ -z "$with_brd" ] || use_brd || bad=$((bad + 1))
	# What is shown of a module that is gone is shown as such.
	grep -E ' \[(zram|loop|brd)\] func:' $prof/allocinfo >> /tmp/unloaded
	sites=$(cat $prof_sysfs/sites)
	[ $round -ne 2 ] || early=$sites
	[ "$sites" -le $most ] || most=$sites
done
touch /tmp/stop
wait
check "modules were used $rounds times" [ $bad -eq 0 ]
check "a parallel reader saw nothing strange" [ ! -s /tmp/reader ]
check "no site of an unloaded module is shown as loaded" [ ! -s /tmp/unloaded ]
check "sites of zram were named in every round" sh -c \
	"[ \$(awk '\$1 > 0' /tmp/sites.zram | wc -l) -eq $rounds ]"
[ -z "$with_brd" ] ||
	check "pages of brd were its own in every round" sh -c \
		"[ \$(awk '\$1 >= 4194304' /tmp/bytes.brd | wc -l) -eq $rounds ]"
check "gone modules are shown as unloaded" grep -qE ' \[(zram|loop|brd):unloaded\] func:' \
	$prof/allocinfo
check "nothing of theirs is left live" sh -c \
	"! awk '/:unloaded\\]/ && (\$1 || \$2)' $prof/allocinfo | grep ."
check "sites do not grow without bound ($early after 2 rounds, $most at most)" \
	[ $most -lt $((early + 256 + 512)) ]
check "no tag occurs twice among the living" sh -c \
	"! grep -v unloaded $prof/allocinfo | sed -E 's/^ *[0-9]+ +[0-9]+ //' | sort | uniq -d | grep ."
check "memo and unwinder agree on $(prof_stat verified) events" \
	[ "$(cat $prof_sysfs/verify_mismatches)" = 0 ]
check "the books close" books_close
check "the fuse is whole" grep -qx ok $prof_sysfs/state
unload mmkit_allocprof mmkit
