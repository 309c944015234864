# SPDX-License-Identifier: GPL-2.0-only
# Where no code is there are traps, what is not a landing pad cannot be called, and text that was given
# back is gone for all CPUs.
# vm: mem=512M timeout=180 check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/jit.sh

trap_says() { answers trap; [ "$(answer trap "$1")" = "$2" ]; }

# What was met, and where, was the object.
caught_says() { [ "$(answer trap caught)" = "$1 at $(answer trap at | cut -d ' ' -f 1)" ]; }

# "START,LEN" of each object in debugfs jit/map.
objects() {
	see_addresses awk '{
		size = $2; value = 0
		for (i = 1; i <= length(size); i++)
			value = value * 16 + index("0123456789abcdef", substr(size, i, 1)) - 1
		print $1 "," value
	}' $jit_debugfs/map
}

all_known() {
	[ "$(objects | awk -F , '{ sum += $2 } END { printf "%d", sum }')" = "$(jit_value used_bytes)" ]
}

# All of them but the $1 first, many in a line.
tell_objects() {
	tell trap objects
	objects | awk -v skip="$1" 'NR > skip {
		line = line " " $1
		if (length(line) > 3000) { print line; line = "" }
	} END { if (line) print line }' > /tmp/objects
	while read -r line; do
		tell trap objects $line
	done < /tmp/objects
}

jit_load
load mmkit_test_text
load mmkit_test_trap

# --- bytes of nobody ---
for len in 80 81 83 100 127 128 200 333 700 1000 2500 4000 8000 9000 70000; do
	tell text hold $len
	tell text hold $len
	tell text hold $len
done
tell text hold 2500000
tell text churn 3 500 20000
# What waits for a grace period is in no list, and holds code still.
check "what the threads freed is free" wait_for 60 all_known
tell_objects 0
tell trap traps $(jit_windows)
check "all bytes that can be read are objects or traps" trap_says strange_bytes 0
pages=$(answer trap pages) page=$(page_bytes)
check "all of text was read: $pages pages" [ $((pages * page)) = "$(jit_value text_bytes)" ]
check "objects were there, $(answer trap taken) bytes of $(answer trap objects)" \
	[ "$(answer trap objects)" -ge 46 -a "$(answer trap taken)" = "$(jit_value used_bytes)" ]
tell_objects 1
tell trap traps $(jit_windows)
check "the bytes of an object that is not known are found" [ "$(answer trap strange_bytes)" -gt 50 ]
tell text call
check "all of these objects work" [ "$(answer text wrong)" = 0 -a "$(answer text called)" = 46 ]
tell text drop
tell_objects 0
tell trap traps $(jit_windows)
check "when they are freed all of it is traps" \
	[ "$(answer trap strange_bytes)" = 0 -a "$(answer trap taken)" = 0 -a "$(answer trap pages)" -gt 0 ]

# --- a call of what is no more ---
tell text hold 100
tell trap freed
check "a live object answers" trap_says live 600d0001
check "a freed one traps" trap_says freed trapped
check "where it was" caught_says trap

# --- landing pads ---
tell trap pad yes
check "what has a landing pad can be called through a pointer" trap_says call returned
guarded() { grep -qw bti /proc/cpuinfo; }
if guarded; then
	tell trap pad no
	check "what has none cannot" trap_says call trapped
	check "because of that" caught_says pad
fi

# --- memory that goes ---
tell text drop
jit_drain
check "no text is left" [ "$(jit_value text_bytes)" = 0 ]
# "WHEN: reads N faults N foreign N", as awk sees it.
touched() {
	answers trap
	answers trap | awk -v want="$1" '$3 == "" { next } $2 == "reads" { reads = $3; faults = $5; foreign = $7 }
		END { exit !(faults + reads > 0 && foreign == 0 && (want == "reads" ? !faults : !reads)) }'
}

for len in 300 3000000; do
	tell trap touch $len
	check "another CPU reads an object of $len bytes" touched reads
	tell trap touch free
	[ $len != 300 ] || check "and the traps in its place, as long as the memory is kept" touched reads
	jit_drain
	check "the memory is given back" [ "$(jit_value text_bytes)" = 0 ]
	tell trap touch out
	check "now that CPU faults, and never reads what others write there" touched faults
	check "which they do" [ "$(answer trap frame)" = written ]
	tell trap touch end
done
unload mmkit_test_trap mmkit_test_text
jit_unload

# --- without landing pads, if that is asked for ---
if guarded; then
	jit_load guarded=0
	load mmkit_test_trap
	tell trap pad no
	check "with guarded=0 what has none can be called, too" trap_says call returned
	unload mmkit_test_trap
	jit_unload
fi
