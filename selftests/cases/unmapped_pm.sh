# SPDX-License-Identifier: GPL-2.0-only
# Hibernation is refused while pages are out, and may go on without what is cached; CPUs go and come.
# vm: timeout=300 check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/unmapped.sh

um_load
grep -qw disk /sys/power/state && [ -e /sys/power/pm_test ] ||
	fail "this kernel does not hibernate: $(cat /sys/power/state) $(ls /sys/power | tr '\n' ' ')"
# As far as tasks are frozen, and back; nothing is written anywhere.
echo freezer > /sys/power/pm_test
echo 1 > /sys/module/suspend/parameters/pm_test_delay
echo 2 > $um/prefill
um_do hold 3
um_do fill
check "hibernation is refused while pages are out" sh -c "! echo disk 2> /dev/null > /sys/power/state"
expect_dmesg 'unmapped: no hibernation while'
um_do look
um_do hold 3
check "and nothing else has changed" um_whole
um_do drop
check "without pages out it goes on" sh -c "echo disk > /sys/power/state"
check "with nothing cached" [ "$(um_value cached_bytes)" = 0 ]
um_do hold 100
um_do fill
um_do look
check "afterwards pages can be had again" [ "$(um_value in_use_bytes)" -gt 0 ]
check "suspend to RAM is none of its business" sh -c "echo freeze > /sys/power/state"
um_do look
um_do drop
echo none > /sys/power/pm_test

# --- CPUs go and come ---
um_stress ops=$(often 4000 500000)
bad=0 switched=0
while ! um_stress_done; do
	for cpu in 1 2 3; do echo 0 > /sys/devices/system/cpu/cpu$cpu/online || bad=$((bad + 1)); done
	for cpu in 3 1 2; do echo 1 > /sys/devices/system/cpu/cpu$cpu/online || bad=$((bad + 1)); done
	switched=$((switched + 6))
done
check "CPUs are switched $switched times meanwhile" [ $bad -eq 0 -a $switched -gt 0 ]
um_stress_end
echo 0 > /sys/devices/system/cpu/cpu2/online
um_do local
echo 1 > /sys/devices/system/cpu/cpu2/online
um_do local
check "the fuse is whole" um_whole
um_unload
