# SPDX-License-Identifier: GPL-2.0-only
#
# How long something takes that is no loop of a module; for benchmarks.
#
#   mark TEXT          it is now
#   between FROM TO    microseconds from one mark to another

# The kernel's log has the time of each line.
mark() { echo "<6>mmkit_bench: $1" > /dev/kmsg; }

between() {
	dmesg | awk -v from="mmkit_bench: $1" -v to="mmkit_bench: $2" '
		{ at = $0; sub(/^\[ */, "", at); sub(/\].*/, "", at); line = $0; sub(/^[^]]*\] /, "", line) }
		line == from { begin = at }
		line == to { end = at }
		END { printf "%.0f\n", (end - begin) * 1000000 }'
}
