// SPDX-License-Identifier: GPL-2.0-only
/*
 * A user of generated text. What to do is written to the parameter "run", what came
 * of it is read from there:
 *
 *	hold LEN [NAME]		one more object, of LEN bytes; "at ADDR"
 *	drop			frees all that is held
 *	call			calls all that is held, and reads it back
 *	churn THREADS MS MAX	threads allocate, write, call and free for MS milliseconds,
 *				objects of up to MAX bytes
 *	smoke THREADS ROUNDS	threads call one object that is written ROUNDS times, each
 *				time when nobody is in it
 *	trace			generated code with a frame calls back; shows the stack
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/stacktrace.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <mmkit/jit.h>

#include "test_run.h"
#include "test_text.h"

#define MAX_THREADS	16
#define SLOTS		24
#define MIN_LEN		CODE_MAX

struct slot {
	struct list_head link;
	void *text;
	size_t len;
	u32 answer;
};

struct worker {
	struct completion done;
	struct rnd_state random;
	u8 *buf;
	struct slot slots[SLOTS];
	unsigned long allocs, denied, updates, calls, frees, wrong, crooked;
};

static LIST_HEAD(held);
static struct worker *workers;
static unsigned int nr_workers;
static size_t max_len;
static bool stop;

/* A function that answers with a number, and bytes that depend on it to the end of the object. */
static bool make_text(u8 *buf, const void *at, size_t len, u32 answer)
{
	int n = emit_answer(buf, at, answer);

	if (n < 0 || n > len)
		return false;
	memset(buf + n, answer * 7 + 1, len - n);
	return true;
}

static bool reads_as(const struct slot *slot, u8 *buf)
{
	return make_text(buf, slot->text, slot->len, slot->answer) &&
	       !memcmp(buf, slot->text, slot->len);
}

/* --- what is held -------------------------------------------------------- */

static int run_hold(char *args)
{
	static u32 answers;
	char name[32] = "";
	struct slot *slot;
	unsigned long len;
	u8 *buf;
	int err = -ENOMEM;

	if (sscanf(args, "%lu %31s", &len, name) < 1 || len < MIN_LEN)
		return -EINVAL;
	slot = kzalloc(sizeof(*slot), GFP_KERNEL);
	buf = kvmalloc(len, GFP_KERNEL);
	if (!slot || !buf)
		goto out;
	slot->len = len;
	slot->answer = 0x10000 + ++answers;
	slot->text = *name ? mmkit_jit_alloc_named(NULL, len, name) : mmkit_jit_alloc(NULL, len);
	if (!slot->text)
		goto out;
	if (!make_text(buf, slot->text, len, slot->answer))
		err = -ERANGE;
	else
		err = mmkit_jit_update(slot->text, buf, len);
	if (err) {
		mmkit_jit_free(slot->text);
		goto out;
	}
	say("at %lx\n", (unsigned long)slot->text);
	list_add_tail(&slot->link, &held);
	slot = NULL;
out:
	kfree(slot);
	kvfree(buf);
	return err;
}

static int run_drop(char *args)
{
	struct slot *slot, *next;

	list_for_each_entry_safe(slot, next, &held, link) {
		mmkit_jit_free(slot->text);
		list_del(&slot->link);
		kfree(slot);
	}
	return 0;
}

static int run_call(char *args)
{
	unsigned int nr = 0, wrong = 0;
	struct slot *slot;

	list_for_each_entry(slot, &held, link) {
		u8 *buf = kvmalloc(slot->len, GFP_KERNEL);

		if (!buf)
			return -ENOMEM;
		nr++;
		wrong += !reads_as(slot, buf) || call_text(slot->text) != slot->answer ||
			 mmkit_jit_size(slot->text) != slot->len;
		kvfree(buf);
	}
	say("called %u\nwrong %u\n", nr, wrong);
	return 0;
}

/* --- threads -------------------------------------------------------------- */

static u32 draw(struct worker *worker, u32 below)
{
	return prandom_u32_state(&worker->random) % below;
}

/* Mostly small, as code is; now and then what fills a page, or all that is allowed. */
static size_t draw_len(struct worker *worker)
{
	u32 kind = draw(worker, 256);
	size_t max = kind < 160 ? 512 : kind < 240 ? 4096 : kind < 248 ? 65536 : max_len;

	return MIN_LEN + draw(worker, min(max, max_len) - MIN_LEN + 1);
}

static void look(struct worker *worker, struct slot *slot)
{
	worker->calls++;
	worker->wrong += call_text(slot->text) != slot->answer || !reads_as(slot, worker->buf) ||
			 mmkit_jit_size(slot->text) != slot->len;
}

