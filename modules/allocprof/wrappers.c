// SPDX-License-Identifier: GPL-2.0-only
/*
 * The wrappers of the page allocator: text that asks for pages on behalf of its
 * caller. The call site is the first return address outside of it. The list is
 * what mainline's allocation tagging wraps, and the parts below that; a name
 * also stands for its "_noprof" twin and for parts that the compiler split off.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "allocprof.h"

static const char * const wrapper_names[] = {
	/* the page allocator */
	"__alloc_pages", "__alloc_pages_slowpath", "__alloc_frozen_pages", "alloc_frozen_pages",
	"alloc_pages", "alloc_pages_node", "alloc_pages_vma", "alloc_pages_mpol",
	"alloc_page_interleave", "alloc_pages_preferred_many", "alloc_frozen_pages_nolock",
	"alloc_pages_nolock", "__folio_alloc", "folio_alloc", "folio_alloc_mpol",
	"folio_alloc_mpol_user", "vma_alloc_folio", "__folio_alloc_node", "alloc_frozen_pages_mpol",
	"__get_free_pages", "get_zeroed_page", "get_free_pages", "alloc_pages_exact",
	"alloc_pages_exact_nid", "make_alloc_exact", "__traceiter_mm_page_alloc",
	"__do_trace_mm_page_alloc",
	"alloc_zeroed_user_highpage_movable", "vma_alloc_zeroed_movable_folio",
	"vma_alloc_anon_folio_pmd",
	/* bulk and by range */
	"__alloc_pages_bulk", "alloc_pages_bulk", "alloc_pages_bulk_array_mempolicy",
	"alloc_pages_bulk_mempolicy", "alloc_pages_bulk_interleave",
	"alloc_pages_bulk_array_interleave",
	"alloc_pages_bulk_array_preferred_many", "alloc_pages_bulk_preferred_many",
	"alloc_pages_bulk_array_weighted_interleave", "alloc_pages_bulk_weighted_interleave",
	"alloc_contig_range", "alloc_contig_frozen_range", "alloc_contig_pages",
	"alloc_contig_frozen_pages", "__alloc_contig_pages", "cma_alloc", "__cma_alloc",
	"cma_range_alloc", "__cma_alloc_frozen", "cma_alloc_frozen",
	/* page cache */
	"filemap_alloc_folio", "__page_cache_alloc",
	/* vmalloc */
	"vm_area_alloc_pages", "__vmalloc_area_node", "__vmalloc_node_range", "__vmalloc_node",
	"__vmalloc", "vmalloc", "vzalloc", "vmalloc_user", "vmalloc_node", "vzalloc_node",
	"vmalloc_32", "vmalloc_32_user", "vmalloc_huge", "vmalloc_huge_node", "__vmalloc_array",
	"vmalloc_array", "__vcalloc", "vcalloc", "vrealloc", "vrealloc_node_align",
	/* kmalloc beyond the slab, and what is built on it */
	"kmalloc_large", "kmalloc_large_node", "__kmalloc_large", "__kmalloc_large_node",
	"___kmalloc_large_node", "__kmalloc", "__kmalloc_node", "__do_kmalloc_node",
	"__kmalloc_node_track_caller", "__kmalloc_track_caller", "kmalloc_order",
	"kmalloc_order_trace", "kvmalloc_node", "__kvmalloc_node", "kvrealloc",
	"kvrealloc_node_align", "krealloc", "krealloc_node_align", "__krealloc", "__do_krealloc",
	"kmemdup", "kmemdup_array", "kvmemdup", "kmemdup_nul", "kstrdup", "kstrndup", "memdup_user",
	"vmemdup_user", "memdup_user_nul",
};

/* Compilers split functions, so there can be more ranges than names. */
#define MAX_WRAPPERS	320

static struct mmkit_text_range wrappers[MAX_WRAPPERS];
static unsigned int nr_wrappers;
static struct mmkit_text_range own_text;

/* Is the instruction before the return address @ip wrapper text, or our own? */
bool mmkit_ap_is_wrapper(unsigned long ip)
{
	unsigned int low = 0, high = nr_wrappers;

	if (--ip - own_text.start < own_text.end - own_text.start)
		return true;
	while (low < high) {
		unsigned int mid = (low + high) / 2;

		if (ip < wrappers[mid].start)
			high = mid;
		else if (ip >= wrappers[mid].end)
			low = mid + 1;
		else
			return true;
	}
	return false;
}

/* Kernel or module text, as against text that was generated. */
bool mmkit_ap_is_text(unsigned long ip)
{
	bool text;

	ip--;
	if (mmkit_ksym(core_kernel_text)(ip))
		return true;
	preempt_disable_notrace();
	text = mmkit_ksym(__module_text_address)(ip);
	preempt_enable_notrace();
	return text;
}

/* The names of the parameter "skip" and where they begin. */
static char **split_skip(char *copy, unsigned int *nr)
{
	char **names, *name;
	unsigned int max = 1;

	for (name = copy; *name; name++)
		max += *name == ',';
	names = kcalloc(max, sizeof(*names), GFP_KERNEL);
	if (!names)
		return NULL;
	*nr = 0;
	while ((name = strsep(&copy, ","))) {
		name = strim(name);
		if (*name)
			names[(*nr)++] = name;
	}
	return names;
}

static int add_ranges(const char * const *names, unsigned int nr)
{
	return mmkit_ksym_text_ranges(names, nr, wrappers + nr_wrappers,
				      MAX_WRAPPERS - nr_wrappers);
}

/* Every name that the user gives must exist: a typing error would go unnoticed. */
static int add_skip(const char *skip)
{
	unsigned int i, nr;
	char *copy, **names;
	int found = 0;

	copy = kstrdup(skip, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	names = split_skip(copy, &nr);
	if (!names)
		found = -ENOMEM;
	for (i = 0; found >= 0 && i < nr; i++) {
		found = add_ranges((const char * const *)&names[i], 1);
		if (!found) {
			pr_err("parameter skip: the kernel has no function called %s\n", names[i]);
			found = -EINVAL;
		} else if (found == -ENOSPC) {
			pr_err("parameter skip: too many functions\n");
			found = -EINVAL;
		} else if (found > 0) {
			nr_wrappers += found;
		}
	}
	kfree(names);
	kfree(copy);
	return found < 0 ? found : 0;
}

static void sort_wrappers(void)
{
	unsigned int i, j;

	for (i = 1; i < nr_wrappers; i++) {
		struct mmkit_text_range range = wrappers[i];

		for (j = i; j && wrappers[j - 1].start > range.start; j--)
			wrappers[j] = wrappers[j - 1];
		wrappers[j] = range;
	}
}

int mmkit_ap_wrappers_find(void)
{
	int found;

	mmkit_module_text(THIS_MODULE, &own_text.start, &own_text.end);
	nr_wrappers = 0;
	found = add_ranges(wrapper_names, ARRAY_SIZE(wrapper_names));
	if (found < 0)
		return found;
	nr_wrappers = found;
	if (mmkit_ap_skip && *mmkit_ap_skip) {
		found = add_skip(mmkit_ap_skip);
		if (found)
			return found;
		sort_wrappers();
	}
	return 0;
}
