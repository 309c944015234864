# SPDX-License-Identifier: GPL-2.0-only
# The kernel's pictures of memory: /proc/kcore is read over live text, symbols and stack traces name it.
# vm: mem=512M timeout=180 check=6.1,7.3
. /mmkit/lib.sh
. /mmkit/suite.sh
. /mmkit/jit.sh

text_says() { answers text; [ "$(answer text "$1")" = "$2" ]; }

for ksym in 1 0; do
	jit_load ksym=$ksym
	load mmkit_test_text
	for len in 100 3000 70000 3000000; do
		tell text hold $len kcore
	done
	check "text is in an area that nobody reads through" sh -c \
		"grep mmkit_jit /proc/vmallocinfo && ! grep mmkit_jit /proc/vmallocinfo | grep -v ioremap"
	if [ $ksym = 1 ]; then
		check "/proc/kcore is read over live text" \
			/mmkit/bin/kcore_sweep $(jit_windows | sed 's/[0-9a-f]*/0x&/; s/-/-0x/')
		# All the rest of the kernel's picture takes its time.
		[ "$(often 0 1)" = 0 ] || check "so is all of it" kcore_sweep
		tell text call
		check "after which it is as it was" text_says wrong 0
	fi

	tell text trace
	answers text
	check "code with a frame calls the kernel and returns" [ "$(answer text answer)" = 7ace ]
	if [ $ksym = 1 ]; then
		check "a stack trace shows it" grep -q 'generated$' /sys/module/mmkit_test_text/parameters/run
		check "and goes on to who called it" sh -c \
			"sed '1,/generated$/d' /sys/module/mmkit_test_text/parameters/run | grep call_traced"
		check "it has the name of mmkit_jit" sh -c \
			"grep '^symbol mmkit_jit+0x' /sys/module/mmkit_test_text/parameters/run"
		check "so has each block in /proc/kallsyms" \
			[ "$(grep -c 'mmkit_jit	\[bpf\]' /proc/kallsyms)" = $(($(jit_value text_bytes) / 2097152)) ]
	else
		check "without ksym it has no name" sh -c \
			"grep '^symbol 0x' /sys/module/mmkit_test_text/parameters/run"
		check "nor has it in /proc/kallsyms" sh -c "! grep 'mmkit_jit	.bpf.' /proc/kallsyms"
	fi
	tell text drop
	unload mmkit_test_text
	jit_unload
done
