// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory pressure: whole free blocks go back to the page allocator.
 *
 * How it works. Reclaim may not change page attributes itself: that can wait for
 * work which waits for reclaim. So a scan takes blocks out of the cache, which is
 * quick and final, accounts them as reclaimed, and the worker maps and frees them.
 * Who reclaims waits for that, if briefly: it would take more and more, because it
 * sees no free memory. When memory is about to run out altogether, the OOM notifier
 * waits for all of it.
 *
 * The unit is pages. Reclaim asks for a block's worth at a time (batch); what is
 * asked and not given, because it was less than a block, is remembered as credit.
 */
#include <linux/module.h>
#include <linux/oom.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/swap.h>

#include "unmapped.h"

static struct shrinker *shrinker;

static unsigned long count_objects(struct shrinker *unused, struct shrink_control *sc)
{
	return READ_ONCE(mmkit_um_nodes[sc->nid]->whole_pages) ?: SHRINK_EMPTY;
}

/* Credit is less than a block: more would be taken at once when blocks are there again. */
static unsigned long scan_objects(struct shrinker *unused, struct shrink_control *sc)
{
	struct um_node *node = mmkit_um_nodes[sc->nid];
	unsigned long asked, gone;

	asked = READ_ONCE(node->credit) + sc->nr_to_scan;
	gone = mmkit_um_leave(node, asked);
	WRITE_ONCE(node->credit, min(asked - gone, UM_BLOCK_PAGES - 1));
	sc->nr_scanned = sc->nr_to_scan;
	if (!gone)
		return READ_ONCE(node->whole_pages) ? 0 : SHRINK_STOP;
	um_stat_add(UM_SHRINK_QUEUED, gone);
	mmkit_account_reclaimed(gone);
	mmkit_um_kick();
	/*
	 * Whoever reclaims looks for free memory next, and comes again until there is some.
	 * The worker can be behind one that is in the midst of a transition: not for ever.
	 */
	if ((sc->gfp_mask & GFP_KERNEL) == GFP_KERNEL)
		mmkit_um_settle_timeout(HZ / 20);
	return gone;
}

/* Before a process is killed everything that is cached goes, and is waited for. */
static int on_oom(struct notifier_block *nb, unsigned long unused, void *data)
{
	unsigned long *freed = data, gone;

	if (mmkit_um_settles_itself())
		return NOTIFY_OK;
	mmkit_um_leave_all();
	gone = um_sum(leaving_pages);
	if (!gone)
		return NOTIFY_OK;
	um_stat(UM_OOM_DRAINS);
	if (mmkit_um_settle_timeout(2 * HZ))
		*freed += gone;
	return NOTIFY_OK;
}

static struct notifier_block oom_nb = { .notifier_call = on_oom };

int mmkit_um_shrinker_init(void)
{
	int err;

	shrinker = mmkit_shrinker_alloc(SHRINKER_NUMA_AWARE, "mmkit-unmapped");
	if (!shrinker)
		return -ENOMEM;
	shrinker->count_objects = count_objects;
	shrinker->scan_objects = scan_objects;
	shrinker->batch = UM_BLOCK_PAGES;
	shrinker->seeks = DEFAULT_SEEKS;
	err = mmkit_shrinker_register(shrinker, "mmkit-unmapped");
	if (err)
		goto err_free;
	err = register_oom_notifier(&oom_nb);
	if (err)
		goto err_free;
	return 0;

err_free:
	mmkit_shrinker_free(shrinker);
	return err;
}

void mmkit_um_shrinker_exit(void)
{
	unregister_oom_notifier(&oom_nb);
	mmkit_shrinker_free(shrinker);
}
