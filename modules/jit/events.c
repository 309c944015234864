// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of the machine that memory kept in reserve must make way for. Each comes here
 * before it comes to the cache of unmapped pages, which then has that memory back.
 */
#include <linux/memory.h>
#include <linux/suspend.h>

#include "jit.h"

#define BEFORE_UNMAPPED	1

static int on_memory(struct notifier_block *nb, unsigned long action, void *data)
{
	if (action == MEM_GOING_OFFLINE)
		mmkit_jit_space_drain();
	return NOTIFY_OK;
}

static int on_pm(struct notifier_block *nb, unsigned long action, void *data)
{
	if (action == PM_HIBERNATION_PREPARE || action == PM_RESTORE_PREPARE) {
		mmkit_jit_settle();
		mmkit_jit_space_drain();
	}
	return NOTIFY_OK;
}

static struct notifier_block memory_nb = {
	.notifier_call = on_memory, .priority = BEFORE_UNMAPPED
};

static struct notifier_block pm_nb = {
	.notifier_call = on_pm, .priority = BEFORE_UNMAPPED
};

int mmkit_jit_events_init(void)
{
	int err;

	err = register_memory_notifier(&memory_nb);
	if (err)
		return err;
	err = register_pm_notifier(&pm_nb);
	if (err)
		unregister_memory_notifier(&memory_nb);
	return err;
}

void mmkit_jit_events_exit(void)
{
	unregister_pm_notifier(&pm_nb);
	unregister_memory_notifier(&memory_nb);
}
