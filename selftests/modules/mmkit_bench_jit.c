// SPDX-License-Identifier: GPL-2.0-only
/*
 * Times the text allocator, and what the kernel has instead. In a guest with one
 * CPU whose clock counts instructions (QEMU -icount shift=0,sleep=off) the
 * nanoseconds are instructions. A line for each: "NAME: N live, alloc N, free N".
 *
 * With keep=NAME nothing is timed: so many objects of that kind stay until the
 * module goes. It says "NAME: one every N bytes", how close they lie at best.
 */
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include <mmkit/jit.h>
#include <mmkit/ksym.h>

#include "test.h"

static unsigned int rounds = 500;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "how many of each are allocated and freed");

static unsigned int live = 1000;
module_param(live, uint, 0444);
MODULE_PARM_DESC(live, "objects of that kind that there are meanwhile");

static unsigned int len = 256;
module_param(len, uint, 0444);
MODULE_PARM_DESC(len, "bytes of an object");

static char *keep;
module_param(keep, charp, 0444);
MODULE_PARM_DESC(keep, "keep objects of this kind, and time nothing");

#define COMPARE	"nothing to compare with"

/* Fills text that holds no code. */
typedef void bench_fill_t(void *area, unsigned int size);

/* Some kernels do not have the last argument of bpf_prog_pack_alloc(): they do not look at it. */
#define BENCH_KSYMS(X)									\
	X(OPTIONAL, void *, module_alloc, (unsigned long size), COMPARE)		\
	X(OPTIONAL, void *, execmem_alloc, (int type, size_t size), COMPARE)		\
	X(OPTIONAL, void *, execmem_alloc_rw, (int type, size_t size), COMPARE)		\
	X(OPTIONAL, void, execmem_free, (void *ptr), COMPARE)				\
	X(OPTIONAL, int, set_memory_rox, (unsigned long addr, int numpages), COMPARE)	\
	X(OPTIONAL, int, set_memory_ro, (unsigned long addr, int numpages), COMPARE)	\
	X(OPTIONAL, int, set_memory_x, (unsigned long addr, int numpages), COMPARE)	\
	X(OPTIONAL, struct vm_struct *, find_vm_area, (const void *addr), COMPARE)	\
	X(OPTIONAL, void *, bpf_prog_pack_alloc,					\
	  (u32 size, bench_fill_t *fill, bool was_classic), COMPARE)			\
	X(OPTIONAL, void, bpf_prog_pack_free, (void *ptr, u32 size), COMPARE)		\
	X(OPTIONAL, void *, bpf_arch_text_copy, (void *dst, void *src, size_t len), COMPARE)

MMKIT_KSYM_DECLARE_TABLE(BENCH_KSYMS)
MMKIT_KSYM_DEFINE_TABLE(ksyms, "bench_jit", BENCH_KSYMS, MMKIT_KSYM_NO_DATA);

#ifdef CONFIG_BPF_JIT
static_assert(__same_type(bpf_prog_pack_alloc, mmkit_ksym_proto_bpf_prog_pack_alloc) ||
	      __same_type(&bpf_prog_pack_alloc, (void *(*)(u32, bench_fill_t *))0));
/* Some kernels free by what the program's own header says, which is not there. */
#define PACK_FREE_BY_SIZE						\
	__same_type(bpf_prog_pack_free, mmkit_ksym_proto_bpf_prog_pack_free)
#else
#define PACK_FREE_BY_SIZE	false
#endif

#define CODE_BYTES	8192
static u8 code[CODE_BYTES];

static int text_pages(void)
{
	return DIV_ROUND_UP(len, PAGE_SIZE);
}

/* --- ours -------------------------------------------------------------------- */

static void *ours(void)
{
	return mmkit_jit_alloc(NULL, len);
}

static void *ours_code(void)
{
	return mmkit_jit_alloc(code, len);
}

/* --- what modules are loaded into, by its name of today or of then -------------- */

/* What callers do, to get what mmkit_jit_alloc() gives: executable, and not writable. */
static void *protect(void *text)
{
	if (!text)
		return NULL;
	memcpy(text, code, len);
	if (mmkit_ksym_found(&ksyms, "set_memory_rox")) {
		mmkit_ksym(set_memory_rox)((unsigned long)text, text_pages());
	} else {
		mmkit_ksym(set_memory_ro)((unsigned long)text, text_pages());
		mmkit_ksym(set_memory_x)((unsigned long)text, text_pages());
	}
	return text;
}

static void *execmem(void)
{
	return mmkit_ksym(execmem_alloc)(0, len);
}

static void *execmem_code(void)
{
	if (mmkit_ksym_found(&ksyms, "execmem_alloc_rw"))
		return protect(mmkit_ksym(execmem_alloc_rw)(0, len));
	return protect(mmkit_ksym(execmem_alloc)(0, len));
}

static void execmem_back(void *text)
{
	mmkit_ksym(execmem_free)(text);
}

static void *module(void)
{
	return mmkit_ksym(module_alloc)(len);
}

static void *module_code(void)
{
	void *text = protect(mmkit_ksym(module_alloc)(len));

	/* The pages become writable again before others have them. */
	if (text)
		mmkit_ksym(find_vm_area)(text)->flags |= VM_FLUSH_RESET_PERMS;
	return text;
}

static void module_back(void *text)
{
	vfree(text);
}

/* --- what BPF programs are put into ------------------------------------------- */

