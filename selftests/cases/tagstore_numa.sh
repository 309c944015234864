# SPDX-License-Identifier: GPL-2.0-only
# Tagged areas with policies, on a machine of two nodes of which one has all storage: pages come from
# where the policy wants them, and the storage for their tags from where it is.
# vm: arch=arm64 mem=1056M smp=2,sockets=2 timeout=200 check=6.12 dtb=tagstore_nodes emulator=backports qemu="-object memory-backend-ram,id=m0,size=544M -object memory-backend-ram,id=m1,size=512M -numa node,nodeid=0,cpus=0,memdev=m0 -numa node,nodeid=1,cpus=1,memdev=m1"
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/tagstore.sh

mib_pages=$((1048576 / $(page_bytes)))

on() { awk -v node="$1" '$2 == node { n = $4 } END { print n + 0 }' /tmp/area; }

# Of 32 MiB as many pages lie on a node as the policy has it, within 1/8.
area() {
	local policy=$1 nodes=$2 want=$3 node=${4:-0} have
	check "an area with $policy $nodes" sh -c "/mmkit/bin/policy $policy $nodes 32 > /tmp/area"
	have=$(on $node)
	check "has $have of its $((32 * mib_pages)) pages on node $node" \
		[ $have -ge $((want - 4 * mib_pages)) -a $have -le $((want + 4 * mib_pages)) ]
}

no_objection() {
	walk
	check "$1: no tag without room ($(watched checked) writes), nor late" \
		[ "$(watched violations)" = 0 -a "$(watched checked)" -gt 0 -a "$(walked violations)" = 0 -a \
			"$(tagstore late_reservations)" = 0 ] || violations
	[ "$(watched missed)" = 0 ] || fail "$1: $(watched missed) writes were not looked at"
}

check "two nodes have memory" [ "$(cat /sys/devices/system/node/has_memory)" = 0-1 ]
load_tagstore regions=$storage_start:$storage_size:$ram_start:4096 || exit 1
watch_tags || exit 1
check "before: nothing is tagged, nothing is kept" at_rest

# --- a policy of the area ---
area bind 1 $((32 * mib_pages))
area bind 2 $((32 * mib_pages)) 1
area preferred 2 $((32 * mib_pages)) 1
area interleave 3 $((16 * mib_pages)) 1
no_objection "policies of areas"
check "what they had is given back" at_rest

# --- a policy of the program ---
for policy in "bind 1" "bind 2" "preferred 1" "interleave 3"; do
	check "$policy: data and tags are right" /mmkit/bin/policy $policy \
		/mmkit/bin/mte_paths first_touch mprotect cow tmpfs_shared
	no_objection "$policy"
done

# --- no policy, on the CPU of each node; and memory that is moved from one to the other ---
for cpu in 1 2; do
	check "CPUs $cpu: data and tags are right" taskset $cpu /mmkit/bin/mte_paths first_touch cow churn
done
no_objection "no policy"
/mmkit/bin/policy bind 3 /bin/taskset 2 /mmkit/bin/mte_paths hold 1 > /tmp/held 2>&1 &
holder=$!
check "1 MiB is tagged on node 1" wait_for 60 grep -q ready /tmp/held
# Not always in one go: who migrates cannot wait until there is room for more tags, and what has room
# already is a pool at most.
for node in 1 2; do
	check "it moves to nodes $node" wait_for 60 /mmkit/bin/policy move $holder $node
	no_objection "moved to nodes $node"
done
kill -USR1 $holder
wait $holder
check "data and tags are what they were: $(tail -n 1 /tmp/held)" grep -q ', 0 wrong' /tmp/held
check "afterwards nothing is tagged, nothing is kept" at_rest