static void put(struct worker *worker, struct slot *slot)
{
	if (!slot->text)
		return;
	look(worker, slot);
	switch (draw(worker, 4)) {
	case 0:
		mmkit_jit_free_rcu(slot->text);
		break;
	case 1:
		mmkit_jit_free_rcu_tasks(slot->text);
		break;
	default:
		mmkit_jit_free(slot->text);
	}
	slot->text = NULL;
	worker->frees++;
}

static void write(struct worker *worker, struct slot *slot)
{
	slot->answer = draw(worker, U32_MAX);
	if (!make_text(worker->buf, slot->text, slot->len, slot->answer) ||
	    mmkit_jit_update(slot->text, worker->buf, slot->len))
		worker->wrong++;
	worker->updates++;
	look(worker, slot);
}

static void get(struct worker *worker, struct slot *slot)
{
	slot->len = draw_len(worker);
	slot->text = mmkit_jit_alloc(NULL, slot->len);
	if (!slot->text) {
		worker->denied++;
		return;
	}
	worker->crooked += !IS_ALIGNED((unsigned long)slot->text, 16);
	worker->allocs++;
	write(worker, slot);
}

static int work(void *data)
{
	struct worker *worker = data;
	unsigned int i;

	while (!READ_ONCE(stop)) {
		struct slot *slot = &worker->slots[draw(worker, SLOTS)];

		if (slot->text && draw(worker, 2)) {
			write(worker, slot);
		} else {
			put(worker, slot);
			get(worker, slot);
		}
		cond_resched_tasks_rcu_qs();
	}
	for (i = 0; i < SLOTS; i++)
		put(worker, &worker->slots[i]);
	kthread_complete_and_exit(&worker->done, 0);
}

static int run_churn(char *args)
{
	struct worker sum = {};
	unsigned int i, ms;
	int err = 0;

	if (sscanf(args, "%u %u %zu", &nr_workers, &ms, &max_len) != 3 || !nr_workers ||
	    nr_workers > MAX_THREADS || max_len < MIN_LEN)
		return -EINVAL;
	workers = kvcalloc(nr_workers, sizeof(*workers), GFP_KERNEL);
	if (!workers)
		return -ENOMEM;
	WRITE_ONCE(stop, false);
	for (i = 0; i < nr_workers; i++) {
		init_completion(&workers[i].done);
		prandom_seed_state(&workers[i].random, i + 1);
		workers[i].buf = kvmalloc(max_len, GFP_KERNEL);
		if (!workers[i].buf ||
		    IS_ERR(kthread_run(work, &workers[i], "mmkit_text/%u", i))) {
			complete(&workers[i].done);
			err = -ENOMEM;
		}
	}
	msleep(ms);
	WRITE_ONCE(stop, true);
	for (i = 0; i < nr_workers; i++) {
		wait_for_completion(&workers[i].done);
		sum.allocs += workers[i].allocs;
		sum.denied += workers[i].denied;
		sum.updates += workers[i].updates;
		sum.calls += workers[i].calls;
		sum.frees += workers[i].frees;
		sum.wrong += workers[i].wrong;
		sum.crooked += workers[i].crooked;
		kvfree(workers[i].buf);
	}
	kvfree(workers);
	workers = NULL;
	say("allocs %lu\ndenied %lu\nupdates %lu\ncalls %lu\nfrees %lu\nwrong %lu\ncrooked %lu\n",
	    sum.allocs, sum.denied, sum.updates, sum.calls, sum.frees, sum.wrong, sum.crooked);
	return err;
}

/* --- one object, written again and again ---------------------------------- */

static struct slot shared;
static bool closed;
static atomic_t inside;
static atomic_long_t shared_calls, shared_wrong;

static int call_shared(void *data)
{
	struct worker *worker = data;

	while (!READ_ONCE(stop)) {
		atomic_inc(&inside);
		/* Pairs with the barrier of close_shared(): it sees us, or we see it. */
		smp_mb__after_atomic();
		/* Pairs with open_shared(): the answer is that of the text. */
		if (!smp_load_acquire(&closed)) {
			if (call_text(shared.text) != READ_ONCE(shared.answer))
				atomic_long_inc(&shared_wrong);
			atomic_long_inc(&shared_calls);
		}
		/* Pairs with the control dependency in close_shared(): the call is over. */
		smp_mb__before_atomic();
		atomic_dec(&inside);
		cpu_relax();
		cond_resched_tasks_rcu_qs();
	}
	kthread_complete_and_exit(&worker->done, 0);
}

static void close_shared(void)
{
	WRITE_ONCE(closed, true);
	/* Pairs with the barrier of call_shared(). */
	smp_mb();
	while (atomic_read(&inside)) {
		cpu_relax();
		cond_resched_tasks_rcu_qs();
	}
}

