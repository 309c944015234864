# SPDX-License-Identifier: GPL-2.0-only
#
# Helpers that know the suite; sourced by cases after lib.sh.
#
#   module_results MODULE         states a result for each "ok - " and "not ok - " line that the
#                                 test module has written to dmesg since the case began
#   module_test MODULE [P=V...]   loads a test module, states its results, unloads it
#   prof_stat KEY                 a number of debugfs allocprof/stats
#   prof_bytes PATTERN            live bytes of the call sites whose function matches (awk)
#   hold HOW MEGABYTES            a program takes memory and keeps it, until release
#   start_program COMMAND...      runs it in the background until end_program; returns when it says "ready"
#   errors                        how many error lines of the suite are in dmesg
#   nothing_of_allocprof          nothing of the profiler is in sysfs, debugfs or loaded
#   books_close                   at most 1 % of managed memory is unaccounted for, none twice
#   page_bytes                    size of a page
#   free_kb                       free memory, that on the lists of the CPUs included, caches dropped
#   memory_is_back BEFORE KB      of so much free memory not so much is missing; more on a debug kernel,
#                                 which remembers things itself
#   see_addresses COMMAND...      with addresses of the kernel shown to those who may see them
#   direct_map_whole [none_out=1] each page that the page allocator has is mapped in the direct map; sets
#                                 out, how many are marked as out of it; with none_out=1 there are none
#   plug_memory                   lets memory that the machine has besides come, if it comes by a driver
#   plugged_blocks                directories of its blocks
#   kcore_sweep                   reads /proc/kcore here and there, and closely where areas of mmkit lie

mmkit_debugfs=/sys/kernel/debug/mmkit
prof=$mmkit_debugfs/allocprof
prof_sysfs=/sys/kernel/mmkit/allocprof

# Functions that ask for pages on behalf of somebody else, as the kernel's stack traces name them;
# "_noprof" and what follows a dot are taken off before.
prof_helpers='^(_*alloc_(frozen_)?pages?(_[a-z]+)*|make_alloc_exact|_*get_(free|zeroed)_pages?'
prof_helpers=$prof_helpers'|_*(vma_|filemap_)?(folio_alloc|alloc_folio)(_[a-z]+)*|_*page_cache_alloc'
prof_helpers=$prof_helpers'|alloc_zeroed_user_highpage_movable|vma_alloc_zeroed_movable_folio'
prof_helpers=$prof_helpers'|vma_alloc_anon_folio_pmd'
prof_helpers=$prof_helpers'|_*alloc_contig_(frozen_)?(range|pages)'
prof_helpers=$prof_helpers'|_*v[mz]alloc(_(area|array|huge|node|range|user))*|vm_area_alloc_pages'
prof_helpers=$prof_helpers'|_*k[vz]*(m|c|re)alloc(_(align|large|node|order|track|caller))*|kmemdup)$'

module_results()
{
	local line
	case_dmesg | sed -n "s/^.*] $1: \(ok\|not ok\) - /\1 /p" > "/tmp/said.$1"
	[ -s "/tmp/said.$1" ] || fail "$1 said nothing"
	while read -r line; do
		case $line in
		ok\ *) pass "${line#ok }" ;;
		*) fail "${line#not ok }" ;;
		esac
	done < "/tmp/said.$1"
}

module_test()
{
	load "$@" || return 1
	unload "$1"
	module_results "$1"
}

prof_stat()
{
	awk -v key="$1" '$1 == key { print $2 }' $prof/stats
}

prof_bytes()
{
	awk -v want="func:($1)\$" '{ sub(" accurate:no", ""); if ($NF ~ want) sum += $1 }
		END { printf "%d\n", sum }' $prof/allocinfo
}

_books_open()
{
	awk '{ book[$1] = $2 } END {
		off = book["unaccounted_bytes"]
		print "unaccounted_bytes", off, "of", book["managed_bytes"]
		exit (off < 0 ? -off : off) * 100 > book["managed_bytes"]
	}' $prof/books
}

