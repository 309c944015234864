// SPDX-License-Identifier: GPL-2.0-only
/* Kthread workers are created asleep, and run by another function. */
#include <linux/kthread.h>

struct kthread_worker *mmkit_probe(void);
struct kthread_worker *mmkit_probe(void)
{
	return kthread_run_worker(0, "mmkit");
}
