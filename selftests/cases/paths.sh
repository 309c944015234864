# SPDX-License-Identifier: GPL-2.0-only
# Each way to get pages is charged to the function that a person would name. The kernel's own stack
# traces are the witness: the site is the first of their frames that is no helper of an allocator.
# vm: timeout=180
. /mmkit/lib.sh
. /mmkit/suite.sh

# Who owns the pages, by path. Several names: compilers and kernels move the edge between a function
# and the helper it consists of.
owners() {
	case $1 in
	# faults: on anonymous memory, on a page shared since fork(), on a file mapped privately
	anon | populate) echo 'do_anonymous_page|__handle_mm_fault' ;;
	thp) echo 'do_huge_pmd_anonymous_page' ;;
	cow) echo 'wp_page_copy|do_wp_page' ;;
	private) echo 'do_cow_fault|do_fault|__handle_mm_fault' ;;
	ptes) echo 'pte_alloc_one|__pte_alloc' ;;
	# files: read ahead, written to, in memory only
	read | fault) echo 'page_cache_ra_unbounded|page_cache_ra_order' ;;
	write) echo '__filemap_get_folio|__filemap_get_folio_mpol' ;;
	tmpfs) echo 'shmem_alloc_folio|shmem_alloc_and_add_folio' ;;
	pipe) echo 'pipe_write|anon_pipe_write|anon_pipe_prefill_and_lock' ;;
	unix) echo 'alloc_skb_with_frags' ;;
	threads) echo 'copy_process|dup_task_struct|alloc_thread_stack_node' ;;
	slab) echo 'allocate_slab|new_slab' ;;
	percpu) echo 'pcpu_populate_chunk|pcpu_alloc_pages' ;;
	skb) echo '__alloc_skb|kmalloc_reserve' ;;
	skb_frags) echo 'alloc_skb_with_frags' ;;
	sock_frag) echo 'skb_page_frag_refill' ;;
	netdev_frag) echo 'page_frag_alloc_align|__page_frag_alloc_align' ;;
	esac
}

tracing=/sys/kernel/tracing
event=$tracing/events/kmem/mm_page_alloc
page_size=$(page_bytes)

awk_stacks='
function base(frame) {
	sub(/\+.*/, "", frame); sub(/\..*/, "", frame); sub(/_noprof$/, "", frame)
	return frame
}
function site(frame, module,	at, digit, number) {
	at = frame; sub(/.*\+0x/, "", at); sub(/\/.*/, "", at); sub(/\+.*/, "", frame)
	for (number = 0; length(at); at = substr(at, 2))
		number = number * 16 + index("0123456789abcdef", substr(at, 1, 1)) - 1
	return frame ":" number (module ? " " module : "")
}'

