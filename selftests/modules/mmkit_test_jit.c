// SPDX-License-Identifier: GPL-2.0-only
/* The text allocator, through its interface: what is promised of objects. */
#include <linux/bitmap.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include <mmkit/jit.h>

#include "test.h"
#include "test_text.h"

static char *what = "all";
module_param(what, charp, 0444);
MODULE_PARM_DESC(what, "all, brief, threads, refill, quota, keep, adopt, foreign, interior, double, stale, mix");

static unsigned int rounds = 2000;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "of each thread");

#define MAX_CLASS	8192

static bool is_trap(const u8 *text, size_t len)
{
	const u8 *end = text + len;

	for (; text < end; text++) {
		if (*text != trap_byte((unsigned long)text))
			return false;
	}
	return true;
}

static void pattern(u8 *code, size_t len, u32 seed)
{
	struct rnd_state rnd;

	prandom_seed_state(&rnd, seed);
	prandom_bytes_state(&rnd, code, len);
}

/* A function that returns a number. */
static void *make_number(u32 number)
{
	u8 buf[64], *text;
	int len;

	text = mmkit_jit_alloc_named(NULL, sizeof(buf), "number");
	if (!text)
		return NULL;
	len = emit_answer(buf, text, number);
	if (len < 0 || mmkit_jit_update(text, buf, len)) {
		mmkit_jit_free(text);
		return NULL;
	}
	return text;
}

static void every_length(void)
{
	unsigned long nr = 0, missing = 0, aligned = 0, same = 0, size = 0, rest = 0, trapped = 0;
	u8 *code = kmalloc(MAX_CLASS + 1, GFP_KERNEL), *text;
	size_t len;

	if (!code)
		return;
	for (len = 1; len <= MAX_CLASS + 1; len++) {
		/* Of the longer ones those at the borders of classes, which are multiples of 64. */
		if (len > 600 && len % 64 > 1 && len % 64 < 63)
			continue;
		nr++;
		pattern(code, len, len);
		text = mmkit_jit_alloc(code, len);
		if (!text) {
			missing++;
			continue;
		}
		aligned += IS_ALIGNED((unsigned long)text, 16);
		same += !memcmp(text, code, len);
		size += mmkit_jit_size(text) == len;
		rest += is_trap(text + len, round_up(len, 16) - len);
		mmkit_jit_free(text);
		/* The block stays for a while: it can be read. */
		trapped += is_trap(text, len) && !mmkit_jit_size(text);
	}
	kfree(code);
	TEST(!missing, "each length up to 600, and at each border up to 8193, is to be had");
	TEST(aligned == nr, "objects begin at multiples of 16");
	TEST(same == nr, "they hold what they were given");
	TEST(size == nr, "they know their length");
	TEST(rest == nr, "what lies behind is traps");
	TEST(trapped == nr, "freed ones are traps, and no objects");
}

static void bad_lengths(void)
{
	TEST(!mmkit_jit_alloc(NULL, 0), "no bytes are no object");
	TEST(!mmkit_jit_alloc(NULL, SIZE_MAX), "all bytes there can be are none either");
	TEST(!mmkit_jit_alloc(NULL, SZ_1G), "nor is a gigabyte");
	mmkit_jit_free(NULL);
	mmkit_jit_free_rcu(NULL);
	mmkit_jit_free_rcu_tasks(NULL);
}

static void calls(void)
{
	u32 (*number)(void) = make_number(0x12345678);
	u8 *bytes = (u8 *)number;

	TEST(number && number() == 0x12345678, "generated code is called, and returns");
	TEST(mmkit_jit_update(bytes, bytes, 0) == -EINVAL, "an update of nothing is refused");
	TEST(mmkit_jit_update(bytes, bytes, 65) == -EINVAL, "one that is too long, too");
	TEST(mmkit_jit_update(bytes + 16, bytes, 4) == -EINVAL, "one in the middle, too");
	TEST(mmkit_jit_update(&number, bytes, 4) == -EINVAL, "one of foreign memory, too");
	TEST(!mmkit_jit_size(bytes + 16) && !mmkit_jit_size(&number) && !mmkit_jit_size(calls),
	     "what is no object has no size");
	mmkit_jit_free(number);
	TEST(mmkit_jit_update(bytes, &number, 4) == -EINVAL, "and one of what is freed");
}

