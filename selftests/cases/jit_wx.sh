# SPDX-License-Identifier: GPL-2.0-only
# Text has one mapping, which cannot be written: all page tables of the kernel are searched for another
# while text is allocated, written and freed.
# vm: mem=512M timeout=300
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/jit.sh

wx() { answer wx "$1"; }

# Sum over the levels of a key of the last walk.
total() { answers wx | awk -v key="$1" '/^level/ { for (i = 1; i < NF; i++) if ($i == key) sum += $(i + 1) } END { print sum + 0 }'; }

clean_walk() {
	answers wx
	[ "$(wx unreadable)" = 0 ] && [ "$(wx overflow)" = 0 ] && [ "$(wx pinned_hits)" = 0 ] &&
		[ "$(wx other_hits)" = 0 ] && [ "$(wx writable)" = 0 ] && [ "$(wx wx)" = 0 ]
}

# Does the walk say NUMBER for KEY?
walk_says() {
	answers wx
	[ "$(wx "$1")" = "$2" ]
}

# 128 kB of that can be in transit between the two counts.
same_direct_map() {
	local seen want
	seen=$(($(total direct_kb) + $(total absent_kb)))
	case $(uname -m) in
	x86_64) want=$(awk '/^DirectMap/ { sum += $2 } END { print sum }' /proc/meminfo) ;;
	*) want=$((512 * 1024)) ;;
	esac
	echo "$seen kB seen, $want kB expected"
	[ $seen -ge $((want - 128)) ] && [ $seen -le $((want + 128)) ]
}

jit_load
load mmkit_test_text
load mmkit_test_wx
tell text hold 300 pin
pin=$(answer text at)
alias=$(see_addresses jit_stat alias)
[ "$alias" = 0 ] || tell wx allow $alias
tell wx windows $(jit_windows)
check "the allocator has windows in the kernel's address space" [ "$(wx windows)" -gt 0 ]

# --- one object at rest ---
tell wx pin $pin
check "text can be executed and not be written" [ "$(wx perm)" = r-x ]
check "it is mapped with the largest entry that the kernel would use, $(wx leaf) bytes" \
	[ "$(wx leaf)" = "$(wx expected)" ]
tell wx walk 1
check "nothing else maps it: neither the direct map nor anybody else" clean_walk
check "all of the direct map was walked" same_direct_map
case $(uname -m) in
x86_64)
	tell wx roots
	check "the tables of this CPU are those that were walked ($(wx present) entries on top)" [ "$(wx own)" = 0 ]
	;;
esac

# --- what the walk must find, it finds ---
tell wx alias ro
tell wx walk 1
check "a second mapping is found" walk_says pinned_hits 1
check "and known not to be writable" walk_says writable 0
tell wx alias rw
tell wx walk 1
check "a writable mapping is found" walk_says writable 1
tell wx alias rwx
tell wx walk 1
check "one that can be executed, too, is found" walk_says wx 1
tell wx alias off
tell wx walk 1
check "they are gone" clean_walk

# --- while others write ---
ms=$(often 5000 60000)
# Enough has happened: on a slow machine that takes more than one round.
enough() {
	[ $walks -ge 20 ] && [ "$(answer text allocs)" -gt 200 ] && [ "$(answer text updates)" -gt 400 ] &&
		[ "$(jit_stat unmaps)" -gt 4 ]
}

# Memory that is free at the moment goes, so that blocks come and go all the time.
while usleep 100000; do jit_drain; done &
drain=$!
for round in 1 2 3 4 5 6 7 8; do
	echo "churn 3 $ms 2200000" > /sys/module/mmkit_test_text/parameters/run &
	churn=$!
	usleep 500000
	tell wx windows $(jit_windows)
	tell wx walk 100000 $((ms - 1000))
	walks=$(wx walks)
	check "in $walks walks no other mapping was there for long or for a moment ($(wx legal) times the kernel's own, up to $(wx ranges) ranges of text)" clean_walk
	if [ $(uname -m) = x86_64 ]; then
		tell wx poking 20000
		check "through its own page tables the kernel maps a page of text at a time, $(wx mapped) of $(wx looks) times" \
			[ "$(wx strays)" = 0 ]
	fi
	wait $churn
	check "all that was called was right" [ "$(answer text wrong)" = 0 -a "$(answer text crooked)" = 0 ]
	enough && break
done
kill $drain
answers text
check "meanwhile $(answer text allocs) objects were allocated and written $(answer text updates) times, and blocks came and went" \
	enough
case $(uname -m) in
x86_64)
	tell wx poking 1
	[ "$(wx mapped)" = 0 ] || { usleep 300000; tell wx poking 1; }
	check "at rest it maps nothing" [ "$(wx mapped)" = 0 ]
	;;
esac
tell wx walk 3
check "nor is there another mapping now" clean_walk

tell text drop
unload mmkit_test_wx mmkit_test_text
jit_unload
