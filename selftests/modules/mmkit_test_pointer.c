// SPDX-License-Identifier: GPL-2.0-only
/*
 * What must not be done: a function that the kernel does not export is called
 * through a pointer. A CPU with indirect branch tracking stops that, which shows
 * that it would stop the suite, too. Anywhere else it works; ci/ibt alone loads
 * this module, as the last thing it does.
 */
#include <mmkit/ksym.h>

#include "test.h"

/* Sealed on kernels with indirect branch tracking: only ever called directly. */
#define POINTER_KSYMS(X)						\
	X(REQUIRED, unsigned long, kallsyms_lookup_name, (const char *name), "nothing to call")

MMKIT_KSYM_DECLARE_TABLE(POINTER_KSYMS)
MMKIT_KSYM_DEFINE_TABLE(table, "pointer", POINTER_KSYMS, MMKIT_KSYM_NO_DATA);

static int __init test_init(void)
{
	unsigned long (*pointer)(const char *name);
	unsigned long addr;
	int err;

	err = mmkit_ksym_resolve(&table);
	if (err)
		return err;
	addr = mmkit_ksym_found(&table, "kallsyms_lookup_name");
	TEST(mmkit_ksym(kallsyms_lookup_name)("kallsyms_lookup_name") == addr,
	     "a direct call of a sealed function works");
	pointer = (void *)addr;
	OPTIMIZER_HIDE_VAR(pointer);
	TEST(pointer("kallsyms_lookup_name") == addr,
	     "a call through a pointer works: nobody tracks indirect branches");
	return 0;
}
module_init(test_init);

static void __exit test_exit(void)
{
	mmkit_ksym_release(&table);
}
module_exit(test_exit);
