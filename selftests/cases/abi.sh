# SPDX-License-Identifier: GPL-2.0-only
# What user space sees is what include/mmkit/ABI describes: no more, no less, and in that format.
# vm: timeout=120 check=6.1,7.3
# vm-arm64: mem=2112M dtb=tagstore
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/tagstore.sh

suite=$(suite | tr '\n' ' ')

# What the loaded modules of the suite show, "mode path" a line.
shown() {
	find /sys/kernel/mmkit /sys/kernel/debug/mmkit /sys/module/mmkit*/parameters ! -type d \
		! -path '/sys/module/mmkit_test_*' \
		-exec stat -c '%a %n' {} + 2>/dev/null
}

# compare ABI MODULES [fresh=1]: says nothing when the modules show what the file describes
compare() {
	shown > /tmp/shown
	awk -v loaded="$2" ${3:+-v "$3"} -f /mmkit/abi.awk "$1" /tmp/shown
}

# Names in the module file and in sysfs; each has a description and a type.
parameters_agree() {
	ls /sys/module/$1/parameters > /tmp/names
	for field in parm parmtype; do
		modinfo -F $field /mmkit/ko/$1.ko | sed 's/:.*//' | sort > /tmp/declared
		cmp /tmp/names /tmp/declared || return 1
	done
}

has_tagstore() { suite | grep -qx mmkit_tagstore; }
unload_tagstore() { [ ! -e /sys/module/mmkit_tagstore ] || unload mmkit_tagstore; }

as_nobody() {
	su -s /bin/sh nobody -c "$*"
}

version=/sys/kernel/mmkit/version

load_suite
# Tables that are empty without an object of text.
load mmkit_test_jit what=keep
check "every file is described, every description true" compare /mmkit/ABI "$suite" fresh=1
for module in $suite; do
	check "$module: modinfo names its parameters" parameters_agree $module
	check "$module: its version is that of the suite" \
		[ "$(modinfo -F version /mmkit/ko/$module.ko)" = "$(cat $version)" ]
done
check "the components are the directories" [ \
	"$(cd /sys/kernel/mmkit && ls -d */ | tr -d / | sort)" = \
	"$(awk 'NR > 1 { print $1 }' $mmkit_debugfs/components | sort)" ]

for module in $(cat /mmkit/ko/suite); do
	grep -q "^Module:[[:space:]]*$module\$" /mmkit/ABI || fail "$module is not in the reference"
done

# --- a comparison that finds nothing wrong must be able to: changes, and what it says to each ---
while IFS='|' read -r change differences; do
	echo "$change" >> /tmp/changes
	echo "$differences" | tr '|' '\n' >> /tmp/expected
	sed "$change" /mmkit/ABI | cmp -s - /mmkit/ABI && fail "\"$change\" changes nothing"
