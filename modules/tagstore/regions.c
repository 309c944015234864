// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where tag storage lies, and whether it can be lent.
 *
 * A region is described by the parameter
 *
 *	regions=STORAGE:SIZE:TAGGED[+SIZE][:BLOCK][,...]
 *
 * in bytes, as 0x hexadecimal or with a K, M or G behind: where the storage begins,
 * how large it is, where the memory begins that it serves (32 times the storage
 * unless a size says otherwise), and how much of it is taken together (a page).
 * Or it is described by the device tree, when there is no parameter:
 *
 *	tag-storage@c0000000 {				a child of /reserved-memory
 *		compatible = "arm,mte-tag-storage", "shared-dma-pool";
 *		reg = <0x0 0xc0000000 0x0 0x4000000>;
 *		block-size = <0x1000>;
 *		tagged-memory = <&memory0>;
 *		reusable;
 *	};
 *
 * or by a node elsewhere that says "memory" for "tagged-memory".
 *
 * Only some memory can be lent. As long as one page of a pageblock is in use for
 * good, and a page that holds tags is, the page allocator takes no second one out of
 * it, unless the block belongs to the contiguous allocator or to ZONE_MOVABLE. A
 * kernel gives a node to the contiguous allocator when it is also a
 * "shared-dma-pool" and reusable; no module can do that later. Who else takes
 * memory from such an area takes it from us: an area that a device uses, or that
 * serves all of them, is refused. While a region is in use its memory, and that of
 * its storage, cannot be taken offline.
 */
#include <linux/bitmap.h>
#include <linux/cma.h>
#include <linux/dma-map-ops.h>
#include <linux/ioport.h>
#include <linux/lcm.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/of.h>
#include <linux/of_address.h>
#include <linux/pageblock-flags.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "tagstore.h"

#define TS_LOST_CMA	"tag storage in an area of the contiguous allocator cannot be lent"

#define TS_REGION_KSYMS(X)							\
	X(REQUIRED, void, get_online_mems, (void),				\
	  "memory could go while it is looked at")				\
	X(REQUIRED, void, put_online_mems, (void),				\
	  "memory could go while it is looked at")				\
	X(OPTIONAL, int, cma_for_each_area,					\
	  (int (*it)(struct cma *cma, void *data), void *data), TS_LOST_CMA)	\
	X(OPTIONAL, phys_addr_t, cma_get_base, (const struct cma *cma), TS_LOST_CMA)	\
	X(OPTIONAL, unsigned long, cma_get_size, (const struct cma *cma), TS_LOST_CMA)	\
	X(OPTIONAL, const char *, cma_get_name, (const struct cma *cma), TS_LOST_CMA)

#define TS_REGION_DATA(X)							\
	X(OPTIONAL, dma_contiguous_default_area,				\
	  "the area of all devices is known by its name only")

MMKIT_KSYM_DECLARE_TABLE(TS_REGION_KSYMS)
MMKIT_KSYM_DEFINE_TABLE(ksyms, "tagstore", TS_REGION_KSYMS, TS_REGION_DATA);

static_assert(__same_type(get_online_mems, mmkit_ksym_proto_get_online_mems));
static_assert(__same_type(put_online_mems, mmkit_ksym_proto_put_online_mems));
static_assert(__same_type(cma_for_each_area, mmkit_ksym_proto_cma_for_each_area));
static_assert(__same_type(cma_get_base, mmkit_ksym_proto_cma_get_base));
static_assert(__same_type(cma_get_size, mmkit_ksym_proto_cma_get_size));
static_assert(__same_type(cma_get_name, mmkit_ksym_proto_cma_get_name));

struct ts_region mmkit_ts_regions[TS_MAX_REGIONS];
unsigned int mmkit_ts_nr_regions;

/**
 * struct span - a range of physical memory
 * @start: first byte
 * @size:  bytes
 */
struct span {
	u64 start;
	u64 size;
};

/**
 * struct description - a region as it was described
 * @name:    where, for messages
 * @storage: the storage
 * @tagged:  the memory that it serves
 * @block:   bytes that are taken together
 * @foreign: a node that the kernel does not give to the contiguous allocator
 */
struct description {
	char name[sizeof(mmkit_ts_regions[0].name)];
	struct span storage;
	struct span tagged;
	u64 block;
	bool foreign;
};

