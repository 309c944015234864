// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tags: an index for every call site, its counters and its name.
 *
 * How it works. A probe that meets a new call site takes a tag from the pool
 * and enters it in the hash table; nothing of that allocates or waits, so it
 * works in any context. When the pool runs low a worker fills it: first with
 * tags of text that is gone and has no page left, then with a chunk of new
 * ones. Where no tag can be had pages go to (overflow), whose totals are exact.
 *
 * A tag is looked up by return address. When text goes (a module, or the init
 * text of one) its sites get their names in writing and leave the hash table,
 * so that new text at the same address gets new tags.
 *
 * The hash table is open addressing over tags; a removed tag leaves a mark that
 * later insertions use again. Two CPUs that meet a site for the first time at
 * once agree through compare and exchange on a slot; the loser keeps its tag
 * for the next site.
 *
 * Locking: sites_lock guards chunks, the filling of the pool, and names. It is
 * taken in process context only, inside mmkit_ap_lock.
 */
#include <linux/irq_work.h>
#include <linux/kallsyms.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include <mmkit/page_events.h>

#include "allocprof.h"
#include "tagpool.h"

/* Refill when fewer tags than this are ready. */
#define POOL_LOW	(AP_CHUNK_TAGS / 2)
/* Tags that are ready from the start. */
#define POOL_FIRST	(4 * AP_CHUNK_TAGS)

/* Hash slots hold a tag; tags below AP_TAG_SITE never do, so these are free. */
#define SLOT_FREE	0
#define SLOT_LEFT	1

struct ap_chunk *mmkit_ap_chunks[AP_MAX_CHUNKS];
struct ap_counters __percpu *mmkit_ap_counters[AP_MAX_CHUNKS];

static DEFINE_MUTEX(sites_lock);
static struct ap_pool pool;
static DEFINE_PER_CPU(u32, spare_tag);
static u32 *slots;
static u32 slots_mask;
u32 mmkit_ap_nr_tags __read_mostly;
static u32 max_tags;
static atomic_t nr_sites;
static bool exhausted;		/* no more tags to be had */
static bool running;

static const char * const fixed_names[AP_TAG_SITE] = {
	[AP_TAG_ANON]		= "(preload)anon",
	[AP_TAG_FILE]		= "(preload)file",
	[AP_TAG_SLAB]		= "(preload)slab",
	[AP_TAG_PGTABLE]	= "(preload)pgtable",
	[AP_TAG_RESERVED]	= "(preload)reserved",
	[AP_TAG_OTHER]		= "(preload)other",
	[AP_TAG_OVERFLOW]	= "(overflow)",
	[AP_TAG_UNKNOWN]	= "(unknown)",
};

/* Stands in for a name when there was no memory for it. */
static char nameless[] = "(gone):0";

static unsigned long *site_ip(u32 tag)
{
	return &ap_chunk(tag)->ip[tag & (AP_CHUNK_TAGS - 1)];
}

static char **site_name(u32 tag)
{
	return &ap_chunk(tag)->name[tag & (AP_CHUNK_TAGS - 1)];
}

unsigned long mmkit_ap_site_ip(u32 tag)
{
	return READ_ONCE(*site_ip(tag));
}

u32 mmkit_ap_tags(void)
{
	/* Pairs with chunk_add(): the chunks of these tags are there. */
	return smp_load_acquire(&mmkit_ap_nr_tags);
}

u32 mmkit_ap_nr_sites(void)
{
	return atomic_read(&nr_sites);
}

/* 4 B a slot, two slots a possible tag; 16 B a tag, and 48 B a tag on each possible CPU. */
u64 mmkit_ap_sites_bytes(void)
{
	u64 chunks = DIV_ROUND_UP(mmkit_ap_nr_tags, AP_CHUNK_TAGS);

	return (slots_mask + 1) * sizeof(*slots) + chunks * sizeof(struct ap_chunk) +
	       chunks * AP_CHUNK_TAGS * sizeof(struct ap_counters) * num_possible_cpus();
}

bool mmkit_ap_overflowed(void)
{
	return READ_ONCE(exhausted);
}

bool mmkit_ap_tag_shown(u32 tag)
{
	return tag < AP_TAG_SITE ? !!fixed_names[tag] : !!READ_ONCE(*site_ip(tag));
}

/* --- from a return address to its tag ---------------------------------- */

static void refill_work(struct work_struct *work);
static DECLARE_WORK(refill, refill_work);

