// SPDX-License-Identifier: GPL-2.0-only
/*
 * Side tables: a few bytes for every page.
 *
 * How it works. A table reserves address space for every page frame number that
 * the machine could have, and maps memory into it only where pages are online.
 * Memory is handled in units: a section, or as many sections as one page of the
 * table describes, when a section needs less than that (arm64 with 16K pages
 * and one-byte entries). A unit is mapped when the first of its sections comes
 * online and goes with the last.
 *
 * The address space is a VM_IOREMAP area: readers of /proc/kcore take it for a
 * hole and do not walk through gigabytes of nothing.
 *
 * Readers look up entries without any check, with preemption disabled. A page
 * that is allocated or changes hands is online, and its unit is mapped before
 * the first page of it reaches the page allocator (GOING_ONLINE) and unmapped
 * after the last one has left it, in three steps: no longer covered, grace
 * period, unmapped and freed.
 *
 * Locking: memory hotplug (get_online_mems) before tables_lock. The notifier
 * runs with memory hotplug held for writing, so code that takes tables_lock for
 * more than a look at the list takes get_online_mems() first. Nothing that
 * patches text or waits for CPU hotplug is called under either.
 */
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>

#include <asm/cacheflush.h>

#include <mmkit/pagetab.h>

#include "core.h"
#include "pagetab_units.h"

/* Memory of one unit; its pages are mapped side by side. */
struct pagetab_unit {
	unsigned long sections;		/* online sections, a bit each */
	unsigned long nr;
	struct list_head gone;		/* no longer covered, still mapped */
	struct page *pages[];
};

struct mmkit_pagetab_area {
	struct mmkit_pagetab tab;
	const char *name;
	const struct mmkit_pagetab_ops *ops;
	void *data;
	struct mmkit_pagetab_geometry geo;
	unsigned long max_pfn;		/* one past the last page with address space */
	struct vm_struct *vm;
	struct xarray units;
	struct list_head gone;
	unsigned long bytes;
	struct list_head link;
};

static DEFINE_MUTEX(tables_lock);
static LIST_HEAD(tables);

/* --- address space ----------------------------------------------------- */

static unsigned long highest_online_pfn(void)
{
	unsigned long max = 0;
	int nid;

	for_each_online_node(nid)
		max = max(max, node_end_pfn(nid));
	return max;
}

/*
 * Address space costs nothing, except that KASAN wants shadow for all of it at
 * once: there only what is online now, and as much again, can be described, or
 * the first 16 GiB.
 */
static unsigned long pagetab_max_pfn(void)
{
	if (IS_ENABLED(CONFIG_KASAN_VMALLOC))
		return round_up(max(2 * highest_online_pfn(), PHYS_PFN(SZ_16G)), PAGES_PER_SECTION);
	return 1UL << (mmkit_phys_bits() - PAGE_SHIFT);
}

static int area_reserve(struct mmkit_pagetab_area *area)
{
	unsigned long size;

	if (area->vm)
		return 0;
	area->max_pfn = pagetab_max_pfn();
	size = PAGE_ALIGN(area->max_pfn << area->tab.shift);
	area->vm = mmkit_ksym(__get_vm_area_caller)(size, VM_IOREMAP, VMALLOC_START, VMALLOC_END,
						    __builtin_return_address(0));
	if (!area->vm) {
		pr_err("pagetab %s: no address space for %lu bytes\n", area->name, size);
		return -ENOMEM;
	}
	area->tab.base = area->vm->addr;
	return 0;
}

/* --- units ------------------------------------------------------------- */

static void unit_free(struct mmkit_pagetab_area *area, struct pagetab_unit *unit)
{
	unsigned int i;

	for (i = 0; i < area->geo.pages_per_unit && unit->pages[i]; i++)
		__free_page(unit->pages[i]);
	kfree(unit);
}

static unsigned long unit_addr(struct mmkit_pagetab_area *area, unsigned long nr)
{
	return (unsigned long)area->tab.base + nr * area->geo.pages_per_unit * PAGE_SIZE;
}

static unsigned long unit_end(struct mmkit_pagetab_area *area, unsigned long nr)
{
	return unit_addr(area, nr + 1);
}