static __printf(3, 4) int refuse(const struct description *d, int err, const char *fmt, ...)
{
	struct va_format text = { .fmt = fmt };
	va_list args;

	va_start(args, fmt);
	text.va = &args;
	pr_err("region %s (storage %#llx+%#llx, memory %#llx+%#llx, block %#llx): %pV\n", d->name,
	       d->storage.start, d->storage.size, d->tagged.start, d->tagged.size, d->block, &text);
	va_end(args);
	return err;
}

static int not_lendable(const struct description *d, const char *why)
{
	if (d->foreign)
		return refuse(d, -EOPNOTSUPP,
			      "not lendable on this kernel, add shared-dma-pool (reusable): %s",
			      why);
	return refuse(d, -EOPNOTSUPP, "not lendable: %s", why);
}

static bool overlap(struct span a, struct span b)
{
	return a.start < b.start + b.size && b.start < a.start + a.size;
}

static struct span storage_of(const struct ts_region *r)
{
	return (struct span) { PFN_PHYS(r->blocks.storage), PFN_PHYS(r->blocks.nr_storage) };
}

static struct span tagged_of(const struct ts_region *r)
{
	return (struct span) { PFN_PHYS(r->blocks.tagged), PFN_PHYS(r->blocks.nr_tagged) };
}

/* --- is it memory? ------------------------------------------------------------------ */

/**
 * struct ram_walk - memory that was seen up to some place
 * @next: first byte that was not
 */
struct ram_walk {
	u64 next;
};

static int ram_here(struct resource *res, void *data)
{
	struct ram_walk *walk = data;

	if (res->start > walk->next)
		return 1;
	walk->next = res->end + 1;
	return 0;
}

/* First byte of a range that is no memory, or that is offline; its end if there is none. */
static u64 first_hole(struct span of)
{
	struct ram_walk walk = { .next = of.start };
	u64 end = of.start + of.size, at;

	walk_iomem_res_desc(IORES_DESC_NONE, IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY,
			    of.start, end - 1, &walk, ram_here);
	end = min(end, walk.next);
	/* Memory comes and goes in larger pieces than this. */
	for (at = of.start; at < end; at += (u64)pageblock_nr_pages << PAGE_SHIFT) {
		if (!pfn_to_online_page(PHYS_PFN(at)))
			return at;
		cond_resched_tasks_rcu_qs();
	}
	return end;
}

/* --- can it be lent? ---------------------------------------------------------------- */

/**
 * struct cma_search - which area of the contiguous allocator is it?
 * @storage: range that is looked for
 * @area:    the area that has all of it
 * @part:    one has a part of it only
 */
struct cma_search {
	struct span storage;
	struct cma *area;
	bool part;
};

static int cma_look(struct cma *cma, void *data)
{
	struct cma_search *search = data;
	struct span area;

	/* Such an area may lie in pieces, and does not like to be asked where it is. */
	if (!strncmp(mmkit_ksym(cma_get_name)(cma), "hugetlb", 7))
		return 0;
	area.start = mmkit_ksym(cma_get_base)(cma);
	area.size = mmkit_ksym(cma_get_size)(cma);
	if (!overlap(area, search->storage))
		return 0;
	search->part = area.start > search->storage.start ||
		       area.start + area.size < search->storage.start + search->storage.size;
	if (!search->part)
		search->area = cma;
	return 1;
}

static bool cma_known(void)
{
	return mmkit_ksym_found(&ksyms, "cma_for_each_area") &&
	       mmkit_ksym_found(&ksyms, "cma_get_base") &&
	       mmkit_ksym_found(&ksyms, "cma_get_size") &&
	       mmkit_ksym_found(&ksyms, "cma_get_name");
}

/* Where the symbols of data are not kept: the command line made it, or a node. */
static bool looks_default(const struct cma *area, struct span storage)
{
	struct device_node *np;
	struct resource res;

	if (!strcmp(mmkit_ksym(cma_get_name)(area), "reserved"))
		return true;
	for_each_node_with_property(np, "linux,cma-default") {
		if (!of_address_to_resource(np, 0, &res) &&
		    overlap((struct span) { res.start, resource_size(&res) }, storage)) {
			of_node_put(np);
			return true;
		}
	}
	return false;
}

