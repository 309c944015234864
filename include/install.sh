#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# install.sh DIRECTORY: puts there what a module is built against that uses mmkit: the public headers,
# and the versions of the symbols of the build that was made here. "make install-headers" and DKMS
# (POST_BUILD in dkms.conf) run it.

set -e
cd "$(dirname "$0")/.."
to=$1

[ -e Module.symvers ] || {
	echo "mmkit: there is no Module.symvers in $PWD; run make first" >&2
	exit 1
}
rm -rf "$to/include/mmkit"
mkdir -p "$to/include/mmkit"
install -m 644 include/mmkit/*.h "$to/include/mmkit/"
install -m 644 Module.symvers "$to/"
