// SPDX-License-Identifier: GPL-2.0-only
/*
 * An example of a module that makes code: it compiles formats of packed keys, compares
 * the functions it gets with an interpreter, and tells what a key costs in each.
 */
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <mmkit/jit.h>

#include "unpack.h"

#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#define state(cond, fmt, ...) pr_info("%s - " fmt "\n", (cond) ? "ok" : "not ok", ##__VA_ARGS__)

static unsigned int formats = 1000;
module_param(formats, uint, 0444);
MODULE_PARM_DESC(formats, "how many random formats to compile");

static unsigned int keys = 1000000;
module_param(keys, uint, 0444);
MODULE_PARM_DESC(keys, "how many random keys to unpack, in all formats together");

static unsigned long seed = 20265;
module_param(seed, ulong, 0444);
MODULE_PARM_DESC(seed, "where random numbers begin");

static bool stay;
module_param(stay, bool, 0444);
MODULE_PARM_DESC(stay, "keep the compiled functions until the module is unloaded");

struct compiled {
	struct unpack_format format;
	unpack_fn fn;
};

static struct compiled *table;
static unsigned int nr_compiled;
static u64 random_state;

/*
 * Compiling
 */

static int compile_body(const struct unpack_format *format, void *buf)
{
	if (IS_ENABLED(CONFIG_ARM64))
		return unpack_compile_arm64(format, buf, UNPACK_CODE_MAX);
	return unpack_compile_x86(format, buf, UNPACK_CODE_MAX);
}

/*
 * The code is written to a buffer first, all but the return: that depends on where the
 * code will be executed, so room for it is allocated before.
 */
static int compile(struct compiled *c, const char *name)
{
	u8 *buf = kmalloc(UNPACK_CODE_MAX + 2 * MMKIT_JIT_EMIT_MAX, GFP_KERNEL);
	u8 *text = NULL;
	int len, err;

	if (!buf)
		return -ENOMEM;
	len = mmkit_jit_emit_entry(buf);
	err = compile_body(&c->format, buf + len);
	if (err < 0)
		goto out;
	len += err;
	err = -ENOMEM;
	text = mmkit_jit_alloc_named(NULL, len + MMKIT_JIT_EMIT_MAX, name);
	if (!text)
		goto out;
	err = mmkit_jit_emit_return(buf + len, text + len);
	if (err < 0)
		goto out;
	len += err;
	err = mmkit_jit_update(text, buf, len);
out:
	kfree(buf);
	if (err < 0) {
		mmkit_jit_free(text);
		return err;
	}
	c->fn = (unpack_fn)text;
	return len;
}

/* Nobody is in the code: who calls it is this module, before its loading has come to an end. */
static void free_compiled(struct compiled *c)
{
	mmkit_jit_free(c->fn);
	c->fn = NULL;
}

static int compile_all(void)
{
	unsigned int i, odd = unpack_nr_edges();
	size_t bytes = 0;
	char name[32];
	int len;

	for (i = 0; i < nr_compiled; i++) {
		if (i < odd)
			unpack_edge(&table[i].format, i, &random_state);
		else
			unpack_random_format(&table[i].format, &random_state);
		snprintf(name, sizeof(name), "unpack_%u", i);
		len = compile(&table[i], name);
		if (len < 0) {
			state(false, "format %u is compiled: %d", i, len);
			return len;
		}
		bytes += len;
	}
	state(true, "%u formats, %u of them chosen for being odd, are %zu bytes of code", i, odd,
	      bytes);
	return 0;
}

/*
 * Comparing
 */

/* What is behind the last field must stay as it was, too. */
static bool agree(const struct unpack_format *format, unpack_fn fn, const u64 *in)
{
	u64 want[UNPACK_FIELDS + 1], have[UNPACK_FIELDS + 1];

	memset(want, 0x5a, sizeof(want));
	memset(have, 0x5a, sizeof(have));
	unpack_interpret(format, want, in);
	fn(have, in);
	return !memcmp(want, have, sizeof(want));
}

static void compare_all(void)
{
	unsigned int each = DIV_ROUND_UP(keys, nr_compiled), i, k, bad = 0;
	u64 in[UNPACK_WORDS];

	for (i = 0; i < nr_compiled; i++) {
		for (k = 0; k < each; k++) {
			unpack_random_key(in, &random_state);
			bad += !agree(&table[i].format, table[i].fn, in);
		}
		/* Each bit of the key by itself. */
		for (k = 0; k < table[i].format.words * 64u; k++) {
			memset(in, 0, sizeof(in));
			in[k / 64] = 1ULL << k % 64;
			bad += !agree(&table[i].format, table[i].fn, in);
		}
		cond_resched();
	}
	state(!bad, "of %u random keys, and keys of one bit, %u are unpacked wrong",
	      each * nr_compiled, bad);
}