static void open_shared(void)
{
	long before = atomic_long_read(&shared_calls);

	/* Pairs with call_shared(): the text, and its answer, are there. */
	smp_store_release(&closed, false);
	/* A round that nobody called in says nothing. */
	while (atomic_long_read(&shared_calls) == before) {
		cpu_relax();
		cond_resched_tasks_rcu_qs();
	}
}

static int run_smoke(char *args)
{
	unsigned int i, threads, rounds, failed = 0;
	u8 *buf = kmalloc(PAGE_SIZE, GFP_KERNEL);
	u64 start;

	if (!buf)
		return -ENOMEM;
	if (sscanf(args, "%u %u", &threads, &rounds) != 2 || !threads || threads > MAX_THREADS) {
		kfree(buf);
		return -EINVAL;
	}
	/* Long enough to lie in two pages, wherever it begins. */
	shared.len = 5000;
	shared.text = mmkit_jit_alloc(NULL, shared.len);
	workers = kvcalloc(threads, sizeof(*workers), GFP_KERNEL);
	if (!shared.text || !workers) {
		mmkit_jit_free(shared.text);
		kvfree(workers);
		workers = NULL;
		kfree(buf);
		return -ENOMEM;
	}
	atomic_long_set(&shared_calls, 0);
	atomic_long_set(&shared_wrong, 0);
	WRITE_ONCE(closed, true);
	WRITE_ONCE(stop, false);
	for (i = 0; i < threads; i++) {
		init_completion(&workers[i].done);
		if (IS_ERR(kthread_run(call_shared, &workers[i], "mmkit_text/%u", i)))
			complete(&workers[i].done);
	}
	start = ktime_get_ns();
	for (i = 0; i < rounds; i++) {
		shared.answer = i * 2654435761u;
		if (emit_answer(buf, shared.text, shared.answer) < 0 ||
		    mmkit_jit_update(shared.text, buf, CODE_MAX))
			failed++;
		open_shared();
		close_shared();
	}
	start = ktime_get_ns() - start;
	WRITE_ONCE(stop, true);
	for (i = 0; i < threads; i++)
		wait_for_completion(&workers[i].done);
	kvfree(workers);
	workers = NULL;
	mmkit_jit_free(shared.text);
	kfree(buf);
	say("rounds %u\nfailed %u\ncalls %lu\nwrong %lu\nns_round %llu\n", rounds, failed,
	    atomic_long_read(&shared_calls), atomic_long_read(&shared_wrong),
	    rounds ? div_u64(start, rounds) : 0);
	return 0;
}

/* --- frames of generated code in a stack trace ----------------------------- */

static unsigned long entries[24];
static unsigned int nr_entries;

static noinline u32 trace_here(void)
{
	nr_entries = stack_trace_save(entries, ARRAY_SIZE(entries), 0);
	return 0x7ace;
}

static noinline u32 call_traced(const void *text)
{
	u32 answer = call_text(text);

	/* Not a tail call: this frame is looked for. */
	barrier();
	return answer;
}

static int run_trace(char *args)
{
	void *text = mmkit_jit_alloc_named(NULL, 4 * MMKIT_JIT_EMIT_MAX, "traced");
	u8 buf[4 * MMKIT_JIT_EMIT_MAX];
	int err = -ERANGE, n, more;
	unsigned int i;

	if (!text)
		return -ENOMEM;
	n = mmkit_jit_emit_prologue(buf);
	more = mmkit_jit_emit_call(buf + n, text + n, trace_here);
	if (more < 0)
		goto out;
	n += more;
	more = mmkit_jit_emit_epilogue(buf + n, text + n);
	if (more < 0)
		goto out;
	n += more;
	err = mmkit_jit_update(text, buf, n);
	if (err)
		goto out;
	nr_entries = 0;
	say("answer %x\nat %lx len %d\n", call_traced(text), (unsigned long)text, n);
	for (i = 0; i < nr_entries; i++)
		say("frame %lx %pS%s\n", entries[i], (void *)entries[i],
		    entries[i] - (unsigned long)text < n ? " generated" : "");
	say("symbol %pS\n", text);
out:
	mmkit_jit_free(text);
	return err;
}

/* --- commands -------------------------------------------------------------- */

TEST_COMMANDS({ "hold", run_hold },
	      { "drop", run_drop },
	      { "call", run_call },
	      { "churn", run_churn },
	      { "smoke", run_smoke },
	      { "trace", run_trace });

static int __init test_init(void)
{
	return 0;
}
module_init(test_init);

static void __exit test_exit(void)
{
	run_drop(NULL);
}
module_exit(test_exit);
