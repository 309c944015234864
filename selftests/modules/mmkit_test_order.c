// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who writes text, and when the other CPUs are told. Probes on the functions of the
 * kernel that write text, and on those that synchronise CPUs, look at what a call of
 * the allocator does on its own behalf. At the entry of each synchronising function
 * the object is read back: what it holds when the last of them begins is what was
 * written before.
 *
 * What to do is written to the parameter "run", what came of it is read from there:
 *
 *	update LEN		an object is written
 *	alloc LEN		an object is allocated with its code
 *	free LEN		an object is freed: traps are what is written
 *	patch			a branch of an object is changed
 */
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include <mmkit/jit.h>

#include "test_run.h"
#include "test_text.h"

#define MAX_LEN		(4 * PAGE_SIZE)

struct probe {
	const char *symbol;
	bool sync;
	unsigned int arg;	/* of that name only counts, if there is one: */
	const char *want;
	bool there;
	unsigned int calls;
	struct kretprobe rp;
};

/* Those that this kernel does not have are left out. */
static struct probe probes[] = {
#ifdef CONFIG_X86_64
	{ .symbol = "text_poke_copy" },
	{ .symbol = "text_poke_set" },
	{ .symbol = "text_poke_bp" },
	{ .symbol = "smp_text_poke_single" },
	/* What text_poke_sync() and its successors come to, wherever they are inlined. */
	{ .symbol = "on_each_cpu_cond_mask", .sync = true, .arg = 1, .want = "do_sync_core" },
#else
	/* What other functions that write come to; the compiler can have made it part of them. */
	{ .symbol = "__text_poke" },
	/* 6.1: what was written through a mapping of its own is written before that goes. */
	{ .symbol = "vunmap_range" },
	{ .symbol = "kick_all_cpus_sync", .sync = true },
#endif
};

static struct {
	struct task_struct *task;	/* only its calls count */
	u8 *text;
	const u8 *wanted;
	size_t len;
	unsigned int clock;
	unsigned int writes, last_write_entry, last_write_return;
	unsigned int syncs, last_sync_entry, last_sync_return;
	unsigned int nested;
	bool complete;			/* when the last one began */
	bool ever_incomplete;
} seen;

static bool is_wanted(struct probe *probe, struct pt_regs *regs)
{
	char name[KSYM_SYMBOL_LEN];

	if (!probe->want)
		return true;
	sprint_symbol_no_offset(name, regs_get_kernel_argument(regs, probe->arg));
	return !strcmp(name, probe->want);
}

/* Not in the task's own time: the object is read where nothing may sleep. */
static bool is_complete(void)
{
	u8 byte;
	size_t i;

	for (i = 0; i < seen.len; i++)
		if (copy_from_kernel_nofault(&byte, seen.text + i, 1) || byte != seen.wanted[i])
			return false;
	return true;
}

static int on_entry(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct probe *probe = container_of(get_kretprobe(ri), struct probe, rp);

	if (current != seen.task || !is_wanted(probe, regs))
		return 1;
	probe->calls++;
	if (probe->sync) {
		/* The kernel's own functions for writing call it, too. */
		seen.syncs++;
		seen.last_sync_entry = ++seen.clock;
		seen.complete = is_complete();
		seen.ever_incomplete |= !seen.complete;
	} else {
		seen.writes++;
		seen.last_write_entry = ++seen.clock;
	}
	return 0;
}
NOKPROBE_SYMBOL(on_entry);

static int on_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct probe *probe = container_of(get_kretprobe(ri), struct probe, rp);

	if (probe->sync)
		seen.last_sync_return = ++seen.clock;
	else
		seen.last_write_return = ++seen.clock;
	return 0;
}
NOKPROBE_SYMBOL(on_return);

/* --- one call ----------------------------------------------------------------- */

static void watch(void *text, const u8 *wanted, size_t len)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(probes); i++)
		probes[i].calls = 0;
	memset(&seen, 0, sizeof(seen));
	seen.text = text;
	seen.wanted = wanted;
	seen.len = len;
	barrier();
	WRITE_ONCE(seen.task, current);
}

static void unwatch(void)
{
	unsigned int i;

	WRITE_ONCE(seen.task, NULL);
	for (i = 0; i < ARRAY_SIZE(probes); i++)
		if (probes[i].calls)
			say("called %s %u\n", probes[i].symbol, probes[i].calls);
	say("writes %u\nsyncs %u\n", seen.writes, seen.syncs);
	/* A function that writes may synchronise by itself, after that. */
	say("write_before_sync %s\n", seen.writes && seen.syncs &&
	    seen.last_write_entry < seen.last_sync_entry ? "yes" : "no");
	say("complete_at_sync %s\n", seen.complete ? "yes" : "no");
	say("sync_before_return %s\n", seen.syncs && seen.last_sync_return > seen.last_sync_entry ?
	    "yes" : "no");
}

static void make_code(u8 *code, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		code[i] = i * 31 + (i >> 8) + 7;
}

