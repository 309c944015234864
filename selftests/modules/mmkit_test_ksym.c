// SPDX-License-Identifier: GPL-2.0-only
/* Symbol tables: what is found, what is missing, what is ambiguous. */
#include <linux/kallsyms.h>

#include <mmkit/ksym.h>

#include "test.h"

static bool need_missing;
module_param(need_missing, bool, 0444);
MODULE_PARM_DESC(need_missing, "require a symbol that no kernel has: the load must be refused");

#define FOUND_KSYMS(X)								\
	X(REQUIRED, int, core_kernel_text, (unsigned long addr), "a test")	\
	X(OPTIONAL, void, mmkit_no_such_symbol, (void), "nothing")

#define MISSING_KSYMS(X)							\
	X(REQUIRED, int, core_kernel_data_gone, (unsigned long addr),		\
	  "this test would not be refused")

MMKIT_KSYM_DECLARE_TABLE(FOUND_KSYMS)
MMKIT_KSYM_DECLARE_TABLE(MISSING_KSYMS)
MMKIT_KSYM_DEFINE_TABLE(found, "test", FOUND_KSYMS, MMKIT_KSYM_NO_DATA);
MMKIT_KSYM_DEFINE_TABLE(missing, "test", MISSING_KSYMS, MMKIT_KSYM_NO_DATA);

static const char * const names[] = { "alloc_pages", "vmalloc", "mmkit_no_such_symbol", "kfree" };

static void test_ranges(void)
{
	static struct mmkit_text_range ranges[32];
	bool sorted = true, kfree_in = false;
	int i, nr;

	nr = mmkit_ksym_text_ranges(names, ARRAY_SIZE(names), ranges, ARRAY_SIZE(ranges));
	TEST(nr >= 3, "the text of three functions is found");
	for (i = 0; i < nr; i++) {
		sorted &= ranges[i].start < ranges[i].end;
		sorted &= !i || ranges[i - 1].end <= ranges[i].start;
		kfree_in |= ranges[i].start <= (unsigned long)kfree &&
			    (unsigned long)kfree < ranges[i].end;
	}
	TEST(sorted, "ranges are sorted and do not overlap");
	TEST(kfree_in, "an exported function lies in its range");
	TEST(mmkit_ksym_text_ranges(names, ARRAY_SIZE(names), ranges, 1) == -ENOSPC,
	     "too little room is -ENOSPC");
}

static int __init test_init(void)
{
	int err;

	if (need_missing)
		return mmkit_ksym_resolve(&missing);
	err = mmkit_ksym_resolve(&found);
	TEST(!err, "a table with a missing optional symbol resolves");
	if (err)
		return err;
	TEST(mmkit_ksym_found(&found, "core_kernel_text"), "a symbol is found");
	TEST(!mmkit_ksym_found(&found, "mmkit_no_such_symbol"), "an optional one may be missing");
	TEST(!mmkit_ksym_found(&found, "not_a_row"), "a name without a row has no address");
	TEST(mmkit_ksym(core_kernel_text)((unsigned long)kfree), "a resolved function answers");
	TEST(!mmkit_ksym(core_kernel_text)((unsigned long)test_init),
	     "a resolved function answers the other way too");
	test_ranges();
	return 0;
}
module_init(test_init);

static void __exit test_exit(void)
{
	mmkit_ksym_release(&found);
}
module_exit(test_exit);