/* A branch in live code goes to one function, then to another. */
static void branches(void)
{
	u32 (*one)(void) = make_number(1), (*two)(void) = make_number(2), (*gate)(void);
	u8 buf[64], *text = mmkit_jit_alloc(NULL, sizeof(buf));
	size_t n, at;

	if (!one || !two || !text) {
		TEST(false, "there is memory for three objects");
		return;
	}
	gate = (void *)text;
	at = mmkit_jit_emit_entry(buf);
	n = at;
	n += mmkit_jit_emit_jump(buf + n, text + n, one);
	TEST(!mmkit_jit_update(text, buf, n) && gate() == 1, "a branch goes one way");
	TEST(!mmkit_jit_patch_branch(text + at, two) && gate() == 2, "patched, it goes the other");
	n = at;
	n += mmkit_jit_emit_nop(buf + n);
	n += mmkit_jit_emit_jump(buf + n, text + n, one);
	TEST(!mmkit_jit_update(text, buf, n) && gate() == 1, "a nop goes on");
	TEST(!mmkit_jit_patch_branch(text + at, two) && gate() == 2, "patched, it is a branch");
	TEST(mmkit_jit_patch_branch(text, two) == -EINVAL, "a landing pad is no branch");
	TEST(mmkit_jit_patch_branch(text + 63, two) == -EINVAL, "nor is the last byte");
	TEST(mmkit_jit_patch_branch(&buf[at], two) == -EINVAL, "nor what is not text of ours");
	TEST(mmkit_jit_patch_branch(text + at, (void *)PAGE_OFFSET) == -ERANGE,
	     "it reaches so far only");
	mmkit_jit_free(text);
	mmkit_jit_free(two);
	mmkit_jit_free(one);
}

static void runs(void)
{
	static const size_t lens[] = {
		8193, 12289, SZ_64K, SZ_1M + 1, SZ_2M, SZ_2M + SZ_128K, 5 << 20
	};
	unsigned int i, good = 0, traps = 0;
	u8 *code, *text;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		code = vmalloc(lens[i]);
		if (!code)
			continue;
		pattern(code, lens[i], i);
		text = mmkit_jit_alloc(code, lens[i]);
		good += text && !memcmp(text, code, lens[i]) && mmkit_jit_size(text) == lens[i];
		if (text) {
			/* Something keeps the first block; the others can go. */
			mmkit_jit_free(text);
			traps += !mmkit_jit_size(text);
		}
		vfree(code);
	}
	TEST(good == ARRAY_SIZE(lens), "long objects, too, hold what they were given");
	TEST(traps == ARRAY_SIZE(lens), "and are freed");
}

static void waits(void)
{
	u8 *rcu[40], *tasks[40];
	unsigned int i, gone = 0, again = 0;

	for (i = 0; i < ARRAY_SIZE(rcu); i++) {
		rcu[i] = make_number(i);
		tasks[i] = make_number(i);
	}
	rcu_read_lock();
	for (i = 0; i < ARRAY_SIZE(rcu); i++) {
		mmkit_jit_free_rcu(rcu[i]);
		mmkit_jit_free_rcu_tasks(tasks[i]);
		gone += !mmkit_jit_size(rcu[i]) && !mmkit_jit_size(tasks[i]);
	}
	for (i = 0; i < ARRAY_SIZE(rcu); i++)
		again += call_text(rcu[i]) == i;
	rcu_read_unlock();
	TEST(gone == ARRAY_SIZE(rcu), "what waits for RCU is no object any more");
	TEST(again == ARRAY_SIZE(rcu), "and can be executed until it is over");
}

/* --- many at once --------------------------------------------------------- */

#define NR_THREADS	64

struct crew {
	struct completion start, done;
	atomic_t left, failed, wrong;
	int (*work)(struct crew *crew, struct rnd_state *rnd);
};

static int worker(void *data)
{
	struct crew *crew = data;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, (unsigned long)current);
	wait_for_completion(&crew->start);
	crew->work(crew, &rnd);
	if (atomic_dec_and_test(&crew->left))
		complete(&crew->done);
	return 0;
}

