# SPDX-License-Identifier: GPL-2.0-only
# The kernel's pictures of memory: /proc/kcore is read over live text, symbols and stack traces name it.
# vm: mem=512M timeout=180
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/jit.sh

text_says() { answers text; [ "$(answer text "$1")" = "$2" ]; }

# Bytes of an object that no kernel has elsewhere, as a word of eight.
for ksym in 1 0; do
	jit_load ksym=$ksym
	load mmkit_test_text
	for len in 100 3000 70000 3000000; do
		tell text hold $len kcore
	done
	check "text is in an area that nobody reads through" sh -c \
		"grep mmkit_jit /proc/vmallocinfo && ! grep mmkit_jit /proc/vmallocinfo | grep -v ioremap"
	check "/proc/kcore is read over live text, ksym=$ksym" kcore_sweep
	tell text call
	check "after which it is as it was" text_says wrong 0

	tell text trace
	answers text
	check "code with a frame calls the kernel and returns" [ "$(answer text answer)" = 7ace ]
	check "a stack trace goes through it, to who called it" sh -c \
		"grep -q call_traced /sys/module/mmkit_test_text/parameters/run"
	if [ $ksym = 1 ]; then
		check "and shows it" grep -q 'generated$' /sys/module/mmkit_test_text/parameters/run
		check "it has the name of mmkit_jit" sh -c \
			"grep '^symbol mmkit_jit+0x' /sys/module/mmkit_test_text/parameters/run"
		check "of a block each in /proc/kallsyms" \
			[ "$(grep -c 'mmkit_jit	\[bpf\]' /proc/kallsyms)" = "$(jit_value pages_2m)" ]
	else
		check "it has no name" sh -c \
			"grep '^symbol 0x' /sys/module/mmkit_test_text/parameters/run"
		check "nor in /proc/kallsyms" sh -c "! grep 'mmkit_jit	.bpf.' /proc/kallsyms"
	fi
	tell text drop
	unload mmkit_test_text mmkit_jit
done
