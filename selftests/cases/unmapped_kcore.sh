# SPDX-License-Identifier: GPL-2.0-only
# The kernel's picture of memory, read while pages are out: it survives, and what they hold is not in it.
# vm: timeout=180
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh

# "0xSTART-0xEND 0xWORD" of each chunk that is held.
places() {
	echo where > $um_run
	sed -n 's/^at \(0x[^ ]*\) first \(0x.*\)/\1 \2/p' $um_run
}

um_load
um_do remember
um_do hold 4 3
um_do hold 1 $block_order
um_do fill
places > /tmp/places
check "five chunks are held" [ "$(wc -l < /tmp/places)" -eq 5 ]
check "an area of the kernel's address space is for them" sh -c \
	"grep -q mmkit_unmapped /proc/vmallocinfo"
check "it is one that is never read" sh -c \
	"! grep mmkit_unmapped /proc/vmallocinfo | grep -v ioremap"
check "/proc/kcore is read with pages out" kcore_sweep
check "the addresses of the pages are read" /mmkit/bin/kcore_sweep $(cut -d ' ' -f 1 /tmp/places)
while read -r range word; do
	check "nothing of what they hold is there" sh -c \
		"! /mmkit/bin/kcore_sweep -x $word $range | grep found"
done < /tmp/places
um_do look

# In memory that is the kernel's again, the same search finds it.
um_do drop 1
um_empty
um_do back
found=0
while read -r range word; do
	! /mmkit/bin/kcore_sweep -x $word $range | grep -q found || found=$((found + 1))
done < /tmp/places
check "what need not be scrubbed is found once its pages are back, in $found of 5" [ $found -gt 0 ]
um_do hold 4 3
um_do fill
places > /tmp/places
um_do drop
um_empty
found=0
while read -r range word; do
	! /mmkit/bin/kcore_sweep -x $word $range | grep -q found || found=$((found + 1))
done < /tmp/places
check "what was scrubbed is found nowhere" [ $found -eq 0 ]
um_unload
