/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writes to a file, for a test that is itself a write to a file of sysfs: one inside the other
 * is what lockdep rightly warns of, so a thread does it.
 */
#ifndef MMKIT_TEST_FILE_H
#define MMKIT_TEST_FILE_H

#include <linux/completion.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/kthread.h>
#include <linux/path.h>
#include <linux/sched/task.h>
#include <linux/string.h>

struct test_write {
	struct path root;
	const char *path;
	const char *text;
	ssize_t written;
	struct completion done;
};

static int test_write_fn(void *data)
{
	struct test_write *write = data;
	struct file *file = file_open_root(&write->root, write->path, O_WRONLY, 0);
	loff_t pos = 0;

	if (IS_ERR(file)) {
		write->written = PTR_ERR(file);
	} else {
		write->written = kernel_write(file, write->text, strlen(write->text), &pos);
		filp_close(file, NULL);
	}
	complete(&write->done);
	return 0;
}

/* What was written, or an error. */
static ssize_t test_write_file(const char *path, const char *text)
{
	struct test_write write = { .path = path, .text = text };
	struct task_struct *thread;

	init_completion(&write.done);
	thread = kthread_create(test_write_fn, &write, "mmkit_test_write");
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	/* Threads of the kernel can have another. */
	get_fs_root(current->fs, &write.root);
	get_task_struct(thread);
	wake_up_process(thread);
	wait_for_completion(&write.done);
	/* Its last instruction is here, too. */
	kthread_stop(thread);
	put_task_struct(thread);
	path_put(&write.root);
	return write.written;
}

#endif /* MMKIT_TEST_FILE_H */
