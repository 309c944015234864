// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where pages become tagged: memory that exists, in an area that becomes PROT_MTE.
 *
 *	mprotect_fixup		each page of the area is found, gets room, and is held until
 *				it is tagged
 */
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "hooks.h"

MMKIT_REDIRECT_DECLARE(mprotect, int, mprotect_fixup, MMKIT_MPROTECT_ARGS);

/* --- held pages --------------------------------------------------------------- */

/* Pages that must stay where they are until they are tagged. */
struct held {
	struct held *next;
	unsigned int nr;
	struct page *pages[(PAGE_SIZE - 2 * sizeof(void *)) / sizeof(void *)];
};

static int hold_page(struct held **all, struct page *page)
{
	struct held *first = *all;

	if (!first || first->nr == ARRAY_SIZE(first->pages)) {
		first = (struct held *)__get_free_page(GFP_KERNEL);
		if (!first)
			return -ENOMEM;
		first->next = *all;
		first->nr = 0;
		*all = first;
	}
	first->pages[first->nr++] = page;
	return 0;
}

static void release_held(struct held *all)
{
	struct held *next;

	for (; all; all = next) {
		next = all->next;
		while (all->nr)
			put_page(all->pages[--all->nr]);
		free_page((unsigned long)all);
	}
}

/* --- what is mapped ------------------------------------------------------------- */

/*
 * A page of a file that is just being moved is mapped nowhere, and will be when it has been
 * moved. Whoever moves it has it locked, so while we have it the page table says how it is.
 */
static long mapped_file_page(struct vm_area_struct *vma, unsigned long addr, struct page **page)
{
	struct address_space *mapping = vma->vm_file->f_mapping;
	struct page *cached = find_get_page(mapping, linear_page_index(vma, addr));
	struct folio *folio;
	long got = -EINTR;

	if (!cached)
		return 0;
	folio = page_folio(cached);
	if (!folio_lock_killable(folio)) {
		got = folio->mapping == mapping ?
		      mmkit_get_mapped_page(vma->vm_mm, addr, page) : -EAGAIN;
		folio_unlock(folio);
	}
	folio_put(folio);
	return got;
}

/*
 * Is something huge there, mapped or just being moved? With the lock of the mm, which keeps all
 * tables but those that hugetlbfs shares: they stay while interrupts are off.
 */
static bool huge_at(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr), pgd_now = READ_ONCE(*pgd);
	p4d_t *p4d, p4d_now;
	pud_t *pud, pud_now;
	pmd_t pmd;

	if (pgd_none(pgd_now))
		return false;
	p4d = p4d_offset_lockless(pgd, pgd_now, addr);
	p4d_now = READ_ONCE(*p4d);
	if (p4d_none(p4d_now))
		return false;
	pud = pud_offset_lockless(p4d, p4d_now, addr);
	pud_now = READ_ONCE(*pud);
	if (pud_none(pud_now))
		return false;
	if (!pud_table(pud_now))
		return pud_present(pud_now);
	pmd = READ_ONCE(*pmd_offset_lockless(pud, pud_now, addr));
	return mmkit_pmd_moving(pmd) || (pmd_present(pmd) && !pmd_table(pmd));
}

static bool is_huge(struct mm_struct *mm, unsigned long addr)
{
	unsigned long flags;
	bool huge;

	local_irq_save(flags);
	huge = huge_at(mm, addr);
	local_irq_restore(flags);
	return huge;
}

struct page *mmkit_ts_mapped_page(struct vm_area_struct *vma, unsigned long addr, bool write)
{
	bool ours = !(vma->vm_flags & (VM_IO | VM_PFNMAP)), huge, again;
	struct page *page = NULL;
	unsigned int tries = 0;
	long got;