static void refill_irq(struct irq_work *irq)
{
	schedule_work(&refill);
}

static DEFINE_IRQ_WORK(refill_kick, refill_irq);

static u32 tag_take(void)
{
	u32 tag = this_cpu_xchg(spare_tag, 0);

	if (tag)
		return tag;
	tag = ap_pool_take(&pool);
	if (ap_pool_ready(&pool) < POOL_LOW && !READ_ONCE(exhausted))
		irq_work_queue(&refill_kick);
	return tag;
}

/* A tag that was not used after all, for the next site that this CPU meets. */
static void tag_keep(u32 tag)
{
	WRITE_ONCE(*site_ip(tag), 0);
	this_cpu_xchg(spare_tag, tag);
}

static u32 slot_of(unsigned long ip)
{
	return (u32)((ip * 0x9e3779b97f4a7c15ULL) >> 40) & slots_mask;
}

/*
 * Returns the tag of @ip, or 0 with *@vacant set to the slot where it belongs
 * (NULL when the table is full).
 */
static u32 slot_find(unsigned long ip, u32 **vacant)
{
	u32 i, at = slot_of(ip);

	*vacant = NULL;
	for (i = 0; i <= slots_mask; i++, at = (at + 1) & slots_mask) {
		/* Pairs with cmpxchg() in mmkit_ap_site_tag(): the tag has its address. */
		u32 tag = smp_load_acquire(&slots[at]);

		if (tag <= SLOT_LEFT) {
			if (!*vacant)
				*vacant = &slots[at];
			if (tag == SLOT_FREE)
				return 0;
		} else if (mmkit_ap_site_ip(tag) == ip) {
			return tag;
		}
	}
	return 0;
}

u32 mmkit_ap_site_tag(unsigned long ip)
{
	u32 tag, mine = 0, *vacant, was;

	for (;;) {
		tag = slot_find(ip, &vacant);
		if (tag || !vacant)
			break;
		if (!mine)
			mine = tag_take();
		if (!mine)
			break;
		WRITE_ONCE(*site_ip(mine), ip);
		was = READ_ONCE(*vacant);
		if (was <= SLOT_LEFT && cmpxchg(vacant, was, mine) == was) {
			atomic_inc(&nr_sites);
			return mine;
		}
	}
	if (mine)
		tag_keep(mine);
	if (tag)
		return tag;
	ap_stat(AP_STAT_NO_TAG_READY);
	return AP_TAG_OVERFLOW;
}

/* --- names ------------------------------------------------------------- */

/* The text of "symbol+0x1a/0x2b0 [module]" as "symbol:26 [module]". */
static void code_name(unsigned long ip, bool gone, char *tag_buf, char *func_buf)
{
	static char symbol[KSYM_SYMBOL_LEN + 64];
	unsigned long offset = 0;
	char *plus, *module;

	lockdep_assert_held(&sites_lock);
	sprint_symbol(symbol, ip - 1);
	plus = strchr(symbol, '+');
	if (!plus || kstrtoul(strsep(&plus, "+") ? strsep(&plus, "/") : "", 16, &offset)) {
		strscpy(symbol, "(text)", sizeof(symbol));
		plus = NULL;
	}
	module = plus ? strchr(plus, '[') : NULL;
	if (module)
		strreplace(module, ']', '\0');
	scnprintf(tag_buf, AP_NAME_LEN, "%s:%lu%s%s%s%s", symbol, plus ? offset + 1 : 0,
		  module ? " " : "", module ?: "", module && gone ? ":unloaded" : "",
		  module ? "]" : "");
	if (func_buf)
		strscpy(func_buf, symbol, AP_NAME_LEN);
}

/* @tag_buf: "symbol:offset [module]"; @func_buf: "symbol". */
void mmkit_ap_tag_name(u32 tag, char *tag_buf, char *func_buf)
{
	const char *stored;

	if (tag < AP_TAG_SITE) {
		scnprintf(tag_buf, AP_NAME_LEN, "%.*s:0", (int)strcspn(fixed_names[tag], ")") + 1,
			  fixed_names[tag]);
		strscpy(func_buf, fixed_names[tag], AP_NAME_LEN);
		return;
	}
	mutex_lock(&sites_lock);
	stored = *site_name(tag);
	if (stored) {
		strscpy(tag_buf, stored, AP_NAME_LEN);
		scnprintf(func_buf, AP_NAME_LEN, "%.*s", (int)strcspn(stored, ":"), stored);
	} else {
		code_name(mmkit_ap_site_ip(tag), false, tag_buf, func_buf);
	}
	mutex_unlock(&sites_lock);
}

