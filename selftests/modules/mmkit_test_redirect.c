// SPDX-License-Identifier: GPL-2.0-only
/*
 * Redirects: a function of our own is redirected, called and restored, under
 * tracers, recursively, and while tasks sleep inside.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>

#include <mmkit/redirect.h>

#include "test.h"

#define SLEEPERS 8

static struct mmkit_redirect rows[], rival_rows[];
static atomic_t inside, returned;
static bool sleepy;

/* The functions that are redirected: the compiler must not look into them. */
static noinline __noclone long dummy_add(long a, long b, long c, long d, long e, long f)
{
	barrier();
	return a + b + c + d + e + f;
}

static noinline __noclone long dummy_sum_to(long n)
{
	long sum = 0;

	if (n)
		sum = dummy_sum_to(n - 1);
	barrier();	/* or the compiler makes a loop of it */
	return n + sum;
}

MMKIT_REDIRECT_DECLARE(add, long, dummy_add, (long a, long b, long c, long d, long e, long f));
MMKIT_REDIRECT_DECLARE(sum_to, long, dummy_sum_to, (long n));

static noinline long mmkit_redirect_fn_add(long a, long b, long c, long d, long e, long f)
{
	long sum;

	mmkit_redirect_enter(&rows[0]);
	if (sleepy) {
		atomic_inc(&inside);
		msleep(400);
	}
	sum = mmkit_original(add)(a, b, c, d, e, f) + 1000;
	atomic_inc(&returned);
	mmkit_redirect_leave(&rows[0]);
	return sum;
}

static noinline long mmkit_redirect_fn_sum_to(long n)
{
	long sum;

	mmkit_redirect_enter(&rows[1]);
	sum = mmkit_original(sum_to)(n) + 1000;
	mmkit_redirect_leave(&rows[1]);
	return sum;
}

MMKIT_REDIRECT_DECLARE(rival, long, dummy_sum_to, (long n));

static noinline long mmkit_redirect_fn_rival(long n)
{
	long sum;

	mmkit_redirect_enter(&rival_rows[0]);
	sum = mmkit_original(rival)(n) + 500;
	mmkit_redirect_leave(&rival_rows[0]);
	return sum;
}

static struct mmkit_redirect rows[] = {
	MMKIT_REDIRECT_ROW(add),
	MMKIT_REDIRECT_ROW(sum_to),
};

static struct mmkit_redirect_table table = {
	.owner = "test", .rows = rows, .nr = ARRAY_SIZE(rows),
};

static bool notrace is_even(struct ftrace_regs *fregs)
{
	return !(mmkit_ftrace_arg(fregs, 0) & 1);
}

static struct mmkit_redirect rival_rows[] = {
	MMKIT_REDIRECT_ROW_IF(rival, is_even),
};

static struct mmkit_redirect_table rival = {
	.owner = "test-rival", .rows = rival_rows, .nr = ARRAY_SIZE(rival_rows),
};

static struct mmkit_redirect missing_rows[] = {
	MMKIT_REDIRECT_ROW(add),
};

static struct mmkit_redirect_table missing = {
	.owner = "test-missing", .rows = missing_rows, .nr = ARRAY_SIZE(missing_rows),
};

static long call_add(void)
{
	return dummy_add(1, 2, 3, 4, 5, 6);
}

static void test_calls(void)
{
	int err;

	TEST(call_add() == 21 && dummy_sum_to(10) == 55, "before: the functions themselves");
	err = mmkit_redirect_enable(&table);
	TEST(!err, "a table goes live");
	if (err)
		return;
	TEST(call_add() == 1021, "the replacement runs and reaches the original");
	TEST(dummy_sum_to(10) == 11055, "a recursive function is replaced at every level");
	TEST(mmkit_redirect_enable(&rival) == -EBUSY, "a function has one owner: -EBUSY");
	TEST(call_add() == 1021 && dummy_sum_to(10) == 11055, "who keeps it");
	mmkit_redirect_disable(&table);
	TEST(call_add() == 21 && dummy_sum_to(10) == 55, "after: the functions themselves");
	TEST(mmkit_redirect_enable(&missing) == -EOPNOTSUPP, "a missing function: -EOPNOTSUPP");
	mmkit_redirect_disable(&missing);
	err = mmkit_redirect_enable(&rival);
	TEST(!err && dummy_sum_to(0) == 500 && call_add() == 21, "the rival's turn");
	TEST(dummy_sum_to(10) == 55 + 6 * 500, "a row gets the calls that it wants, and no others");
	mmkit_redirect_disable(&rival);
}

/* A kretprobe changes the return address that the replacement returns through. */
static int kretprobe_hits;

static int on_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	kretprobe_hits++;
	return 0;
}

static void test_kretprobe(void)
{
	struct kretprobe probe = { .handler = on_return, .kp.addr = (void *)dummy_add };
	int err;

	err = mmkit_redirect_enable(&table);
	if (!err)
		err = register_kretprobe(&probe);
	TEST(!err, "a kretprobe sits on a redirected function");
	if (!err) {
		TEST(call_add() == 1021, "call and return still work");
		TEST(kretprobe_hits == 1, "and the kretprobe sees one return");
		unregister_kretprobe(&probe);
	}
	mmkit_redirect_disable(&table);
}

static int sleeper(void *done)
{
	call_add();
	kthread_complete_and_exit(done, 0);
}

static void test_sleepers(void)
{
	DECLARE_COMPLETION_ONSTACK(done);
	int i, started = 0;

	if (mmkit_redirect_enable(&table)) {
		TEST(false, "the table goes live again");
		return;
	}
	sleepy = true;
	atomic_set(&returned, 0);
	for (i = 0; i < SLEEPERS; i++)
		started += !IS_ERR(kthread_run(sleeper, &done, "mmkit_sleeper/%d", i));
	while (atomic_read(&inside) < started)
		msleep(10);
	TEST(atomic_read(&returned) < started, "tasks sleep inside a replacement");
	mmkit_redirect_disable(&table);
	TEST(atomic_read(&returned) == started, "removal waits until the last one has left");
	sleepy = false;
	while (started--)
		wait_for_completion(&done);
	TEST(call_add() == 21, "and the function is itself again");
}

static int __init test_init(void)
{
	rows[0].addr = (unsigned long)dummy_add;
	rows[1].addr = (unsigned long)dummy_sum_to;
	rival_rows[0].addr = (unsigned long)dummy_sum_to;
	missing_rows[0].name = "mmkit_no_such_function";
	test_calls();
	test_kretprobe();
	test_sleepers();
	return 0;
}
module_init(test_init);

static void __exit test_exit(void)
{
}
module_exit(test_exit);
