# SPDX-License-Identifier: GPL-2.0-only
# What is in storage survives: memory and files that lie there keep their data when the storage is
# taken away from under them, while somebody writes. And the manager says of storage what the
# kernel's own tables say.
# vm: smp=2 timeout=240
# vm-amd64: mem=1G append="init_on_alloc=0 movablecore=256M nokaslr"
# vm-arm64: mem=1056M dtb=tagstore_small
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/tagstore.sh

arch=$(uname -m)
test=/sys/module/mmkit_test_tagstore/parameters/run
scanned() { awk -v key="$1" '$1 == key { print $2 }' /tmp/scan; }

scan()
{
	/mmkit/bin/keep_data pages $sim_storage $sim_bytes > /tmp/scan
	# Free, and nothing says so.
	on_lists=$(on_lists)
}

# Free, or it holds somebody's data, or it is taken. Not at one moment: a page can go from one to the other.
_agree()
{
	scan
	reserved=$(($(tagstore reserved_bytes) / $(page_bytes)))
	lent=$(($(tagstore lent_bytes) / $(page_bytes)))
	[ $reserved -le $(scanned silent) ] && [ $(scanned silent) -le $((reserved + on_lists)) ] &&
		[ $((lent + reserved)) = $((sim_bytes / $(page_bytes))) ]
}

agree()
{
	wait_for 5 _agree && return
	echo "reserved $reserved lent $lent on lists $on_lists" $(cat /tmp/scan)
	return 1
}

# tagged MEGABYTES: that much becomes tagged
tagged()
{
	if [ $arch = aarch64 ]; then
		/mmkit/bin/mte_paths hold $1 > /tmp/tagged &
		tagger=$!
		wait_for 60 grep -q ready /tmp/tagged
	else
		echo "hold $1" > $test
	fi
}

untagged()
{
	if [ $arch = aarch64 ]; then
		kill $tagger
		wait $tagger
	else
		echo release > $test
	fi
	echo 1 > $tagstore/drain
} 2> /dev/null

if [ $arch = aarch64 ]; then
	load_tagstore || exit 1
	sim_storage=$storage_start sim_bytes=$storage_size
else
	load_simulated 1 && load_test_tagstore 1 || exit 1
fi

check "the kernel keeps few pages on lists of CPUs" wait_for 10 short_lists || on_lists

# --- how much is lent ---
total=$(($(meminfo MemTotal) / 1024))
for percent in 0 1 10; do
	[ $percent = 0 ] || tagged $((total * percent / 100)) || fail "$percent % of memory can be tagged"
	check "with $percent % tagged lent_bytes and reserved_bytes are what the kernel says" agree
	echo "$percent % of $total MiB tagged: lent_bytes $(tagstore lent_bytes)," \
		"reserved_bytes $(tagstore reserved_bytes) of $(tagstore storage_bytes)"
	[ $percent = 0 ] || check "$(tagstore reserved_bytes) bytes of storage hold their tags" [ \
		"$(tagstore reserved_bytes)" -ge $((total * percent / 100 * 32768)) -a \
		"$(tagstore reserved_bytes)" -le $((total * percent / 100 * 32768 + (1 << 20))) ]
	[ $percent = 0 ] || untagged
done

# --- data in storage ---
if [ $arch = aarch64 ]; then
	# All but a little. The rest gets room when every sixth piece is given back.
	file=64 anon=$(($(meminfo MemAvailable) / 1024 - 4 - 64)) need=96
else
	# Files and memory of processes go where storage lies before they go elsewhere.
	file=64 anon=240 need=128
fi
/mmkit/bin/keep_data $anon 6 /tmp/data $file > /tmp/kept &
keeper=$!
check "$anon MiB of memory and $file of a file hold data" wait_for 90 grep -q ready /tmp/kept || cat /tmp/kept
scan
echo "of $((sim_bytes / $(page_bytes))) pages of storage:" $(cat /tmp/scan)
check "storage that is lent is used: $(scanned ordinary) pages hold data, $(scanned mapped) of them mapped" \
	[ "$(scanned ordinary)" -gt 1000 ]
check "lent_bytes is what the kernel says" agree
displaced=$(tagstat displaced_pages)
for round in $(seq $(often 2 20)); do
	tagged $need || fail "$need MiB are tagged"
	check "what the kernel says of storage is what the manager says" agree
	echo "round $round: reserved_bytes $(tagstore reserved_bytes)," \
		"$(($(tagstat displaced_pages) - displaced)) pages displaced so far, retries $(tagstat retries)"
	untagged
done
displaced=$(($(tagstat displaced_pages) - displaced))
check "$displaced pages that were in use had to go from storage" [ $displaced -gt 100 ]
kill -USR1 $keeper
wait $keeper
status=$?
check "all data is there: $(tail -n 1 /tmp/kept)" [ $status = 0 ]
rm -f /tmp/data
# Storage can be busy for a moment, and then other pages are taken.
echo "reserve_failures $(tagstore reserve_failures), retries $(tagstat retries)"
check "nobody went without" [ "$(tagstat sigbus)" = 0 -a "$(tagstore late_reservations)" = 0 ]
gone() { [ ! -e /sys/module/mmkit_test_tagstore ] || rmmod mmkit_test_tagstore; rmmod mmkit_tagstore; } 2> /dev/null
check "nothing keeps the manager" wait_for 5 gone || cat $mmkit_debugfs/tagstore/blocks $mmkit_debugfs/tagstore/stats
usual_lists
