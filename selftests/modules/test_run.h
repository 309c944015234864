/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A test module that is told what to do: words are written to its parameter "run",
 * what came of it is read from there. TEST_COMMANDS() names the functions, which say()
 * something and return 0 or a negative error.
 */
#ifndef MMKIT_TEST_RUN_H
#define MMKIT_TEST_RUN_H

#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "test.h"

struct test_command {
	const char *name;
	int (*run)(char *args);
};

static char said[PAGE_SIZE - 256];
static size_t said_len;

static __maybe_unused __printf(1, 2) void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	said_len += vscnprintf(said + said_len, sizeof(said) - said_len, format, args);
	va_end(args);
}

static int test_run(const struct test_command *commands, unsigned int nr, const char *text)
{
	char *copy = kstrdup(text, GFP_KERNEL), *args, *word;
	int err = -EINVAL;
	unsigned int i;

	if (!copy)
		return -ENOMEM;
	said_len = 0;
	said[0] = '\0';
	args = strim(copy);
	word = strsep(&args, " ");
	for (i = 0; i < nr; i++)
		if (!strcmp(word, commands[i].name))
			err = commands[i].run(args ? args : word + strlen(word));
	kfree(copy);
	return err;
}

static int test_run_get(char *buffer, const struct kernel_param *kp)
{
	return scnprintf(buffer, PAGE_SIZE, "%s", said);
}

#define TEST_COMMANDS(...)								\
static const struct test_command test_commands[] = { __VA_ARGS__ };			\
											\
static int test_run_set(const char *text, const struct kernel_param *kp)		\
{											\
	return test_run(test_commands, ARRAY_SIZE(test_commands), text);		\
}											\
											\
static const struct kernel_param_ops test_run_ops = {					\
	.set = test_run_set,								\
	.get = test_run_get,								\
};											\
module_param_cb(run, &test_run_ops, NULL, 0600);					\
MODULE_PARM_DESC(run, "what to do now; what came of it")

#endif /* MMKIT_TEST_RUN_H */
