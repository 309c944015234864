# SPDX-License-Identifier: GPL-2.0-only
#
# How often functions of the kernel are called; for benchmarks. A kprobe costs, so nothing is timed
# while calls are counted.
#
#   count_calls FUNCTION...       begins to count, of those functions that can be counted here; fails
#                                 when there is none
#   calls                         how many there were, of all of them; ends it

_tracing=/sys/kernel/tracing

count_calls()
{
	local name some=1
	echo > $_tracing/kprobe_events
	for name; do
		# Those that share a name, and those that are no function here, are refused.
		{ echo "p:mmkit_calls/$name $name" >> $_tracing/kprobe_events; } 2> /dev/null && some=0
	done
	[ $some = 1 ] || echo 1 > $_tracing/events/mmkit_calls/enable
	return $some
}

calls()
{
	echo 0 > $_tracing/events/mmkit_calls/enable
	awk '{ n += $2 } END { print n + 0 }' $_tracing/kprobe_profile
	echo > $_tracing/kprobe_events
}
