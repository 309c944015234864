// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every way in which a module gets pages, each in a function that is named for
 * it, and the kernel's own users of pages that a module can set to work. All is
 * taken at load and said in the log:
 *
 *	held FUNCTION BYTES	a function here: exactly that much is its
 *	owner PATH BYTES	a function of the kernel's owns at least that much
 *
 * Writing 0 to the parameter "held" gives it all back.
 */
#include <linux/gfp.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/percpu.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "test.h"

#define GFP		(GFP_KERNEL | __GFP_NOWARN)
#define MANY		64
/* A size that the page allocator cannot give in one piece, but in huge pages. */
#define BEYOND_BUDDY	((PAGE_SIZE << MMKIT_MAX_PAGE_ORDER) + PMD_SIZE)

/**
 * struct page_path - a way to get pages
 * @name:  of the function, or of the path when the kernel owns the pages
 * @owner: a function of the kernel's owns them
 * @order: for those that deal in powers of two
 * @bytes: what they are charged with
 * @take:  gets them; false: it could not
 * @give:  gives them back
 * @mem:   what @take got
 * @many:  the same, where it is more than one thing
 */
struct page_path {
	const char *name;
	bool owner;
	unsigned int order;
	unsigned long bytes;
	bool (*take)(struct page_path *path);
	void (*give)(struct page_path *path);
	void *mem;
	void *many[MANY];
};

/* --- the page allocator ------------------------------------------------ */

static void give_pages(struct page_path *path)
{
	__free_pages(path->mem, path->order);
}

#define PATHS_ORDER(n)							\
static noinline bool paths_order##n(struct page_path *path)			\
{									\
	path->mem = alloc_pages(GFP, n);				\
	return path->mem;						\
}

PATHS_ORDER(0)
PATHS_ORDER(1)
PATHS_ORDER(2)
PATHS_ORDER(3)
PATHS_ORDER(4)
PATHS_ORDER(5)
PATHS_ORDER(6)
PATHS_ORDER(7)
PATHS_ORDER(8)
PATHS_ORDER(9)
PATHS_ORDER(10)

static noinline bool paths_compound(struct page_path *path)
{
	path->mem = alloc_pages(GFP | __GFP_COMP, path->order);
	return path->mem;
}

static noinline bool paths_node(struct page_path *path)
{
	path->mem = alloc_pages_node(numa_mem_id(), GFP, path->order);
	return path->mem;
}

static noinline bool paths_no_wait(struct page_path *path)
{
	path->mem = alloc_pages(GFP_NOWAIT | __GFP_NOWARN, path->order);
	return path->mem;
}

static void give_address(struct page_path *path)
{
	free_pages((unsigned long)path->mem, path->order);
}

static noinline bool paths_free_pages(struct page_path *path)
{
	path->mem = (void *)__get_free_pages(GFP, path->order);
	return path->mem;
}

static noinline bool paths_zeroed(struct page_path *path)
{
	path->mem = (void *)get_zeroed_page(GFP);
	return path->mem;
}

static noinline bool paths_exact(struct page_path *path)
{
	path->mem = alloc_pages_exact(path->bytes, GFP);
	return path->mem;
}

static void give_exact(struct page_path *path)
{
	free_pages_exact(path->mem, path->bytes);
}

static void give_folio(struct page_path *path)
{
	folio_put(path->mem);
}

static noinline bool paths_folio(struct page_path *path)
{
	path->mem = folio_alloc(GFP, path->order);
	return path->mem;
}

static noinline bool paths_folio_node(struct page_path *path)
{
	path->mem = __folio_alloc_node(GFP, path->order, numa_mem_id());
	return path->mem;
}

static noinline bool paths_page_cache(struct page_path *path)
{
	path->mem = __page_cache_alloc(GFP);
	return path->mem;
}

/* --- many pages at once ------------------------------------------------ */

static void give_many(struct page_path *path)
{
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		if (path->many[i])
			__free_page(path->many[i]);
	}
}

/* A kernel with page_owner=on hands out one at a time. */
static noinline bool paths_bulk_array(struct page_path *path)
{
	unsigned long before, nr = 0;

	do {
		before = nr;
		nr = mmkit_test_bulk(GFP, MANY, (struct page **)path->many);
	} while (nr > before && nr < MANY);
	if (nr < MANY)
		give_many(path);
	return nr == MANY;
}

#ifdef mmkit_test_bulk_list
static noinline bool paths_bulk_list(struct page_path *path)
{
	LIST_HEAD(list);
	struct page *page, *next;
	unsigned int got, nr = 0, i = 0;

	do {
		got = mmkit_test_bulk_list(GFP, MANY - nr, &list);
		nr += got;
	} while (got && nr < MANY);
	list_for_each_entry_safe(page, next, &list, lru) {
		list_del(&page->lru);
		path->many[i++] = page;
	}
	if (nr < MANY)
		give_many(path);
	return nr == MANY;
}
#endif

