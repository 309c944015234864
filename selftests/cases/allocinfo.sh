# SPDX-License-Identifier: GPL-2.0-only
# The profiler against the kernel's own accounts, where a kernel has them: function by function against
# the tags of /proc/allocinfo, and site by site against the stacks of page_owner. What is compared is
# gained between two moments. KASAN keeps freed objects of the slab for a while, those of reading
# page_owner, too: the slab is at rest only when page_owner has been read.
# vm: mem=2G append="init_on_alloc=0 sysctl.vm.mem_profiling=1 page_owner=on" kernels=6.12-debug timeout=120
. /mmkit/lib.sh
. /mmkit/suite.sh

# page_owner's stacks begin in here.
helpers=$prof_helpers'|^(post_alloc_hook|prep_new_page|get_page_from_freelist'
helpers=$helpers'|__alloc_pages_slowpath|mmkit_redirect_fn_.*)$'

# A function as the source calls it, which is mainline's name, and what the compiler made it a part of,
# which is ours. Where it became a part of several, these are taken together.
inlined='
alloc_slab_page		allocate_slab
alloc_anon_folio	__handle_mm_fault
folio_prealloc		__handle_mm_fault
do_wp_page		__handle_mm_fault
alloc_swap_folio	do_swap_page
__alloc_swap_folio	do_swap_page
ra_alloc_folio		page_cache_ra_order
filemap_create_folio	filemap_get_pages
alloc_thread_stack_node	copy_process
_pgd_alloc		pgd_alloc
get_huge_zero_page	mm_get_huge_zero_folio
tlb_next_batch		__tlb_remove_folio_pages_size
pcpu_alloc_pages	pcpu_populate_chunk
__page_frag_cache_refill __page_frag_alloc_align
alloc_zspage		zs_malloc
zram_meta_alloc		disksize_store
setup_clusters		__x64_sys_swapon
__do_sys_swapon		__x64_sys_swapon
swap_cgroup_prepare	swap_cgroup_swapon
__execmem_alloc		execmem_alloc
split_large_page	__change_page_attr_set_clr
alloc_pte_page		populate_pmd
p4d_alloc_one		__p4d_alloc
zcomp_strm_init		zcomp_cpu_up_prepare
ftrace_allocate_records	ftrace_process_locs
'

# Here one tag has both: pages of vmalloc(), and its array of pointers to them, an object of the slab,
# which is 8 bytes a page.
vmallocs='__execmem_alloc stress_vmalloc zcomp_strm_init pcpu_mem_zalloc paths_vmalloc paths_vmalloc_gfp
	paths_vmalloc_node paths_vmalloc_array paths_vmalloc_huge paths_vzalloc paths_kvmalloc_beyond'
# Heads of packets: small ones are objects of the slab, large ones pages, under one tag. By site they are
# compared like all others.
mixed='kmalloc_reserve'

# By names of ours.
awk_base='
BEGIN {
	n = split(inlined, word)
	for (i = 1; i < n; i += 2) part_of[word[i]] = word[i + 1]
}
function base(name) {
	sub(/[:.].*/, "", name); sub(/_noprof$/, "", name)
	return name in part_of ? part_of[name] : name
}'

page=$(page_bytes)
accounts="ours_first owner ours theirs ours_last"