/* --- text that goes ---------------------------------------------------- */

static void slot_leave(unsigned long ip, u32 tag)
{
	u32 i, at = slot_of(ip);

	for (i = 0; i <= slots_mask; i++, at = (at + 1) & slots_mask) {
		if (slots[at] == tag) {
			/* The end of a run of slots can be free at once. */
			WRITE_ONCE(slots[at], slots[(at + 1) & slots_mask] == SLOT_FREE ?
				   SLOT_FREE : SLOT_LEFT);
			return;
		}
		if (slots[at] == SLOT_FREE)
			return;
	}
}

/* Sites in [@start, @end) get their names in writing and leave the table. */
static void retire_text(unsigned long start, unsigned long end, bool unloaded)
{
	static char name[AP_NAME_LEN];
	u32 tag;

	if (start == end)
		return;
	mutex_lock(&sites_lock);
	for (tag = AP_TAG_SITE; tag < mmkit_ap_nr_tags; tag++) {
		unsigned long ip = mmkit_ap_site_ip(tag);

		if (ip - 1 - start >= end - start || *site_name(tag))
			continue;
		code_name(ip, unloaded, name, NULL);
		*site_name(tag) = kstrdup(name, GFP_KERNEL) ?: nameless;
		slot_leave(ip, tag);
	}
	mutex_unlock(&sites_lock);
	mmkit_ap_memo_forget_text(start, end + 1);
}

/*
 * Init text is freed when a module is live, all of it when it goes. A probe
 * that is in flight meanwhile can remember what is forgotten, hence twice.
 */
static int module_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	struct module *mod = data;
	unsigned long start, end;
	int round;

	if (action != MODULE_STATE_LIVE && action != MODULE_STATE_GOING)
		return NOTIFY_OK;
	for (round = 0; round < 2; round++) {
		if (round)
			mmkit_page_events_wait();
		mmkit_module_init_text(mod, &start, &end);
		retire_text(start, end, action == MODULE_STATE_GOING);
		if (action != MODULE_STATE_GOING)
			continue;
		mmkit_module_text(mod, &start, &end);
		retire_text(start, end, true);
	}
	/* Tags may come free: sites that had to do without may try again. */
	if (xchg(&exhausted, false))
		mmkit_ap_memo_forget_text(0, ~0UL);
	return NOTIFY_OK;
}

static struct notifier_block module_nb = { .notifier_call = module_notify };

/* --- more tags --------------------------------------------------------- */

static bool tag_drained(u32 tag)
{
	struct ap_live live;

	mmkit_ap_live(tag, &live);
	return !live.pages && !live.calls;
}

static void tag_reset(u32 tag)
{
	int cpu;

	for_each_possible_cpu(cpu)
		memset(per_cpu_ptr(ap_counters(tag), cpu), 0, sizeof(struct ap_counters));
	if (*site_name(tag) != nameless)
		kfree(*site_name(tag));
	*site_name(tag) = NULL;
	WRITE_ONCE(*site_ip(tag), 0);
}

/*
 * Tags of text that is gone and has no page left can be used again. No page can
 * get such a tag any more, so once drained it stays drained; the grace period
 * is for a free that has counted pages but not yet calls.
 */
static void recycle(void)
{
	unsigned long *drained;
	u32 tag;

	drained = kvcalloc(BITS_TO_LONGS(mmkit_ap_nr_tags), sizeof(*drained), GFP_KERNEL);
	if (!drained)
		return;
	for (tag = AP_TAG_SITE; tag < mmkit_ap_nr_tags; tag++) {
		if (*site_name(tag) && tag_drained(tag))
			__set_bit(tag, drained);
	}
	if (!bitmap_empty(drained, mmkit_ap_nr_tags)) {
		mmkit_page_events_wait();
		for_each_set_bit(tag, drained, mmkit_ap_nr_tags) {
			if (ap_pool_ready(&pool) == AP_POOL_SIZE)
				break;
			tag_reset(tag);
			atomic_dec(&nr_sites);
			ap_pool_put(&pool, tag);
		}
	}
	kvfree(drained);
}

static void chunk_free(struct ap_chunk *chunk)
{
	unsigned int i;

	if (!chunk)
		return;
	for (i = 0; i < AP_CHUNK_TAGS; i++) {
		if (chunk->name[i] != nameless)
			kfree(chunk->name[i]);
	}
	free_percpu(chunk->counters);
	kvfree(chunk);
}