static noinline int paths_contig(unsigned long pfn, unsigned long nr)
{
	int err = mmkit_test_contig(pfn, pfn + nr, GFP);

	barrier();
	return err;
}

/* From the top of memory downwards: there is most of the time something free. */
static bool take_contig(struct page_path *path)
{
	unsigned long nr = path->bytes >> PAGE_SHIFT;
	unsigned long pfn = node_end_pfn(first_online_node) & ~(nr - 1);
	unsigned int tries = 0;

	for (; pfn > nr && tries < 64; pfn -= nr) {
		if (!pfn_to_online_page(pfn) || !pfn_to_online_page(pfn + nr - 1))
			continue;
		/* A debug kernel has much that was never free up there. */
		if (PageReserved(pfn_to_page(pfn)))
			continue;
		tries++;
		if (!paths_contig(pfn, nr)) {
			path->mem = pfn_to_page(pfn);
			return true;
		}
	}
	return false;
}

static void give_contig(struct page_path *path)
{
	struct page *first = path->mem;

	free_contig_range(page_to_pfn(first), path->bytes >> PAGE_SHIFT);
}

/* --- vmalloc ----------------------------------------------------------- */

static void give_vmalloc(struct page_path *path)
{
	kvfree(path->mem);
}

static noinline bool paths_vmalloc(struct page_path *path)
{
	path->mem = vmalloc(path->bytes);
	return path->mem;
}

static noinline bool paths_vmalloc_one(struct page_path *path)
{
	path->mem = vmalloc(path->bytes);
	return path->mem;
}

static noinline bool paths_vzalloc(struct page_path *path)
{
	path->mem = vzalloc(path->bytes);
	return path->mem;
}

static noinline bool paths_vmalloc_gfp(struct page_path *path)
{
	path->mem = __vmalloc(path->bytes, GFP | __GFP_ZERO);
	return path->mem;
}

static noinline bool paths_vmalloc_node(struct page_path *path)
{
	path->mem = vmalloc_node(path->bytes, numa_mem_id());
	return path->mem;
}

static noinline bool paths_vmalloc_user(struct page_path *path)
{
	path->mem = vmalloc_user(path->bytes);
	return path->mem;
}

static noinline bool paths_vmalloc_huge(struct page_path *path)
{
	path->mem = vmalloc_huge(path->bytes, GFP);
	return path->mem;
}

static noinline bool paths_vmalloc_array(struct page_path *path)
{
	path->mem = vmalloc_array(path->bytes >> PAGE_SHIFT, PAGE_SIZE);
	return path->mem;
}

static noinline bool paths_kvmalloc(struct page_path *path)
{
	path->mem = kvmalloc(path->bytes, GFP);
	return path->mem;
}

/* An array of that many page pointers comes from vmalloc itself, and is ours too. */
static noinline bool paths_kvmalloc_beyond(struct page_path *path)
{
	path->mem = kvmalloc(BEYOND_BUDDY, GFP);
	path->bytes = BEYOND_BUDDY +
		      PAGE_ALIGN((BEYOND_BUDDY >> PAGE_SHIFT) * sizeof(struct page *));
	return path->mem;
}

static noinline bool paths_kvcalloc(struct page_path *path)
{
	path->mem = kvcalloc(path->bytes >> PAGE_SHIFT, PAGE_SIZE, GFP);
	return path->mem;
}

/* --- kmalloc beyond the slab ------------------------------------------- */

static void give_kmalloc(struct page_path *path)
{
	kfree(path->mem);
}

static noinline bool paths_kmalloc_4_pages(struct page_path *path)
{
	path->mem = kmalloc(4 * PAGE_SIZE, GFP);
	return path->mem;
}

static noinline bool paths_kmalloc_1k_pages(struct page_path *path)
{
	path->mem = kmalloc(1024 * PAGE_SIZE, GFP);
	return path->mem;
}

static noinline bool paths_kmalloc_size(struct page_path *path)
{
	path->mem = kmalloc(path->bytes, GFP);
	return path->mem;
}

static noinline bool paths_kzalloc(struct page_path *path)
{
	path->mem = kzalloc(path->bytes, GFP);
	return path->mem;
}

static noinline bool paths_kcalloc(struct page_path *path)
{
	path->mem = kcalloc(path->bytes >> PAGE_SHIFT, PAGE_SIZE, GFP);
	return path->mem;
}