# snapshot WHEN: all accounts of this moment, in /tmp/WHEN. Objects from before the profiler, freed long
# ago and kept by KASAN, would go while the accounts are read, one after the other: they go first.
snapshot() {
	local account file
	for file in /sys/kernel/slab/*/shrink; do echo 1 > $file; done
	/mmkit/bin/profiles $since "$helpers" /tmp/raw || fail "$1: no accounts"
	mkdir /tmp/$1
	for account in $accounts; do
		tr -d '\0' < /tmp/raw/$account > /tmp/$1/$account
	done
}

# Mainline's tags of slab objects and of pages look alike, and pages of the slab are tagged, too. A tag
# of pages has whole pages, at least one for each call, at any time, and page_owner knows its function.
# Objects are so by chance; nearly never twice.
page_tags() {
	awk -v page=$page -v inlined="$inlined" -v vmallocs=" $(echo $vmallocs) " -v mixed=" $mixed " "$awk_base"'
	FILENAME ~ /owner/ { known[base($3)] = 1; next }
	$1 ~ /^[0-9]+$/ {
		tag = $0; sub(/^ *[0-9]+ +[0-9]+ /, "", tag)
		if ($1 % page || $1 < $2 * page) objects[tag] = 1
		sub(/.*func:/, ""); of[tag] = $1
	}
	END {
		for (tag in of)
			if (known[base(of[tag])] && !index(mixed, " " of[tag] " ") && (!(tag in objects) || index(vmallocs, " " of[tag] " ")))
				print tag
	}' /tmp/before/owner /tmp/held/owner /tmp/before/theirs /tmp/held/theirs
}

# sites WHEN, functions WHEN: "account name bytes" a line, ours twice.
sites() {
	ours ours_first $1
	awk '{ print "witness", $3 $4, $2 }' /tmp/$1/owner
}

# What was allocated before the profiler came has no function with us: it is taken off mainline's count,
# because page_owner knows how old a page is.
functions() {
	ours ours_last $1
	awk '{ print "witness", $3, -$1 }' /tmp/$1/owner
	awk 'FILENAME == "/tmp/page_tags" { pages[$0] = 1; next }
	{ bytes = $1; tag = $0; sub(/^ *[0-9]+ +[0-9]+ /, "", tag) }
	tag in pages { sub(/.*func:/, ""); print "witness", $1, bytes }' /tmp/page_tags /tmp/$1/theirs
}

ours() {
	awk -F '\t' 'FNR > 1 && $NF !~ /^\(/ {
		sub(/ /, "", $NF)
		print FILENAME ~ /ours$/ ? "ours" : "other", $NF, $1
	}' /tmp/$2/ours /tmp/$2/$1
}

# compare KIND WHEN: what each has gained since "before", for us and for the witness, as "bytes name
# KiB-by-us KiB-by-them pages-apart". The witness was read between two looks at ours: what moved
# meanwhile is somewhere between them. page_owner does not know for whom it takes memory itself.
compare() {
	{ $1 before | sed 's/^/before /'; $1 $2 | sed 's/^/now /'; } |
	awk -v kind=$1 -v page=$page -v few=8 -v inlined="$inlined" -v mixed=" $mixed " "$awk_base"'
	function live(when, account, name) { return bytes[when, account, name] + 0 }
	function least(when, name,	a, b) {
		a = live(when, "ours", name); b = live(when, "other", name)
		return a < b ? a : b
	}
	function most(when, name,	a, b) {
		a = live(when, "ours", name); b = live(when, "other", name)
		return a > b ? a : b
	}
	{
		name = kind == "functions" ? base($3) : $3
		if (kind == "functions" && index(mixed, " " name " "))
			next
		if (kind == "sites" && name ~ /^([?]|allocate_slab:|stack_depot_save_flags:)/)
			name = "slab_and_stack_depot"
		bytes[$1, $2, name] += $4
		seen[name] = 1
	}
	END {
		for (name in seen) {
			size = live("now", "ours", name) - live("before", "ours", name)
			theirs = live("now", "witness", name) - live("before", "witness", name)
			low = least("now", name) - most("before", name)
			high = most("now", name) - least("before", name)
			off = theirs < low ? low - theirs : theirs > high ? theirs - high : 0
			print (size > theirs ? size : theirs), name, size / 1024, theirs / 1024, off / page,
				(off * 100 > size + few * page * 100 ? "DIFFERS" : "")
		}
	}' | sort -rn > /tmp/$1.$2
}

# agree KIND WHEN TEXT: of the 50 largest each is right within 1 % and a few pages
agree() {
	compare $1 $2
	echo "$1, $2: name, KiB by us, KiB by them, pages apart"
	head -n 50 /tmp/$1.$2 | cut -d ' ' -f 2-
	check "$3" awk -v page=$page 'NR <= 50 && ($1 < page || /DIFFERS/) { print; bad = 1 }
		END { exit bad || NR < 50 }' /tmp/$1.$2
}

# user PATH MEGABYTES [FILE]: a program takes memory that way and keeps it
user() {
	: > /tmp/said
	/mmkit/bin/page_paths $1 $2 $3 > /tmp/said &
	holders="$holders $!"
	wait_for 5 grep -q ready /tmp/said || fail "$1: the program does not get ready"
}

leave() {
	[ -z "$holders" ] || kill $holders
	umount /tmp/ram /tmp/loop
	swapoff /dev/zram0
	losetup -d /dev/loop0
	rmdir /tmp/cgroup/swapped
	umount /tmp/cgroup
} 2>/dev/null

disk() {
	mkdir -p /tmp/$1
	mke2fs -F $2 > /dev/null 2>&1 && mount -t ext4 $2 /tmp/$1 || fail "no filesystem on $2"
}

# swapped MEGABYTES: memory of a program that lies in a compressed disk
swapped() {
	mkdir /tmp/cgroup
	mount -t cgroup2 none /tmp/cgroup
	echo +memory > /tmp/cgroup/cgroup.subtree_control
	mkdir /tmp/cgroup/swapped
	echo 64M > /sys/block/zram0/disksize
	mkswap /dev/zram0 > /dev/null && swapon /dev/zram0 || fail "no swap"
	echo $$ > /tmp/cgroup/swapped/cgroup.procs
	user anon $1
	echo $$ > /tmp/cgroup/cgroup.procs
	echo $1M > /tmp/cgroup/swapped/memory.reclaim 2>/dev/null
	check "$(awk '/^pswpout/ { print $2 }' /proc/vmstat) pages are swapped out" \
		[ "$(awk '/^pswpout/ { print $2 }' /proc/vmstat)" -gt $(($1 * 128)) ]
}

[ -e /proc/allocinfo -a -e /sys/kernel/debug/page_owner ] || skip "the kernel keeps no accounts"
trap leave EXIT
load mmkit
echo "mmkit-case: the profiler comes" > /dev/kmsg
# By the clock that page_owner uses.
since=$(dmesg | awk '/the profiler comes/ { sub(/.*\[ */, ""); sub(/\].*/, ""); sub(/\./, ""); print $0 "000" }' |
	tail -n 1)
