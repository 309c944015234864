// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where text lies: address space, and the memory in it, which are two things.
 *
 * A window is an area of address space in the range of the modules, divided into
 * slots. A slot can hold a block of memory, mapped and unmapped by itself. Slabs are
 * runs of pages in a window, wherever they are free, across blocks too: an object
 * longer than a block takes no more of the last one than it needs.
 *
 * A block is written once, through a mapping at its own slot that cannot be executed:
 * it is filled with traps. That mapping is gone, and flushed, before the one is made
 * that can be executed, and not written.
 */
#include <linux/bitmap.h>
#include <linux/bpf.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include <asm/cacheflush.h>

#include <mmkit/unmapped.h>
#include <mmkit/walk.h>

#include "jit.h"

#define WINDOW_PAGES	(JIT_WINDOW_SLOTS * JIT_BLOCK_PAGES)
#define MAX_WINDOWS	256

/**
 * struct jit_block - memory of text
 * @addr:  where it is mapped
 * @order: of the chunks it was made of: one, where memory is not fragmented
 * @large: one entry of the page table maps it
 * @used:  pages that belong to slabs
 * @since: when the last of them was given back
 * @ksym:  says to the kernel that this is text
 * @gone:  in a list of blocks that are being given back
 * @slab:  the slab that each page belongs to
 * @chunk: the memory
 */
struct jit_block {
	unsigned long addr;
	unsigned int order;
	bool large;
	unsigned int used;
	unsigned long since;
	struct bpf_ksym ksym;
	struct list_head gone;
	struct jit_slab *slab[JIT_BLOCK_PAGES];
	struct page *chunk[];
};

/**
 * struct jit_window - address space for blocks side by side
 * @vm:    the area
 * @start: first byte
 * @slots: how many blocks it has room for
 * @busy:  bit a page: it belongs to a slab
 * @taken: bit a page: it belongs to a slab, or there is no block
 * @block: the blocks
 */
struct jit_window {
	struct vm_struct *vm;
	unsigned long start;
	unsigned int slots;
	DECLARE_BITMAP(busy, WINDOW_PAGES);
	DECLARE_BITMAP(taken, WINDOW_PAGES);
	struct jit_block *block[JIT_WINDOW_SLOTS];
};

unsigned int mmkit_jit_max_blocks;
struct jit_space mmkit_jit_space;

/*
 * Guards windows and blocks. Windows stay until the module goes; lookups take no lock.
 * Order: refill of a class, drain_lock, this, and then the lock of a class or those of
 * mmkit_unmapped and of the kernel's symbols.
 */
static DEFINE_MUTEX(space_lock);
/* When a drain returns, what another one had begun with is given back, too. */
static DEFINE_MUTEX(drain_lock);
static struct jit_window *windows[MAX_WINDOWS];
static unsigned int nr_windows;
static unsigned int nr_spare;
static unsigned long area_start, area_far_start, area_end;
static pgprot_t text_prot;
static bool want_ksym, far_reported;

/* --- blocks ---------------------------------------------------------------- */

static void chunks_free(struct jit_block *block)
{
	unsigned int i;

	for (i = 0; i < JIT_BLOCK_PAGES >> block->order && block->chunk[i]; i++) {
		/* Traps, or what the kernel had left there: no secret of a user of the cache. */
		mmkit_unmapped_free_noscrub(block->chunk[i], block->order);
		block->chunk[i] = NULL;
	}
}

static bool chunks_alloc(struct jit_block *block, unsigned int order)
{
	unsigned int i;

	block->order = order;
	for (i = 0; i < JIT_BLOCK_PAGES >> order; i++) {
		block->chunk[i] = mmkit_unmapped_alloc(GFP_KERNEL | __GFP_NOWARN, order);
		if (!block->chunk[i]) {
			chunks_free(block);
			return false;
		}
	}
	return true;
}

/* Memory in one piece, if there is any; otherwise in smaller ones, mapped page by page. */
static struct jit_block *block_alloc(unsigned long addr)
{
	static const unsigned int orders[] = { JIT_BLOCK_ORDER, 4, 0 };
	struct jit_block *block = NULL;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		kfree(block);
		block = kzalloc(struct_size(block, chunk, JIT_BLOCK_PAGES >> orders[i]),
				GFP_KERNEL);
		if (!block)
			return NULL;
		block->addr = addr;
		if (chunks_alloc(block, orders[i]))
			return block;
	}
	kfree(block);
	return NULL;
}

