// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where pages become tagged: the places that may not sleep. There is room, or room
 * in storage that is taken already, or no tags are written.
 *
 *	copy_highpage		a copy of a tagged page: without room only the data is copied
 *	migrate_folio, migrate_folio_extra
 *				a tagged page moves: without room at its destination it stays
 *	alloc_migration_target	where a tagged page may go: a page of the pool, if it has one
 *	collapse_file		pages of tmpfs become one huge page: not when one is tagged
 *	tag_clear_highpages	the page allocator clears tags for the huge zero page, of which
 *				no tagged area sees anything: it gets none
 *	mte_sync_tags		the last place, under the lock of the page table: what comes
 *				here without room is late. It is counted, and room made at once
 */
#include <linux/hugetlb.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/module.h>

#include <linux/pagemap.h>

#include <asm/mte.h>

#include "hooks.h"

struct collapse_control;

MMKIT_REDIRECT_DECLARE(copy, void, copy_highpage, (struct page *to, struct page *from));
MMKIT_REDIRECT_DECLARE(sync, void, mte_sync_tags, MMKIT_MTE_SYNC_ARGS);
MMKIT_REDIRECT_DECLARE(target, MMKIT_TARGET_TYPE, alloc_migration_target, MMKIT_TARGET_ARGS);
MMKIT_REDIRECT_DECLARE(collapse, MMKIT_COLLAPSE_RET, collapse_file,
		       (struct mm_struct *mm, unsigned long addr, struct file *file,
			unsigned long start, struct collapse_control *cc));
MMKIT_REDIRECT_DECLARE(migrate, int, MMKIT_MIGRATE_NAME, MMKIT_MIGRATE_ARGS);

/* Room, had already or from storage that is taken. */
static bool room_for(struct page *page, unsigned long nr)
{
	if (nr == 1 && mmkit_ts_reserved(page_to_pfn(page)))
		return true;
	return !mmkit_ts_reserve(page_to_pfn(page), nr, TS_NOW);
}

bool mmkit_ts_room_until(enum ts_adoption phase, struct page *page, unsigned long nr)
{
	return room_for(page, nr) ||
	       (READ_ONCE(mmkit_ts_adoption) < phase &&
		!mmkit_ts_lies_in_storage(page_to_pfn(page), nr));
}

/* The tags of all pages of a hugetlb folio are copied with the first. */
static bool room_for_copy(struct page *to)
{
	struct folio *dst = page_folio(to);

	if (!mmkit_mte_whole_folio(dst))
		return mmkit_ts_room_until(TS_ADOPT_SCAN, to, 1);
	return to != folio_page(dst, 0) ||
	       mmkit_ts_room_until(TS_ADOPT_SCAN, to, folio_nr_pages(dst));
}

/* Whoever is told so has marked the page before all marks are looked at for the last time. */
static bool will_be_adopted(void)
{
	/* Pairs with smp_store_mb() in mmkit_ts_adopt(). */
	smp_mb();
	return READ_ONCE(mmkit_ts_adoption) != TS_ADOPT_DONE;
}

static noinline void mmkit_redirect_fn_copy(struct page *to, struct page *from)
{
	mmkit_redirect_enter(&mmkit_ts_rows[TS_ROW_COPY]);
	if (likely(!mmkit_ts_carries_tags(from)) || room_for_copy(to)) {
		mmkit_original(copy)(to, from);
		/* The source may have become tagged in between. */
		if (unlikely(mmkit_ts_carries_tags(to)) && !mmkit_ts_reserved(page_to_pfn(to)) &&
		    !will_be_adopted())
			mmkit_ts_late(page_to_pfn(to), 1);
	} else {
		copy_page(page_address(to), page_address(from));
		mmkit_ts_count(TS_STAT_DROPPED_TAGS, 1);
	}
	mmkit_redirect_leave(&mmkit_ts_rows[TS_ROW_COPY]);
}

static bool folio_carries_tags(struct folio *folio)
{
	unsigned long i;

	for (i = 0; i < folio_nr_pages(folio); i++) {
		if (mmkit_ts_carries_tags(folio_page(folio, i)))
			return true;
	}
	return false;
}

static noinline int mmkit_redirect_fn_migrate MMKIT_MIGRATE_ARGS
{
	int err = -EBUSY;

	mmkit_redirect_enter(&mmkit_ts_rows[TS_ROW_MIGRATE]);
	if (likely(!folio_carries_tags(src))) {
		err = mmkit_original(migrate) MMKIT_MIGRATE_PASS;
	} else if (mmkit_ts_room_until(TS_ADOPT_COPY, folio_page(dst, 0), folio_nr_pages(dst))) {
		err = mmkit_original(migrate) MMKIT_MIGRATE_PASS;
		/* On 6.1 compaction uses it for the next page, tagged or not, and frees nothing. */
		if (err && !folio_carries_tags(dst))
			mmkit_ts_free(folio_pfn(dst), folio_nr_pages(dst));
	} else {
		mmkit_ts_count(TS_STAT_NO_MIGRATION, 1);
	}
	mmkit_redirect_leave(&mmkit_ts_rows[TS_ROW_MIGRATE]);
	return err;
}