static void unit_unmap(struct mmkit_pagetab_area *area, unsigned long nr)
{
	mmkit_ksym(vunmap_range)(unit_addr(area, nr), unit_end(area, nr));
}

/* A table that does not fit fails; nobody is killed to make room for it. */
#define GFP_TABLE	(GFP_KERNEL | __GFP_ZERO | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

static struct pagetab_unit *unit_alloc(struct mmkit_pagetab_area *area, int nid)
{
	struct pagetab_unit *unit;
	unsigned int i;

	unit = kzalloc(struct_size(unit, pages, area->geo.pages_per_unit), GFP_TABLE);
	if (!unit)
		return NULL;
	for (i = 0; i < area->geo.pages_per_unit; i++) {
		unit->pages[i] = alloc_pages_node(nid, GFP_TABLE, 0);
		if (!unit->pages[i]) {
			unit_free(area, unit);
			return NULL;
		}
	}
	return unit;
}

/*
 * Mapping takes page tables, and the index a node, which the kernel allocates
 * with plain GFP_KERNEL and would kill for: look first whether there is room.
 */
static bool unit_has_room(int nid)
{
	struct page *room[4];
	unsigned int i, nr;

	for (nr = 0; nr < ARRAY_SIZE(room); nr++) {
		room[nr] = alloc_pages_node(nid, GFP_TABLE, 0);
		if (!room[nr])
			break;
	}
	for (i = 0; i < nr; i++)
		__free_page(room[i]);
	return nr == ARRAY_SIZE(room);
}

static struct pagetab_unit *unit_map(struct mmkit_pagetab_area *area, unsigned long nr, int nid)
{
	unsigned long addr = unit_addr(area, nr), end = unit_end(area, nr);
	struct pagetab_unit *unit;
	int err;

	unit = unit_alloc(area, nid);
	if (!unit)
		return NULL;
	unit->nr = nr;
	err = unit_has_room(nid) ? 0 : -ENOMEM;
	if (!err)
		err = mmkit_ksym(__vmap_pages_range_noflush)(addr, end, PAGE_KERNEL, unit->pages,
							     PAGE_SHIFT);
	if (!err) {
		flush_cache_vmap(addr, end);
		err = xa_err(xa_store(&area->units, nr, unit, GFP_KERNEL));
	}
	if (err) {
		unit_unmap(area, nr);
		unit_free(area, unit);
		return NULL;
	}
	area->bytes += area->geo.pages_per_unit * PAGE_SIZE;
	return unit;
}

static void unit_detach(struct mmkit_pagetab_area *area, struct pagetab_unit *unit)
{
	xa_erase(&area->units, unit->nr);
	list_add_tail(&unit->gone, &area->gone);
	area->bytes -= area->geo.pages_per_unit * PAGE_SIZE;
}

/* Memory of the detached units; nobody can see them any more. */
static void units_free(struct mmkit_pagetab_area *area)
{
	struct pagetab_unit *unit, *next;

	list_for_each_entry_safe(unit, next, &area->gone, gone) {
		list_del(&unit->gone);
		unit_free(area, unit);
		cond_resched_tasks_rcu_qs();
	}
}

/* --- sections ---------------------------------------------------------- */

static int section_add(struct mmkit_pagetab_area *area, unsigned long section, int nid)
{
	unsigned long pfn = section_nr_to_pfn(section);
	struct pagetab_unit *unit;
	unsigned long nr;
	int err;

	if (area->ops && area->ops->need && !area->ops->need(area->data, pfn, PAGES_PER_SECTION))
		return 0;
	err = area_reserve(area);
	if (err)
		return err;
	if (pfn + PAGES_PER_SECTION > area->max_pfn) {
		pr_err("pagetab %s: page frame %#lx is beyond its address space\n", area->name,
		       pfn);
		return -ENOMEM;
	}
	nr = mmkit_pagetab_unit(&area->geo, section);
	unit = xa_load(&area->units, nr);
	if (!unit)
		unit = unit_map(area, nr, nid);
	if (!unit) {
		pr_err("pagetab %s: no memory for the entries of %#lx pages at %#lx\n", area->name,
		       PAGES_PER_SECTION, pfn);
		return -ENOMEM;
	}
	unit->sections |= mmkit_pagetab_section_bit(&area->geo, section);
	if (area->ops && area->ops->init)
		area->ops->init(area->data, pfn, PAGES_PER_SECTION);
	return 0;
}

