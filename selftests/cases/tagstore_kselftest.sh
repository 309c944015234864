# SPDX-License-Identifier: GPL-2.0-only
# The kernel's own tests of memory tags, of the very kernel that runs, say the same line by line
# with the manager as without it; what fails on a plain kernel fails in the same way.
# vm: arch=arm64 mem=1056M emulator=backports timeout=300 needs=kselftest dtb=tagstore_small check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/tagstore.sh

# One of them starts a thousand processes to see a register switched, for minutes under emulation;
# it tags nothing.
where=/tmp/kselftest
mkdir -p $where && tar -xf /mmkit/kselftest.tar -C $where || fail "no tests"
tests=$(cd $where && ls | grep -vx check_gcr_el1_cswitch)

# Each result, and how many there are; what is said beside them has addresses and times in it.
run_tests() {
	local test
	mkdir -p "$1"
	for test in $tests; do
		echo 8 > /proc/sys/vm/nr_hugepages
		timeout -s KILL 120 $where/$test > "$1/$test.log" 2>&1
		echo "status $?" >> "$1/$test.log"
		grep -E '^(ok|not ok|1\.\.|Bail|# Totals|status) ?' "$1/$test.log" > "$1/$test"
	done
	echo 0 > /proc/sys/vm/nr_hugepages
}

# A test that died has no results; one that this kernel cannot run says so.
said_something() {
	grep -qE '^(ok|not ok|1\.\.0 # SKIP)' /tmp/without/$1 || { cat /tmp/without/$1.log; false; }
}

run_tests /tmp/without
load_tagstore || exit 1
watch_tags || exit 1
run_tests /tmp/with
for test in $tests; do
	lines=$(grep -cE '^(ok|not ok)' /tmp/without/$test)
	check "$test: $lines results, $(grep -c '^not ok' /tmp/without/$test) of them bad on this kernel anyway" \
		said_something $test
	check "$test: the same with the manager" diff /tmp/without/$test /tmp/with/$test ||
		tail -n 20 "/tmp/with/$test.log"
done
check "no tag without room ($(watched checked) writes)" \
	[ "$(watched violations)" = 0 -a "$(watched checked)" -gt 0 ] || violations
check "no late reservation" [ "$(tagstore late_reservations)" = 0 ]
check "afterwards nothing is tagged, nothing is kept" at_rest
