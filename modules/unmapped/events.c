// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of the machine that the cache must make way for: memory that goes
 * offline, hibernation, reboot.
 */
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/module.h>
#include <linux/reboot.h>
#include <linux/suspend.h>

#include "unmapped.h"

/*
 * Free blocks of the range go back. The kernel has isolated the range, so they stay
 * free; a page that is handed out makes it give up (PageOffline, with a reference).
 */
static int on_memory(struct notifier_block *nb, unsigned long action, void *data)
{
	struct memory_notify *range = data;

	if (action == MEM_GOING_OFFLINE) {
		mmkit_um_settle();
		mmkit_um_leave_range(range->start_pfn, range->start_pfn + range->nr_pages);
		mmkit_um_settle();
	}
	return NOTIFY_OK;
}

/*
 * The image of a hibernation reads each page through the direct map, and would map
 * those that are out, one by one, with interrupts off.
 */
static int hibernation_prepare(void)
{
	unsigned long out;

	mmkit_um_close(true);
	mmkit_um_drain();
	/* What was freed meanwhile is out, too. */
	out = um_sum(in_use) + um_sum(held) + um_sum(quarantined) + um_sum(free);
	if (!out)
		return NOTIFY_OK;
	pr_err("no hibernation while %lu pages are out of the direct map\n", out);
	mmkit_um_close(false);
	return NOTIFY_BAD;
}

static int on_pm(struct notifier_block *nb, unsigned long action, void *data)
{
	switch (action) {
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		return hibernation_prepare();
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		mmkit_um_close(false);
		break;
	default:
		break;
	}
	return NOTIFY_OK;
}

/* The next kernel finds no secret that was already freed, and all pages mapped. */
static int on_reboot(struct notifier_block *nb, unsigned long action, void *data)
{
	mmkit_um_drain();
	return NOTIFY_OK;
}

static struct notifier_block memory_nb = { .notifier_call = on_memory };
static struct notifier_block pm_nb = { .notifier_call = on_pm };
static struct notifier_block reboot_nb = { .notifier_call = on_reboot };

int mmkit_um_events_init(void)
{
	int err;

	err = register_memory_notifier(&memory_nb);
	if (err)
		return err;
	err = register_pm_notifier(&pm_nb);
	if (err)
		goto err_memory;
	err = register_reboot_notifier(&reboot_nb);
	if (err)
		goto err_pm;
	return 0;

err_pm:
	unregister_pm_notifier(&pm_nb);
err_memory:
	unregister_memory_notifier(&memory_nb);
	return err;
}

void mmkit_um_events_exit(void)
{
	unregister_reboot_notifier(&reboot_nb);
	unregister_pm_notifier(&pm_nb);
	unregister_memory_notifier(&memory_nb);
}
