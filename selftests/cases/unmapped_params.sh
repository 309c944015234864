# SPDX-License-Identifier: GPL-2.0-only
# Parameters and files of the cache: what is wrong is refused and changes nothing.
# vm: timeout=180 check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh

ERANGE=34
ko=/mmkit/ko/mmkit_unmapped.ko

mode() { stat -c %a "$um/$1"; }

# refused ERRNO PARAMETERS...: with that errno, and nothing is left
refused() {
	local errno=$1 got
	shift
	/mmkit/bin/load_once $ko "$@"
	got=$?
	check "$*: errno $errno" [ $got -eq $errno ]
	check "$*: nothing is left" [ ! -e $um -a ! -e $um_debugfs ]
	[ $got -ne 0 ] || rmmod mmkit_unmapped
}

load mmkit
refused 22 prefill=many
refused 22 prefill=-1
refused 22 max_cached_bytes=none
refused 22 secret=perhaps
refused 22 secret_max_bytes=-5
refused $ERANGE prefill=1000000
refused $ERANGE prefill=2 max_cached_bytes=$block_bytes

um_load
for name in cached_bytes in_use_bytes blocks quarantined_bytes secret_bytes; do
	check "$name is a number" grep -qxE '[0-9]+' $um/$name
	check "$name is read-only" [ "$(mode $name)" = 444 ]
done
for name in secret_max_bytes max_cached_bytes prefill; do
	check "$name is a number" grep -qxE '[0-9]+' $um/$name
	check "$name can be written by root" [ "$(mode $name)" = 644 ]
done
check "drain can only be written" [ "$(mode drain)" = 200 ]
for name in prefill max_cached_bytes secret secret_max_bytes; do
	check "parameter $name cannot be changed after load" \
		[ "$(stat -c %a /sys/module/mmkit_unmapped/parameters/$name)" = 444 ]
done
total=$(awk '/^MemTotal/ { print $2 * 1024 }' /proc/meminfo)
most=$(um_value max_cached_bytes)
check "5 % of memory may be cached ($most of $total)" \
	[ $((most * 100)) -gt $((total * 4)) -a $((most * 100)) -le $((total * 6)) ]

invalid="Invalid argument"
echo 2 > $um/prefill
check "prefill fills" [ "$(um_value blocks)" = 2 ]
check "two blocks are cached" [ "$(um_value cached_bytes)" = $((2 * block_bytes)) ]
for word in 0 2 -1 yes "" " " 11; do
	um_refuses drain "$word" "$invalid"
done
for word in -1 many "" " " 1k 1.5; do
	um_refuses prefill "$word" "$invalid"
	um_refuses max_cached_bytes "$word" "$invalid"
	um_refuses secret_max_bytes "$word" "$invalid"
done
um_refuses prefill $((most / block_bytes + 1)) "Numerical result out of range"
um_refuses prefill 99999999999999999999999 "Numerical result out of range"
um_refuses max_cached_bytes $((1 << 50)) "Numerical result out of range"
check "less than there is changes nothing" sh -c "echo 1 > $um/prefill && [ \$(cat $um/blocks) = 2 ]"
check "as much, too" sh -c "echo 2 > $um/prefill && [ \$(cat $um/blocks) = 2 ]"
check "prefill fills up to its limit" sh -c "echo $((most / block_bytes)) > $um/prefill"
check "which is not exceeded" [ "$(um_value cached_bytes)" -le $most ]
check "and is reached" [ "$(um_value blocks)" -eq $((most / block_bytes)) ]

um_do hold 10
um_do fill
echo $((3 * block_bytes)) > $um/max_cached_bytes
check "a smaller limit gives blocks back at once" [ "$(um_value cached_bytes)" -le $((3 * block_bytes)) ]
check "and is shown" [ "$(um_value max_cached_bytes)" -eq $((3 * block_bytes)) ]
um_refuses prefill 4 "Numerical result out of range"
echo 0 > $um/max_cached_bytes
check "with no limit left only the block in use stays" [ "$(um_value blocks)" -le 1 ]
um_do look
um_do hold 10 2
um_do drop
# The block that a page was freed to is whole: it may not stay.
check "nor does that, once it is free" wait_for 5 sh -c "[ \$(cat $um/cached_bytes) = 0 ]"
echo $most > $um/max_cached_bytes

# --- who still has pages cannot be left behind ---
um_do hold 10
check "the cache cannot go while its user is there" sh -c '! rmmod mmkit_unmapped 2>/dev/null'
um_do drop
um_do leak
pfn=$(sed -n 's/left behind //p' $um_run)
unload mmkit_test_unmapped
check "one page is out" [ "$(um_value in_use_bytes)" = $page ]
rmmod mmkit_unmapped 2> /tmp/said
check "the cache cannot go while a page is out" grep -q 'Resource temporarily unavailable' /tmp/said
check "it works on" um_whole
load mmkit_test_unmapped
um_do adopt $pfn
unload mmkit_test_unmapped
check "nothing is out" [ "$(um_value in_use_bytes)" = 0 ]
unload mmkit_unmapped

load mmkit_unmapped prefill=3 max_cached_bytes=$((3 * block_bytes)) secret_max_bytes=65536 secret=0
check "prefill=3" [ "$(um_value blocks)" = 3 ]
check "max_cached_bytes=" [ "$(um_value max_cached_bytes)" = $((3 * block_bytes)) ]
check "secret_max_bytes=" [ "$(um_value secret_max_bytes)" = 65536 ]
check "secret=0: no device" [ ! -e /dev/mmkit_secret ]
unload mmkit_unmapped mmkit