static void crew_run(struct crew *crew, unsigned int threads)
{
	unsigned int i;

	init_completion(&crew->start);
	init_completion(&crew->done);
	atomic_set(&crew->left, 1);
	for (i = 0; i < threads; i++) {
		atomic_inc(&crew->left);
		if (IS_ERR(kthread_run(worker, crew, "jit/%u", i)))
			atomic_dec(&crew->left);
	}
	complete_all(&crew->start);
	if (!atomic_dec_and_test(&crew->left))
		wait_for_completion(&crew->done);
}

/* Takes, writes, checks, calls and frees, in every way there is. */
static int churn(struct crew *crew, struct rnd_state *rnd)
{
	static const size_t most[] = { 64, 500, 2000, 8192, 20000 };
	struct { u8 *text; size_t len; u32 seed; } held[16] = {};
	u8 *code = kvmalloc(20001, GFP_KERNEL);
	unsigned int i, n;

	for (i = 0; code && i < rounds; i++) {
		n = prandom_u32_state(rnd) % ARRAY_SIZE(held);
		if (held[n].text) {
			pattern(code, held[n].len, held[n].seed);
			if (memcmp(held[n].text, code, held[n].len) ||
			    mmkit_jit_size(held[n].text) != held[n].len)
				atomic_inc(&crew->wrong);
			switch (prandom_u32_state(rnd) % 8) {
			case 0:
				mmkit_jit_free_rcu_tasks(held[n].text);
				break;
			case 1:
			case 2:
				local_bh_disable();
				mmkit_jit_free_rcu(held[n].text);
				local_bh_enable();
				break;
			case 3:
				held[n].seed = prandom_u32_state(rnd);
				pattern(code, held[n].len, held[n].seed);
				if (mmkit_jit_update(held[n].text, code, held[n].len))
					atomic_inc(&crew->wrong);
				continue;
			default:
				mmkit_jit_free(held[n].text);
			}
			held[n].text = NULL;
			continue;
		}
		held[n].len = 1 + prandom_u32_state(rnd) %
			      most[prandom_u32_state(rnd) % ARRAY_SIZE(most)];
		held[n].seed = prandom_u32_state(rnd);
		pattern(code, held[n].len, held[n].seed);
		held[n].text = mmkit_jit_alloc(code, held[n].len);
		if (!held[n].text)
			atomic_inc(&crew->failed);
	}
	for (n = 0; n < ARRAY_SIZE(held); n++)
		mmkit_jit_free(held[n].text);
	kvfree(code);
	return 0;
}

static void threads(void)
{
	struct crew crew = { .work = churn };

	crew_run(&crew, 8);
	pr_info("# 8 threads, %u rounds each, %d times without memory\n", rounds,
		atomic_read(&crew.failed));
	TEST(!atomic_read(&crew.wrong), "each thread finds what it wrote");
	TEST(atomic_read(&crew.failed) == 0, "and there was memory each time");
}

static int take_one(struct crew *crew, struct rnd_state *rnd)
{
	void *text = mmkit_jit_alloc(NULL, 300);

	if (!text)
		atomic_inc(&crew->failed);
	ssleep(1);
	mmkit_jit_free(text);
	return 0;
}

/* All come at once to where nothing is. */
static void refill(void)
{
	struct crew crew = { .work = take_one };

	crew_run(&crew, NR_THREADS);
	TEST(!atomic_read(&crew.failed), "64 threads each get their first object");
}

/* --- limits and mistakes --------------------------------------------------- */

static void quota(void)
{
	void *text[64];
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(text); n++) {
		text[n] = mmkit_jit_alloc(NULL, SZ_512K);
		if (!text[n])
			break;
	}
	pr_info("# %u objects of 512 KiB\n", n);
	TEST(n == 8, "of 4 MiB eight objects of 512 KiB are to be had, and no more");
	while (n)
		mmkit_jit_free(text[--n]);
	TEST((text[0] = mmkit_jit_alloc(NULL, 3 << 20)), "then one of 3 MiB");
	TEST(!(text[1] = mmkit_jit_alloc(NULL, 2 << 20)), "and beside it none of 2");
	TEST((text[2] = mmkit_jit_alloc(NULL, 1 << 20)), "but one of 1: nothing is rounded up");
	mmkit_jit_free(text[1]);
	mmkit_jit_free(text[2]);
	mmkit_jit_free(text[0]);

	/* Of objects of a class a slab is kept. */
	for (n = 0; n < ARRAY_SIZE(text); n++)
		text[n] = mmkit_jit_alloc(NULL, (n + 1) * 128);
	while (n)
		mmkit_jit_free(text[--n]);
	TEST((text[0] = mmkit_jit_alloc(NULL, SZ_4M)), "what is kept stands in the way of nobody");
	mmkit_jit_free(text[0]);
}

