# SPDX-License-Identifier: GPL-2.0-only
# Another version takes the place of the one that is loaded, while the machine works and the suite is
# used. What must be let go first keeps its module in place; versions are not mixed.
# vm: mem=1G smp=2 timeout=600 needs=next-version check=6.1-amd64,7.3-arm64
# vm-arm64: mem=2112M dtb=tagstore
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh
. /mmkit/jit.sh
. /mmkit/tagstore.sh

next=/tmp/next.ko

# From here on load takes the other version.
swap() { mv /mmkit/ko /tmp/last.ko && mv $next /mmkit/ko && mv /tmp/last.ko $next; }

has_tagstore() { suite | grep -qx mmkit_tagstore; }
modules_say() { modinfo -F version /mmkit/ko/mmkit.ko; }
rows() { awk 'NR > 1' $mmkit_debugfs/components; }
row_is() { [ "$(rows | awk -v version="$1" '$3 == version' | wc -l)" = "$2" ]; }
one_version() {
	local name
	for name in $(suite); do
		[ "$(modinfo -F version /mmkit/ko/$name.ko)" = "$1" ] || return 1
		[ "$(cat /sys/module/$name/version)" = "$1" ] || return 1
	done
	[ "$(cat /sys/kernel/mmkit/version)" = "$1" ] && row_is "$1" "$(suite | wc -l)"
}
all_ok() { ! rows | grep -w blown && [ "$(rows | wc -l)" = "$(suite | wc -l)" ]; }
stays() { rmmod "$1" 2>&1 | grep -Eq 'Resource temporarily unavailable|busy'; }
# A file of it that somebody reads at the moment keeps a module, too.
goes() { rmmod "$1" 2> /dev/null && return; echo "$1" >> /tmp/tries; return 1; }
nothing_left() { [ ! -e /sys/kernel/mmkit ] && [ ! -e $mmkit_debugfs ] && [ ! -e /dev/mmkit_secret ]; }

# --- the load: each does one thing until it is told to stop ---
again() {
	while [ ! -e /tmp/stop ]; do
		"$@"
		echo 1 >> "/tmp/rounds.$1"
		usleep 200000
	done
}
read_files() { find /sys/kernel/mmkit $mmkit_debugfs -type f -perm -400 -exec cat {} + > /dev/null 2>&1; }
fork_much() { for i in 1 2 3 4; do (/bin/true); done; }
write_files() { dd if=/dev/zero of=/tmp/file bs=64k count=32 2> /dev/null; rm /tmp/file; }
# While the device is away it fails.
keep_secrets() { /mmkit/bin/keep_key message < /dev/zero > /dev/null 2>&1; }
loads="read_files fork_much write_files keep_secrets"
worked() { for name in $loads; do [ "$(wc -l < /tmp/rounds.$name)" -gt "$1" ] || return 1; done; }
progress() { for name in $loads; do echo "$name: $(wc -l < /tmp/rounds.$name) rounds"; done; }

# What users have, and how they let it go.
take() {
	/mmkit/bin/secret hold 16 > /tmp/held &
	holder=$!
	wait_for 10 grep -q ready /tmp/held || fail "nobody has secret memory"
	read -r _ pid _ < /tmp/held
	load mmkit_test_text && tell text hold 300 && tell text hold 70000
}
let_secret_go() { kill -KILL "$pid"; wait $holder; } 2> /dev/null

# upgrade TEXT: the other version takes the place of what is loaded, under load.
upgrade() {
	local old new name allocs
	old=$(cat /sys/kernel/mmkit/version)
	take
	check "$1: text that a module has keeps mmkit_jit" stays mmkit_jit
	tell text call
	check "$1: and works" [ "$(answer text wrong)" = 0 -a "$(answer text called)" = 2 ]
	tell text drop
	allocs=$(jit_stat allocs)
	unload mmkit_test_text
	check "$1: mmkit_jit goes without it" wait_for 20 goes mmkit_jit
	check "$1: secret memory of a program keeps mmkit_unmapped" stays mmkit_unmapped
	check "$1: and mmkit" stays mmkit
	let_secret_go
	for name in $(suite | sed '1!G;h;$!d'); do
		_is_loaded $name || continue
		wait_for 20 goes $name || fail "$1: $name does not go"
	done
	check "$1: nothing of $old is left" nothing_left
	! has_tagstore || check "$1: tag storage is kept, and not lent" \
		[ $((cma_before - $(meminfo CmaFree))) -gt $((storage_kb / 2)) ]
	swap
	new=$(modules_say)
	load_suite
	check "$1: $new is in its place, and says so everywhere" one_version "$new"
	[ "$new" != "$old" ] || fail "$1: nothing was upgraded"
	check "$1: all of it works" all_ok
	check "$1: counts begin anew, those of text were $allocs" [ "$(jit_stat allocs)" = 0 -a "$allocs" -ge 2 ]
	check "$1: the books close" books_close
	check "$1: a program keeps a key" /mmkit/bin/keep_key message < /dev/zero
	load mmkit_test_text
	tell text hold 300
	tell text call
	check "$1: a module built before has text" [ "$(answer text wrong)" = 0 -a "$(answer text called)" = 1 ]
	tell text drop
	unload mmkit_test_text
	! has_tagstore || check "$1: the storage that was kept is lent again: $(tagstore lent_bytes) bytes" \
		[ "$(tagstore lent_bytes)" -gt $(($(tagstore storage_bytes) / 2)) ]
}

mkdir $next
cp /mmkit/ko/* $next
tar -xf /mmkit/next-version.tar -C $next
for name in $(cat /mmkit/ko/suite); do
	cmp -s /mmkit/ko/$name.ko $next/$name.ko && fail "$name is the same"
done

# --- what is mixed is refused, in both directions ---
load mmkit
swap
for name in mmkit_allocprof mmkit_unmapped $(suite | grep -x mmkit_tagstore); do
	want_errno ENOEXEC $name
done
swap
load mmkit_unmapped
swap
want_errno ENOEXEC mmkit_jit
check "core is as it was" [ "$(cat /sys/kernel/mmkit/core/state)" = ok -a "$(rows | wc -l)" = 2 ]
unload mmkit_unmapped mmkit
check "nothing is left" nothing_left
load mmkit
swap
want_errno ENOEXEC mmkit_allocprof
expect_dmesg 'mmkit: allocprof is of version [0-9.]*, and mmkit of [0-9.]*: unload the suite'
unload mmkit

# --- one takes the place of the other ---
cma_before=$(meminfo CmaFree)
: > /tmp/tries
for name in $loads; do
	: > /tmp/rounds.$name
	again $name &
done
load_suite
storage_kb=$(($(tagstore storage_bytes 2> /dev/null || echo 0) / 1024))
for round in $(seq "$(often 1 20)"); do
	upgrade "round $round"
done
check "all of the load was at work" wait_for 20 worked 10 || progress
touch /tmp/stop
wait
progress
echo "modules were in use $(wc -l < /tmp/tries) times when they should go: $(sort /tmp/tries | uniq -c | tr '\n' ' ')"