static int block_map(struct jit_block *block, struct page **pages, pgprot_t prot)
{
	unsigned long end = block->addr + JIT_BLOCK_BYTES;
	unsigned int shift = block->order == JIT_BLOCK_ORDER && PMD_SIZE == JIT_BLOCK_BYTES ?
			     PMD_SHIFT : PAGE_SHIFT;
	int err;

	jit_stat(JIT_MAPS);
	err = mmkit_ksym(__vmap_pages_range_noflush)(block->addr, end, prot, pages, shift);
	if (!err)
		flush_cache_vmap(block->addr, end);
	return err;
}

/* Flushes translations on all CPUs before it returns. */
static void block_unmap(struct jit_block *block)
{
	jit_stat(JIT_UNMAPS);
	mmkit_ksym(vunmap_range)(block->addr, block->addr + JIT_BLOCK_BYTES);
}

static struct page *block_page(struct jit_block *block, unsigned int i)
{
	return block->chunk[i >> block->order] + (i & ((1U << block->order) - 1));
}

#ifdef CONFIG_X86_64
static bool entry_is_text(pte_t entry)
{
	return pte_present(entry) && pte_exec(entry) && !pte_write(entry);
}
#else
static bool entry_is_text(pte_t entry)
{
	return pte_valid(entry) && !(pte_val(entry) & PTE_PXN) && !pte_write(entry);
}
#endif

/* What is mapped is looked up, not believed. */
static bool block_is_text(struct jit_block *block)
{
	unsigned long offset, size, pfn;
	pte_t *entry;

	for (offset = 0; offset < JIT_BLOCK_BYTES; offset += size) {
		pfn = page_to_pfn(block_page(block, offset / PAGE_SIZE));
		entry = mmkit_walk(block->addr + offset, &size);
		if (!entry || !entry_is_text(READ_ONCE(*entry)) ||
		    pte_pfn(READ_ONCE(*entry)) != pfn)
			return false;
	}
	block->large = size == JIT_BLOCK_BYTES;
	return true;
}

