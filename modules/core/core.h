/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MMKIT_CORE_H
#define MMKIT_CORE_H

#include <linux/debugfs.h>

#include <mmkit/component.h>
#include <mmkit/ksym.h>

#include "compat.h"

#undef pr_fmt
#define pr_fmt(fmt) "mmkit: " fmt

/* What core itself needs of the kernel; component, pagetab and redirect use it. */
#define MMKIT_CORE_KSYMS(X)								\
	X(REQUIRED, void, get_online_mems, (void),					\
	  "side tables would race with memory hotplug")					\
	X(REQUIRED, void, put_online_mems, (void),					\
	  "side tables would race with memory hotplug")					\
	X(REQUIRED, struct vm_struct *, __get_vm_area_caller,				\
	  (unsigned long size, unsigned long flags, unsigned long start,		\
	   unsigned long end, const void *caller),					\
	  "side tables have no address space")						\
	X(REQUIRED, int, __vmap_pages_range_noflush,					\
	  (unsigned long addr, unsigned long end, pgprot_t prot, struct page **pages,	\
	   unsigned int page_shift),							\
	  "side tables cannot be mapped")						\
	X(REQUIRED, void, vunmap_range, (unsigned long addr, unsigned long end),	\
	  "side tables cannot be unmapped")						\
	X(REQUIRED, unsigned long, ftrace_location, (unsigned long ip),			\
	  "calls cannot be redirected")

struct vm_struct;
struct page;
MMKIT_KSYM_DECLARE_TABLE(MMKIT_CORE_KSYMS)

/* component.c */
int mmkit_component_init(void);
void mmkit_component_files(void);
void mmkit_component_exit(void);
void mmkit_debugfs_table(const char *name, const struct file_operations *fops);

/* ksym.c */
int mmkit_ksym_init(const char *hidden);
void mmkit_ksym_exit(void);
void mmkit_ksym_files(void);

/* pagetab.c */
int mmkit_pagetab_init(void);
void mmkit_pagetab_exit(void);
void mmkit_pagetab_files(void);

/* redirect.c */
void mmkit_redirect_files(void);

#endif /* MMKIT_CORE_H */
