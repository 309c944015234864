# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# In the chroot, second part: what a kernel update does, remove, and the user's make targets.

. "$(dirname "$0")/lib.sh"

step 0 "a module that uses mmkit: uninstall" dkms uninstall "$example" -k "$KERNEL"
step 0 "uninstall" dkms uninstall "$package" -k "$KERNEL"
step 1 "uninstall took the modules away" known_to_depmod
step 0 "the hook of a kernel update" /etc/kernel/postinst.d/dkms "$KERNEL"
step 0 "it has installed the modules" installed
step 0 "depmod knows them again" known_to_depmod
step 0 "it has installed the module that uses mmkit" installed "$example"

step 0 "a module that uses mmkit: remove" dkms remove "$example" --all
rm -rf "/usr/src/${example/\//-}"
step 0 "remove" dkms remove "$package" --all
step 0 "remove leaves nothing behind" gone
rm -rf "/usr/src/mmkit-$VERSION"

cp -r /mnt/source /tmp/mmkit
cd /tmp/mmkit || exit 1
step 0 "make dkms" make dkms KVER="$KERNEL"
step 0 "make dkms has installed the modules" installed
step 0 "make -C of a module that uses mmkit" make -C /mnt/example KVER="$KERNEL"
sed -i 's/^\(MODULE_DESCRIPTION("\)/\1changed: /' modules/core/init.c
step 0 "make dkms with changed sources" make dkms KVER="$KERNEL"
step 0 "the change is in what is installed" says "^changed: " modinfo -k "$KERNEL" -F description mmkit
step 0 "make, for this kernel alone" make KVER="$KERNEL"
step 0 "make install-headers" make install-headers
step 0 "make uninstall" make uninstall
step 0 "make uninstall leaves nothing behind" gone
step 0 "nor the sources" silent find /usr/src -name 'mmkit*'
step 0 "make uninstall once more is no error" make uninstall