done << EOF
1s/.*/Wherefore: no/|line 1 is not understood: Wherefore: no
s,$version\$,/sys/kernel/mmkit/wishes,|$version exists and is not described|/sys/kernel/mmkit/wishes is described and does not exist
s,$prof_sysfs/sites\$,$prof_sysfs/s<any>,|$prof_sysfs/state is described twice|$prof_sysfs/state: "ok" is not of the format
/allocprof.enabled$/,/Values/s/0644/0600/|$prof_sysfs/enabled has mode 0644, described as 0600
s/\[01\]/[23]/|$prof_sysfs/enabled: "1" is not of the format
/max_sites\$/,/Stable/s/^\(Default:[[:space:]]*\)0\$/\11/|/sys/module/mmkit_allocprof/parameters/max_sites is "0", default described as 1
s/free_bytes /spare_bytes /|$prof/books: key free_bytes is not described|$prof/books: key spare_bytes is described and not there
s/^\(Key:[[:space:]]*verified\) .*/\1 never/|$prof/stats: key verified is "0", described as never
/redirects\$/,/Stable/s/hits \[/calls [/|$mmkit_debugfs/redirects: columns are "component function state hits inside", described as "component function state calls inside"
s/^\(Column:[[:space:]]*version\) .*/\1 none/|$mmkit_debugfs/components: version is "$(cat $version)", described as none
EOF
sed -f /tmp/changes /mmkit/ABI > /tmp/changed
compare /tmp/changed "$suite" fresh=1 | sort -u > /tmp/said
sort -u /tmp/expected > /tmp/wanted
check "$(wc -l < /tmp/wanted) differences to a changed reference are found, and no other" \
	diff /tmp/wanted /tmp/said

# --- who may do what ---
mkdir -p /etc
echo 'nobody:x:65534:65534::/:/bin/sh' > /etc/passwd
check "anyone can read what has mode 0444" as_nobody "cat $version $prof_sysfs/tracked_bytes \
	/sys/module/mmkit_allocprof/parameters/wide"
check "nobody but root can write $prof_sysfs/enabled" as_nobody "! echo 0 2>/dev/null > $prof_sysfs/enabled"
check "nobody but root can read debugfs" as_nobody "! cat $prof/books 2>/dev/null"
rm /etc/passwd
shown | while read -r mode file; do
	case $mode:$file in
	644:* | 200:*) continue ;;
	*/debug/*) want="Invalid argument" ;;
	*) want="Permission denied" ;;
	esac
	said=$(sh -c "echo 1 > $file" 2>&1)
	case $said in
	*"$want"*) ;;
	*) echo "writing to $file: \"$said\", \"$want\" expected" ;;
	esac
done > /tmp/said
check "no other file can be written, and the errors are those described" [ ! -s /tmp/said ] ||
	cat /tmp/said

# --- off ---
echo 0 > $prof_sysfs/enabled
check "the formats hold while the profiler is off" compare /mmkit/ABI "$suite"
for name in tracked_bytes preload_bytes unaccounted_bytes sites table_bytes overflow; do
	check "$name is 0 while off" [ "$(cat $prof_sysfs/$name)" = 0 ]
done
check "allocinfo has its header alone while off" [ "$(wc -l < $prof/allocinfo)" -eq 2 ]
check "sites has its header alone while off" [ "$(wc -l < $prof/sites)" -eq 1 ]
check "books is empty while off" [ "$(wc -l < $prof/books)" -eq 0 ]
check "stats stays, but for allocations" [ \
	"$(prof_stat allocations)" -eq 0 -a "$(prof_stat unwinds)" -gt 0 ]
check "the parameter says how the module was loaded" [ \
	"$(cat /sys/module/mmkit_allocprof/parameters/enabled)" = Y ]
# Newest kernels do not let ftrace be switched off, and nor does who cannot do without.
unload_tagstore
switch=/proc/sys/kernel/ftrace_enabled
echo 0 2>/dev/null > $switch
if [ "$(cat $switch)" = 0 ]; then
	said=$(sh -c "echo 1 > $prof_sysfs/enabled" 2>&1)
	check "it cannot be started while ftrace is off: EBUSY" \
		[ "${said##*: }" = "Device or resource busy" ]
	check "and stays off" [ "$(cat $prof_sysfs/enabled)" = 0 ]
	echo 1 > $switch
fi

# --- other parameters, addresses in the clear, and without the profiler ---
unload mmkit_test_jit mmkit_jit mmkit_unmapped mmkit_allocprof
check "without the components their files are gone, and those of mmkit as described" \
	compare /mmkit/ABI mmkit
unload mmkit
load mmkit hide=no_such_symbol,nor_this_one
load mmkit_allocprof wide=1 verify=1 max_sites=1048566 skip=shmem_fault
load mmkit_unmapped prefill=2 max_cached_bytes=134217728 secret=0 secret_max_bytes=8192
load mmkit_jit max_bytes=2097152 ksym=0 guarded=0
load mmkit_test_jit what=keep
if has_tagstore; then
	region=0xc0000000:32M:0x40000000:8K
	load mmkit_tagstore regions=$region pool_pages=8 linger_ms=0 give_back=1
	check "parameters of mmkit_tagstore read as they were given" [ \
		"$(cd /sys/module/mmkit_tagstore/parameters && cat regions simulate pool_pages linger_ms \
			give_back | tr '\n' ' ')" = "$region N 8 0 Y " ]
	# A page in the pool, and a block that is taken.
	/mmkit/bin/mte_paths first_touch
fi
find / -xdev > /dev/null 2>&1
check "parameters read as they were given" [ \
	"$(cat /sys/module/mmkit/parameters/hide)" = no_such_symbol,nor_this_one -a \
	"$(cd /sys/module/mmkit_allocprof/parameters && cat wide verify max_sites skip | tr '\n' ' ')" = \
	"Y Y 1048566 shmem_fault " -a \
	"$(cd /sys/module/mmkit_unmapped/parameters && cat prefill max_cached_bytes secret \
		secret_max_bytes | tr '\n' ' ')" = "2 134217728 N 8192 " -a \
	"$(cd /sys/module/mmkit_jit/parameters && cat max_bytes ksym guarded | tr '\n' ' ')" = \
	"2097152 N N " ]
check "without secret=1 there is no device" [ ! -e /dev/mmkit_secret ]
restrict=$(cat /proc/sys/kernel/kptr_restrict)
for kptr in 0 1 2; do
	echo $kptr > /proc/sys/kernel/kptr_restrict
	check "with all parameters given, kptr_restrict $kptr, the formats hold" \
		compare /mmkit/ABI "$suite"
done
shown_addresses() {
	awk 'NR > 1 && $5 !~ /^0+$/ { shown++ } END { print shown + 0 }' $mmkit_debugfs/symbols
}
check "kptr_restrict 2 hides all addresses" [ "$(shown_addresses)" -eq 0 ]
check "those of text, too" [ "$(grep -c '^0 ' $mmkit_debugfs/jit/map)" = 3 ]
echo 1 > /proc/sys/kernel/kptr_restrict
check "kptr_restrict 1 shows them to root" [ "$(shown_addresses)" -gt 5 ]
check "and those of text" [ "$(grep -c '^ffff[0-9a-f]* ' $mmkit_debugfs/jit/map)" = 3 ]
echo $restrict > /proc/sys/kernel/kptr_restrict
# No page is tagged any more, and it sees that when it looks.
[ ! -e $tagstore ] || echo 1 > $tagstore/drain
unload_tagstore
unload mmkit_test_jit mmkit_jit mmkit_unmapped mmkit_allocprof mmkit
