# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Shared by the scripts in ci/: where things lie, how they speak, and the apt and chroot plumbing.
# Everything that is downloaded or built goes under $MMKIT_CACHE; the tree itself is never written.

set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CI=$TOP/ci
MMKIT_CACHE=${MMKIT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mmkit}
export MMKIT_CACHE
mkdir -p "$MMKIT_CACHE"

# Where depmod and modinfo are; not everybody has it.
PATH=$PATH:/usr/sbin:/sbin
# A machine that is killed by Ctrl-C has ended, for the shell: it would boot the next one.
trap 'exit 130' INT TERM

# People read stderr, programs read stdout: results are never mixed with progress.
say() { printf '%s\n' "mmkit: $*" >&2; }
die() { printf '%s\n' "mmkit: error: $*" >&2; exit 1; }

# has PATTERN...: does standard input have such a line (grep -x)? It is read to its end: "grep -q" may
# end first, and what writes into the pipe then fails, which pipefail takes for an answer.
has() { grep -x "$@" > /dev/null; }

as_root()
{
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# lock NAME: held by this process until it ends; two jobs of one run share the cache.
lock()
{
	local fd
	mkdir -p "$MMKIT_CACHE/lock"
	exec {fd}> "$MMKIT_CACHE/lock/$1"
	flock "$fd"
}

#
# The matrix
#

# kernel_names [debug | bench | all]: the stock ones, or those that are built here for that purpose.
kernel_names()
{
	awk -v which="${1:-}" '!/^#/ && NF && (which == "all" || which == ($8 ~ /^(debug|bench)$/ ? $8 : "")) { print $1 }' \
		"$CI/kernels"
}

# kernel NAME: sets K, ARCH, SUITE, RELEASE, FLAVOUR, TOOLS, CASES, STAGES and the directories.
kernel()
{
	local row
	row=$(awk -v k="$1" '!/^#/ && $1 == k' "$CI/kernels")
	[ -n "$row" ] || die "no kernel \"$1\" in ci/kernels; known: $(kernel_names all | tr '\n' ' ')"
	read -r K ARCH SUITE RELEASE FLAVOUR TOOLS CASES STAGES <<< "$row"
	KROOT=$MMKIT_CACHE/kernels/$K
	BUILD=$MMKIT_CACHE/build/$K
	# How much longer all takes there.
	if [ "$STAGES" = debug ]; then SLOW=8; else SLOW=1; fi
	if [ "$ARCH" = arm64 ]; then
		CROSS=aarch64-linux-gnu-
	else
		CROSS=
	fi
}

# Of a kernel that ci/fetch has brought: version, header directory, image.
kernel_version() { cat "$KROOT/version"; }
# A package may come again under the name it had: caches are kept for one version of it.
kernel_id() { cat "$KROOT/version" "$KROOT/package"; }
kernel_headers() { echo "$KROOT/usr/src/linux-headers-$(kernel_version)"; }
kernel_image() { echo "$KROOT/vmlinuz"; }

# The modules of the suite in load order; dkms.conf is the one list of them.
suite_modules() { sed -n 's/^BUILT_MODULE_NAME\[[0-9]*\]="\(.*\)"$/\1/p' "$TOP/dkms.conf"; }
# Those that are installed on an architecture, which may be fewer: its name is that of "uname -m".
shipped_modules() { arch=$1 bash -c '. "$0" && printf "%s\n" "${BUILT_MODULE_NAME[@]}"' "$TOP/dkms.conf"; }
suite_version() { sed -n 's/^PACKAGE_VERSION="\(.*\)"$/\1/p' "$TOP/dkms.conf"; }

#
# What cases and benchmarks ask for in their headers
#

# vm_settings FILE [DEFAULTS [MORE]]: the "# vm:" header of a case, then "# vm-ARCH:", as variables of the
# same names. DEFAULTS and MORE are settings as in a header, one that goes before it and one after.
vm_settings()
{
	local header key line value
	# Debian zeroes each page that is allocated: left to the few cases that set append.
	mem=1G smp=4 threads=single append=init_on_alloc=0 timeout=60
	qemu='' kernels='' check='' arch='' soak='' soak_timeout='' monitor='' needs='' dtb='' emulator='' who=''
	line=" ${2:-} $(for header in vm "vm-$ARCH"; do sed -n "s/^# $header: *//p" "$1"; done | tr '\n' ' ') ${3:-}"
	while [[ $line =~ ^\ *([a-z_]+)=(\"([^\"]*)\"|([^\ ]*))(.*)$ ]]; do
		key=${BASH_REMATCH[1]} value=${BASH_REMATCH[3]}${BASH_REMATCH[4]} line=${BASH_REMATCH[5]}
		case $key in
		mem | smp | threads | append | timeout | qemu | kernels | check | arch | soak | soak_timeout | monitor | \
			needs | dtb | emulator | who)
			printf -v "$key" %s "$value" ;;
		*) die "$(basename "$1"): unknown setting \"$key\"" ;;
		esac
	done
	for key in ${kernels//,/ } ${check//,/ }; do
		kernel_names all | sed 'p; s/-.*//; p; s/$/-amd64/' | has -F -- "$key" ||
			die "$(basename "$1"): no kernel \"$key\" in ci/kernels"
	done
	[[ $line =~ ^\ *$ ]] || die "$(basename "$1"): cannot read \"$line\""
	[ "${SOAK:-0}" = 0 ] || timeout=${soak_timeout:-$timeout}
	timeout=$((timeout * SLOW))
	[ -z "$soak" ] || timeout=$((timeout + ${SOAK:-0} * 60))
}

# listed NAMES: is this kernel one of them? 6.1 means both architectures, 6.1-amd64 one. One that was built for
# benchmarks has its full name there.
listed()
{
	[[ ,$1, != *,"$K",* ]] || return 0
	[ "$STAGES" != bench ] || return 1
	[[ ,$1, = *,"${K%-debug}",* || ,$1, = *,"${K%%-*}",* || ,$1, = *,"$K-$ARCH",* ]]
}

# runs_here [PLAIN]: is what vm_settings has read for this kernel; PLAIN=1: for a plain "make check"?
runs_here()
{
	[ -z "$arch" ] || [ "$arch" = "$ARCH" ] || return 1
	[ -z "$soak" ] || [ "${SOAK:-0}" != 0 ] || return 1
	[ -z "$kernels" ] || listed "$kernels" || return 1
	[ -z "$check" ] || [ "${1:-0}" = 0 ] || listed "$check"
}

#
# apt without touching the machine's own: private lists, sources taken from the machine's mirror
#

# mirror_of SUITE: the archive this machine uses for Debian, or for Debian's security updates.
mirror_of()
{
	local codename want uri
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-none}")
	case $1 in
	*-security) want=$codename-security ;;
	*) want=$codename ;;
	esac
	uri=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
		awk -v r="$want" '$1 == r && $2 == "main" { print $3; exit }')
	[ -n "$uri" ] || die "the apt sources of this machine name no Debian archive for \"$want\""
	echo "$uri"
}

