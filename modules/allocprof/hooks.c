// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the page events miss: pages that the bulk allocator takes from per-CPU
 * lists, ranges that are claimed by page frame number, and contents that move
 * to another page. The functions are redirected, and what they did is recorded
 * when they are done. Only pages without a tag are marked, because parts of
 * what these functions do is visible to the events.
 */
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/module.h>

#include "allocprof.h"

enum { ROW_BULK, ROW_CONTIG, ROW_MIGRATE };

static struct mmkit_redirect rows[];

/*
 * The call site of a replacement. A function that asks for its own frame
 * address has a frame that the memo cannot remember, so this one asks: the
 * frames of the replacements stay as they are.
 */
static noinline u32 caller_site(void)
{
	return ap_callsite(ap_frame_here());
}

/* --- bulk -------------------------------------------------------------- */

MMKIT_REDIRECT_DECLARE(bulk, unsigned long, MMKIT_BULK_NAME, MMKIT_BULK_ARGS);

static void bulk_page(struct page *page, u32 tag)
{
	if (mmkit_ap_mark_if_untagged(page_to_pfn(page), tag, true))
		ap_stat(AP_STAT_BULK_PAGES);
}

static void bulk_record(struct list_head *list, struct page **array, unsigned long nr, u32 tag)
{
	struct page *page;
	unsigned long i;

	if (!list) {
		for (i = 0; i < nr; i++) {
			if (array[i])
				bulk_page(array[i], tag);
		}
		return;
	}
	/* New pages are at the head of the list. */
	list_for_each_entry(page, list, lru) {
		if (!nr--)
			break;
		bulk_page(page, tag);
	}
}

static noinline unsigned long mmkit_redirect_fn_bulk MMKIT_BULK_ARGS
{
	unsigned long done;

	mmkit_redirect_enter(&rows[ROW_BULK]);
	done = mmkit_original(bulk)MMKIT_BULK_PASS;
	if (done) {
		preempt_disable_notrace();
		bulk_record(MMKIT_BULK_LIST, array, done, caller_site());
		preempt_enable_notrace();
	}
	mmkit_redirect_leave(&rows[ROW_BULK]);
	return done;
}

/* --- ranges ------------------------------------------------------------ */

MMKIT_REDIRECT_DECLARE(contig, int, MMKIT_CONTIG_NAME, MMKIT_CONTIG_ARGS);

/* A range is one allocation when it is one folio, else each page is one. */
static void contig_record(unsigned long start, unsigned long end, bool folio, u32 tag)
{
	unsigned long pfn;

	for (pfn = start; pfn < end; pfn++) {
		preempt_disable_notrace();
		if (mmkit_ap_mark_if_untagged(pfn, tag, !folio || pfn == start))
			ap_stat(AP_STAT_CONTIG_PAGES);
		preempt_enable_notrace();
	}
}

static noinline int mmkit_redirect_fn_contig MMKIT_CONTIG_ARGS
{
	u32 tag;
	int err;

	mmkit_redirect_enter(&rows[ROW_CONTIG]);
	err = mmkit_original(contig)MMKIT_CONTIG_PASS;
	if (!err) {
		preempt_disable_notrace();
		tag = caller_site();
		preempt_enable_notrace();
		contig_record(start, end, gfp & __GFP_COMP, tag);
	}
	mmkit_redirect_leave(&rows[ROW_CONTIG]);
	return err;
}

/* --- migration --------------------------------------------------------- */

MMKIT_REDIRECT_DECLARE(migrate, void, folio_migrate_flags, (struct folio *dst, struct folio *src));

/*
 * The contents move: so do the tags. They are exchanged, page by page with head
 * bits, which leaves every counter as it is: the migrator's tag goes away with
 * the old page. AP_TAG_EMPTY keeps classification off meanwhile.
 */
static void swap_page_marks(unsigned long dst, unsigned long src)
{
	u32 to = ap_mark_replace(mmkit_ap_table, mmkit_ap_wide, true, dst, AP_TAG_EMPTY);
	u32 from = ap_mark_replace(mmkit_ap_table, mmkit_ap_wide, true, src, AP_TAG_EMPTY);

	if (from == AP_TAG_NONE) {
		/* Not classified yet: the migrator keeps its page, or it is classified there. */
		ap_mark_replace(mmkit_ap_table, mmkit_ap_wide, true, dst,
				to == AP_TAG_EMPTY ? AP_TAG_NONE : to);
		ap_stat(AP_STAT_MIGRATED_UNKNOWN);
		return;
	}
	ap_mark_replace(mmkit_ap_table, mmkit_ap_wide, true, dst, from);
	if (to != AP_TAG_NONE)
		ap_mark_replace(mmkit_ap_table, mmkit_ap_wide, true, src, to);
	ap_stat(AP_STAT_MIGRATED);
}

static void swap_marks(unsigned long dst, unsigned long src, unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < nr; i++) {
		preempt_disable_notrace();
		swap_page_marks(dst + i, src + i);
		preempt_enable_notrace();
	}
}

static noinline void mmkit_redirect_fn_migrate(struct folio *dst, struct folio *src)
{
	mmkit_redirect_enter(&rows[ROW_MIGRATE]);
	mmkit_original(migrate)(dst, src);
	/* Device memory has page frame numbers, but no table describes them. */
	if (dst != src && folio_nr_pages(dst) == folio_nr_pages(src) &&
	    !folio_is_zone_device(dst) && !folio_is_zone_device(src))
		swap_marks(folio_pfn(dst), folio_pfn(src), folio_nr_pages(src));
	else
		ap_stat(AP_STAT_MIGRATED_UNKNOWN);
	mmkit_redirect_leave(&rows[ROW_MIGRATE]);
}

static_assert(__same_type(MMKIT_BULK_NAME, mmkit_redirect_fn_bulk));
static_assert(__same_type(MMKIT_CONTIG_NAME, mmkit_redirect_fn_contig));
static_assert(__same_type(folio_migrate_flags, mmkit_redirect_fn_migrate));

static struct mmkit_redirect rows[] = {
	[ROW_BULK]	= MMKIT_REDIRECT_ROW(bulk),
	[ROW_CONTIG]	= MMKIT_REDIRECT_ROW(contig),
	[ROW_MIGRATE]	= MMKIT_REDIRECT_ROW(migrate),
};

static struct mmkit_redirect_table table = {
	.owner	= "allocprof",
	.rows	= rows,
	.nr	= ARRAY_SIZE(rows),
};

int mmkit_ap_hooks_start(void)
{
	return mmkit_redirect_enable(&table);
}

void mmkit_ap_hooks_stop(void)
{
	mmkit_redirect_disable(&table);
}
