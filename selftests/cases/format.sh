# SPDX-License-Identifier: GPL-2.0-only
# allocinfo is what readers of /proc/allocinfo 2.0 expect; sites and books say the same.
# vm: timeout=120 check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh

load mmkit
load mmkit_allocprof
load mmkit_test_alloc events=20000 hold=16
(find / -xdev; ps) > /dev/null 2>&1
dd if=/dev/zero of=/tmp/file bs=1M count=32 2>/dev/null

# Snapshots go into files that have their pages already: new ones would be in the next snapshot.
tables="allocinfo sites books"
for table in $tables; do dd if=/dev/zero of=/tmp/raw.$table bs=1M count=1 2>/dev/null; done
for table in $tables; do dd if=$prof/$table of=/tmp/raw.$table bs=64k conv=notrunc 2>/dev/null; done
for table in $tables; do tr -d '\0' < /tmp/raw.$table > /tmp/$table; done

# --- allocinfo, byte by byte ---
check "first line" [ "$(sed -n 1p /tmp/allocinfo)" = "allocinfo - version: 2.0" ]
check "second line" [ "$(sed -n 2p /tmp/allocinfo)" = "#     <size>  <calls> <tag info>" ]
tail -n +3 /tmp/allocinfo > /tmp/lines
check "there are $(wc -l < /tmp/lines) tags" [ "$(wc -l < /tmp/lines)" -gt 20 ]

symbol='[A-Za-z_(][A-Za-z0-9_.()-]*'
tag="$symbol:[0-9]+( \[[A-Za-z0-9_]+(:unloaded)?\])? func:$symbol( accurate:no)? "
check "every line has the format" sh -c "! grep -vE '^ *[0-9]+ +[0-9]+ $tag\$' /tmp/lines"
check "sizes are 12 wide, calls 8" awk '{
	size = substr($0, 1, 12); calls = substr($0, 14, 8)
	if (length($1) <= 12 && length($2) <= 8 &&
	    (size + 0 != $1 || calls + 0 != $2 || substr($0, 13, 1) != " " ||
	     substr($0, 22, 1) != " " || substr($0, 23, 1) == " ")) {
		print; bad = 1
	}
} END { exit bad }' /tmp/lines
check "accurate:no stands on (overflow) only" sh -c \
	"[ \"\$(grep -c accurate:no /tmp/lines)\" -eq 1 ] && grep accurate:no /tmp/lines | grep -q '(overflow):0 '"
check "no number is negative" sh -c "! awk '\$1 < 0 || \$2 < 0' /tmp/lines | grep ."
check "no tag occurs twice" sh -c \
	"! sed -E 's/^ *[0-9]+ +[0-9]+ //' /tmp/lines | sort | uniq -d | grep ."
check "sizes are whole pages" awk -v page=$(page_bytes) \
	'$1 % page { print; bad = 1 } END { exit bad }' /tmp/lines
check "func is the function of the tag" awk '{
	split($3, tag, ":"); func_ = $0
	sub(/.* func:/, "", func_); sub(/ .*/, "", func_)
	if ($3 !~ /^\(/ && tag[1] != func_) { print; bad = 1 }
} END { exit bad }' /tmp/lines
check "functions are those of kallsyms" sh -c '
	awk "\$3 !~ /^\\(/ { split(\$3, tag, \":\"); print tag[1] }" /tmp/lines > /tmp/functions
	awk "FILENAME == \"/tmp/functions\" { unknown[\$1]; next } { delete unknown[\$3] }
	     END { for (name in unknown) { print name; bad = 1 } exit bad }" /tmp/functions /proc/kallsyms'
check "text of modules names its module" grep -qE ' \[mmkit_test_alloc\] func:stress_' /tmp/lines
check "all buckets are listed" sh -c "
	for bucket in anon file slab pgtable reserved other; do
		grep -q \" (preload):0 func:(preload)\$bucket \\\$\" /tmp/lines || { echo \$bucket; exit 1; }
	done"

