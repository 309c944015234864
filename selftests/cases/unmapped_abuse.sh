# SPDX-License-Identifier: GPL-2.0-only
# Wrong calls: refused, the fuse blows, who did nothing wrong keeps his pages.
# vm: timeout=180 check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh

free_kb > /dev/null
before=$(free_kb)
for abuse in 0 1 2 3 4 5 6; do
	um_load
	echo 2 > $um/prefill
	um_do abuse $abuse
	check "sysfs says so" grep -q '^blown: ' $um/state
	check "components says so" grep -q '^unmapped  *blown ' $mmkit_debugfs/components
	check "prefill is refused" sh -c "! echo 3 2> /dev/null > $um/prefill"
	um_unload
done
check "each time the kernel is told" [ "$(case_dmesg | grep -c 'mmkit: fuse of unmapped has blown')" -eq 7 ]
expect_dmesg 'mmkit: fuse of unmapped has blown'
um_load
um_do api
check "loaded again it works" um_whole
um_unload
memory_is_back $before 4096