/* Code for a format that is not quite the one it is compared with must be found out. */
static int compare_wrong(void)
{
	unsigned int i, k, tried = min(nr_compiled, 200u), noticed = 0;
	u64 in[UNPACK_WORDS];
	int err;

	for (i = 0; i < tried; i++) {
		struct compiled wrong = { .format = table[i].format };

		unpack_spoil(&wrong.format, &random_state);
		err = compile(&wrong, "wrong");
		if (err < 0)
			return err;
		for (k = 0; k < 100; k++) {
			unpack_random_key(in, &random_state);
			if (!agree(&table[i].format, wrong.fn, in))
				break;
		}
		noticed += k < 100;
		free_compiled(&wrong);
	}
	state(noticed == tried, "%u of %u functions that are wrong by one bit are noticed", noticed,
	      tried);
	return 0;
}

static void refuse(void)
{
	struct compiled wide = { .format = { .words = 1, .nr_fields = 1, .bits = { 65 } } };
	struct compiled full = { .format = { .words = 1, .nr_fields = 2, .bits = { 33, 32 } } };

	state(compile(&wide, NULL) == -EINVAL && compile(&full, NULL) == -EINVAL,
	      "formats that cannot be are refused");
}

/*
 * What it costs. Where the clock counts instructions (QEMU -icount shift=0,sleep=off,
 * one CPU), nanoseconds are instructions.
 */

#define RING	64
#define ROUNDS	20000

static u64 interpreted_ns(const struct unpack_format *format, const u64 (*ring)[UNPACK_WORDS])
{
	u64 out[UNPACK_FIELDS], start = ktime_get_ns();
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		unpack_interpret(format, out, ring[i % RING]);
		barrier_data(out);
	}
	return ktime_get_ns() - start;
}

static u64 compiled_ns(unpack_fn fn, const u64 (*ring)[UNPACK_WORDS])
{
	u64 out[UNPACK_FIELDS], start = ktime_get_ns();
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		fn(out, ring[i % RING]);
		barrier_data(out);
	}
	return ktime_get_ns() - start;
}

static const struct {
	const char *text;
	struct unpack_format format;
} measured[] = {
	{ "one field", {
		.words = 1, .nr_fields = 1, .bits = { 40 }, .add = { 4096 } } },
	{ "a file system's key, 6 fields", {
		.words = 2, .nr_fields = 6, .from_high = true,
		.bits = { 28, 41, 0, 12, 0, 47 },
		.add = { 4096, 0, 0xffffffff, 1, 0, 0x12345678 } } },
	{ "16 fields of 24 bits", {
		.words = 6, .nr_fields = 16,
		.bits = { 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24 } } },
};

static int measure(void)
{
	u64 (*ring)[UNPACK_WORDS] = kcalloc(RING, sizeof(*ring), GFP_KERNEL);
	unsigned int i;
	int err = 0;

	if (!ring)
		return -ENOMEM;
	for (i = 0; i < RING; i++)
		unpack_random_key(ring[i], &random_state);
	for (i = 0; i < ARRAY_SIZE(measured); i++) {
		struct compiled c = { .format = measured[i].format };

		err = compile(&c, "measured");
		if (err < 0)
			break;
		pr_info("cost - %s: interpreter %llu, code %llu ns a key, %d bytes\n",
			measured[i].text, div_u64(interpreted_ns(&c.format, ring), ROUNDS),
			div_u64(compiled_ns(c.fn, ring), ROUNDS), err);
		free_compiled(&c);
		cond_resched();
	}
	kfree(ring);
	return min(err, 0);
}

/*
 * The module
 */

static void drop_all(void)
{
	unsigned int i;

	for (i = 0; i < nr_compiled; i++)
		free_compiled(&table[i]);
	kvfree(table);
}

static int __init unpack_init(void)
{
	int err;

	random_state = seed | 1;
	if (check_add_overflow(formats, unpack_nr_edges(), &nr_compiled))
		return -EINVAL;
	table = kvcalloc(nr_compiled, sizeof(*table), GFP_KERNEL);
	if (!table)
		return -ENOMEM;
	err = compile_all();
	if (err)
		goto fail;
	compare_all();
	err = compare_wrong();
	if (err)
		goto fail;
	refuse();
	err = measure();
	if (err)
		goto fail;
	if (!stay) {
		drop_all();
		table = NULL;
		nr_compiled = 0;
	}
	return 0;

fail:
	drop_all();
	return err;
}

static void __exit unpack_exit(void)
{
	drop_all();
}

module_init(unpack_init);
module_exit(unpack_exit);

/* MODULE_IMPORT_NS() as all kernels have it: up to 6.12 that wants a bare word, later a string. */
MODULE_INFO(import_ns, "MMKIT");
MODULE_DESCRIPTION("Example of mmkit_jit: compiles formats of packed keys; can be unloaded at any time");
MODULE_LICENSE("GPL");
