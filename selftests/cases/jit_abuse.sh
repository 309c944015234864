# SPDX-License-Identifier: GPL-2.0-only
# Wrong frees: nothing is damaged, the fuse blows. Objects that are forgotten are reported.
# vm: timeout=120 check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/jit.sh

for mistake in foreign interior double stale; do
	jit_load
	jit_test $mistake
	check "$mistake: sysfs says so" grep -q '^blown: ' $jit/state
	wait_for 30 jit_idle
	check "$mistake: what lived could be freed" jit_idle
	jit_unload
done
check "each time the kernel is told" [ "$(case_dmesg | grep -c 'mmkit: fuse of jit has blown')" -eq 4 ]
expect_dmesg 'mmkit: fuse of jit has blown'

jit_load
load mmkit_test_jit what=keep forget=1
unload mmkit_test_jit
check "who goes and forgets is named" sh -c \
	"dmesg | grep -q 'jit: module mmkit_test_jit leaves 3 objects behind, 10364 bytes'"
check "owners shows it as gone" grep -qx 'mmkit_test_jit 3 10364 gone' $jit_debugfs/owners
check "the map still names it" [ "$(grep -c ' mmkit_test_jit ' $jit_debugfs/map)" = 3 ]
check "the allocator cannot be unloaded" sh -c "! rmmod mmkit_jit 2> /dev/null"
load mmkit_test_jit what=keep
check "the next one of that name is another owner" \
	[ "$(grep -c '^mmkit_test_jit 3 ' $jit_debugfs/owners)" = 2 ]
unload mmkit_test_jit
load mmkit_test_jit what=adopt adopt="$(awk '{ print "0x" $1 }' $jit_debugfs/map | paste -s -d ,)"
unload mmkit_test_jit
check "who knows where they are can free them" jit_idle
check "then nobody is gone any more" sh -c "! grep gone $jit_debugfs/owners"
jit_unload
