// SPDX-License-Identifier: GPL-2.0-only
/*
 * Times the text allocator, and what the kernel has instead. In a guest with one
 * CPU whose clock counts instructions (QEMU -icount shift=0,sleep=off) the
 * nanoseconds are instructions.
 */
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include <mmkit/jit.h>
#include <mmkit/ksym.h>

#include "test.h"

static unsigned int rounds = 1000;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "objects of each kind");

static unsigned int len = 256;
module_param(len, uint, 0444);
MODULE_PARM_DESC(len, "bytes of an object");

#define BENCH_KSYMS(X)									\
	X(OPTIONAL, void *, module_alloc, (unsigned long size), "nothing to compare with")	\
	X(OPTIONAL, void *, execmem_alloc, (int type, size_t size), "nothing to compare with") \
	X(OPTIONAL, void, execmem_free, (void *ptr), "nothing to compare with")		\
	X(OPTIONAL, int, set_memory_rox, (unsigned long addr, int numpages),		\
	  "nothing to compare with")							\
	X(OPTIONAL, int, set_memory_ro, (unsigned long addr, int numpages),		\
	  "nothing to compare with")							\
	X(OPTIONAL, int, set_memory_x, (unsigned long addr, int numpages),		\
	  "nothing to compare with")

MMKIT_KSYM_DECLARE_TABLE(BENCH_KSYMS)
MMKIT_KSYM_DEFINE_TABLE(ksyms, "bench_jit", BENCH_KSYMS, MMKIT_KSYM_NO_DATA);

static u8 code[8192];

static void *ours(void)
{
	return mmkit_jit_alloc(NULL, len);
}

static void *ours_copy(void)
{
	return mmkit_jit_alloc(code, len);
}

/* As a caller must, to get what mmkit_jit_alloc() gives: executable, and not writable. */
static void *protect(void *text)
{
	int nr = DIV_ROUND_UP(len, PAGE_SIZE);

	if (!text)
		return NULL;
	if (mmkit_ksym_found(&ksyms, "set_memory_rox")) {
		mmkit_ksym(set_memory_rox)((unsigned long)text, nr);
	} else {
		mmkit_ksym(set_memory_ro)((unsigned long)text, nr);
		mmkit_ksym(set_memory_x)((unsigned long)text, nr);
	}
	return text;
}

static void *execmem_only(void)
{
	return mmkit_ksym(execmem_alloc)(0, len);
}

static void *execmem(void)
{
	return protect(execmem_only());
}

static void execmem_back(void *text)
{
	mmkit_ksym(execmem_free)(text);
}

static void *module_only(void)
{
	return mmkit_ksym(module_alloc)(len);
}

static void *module(void)
{
	return protect(module_only());
}

static void module_back(void *text)
{
	vfree(text);
}

static void measure(const char *what, void *(*alloc)(void), void (*give)(void *text))
{
	void **text = kvcalloc(rounds, sizeof(*text), GFP_KERNEL);
	u64 start, taken, given;
	unsigned int i;

	for (i = 0; text && i < 10; i++)
		give(alloc());
	start = ktime_get_ns();
	for (i = 0; text && i < rounds; i++)
		text[i] = alloc();
	taken = ktime_get_ns() - start;
	start = ktime_get_ns();
	for (i = 0; text && i < rounds; i++)
		give(text[i]);
	given = ktime_get_ns() - start;
	kvfree(text);
	pr_info("%s, %u bytes: alloc %llu, free %llu\n", what, len, div_u64(taken, rounds),
		div_u64(given, rounds));
}

static int __init bench_init(void)
{
	int err = mmkit_ksym_resolve(&ksyms);

	if (err)
		return err;
	if (len > sizeof(code))
		len = sizeof(code);
	memset(code, 0x90, sizeof(code));
	measure("ours, without code", ours, mmkit_jit_free);
	measure("ours, with code", ours_copy, mmkit_jit_free);
	if (mmkit_ksym_found(&ksyms, "execmem_alloc")) {
		measure("execmem_alloc", execmem_only, execmem_back);
		measure("execmem_alloc, read-only and executable", execmem, execmem_back);
	}
	if (mmkit_ksym_found(&ksyms, "module_alloc")) {
		measure("module_alloc", module_only, module_back);
		measure("module_alloc, read-only and executable", module, module_back);
	}
	mmkit_ksym_release(&ksyms);
	return 0;
}
module_init(bench_init);

static void __exit bench_exit(void)
{
}
module_exit(bench_exit);
