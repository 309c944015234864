// SPDX-License-Identifier: GPL-2.0-only
/* Kthread workers run as soon as they are created. */
#include <linux/kthread.h>

struct kthread_worker *mmkit_probe(void);
struct kthread_worker *mmkit_probe(void)
{
	return kthread_create_worker(0, "mmkit");
}
