# SPDX-License-Identifier: GPL-2.0-only
# A kernel whose debugfs may not be mounted: modules are refused it too, so all is as without it.
# vm: append="debugfs=no-mount" soak=only
. /mmkit/cases/debugfs_off.sh
