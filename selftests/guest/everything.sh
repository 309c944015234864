# SPDX-License-Identifier: GPL-2.0-only
#
# All modules at once: something to do for each, and what must be right then. Sourced after lib.sh;
# brings the helpers of all modules along.
#
#   all_load                      loads the suite and what uses it: pages are out, text is held, memory
#                                 is tagged where there is storage for tags
#   all_work [KIND...]            begins work of each kind in the background: files (and processes),
#                                 secrets, pages (out of the direct map), text, tags (where there is
#                                 storage for them)
#   all_rest                      ends it and states whether each kind was done, and went well
#   all_right WHEN                states whether tables, books, fuses, pages and text are right
#   all_unload                    lets go of everything, unloads everything
#   everything                    all that, once and briefly
#   without_unmapped              the same where the direct map cannot be changed: mmkit_unmapped refuses

. /mmkit/suite.sh
. /mmkit/unmapped.sh
. /mmkit/jit.sh
. /mmkit/tagstore.sh

has_tagstore() { suite | grep -qx mmkit_tagstore; }

# --- what can be done, once -----------------------------------------------------------------

do_files()
{
	dd if=/dev/zero of=/tmp/all.file bs=256k count=32 2>/dev/null && rm /tmp/all.file &&
		ls -R /sys/kernel/mm > /dev/null
}

do_secrets() { /mmkit/bin/secret many 20; }

# A module says what it found when it goes.
do_pages()
{
	insmod /mmkit/ko/mmkit_test_unmapped_stress.ko threads=2 ops=2000 && rmmod mmkit_test_unmapped_stress
}

# alone COMMAND...: who tells the module of text something, and reads what came of it, is one.
alone()
{
	local status
	until mkdir /tmp/all.lock 2> /dev/null; do usleep 20000; done
	"$@"
	status=$?
	rmdir /tmp/all.lock
	return $status
}

_churn()
{
	tell text churn 2 300 8192 && [ "$(answer text wrong)" = 0 ] && [ "$(answer text crooked)" = 0 ] &&
		[ "$(answer text allocs)" -gt 0 ] || { answers text; false; }
}

do_text() { alone _churn; }

do_tags() { /mmkit/bin/mte_paths first_touch cow mprotect; }

_kinds()
{
	echo files secrets pages text
	has_tagstore && echo tags
}

_work_on()
{
	while [ ! -e /tmp/all.stop ]; do
		if do_$1 > /tmp/all.said.$1 2>&1; then
			echo >> /tmp/all.done.$1
		else
			cat /tmp/all.said.$1 >> /tmp/all.wrong.$1
		fi
		# Whoever changes the machine meanwhile wants to get on with it.
		usleep $(often 500000 1000)
	done
}

# Of a kind: it was done, and never wrong.
_went_well()
{
	check "$(grep -c '' /tmp/all.done.$1) times $1: all went well" [ -s /tmp/all.done.$1 -a ! -s /tmp/all.wrong.$1 ] ||
		head -n 20 /tmp/all.wrong.$1
}

_threads_found_nothing()
{
	case_dmesg | sed -n 's/^.*] mmkit_test_unmapped_stress: //p' > /tmp/all.threads
	grep -q '^ok' /tmp/all.threads && ! grep '^not ok' /tmp/all.threads
}

all_work()
{
	local kind
	rm -f /tmp/all.stop
	workers=
	kinds=${*:-$(_kinds)}
	for kind in $kinds; do
		: > /tmp/all.done.$kind
		: > /tmp/all.wrong.$kind
		_work_on $kind &
		workers="$workers $!"
	done
}

all_rest()
{
	local kind
	: > /tmp/all.stop
	wait $workers
	for kind in $kinds; do _went_well $kind; done
	echo $kinds | grep -qvw pages || check "threads that share the cache of unmapped pages found nothing wrong" _threads_found_nothing
}

# --- what must be right ------------------------------------------------------------------------

# The table has 2 bytes for each page of the blocks that are online, and none for others. A device that
# has the memory it was to have can still be about to bring the last block online.
_table_matches()
{
	local memory=/sys/devices/system/memory online have want
	online=$(cat $memory/memory[0-9]*/state | grep -vcx offline)
	have=$(awk '$1 == "allocprof" { print $3 }' $mmkit_debugfs/pagetab)
	want=$((online * 0x$(cat $memory/block_size_bytes) / page * 2))
	[ "$have" -eq "$want" ] || { echo "the table has $have bytes for $online blocks, not $want"; false; }
}