suite_parts()
{
	case $1 in
	*-backports | experimental) echo "$1" ;;
	*) echo "$1 $1-updates $1-security" ;;
	esac
}

# suite_sources SUITE: sources.list lines on stdout.
suite_sources()
{
	local part uri
	for part in $(suite_parts "$1"); do
		uri=$(mirror_of "$part") || return 1
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $part main"
	done
}

# apt_for SUITE ARCH: prints the configuration file to hand to apt; lists are at most a day old.
apt_for()
{
	local dir=$MMKIT_CACHE/apt/$1-$2
	(
		lock "apt-$1-$2"
		if [ -z "$(find "$dir/fresh" -mmin -1440 2>/dev/null)" ]; then
			mkdir -p "$dir/lists/partial" "$dir/archives/partial"
			rm -f "$dir/fresh"
			suite_sources "$1" > "$dir/sources.list" || exit 1
			cat > "$dir/apt.conf" <<-CONF
			Dir::Etc::SourceList "$dir/sources.list";
			Dir::Etc::SourceParts "/dev/null";
			Dir::State::Lists "$dir/lists";
			Dir::State::status "/dev/null";
			Dir::Cache "$dir";
			APT::Architecture "$2";
			APT::Architectures { "$2"; "amd64"; };
			APT::Sandbox::User "";
			Acquire::Languages "none";
			Acquire::Retries "3";
			Debug::NoLocking "1";
			CONF
			say "package lists of $1 ($2)"
			apt-get -c "$dir/apt.conf" -qq --error-on=any update >&2 ||
				die "cannot read the package lists of $1 ($2)"
			touch "$dir/fresh"
		fi
	)
	# In $(...) a failure above ends nothing by itself.
	[ -e "$dir/fresh" ] || return 1
	echo "$dir/apt.conf"
}

# unpack_package CONF ROOT PACKAGE...: downloads and unpacks, installs nothing.
unpack_package()
{
	local conf=$1 root=$2 dir deb
	shift 2
	mkdir -p "$root"
	dir=$(mktemp -d "$MMKIT_CACHE/download.XXXXXX")
	(cd "$dir" && apt-get -c "$conf" -qq download "$@" >&2) || {
		rm -rf "$dir"
		die "cannot download: $*"
	}
	for deb in "$dir"/*.deb; do
		dpkg-deb -x "$deb" "$root"
	done
	rm -rf "$dir"
}

# unpack_source CONF PACKAGE VERSION DIR [PATTERN...]: of a source package of the kernel what matches a
# pattern, or all.
unpack_source()
{
	local conf=$1 package=$2 version=$3 dir=$4
	shift 4
	say "fetching $package $version"
	mkdir -p "$dir"
	unpack_package "$conf" "$dir.deb" "$package=$version"
	tar -xJf "$dir.deb/usr/src/$package.tar.xz" -C "$dir" --strip-components=1 --wildcards "${@/#/$package/}"
	rm -r "$dir.deb"
}

#
# Chroots made by ci/chroot
#

# in_chroot NAME COMMAND...: /proc and the cache are mounted in a namespace that ends with the command.
in_chroot()
{
	local root=$MMKIT_CACHE/chroot/$1
	shift
	# shellcheck disable=SC2016
	as_root unshare --mount --propagation private bash -euc '
		root=$1; cache=$2; shift 2
		mkdir -p "$root$cache"
		mount -t proc proc "$root/proc"
		mount --bind "$cache" "$root$cache"
		exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LC_ALL=C.UTF-8 "$@"
	' bash "$root" "$MMKIT_CACHE" "$@"
}

# with_tools COMMAND...: runs it where the current kernel is compiled.
with_tools()
{
	if [ "$TOOLS" = host ]; then
		LC_ALL=C "$@"
	else
		in_chroot "$TOOLS" "$@"
	fi
}
