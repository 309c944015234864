# SPDX-License-Identifier: GPL-2.0-only
# Descriptions of tag storage: the node of the device tree is taken, the parameter instead of it,
# and what is wrong with a description, or cannot be lent, is refused in one line that says why.
# vm: arch=arm64 mem=2112M smp=2 dtb=tagstore timeout=180 check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh

# is_region TEXT NUMBER LINE [PARAMETER]: loads, and region NUMBER is described so.
is_region()
{
	load tagstore simulate=1 ${4:+"regions=$4"} || return
	check "$1" grep -q "^region $2 $3" $mmkit_debugfs/tagstore/blocks || cat $mmkit_debugfs/tagstore/blocks
	unload tagstore
}

# refused ERRNO REGIONS REASON
refused()
{
	want_errno "$1" tagstore simulate=1 "regions=$2"
	expect_dmesg "mmkit.*tagstore.*: .*$3"
}

is_region "the node is a region" 0 \
	"storage 0xc0000000 bytes 67108864 serves 0x40000000 bytes 2147483648 block 4096 in cma .*tag-storage@c0000000"
is_region "so is the parameter" 0 "storage 0xc0000000 bytes 67108864 serves 0x40000000 bytes 2147483648 block 4096 in cma" \
	0xc0000000:64M:0x40000000
is_region "with a size and a block" 0 "storage 0xc2000000 bytes 6291456 serves 0x48000000 bytes 201326592 block 24576 in cma" \
	0xc2000000:6M:1152M+192M:24K
eight=
for i in 0 1 2 3 4 5 6 7; do
	eight=$eight,$(printf '%#x:2M:%#x' $((0xc0000000 + i * 0x200000)) $((0x40000000 + i * 0x4000000)))
done
eight=${eight#,}
is_region "with eight regions" 7 "storage 0xc0e00000 bytes 2097152 serves 0x5c000000 bytes 67108864 block 4096 in cma" "$eight"
refused EINVAL "$eight,0xc1000000:2M:0x60000000" "more than 8 regions"

refused EINVAL storage "expected, not .storage"
refused EINVAL 0xc0000000:64M "expected, not .64M"
refused EINVAL 0xc0000000:64M:0x40000000+ "0x40000000\\+: .*expected, not"
refused EINVAL 0xc0000000:64M:0x40000000:4K:1 "expected, not .:1"
refused EINVAL 0xc0000000:64M:0x40000000, "expected, not"

refused EINVAL 0xc0000000:64M:0x40000000+1G "memory 0x40000000\\+0x40000000, .*1/32"
refused EINVAL 0xc0000000:32M:0x40000000+2G "storage 0xc0000000\\+0x2000000.*1/32"
refused EINVAL 0xc0000000:0:0x40000000 "\\+0x0, .*larger than the storage"
refused EINVAL 0xc0000000:64M:0x40000000:128M "0x8000000\\): a block is larger"
refused EINVAL 0xc0000000:64M:0x40000000:0 "block 0x0\\): .*whole number of blocks"
refused EINVAL 0xc0000000:64M:0x40000000:12K "block 0x3000\\): .*whole number of blocks"
refused EINVAL 0xc0000000:64M:0x40000000:3K "block 0xc00\\): .*whole pages"
refused EINVAL 0xc0000000:64M:0x40000010 "memory 0x40000010.*whole pages"
refused EINVAL 0xfffffffffc000000:64M:0x40000000 "0xfffffffffc000000.*beyond the end"
refused EINVAL 0xc0100000:4M:0x40000000 "0xc0100000.*aligned to 0x[0-9a-f]*00000"
refused EINVAL 0xc0000000:1M:0x40000000 "0xc0000000\\+0x100000.*aligned"
refused EINVAL 0x44000000:64M:0x40000000 "0x44000000.*in the memory whose tags"

refused EINVAL 0xc0000000:2M:0x40000000,0xc0000000:2M:0x48000000 "the storage overlaps that of region 0"
refused EINVAL 0xc0000000:2M:0x40000000,0xc0200000:2M:0x42000000 "the memory overlaps that of region 0"
refused EINVAL 0xc0000000:2M:0x40000000,0x42000000:2M:0x80000000 "the storage lies in the memory of region 0"
refused EINVAL 0xc0000000:2M:0x40000000,0x80000000:2M:0xbe000000 "the storage of region 0.* lies in the memory"

refused EINVAL 0xc0000000:2M:0x3e000000 "the memory has a hole at 0x3e000000"
refused EINVAL 0xd0000000:64M:0x40000000 "the storage has a hole at 0xd0000000"
refused EINVAL 0xc2000000:64M:0x40000000 "the storage has a hole at 0xc4000000"

refused EOPNOTSUPP 0xa0000000:2M:0x40000000 "0xa0000000.*not lendable: .*neither a contiguous area nor"
common=$(dmesg | sed -n 's/.*cma: Reserved .* at \(0x[0-9a-f]*\).*/\1/p' | head -n 1)
refused EOPNOTSUPP "$common:2M:0x40000000" "not lendable: .*area of all devices"
refused EOPNOTSUPP "$(printf %#x $((common - 0x200000))):4M:0x40000000" "not lendable: only a part"