_table_follows() { wait_for 3 _table_matches > /dev/null || _table_matches; }

# Who adds or takes memory changes one after the other.
_managed_is_total()
{
	[ "$(awk '$1 == "managed_bytes" { print $2 }' $prof/books)" -eq $(($(meminfo MemTotal) * 1024)) ]
}

_knows_memory()
{
	wait_for 3 _managed_is_total || { grep managed $prof/books; grep MemTotal /proc/meminfo; false; }
}

# What virtio_mem has taken back of a block that is online, it takes off managed memory as well.
_books()
{
	local off driver
	off=$(awk '$1 == "unaccounted_bytes" { print $2 }' $prof/books)
	driver=$(prof_bytes 'virtio_mem_.*')
	[ $((off + driver)) -lt $((1 << 23)) ] && [ $((off + driver)) -gt -$((1 << 23)) ] ||
		{ echo "unaccounted $off, of the driver $driver"; false; }
}

_books_close() { wait_for 2 _books > /dev/null || _books; }

_unwinders_agree() { [ "$(cat $prof_sysfs/verify_mismatches)" = 0 ] || { echo "the memo is wrong"; false; }; }

_fuses_whole() { ! grep '^blown' /sys/kernel/mmkit/*/state; }

_pages_right()
{
	echo look > $um_run && grep -q '^ok' $um_run && ! grep '^not ok' $um_run
}

_call()
{
	tell text call && [ "$(answer text called)" = 2 ] && [ "$(answer text wrong)" = 0 ] || { answers text; false; }
}

_text_right() { alone _call; }

_tags_right()
{
	has_tagstore || return 0
	[ "$(tagstore late_reservations)" = 0 ] || { echo "late_reservations is $(tagstore late_reservations)"; false; }
}

_all_right()
{
	local bad=0 what
	for what in _table_follows _knows_memory _books_close _unwinders_agree _fuses_whole _pages_right _text_right _tags_right; do
		$what || bad=1
	done
	[ $bad = 0 ]
}

all_right() { check "$1: table, books, fuses, pages and text are right" _all_right; }

_caches_empty() { um_empty && [ "$(um_value in_use_bytes)" = 0 ] && [ "$(um_value quarantined_bytes)" = 0 ]; }

# --- begin and end ---------------------------------------------------------------------------------

all_load()
{
	load mmkit
	load mmkit_allocprof verify=1
	um_load
	jit_load
	load mmkit_test_text || exit
	um_do hold 64
	um_do hold 3 4
	um_do fill
	tell text hold 300 small
	tell text hold 9000 large
	has_tagstore || return 0
	load_tagstore || exit
	/mmkit/bin/mte_paths hold 16 > /tmp/all.tagged 2>&1 &
	tagger=$!
	check "memory is tagged" wait_for 60 grep -q ready /tmp/all.tagged
}

all_unload()
{
	if has_tagstore; then
		kill -USR1 $tagger
		wait $tagger
		check "data and tags are what they were: $(tail -n 1 /tmp/all.tagged)" grep -q ', 0 wrong' /tmp/all.tagged
		check "nothing is tagged any more, and the manager of storage goes" wait_for 20 tagstore_goes
	fi
	tell text drop
	unload mmkit_test_text
	jit_drain
	um_do drop
	check "no page is cached, and none kept back" _caches_empty
	um_do back
	unload mmkit_jit mmkit_test_unmapped mmkit_unmapped
	check "the books close at last" _books_close
	unload mmkit_allocprof mmkit
}

everything()
{
	local kind
	all_load
	for kind in $(_kinds); do
		: > /tmp/all.done.$kind
		: > /tmp/all.wrong.$kind
		do_$kind > /tmp/all.wrong.$kind 2>&1 && { : > /tmp/all.wrong.$kind; echo > /tmp/all.done.$kind; }
		_went_well $kind
	done
	check "threads that share the cache of unmapped pages found nothing wrong" _threads_found_nothing
	all_right "after that"
	all_unload
}

without_unmapped()
{
	load mmkit
	load mmkit_allocprof verify=1
	want_errno EOPNOTSUPP mmkit_unmapped
	expect_dmesg 'the direct map of this machine cannot be changed'
	check "nothing stands on what is not there" sh -c "! insmod /mmkit/ko/mmkit_jit.ko 2> /dev/null"
	check "the profiler works" do_files
	check "it knows all memory" _knows_memory
	check "the books close" books_close
	check "memo and unwinder agree on $(prof_stat verified) events" _unwinders_agree
	unload mmkit_allocprof mmkit
}