static bool is_default_area(const struct cma *area, struct span storage)
{
	unsigned long addr = mmkit_ksym_found(&ksyms, "dma_contiguous_default_area");

	return addr ? *(struct cma **)addr == area : looks_default(area, storage);
}

/* Does a device of the device tree have its memory there? NULL, or the node, to be put. */
static struct device_node *device_that_uses(struct span storage)
{
	struct device_node *user, *memory;
	struct resource res;
	bool used;
	int i;

	for_each_node_with_property(user, "memory-region") {
		for (i = 0; (memory = of_parse_phandle(user, "memory-region", i)); i++) {
			used = !of_address_to_resource(memory, 0, &res) &&
			       overlap((struct span) { res.start, resource_size(&res) }, storage);
			of_node_put(memory);
			if (used)
				return user;
		}
	}
	return NULL;
}

static int lendable(const struct description *d, bool *cma)
{
	struct cma_search search = { .storage = d->storage };
	unsigned long first = PHYS_PFN(d->storage.start), nr = PHYS_PFN(d->storage.size), i;
	struct zone *zone = page_zone(pfn_to_page(first));
	struct device_node *user;
	bool kept = false;

	for (i = 0; i < nr; i++) {
		struct page *page = pfn_to_page(first + i);

		if (page_zone(page) != zone)
			return not_lendable(d, "the storage lies in more than one zone");
		kept |= PageReserved(page);
	}
	user = device_that_uses(d->storage);
	if (user) {
		refuse(d, -EOPNOTSUPP, "not lendable: device %pOF has its memory there", user);
		of_node_put(user);
		return -EOPNOTSUPP;
	}

	if (cma_known())
		mmkit_ksym(cma_for_each_area)(cma_look, &search);
	if (search.part)
		return not_lendable(d, "only a part of the storage is a contiguous area");
	if (!search.area && zone_idx(zone) != ZONE_MOVABLE)
		return not_lendable(d, "it is neither a contiguous area nor in ZONE_MOVABLE");
	if (search.area && is_default_area(search.area, d->storage))
		return not_lendable(d, "the storage is the area of all devices");
	if (kept)
		return not_lendable(d, "the page allocator was never given all of the storage");
	*cma = search.area;
	return 0;
}

/* --- one region --------------------------------------------------------------------- */

static void region_free(struct ts_region *r)
{
	kvfree(r->blocks.users);
	vfree(r->blocks.state);
	bitmap_free(r->pending);
	bitmap_free(r->idle);
	memset(r, 0, sizeof(*r));
}

static int region_alloc(struct ts_region *r)
{
	unsigned long nr = ts_nr_blocks(&r->blocks);

	/* All is lent, and no page carries tags that we know of. */
	BUILD_BUG_ON(TS_FREE);
	r->blocks.users = kvcalloc(nr, sizeof(*r->blocks.users), GFP_KERNEL);
	r->blocks.state = vzalloc(r->blocks.nr_tagged);
	r->pending = bitmap_zalloc(nr, GFP_KERNEL);
	r->idle = bitmap_zalloc(nr, GFP_KERNEL);
	if (r->blocks.users && r->blocks.state && r->pending && r->idle)
		return 0;
	region_free(r);
	return -ENOMEM;
}

static int check_numbers(const struct description *d, struct ts_blocks *b)
{
	const u64 pageblock = (u64)pageblock_nr_pages << PAGE_SHIFT;
	const char *flaw;

	if ((d->storage.start | d->storage.size | d->tagged.start | d->tagged.size | d->block) &
	    ~PAGE_MASK)
		return refuse(d, -EINVAL, "not in whole pages of %lu", PAGE_SIZE);
	if (d->storage.start + d->storage.size < d->storage.start ||
	    d->tagged.start + d->tagged.size < d->tagged.start)
		return refuse(d, -EINVAL, "a range goes beyond the end of memory");
	if (d->block > d->storage.size)
		return refuse(d, -EINVAL, "a block is larger than the storage");
	b->storage = PHYS_PFN(d->storage.start);
	b->nr_storage = PHYS_PFN(d->storage.size);
	b->tagged = PHYS_PFN(d->tagged.start);
	b->nr_tagged = PHYS_PFN(d->tagged.size);
	b->block_pages = PHYS_PFN(d->block);
	flaw = ts_blocks_flaw(b);
	if (flaw)
		return refuse(d, -EINVAL, "%s", flaw);
	if ((d->storage.start | d->storage.size) & (pageblock - 1))
		return refuse(d, -EINVAL, "the storage is not aligned to %#llx, a pageblock",
			      pageblock);
	return 0;
}

