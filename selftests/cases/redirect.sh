# SPDX-License-Identifier: GPL-2.0-only
# Redirects: all or nothing, one owner, kretprobes, sleepers, and root's switches.
. /mmkit/lib.sh
. /mmkit/suite.sh

redirects=/sys/kernel/debug/mmkit/redirects

# Newest kernels have taken the switch away from everybody.
ftrace_switch() {
	echo 0 > /proc/sys/kernel/ftrace_enabled && echo 1 > /proc/sys/kernel/ftrace_enabled &&
		echo works || echo refused
}
switch=$(ftrace_switch)

load mmkit
module_test mmkit_test_redirect
expect_dmesg 'test-rival: calls cannot be redirected'
expect_dmesg 'test-missing: the kernel .* has no mmkit_no_such_function'

load mmkit_allocprof
check "the profiler's redirects are live" sh -c \
	"[ \$(grep -c '^allocprof .* live ' $redirects) -eq 3 ]"
before=$(awk '/alloc_pages_bulk/ { print $4 }' $redirects)
echo 0 > /proc/sys/kernel/ftrace_enabled 2>/dev/null
check "kernel.ftrace_enabled=0 is refused while redirects are live" \
	[ "$(cat /proc/sys/kernel/ftrace_enabled)" = 1 ]
load mmkit_test_alloc events=100
unload mmkit_test_alloc
after=$(awk '/alloc_pages_bulk/ { print $4 }' $redirects)
check "and the redirects still work" [ "$after" -gt "$before" ]
unload mmkit_allocprof
check "with the profiler its redirects are gone" sh -c "! grep -q allocprof $redirects"
check "and ftrace can be switched off as before" [ "$(ftrace_switch)" = "$switch" ]
unload mmkit
