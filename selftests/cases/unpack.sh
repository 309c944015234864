# SPDX-License-Identifier: GPL-2.0-only
# A module of somebody else's, built with what mmkit installs, compiles and runs its own code.
# The only CPU has a clock that counts instructions: what a key costs is told in these.
# vm: smp=1 qemu="-icount shift=0,sleep=off" timeout=180
. /mmkit/lib.sh
. /mmkit/suite.sh

map=$mmkit_debugfs/jit/map

cost() { case_dmesg | sed -n 's/^.*] unpack: cost - //p'; }
mapped() { grep -w unpack $map | grep -c 'unpack_[0-9]'; }
not_wrong() { ! case_dmesg | grep 'unpack: not ok'; }
not_mapped() { [ -r $map ] && ! grep -w unpack $map; }
stays() { ! rmmod "$1"; }

load mmkit
load mmkit_unmapped
load mmkit_jit

# A million keys; the functions are gone when the module has been loaded.
load unpack
check "its functions are in no map when they are freed" not_mapped
module_results unpack
cost | sed 's/ns a key/instructions a key/'
unload unpack

# They stay: the map names them and their owner, and what they lie in cannot go away.
load unpack stay=1 keys=1000
check "they do what they should once more" not_wrong
check "each function is in the map, under its name and its module's" [ "$(mapped)" = 1046 ]
grep -w unpack $map | head -n 3
check "mmkit_jit does not unload while they are there" stays mmkit_jit
unload unpack
check "nothing of them is in the map afterwards" not_mapped
check "and mmkit_jit unloads" rmmod mmkit_jit
