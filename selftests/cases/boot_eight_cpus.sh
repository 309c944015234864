# SPDX-License-Identifier: GPL-2.0-only
# All modules on a machine with eight CPUs.
# vm: smp=8 timeout=120 check=6.12,6.1-arm64
. /mmkit/lib.sh
. /mmkit/everything.sh

check "there are eight CPUs" [ "$(cat /sys/devices/system/cpu/online)" = 0-7 ]
everything