static int chunk_add(void)
{
	struct ap_chunk *chunk;
	u32 tag;

	chunk = kvzalloc(sizeof(*chunk), GFP_KERNEL);
	if (!chunk)
		return -ENOMEM;
	chunk->counters = __alloc_percpu(AP_CHUNK_TAGS * sizeof(struct ap_counters),
					 __alignof__(struct ap_counters));
	if (!chunk->counters) {
		chunk_free(chunk);
		return -ENOMEM;
	}
	tag = mmkit_ap_nr_tags;
	WRITE_ONCE(mmkit_ap_counters[tag >> AP_CHUNK_SHIFT], chunk->counters - tag);
	WRITE_ONCE(mmkit_ap_chunks[tag >> AP_CHUNK_SHIFT], chunk);
	/* Pairs with mmkit_ap_tags() and all that carries a tag: it is seen with its chunk. */
	smp_store_release(&mmkit_ap_nr_tags, min(tag + AP_CHUNK_TAGS, max_tags));
	for (tag = max_t(u32, tag, AP_TAG_SITE); tag < mmkit_ap_nr_tags; tag++)
		ap_pool_put(&pool, tag);
	return 0;
}

static int pool_fill(u32 wanted)
{
	int err = 0;

	lockdep_assert_held(&sites_lock);
	while (!err && ap_pool_ready(&pool) < wanted && mmkit_ap_nr_tags < max_tags)
		err = chunk_add();
	return err;
}

/*
 * Tags are used again only while no report looks at them, so the lock that
 * reports hold is tried; it cannot be waited for, because whoever stops the
 * profiler waits for this worker under it.
 */
static void refill_work(struct work_struct *work)
{
	bool alone = mutex_trylock(&mmkit_ap_lock);

	mutex_lock(&sites_lock);
	if (running) {
		if (alone)
			recycle();
		if (pool_fill(2 * POOL_LOW))
			pr_warn_once("no memory for more call sites: new ones go to (overflow)\n");
		if (!ap_pool_ready(&pool) && mmkit_ap_nr_tags == max_tags) {
			WRITE_ONCE(exhausted, true);
			pr_warn_once("all %u call sites are in use: further ones share (overflow)\n",
				     max_tags - AP_TAG_SITE);
		}
	}
	mutex_unlock(&sites_lock);
	if (alone)
		mutex_unlock(&mmkit_ap_lock);
}

/* --- start and stop ---------------------------------------------------- */

static u32 tags_wanted(void)
{
	u32 limit = mmkit_ap_wide ? AP_MAX_TAGS32 : AP_MAX_TAGS16;

	return mmkit_ap_max_sites ? min(limit, mmkit_ap_max_sites + AP_TAG_SITE) : limit;
}

int mmkit_ap_sites_start(void)
{
	int cpu, err = -ENOMEM;

	max_tags = tags_wanted();
	slots_mask = roundup_pow_of_two(2 * max_tags) - 1;
	slots = kvcalloc(slots_mask + 1, sizeof(*slots), GFP_KERNEL);
	if (!slots)
		return -ENOMEM;
	memset(&pool, 0, sizeof(pool));
	for_each_possible_cpu(cpu)
		per_cpu(spare_tag, cpu) = 0;
	mmkit_ap_nr_tags = 0;
	atomic_set(&nr_sites, 0);
	exhausted = false;
	mutex_lock(&sites_lock);
	running = true;
	err = pool_fill(POOL_FIRST);
	mutex_unlock(&sites_lock);
	if (!err)
		err = register_module_notifier(&module_nb);
	if (err)
		mmkit_ap_sites_stop();
	return err;
}

void mmkit_ap_sites_stop(void)
{
	unsigned int i;

	unregister_module_notifier(&module_nb);
	mutex_lock(&sites_lock);
	running = false;
	mutex_unlock(&sites_lock);
	irq_work_sync(&refill_kick);
	cancel_work_sync(&refill);

	mutex_lock(&sites_lock);
	for (i = 0; i < ARRAY_SIZE(mmkit_ap_chunks); i++) {
		chunk_free(mmkit_ap_chunks[i]);
		mmkit_ap_chunks[i] = NULL;
	}
	mmkit_ap_nr_tags = 0;
	atomic_set(&nr_sites, 0);
	mutex_unlock(&sites_lock);
	kvfree(slots);
	slots = NULL;
}