static int run_update(char *args)
{
	unsigned long len;
	u8 *code;
	void *text;
	int err;

	if (kstrtoul(args, 0, &len) || !len || len > MAX_LEN)
		return -EINVAL;
	code = kvmalloc(len, GFP_KERNEL);
	text = mmkit_jit_alloc(NULL, len);
	if (!code || !text) {
		kvfree(code);
		mmkit_jit_free(text);
		return -ENOMEM;
	}
	make_code(code, len);
	watch(text, code, len);
	err = mmkit_jit_update(text, code, len);
	unwatch();
	say("holds_wanted %s\n", memcmp(text, code, len) ? "no" : "yes");
	mmkit_jit_free(text);
	kvfree(code);
	return err;
}

/* Where it will be is not known before; where the last one was is a good guess. */
static int run_alloc(char *args)
{
	unsigned int tries = 50;
	void *guess, *text;
	unsigned long len;
	u8 *code;

	if (kstrtoul(args, 0, &len) || !len || len > MAX_LEN)
		return -EINVAL;
	code = kvmalloc(len, GFP_KERNEL);
	if (!code)
		return -ENOMEM;
	make_code(code, len);
	do {
		guess = mmkit_jit_alloc(NULL, len);
		mmkit_jit_free(guess);
		watch(guess, code, len);
		text = mmkit_jit_alloc(code, len);
		WRITE_ONCE(seen.task, NULL);
		if (text != guess)
			mmkit_jit_free(text);
	} while (text != guess && --tries);
	if (text == guess && text) {
		unwatch();
		say("holds_wanted %s\n", memcmp(text, code, len) ? "no" : "yes");
		mmkit_jit_free(text);
	}
	kvfree(code);
	return text == guess && text ? 0 : -EAGAIN;
}

static int run_free(char *args)
{
	unsigned long len, i;
	u8 *code, *traps;
	void *text, *keep;
	int err = -ENOMEM;

	if (kstrtoul(args, 0, &len) || !len || len > MAX_LEN)
		return -EINVAL;
	code = kvmalloc(len, GFP_KERNEL);
	traps = kvmalloc(len, GFP_KERNEL);
	/* A neighbour, so that the memory stays. */
	keep = mmkit_jit_alloc(NULL, len);
	text = mmkit_jit_alloc(NULL, len);
	if (code && traps && text && keep) {
		make_code(code, len);
		for (i = 0; i < len; i++)
			traps[i] = trap_byte((unsigned long)text + i);
		err = mmkit_jit_update(text, code, len);
		watch(text, traps, len);
		mmkit_jit_free(text);
		unwatch();
		/* What was freed can be read while its memory is there: the neighbour keeps it. */
		say("holds_wanted %s\n", memcmp(text, traps, len) ? "no" : "yes");
		text = NULL;
	}
	mmkit_jit_free(text);
	mmkit_jit_free(keep);
	kvfree(traps);
	kvfree(code);
	return err;
}

static int run_patch(char *args)
{
	void *text = mmkit_jit_alloc(NULL, 128);
	u8 before[128], after[MMKIT_JIT_EMIT_MAX];
	int n, more, err = -ENOMEM;

	if (!text)
		return -ENOMEM;
	n = mmkit_jit_emit_entry(before);
	more = mmkit_jit_emit_nop(before + n);
	err = mmkit_jit_update(text, before, n + more);
	if (!err) {
		more = mmkit_jit_emit_jump(after, text + n, text + 64);
		watch(text + n, after, more);
		err = mmkit_jit_patch_branch(text + n, text + 64);
		unwatch();
		say("holds_wanted %s\n", memcmp(text + n, after, more) ? "no" : "yes");
	}
	mmkit_jit_free(text);
	return err;
}

/* --- the module ----------------------------------------------------------------- */

TEST_COMMANDS({ "update", run_update }, { "alloc", run_alloc }, { "free", run_free },
	      { "patch", run_patch });

/* All at once: each alone waits for RCU. */
static void remove_probes(void)
{
	struct kretprobe *there[ARRAY_SIZE(probes)];
	unsigned int i, nr = 0;

	for (i = 0; i < ARRAY_SIZE(probes); i++)
		if (probes[i].there)
			there[nr++] = &probes[i].rp;
	unregister_kretprobes(there, nr);
	for (i = 0; i < nr; i++)
		if (there[i]->nmissed || there[i]->kp.nmissed)
			TEST(false, "no call of a probed function was missed");
}

static int __init test_init(void)
{
	unsigned int i, nr = 0;
	int err;

	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		struct kretprobe *rp = &probes[i].rp;

		rp->kp.symbol_name = probes[i].symbol;
		rp->entry_handler = on_entry;
		rp->handler = on_return;
		rp->maxactive = 64;
		err = register_kretprobe(rp);
		probes[i].there = !err;
		nr += !err;
		pr_info("%s: %d\n", probes[i].symbol, err);
	}
	TEST(probes[ARRAY_SIZE(probes) - 1].there, "synchronisation is watched");
	TEST(nr >= 2, "so is what writes");
	return 0;
}
module_init(test_init);

static void __exit test_exit(void)
{
	remove_probes();
}
module_exit(test_exit);
