// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that are freed carry tags no more. That much is done here, in any context;
 * settle.c does the rest.
 *
 * The image of a hibernated machine would bring tags back to where they were, while
 * the storage that it finds is lent as it was: no hibernation.
 */
#include <linux/mm.h>
#include <linux/suspend.h>

#include <mmkit/page_events.h>

#include "tagstore.h"

static void notrace on_free(void *data, struct page *page, unsigned int order)
{
	preempt_disable_notrace();
	mmkit_ts_free(page_to_pfn(page), 1UL << order);
	preempt_enable_notrace();
}

static struct mmkit_page_events events = {
	.name	= "tagstore",
	.free	= on_free,
};

static int on_pm(struct notifier_block *nb, unsigned long action, void *data)
{
	if (action != PM_HIBERNATION_PREPARE)
		return NOTIFY_DONE;
	pr_err("no hibernation while tag storage is lent\n");
	return NOTIFY_BAD;
}

static struct notifier_block pm_nb = { .notifier_call = on_pm };

int mmkit_ts_events_init(void)
{
	int err;

	err = mmkit_page_events_register(&events);
	if (err)
		return err;
	err = register_pm_notifier(&pm_nb);
	if (err)
		mmkit_page_events_unregister(&events);
	return err;
}

void mmkit_ts_events_exit(void)
{
	unregister_pm_notifier(&pm_nb);
	mmkit_page_events_unregister(&events);
}
