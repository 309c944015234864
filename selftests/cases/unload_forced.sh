# SPDX-License-Identifier: GPL-2.0-only
# Where the kernel lets rmmod be forced, a module that is used waits with going until it is not. To force
# it ends lockdep, too: this is a machine of its own.
# vm: mem=768M smp=2 timeout=120 check=7.3-amd64,6.1-arm64
# vm-arm64: smp=3 mem=1056M dtb=tagstore_small
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh
. /mmkit/tagstore.sh

with_tags=
suite | grep -qx mmkit_tagstore && with_tags=yes

going() { grep -q "^$1 .* Unloading " /proc/modules; }
gone() { ! grep -q "^$1 " /proc/modules; }

# force MODULE: rmmod is forced, in the background. False where the kernel has no such thing.
force() {
	# What is open here is to be closed here: it must not have it, too.
	rmmod -f $1 2> /tmp/forced 5<&- &
	forcer=$!
	wait_for 3 going $1 && return
	wait $forcer
	check "rmmod -f $1 is refused" grep -q 'Resource temporarily unavailable' /tmp/forced
	return 1
}

# waits COMPONENT WHY: a forced rmmod is under way, and not done
waits() {
	expect_dmesg "mmkit: $1: rmmod was forced and waits until [0-9]+ references are gone"
	check "it waits: $2" sh -c 'grep -q " Unloading " /proc/modules'
}

load mmkit
[ -z "$with_tags" ] || load_tagstore linger_ms=100
load mmkit_allocprof
load mmkit_unmapped

start_program /mmkit/bin/secret hold 16
if force mmkit_unmapped; then
	waits unmapped "secret memory is mapped"
	check "nobody opens the device then" sh -c '! true 2> /dev/null < /dev/mmkit_secret'
	check "the memory is there still" [ "$(um_value in_use_bytes)" -ge $((16 * page)) ]
	end_program
	check "with it gone the module goes" wait_for 20 gone mmkit_unmapped
fi
end_program
exec 5< $prof/allocinfo
if force mmkit_allocprof; then
	waits allocprof "a file is open"
	check "which can be read" sh -c '[ $(cat <&5 | wc -l) -gt 10 ]'
	exec 5<&-
	check "with it closed the module goes" wait_for 20 gone mmkit_allocprof
fi
exec 5<&-
if [ -n "$with_tags" ]; then
	start_program /mmkit/bin/mte_paths hold 8
	if force mmkit_tagstore; then
		waits tagstore "pages are tagged"
		check "their storage is theirs" [ "$(tagstore reserved_bytes)" -ge $((8 << 15)) ]
		end_program
		check "with none tagged the module goes" wait_for 20 gone mmkit_tagstore
	fi
	end_program
fi
exec 5< $mmkit_debugfs/components
if force mmkit; then
	waits core "a file is open"
	check "which can be read, too" sh -c 'grep -q core <&5'
	exec 5<&-
	check "with it closed even the core goes" wait_for 20 gone mmkit
fi
exec 5<&-
# Where nothing is forced all are there still.
unload $(loaded)
direct_map_whole none_out=1