static void section_del(struct mmkit_pagetab_area *area, unsigned long section)
{
	unsigned long pfn = section_nr_to_pfn(section);
	unsigned long bit = mmkit_pagetab_section_bit(&area->geo, section);
	struct pagetab_unit *unit = xa_load(&area->units, mmkit_pagetab_unit(&area->geo, section));

	if (!unit || !(unit->sections & bit))
		return;
	if (area->ops && area->ops->fini)
		area->ops->fini(area->data, pfn, PAGES_PER_SECTION);
	unit->sections &= ~bit;
	if (!unit->sections)
		unit_detach(area, unit);
	else
		memset(area->tab.base + (pfn << area->tab.shift), 0,
		       PAGES_PER_SECTION << area->tab.shift);
}

static bool section_covered(struct mmkit_pagetab_area *area, unsigned long section)
{
	struct pagetab_unit *unit = xa_load(&area->units, mmkit_pagetab_unit(&area->geo, section));

	return unit && (READ_ONCE(unit->sections) & mmkit_pagetab_section_bit(&area->geo, section));
}

static void area_del_all(struct mmkit_pagetab_area *area)
{
	struct pagetab_unit *unit;
	unsigned long nr, i;

	xa_for_each(&area->units, nr, unit) {
		for (i = 0; i < area->geo.sections_per_unit; i++)
			section_del(area, nr * area->geo.sections_per_unit + i);
		cond_resched_tasks_rcu_qs();
	}
	if (!area->vm)
		return;
	mmkit_ksym(vunmap_range)((unsigned long)area->tab.base,
				 (unsigned long)area->tab.base +
				 PAGE_ALIGN(area->max_pfn << area->tab.shift));
	units_free(area);
}

static int area_add_online(struct mmkit_pagetab_area *area)
{
	unsigned long section, last;
	int err = 0;

	last = pfn_to_section_nr(highest_online_pfn() + PAGES_PER_SECTION - 1);
	for (section = 0; section < last && !err; section++) {
		if (online_section_nr(section))
			err = section_add(area, section, pfn_to_nid(section_nr_to_pfn(section)));
		cond_resched_tasks_rcu_qs();
	}
	return err;
}

/* --- memory hotplug ---------------------------------------------------- */

static void hotplug_remove(unsigned long first, unsigned long last)
{
	struct mmkit_pagetab_area *area;
	struct pagetab_unit *unit;
	unsigned long section;

	list_for_each_entry(area, &tables, link) {
		for (section = first; section < last; section++)
			section_del(area, section);
	}
	synchronize_rcu();
	list_for_each_entry(area, &tables, link) {
		list_for_each_entry(unit, &area->gone, gone)
			unit_unmap(area, unit->nr);
		units_free(area);
	}
}

/* No section of a range that comes online was covered before, so rollback is removal. */
static int hotplug_add(unsigned long first, unsigned long last, int nid)
{
	struct mmkit_pagetab_area *area;
	unsigned long section;
	int err;

	list_for_each_entry(area, &tables, link) {
		for (section = first; section < last; section++) {
			err = section_add(area, section, nid);
			if (err) {
				hotplug_remove(first, last);
				return err;
			}
		}
	}
	return 0;
}

static int pagetab_notify(struct notifier_block *nb, unsigned long action, void *arg)
{
	struct memory_notify *mem = arg;
	unsigned long first = pfn_to_section_nr(mem->start_pfn);
	unsigned long last = pfn_to_section_nr(mem->start_pfn + mem->nr_pages +
					       PAGES_PER_SECTION - 1);
	int err = 0;

	switch (action) {
	case MEM_GOING_ONLINE:
		mutex_lock(&tables_lock);
		err = hotplug_add(first, last, pfn_to_nid(mem->start_pfn));
		mutex_unlock(&tables_lock);
		break;
	case MEM_CANCEL_ONLINE:
	case MEM_OFFLINE:
		mutex_lock(&tables_lock);
		hotplug_remove(first, last);
		mutex_unlock(&tables_lock);
		break;
	default:
		break;
	}
	return notifier_from_errno(err);
}

static struct notifier_block pagetab_nb = { .notifier_call = pagetab_notify };