# --- sites ---
header=$(head -n 1 /tmp/sites | tr '\t' ' ')
check "header of sites: $header" sh -c "echo '$header' |
	grep -qxE 'bytes calls bytes_total calls_total( bytes_node[0-9]+)+ site'"
check "every row has as many columns" awk -F '\t' 'NR == 1 { nf = NF } NF != nf { print; bad = 1 }
	END { exit bad || NR < 20 }' /tmp/sites
check "every column but the last is a number" awk -F '\t' 'NR > 1 {
	for (i = 1; i < NF; i++)
		if ($i !~ /^[0-9]+$/) { print; bad = 1 }
} END { exit bad }' /tmp/sites
check "nothing lives that was not allocated" awk -F '\t' 'NR > 1 && ($1 > $3 || $2 > $4) {
	print; bad = 1
} END { exit bad }' /tmp/sites
check "no site occurs twice" sh -c \
	"! awk -F '\t' 'NR > 1 { print \$NF }' /tmp/sites | sort | uniq -d | grep ."

# Both were read at different moments: what is large differs little.
awk '{ name = $0; sub(/^ *[0-9]+ +[0-9]+ /, "", name); sub(/ func:/, "\t", name)
	sub(/( accurate:no)? $/, "", name); split(name, part, "\t")
	print (part[1] ~ /^\(/ ? part[2] : part[1]) "\t" $1 }' /tmp/lines > /tmp/by_name
check "sites and allocinfo agree" awk -F '\t' '
	FILENAME == "/tmp/by_name" { bytes[$1] = $2; next }
	FNR > 1 {
		if (!($NF in bytes)) { if ($1 > 4194304) { print "not in allocinfo: " $0; bad = 1 }; next }
		off = $1 - bytes[$NF]
		if (off < 0) off = -off
		if (off > 4194304 && off > $1 / 50) { print $NF, $1, bytes[$NF]; bad = 1 }
		seen++
	}
	END { exit bad || seen < 20 }' /tmp/by_name /tmp/sites
check "nodes add up to bytes" awk -F '\t' '
	NR == 1 { for (i = 1; i <= NF; i++) node[i] = $i ~ /^bytes_node/; next }
	{
		sum = 0
		for (i = 1; i <= NF; i++) if (node[i]) sum += $i
		off = sum - $1
		if (off < 0) off = -off
		if (off > 4194304 && off > $1 / 50) { print sum, $0; bad = 1 }
	}
	END { exit bad }' /tmp/sites

# --- books ---
check "books has its rows" sh -c "
	for row in managed tracked preload free pcp unaccepted unaccounted reserved; do
		grep -qE \"^\${row}_bytes -?[0-9]+\\\$\" /tmp/books || { echo \$row; exit 1; }
	done"
book() {
	awk -v row="$1_bytes" '$1 == row { print $2 }' /tmp/books
}
total=$(($(awk '/^MemTotal/ { print $2 }' /proc/meminfo) * 1024))
check "managed is MemTotal ($(book managed), $total)" [ "$(book managed)" -eq $total ]
check "the rows add up" [ $(($(book tracked) + $(book preload) + $(book free) + $(book pcp) +
	$(book unaccounted))) -eq "$(book managed)" ]
check "the books close" books_close
check "sums of allocinfo are those of the books" awk '
	FILENAME == "/tmp/books" { book[$1] = $2; next }
	/func:\(preload\)reserved/ { next }
	/func:\(preload\)/ { preload += $1; next }
	{ tracked += $1 }
	function off(a, b) { return a > b ? a - b : b - a }
	END {
		print tracked, book["tracked_bytes"], preload, book["preload_bytes"]
		exit off(tracked, book["tracked_bytes"]) > 4194304 ||
		     off(preload, book["preload_bytes"]) > 4194304
	}' /tmp/books /tmp/lines
rm /tmp/file
unload mmkit_test_alloc mmkit_allocprof mmkit
