#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs test programs and nests their KTAP in one: run.sh DIRECTORY PROGRAM...
# A program that dies (a sanitizer, a signal) fails even if all it printed was good.

dir=$1
shift
nr=0
failed=0

echo "KTAP version 1"
echo "1..$#"
for test; do
	nr=$((nr + 1))
	echo "  # Subtest: $test"
	"$dir/$test" > "$dir/$test.log" 2>&1
	status=$?
	sed 's/^/  /' "$dir/$test.log"
	if [ $status -eq 0 ]; then
		echo "ok $nr $test"
	else
		echo "not ok $nr $test # exit status $status"
		failed=1
	fi
done
exit $failed
