# SPDX-License-Identifier: GPL-2.0-only
# Parameters of the profiler: what is wrong is refused, says why, and leaves nothing behind.
# vm: timeout=120 check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh

EEXIST=17
EINVAL=22
ERANGE=34
ko=/mmkit/ko/mmkit_allocprof.ko

# refused ERRNO MESSAGE PARAMETERS...: with that errno and one message, and nothing is left
refused() {
	local errno=$1 message=$2 before got
	shift 2
	before=$(errors)
	/mmkit/bin/load_once $ko "$@"
	got=$?
	check "$*: errno $errno" [ $got -eq $errno ]
	check "$*: one message" [ $(($(errors) - before)) -eq 1 ]
	check "$*: it says why" sh -c \
		"dmesg -r | grep '^<3>.* mmkit' | tail -n 1 | grep -q \"$message\""
	check "$*: nothing is left" nothing_of_allocprof
	[ $got -ne 0 ] || rmmod mmkit_allocprof
}

# param NAME: as the module has taken it
param() {
	cat /sys/module/mmkit_allocprof/parameters/$1
}

value() {
	cat $prof_sysfs/$1
}

load mmkit

refused $ERANGE 'parameter max_sites: 63 is not 0 and not in 64..32758' max_sites=63
refused $ERANGE 'parameter max_sites: 1 ' max_sites=1
refused $ERANGE 'parameter max_sites: 32759 ' max_sites=32759
refused $ERANGE 'parameter max_sites: 4294967295 ' max_sites=4294967295
refused $ERANGE 'parameter max_sites: 1048567 .*64..1048566' wide=1 max_sites=1048567
refused $ERANGE 'max_sites' max_sites=4294967296
refused $EINVAL 'max_sites' max_sites=-1
refused $EINVAL 'max_sites' max_sites=many
refused $EINVAL 'wide' wide=maybe
refused $EINVAL 'parameter skip: .*no_such_function' skip=no_such_function
refused $EINVAL 'parameter skip: .*no_such_function' skip=vm_insert_page,no_such_function
refused $EINVAL 'parameter skip: .*no_such_function' skip=,no_such_function,vm_insert_page

# The kernel's rule for all modules: said, and passed over.
load mmkit_allocprof no_such_parameter=1
expect_dmesg "mmkit_allocprof: unknown parameter 'no_such_parameter' ignored"
check "an unknown parameter is passed over by the kernel" [ "$(value enabled)" = 1 ]
/mmkit/bin/load_once $ko
check "a second load: errno $EEXIST" [ $? -eq $EEXIST ]
check "which leaves the first as it was" [ "$(value enabled)" = 1 ]
/mmkit/bin/load_once /mmkit/ko/mmkit.ko
check "a second load of the core: errno $EEXIST" [ $? -eq $EEXIST ]
unload mmkit_allocprof
check "unloaded, nothing is left" nothing_of_allocprof

load mmkit_allocprof wide=1 verify=1 max_sites=1048566 skip=shmem_fault
check "wide=1" [ "$(param wide)" = Y ]
check "its table has 4 bytes a page" grep -q '^allocprof  *4 ' $mmkit_debugfs/pagetab
find / -xdev > /dev/null 2>&1
dd if=/dev/zero of=/tmp/file bs=1M count=8 2>/dev/null
check "the books close with 4 bytes a page" books_close
check "verify=1 verifies" sh -c \
	"[ \$(awk '/^verified/ { print \$2 }' $prof/stats) -gt 1000 ]"
check "memo and unwinder agree" [ "$(value verify_mismatches)" = 0 ]
rm /tmp/file
unload mmkit_allocprof

load mmkit_allocprof max_sites=64
(find / -xdev -type f -exec head -c 1 {} +; find /sys -maxdepth 4; ps; mount) > /dev/null 2>&1
check "no more than max_sites are told apart" [ "$(value sites)" -le 64 ]
check "the books close with it" books_close
unload mmkit_allocprof

load mmkit_allocprof enabled=0
check "enabled=0 starts nothing" [ "$(value enabled)" = 0 ]
check "and takes no memory" [ "$(value table_bytes)" = 0 ]
check "and no table" sh -c "! grep -q allocprof $mmkit_debugfs/pagetab"
check "and no hook" sh -c "! grep -q allocprof $mmkit_debugfs/redirects"
echo 1 > $prof_sysfs/enabled
check "it can be started later" [ "$(value enabled)" = 1 ]
check "and then the books close" books_close
for name in wide verify max_sites skip enabled; do
	check "parameter $name cannot be changed after load" \
		[ "$(stat -c %a /sys/module/mmkit_allocprof/parameters/$name)" = 444 ]
done
unload mmkit_allocprof mmkit
check "nothing is left in sysfs" [ ! -e /sys/kernel/mmkit ]
check "nothing is left in debugfs" [ ! -e $mmkit_debugfs ]