# Pages on their way between lists are in no book for a moment. What is really missing stays so.
books_close()
{
	local try
	for try in 1 2 3 4; do
		_books_open > /dev/null && break
		usleep 300000
	done
	_books_open
}

hold()
{
	# Emptied here: in the background it would still show what the last one said.
	: > /tmp/touched
	/mmkit/bin/touch_pages "$@" > /tmp/touched &
	holder=$!
	while ! grep -q ready /tmp/touched; do usleep 50000; done
}

release()
{
	kill $holder
	wait $holder 2>/dev/null
}

start_program()
{
	: > /tmp/program
	"$@" > /tmp/program 2>&1 &
	program=$!
	wait_for 20 grep -q ready /tmp/program || fail "$*: never ready"
}

end_program()
{
	kill -KILL $program
	wait $program
} 2>/dev/null

errors()
{
	dmesg -r | grep -c '^<3>.* mmkit'
}

nothing_of_allocprof()
{
	[ ! -e $prof_sysfs ] && [ ! -e $prof ] && [ ! -e /sys/module/mmkit_allocprof ] &&
		! grep allocprof $mmkit_debugfs/components $mmkit_debugfs/symbols \
			$mmkit_debugfs/pagetab $mmkit_debugfs/redirects
}

page_bytes()
{
	awk '/^KernelPageSize/ { print $2 * 1024; exit }' /proc/self/smaps
}

free_kb()
{
	sync
	echo 3 > /proc/sys/vm/drop_caches
	usleep 300000
	awk -v page_kb=$(($(page_bytes) / 1024)) '
		/^MemFree/ { free = $2 }
		$1 == "count:" { free += $2 * page_kb }
		END { print free }' /proc/meminfo /proc/zoneinfo
}

memory_is_back()
{
	local after
	after=$(free_kb)
	check "memory is back ($1 kB free before, $after kB after)" [ "$after" -gt $(($1 - $2 * $(slowness))) ]
}

see_addresses()
{
	local status
	# With 1 those who may see kernel addresses do; with 0 they are scrambled.
	echo 1 > /proc/sys/kernel/kptr_restrict
	"$@"
	status=$?
	echo 0 > /proc/sys/kernel/kptr_restrict
	return $status
}

direct_map_whole()
{
	local line
	echo "<6>mmkit_test_direct: begin" > /dev/kmsg
	load mmkit_test_direct "$@" || return
	unload mmkit_test_direct
	_dmesg_since "mmkit_test_direct: begin" | sed -n 's/^.*] mmkit_test_direct: //p' > /tmp/said.direct
	out=$(sed -n 's/^# .* \([0-9]*\) out$/\1/p' /tmp/said.direct)
	grep -q '^ok' /tmp/said.direct || fail "mmkit_test_direct said nothing"
	while read -r line; do
		case $line in
		ok\ -\ *) pass "${line#ok - }" ;;
		not\ ok\ -\ *) fail "${line#not ok - }" ;;
		*) echo "$line" ;;
		esac
	done < /tmp/said.direct
}

# A DIMM lies above 4 GiB, the pages of virtio-mem come with its driver (a machine without ACPI has no
# other way).
plug_memory()
{
	ls -d /sys/devices/system/memory/memory[0-9]* > /tmp/boot_blocks
	[ -e /sys/firmware/acpi ] || modprobe virtio_mem
}

plugged_blocks()
{
	local dir bytes
	bytes=$((0x$(cat /sys/devices/system/memory/block_size_bytes)))
	for dir in /sys/devices/system/memory/memory[0-9]*; do
		if [ -e /sys/firmware/acpi ]; then
			[ $((0x$(cat $dir/phys_index) * bytes)) -lt $((0x100000000)) ] || echo $dir
		else
			grep -qx $dir /tmp/boot_blocks || echo $dir
		fi
	done
}

kcore_sweep()
{
	local areas
	areas=$(see_addresses awk '/mmkit/ { print $1 }' /proc/vmallocinfo)
	[ -n "$areas" ] && /mmkit/bin/kcore_sweep && /mmkit/bin/kcore_sweep $areas
}