/* --- public interface -------------------------------------------------- */

struct mmkit_pagetab *mmkit_pagetab_create(const char *name, unsigned int entry_bytes,
					   const struct mmkit_pagetab_ops *ops, void *data)
{
	struct mmkit_pagetab_area *area;
	int err;

	area = kzalloc(sizeof(*area), GFP_KERNEL);
	if (!area)
		return ERR_PTR(-ENOMEM);
	err = mmkit_pagetab_geometry_init(&area->geo, entry_bytes, PFN_SECTION_SHIFT, PAGE_SHIFT);
	if (err) {
		kfree(area);
		return ERR_PTR(err);
	}
	area->name = name;
	area->ops = ops;
	area->data = data;
	area->tab.shift = area->geo.entry_shift;
	area->tab.area = area;
	xa_init(&area->units);
	INIT_LIST_HEAD(&area->gone);

	mmkit_ksym(get_online_mems)();
	mutex_lock(&tables_lock);
	list_add_tail(&area->link, &tables);
	err = area_add_online(area);
	mutex_unlock(&tables_lock);
	mmkit_ksym(put_online_mems)();
	if (err) {
		mmkit_pagetab_destroy(&area->tab);
		return ERR_PTR(err);
	}
	return &area->tab;
}
MMKIT_EXPORT(mmkit_pagetab_create);

void mmkit_pagetab_destroy(struct mmkit_pagetab *tab)
{
	struct mmkit_pagetab_area *area;

	if (IS_ERR_OR_NULL(tab))
		return;
	area = tab->area;
	mmkit_ksym(get_online_mems)();
	mutex_lock(&tables_lock);
	area_del_all(area);
	list_del(&area->link);
	mutex_unlock(&tables_lock);
	mmkit_ksym(put_online_mems)();

	if (area->vm)
		free_vm_area(area->vm);
	xa_destroy(&area->units);
	kfree(area);
}
MMKIT_EXPORT(mmkit_pagetab_destroy);

bool mmkit_pagetab_covers(const struct mmkit_pagetab *tab, unsigned long pfn)
{
	return section_covered(tab->area, pfn_to_section_nr(pfn));
}
MMKIT_EXPORT(mmkit_pagetab_covers);

int mmkit_pagetab_for_each(struct mmkit_pagetab *tab,
			   int (*fn)(void *data, unsigned long pfn, unsigned long nr_pages),
			   void *data)
{
	unsigned long section = 0, last;
	int err = 0;

	do {
		mmkit_ksym(get_online_mems)();
		last = pfn_to_section_nr(highest_online_pfn() + PAGES_PER_SECTION - 1);
		while (section < last && !section_covered(tab->area, section))
			section++;
		if (section < last)
			err = fn(data, section_nr_to_pfn(section), PAGES_PER_SECTION);
		mmkit_ksym(put_online_mems)();
		cond_resched_tasks_rcu_qs();
	} while (++section < last && !err);
	return err;
}
MMKIT_EXPORT(mmkit_pagetab_for_each);

unsigned long mmkit_pagetab_bytes(const struct mmkit_pagetab *tab)
{
	return IS_ERR_OR_NULL(tab) ? 0 : READ_ONCE(tab->area->bytes);
}
MMKIT_EXPORT(mmkit_pagetab_bytes);

/* --- debugfs ----------------------------------------------------------- */

static int pagetab_show(struct seq_file *m, void *unused)
{
	struct mmkit_pagetab_area *area;

	seq_printf(m, "%-12s %11s %12s %16s\n", "table", "entry_bytes", "bytes", "address_space");
	mutex_lock(&tables_lock);
	list_for_each_entry(area, &tables, link)
		seq_printf(m, "%-12s %11u %12lu %16lu\n", area->name, 1U << area->tab.shift,
			   area->bytes, area->vm ? area->max_pfn << area->tab.shift : 0);
	mutex_unlock(&tables_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(pagetab);

void mmkit_pagetab_files(void)
{
	mmkit_debugfs_table("pagetab", &pagetab_fops);
}

int mmkit_pagetab_init(void)
{
	return register_memory_notifier(&pagetab_nb);
}

void mmkit_pagetab_exit(void)
{
	unregister_memory_notifier(&pagetab_nb);
}