	do {
		huge = ours && is_huge(vma->vm_mm, addr);
		got = mmkit_get_mapped_page(vma->vm_mm, addr, &page);
		/* What is swapped out comes back; in an area of a file that fills holes, too. */
		if (got != 1 && vma->anon_vma)
			got = mmkit_get_page_from_swap(vma->vm_mm, addr, &page);
		if (got != 1 && got != -ENOMEM && ours && vma->vm_file)
			got = mapped_file_page(vma, addr, &page);
		again = got == -EAGAIN || (got != 1 && huge);
		if (again && (fatal_signal_pending(current) || ++tries > HZ))
			return ERR_PTR(-EBUSY);
		/* Nobody asks for what is huge and is just being moved, so nobody waits for it. */
		if (again && huge)
			schedule_timeout_killable(1);
	} while (again);
	if (got == 1 && write) {
		put_page(page);
		got = mmkit_get_page_to_write(vma->vm_mm, addr, &page);
	}
	if (got == 1)
		return page;
	return got == -EFAULT || !got ? NULL : ERR_PTR(got);
}

/* --- mprotect() ------------------------------------------------------------------ */

/* Nothing was written to a huge page of an area of no file, so all of them share one. */
static bool huge_zero(struct vm_area_struct *vma, struct page *page)
{
	return vma_is_anonymous(vma) && PageCompound(page) && !PageAnon(page) &&
	       !is_vm_hugetlb_page(vma);
}

/* The page at @addr, held and with room for its tags; none when there is none. */
static int prepare_page(struct vm_area_struct *vma, unsigned long addr, struct held **held,
			unsigned long *step)
{
	bool write = false;
	unsigned int tries;
	struct page *page;
	int err;

	/* What lies beside it in the area need not lie beside it in the folio. */
	*step = is_vm_hugetlb_page(vma) ? huge_page_size(hstate_vma(vma)) : PAGE_SIZE;
	for (tries = 0; tries <= TS_OTHER_PAGES; tries++) {
		if (fatal_signal_pending(current))
			return -EINTR;
		page = mmkit_ts_mapped_page(vma, addr, write);
		if (IS_ERR_OR_NULL(page))
			return PTR_ERR_OR_ZERO(page);
		/* The huge one of zeros has no room: the area gets a page of its own. */
		write = huge_zero(vma, page);
		/* The zero page has its room for ever, and carries no mark. */
		if (write || is_zero_pfn(page_to_pfn(page))) {
			put_page(page);
			if (!write)
				return 0;
			continue;
		}
		if (mmkit_ts_folio_reserved(page_folio(page))) {
			err = hold_page(held, page);
			if (err)
				put_page(page);
			return err;
		}
		err = mmkit_ts_make_room(page, tries);
		if (err)
			return err;
	}
	return -EBUSY;
}

static int prepare_range(struct vm_area_struct *vma, unsigned long start, unsigned long end,
			 struct held **held)
{
	unsigned long step;
	int err;

	for (; start < end; start += step) {
		err = prepare_page(vma, start, held, &step);
		if (err)
			return err;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched_tasks_rcu_qs();
	}
	return 0;
}

/* Pages that cannot be accessed are not tagged yet, whatever the area says. */
static bool untagged_pages(const struct vm_area_struct *vma)
{
	return !tagged_area(vma) || !(vma->vm_flags & (VM_READ | VM_WRITE));
}

static noinline int mmkit_redirect_fn_mprotect MMKIT_MPROTECT_ARGS
{
	struct held *held = NULL;
	int err = 0;

	mmkit_redirect_enter(&mmkit_ts_rows[TS_ROW_MPROTECT]);
	if (unlikely(newflags & VM_MTE) && untagged_pages(vma) && mmkit_uffd_rwp(vma)) {
		/* Pages there cannot be asked for, and come back by no fault. */
		err = -EINVAL;
	} else if (unlikely(newflags & VM_MTE) && untagged_pages(vma)) {
		/* No fault adds a page behind us. */
		mmkit_vma_start_write(vma);
		err = prepare_range(vma, start, end, &held);
	}
	if (!err)
		err = mmkit_original(mprotect) MMKIT_MPROTECT_PASS;
	else if (err != -EINVAL)
		err = -ENOMEM;
	release_held(held);
	mmkit_redirect_leave(&mmkit_ts_rows[TS_ROW_MPROTECT]);
	return err;
}

void mmkit_ts_mprotect_rows(struct mmkit_redirect *rows)
{
	rows[TS_ROW_MPROTECT] = (struct mmkit_redirect)MMKIT_REDIRECT_ROW(mprotect);
}
