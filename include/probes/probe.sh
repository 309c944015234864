#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# probe.sh OUT "PROBE.c ..." CC FLAGS...
#
# Writes OUT with a MMKIT_HAVE_ line for every probe that compiles. Two probes
# watch the others: sanity.c must compile and broken.c must not, or the
# answers mean nothing and the build stops with one sentence.

out=$1
probes=$2
shift 2

log=$(mktemp) || exit 1
trap 'rm -f "$log" "$out.tmp"' EXIT

features=
: > "$out.tmp"
for probe in $probes; do
	name=$(basename "$probe" .c)
	macro=MMKIT_HAVE_$(echo "$name" | tr '[:lower:]' '[:upper:]')
	if "$@" -fsyntax-only "$probe" > "$log" 2>&1; then
		echo "#define $macro 1" >> "$out.tmp"
		case $name in
		sanity) ;;
		*) features="$features${features:+ }$name" ;;
		esac
	else
		echo "/* $macro: no */" >> "$out.tmp"
		if [ "$name" = sanity ]; then
			echo "mmkit: a trivial module does not compile with this kernel's headers:" >&2
			head -n 20 "$log" >&2
		fi
	fi
done
echo "#define MMKIT_FEATURES \"$features\"" >> "$out.tmp"
mv "$out.tmp" "$out"