static int check_others(const struct description *d)
{
	unsigned int i;

	for (i = 0; i < mmkit_ts_nr_regions; i++) {
		const struct ts_region *r = &mmkit_ts_regions[i];

		if (overlap(d->storage, storage_of(r)))
			return refuse(d, -EINVAL, "the storage overlaps that of region %s",
				      r->name);
		if (overlap(d->tagged, tagged_of(r)))
			return refuse(d, -EINVAL, "the memory overlaps that of region %s", r->name);
		if (overlap(d->storage, tagged_of(r)))
			return refuse(d, -EINVAL, "the storage lies in the memory of region %s",
				      r->name);
		if (overlap(d->tagged, storage_of(r)))
			return refuse(d, -EINVAL, "the storage of region %s lies in the memory",
				      r->name);
	}
	return 0;
}

static int check_memory(const struct description *d, bool *cma)
{
	u64 hole = first_hole(d->tagged);

	if (hole != d->tagged.start + d->tagged.size)
		return refuse(d, -EINVAL, "the memory has a hole at %#llx", hole);
	hole = first_hole(d->storage);
	if (hole != d->storage.start + d->storage.size) {
		if (d->foreign)
			return not_lendable(d, "the kernel does not know the storage as memory");
		return refuse(d, -EINVAL, "the storage has a hole at %#llx", hole);
	}
	return lendable(d, cma);
}

static int region_add(const struct description *d)
{
	struct ts_region *r = &mmkit_ts_regions[mmkit_ts_nr_regions];
	struct ts_blocks blocks = {};
	int err;

	if (mmkit_ts_nr_regions == TS_MAX_REGIONS)
		return refuse(d, -EINVAL, "more than %u regions", TS_MAX_REGIONS);
	err = check_numbers(d, &blocks);
	if (!err)
		err = check_others(d);
	if (err)
		return err;
	r->blocks = blocks;
	mutex_init(&r->lock);
	strscpy(r->name, d->name, sizeof(r->name));
	err = region_alloc(r);
	if (err)
		return refuse(d, err, "no memory for the states of its pages");

	/* What is looked at must neither go nor come before it is kept. */
	mmkit_ksym(get_online_mems)();
	err = check_memory(d, &r->cma);
	if (!err)
		mmkit_ts_nr_regions++;
	mmkit_ksym(put_online_mems)();
	if (err)
		region_free(r);
	return err;
}

/* Storage is taken, and caches are cleaned of tags, by address: all of it stays. */
static int keep_memory(struct notifier_block *nb, unsigned long action, void *data)
{
	const struct memory_notify *memory = data;
	struct span range = { PFN_PHYS(memory->start_pfn), PFN_PHYS(memory->nr_pages) };
	unsigned int i;

	if (action != MEM_GOING_OFFLINE)
		return NOTIFY_OK;
	for (i = 0; i < mmkit_ts_nr_regions; i++) {
		const struct ts_region *r = &mmkit_ts_regions[i];

		if (overlap(range, storage_of(r)) || overlap(range, tagged_of(r)))
			return notifier_from_errno(-EBUSY);
	}
	return NOTIFY_OK;
}

static struct notifier_block keep_memory_nb = { .notifier_call = keep_memory };

/* --- the parameter ------------------------------------------------------------------ */

/* A number and what must follow it; false when that is not there. */
static bool number(const char **text, u64 *value, char then)
{
	char *end;

	*value = memparse(*text, &end);
	if (end == *text || (then && *end != then))
		return false;
	*text = end + !!then;
	return true;
}

static bool parse_region(const char **text, struct description *d)
{
	if (!number(text, &d->storage.start, ':') || !number(text, &d->storage.size, ':') ||
	    !number(text, &d->tagged.start, 0))
		return false;
	d->tagged.size = d->storage.size * TS_RATIO;
	if (**text == '+') {
		(*text)++;
		if (!number(text, &d->tagged.size, 0))
			return false;
	}
	d->block = PAGE_SIZE;
	if (**text == ':') {
		(*text)++;
		return number(text, &d->block, 0);
	}
	return true;
}

