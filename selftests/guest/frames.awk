# SPDX-License-Identifier: GPL-2.0-only
#
# Names frames in generated code: awk -f frames.awk MAP TRACE, where MAP is debugfs jit/map and each
# line of TRACE begins with an address, as those of "perf script -F ip" do. A frame in an object gets
# "owner:name+offset" behind its address; other lines stay as they are.

# Addresses have more digits than awk can count with: those above the last eight are compared as text.
function low(hex,    value, i)
{
	for (i = length(hex) > 8 ? length(hex) - 7 : 1; i <= length(hex); i++)
		value = value * 16 + index("123456789abcdef", substr(hex, i, 1))
	return value
}

FNR == NR {
	start[++n] = $1
	size[n] = low($2)
	name[n] = $3 ":" $4
	next
}

{
	for (i = n; i && start[i] "" > $1 ""; i--)
		;
	if (i && length($1) == length(start[i])) {
		offset = low($1) - low(start[i])
		if (offset < size[i] && substr($1, 1, length($1) - 8) == substr(start[i], 1, length($1) - 8))
			$0 = $1 " " name[i] "+" offset
	}
	print
}
