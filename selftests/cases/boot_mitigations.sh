# SPDX-License-Identifier: GPL-2.0-only
# All modules with all mitigations, on cores of two threads each.
# vm: smp=4,sockets=1,cores=2,threads=2 timeout=120 check=6.12,7.2-arm64 append="init_on_alloc=0 mitigations=auto,nosmt"
. /mmkit/lib.sh
. /mmkit/everything.sh

grep . /sys/devices/system/cpu/vulnerabilities/*
check "it is asked for" grep -qw mitigations=auto,nosmt /proc/cmdline
everything