static noinline MMKIT_TARGET_TYPE mmkit_redirect_fn_target MMKIT_TARGET_ARGS
{
	struct page *from = mmkit_target_src(src), *page = NULL;
	/* The node that is wanted comes first in what the caller hands over. */
	int nid = *(int *)private, err;
	MMKIT_TARGET_TYPE target;

	mmkit_redirect_enter(&mmkit_ts_rows[TS_ROW_TARGET]);
	if (unlikely(mmkit_ts_carries_tags(from)) && !PageCompound(from))
		page = mmkit_ts_pool_get(nid < 0 ? page_to_nid(from) : nid, false, &err);
	target = page ? mmkit_target(page) : mmkit_original(target)(src, private);
	mmkit_redirect_leave(&mmkit_ts_rows[TS_ROW_TARGET]);
	return target;
}

/* Is a page of the file tagged, of those that would become one? */
static bool file_carries_tags(struct file *file, pgoff_t start)
{
	struct address_space *mapping = file->f_mapping;
	pgoff_t end = start + HPAGE_PMD_NR;
	bool tagged = false;
	struct page *page;

	for (; start < end && !tagged; start++) {
		page = find_get_page(mapping, start);
		if (!page || xa_is_value(page))
			continue;
		tagged = mmkit_ts_carries_tags(page);
		put_page(page);
	}
	return tagged;
}

static noinline MMKIT_COLLAPSE_RET mmkit_redirect_fn_collapse(struct mm_struct *mm,
							      unsigned long addr,
							      struct file *file,
							      unsigned long start,
							      struct collapse_control *cc)
{
	MMKIT_COLLAPSE_RET ret = MMKIT_SCAN_FAIL;

	mmkit_redirect_enter(&mmkit_ts_rows[TS_ROW_COLLAPSE]);
	if (likely(!file_carries_tags(file, start)))
		ret = mmkit_original(collapse)(mm, addr, file, start, cc);
	else
		mmkit_ts_count(TS_STAT_NO_THP, 1);
	mmkit_redirect_leave(&mmkit_ts_rows[TS_ROW_COLLAPSE]);
	return ret;
}

static noinline void mmkit_redirect_fn_sync MMKIT_MTE_SYNC_ARGS
{
	struct page *page = pte_page(pte);
	struct folio *folio = page_folio(page);
	unsigned long nr = mmkit_mte_sync_pages(pte);

	mmkit_redirect_enter(&mmkit_ts_rows[TS_ROW_SYNC]);
	if (mmkit_mte_whole_folio(folio)) {
		page = folio_page(folio, 0);
		nr = folio_nr_pages(folio);
	}
	for (; nr; nr--, page++) {
		/* What was tagged before the load gets room when all do. */
		if (!room_for(page, 1) && !(mmkit_ts_carries_tags(page) && will_be_adopted()))
			mmkit_ts_late(page_to_pfn(page), 1);
	}
	mmkit_original(sync) MMKIT_MTE_SYNC_PASS;
	mmkit_redirect_leave(&mmkit_ts_rows[TS_ROW_SYNC]);
}

#ifdef MMKIT_HAVE_TAG_CLEAR_HIGHPAGES
MMKIT_REDIRECT_DECLARE(clear, bool, tag_clear_highpages,
		       (struct page *page, int numpages, bool clear_pages));

/* What is not done here is left to the caller: clearing the data. */
static noinline bool mmkit_redirect_fn_clear(struct page *page, int numpages, bool clear_pages)
{
	mmkit_redirect_enter(&mmkit_ts_rows[TS_ROW_CLEAR]);
	mmkit_redirect_leave(&mmkit_ts_rows[TS_ROW_CLEAR]);
	return clear_pages;
}
#endif

void mmkit_ts_copy_rows(struct mmkit_redirect *rows)
{
	rows[TS_ROW_COPY] = (struct mmkit_redirect)MMKIT_REDIRECT_ROW(copy);
	rows[TS_ROW_SYNC] = (struct mmkit_redirect)MMKIT_REDIRECT_ROW(sync);
	rows[TS_ROW_MIGRATE] = (struct mmkit_redirect)MMKIT_REDIRECT_ROW(migrate);
	rows[TS_ROW_COLLAPSE] = (struct mmkit_redirect)MMKIT_REDIRECT_ROW(collapse);
	rows[TS_ROW_TARGET] = (struct mmkit_redirect)MMKIT_REDIRECT_ROW(target);
#ifdef MMKIT_HAVE_TAG_CLEAR_HIGHPAGES
	rows[TS_ROW_CLEAR] = (struct mmkit_redirect)MMKIT_REDIRECT_ROW(clear);
#endif
}
