/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of hooks share: the one table of redirects. */
#ifndef TS_HOOKS_H
#define TS_HOOKS_H

#include <linux/ftrace.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>

#include <asm/mte.h>

#include <mmkit/redirect.h>

#include "tagstore.h"

enum {
	/* Called for each page of a fault: they are looked for in this order. */
	TS_ROW_VMA_ALLOC, TS_ROW_SYNC, TS_ROW_MAP_PAGES, TS_ROW_SHMEM, TS_ROW_SWAP_IN,
	TS_ROW_COPY, TS_ROW_MPROTECT, TS_ROW_THP, TS_ROW_MFILL, TS_ROW_KVM_CAP,
	TS_ROW_SWAPOFF, TS_ROW_RESTORE, TS_ROW_SAVE, TS_ROW_TARGET, TS_ROW_COLLAPSE,
#ifdef MMKIT_HAVE_TAG_CLEAR_HIGHPAGES
	TS_ROW_CLEAR,
#endif
	TS_ROW_MIGRATE,
#ifdef MMKIT_HAVE_MTE_HUGETLB
	TS_ROW_HUGE_MIGRATE, TS_ROW_LAST_MIGRATE = TS_ROW_HUGE_MIGRATE,
	TS_ROW_HUGE_ALLOC, TS_ROW_HUGE_FAULT, TS_ROW_HUGE_FREE,
#else
	TS_ROW_LAST_MIGRATE = TS_ROW_MIGRATE,
#endif
	TS_NR_ROWS
};

extern struct mmkit_redirect mmkit_ts_rows[TS_NR_ROWS];

/* Pages for no area in particular come without one. */
static inline bool tagged_area(const struct vm_area_struct *vma)
{
	return vma && vma->vm_flags & VM_MTE;
}

/* Is a fault, the first argument of what handles it, one of a tagged area? */
bool mmkit_ts_tagged_fault(struct ftrace_regs *fregs);

/* --- room.c ------------------------------------------------------------------------------ */

/* Is there room for all of it? */
bool mmkit_ts_folio_reserved(struct folio *folio);

/* Makes it, whatever of the folio is mapped. */
static inline int mmkit_ts_reserve_folio(struct folio *folio, unsigned int tries)
{
	return mmkit_ts_reserve(folio_pfn(folio), folio_nr_pages(folio), tries);
}

/*
 * Room for @page, which exists and has none. The caller has it held and not locked, holds it no
 * more afterwards, and looks at what is there again when this returns 0: it can have room, or
 * have moved; from storage, or because its room could not be had, as long as fewer than
 * TS_OTHER_PAGES pages were tried, @others before this one.
 */
int mmkit_ts_make_room(struct page *page, unsigned int others);
/* What a fault of @vma comes to after that has failed with @err. */
vm_fault_t mmkit_ts_fault_failed(const struct vm_area_struct *vma, int err);

/* --- swap.c and mprotect.c ---------------------------------------------------------------- */

/*
 * The page of a file that a fault asks for, if it is in swap: 0 when it is ready, with room and
 * held, or is not there. Else what the fault comes to.
 */
vm_fault_t mmkit_ts_file_page_from_swap(struct vm_fault *vmf, struct folio **folio);
/*
 * One page of an area, held, with the lock of its mm; brought back if it is swapped out. To be
 * written if @write. NULL where there is none, or an error.
 */
struct page *mmkit_ts_mapped_page(struct vm_area_struct *vma, unsigned long addr, bool write);

/*
 * What the load of the manager has come to. Tagged pages in storage move out first, to
 * where there is room, or there is none for their tags, as there was none before. Then
 * no more moves without room begin, then no more copies, and all tagged pages get room.
 */
enum ts_adoption { TS_ADOPT_MOVE, TS_ADOPT_COPY, TS_ADOPT_SCAN, TS_ADOPT_DONE };
extern enum ts_adoption mmkit_ts_adoption;

/* Room for pages that come from elsewhere with their tags; before @phase they may do without. */
bool mmkit_ts_room_until(enum ts_adoption phase, struct page *page, unsigned long nr);

/* The kernel's huge zero page, NULL when there is none or it cannot be found. */
struct folio *mmkit_ts_huge_zero(void);

/* zero.c: room for the pages of zeros. */
int mmkit_ts_zero_init(void);
void mmkit_ts_zero_exit(void);
/* A tagged folio is the huge one, and is held from now on: the reference of the caller. */
bool mmkit_ts_zero_keep(struct folio *folio);

/* Each fills in its own. */
void mmkit_ts_mprotect_rows(struct mmkit_redirect *rows);
void mmkit_ts_swap_rows(struct mmkit_redirect *rows);
void mmkit_ts_copy_rows(struct mmkit_redirect *rows);
void mmkit_ts_hugetlb_rows(struct mmkit_redirect *rows);

/* The mark of a page, held or not. A hugetlb folio that can be tagged has it on its head alone. */
static inline bool mmkit_ts_carries_tags(struct page *page)
{
	if (mmkit_mte_whole_folio(page_folio(page)))
		page = folio_page(page_folio(page), 0);
	return test_bit(PG_mte_tagged, mmkit_page_flags(page));
}

#ifdef MMKIT_HAVE_MTE_HUGETLB
#define TS_HUGETLB_KSYMS(X)								\
	X(REQUIRED, void, restore_reserve_on_error,					\
	  (struct hstate *h, struct vm_area_struct *vma, unsigned long address,		\
	   struct folio *folio), "a huge page that cannot be tagged would stay charged")
#else
#define TS_HUGETLB_KSYMS(X)
#endif

#define TS_LOST_CLEAR	"tags cannot be cleared when there is room for them"
#define TS_LOST_SWAP	"what comes back from swap can lie where no tags may be"
#define TS_KSYMS(X)									\
	X(REQUIRED, void, mte_clear_page_tags, (void *addr), TS_LOST_CLEAR)		\
	X(REQUIRED, void, mte_zero_clear_page_tags, (void *addr), TS_LOST_CLEAR)	\
	X(REQUIRED, int, force_sig_fault, (int sig, int code, void __user *addr),	\
	  "a task whose page cannot be tagged would fault for ever")			\
	X(REQUIRED, struct swap_info_struct *, get_swap_device, (swp_entry_t entry),	\
	  TS_LOST_SWAP)									\
	X(REQUIRED, struct folio *, swap_cache_get_folio, MMKIT_SWAP_CACHE_ARGS,		\
	  TS_LOST_SWAP)									\
	MMKIT_SWAPIN_KSYM(X, TS_LOST_SWAP)						\
	TS_HUGETLB_KSYMS(X)

MMKIT_KSYM_DECLARE_TABLE(TS_KSYMS)

/* Written in assembly: nobody but the compiler can compare these. */
static_assert(__same_type(mte_clear_page_tags, mmkit_ksym_proto_mte_clear_page_tags));
static_assert(__same_type(mte_zero_clear_page_tags, mmkit_ksym_proto_mte_zero_clear_page_tags));

#endif /* TS_HOOKS_H */
