# SPDX-License-Identifier: GPL-2.0-only
#
# Helpers for cases that change the machine they run on; sourced after suite.sh. The header of such a
# case says monitor=yes: a port leads to the emulator, which takes commands there (QMP).
#
#   machine_open                  begins to talk with the emulator, or ends the case
#   ask COMMAND [MEMBERS]         prints what it answers, a line of JSON; MEMBERS are those of the
#                                 object "arguments". What it refuses fails, and is said
#   plug DRIVER ID [MEMBERS]      a device comes
#   unplug ID                     a device shall go: the guest is asked for it
#   unplugged ID                  it has gone
#   cpus_online                   which are
#   cpu_switch CPU 0|1            switches one off or on; it can be refused for the moment
#   blocks_now                    the blocks of memory of this moment are no news
#   new_blocks                    directories of those that came since
#   new_bytes_are BYTES           there are so many of them
#   block_state DIR STATE         puts a block into it (offline, online_kernel, online_movable)
#   refuse PRIORITY ACTION ERRNO  somebody refuses what is done to memory (MEM_GOING_ONLINE, ...); asked
#                                 before us with a priority above 1, after us with one below 0
#   refuse_no_more                and goes
#   fails COMMAND...              it must

memory=/sys/devices/system/memory
memory_block=$((0x$(cat $memory/block_size_bytes)))

machine_open()
{
	local name
	for name in /sys/class/virtio-ports/*/name; do
		if [ "$(cat $name)" = mmkit.qmp ]; then
			name=${name%/name}
			exec 5<> "/dev/${name##*/}"
			: > /tmp/machine.events
			ask qmp_capabilities > /dev/null && return
		fi
	done
	fail "the emulator can be talked to"
	exit
}

# What is neither an answer nor an error is an event, or the greeting.
ask()
{
	local line return=$(printf '\r')
	printf '{"execute":"%s"%s}\n' "$1" "${2:+,\"arguments\":{$2\}}" >&5
	while IFS= read -r -t $((60 * $(slowness))) line <&5; do
		line=${line%$return}
		case $line in
		'{"return"'*) echo "$line"; return 0 ;;
		'{"error"'*) echo "$1 $2: $line"; return 1 ;;
		*) echo "$line" >> /tmp/machine.events ;;
		esac
	done
	echo "$1: no answer"
	return 1
}

plug() { ask device_add "\"driver\":\"$1\",\"id\":\"$2\"${3:+,$3}"; }

unplug()
{
	: > /tmp/machine.events
	ask device_del "\"id\":\"$1\"" > /dev/null
}

unplugged()
{
	ask query-status > /dev/null
	grep '"DEVICE_DELETED"' /tmp/machine.events | grep -q "\"device\": \"$1\""
}

cpu=/sys/devices/system/cpu

cpus_online() { cat $cpu/online; }

cpu_switch() { { echo "$2" > "$cpu/cpu$1/online"; } 2> /dev/null; }

blocks_now() { ls -d $memory/memory[0-9]* > /tmp/blocks.known; }

new_blocks() { ls -d $memory/memory[0-9]* | grep -vxFf /tmp/blocks.known; }

new_bytes_are() { [ $(($(new_blocks | grep -c .) * memory_block)) -eq "$1" ]; }

block_state() { echo "$2" > "$1/state"; }

refuse()
{
	modprobe memory-notifier-error-inject "priority=$1" &&
		echo "$3" > "/sys/kernel/debug/notifier-error-inject/memory/actions/$2/error"
}

refuse_no_more() { modprobe -r memory-notifier-error-inject; }

fails() { ! "$@" 2> /dev/null; }