load mmkit_allocprof verify=1

modprobe -a brd loop zram ext4 2>/dev/null
mkdir /tmp/raw
for account in $accounts; do
	dd if=/dev/zero of=/tmp/raw/$account bs=512k count=1 2>/dev/null
done
for name in one two; do dd if=/dev/zero of=/tmp/$name bs=1M count=2 2>/dev/null; done
snapshot before

# --- what modules do ---
load mmkit_test_paths
load mmkit_test_alloc events=2000 hold=16
load mmkit_test_sites
load_suite

# --- what programs do ---
disk ram /dev/ram0
cp /tmp/one /tmp/two /tmp/ram/ || fail "the disk is full"
dd if=/dev/zero of=/tmp/image bs=1M count=6 2>/dev/null
losetup /dev/loop0 /tmp/image
disk loop /dev/loop0
cp /tmp/one /tmp/loop/
sync
echo 1 > /proc/sys/vm/drop_caches
user anon 4
user populate 4
user thp 8
user cow 2
user ptes 2
user read 2 /tmp/ram/one
user fault 2 /tmp/ram/two
user private 2 /tmp/ram/one
user write 2 /tmp/ram/new
user write 2 /tmp/new
user pipe 2
user unix 2
user threads 1
swapped 8
(find / -xdev; ps) > /dev/null 2>&1

for i in 1 2 3; do usleep 500000; done
snapshot held
page_tags > /tmp/page_tags
check "the tags of pages are $(grep -c . /tmp/page_tags)" [ $(grep -c . /tmp/page_tags) -ge 50 ]
agree functions held "the 50 largest functions are mainline's"
agree sites held "the 50 largest sites are page_owner's"
check "memo and unwinder agree on $(prof_stat verified) events" \
	[ "$(cat $prof_sysfs/verify_mismatches)" = 0 ]
check "the books close" books_close
