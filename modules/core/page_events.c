// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page events: clients become probes of mm_page_alloc and mm_page_free.
 *
 * The tracepoint structures are not exported, so they are looked for by name.
 * Fan-out to several clients is left to the tracepoint, which does it without
 * a lock and, on x86, calls a single client directly.
 */
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/tracepoint.h>
#include <trace/events/kmem.h>

#include <mmkit/page_events.h>

#include "core.h"

/* A probe is registered without its type; here the kernel's headers are asked for it. */
static_assert(__same_type(check_trace_callback_type_mm_page_alloc,
			  void (typeof_member(struct mmkit_page_events, alloc))));
static_assert(__same_type(check_trace_callback_type_mm_page_free,
			  void (typeof_member(struct mmkit_page_events, free))));

static DEFINE_MUTEX(clients_lock);
static LIST_HEAD(clients);
static struct tracepoint *tp_alloc, *tp_free;

DEFINE_STATIC_KEY_FALSE(mmkit_page_event_retag_key);
MMKIT_EXPORT(mmkit_page_event_retag_key);

static void find_tracepoint(struct tracepoint *tp, void *unused)
{
	if (!strcmp(tp->name, "mm_page_alloc"))
		tp_alloc = tp;
	else if (!strcmp(tp->name, "mm_page_free"))
		tp_free = tp;
}

int mmkit_page_events_register(struct mmkit_page_events *client)
{
	struct mmkit_page_events *other;
	int err = 0;

	mutex_lock(&clients_lock);
	list_for_each_entry(other, &clients, link) {
		if (other == client)
			err = -EEXIST;
	}
	if (err)
		goto out;
	if (!tp_alloc || !tp_free)
		for_each_kernel_tracepoint(find_tracepoint, NULL);
	if (!tp_alloc || !tp_free) {
		pr_err("%s: the kernel has no mm_page_alloc and mm_page_free tracepoints\n",
		       client->name);
		err = -EOPNOTSUPP;
		goto out;
	}
	err = tracepoint_probe_register(tp_free, client->free, client);
	if (err)
		goto out;
	if (client->alloc)
		err = tracepoint_probe_register(tp_alloc, client->alloc, client);
	if (err) {
		tracepoint_probe_unregister(tp_free, client->free, client);
		tracepoint_synchronize_unregister();
		goto out;
	}
	list_add_tail_rcu(&client->link, &clients);
	if (client->retag)
		static_branch_inc(&mmkit_page_event_retag_key);
out:
	mutex_unlock(&clients_lock);
	return err;
}
MMKIT_EXPORT(mmkit_page_events_register);

void mmkit_page_events_unregister(struct mmkit_page_events *client)
{
	mutex_lock(&clients_lock);
	if (client->retag)
		static_branch_dec(&mmkit_page_event_retag_key);
	list_del_rcu(&client->link);
	if (client->alloc)
		WARN_ON_ONCE(tracepoint_probe_unregister(tp_alloc, client->alloc, client));
	WARN_ON_ONCE(tracepoint_probe_unregister(tp_free, client->free, client));
	mutex_unlock(&clients_lock);
	tracepoint_synchronize_unregister();
	/* For walkers of the list in retag_slow(); newer tracepoints do not wait for RCU. */
	synchronize_rcu();
}
MMKIT_EXPORT(mmkit_page_events_unregister);

/* Probes are readers of RCU, on newer kernels of the SRCU of tracepoints. */
void mmkit_page_events_wait(void)
{
	synchronize_srcu_expedited(&tracepoint_srcu);
	synchronize_rcu_expedited();
}
MMKIT_EXPORT(mmkit_page_events_wait);

void mmkit_page_event_retag_slow(unsigned long pfn, unsigned int order, unsigned long ip)
{
	struct mmkit_page_events *client;

	preempt_disable_notrace();
	list_for_each_entry_rcu(client, &clients, link) {
		if (client->retag)
			client->retag(client, pfn, order, ip);
	}
	preempt_enable_notrace();
}
MMKIT_EXPORT(mmkit_page_event_retag_slow);
