# SPDX-License-Identifier: GPL-2.0-only
# Virtual machines tag their pages as they like. With the manager there is none whose memory can have
# tags; and where there is one already, the manager refuses.
# vm: arch=arm64 mem=1056M dtb=tagstore_small smp=2 qemu="-machine virtualization=on" check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/tagstore.sh

guest() {
	> /tmp/guest
	/mmkit/bin/kvm_mte "$@" > /tmp/guest 2>&1 &
	guest=$!
	wait_for 20 grep -q . /tmp/guest
}
ends() { kill $guest; wait $guest; } 2> /dev/null

[ -e /dev/kvm ] || mknod /dev/kvm c 10 232
guest
check "without the manager there is a virtual machine with tags" grep -qx yes /tmp/guest || cat /tmp/guest
want_errno EBUSY mmkit_tagstore give_back=1
expect_dmesg "mmkit: tagstore: process $guest runs a virtual machine with memory tags"
ends
guest cpu
check "also one that is its CPU alone" grep -qx yes /tmp/guest || cat /tmp/guest
want_errno EBUSY mmkit_tagstore give_back=1
expect_dmesg "mmkit: tagstore: process $guest runs a virtual machine with memory tags"
ends
load_tagstore || exit 1
guest
check "with the manager it is refused with EINVAL: $(cat /tmp/guest)" grep -qx "no 22" /tmp/guest
check "and counted" [ "$(tagstat refused_kvm)" = 1 ]
unload mmkit_tagstore
