# SPDX-License-Identifier: GPL-2.0-only
# CPUs are switched off and on while all modules work, on arm64 with tagged pages.
# vm: timeout=300 check=7.3-amd64,6.12-arm64
# vm-arm64: mem=1056M dtb=tagstore_small
. /mmkit/lib.sh
. /mmkit/everything.sh
. /mmkit/machine.sh

[ -e $cpu/cpu1/online ] || skip "no CPU can be switched off here"
all_load
all_work
all_right "to begin with"
for round in $(seq $(often 1 10)); do
	for i in 1 2 3; do check "CPU $i is switched off" wait_for 10 cpu_switch $i 0; done
	check "one is left" [ "$(cpus_online)" = 0 ]
	all_right "with one CPU"
	for i in 3 1 2; do check "CPU $i is switched on" wait_for 10 cpu_switch $i 1; done
	check "all are back" [ "$(cpus_online)" = 0-3 ]
	all_right "with all CPUs"
done
all_rest
all_right "at last"
all_unload
