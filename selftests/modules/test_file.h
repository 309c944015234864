/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads and writes files, for a test that is itself a write to a file of sysfs: one inside the
 * other is what lockdep rightly warns of, so a thread does it.
 */
#ifndef MMKIT_TEST_FILE_H
#define MMKIT_TEST_FILE_H

#include <linux/completion.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/path.h>
#include <linux/sched/task.h>
#include <linux/string.h>

struct test_access {
	struct path root;
	const char *path;
	const char *text;		/* to write, or NULL */
	char *buffer;			/* to read into */
	size_t size;
	ssize_t result;
	struct completion done;
};

static int test_access_fn(void *data)
{
	struct test_access *access = data;
	struct file *file = file_open_root(&access->root, access->path,
					   access->text ? O_WRONLY : O_RDONLY, 0);
	loff_t pos = 0;

	if (IS_ERR(file)) {
		access->result = PTR_ERR(file);
	} else {
		access->result = access->text ?
			kernel_write(file, access->text, access->size, &pos) :
			kernel_read(file, access->buffer, access->size, &pos);
		filp_close(file, NULL);
	}
	complete(&access->done);
	return 0;
}

static ssize_t test_access_file(struct test_access *access)
{
	struct task_struct *thread;

	init_completion(&access->done);
	thread = kthread_create(test_access_fn, access, "mmkit_test_file");
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	/* Threads of the kernel can have another. */
	get_fs_root(current->fs, &access->root);
	get_task_struct(thread);
	wake_up_process(thread);
	wait_for_completion(&access->done);
	/* Its last instruction is here, too. */
	kthread_stop(thread);
	put_task_struct(thread);
	path_put(&access->root);
	return access->result;
}

/* What was written, or an error. */
static ssize_t test_write_file(const char *path, const char *text)
{
	struct test_access access = { .path = path, .text = text, .size = strlen(text) };

	return test_access_file(&access);
}

/* What was read of its beginning, as a string, or an error. */
static ssize_t test_read_file(const char *path, char *buffer, size_t size)
{
	struct test_access access = { .path = path, .buffer = buffer, .size = size - 1 };
	ssize_t nr = test_access_file(&access);

	buffer[max_t(ssize_t, nr, 0)] = '\0';
	return nr;
}

/* The number that is all a file holds, or -1. */
static long long test_read_number(const char *path)
{
	long long value;
	char text[32];

	if (test_read_file(path, text, sizeof(text)) <= 0 || kstrtoll(strim(text), 10, &value))
		return -1;
	return value;
}

#endif /* MMKIT_TEST_FILE_H */