static void mistake(const char *which)
{
	u8 *text = make_number(7);
	u8 before[64];

	if (!text)
		return;
	memcpy(before, text, sizeof(before));
	if (!strcmp(which, "foreign")) {
		mmkit_jit_free(before);
	} else if (!strcmp(which, "interior")) {
		mmkit_jit_free(text + 16);
	} else {
		void (*free)(void *text) = mmkit_jit_free;

		if (!strcmp(which, "double"))
			free = mmkit_jit_free_rcu;
		free(text);
		free(text);
		TEST(!mmkit_jit_alloc(NULL, 16), "there are no new ones");
		return;
	}
	TEST(!memcmp(before, text, sizeof(before)) && mmkit_jit_size(text) == sizeof(before),
	     "the object is as it was");
	TEST(!mmkit_jit_alloc(NULL, 16), "there are no new ones");
	mmkit_jit_free(text);
	TEST(!mmkit_jit_size(text), "and it can still be freed");
}

/* --- what a fleet of programs looks like ------------------------------------ */

/* Half are under 500 bytes, three quarters under 2,000, the largest have 8,000. */
static size_t mix_len(struct rnd_state *rnd)
{
	unsigned int r = prandom_u32_state(rnd), quarter = r % 4;

	r = prandom_u32_state(rnd);
	return quarter < 2 ? 40 + r % 460 : quarter == 2 ? 500 + r % 1500 : 2000 + r % 6000;
}

static void **fleet;

static void mix(void)
{
	unsigned long asked = 0, granules = 0, pages = 0;
	struct rnd_state rnd;
	unsigned int i;
	size_t len;

	fleet = kvcalloc(rounds, sizeof(*fleet), GFP_KERNEL);
	if (!fleet)
		return;
	prandom_seed_state(&rnd, 20);
	for (i = 0; i < rounds; i++) {
		len = mix_len(&rnd);
		fleet[i] = mmkit_jit_alloc(NULL, len);
		asked += len;
		granules += round_up(len, 64);
		pages += round_up(len, PAGE_SIZE);
	}
	pr_info("# mix: %u objects, %lu bytes asked for, in granules of 64 %lu, in pages %lu\n",
		rounds, asked, granules, pages);
}

/* What another module has left behind. */
static ulong adopt[8];
static int nr_adopt;
module_param_array(adopt, ulong, &nr_adopt, 0400);
MODULE_PARM_DESC(adopt, "objects to free");

static void *kept[3];

static int __init test_init(void)
{
	if (!strcmp(what, "all"))
		every_length();
	if (!strcmp(what, "all") || !strcmp(what, "brief")) {
		bad_lengths();
		calls();
		branches();
		runs();
		waits();
	} else if (!strcmp(what, "threads")) {
		threads();
	} else if (!strcmp(what, "refill")) {
		refill();
	} else if (!strcmp(what, "quota")) {
		quota();
	} else if (!strcmp(what, "mix")) {
		mix();
	} else if (!strcmp(what, "keep")) {
		kept[0] = make_number(1);
		kept[1] = mmkit_jit_alloc_named(NULL, 300, "second");
		kept[2] = mmkit_jit_alloc(NULL, 10000);
		TEST(kept[0] && kept[1] && kept[2], "three objects are kept");
	} else if (!strcmp(what, "adopt")) {
		while (nr_adopt)
			mmkit_jit_free((void *)adopt[--nr_adopt]);
	} else {
		mistake(what);
	}
	return 0;
}
module_init(test_init);

static bool forget;
module_param(forget, bool, 0644);
MODULE_PARM_DESC(forget, "leave what was kept behind");

static void __exit test_exit(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kept) && !forget; i++)
		mmkit_jit_free(kept[i]);
	for (i = 0; fleet && i < rounds; i++)
		mmkit_jit_free(fleet[i]);
	kvfree(fleet);
}
module_exit(test_exit);
