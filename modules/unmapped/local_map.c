// SPDX-License-Identifier: GPL-2.0-only
/*
 * Short-lived mappings of single pages.
 *
 * How it works. Each CPU has a few pages of address space in an area of ours. Its
 * page tables are built once, by mapping a page that is thrown away, and the
 * addresses of the entries are kept. To map is to write an entry, to unmap is to
 * clear it and flush that one address. Interrupts that map use the next slot and
 * are done before the task goes on, so slots are a stack, and no interrupt has to
 * be kept away. Preemption is off meanwhile: there is no hook where a task could
 * take its mapping along to another CPU.
 *
 * The area is VM_IOREMAP: readers of /proc/kcore take it for a hole. They would
 * read the pages through the direct map, where they are not.
 */
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include <asm/tlbflush.h>

#include "unmapped.h"

#define DEPTH	MMKIT_UNMAPPED_LOCAL_DEPTH

static struct vm_struct *area;
static pte_t **entries;			/* of each slot of each CPU */
static DEFINE_PER_CPU(unsigned int, depth);

#ifdef CONFIG_X86_64
static void slot_set(pte_t *entry, pte_t value)
{
	set_pte(entry, value);
}

/* Also when user space has page tables of its own: the kernel's entries are not global then. */
static void slot_clear(pte_t *entry, unsigned long addr)
{
	set_pte(entry, __pte(0));
	mmkit_ksym(flush_tlb_one_kernel)(addr);
}
#else
static void slot_set(pte_t *entry, pte_t value)
{
	set_pte(entry, value);
	/* Also for a task that has asked for its barriers to be left to the end. */
	dsb(ishst);
	isb();
}

/* All CPUs: the next page at this address must not meet a translation of this one. */
static void slot_clear(pte_t *entry, unsigned long addr)
{
	set_pte(entry, __pte(0));
	flush_tlb_kernel_range(addr, addr + PAGE_SIZE);
}
#endif

static unsigned long slot_addr(unsigned int slot)
{
	return (unsigned long)area->addr + slot * PAGE_SIZE;
}

void *mmkit_unmapped_map_local(struct page *page)
{
	unsigned int level, slot;

	preempt_disable();
	level = this_cpu_inc_return(depth) - 1;
	if (unlikely(level >= DEPTH)) {
		this_cpu_dec(depth);
		preempt_enable();
		mmkit_fuse_blow(&mmkit_um_component, "local mappings are nested too deeply");
		return NULL;
	}
	slot = smp_processor_id() * DEPTH + level;
	slot_set(entries[slot], mk_pte(page, PAGE_KERNEL));
	return (void *)slot_addr(slot);
}
MMKIT_EXPORT(mmkit_unmapped_map_local);

void mmkit_unmapped_unmap_local(void *addr)
{
	unsigned int slot;

	if (!addr)
		return;
	slot = smp_processor_id() * DEPTH + this_cpu_read(depth) - 1;
	if (unlikely(slot_addr(slot) != ((unsigned long)addr & PAGE_MASK))) {
		mmkit_fuse_blow(&mmkit_um_component,
				"a local mapping is undone that is not the last one made");
		return;
	}
	slot_clear(entries[slot], slot_addr(slot));
	this_cpu_dec(depth);
	preempt_enable();
}
MMKIT_EXPORT(mmkit_unmapped_unmap_local);

/* Builds the page tables of the area, and finds its entries. */
static int find_entries(unsigned int slots)
{
	unsigned long start = slot_addr(0), end = slot_addr(slots), size;
	struct page **pages;
	unsigned int slot;
	int err;

	pages = kvcalloc(slots, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	pages[0] = alloc_page(GFP_KERNEL);
	err = pages[0] ? 0 : -ENOMEM;
	if (err)
		goto out;
	for (slot = 1; slot < slots; slot++)
		pages[slot] = pages[0];
	err = mmkit_ksym(__vmap_pages_range_noflush)(start, end, PAGE_KERNEL, pages, PAGE_SHIFT);
	for (slot = 0; slot < slots && !err; slot++) {
		entries[slot] = mmkit_walk(slot_addr(slot), &size);
		if (!entries[slot] || size != PAGE_SIZE)
			err = -EOPNOTSUPP;
	}
	if (err == -EOPNOTSUPP)
		pr_err("the page tables of the kernel are not as expected\n");
	mmkit_ksym(vunmap_range)(start, end);
	__free_page(pages[0]);
out:
	kvfree(pages);
	return err;
}

int mmkit_um_local_init(void)
{
	unsigned int slots = nr_cpu_ids * DEPTH;
	int err = -ENOMEM;

	entries = kvcalloc(slots, sizeof(*entries), GFP_KERNEL);
	if (!entries)
		return -ENOMEM;
	area = mmkit_ksym(__get_vm_area_caller)(slots * PAGE_SIZE, VM_IOREMAP, VMALLOC_START,
						VMALLOC_END, mmkit_unmapped_map_local);
	if (area)
		err = find_entries(slots);
	if (err)
		mmkit_um_local_exit();
	return err;
}

void mmkit_um_local_exit(void)
{
	if (area)
		free_vm_area(area);
	area = NULL;
	kvfree(entries);
	entries = NULL;
}