# What the event saw: "bytes pid site"; site "?": a stack that does not begin in the allocator.
seen_by_event() {
	awk -v helpers="$prof_helpers" -v page="$page_size" "$awk_stacks"'
	/^\{ order:/ {
		bytes = page
		for (n = $3 + 0; n; n--) bytes *= 2
		pid = $5 + 0; depth = 0; owner = ""
	}
	/^ +[^ ]+\+0x/ && owner == "" {
		if (base($1) ~ helpers) depth++
		else owner = depth ? site($1, $2) : "?"
	}
	/hitcount:/ && owner != "" { sum[pid " " owner] += $NF * bytes }
	END { for (by in sum) printf "%d %s\n", sum[by], by }' /tmp/hist
}

# Bulk and ranges raise no event: who called those functions, "pid site".
seen_by_tracer() {
	awk -v helpers="$prof_helpers" "$awk_stacks"'
	/<stack trace>/ { pid = $1; sub(/.*-/, "", pid); inside = 0; done = 0 }
	/^ => / && !done {
		if (base($2) ~ /^_*alloc_(pages_bulk|contig_)/) inside = 1
		else if (inside && base($2) !~ helpers) { done = 1; print pid, site($2, $3) }
	}' $tracing/trace | sort -u
}

# watch [FILTER]: from here on; watched: until here, in /tmp/event and /tmp/tracer
watch() {
	local key
	echo > $tracing/trace
	for key in common_stacktrace stacktrace; do
		trigger="hist:keys=order,common_pid,$key:size=4096 if pfn < 0x7fffffffff$1"
		echo "$trigger" > $event/trigger && return
	done 2>/dev/null
	fail "no stack traces of page allocations"
}

watched() {
	cat $event/hist > /tmp/hist
	seen_by_tracer > /tmp/tracer
	echo "!$trigger" > $event/trigger
	seen_by_event > /tmp/event
	check "each stack begins in the allocator" sh -c \
		"[ -s /tmp/event ] && ! grep -F '?' /tmp/event"
	check "no stack was lost" sh -c "grep -q 'Dropped: 0' /tmp/hist &&
		grep -qE 'entries-written: ([0-9]+)/\\1 ' $tracing/trace"
}

# "live total site"
profile() {
	awk -F '\t' 'NR > 1 { print $1, $3, $NF }' $prof/sites
}

# How much each site has gained since "profile > /tmp/before".
gains() {
	profile > /tmp/held
	awk '{ site = $3 " " $4 }
	FILENAME == "/tmp/before" { live[site] = $1; total[site] = $2; next }
	$2 != total[site] { print $1 - live[site], $2 - total[site], site }' \
		/tmp/before /tmp/held > /tmp/gain
}

# sites_of PATH: a regular expression for the sites of its owners
sites_of() {
	echo "^($(owners $1))(_noprof)?([.][^:]*)?:"
}

# judge PATH BYTES [PID]: what that process took, by the kernel's stacks and by the profiler.
# States the result of the path: the sites, and how much of each the kernel saw it take.
judge() {
	local text
	text=$(awk -v path="$1" -v bytes="$2" -v pid="$3" -v owned="$(sites_of $1)" '
	FILENAME == "/tmp/event" {
		seen[$3 " " $4] += $1
		if (pid == "" || $2 == pid) took[$3 " " $4] += $1
	}
	FILENAME == "/tmp/tracer" && (pid == "" || $1 == pid) { called[$2 " " $3] = 1 }
	FILENAME == "/tmp/gain" { live[$3 " " $4] = $1; total[$3 " " $4] = $2 }
	END {
		for (site in called)
			if (site ~ owned && total[site] > seen[site]) took[site] = total[site]
		for (site in took) {
			if (site ~ owned) {
				text = text " " site "(" int(took[site] / 1024) " KiB)"
				witnessed += took[site]
				gained += live[site]
				if (total[site] < seen[site])
					bad = bad ", of " seen[site] " at " site ": " total[site] + 0
			} else if (pid && took[site] > bytes) {
				bad = bad ", took " took[site] " at " site
			}
		}
		if (witnessed < bytes) bad = bad ", the kernel saw " witnessed + 0
		if (gained < bytes) bad = bad ", the profiler counts " gained + 0
		print path ":" text (bad ? " of " bytes bad : "")
		exit bad != ""
	}' /tmp/event /tmp/tracer /tmp/gain) && pass "$text" && return
	fail "$text"
	echo "bytes, process and site by the kernel's stacks:"
	grep " ${3:-[0-9]*} " /tmp/event | sort -rn | head -n 8
}

# gone PATH: of what was gained a quarter is left at most; one chunk of per-CPU memory is kept
gone() {
	_gone $1 && return
	profile > /tmp/after
	_gone $1
}

_gone() {
	awk -v part="$([ $1 = percpu ] && echo 2 || echo 4)" -v owned="$(sites_of $1)" '
	$3 ~ owned { live[FILENAME] += $1 }
	END {
		before = live["/tmp/before"]
		exit live["/tmp/after"] > before + (live["/tmp/held"] - before) / part
	}' /tmp/before /tmp/held /tmp/after
}

# user PATH MEGABYTES [PROGRAM_PATH FILE]: a program takes memory that way and keeps it
user() {
	: > /tmp/said
	/mmkit/bin/page_paths ${3:-$1} $2 ${4:-} > /tmp/said &
	holders="$holders $!"
	wait_for 10 grep -q ready /tmp/said || fail "$1: the program does not get ready"
	echo $1 $(($2 << 20)) $(sed 's/ready //' /tmp/said) >> /tmp/taken
}

leave() {
	for name in $watched_functions; do echo "!$name:stacktrace" >> $tracing/set_ftrace_filter; done
	echo 0 > $tracing/options/sym-offset
	echo $buffer_size > $tracing/buffer_size_kb
	echo > $tracing/trace
	grep -q "^hist" $event/trigger && echo "!$trigger" > $event/trigger
	[ -z "$holders" ] || kill $holders
	umount /tmp/disk
	rm -f /tmp/new
	rmmod brd
} 2>/dev/null

buffer_size=$(sed 's/ .*//' $tracing/buffer_size_kb)
trap leave EXIT
load mmkit
load mmkit_allocprof verify=1

modprobe -a brd ext4 2>/dev/null
mke2fs -F /dev/ram0 16384 > /dev/null && mkdir -p /tmp/disk && mount -t ext4 /dev/ram0 /tmp/disk ||
	fail "no filesystem on a ramdisk"
for name in one two; do dd if=/dev/zero of=/tmp/disk/$name bs=1M count=4 2>/dev/null; done
sync

echo 1 > $tracing/options/sym-offset
echo 1024 > $tracing/buffer_size_kb
traced='(__alloc_pages_bulk|alloc_pages_bulk_noprof|alloc_contig_(frozen_)?range(_noprof)?)'
watched_functions=$(grep -xE "$traced" $tracing/available_filter_functions)
for name in $watched_functions; do
	echo "$name:stacktrace" >> $tracing/set_ftrace_filter
done
check "the bulk allocator is watched" grep -q 'bulk.*stacktrace' $tracing/set_ftrace_filter

# --- a module's ways: exactly what it holds, function by function ---
profile > /tmp/before
watch
module=mmkit_test_paths
load $module || exit 1
watched
gains
case_dmesg | sed -n "s/.*$module: held //p" | sort > /tmp/wanted
awk -v m="[$module]" '$4 == m && $3 ~ /^paths_/ { sub(/:.*/, "", $3); live[$3] += $1 }
	END { for (f in live) printf "%s %d\n", f, live[f] }' /tmp/held | sort > /tmp/got
diff /tmp/wanted /tmp/got
check "each of $(grep -c . /tmp/wanted) functions owns the bytes it asked for" \
	cmp /tmp/wanted /tmp/got
awk -v m="[$module]" '
	FILENAME == "/tmp/event" && $4 == m { seen[$3] += $1 }
	FILENAME == "/tmp/tracer" && $3 == m { called[$2] = 1 }
	FILENAME == "/tmp/held" && $4 == m {
		n++
		if ($2 != seen[$3] + 0 && !($3 in called && $2 > seen[$3])) {
			print $3, "has", $2, "the event saw", seen[$3] + 0; bad = 1
		}
		delete seen[$3]; delete called[$3]
	}
	END {
		for (f in seen) { print f, "is not in the profile, the event saw", seen[f]; bad = 1 }
		for (f in called) { print f, "is not in the profile, the tracer saw it"; bad = 1 }
		exit bad || !n
	}' /tmp/event /tmp/tracer /tmp/held
status=$?
check "and the kernel's stacks name the same $(grep -c "$module" /tmp/held) sites" [ $status = 0 ]

# --- what the kernel owns on behalf of a module ---
case_dmesg | sed -n "s/.*$module: owner //p" > /tmp/owned
check "the module has taken pages in $(grep -c . /tmp/owned) ways that the kernel owns" \
	[ $(grep -c . /tmp/owned) -ge 6 ]
while read -r path bytes; do judge $path $bytes; done < /tmp/owned
echo 0 > /sys/module/$module/parameters/held
check "all is given back" sh -c "! grep ' \[$module\] ' $prof/allocinfo | grep -qv '^ *0 *0 '"
profile > /tmp/after
while read -r path bytes; do check "$path: given back" wait_for 5 gone $path; done < /tmp/owned
unload $module

# --- and of programs ---
: > /tmp/taken
echo 1 > /proc/sys/vm/drop_caches
profile > /tmp/before
watch ' && comm == "page_paths"'
user anon 8
user populate 8
user thp 16
user cow 8
user ptes 4
user read 4 read /tmp/disk/one
user fault 4 fault /tmp/disk/two
user private 4 private /tmp/disk/one
user write 2 write /tmp/disk/new
user tmpfs 8 write /tmp/new
user pipe 4
user unix 4
user threads 1
watched
gains
while read -r path bytes pid; do judge $path $bytes $pid; done < /tmp/taken
kill $holders
wait $holders 2>/dev/null
holders=
umount /tmp/disk
rm /tmp/new
profile > /tmp/after
while read -r path bytes pid; do check "$path: given back" wait_for 5 gone $path; done < /tmp/taken

check "memo and unwinder agree on $(prof_stat verified) events" \
	[ "$(cat $prof_sysfs/verify_mismatches)" = 0 ]
check "the books close" books_close
unload mmkit_allocprof mmkit