static void pack_fill(void *area, unsigned int size)
{
	memset(area, 0xcc, size);
}

static void *pack(void)
{
	return mmkit_ksym(bpf_prog_pack_alloc)(len, pack_fill, false);
}

static void *pack_code(void)
{
	void *text = pack();

	if (text)
		mmkit_ksym(bpf_arch_text_copy)(text, code, len);
	return text;
}

static void pack_back(void *text)
{
	mmkit_ksym(bpf_prog_pack_free)(text, len);
}

/* ---------------------------------------------------------------------------------- */

/**
 * struct kind - a kind of text
 * @name:  as it is called in what is printed
 * @needs: functions of the kernel
 * @alloc: an object of it
 * @code:  an object that holds code
 * @back:  gives it back
 */
struct kind {
	const char *name;
	const char *needs[4];
	void *(*alloc)(void);
	void *(*code)(void);
	void (*back)(void *text);
};

static const struct kind kinds[] = {
	{ "mmkit", { }, ours, ours_code, mmkit_jit_free },
	{ "execmem", { "execmem_alloc", "execmem_free" }, execmem, execmem_code, execmem_back },
	{ "module_alloc", { "module_alloc", "set_memory_ro", "set_memory_x", "find_vm_area" },
	  module, module_code, module_back },
	{ "prog_pack", { "bpf_prog_pack_alloc", "bpf_prog_pack_free", "bpf_arch_text_copy" },
	  pack, pack_code, pack_back },
};

static bool there_is(const struct kind *kind)
{
	unsigned int i;

	if (kind->alloc == pack && !PACK_FREE_BY_SIZE)
		return false;
	for (i = 0; i < ARRAY_SIZE(kind->needs) && kind->needs[i]; i++) {
		if (!mmkit_ksym_found(&ksyms, kind->needs[i]))
			return false;
	}
	return true;
}

static void give_all(const struct kind *kind, void **text, unsigned int nr)
{
	while (nr)
		kind->back(text[--nr]);
}

/* All or nothing. */
static int take_all(const struct kind *kind, void *(*alloc)(void), void **text, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		text[i] = alloc();
		if (!text[i]) {
			give_all(kind, text, i);
			return -ENOMEM;
		}
		cond_resched();
	}
	return 0;
}

/* So many that reading the clock does not count, so few that there are hardly more than @live. */
#define BATCH	10

static int time_batches(const struct kind *kind, const char *name, void *(*alloc)(void))
{
	u64 start, between, taken = 0, given = 0;
	unsigned int i, nr = rounds / BATCH ?: 1;
	void *text[BATCH];

	/* The first one is not counted. */
	for (i = 0; i <= nr; i++) {
		start = ktime_get_ns();
		if (take_all(kind, alloc, text, BATCH))
			return -ENOMEM;
		between = ktime_get_ns();
		give_all(kind, text, BATCH);
		if (!i)
			continue;
		taken += between - start;
		given += ktime_get_ns() - between;
	}
	pr_info("%s%s: %u live, alloc %llu, free %llu\n", kind->name, name, live,
		div_u64(taken, nr * BATCH), div_u64(given, nr * BATCH));
	return 0;
}

static int measure(const struct kind *kind)
{
	void **text = kvcalloc(live ?: 1, sizeof(*text), GFP_KERNEL);
	int err;

	if (!text)
		return -ENOMEM;
	err = take_all(kind, kind->alloc, text, live);
	if (!err) {
		err = time_batches(kind, "", kind->alloc) ?:
		      time_batches(kind, " with code", kind->code);
		give_all(kind, text, live);
	}
	kvfree(text);
	return err;
}

/* --- objects that stay ---------------------------------------------------------------- */

static const struct kind *kept_kind;
static void **kept;

static int keep_some(const struct kind *kind)
{
	unsigned long here, there, least = ULONG_MAX;
	unsigned int i;
	int err;

	kept = kvcalloc(live ?: 1, sizeof(*kept), GFP_KERNEL);
	if (!kept)
		return -ENOMEM;
	err = take_all(kind, kind->code, kept, live);
	if (err) {
		kvfree(kept);
		return err;
	}
	kept_kind = kind;
	for (i = 1; i < live; i++) {
		here = (unsigned long)kept[i];
		there = (unsigned long)kept[i - 1];
		least = min(least, max(here, there) - min(here, there));
	}
	pr_info("%s: one every %lu bytes\n", kind->name, least);
	return 0;
}

static int run(void)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(kinds) && !err; i++) {
		if (!there_is(&kinds[i]))
			continue;
		if (!keep)
			err = measure(&kinds[i]);
		else if (!strcmp(keep, kinds[i].name))
			err = keep_some(&kinds[i]);
	}
	return err;
}

static int __init bench_init(void)
{
	int err = mmkit_ksym_resolve(&ksyms);

	if (err)
		return err;
	if (!len || len > CODE_BYTES) {
		err = -EINVAL;
		goto out;
	}
	memset(code, 0x90, sizeof(code));
	err = run();
out:
	if (err || !kept_kind)
		mmkit_ksym_release(&ksyms);
	return err;
}
module_init(bench_init);

static void __exit bench_exit(void)
{
	if (!kept_kind)
		return;
	give_all(kept_kind, kept, live);
	kvfree(kept);
	mmkit_ksym_release(&ksyms);
}
module_exit(bench_exit);