static int regions_from_param(const char *param)
{
	const char *text = param;
	unsigned int nr = 0;
	int err;

	do {
		struct description d = {};

		snprintf(d.name, sizeof(d.name), "%u of the parameter", nr++);
		if (!parse_region(&text, &d) || (*text && *text != ',')) {
			pr_err("regions=%s: STORAGE:SIZE:TAGGED[+SIZE][:BLOCK][,...] expected, not \"%s\"\n",
			       param, text);
			return -EINVAL;
		}
		err = region_add(&d);
		if (err)
			return err;
	} while (*text++);
	return 0;
}

/* --- the device tree ---------------------------------------------------------------- */

static bool has_property(const struct device_node *np, const char *name)
{
	return of_find_property(np, name, NULL);
}

static bool node_range(struct device_node *np, struct span *range)
{
	struct resource res, more;

	if (of_address_to_resource(np, 0, &res) || !of_address_to_resource(np, 1, &more))
		return false;
	*range = (struct span) { res.start, resource_size(&res) };
	return true;
}

static int parse_node(struct device_node *np, struct description *d)
{
	const char *link = has_property(np, "tagged-memory") ? "tagged-memory" : "memory";
	struct device_node *memory;
	bool found;
	u32 block;

	snprintf(d->name, sizeof(d->name), "%pOFP", np);
	if (!node_range(np, &d->storage))
		return refuse(d, -EINVAL, "reg is not one range");
	if (has_property(np, "memory") && has_property(np, "tagged-memory"))
		return refuse(d, -EINVAL, "both memory and tagged-memory");
	memory = of_parse_phandle(np, link, 0);
	if (!memory)
		return refuse(d, -EINVAL, "neither memory nor tagged-memory names a node");
	found = of_node_is_type(memory, "memory") && node_range(memory, &d->tagged);
	of_node_put(memory);
	if (!found)
		return refuse(d, -EINVAL, "%s is no node of memory with one range", link);
	if (of_property_read_u32(np, "block-size", &block))
		return refuse(d, -EINVAL, "block-size is not a number");
	/* The binding counts in 4K, whatever the size of a page is. */
	if (!block || block % SZ_4K)
		return refuse(d, -EINVAL, "block-size %#x is not a multiple of 4K", block);
	d->block = lcm(block, PAGE_SIZE);

	if (has_property(np, "no-map"))
		return not_lendable(d, "it is no-map");
	if (has_property(np, "linux,cma-default"))
		return not_lendable(d, "it is linux,cma-default, for all devices");
	d->foreign = !of_device_is_compatible(np, "shared-dma-pool") ||
		     !has_property(np, "reusable");
	return 0;
}

static int regions_from_tree(void)
{
	struct device_node *np;
	int err;

	for_each_compatible_node(np, NULL, "arm,mte-tag-storage") {
		struct description d = {};

		if (!of_device_is_available(np))
			continue;
		err = parse_node(np, &d);
		if (!err)
			err = region_add(&d);
		if (err) {
			of_node_put(np);
			return err;
		}
	}
	return 0;
}

/* --- public interface --------------------------------------------------------------- */

int mmkit_ts_regions_init(const char *param)
{
	int err;

	err = mmkit_ksym_resolve(&ksyms);
	if (err)
		return err;
	err = register_memory_notifier(&keep_memory_nb);
	if (err) {
		pr_err("cannot keep the memory of regions from going: %d\n", err);
		mmkit_ksym_release(&ksyms);
		return err;
	}
	err = param && *param ? regions_from_param(param) : regions_from_tree();
	if (!err && !mmkit_ts_nr_regions) {
		pr_err("no tag storage: the device tree describes none, and neither does the parameter regions\n");
		err = -ENODEV;
	}
	if (err)
		mmkit_ts_regions_exit();
	return err;
}

void mmkit_ts_regions_exit(void)
{
	unregister_memory_notifier(&keep_memory_nb);
	while (mmkit_ts_nr_regions)
		region_free(&mmkit_ts_regions[--mmkit_ts_nr_regions]);
	mmkit_ksym_release(&ksyms);
}
