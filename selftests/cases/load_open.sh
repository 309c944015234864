# SPDX-License-Identifier: GPL-2.0-only
# A load fails late, while somebody tries to open what the module shows: no file is there before it is
# certain that the module stays, because one that is open would outlive it.
# vm: smp=2 check=6.1-amd64,7.3-arm64
. /mmkit/lib.sh
. /mmkit/suite.sh

# Opens a file as soon as it is there, and keeps it open until after the load.
opener()
{
	while [ ! -e /tmp/stop ]; do
		{ head -c 1; echo opened > /tmp/opened; sleep 2; cat; } < $prof/stats && break
	done > /dev/null 2>&1
}

load mmkit hide=folio_migrate_flags
rm -f /tmp/opened
for round in $(seq $(often 3 30)); do
	rm -f /tmp/stop
	opener &
	/mmkit/bin/load_once /mmkit/ko/mmkit_allocprof.ko
	[ $? = "$(_errno EOPNOTSUPP)" ] || fail "a load without a function that must be hooked"
	touch /tmp/stop
	wait
done
check "no file was there" [ ! -e /tmp/opened ]
check "nothing of the profiler is left" nothing_of_allocprof
unload mmkit

# The opener is quick enough: when the load goes well it has the file.
rm -f /tmp/stop
opener &
load_suite
check "when the load goes well it is" wait_for 5 [ -e /tmp/opened ]
touch /tmp/stop
wait
unload mmkit_jit mmkit_unmapped mmkit_allocprof mmkit