static int block_fill_and_map(struct jit_block *block)
{
	struct page **pages;
	unsigned int i;
	int err;

	pages = kmalloc_array(JIT_BLOCK_PAGES, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	for (i = 0; i < JIT_BLOCK_PAGES; i++)
		pages[i] = block_page(block, i);

	err = block_map(block, pages, PAGE_KERNEL);
	if (!err)
		mmkit_jit_poke_fill((void *)block->addr, JIT_BLOCK_BYTES);
	/* A mapping that failed can be there in part. */
	block_unmap(block);
	if (!err) {
		err = block_map(block, pages, text_prot);
		if (err)
			block_unmap(block);
	}
	kfree(pages);
	if (err)
		return err;
	if (!block_is_text(block)) {
		mmkit_fuse_blow(&mmkit_jit_component, "text is mapped as text");
		block_unmap(block);
		return -EIO;
	}
	mmkit_jit_poke_fresh((void *)block->addr, JIT_BLOCK_BYTES);
	return 0;
}

static void block_name(struct jit_block *block)
{
	if (!want_ksym)
		return;
	block->ksym.start = block->addr;
	block->ksym.end = block->addr + JIT_BLOCK_BYTES;
	strscpy(block->ksym.name, "mmkit_jit", sizeof(block->ksym.name));
	INIT_LIST_HEAD(&block->ksym.lnode);
	mmkit_ksym(bpf_ksym_add)(&block->ksym);
}

static int block_add(struct jit_window *win, unsigned int slot)
{
	struct jit_block *block;
	int err;

	block = block_alloc(win->start + slot * JIT_BLOCK_BYTES);
	if (!block)
		return -ENOMEM;
	err = block_fill_and_map(block);
	if (err) {
		chunks_free(block);
		kfree(block);
		return err;
	}
	block_name(block);
	bitmap_clear(win->taken, slot * JIT_BLOCK_PAGES, JIT_BLOCK_PAGES);
	/* Pairs with the lookup: the block is complete. */
	smp_store_release(&win->block[slot], block);
	/* Pairs with mmkit_jit_space_free(): slots were counted before the block in one of them. */
	smp_wmb();
	WRITE_ONCE(mmkit_jit_space.blocks, mmkit_jit_space.blocks + 1);
	mmkit_jit_space.large += block->large;
	block->since = jiffies;
	nr_spare++;
	return 0;
}

/* A block of which nothing is used can be found no more; blocks_free() follows. */
static void block_unlink(struct jit_window *win, unsigned int slot, struct list_head *gone)
{
	struct jit_block *block = win->block[slot];

	WRITE_ONCE(win->block[slot], NULL);
	bitmap_set(win->taken, slot * JIT_BLOCK_PAGES, JIT_BLOCK_PAGES);
	WRITE_ONCE(mmkit_jit_space.blocks, mmkit_jit_space.blocks - 1);
	mmkit_jit_space.large -= block->large;
	nr_spare--;
	if (want_ksym)
		mmkit_ksym(bpf_ksym_del)(&block->ksym);
	list_add(&block->gone, gone);
}

static void blocks_free(struct list_head *gone)
{
	struct jit_block *block, *next;

	if (list_empty(gone))
		return;
	/* Unwinders and lookups that have just found one. */
	synchronize_rcu();
	list_for_each_entry_safe(block, next, gone, gone) {
		block_unmap(block);
		chunks_free(block);
		kfree(block);
	}
}

static void spare_expired(struct work_struct *work);
static DECLARE_DELAYED_WORK(spare_work, spare_expired);

void mmkit_jit_space_drain_later(void)
{
	schedule_delayed_work(&spare_work, JIT_SPARE_SECONDS * HZ);
}

/* Slabs and blocks of which nothing is used: all of them, or those that were kept long enough. */
static void give_back(bool all)
{
	struct jit_block *block;
	unsigned int i, slot;
	LIST_HEAD(gone);

	mutex_lock(&drain_lock);
	mmkit_jit_slab_drain(all);
	mutex_lock(&space_lock);
	for (i = 0; i < nr_windows; i++) {
		for (slot = 0; slot < windows[i]->slots; slot++) {
			block = windows[i]->block[slot];
			if (!block || block->used)
				continue;
			if (all || jit_is_old(block->since))
				block_unlink(windows[i], slot, &gone);
			else
				mmkit_jit_space_drain_later();
		}
	}
	blocks_free(&gone);
	mutex_unlock(&space_lock);
	mutex_unlock(&drain_lock);
}

static void spare_expired(struct work_struct *work)
{
	give_back(false);
}

void mmkit_jit_space_drain(void)
{
	give_back(true);
}

/* --- windows --------------------------------------------------------------- */

/*
 * An area that maps memory without a place in the direct map is one of VM_IOREMAP:
 * who reads /proc/kcore looks no further. Such areas are aligned to their size.
 */
static struct vm_struct *area_get(unsigned int slots, unsigned long start)
{
	return mmkit_ksym(__get_vm_area_caller)(slots * JIT_BLOCK_BYTES, VM_IOREMAP, start,
						area_end, __builtin_return_address(0));
}

/* Where the range is crowded a smaller area is better than none. */
static unsigned int area_get_any(struct vm_struct **vm, unsigned int slots, unsigned int need,
				 unsigned long start)
{
	for (;;) {
		*vm = area_get(slots, start);
		if (*vm || slots == need)
			return *vm ? slots : 0;
		slots = max(slots / 2, need);
	}
}

static int window_add(unsigned int need)
{
	unsigned int slots, left;
	struct jit_window *win;

	left = mmkit_jit_max_blocks - mmkit_jit_space.slots;
	if (need > left)
		return -EDQUOT;
	if (nr_windows == MAX_WINDOWS)
		return -ENOSPC;
	win = kzalloc(sizeof(*win), GFP_KERNEL);
	if (!win)
		return -ENOMEM;
	slots = min_t(unsigned int, JIT_WINDOW_SLOTS, left);
	win->slots = area_get_any(&win->vm, slots, need, area_start);
	if (!win->slots && area_far_start < area_start) {
		win->slots = area_get_any(&win->vm, slots, need, area_far_start);
		if (win->slots && !far_reported)
			mmkit_component_degrade(&mmkit_jit_component,
						"some text is beyond direct branches to the kernel");
		far_reported |= win->slots;
	}
	if (!win->slots) {
		kfree(win);
		return -ENOSPC;
	}
	win->start = (unsigned long)win->vm->addr;
	bitmap_fill(win->taken, WINDOW_PAGES);
	windows[nr_windows] = win;
	WRITE_ONCE(mmkit_jit_space.slots, mmkit_jit_space.slots + win->slots);
	/* Pairs with the lookup: the window is complete. */
	smp_store_release(&nr_windows, nr_windows + 1);
	return 0;
}

/* Memory for all slots from @first to @last that have none, or for none of them. */
static int blocks_add(struct jit_window *win, unsigned int first, unsigned int last)
{
	unsigned long added = 0;
	unsigned int slot;
	LIST_HEAD(gone);
	int err = 0;

	for (slot = first; slot <= last && !err; slot++) {
		if (win->block[slot])
			continue;
		err = block_add(win, slot);
		if (!err)
			added |= BIT(slot);
	}
	if (err) {
		for_each_set_bit(slot, &added, JIT_WINDOW_SLOTS)
			block_unlink(win, slot, &gone);
		blocks_free(&gone);
	}
	return err;
}

/* A run of pages in a window: where there is memory, or anywhere. */
static int run_take(struct jit_window *win, struct jit_slab *slab, bool anywhere)
{
	unsigned long first, page;
	struct jit_block *block;
	int err;

	first = bitmap_find_next_zero_area(anywhere ? win->busy : win->taken,
					   win->slots * JIT_BLOCK_PAGES, 0, slab->pages, 0);
	if (first >= win->slots * JIT_BLOCK_PAGES)
		return -ENOSPC;
	err = blocks_add(win, first / JIT_BLOCK_PAGES, (first + slab->pages - 1) / JIT_BLOCK_PAGES);
	if (err)
		return err;
	bitmap_set(win->busy, first, slab->pages);
	bitmap_set(win->taken, first, slab->pages);
	slab->addr = win->start + first * PAGE_SIZE;
	for (page = first; page < first + slab->pages; page++) {
		block = win->block[page / JIT_BLOCK_PAGES];
		if (!block->used++)
			nr_spare--;
		/* Pairs with the lookup: the slab is complete. */
		smp_store_release(&block->slab[page % JIT_BLOCK_PAGES], slab);
	}
	return 0;
}

static int run_find(struct jit_slab *slab, bool anywhere)
{
	unsigned int i;
	int err = -ENOSPC;

	for (i = 0; i < nr_windows && err == -ENOSPC; i++)
		err = run_take(windows[i], slab, anywhere);
	return err;
}

static int slab_place(struct jit_slab *slab)
{
	int err;

	mutex_lock(&space_lock);
	err = run_find(slab, false);
	if (err == -ENOSPC)
		err = run_find(slab, true);
	if (err == -ENOSPC) {
		err = window_add(DIV_ROUND_UP(slab->pages, JIT_BLOCK_PAGES));
		if (!err)
			err = run_find(slab, true);
	}
	mutex_unlock(&space_lock);
	return err;
}

/* Room for a slab whose other members are set; after this it can be found. */
int mmkit_jit_space_get(struct jit_slab *slab)
{
	int err = slab_place(slab);

	/* What is kept for others stands in the way of nobody. */
	if (err) {
		mmkit_jit_space_drain();
		err = slab_place(slab);
	}
	if (err == -EDQUOT)
		jit_stat(JIT_OVER_QUOTA);
	return err;
}

static struct jit_window *window_of(unsigned long addr)
{
	/* Pairs with window_add(): the windows are complete. */
	unsigned int i, nr = smp_load_acquire(&nr_windows);

	for (i = 0; i < nr; i++) {
		if (addr - windows[i]->start < windows[i]->slots * JIT_BLOCK_BYTES)
			return windows[i];
	}
	return NULL;
}

/*
 * A slab of which nothing is used, or being freed. Its descriptor is the caller's, and
 * the blocks are, too, if it is @drained.
 */
void mmkit_jit_space_put(struct jit_slab *slab, bool drained)
{
	struct jit_window *win = window_of(slab->addr);
	unsigned long first = (slab->addr - win->start) / PAGE_SIZE, page;
	struct jit_block *block;
	LIST_HEAD(gone);

	mutex_lock(&space_lock);
	bitmap_clear(win->busy, first, slab->pages);
	bitmap_clear(win->taken, first, slab->pages);
	for (page = first; page < first + slab->pages; page++) {
		block = win->block[page / JIT_BLOCK_PAGES];
		WRITE_ONCE(block->slab[page % JIT_BLOCK_PAGES], NULL);
		if (--block->used)
			continue;
		block->since = slab->since;
		nr_spare++;
		if (drained)
			continue;
		/* One block is kept for a while. */
		if (nr_spare > 1)
			block_unlink(win, page / JIT_BLOCK_PAGES, &gone);
		else
			mmkit_jit_space_drain_later();
	}
	blocks_free(&gone);
	mutex_unlock(&space_lock);
}

/* The slab that an address lies in, if any. Under RCU. */
struct jit_slab *mmkit_jit_space_find(unsigned long addr)
{
	struct jit_window *win = window_of(addr);
	struct jit_block *block;
	unsigned long page;

	if (!win)
		return NULL;
	page = (addr - win->start) / PAGE_SIZE;
	/* Pairs with block_add(): the block is complete. */
	block = smp_load_acquire(&win->block[page / JIT_BLOCK_PAGES]);
	/* Pairs with run_take(): the slab is complete. */
	return block ? smp_load_acquire(&block->slab[page % JIT_BLOCK_PAGES]) : NULL;
}

/* Address space without memory: slots never become fewer, so they are read last. */
unsigned long mmkit_jit_space_free(void)
{
	unsigned int blocks = READ_ONCE(mmkit_jit_space.blocks);

	/* Pairs with block_add(): the slots of these blocks are counted. */
	smp_rmb();
	return (READ_ONCE(mmkit_jit_space.slots) - blocks) * (unsigned long)JIT_BLOCK_BYTES;
}

/* All slabs, by address; they stay while they are looked at. */
void mmkit_jit_space_each_slab(void (*see)(struct jit_slab *slab, void *data), void *data)
{
	struct jit_slab *slab, *last = NULL;
	struct jit_block *block;
	unsigned int i, page;

	mutex_lock(&space_lock);
	for (i = 0; i < nr_windows; i++) {
		for (page = 0; page < windows[i]->slots * JIT_BLOCK_PAGES; page++) {
			block = windows[i]->block[page / JIT_BLOCK_PAGES];
			slab = block ? block->slab[page % JIT_BLOCK_PAGES] : NULL;
			if (slab && slab != last)
				see(slab, data);
			last = slab;
		}
		cond_resched_tasks_rcu_qs();
	}
	mutex_unlock(&space_lock);
}

/* --- where ------------------------------------------------------------------ */

/*
 * On x86 modules and kernel are within reach of each other wherever they are. On
 * arm64 a direct branch reaches 128M: all of the kernel's text from [_etext - 128M,
 * _stext). Farther away calls need veneers, which mmkit_jit_emit_call() makes.
 */
#ifdef CONFIG_X86_64
static void area_choose(const struct mmkit_ksym_table *ksyms)
{
	area_start = MODULES_VADDR;
	area_far_start = MODULES_VADDR;
	area_end = MODULES_END;
}

static pgprot_t text_prot_choose(bool guarded)
{
	return PAGE_KERNEL_ROX;
}
#else
static void area_choose(const struct mmkit_ksym_table *ksyms)
{
	unsigned long start = mmkit_ksym_found(ksyms, "_stext");
	unsigned long end = mmkit_ksym_found(ksyms, "_etext");

	area_start = max(end - SZ_128M, (unsigned long)MODULES_VADDR);
	area_far_start = max(end - SZ_2G, (unsigned long)MODULES_VADDR);
	area_end = start;
}

/* Of a page that is guarded each target of an indirect branch must be a landing pad. */
static pgprot_t text_prot_choose(bool guarded)
{
	return guarded && system_supports_bti() ?
	       __pgprot(pgprot_val(PAGE_KERNEL_ROX) | PTE_GP) : PAGE_KERNEL_ROX;
}
#endif

static void report(void)
{
	if (PMD_SIZE != JIT_BLOCK_BYTES || !arch_vmap_pmd_supported(text_prot))
		mmkit_component_degrade(&mmkit_jit_component, "text is mapped page by page");
}

void mmkit_jit_space_init(const struct mmkit_ksym_table *ksyms, bool ksym, bool guarded)
{
	want_ksym = ksym && mmkit_ksym_found(ksyms, "bpf_ksym_add") &&
		    mmkit_ksym_found(ksyms, "bpf_ksym_del");
	area_choose(ksyms);
	text_prot = text_prot_choose(guarded);
	report();
}

/* Nothing is used any more. */
void mmkit_jit_space_exit(void)
{
	unsigned int i;

	cancel_delayed_work_sync(&spare_work);
	mmkit_jit_space_drain();
	for (i = 0; i < nr_windows; i++) {
		free_vm_area(windows[i]->vm);
		kfree(windows[i]);
	}
}
