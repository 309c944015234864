// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each function that the suite exports, called as its users do, and undone. What is
 * written to the parameter "run" fails as that function does, and has left nothing.
 */
#include <linux/err.h>
#include <linux/mm.h>

#include <mmkit/component.h>
#include <mmkit/jit.h>
#include <mmkit/ksym.h>
#include <mmkit/page_events.h>
#include <mmkit/pagetab.h>
#include <mmkit/redirect.h>
#include <mmkit/unmapped.h>

#include "test_run.h"

static int err_of(const void *what)
{
	return what ? 0 : -ENOMEM;
}

/* --- the core ------------------------------------------------------------ */

#define API_KSYMS(X) X(REQUIRED, int, core_kernel_text, (unsigned long addr), "a test")

MMKIT_KSYM_DECLARE_TABLE(API_KSYMS)
MMKIT_KSYM_DEFINE_TABLE(ksyms, "test", API_KSYMS, MMKIT_KSYM_NO_DATA);

static int run_ksym(char *args)
{
	static const char * const names[] = { "vmalloc", "kfree" };
	struct mmkit_text_range ranges[16];
	int err = mmkit_ksym_resolve(&ksyms), nr;

	if (err)
		return err;
	nr = mmkit_ksym_text_ranges(names, ARRAY_SIZE(names), ranges, ARRAY_SIZE(ranges));
	if (!mmkit_ksym(core_kernel_text)(mmkit_ksym_found(&ksyms, "core_kernel_text")))
		nr = -ENXIO;
	mmkit_ksym_release(&ksyms);
	return min(nr, 0);
}

static struct mmkit_component component = { .name = "test", .owner = THIS_MODULE };

static int run_component(char *args)
{
	int err = mmkit_component_register(&component);

	if (err)
		return err;
	component.degraded[0] = '\0';
	mmkit_component_degrade(&component, "a test");
	mmkit_component_unregister(&component);
	return 0;
}

static void on_alloc(void *data, struct page *page, unsigned int order, gfp_t gfp, int type)
{
}

static void on_free(void *data, struct page *page, unsigned int order)
{
}

static void on_retag(void *data, unsigned long pfn, unsigned int order, unsigned long ip)
{
}

static struct mmkit_page_events events = {
	.name = "test", .alloc = on_alloc, .free = on_free, .retag = on_retag,
};

static int run_events(char *args)
{
	int err = mmkit_page_events_register(&events);

	if (!err)
		mmkit_page_events_unregister(&events);
	return err;
}

static int see_range(void *data, unsigned long pfn, unsigned long nr_pages)
{
	*(unsigned long *)data += nr_pages;
	return 0;
}

static int run_pagetab(char *args)
{
	struct mmkit_pagetab *tab = mmkit_pagetab_create("test", 2, NULL, NULL);
	unsigned long seen = 0;
	int err;

	if (IS_ERR(tab))
		return PTR_ERR(tab);
	err = mmkit_pagetab_for_each(tab, see_range, &seen);
	if (seen < totalram_pages() || mmkit_pagetab_bytes(tab) < seen * 2)
		err = -ENXIO;
	mmkit_pagetab_destroy(tab);
	return err;
}

static noinline __noclone long dummy(long a)
{
	barrier();
	return a;
}

static struct mmkit_redirect rows[];
MMKIT_REDIRECT_DECLARE(dummy, long, dummy, (long a));

static noinline long mmkit_redirect_fn_dummy(long a)
{
	long sum;

	mmkit_redirect_enter(&rows[0]);
	sum = mmkit_original(dummy)(a) + 1000;
	mmkit_redirect_leave(&rows[0]);
	return sum;
}

static struct mmkit_redirect rows[] = { MMKIT_REDIRECT_ROW(dummy) };
static struct mmkit_redirect_table redirects = { .owner = "test", .rows = rows, .nr = 1 };

static int run_redirect(char *args)
{
	int err;

	rows[0].addr = (unsigned long)dummy;
	err = mmkit_redirect_enable(&redirects);
	if (dummy(1) != (err ? 1 : 1001) || mmkit_redirect_live(&redirects) != !err)
		err = -ENXIO;
	if (!err)
		err = mmkit_redirect_quiesce(&rows[0]);
	mmkit_redirect_disable(&redirects);
	return dummy(1) == 1 ? err : -ENXIO;
}

/* --- pages and text -------------------------------------------------------- */

static int run_pages(char *args)
{
	struct page *page;
	unsigned int order;
	long *map;
	int err;

	if (kstrtouint(args, 10, &order))
		return -EINVAL;
	page = mmkit_unmapped_alloc(GFP_KERNEL | __GFP_ZERO, order);
	if (!page)
		return -ENOMEM;
	map = mmkit_unmapped_map_local(page);
	err = !map || *map ? -ENXIO : 0;
	mmkit_unmapped_unmap_local(map);
	mmkit_unmapped_free(page, order);
	if (err)
		return err;
	page = mmkit_unmapped_alloc_node(numa_mem_id(), GFP_KERNEL, order);
	mmkit_unmapped_free_noscrub(page, order);
	return err_of(page);
}

static int run_text(char *args)
{
	u8 code[2 * MMKIT_JIT_EMIT_MAX];
	unsigned int len;
	int n, jump, err;
	void *text;

	if (kstrtouint(args, 10, &len) || len < sizeof(code))
		return -EINVAL;
	text = mmkit_jit_alloc_named(NULL, len, "test");
	if (!text)
		return -ENOMEM;
	n = mmkit_jit_emit_entry(code);
	jump = n;
	n += mmkit_jit_emit_nop(code + n);
	n += mmkit_jit_emit_return(code + n, text + n);
	err = mmkit_jit_size(text) == len ? mmkit_jit_update(text, code, n) : -ENXIO;
	if (!err)
		err = mmkit_jit_patch_branch(text + jump, text + n);
	mmkit_jit_free(text);
	return err;
}

/* What is freed later is back when the module is. */
static int run_text_later(char *args)
{
	void *text = mmkit_jit_alloc(NULL, 100), *other = mmkit_jit_alloc(NULL, 5000);

	mmkit_jit_free_rcu(text);
	mmkit_jit_free_rcu_tasks(other);
	return text ? err_of(other) : -ENOMEM;
}

TEST_COMMANDS({ "ksym", run_ksym },
	      { "component", run_component },
	      { "events", run_events },
	      { "pagetab", run_pagetab },
	      { "redirect", run_redirect },
	      { "pages", run_pages },		/* ORDER */
	      { "text", run_text },		/* LEN */
	      { "text_later", run_text_later });

static int __init test_init(void)
{
	return 0;
}
module_init(test_init);

static void __exit test_exit(void)
{
}
module_exit(test_exit);
