// SPDX-License-Identifier: GPL-2.0-only
/*
 * The books: what each tag stands for, and where all pages of the machine are.
 *
 * Counters only grow, each on its CPU. Sums read "out" before "in", so whatever
 * moves meanwhile, nothing that is shown can be negative: a page that was
 * counted out had been counted in before.
 */
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/module.h>
#include <linux/vmstat.h>

#include "allocprof.h"

#define AP_BOOKS_TRIES	4

static u64 stat_on(int cpu, enum ap_stat stat)
{
	return READ_ONCE(per_cpu(mmkit_ap_stats[stat], cpu));
}

u64 mmkit_ap_stat_sum(enum ap_stat stat)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += stat_on(cpu, stat);
	return sum;
}

void mmkit_ap_live(u32 tag, struct ap_live *live)
{
	struct ap_counters __percpu *counters = ap_counters(tag);
	struct ap_counters sum = { };
	int cpu;

	for_each_possible_cpu(cpu) {
		const struct ap_counters *on = per_cpu_ptr(counters, cpu);

		sum.singles_out += READ_ONCE(on->singles_out);
		sum.pages_out += READ_ONCE(on->pages_out);
		sum.calls_out += READ_ONCE(on->calls_out);
	}
	/* Pairs with count_out(): what went out is summed first. */
	smp_rmb();
	for_each_possible_cpu(cpu) {
		const struct ap_counters *on = per_cpu_ptr(counters, cpu);

		sum.singles_in += READ_ONCE(on->singles_in);
		sum.pages_in += READ_ONCE(on->pages_in);
		sum.calls_in += READ_ONCE(on->calls_in);
	}
	live->all_pages = sum.singles_in + sum.pages_in;
	live->all_calls = sum.singles_in + sum.calls_in;
	live->pages = live->all_pages - sum.singles_out - sum.pages_out;
	live->calls = live->all_calls - sum.singles_out - sum.calls_out;
}

static void add_zone(struct ap_books *books, struct zone *zone)
{
	int cpu;

	if (!populated_zone(zone))
		return;
	books->managed += zone_managed_pages(zone);
	books->free += zone_page_state_snapshot(zone, NR_FREE_PAGES);
#ifdef CONFIG_UNACCEPTED_MEMORY
	/* The kernel calls these free; classification took them for (preload)other. */
	books->free -= zone_page_state_snapshot(zone, NR_UNACCEPTED);
	books->unaccepted += zone_page_state_snapshot(zone, NR_UNACCEPTED);
#endif
	for_each_possible_cpu(cpu)
		books->pcp += READ_ONCE(per_cpu_ptr(zone->per_cpu_pageset, cpu)->count);
}

static void add_tags(struct ap_books *books)
{
	struct ap_live live;
	u32 tag;

	for (tag = AP_TAG_ANON; tag < mmkit_ap_tags(); tag++) {
		if (!(tag % AP_CHUNK_TAGS))
			cond_resched_tasks_rcu_qs();
		mmkit_ap_live(tag, &live);
		if (tag == AP_TAG_RESERVED)
			books->reserved += live.pages;
		else if (tag < AP_TAG_OVERFLOW)
			books->preload += live.pages;
		else
			books->tracked += live.pages;
	}
}

static void add_zones(struct ap_books *books)
{
	int nid, i;

	for_each_online_node(nid) {
		for (i = 0; i < MAX_NR_ZONES; i++)
			add_zone(books, &NODE_DATA(nid)->node_zones[i]);
	}
}

/*
 * Free memory and tags cannot be read at one moment, and whoever reads may have
 * to wait in between. So free memory is read before and after, and of a few
 * tries that one counts in which least of it moved; a thousandth is little.
 */
void mmkit_ap_books(struct ap_books *books)
{
	u64 least = U64_MAX;
	int tries;

	for (tries = 0; tries < AP_BOOKS_TRIES; tries++) {
		struct ap_books now = { }, after = { };
		u64 moved;

		add_zones(&now);
		add_tags(&now);
		add_zones(&after);
		moved = abs((s64)(now.free + now.pcp - after.free - after.pcp));
		if (moved < least) {
			least = moved;
			*books = now;
		}
		if (moved <= now.managed / 1000)
			return;
	}
}

s64 mmkit_ap_unaccounted(const struct ap_books *books)
{
	return books->managed - books->tracked - books->preload - books->free - books->pcp;
}