static noinline bool paths_kmalloc_node(struct page_path *path)
{
	path->mem = kmalloc_node(path->bytes, GFP, numa_mem_id());
	return path->mem;
}

static noinline bool paths_krealloc(struct page_path *path)
{
	void *small = kmalloc(32, GFP);

	path->mem = krealloc(small, path->bytes, GFP);
	if (!path->mem)
		kfree(small);
	return path->mem;
}

static noinline bool paths_kmemdup(struct page_path *path)
{
	path->mem = kmemdup(path->many[0], path->bytes, GFP);
	return path->mem;
}

static bool take_kmemdup(struct page_path *path)
{
	bool taken = false;

	path->many[0] = vzalloc(path->bytes);
	if (path->many[0])
		taken = paths_kmemdup(path);
	vfree(path->many[0]);
	return taken;
}

/* --- the kernel's own users -------------------------------------------- */

/* Caches with a constructor are never merged with others. */
static void slab_constructor(void *object)
{
}

#define SLAB_OBJECTS	2048

static bool take_slab(struct page_path *path)
{
	void ***objects = (void ***)&path->many[0];
	unsigned int i;

	path->mem = kmem_cache_create("paths_slab", path->bytes / SLAB_OBJECTS, 0, 0,
				      slab_constructor);
	*objects = kcalloc(SLAB_OBJECTS, sizeof(**objects), GFP);
	if (!path->mem || !*objects)
		return false;
	for (i = 0; i < SLAB_OBJECTS; i++) {
		(*objects)[i] = kmem_cache_alloc(path->mem, GFP);
		if (!(*objects)[i])
			return false;
	}
	return true;
}

static void give_slab(struct page_path *path)
{
	void **objects = path->many[0];
	unsigned int i;

	for (i = 0; i < SLAB_OBJECTS; i++)
		kmem_cache_free(path->mem, objects[i]);
	kfree(objects);
	kmem_cache_destroy(path->mem);
}

static void __percpu *percpu_memory[MANY];

/* Per-CPU memory is there in part: asked for is twice what must be added. */
static bool take_percpu(struct page_path *path)
{
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		percpu_memory[i] = __alloc_percpu(2 * path->bytes / MANY / num_possible_cpus(), 64);
		if (!percpu_memory[i])
			return false;
	}
	return true;
}

static void give_percpu(struct page_path *path)
{
	unsigned int i;

	for (i = 0; i < MANY; i++)
		free_percpu(percpu_memory[i]);
}

static bool take_skb(struct page_path *path)
{
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		path->many[i] = alloc_skb(path->bytes / MANY, GFP);
		if (!path->many[i])
			return false;
	}
	return true;
}

static void give_skb(struct page_path *path)
{
	unsigned int i;

	for (i = 0; i < MANY; i++)
		kfree_skb(path->many[i]);
}

static bool take_skb_frags(struct page_path *path)
{
	unsigned int i;
	int err;

	for (i = 0; i < MANY; i++) {
		path->many[i] = alloc_skb_with_frags(64, path->bytes / MANY, 2, &err, GFP);
		if (!path->many[i])
			return false;
	}
	return true;
}

static bool take_sock_frag(struct page_path *path)
{
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		struct page_frag frag = { };

		if (!skb_page_frag_refill(path->bytes / MANY, &frag, GFP))
			return false;
		path->many[i] = frag.page;
	}
	return true;
}

static void give_sock_frag(struct page_path *path)
{
	unsigned int i;

	for (i = 0; i < MANY; i++)
		put_page(path->many[i]);
}

static bool take_netdev_frag(struct page_path *path)
{
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		path->many[i] = netdev_alloc_frag(path->bytes / MANY);
		if (!path->many[i])
			return false;
	}
	return true;
}

static void give_netdev_frag(struct page_path *path)
{
	unsigned int i;

	for (i = 0; i < MANY; i++)
		skb_free_frag(path->many[i]);
}

/* --- all of them ------------------------------------------------------- */

#define PAGES(fn, n, giver)	{ .name = #fn, .order = n, .bytes = PAGE_SIZE << (n),	\
				  .take = fn, .give = giver }
#define BYTES(fn, n, giver)	{ .name = #fn, .bytes = n, .take = fn, .give = giver }
#define OWNER(path, n)		{ .name = #path, .owner = true, .bytes = n,		\
				  .take = take_##path, .give = give_##path }

