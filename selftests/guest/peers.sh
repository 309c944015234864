# SPDX-License-Identifier: GPL-2.0-only
#
# Helpers of benchmarks that compare the profiler with its peers; sourced after suite.sh.
#
#   with_each COMMAND    runs "COMMAND WHO" with nothing, with probes that do nothing and with the profiler;
#                        in a boot of its own that has a peer, with that peer. Each must be seen at work.
#
# A peer is named by who= of a "# boot:" line: what is switched on by the command line, or bpftrace, which
# is given the least that says anything, and does not know who owns the pages that are in use.

# What a peer says when it is on.
_peer_works()
{
	case $1 in
	"alloc_tag compressed") dmesg | grep -q 'profiling is enabled with compression' && _alloc_tag_counts ;;
	"alloc_tag page_ext") dmesg | grep -q 'profiling is enabled without compression' && _alloc_tag_counts ;;
	page_owner) head -c 200 /sys/kernel/debug/page_owner | grep -q 'Page allocated via order' ;;
	*) false ;;
	esac
}

# Off, the file is there, and all it has is nothing.
_alloc_tag_counts() { awk '/page_alloc|memory\.c/ { sum += $1 } END { exit !(sum > 0) }' /proc/allocinfo; }

_start_bpftrace()
{
	ln -s usr/lib64 /lib64
	tar -C / -xf /mmkit/bpftrace.tar
	rm /mmkit/bpftrace.tar
	/usr/bin/bpftrace -e '
		BEGIN { printf("ready\n"); }
		tracepoint:kmem:mm_page_alloc { @allocated[kstack(5)] = count(); }
		tracepoint:kmem:mm_page_free { @freed = count(); }' > /tmp/bpftrace 2>&1 &
	bpftrace=$!
	wait_for 120 grep -q ready /tmp/bpftrace
}

# It prints what it has counted when it ends.
_bpftrace_counted()
{
	grep -q '^@allocated\[' /tmp/bpftrace && grep -q '^@freed: [1-9]' /tmp/bpftrace
}

with_each()
{
	local who
	who=$(cat /mmkit/who)
	if [ "$who" = bpftrace ]; then
		if _start_bpftrace; then
			"$1" bpftrace
			kill $bpftrace
			wait $bpftrace
			check "bpftrace has counted" _bpftrace_counted
		else
			tail -n 20 /tmp/bpftrace
			fail "bpftrace does not start"
		fi
		return
	fi
	if [ -n "$who" ]; then
		check "$who is at work" _peer_works "$who" && "$1" "$who"
		return
	fi
	"$1" plain
	load mmkit
	load mmkit_bench_probes
	"$1" "empty probes"
	unload mmkit_bench_probes
	load mmkit_allocprof
	"$1" mmkit
	echo "unwinds $(prof_stat unwinds) of $(prof_stat allocations) allocations"
	unload mmkit_allocprof mmkit
}
