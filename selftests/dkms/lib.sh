# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What install.sh and remove.sh share. They run in the chroot, one before the VM and one after it.
# From ci/dkms: $VERSION and $MODULES of the suite, $KERNEL, the sources in /mnt/source, those of a
# module that uses it in /mnt/example, packages of an excluded kernel in /mnt/old, and /mnt/out for
# what the VM needs.

set -u
package=mmkit/$VERSION
example=unpack/1.0
log=/tmp/log
shopt -s nullglob

# step STATUS TEXT COMMAND...: it must end with that status.
step()
{
	local want=$1 text=$2 status=0
	shift 2
	"$@" > "$log" 2>&1 < /dev/null || status=$?
	if [ "$status" = "$want" ]; then
		echo "ok - $text"
		return
	fi
	for file in "$log" "/var/lib/dkms/$package/build/make.log"; do
		[ ! -e "$file" ] || tail -n 20 "$file" | sed 's/^/# /'
	done
	echo "not ok - $text: status $status, $want expected"
}

says() { grep -qE "$1" <<< "$("${@:2}" 2>&1)"; }
silent() { [ -z "$("$@" 2>&1)" ]; }
field() { [ "$(modinfo -k "$KERNEL" -F "$1" "$2")" = "$3" ]; }
installed() { says ": installed" dkms status "${1:-$package}" -k "$KERNEL"; }
known_to_depmod() { grep -q "/mmkit.*\.ko" "/lib/modules/$KERNEL/modules.dep"; }

# Nothing of the suite in any kernel, in its index, or in the DKMS tree.
gone()
{
	find /lib/modules/*/ /var/lib/dkms -name 'mmkit*'
	grep -H mmkit /lib/modules/*/modules.{dep,symbols}
	[ -z "$(find /lib/modules/*/ /var/lib/dkms -name 'mmkit*')" ] &&
		! grep -q mmkit /lib/modules/*/modules.{dep,symbols}
}