static struct page_path paths[] = {
	PAGES(paths_order0, 0, give_pages),
	PAGES(paths_order1, 1, give_pages),
	PAGES(paths_order2, 2, give_pages),
	PAGES(paths_order3, 3, give_pages),
	PAGES(paths_order4, 4, give_pages),
	PAGES(paths_order5, 5, give_pages),
	PAGES(paths_order6, 6, give_pages),
	PAGES(paths_order7, 7, give_pages),
	PAGES(paths_order8, 8, give_pages),
	PAGES(paths_order9, 9, give_pages),
	PAGES(paths_order10, 10, give_pages),
	PAGES(paths_compound, 3, give_pages),
	PAGES(paths_node, 2, give_pages),
	PAGES(paths_no_wait, 1, give_pages),
	PAGES(paths_free_pages, 2, give_address),
	PAGES(paths_zeroed, 0, give_address),
	PAGES(paths_folio, 3, give_folio),
	PAGES(paths_folio_node, 2, give_folio),
	PAGES(paths_page_cache, 0, give_pages),
	BYTES(paths_exact, 5 * PAGE_SIZE, give_exact),
	BYTES(paths_bulk_array, MANY * PAGE_SIZE, give_many),
#ifdef mmkit_test_bulk_list
	BYTES(paths_bulk_list, MANY * PAGE_SIZE, give_many),
#endif
	{ .name = "paths_contig", .bytes = 1024 * PAGE_SIZE, .take = take_contig,
	  .give = give_contig },
	BYTES(paths_vmalloc, 50 * PAGE_SIZE, give_vmalloc),
	BYTES(paths_vmalloc_one, PAGE_SIZE, give_vmalloc),
	BYTES(paths_vzalloc, 20 * PAGE_SIZE, give_vmalloc),
	BYTES(paths_vmalloc_gfp, 30 * PAGE_SIZE, give_vmalloc),
	BYTES(paths_vmalloc_node, 40 * PAGE_SIZE, give_vmalloc),
	BYTES(paths_vmalloc_user, 10 * PAGE_SIZE, give_vmalloc),
	BYTES(paths_vmalloc_huge, 512 * PAGE_SIZE, give_vmalloc),
	BYTES(paths_vmalloc_array, 60 * PAGE_SIZE, give_vmalloc),
	BYTES(paths_kvmalloc, 32 * PAGE_SIZE, give_vmalloc),
	BYTES(paths_kvmalloc_beyond, 0, give_vmalloc),
	BYTES(paths_kvcalloc, 16 * PAGE_SIZE, give_vmalloc),
	BYTES(paths_kmalloc_4_pages, 4 * PAGE_SIZE, give_kmalloc),
	BYTES(paths_kmalloc_1k_pages, 1024 * PAGE_SIZE, give_kmalloc),
	BYTES(paths_kmalloc_size, 32 * PAGE_SIZE, give_kmalloc),
	BYTES(paths_kzalloc, 4 * PAGE_SIZE, give_kmalloc),
	BYTES(paths_kcalloc, 8 * PAGE_SIZE, give_kmalloc),
	BYTES(paths_kmalloc_node, 16 * PAGE_SIZE, give_kmalloc),
	BYTES(paths_krealloc, 64 * PAGE_SIZE, give_kmalloc),
	{ .name = "paths_kmemdup", .bytes = 32 * PAGE_SIZE, .take = take_kmemdup,
	  .give = give_kmalloc },

	OWNER(slab, 2 << 20),
	OWNER(percpu, 2 << 20),
	OWNER(skb, MANY * 60000),
	{ .name = "skb_frags", .owner = true, .bytes = MANY * 0x10000, .take = take_skb_frags,
	  .give = give_skb },
	OWNER(sock_frag, MANY * 0x8000),
	OWNER(netdev_frag, MANY * 0x1000),
};

static bool held;
static unsigned int taken;

static void give_all(void)
{
	while (taken) {
		struct page_path *path = &paths[--taken];

		path->give(path);
	}
	held = false;
}

static int take_all(void)
{
	for (taken = 0; taken < ARRAY_SIZE(paths); taken++) {
		struct page_path *path = &paths[taken];

		if (!path->take(path)) {
			pr_info("not ok - %s gets its memory\n", path->name);
			give_all();
			return -ENOMEM;
		}
		pr_info("%s %s %lu\n", path->owner ? "owner" : "held", path->name, path->bytes);
	}
	held = true;
	return 0;
}

static int held_set(const char *value, const struct kernel_param *kp)
{
	int err = param_set_bool(value, kp);

	if (err || held)
		return -EINVAL;
	give_all();
	return 0;
}

static const struct kernel_param_ops held_ops = { .set = held_set, .get = param_get_bool };
module_param_cb(held, &held_ops, &held, 0600);
MODULE_PARM_DESC(held, "write 0 to give everything back");

static int __init test_init(void)
{
	return take_all();
}
module_init(test_init);

static void __exit test_exit(void)
{
	give_all();
}
module_exit(test_exit);
