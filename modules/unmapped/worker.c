// SPDX-License-Identifier: GPL-2.0-only
/*
 * The worker: a kernel thread that gives blocks back, keeps the cache within its
 * limit, scrubs what was freed dirty, and looks again at pages that were kept back.
 *
 * It is a thread of its own because everybody asks it who must not wait: reclaim,
 * interrupts, the shrinker. A workqueue may find no thread when memory is short,
 * and the kernel warns of one that reclaim depends on. It takes no memory.
 */
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/wait.h>

#include "unmapped.h"

unsigned long mmkit_um_max_pages;

static struct kthread_worker *worker;
static struct kthread_work work;
static struct kthread_delayed_work again;
static DECLARE_WAIT_QUEUE_HEAD(settled);
static DEFINE_MUTEX(prefill_lock);

static void give_back_one(struct um_node *node, struct um_block *block)
{
	unsigned int order = um_block_order(block);
	unsigned long flags;

	mmkit_um_block_put(block);
	raw_spin_lock_irqsave(&node->lock, flags);
	node->leaving_pages -= 1UL << order;
	node->released[order]++;
	raw_spin_unlock_irqrestore(&node->lock, flags);
	cond_resched_tasks_rcu_qs();
}

static void give_back(struct um_node *node)
{
	struct um_block *block;
	unsigned long flags;

	do {
		raw_spin_lock_irqsave(&node->lock, flags);
		block = list_first_entry_or_null(&node->leaving, struct um_block, link);
		if (block)
			list_del(&block->link);
		raw_spin_unlock_irqrestore(&node->lock, flags);
		if (block)
			give_back_one(node, block);
	} while (block);
}

/* Blocks go whole: the last one may bring the cache a little below its limit. */
static void trim(void)
{
	unsigned long max = READ_ONCE(mmkit_um_max_pages), cached = um_sum(free);
	unsigned long over = cached > max ? round_up(cached - max, UM_BLOCK_PAGES) : 0;
	struct um_node *node;
	int nid;

	for_each_um_node(node, nid) {
		if (over)
			over -= mmkit_um_leave(node, over);
	}
}

static void scrub(struct um_block *block)
{
	unsigned int idx;

	for (idx = 0; idx < um_block_pages(block) && READ_ONCE(block->nr_dirty); idx++) {
		if (test_bit(idx, block->dirty)) {
			mmkit_um_scrub_free(block, idx);
			cond_resched_tasks_rcu_qs();
		}
	}
}

/* Returns whether something still has to be kept back. */
static bool unkeep(struct um_block *block)
{
	unsigned long flags;
	unsigned int idx;
	bool left;

	for (idx = 0; idx < um_block_pages(block); idx++) {
		if (!test_bit(idx, block->kept))
			continue;
		raw_spin_lock_irqsave(&block->node->lock, flags);
		mmkit_um_unkeep(block, idx);
		raw_spin_unlock_irqrestore(&block->node->lock, flags);
	}
	raw_spin_lock_irqsave(&block->node->lock, flags);
	left = block->held;
	raw_spin_unlock_irqrestore(&block->node->lock, flags);
	return left;
}

static void give_all_back(void)
{
	struct um_node *node;
	int nid;

	for_each_um_node(node, nid)
		give_back(node);
	wake_up_all(&settled);
}

/* Somebody can be waiting for what has left: that goes first, also while there is much to scrub. */
static void worker_fn(struct kthread_work *unused)
{
	unsigned long pfn = 0;
	struct um_block *block;
	bool left = false;

	trim();
	give_all_back();
	while ((block = mmkit_um_block_next(&pfn))) {
		if (READ_ONCE(block->held))
			left |= unkeep(block);
		scrub(block);
		if (um_sum(leaving_pages))
			give_all_back();
	}
	if (left)
		kthread_mod_delayed_work(worker, &again, HZ);
}

/* There is something to do. Any context but NMI. */
void mmkit_um_kick(void)
{
	kthread_queue_work(worker, &work);
}

/* Waits until all that has left is given back, and all that was dirty is scrubbed. */
void mmkit_um_settle(void)
{
	mmkit_um_kick();
	kthread_flush_work(&work);
}

/* Gives back all that is free. A page that is being scrubbed would keep its block here. */
void mmkit_um_drain(void)
{
	mmkit_um_settle();
	mmkit_um_leave_all();
	mmkit_um_settle();
}

/* Would the current task wait for itself? */
bool mmkit_um_settles_itself(void)
{
	return current == worker->task || mmkit_um_direct_map_is_changing();
}

/* The same as settling, but only for what has left, and for a time: false when that is over. */
bool mmkit_um_settle_timeout(unsigned long timeout)
{
	if (mmkit_um_settles_itself())
		return false;
	mmkit_um_kick();
	return wait_event_timeout(settled, !um_sum(leaving_pages), timeout);
}

/* Blocks of the largest size that are all free. */
unsigned long mmkit_um_whole_blocks(void)
{
	struct list_head *pos;
	unsigned long flags, nr = 0;
	struct um_node *node;
	int nid;

	for_each_um_node(node, nid) {
		raw_spin_lock_irqsave(&node->lock, flags);
		list_for_each(pos, &node->whole[UM_BLOCK_ORDER])
			nr++;
		raw_spin_unlock_irqrestore(&node->lock, flags);
	}
	return nr;
}

/*
 * Fills the cache until @blocks blocks of the largest size are all free, from the
 * nodes in turn. What has been cached stays when that fails. Returns 0, -ERANGE when
 * the limit does not allow it, -ENOMEM when no node has more, -EINTR, or -EBUSY while
 * the cache is closed.
 */
int mmkit_um_prefill(unsigned int blocks)
{
	unsigned int misses = 0;
	unsigned long have;
	int nid = 0, err = 0;

	if (blocks > READ_ONCE(mmkit_um_max_pages) / UM_BLOCK_PAGES)
		return -ERANGE;
	mutex_lock(&prefill_lock);
	have = mmkit_um_whole_blocks();
	while (have < blocks && misses < nr_online_nodes && err != -EBUSY) {
		if (signal_pending(current)) {
			err = -EINTR;
			break;
		}
		nid = next_node_in(nid, node_states[N_MEMORY]);
		err = -ENOMEM;
		if (mmkit_um_node_has_room(nid))
			err = mmkit_um_add_block(nid, GFP_KERNEL | __GFP_RETRY_MAYFAIL);
		misses = err ? misses + 1 : 0;
		have += !err;
		cond_resched_tasks_rcu_qs();
	}
	mutex_unlock(&prefill_lock);
	return err;
}

int mmkit_um_worker_init(void)
{
	kthread_init_work(&work, worker_fn);
	kthread_init_delayed_work(&again, worker_fn);
	worker = mmkit_kthread_run_worker(0, "mmkit_unmapped");
	return PTR_ERR_OR_ZERO(worker);
}

/* The cache has been stopped, so that there is nothing to do. */
void mmkit_um_worker_exit(void)
{
	kthread_cancel_delayed_work_sync(&again);
	kthread_destroy_worker(worker);
}
