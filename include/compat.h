/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one place that chooses between kernel interfaces. The answers of the
 * build-time probes (include/probes/) become one interface here; a kernel that
 * answers "no" to every branch of a chain is refused in one sentence.
 */
#ifndef MMKIT_COMPAT_H
#define MMKIT_COMPAT_H

#include <linux/mmzone.h>
#include <linux/module.h>
#include <linux/version.h>

#include "probes/features.h"

#ifndef MMKIT_HAVE_SANITY
#error "mmkit: not even a trivial module compiles with these headers; see the first error above"
#endif
#ifdef MMKIT_HAVE_BROKEN
#error "mmkit: the compiler accepts a probe that must not compile, so no probe can be trusted"
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "mmkit: supports Linux 6.1 and newer"
#endif
#if !defined(CONFIG_X86_64) && !defined(CONFIG_ARM64)
#error "mmkit: supports amd64 and arm64"
#endif
#ifndef CONFIG_SPARSEMEM_VMEMMAP
#error "mmkit: needs a kernel with CONFIG_SPARSEMEM_VMEMMAP"
#endif

#if defined(CONFIG_X86_64) && !defined(CONFIG_UNWINDER_ORC)
#error "mmkit: needs a kernel with CONFIG_UNWINDER_ORC"
#endif
#if defined(CONFIG_ARM64_BTI_KERNEL) || defined(CONFIG_CFI_CLANG) || defined(CONFIG_CFI)
#error "mmkit: a kernel that checks indirect branches cannot be entered behind an ftrace call"
#endif

/* Symbol namespaces: a bare word, later a string literal. */
#if defined(MMKIT_HAVE_NAMESPACE_TOKEN)
#define MMKIT_EXPORT(symbol)	EXPORT_SYMBOL_NS_GPL(symbol, MMKIT)
#define MMKIT_IMPORT		MODULE_IMPORT_NS(MMKIT)
#elif defined(MMKIT_HAVE_NAMESPACE_STRING)
#define MMKIT_EXPORT(symbol)	EXPORT_SYMBOL_NS_GPL(symbol, "MMKIT")
#define MMKIT_IMPORT		MODULE_IMPORT_NS("MMKIT")
#else
#error "mmkit: cannot tell how this kernel spells symbol namespaces"
#endif

/* Where modules stay for ever nobody counts who uses them. */
#ifndef CONFIG_MODULE_UNLOAD
static inline int module_refcount(struct module *mod)
{
	return 0;
}
#endif

/* The callback of kallsyms_on_each_symbol(). */
#if defined(MMKIT_HAVE_KALLSYMS_WALK_MODULE)
#define MMKIT_KALLSYMS_CB_ARGS	(void *data, const char *name, struct module *mod, \
				 unsigned long addr)
#elif defined(MMKIT_HAVE_KALLSYMS_WALK_PLAIN)
#define MMKIT_KALLSYMS_CB_ARGS	(void *data, const char *name, unsigned long addr)
#else
#error "mmkit: cannot tell how this kernel walks its symbols"
#endif

/* How an ftrace callback sends a call elsewhere, what it asks for, and arguments of the call. */
#if defined(MMKIT_HAVE_FTRACE_SET_IP)
#define mmkit_ftrace_set_ip(fregs, ip)	ftrace_regs_set_instruction_pointer(fregs, ip)
#define mmkit_ftrace_arg(fregs, nr)	ftrace_regs_get_argument(fregs, nr)
#define MMKIT_FTRACE_OPS_FLAGS		0
#elif defined(MMKIT_HAVE_FTRACE_IP_SET)
#define mmkit_ftrace_set_ip(fregs, ip)	ftrace_instruction_pointer_set(fregs, ip)
#define mmkit_ftrace_arg(fregs, nr)	regs_get_kernel_argument(&(fregs)->regs, nr)
#define MMKIT_FTRACE_OPS_FLAGS		0
#elif defined(MMKIT_HAVE_FTRACE_PT_REGS)
#define mmkit_ftrace_set_ip(fregs, ip)	instruction_pointer_set(ftrace_get_regs(fregs), ip)
#define mmkit_ftrace_arg(fregs, nr)	regs_get_kernel_argument(ftrace_get_regs(fregs), nr)
#define MMKIT_FTRACE_OPS_FLAGS		FTRACE_OPS_FL_SAVE_REGS
#else
#error "mmkit: ftrace cannot redirect calls on this kernel"
#endif

/* Unwind tables of x86: what an ordinary frame is called. */
#ifdef CONFIG_X86_64
#if defined(MMKIT_HAVE_ORC_TYPE_CALL)
#define MMKIT_ORC_CALL		ORC_TYPE_CALL
#elif defined(MMKIT_HAVE_ORC_HINT_CALL)
#define MMKIT_ORC_CALL		UNWIND_HINT_TYPE_CALL
#else
#error "mmkit: cannot read the unwind tables of this kernel"
#endif
#endif

/* The largest order of the page allocator, inclusive: it has a list for each. */
#define MMKIT_MAX_PAGE_ORDER	(ARRAY_SIZE(((struct zone *)NULL)->free_area) - 1)

/* Bits of a physical address that this machine can have. */
#ifdef CONFIG_X86_64
#define mmkit_phys_bits()	min_t(unsigned int, MAX_PHYSMEM_BITS, boot_cpu_data.x86_phys_bits)
#else
#define mmkit_phys_bits()	MAX_PHYSMEM_BITS
#endif

/* Text that a module frees once its init function has returned. */
static inline void mmkit_module_init_text(const struct module *mod, unsigned long *start,
					  unsigned long *end)
{
#if defined(MMKIT_HAVE_MODULE_MEMORY)
	*start = (unsigned long)mod->mem[MOD_INIT_TEXT].base;
	*end = *start + mod->mem[MOD_INIT_TEXT].size;
#elif defined(MMKIT_HAVE_MODULE_LAYOUT)
	*start = (unsigned long)mod->init_layout.base;
	*end = *start + mod->init_layout.text_size;
#else
#error "mmkit: cannot tell where modules keep their text on this kernel"
#endif
}

/* Text that a module keeps while it is loaded. */
static inline void mmkit_module_text(const struct module *mod, unsigned long *start,
				     unsigned long *end)
{
#if defined(MMKIT_HAVE_MODULE_MEMORY)
	*start = (unsigned long)mod->mem[MOD_TEXT].base;
	*end = *start + mod->mem[MOD_TEXT].size;
#elif defined(MMKIT_HAVE_MODULE_LAYOUT)
	*start = (unsigned long)mod->core_layout.base;
	*end = *start + mod->core_layout.text_size;
#else
#error "mmkit: cannot tell where modules keep their text on this kernel"
#endif
}

/*
 * The bulk page allocator: its name, its arguments, and the same arguments
 * passed on. MMKIT_BULK_LIST is NULL where it only fills arrays.
 */
#if defined(MMKIT_HAVE_BULK_NOPROF_ARRAY)
#define MMKIT_BULK_NAME		alloc_pages_bulk_noprof
#define MMKIT_BULK_ARGS		(gfp_t gfp, int nid, nodemask_t *nodes, int nr, struct page **array)
#define MMKIT_BULK_PASS		(gfp, nid, nodes, nr, array)
#define MMKIT_BULK_LIST		NULL
#elif defined(MMKIT_HAVE_BULK_NOPROF_LIST_AND_ARRAY)
#define MMKIT_BULK_NAME		alloc_pages_bulk_noprof
#define MMKIT_BULK_ARGS		(gfp_t gfp, int nid, nodemask_t *nodes, int nr,	\
				 struct list_head *list, struct page **array)
#define MMKIT_BULK_PASS		(gfp, nid, nodes, nr, list, array)
#define MMKIT_BULK_LIST		list
#elif defined(MMKIT_HAVE_BULK_LIST_AND_ARRAY)
#define MMKIT_BULK_NAME		__alloc_pages_bulk
#define MMKIT_BULK_ARGS		(gfp_t gfp, int nid, nodemask_t *nodes, int nr,	\
				 struct list_head *list, struct page **array)
#define MMKIT_BULK_PASS		(gfp, nid, nodes, nr, list, array)
#define MMKIT_BULK_LIST		list
#else
#error "mmkit: does not know the bulk page allocator of this kernel"
#endif

/* The innermost function that claims a range of pages by pfn. */
#if defined(MMKIT_HAVE_CONTIG_FROZEN_FLAGS)
#define MMKIT_CONTIG_NAME	alloc_contig_frozen_range_noprof
#define MMKIT_CONTIG_ARGS	(unsigned long start, unsigned long end, acr_flags_t how, gfp_t gfp)
#elif defined(MMKIT_HAVE_CONTIG_NOPROF_MIGRATETYPE)
#define MMKIT_CONTIG_NAME	alloc_contig_range_noprof
#define MMKIT_CONTIG_ARGS							\
	(unsigned long start, unsigned long end, unsigned int how, gfp_t gfp)
#elif defined(MMKIT_HAVE_CONTIG_MIGRATETYPE)
#define MMKIT_CONTIG_NAME	alloc_contig_range
#define MMKIT_CONTIG_ARGS							\
	(unsigned long start, unsigned long end, unsigned int how, gfp_t gfp)
#else
#error "mmkit: does not know how this kernel claims ranges of pages"
#endif
#define MMKIT_CONTIG_PASS	(start, end, how, gfp)

/*
 * How pages leave the direct map and return: the functions it takes, a call each
 * way, how often the way back flushes translations on all CPUs (the way out does
 * once), and the types that can be checked. No call splits an aligned PMD_SIZE range.
 */
#define MMKIT_LOST_OUT	"no page can leave the direct map"
#define MMKIT_LOST_BACK	"no page can return to the direct map"
#if defined(MMKIT_HAVE_DIRECT_MAP_VALID_PAGES)
#define MMKIT_DIRECT_MAP_KSYMS(X)							\
	X(REQUIRED, int, set_direct_map_valid_noflush,					\
	  (struct page *page, unsigned int nr, bool valid), MMKIT_LOST_OUT)		\
	X(REQUIRED, void, flush_tlb_kernel_range,					\
	  (unsigned long start, unsigned long end), MMKIT_LOST_OUT)			\
	X(REQUIRED, int, set_memory_global, (unsigned long addr, int numpages),		\
	  MMKIT_LOST_BACK)
#define mmkit_direct_map_out(page, nr)							\
({											\
	unsigned long addr_ = (unsigned long)page_address(page);			\
	int err_ = mmkit_ksym(set_direct_map_valid_noflush)(page, nr, false);		\
											\
	mmkit_ksym(flush_tlb_kernel_range)(addr_, addr_ + PAGE_SIZE * (nr));		\
	err_;										\
})
/* The first call restores all but the bit that keeps translations when processes change. */
#define mmkit_direct_map_back(page, nr)							\
	(mmkit_ksym(set_direct_map_valid_noflush)(page, nr, true) ?:			\
	 __default_kernel_pte_mask & _PAGE_GLOBAL ?					\
	 mmkit_ksym(set_memory_global)((unsigned long)page_address(page), nr) : 0)
#define MMKIT_DIRECT_MAP_BACK_FLUSHES	(__default_kernel_pte_mask & _PAGE_GLOBAL ? 1 : 0)
#define MMKIT_DIRECT_MAP_SAME_TYPE							\
	static_assert(__same_type(set_direct_map_valid_noflush,				\
				  mmkit_ksym_proto_set_direct_map_valid_noflush));	\
	static_assert(__same_type(set_memory_global, mmkit_ksym_proto_set_memory_global))
#elif defined(MMKIT_HAVE_SET_MEMORY_PROT)
#define MMKIT_DIRECT_MAP_KSYMS(X)							\
	X(REQUIRED, int, set_memory_np, (unsigned long addr, int numpages),		\
	  MMKIT_LOST_OUT)								\
	X(REQUIRED, int, __set_memory_prot,						\
	  (unsigned long addr, int numpages, pgprot_t prot), MMKIT_LOST_BACK)
#define mmkit_direct_map_out(page, nr)							\
	mmkit_ksym(set_memory_np)((unsigned long)page_address(page), nr)
#define mmkit_direct_map_back(page, nr)							\
	mmkit_ksym(__set_memory_prot)((unsigned long)page_address(page), nr, PAGE_KERNEL)
#define MMKIT_DIRECT_MAP_BACK_FLUSHES	1
#define MMKIT_DIRECT_MAP_SAME_TYPE							\
	static_assert(__same_type(set_memory_np, mmkit_ksym_proto_set_memory_np));	\
	static_assert(__same_type(__set_memory_prot, mmkit_ksym_proto___set_memory_prot))
#elif defined(MMKIT_HAVE_SET_MEMORY_VALID)
#define MMKIT_DIRECT_MAP_KSYMS(X)							\
	X(REQUIRED, bool, can_set_direct_map, (void), MMKIT_LOST_OUT)			\
	X(REQUIRED, int, set_memory_valid,						\
	  (unsigned long addr, int numpages, int enable), MMKIT_LOST_OUT)
#define mmkit_direct_map_out(page, nr)							\
	mmkit_ksym(set_memory_valid)((unsigned long)page_address(page), nr, 0)
#define mmkit_direct_map_back(page, nr)							\
	mmkit_ksym(set_memory_valid)((unsigned long)page_address(page), nr, 1)
#define MMKIT_DIRECT_MAP_BACK_FLUSHES	1
#define MMKIT_DIRECT_MAP_SAME_TYPE							\
	static_assert(__same_type(can_set_direct_map, mmkit_ksym_proto_can_set_direct_map));	\
	static_assert(__same_type(set_memory_valid, mmkit_ksym_proto_set_memory_valid))
#else
#error "mmkit: does not know how pages leave the direct map of this kernel"
#endif

/* Without preemption in the kernel RCU-tasks is plain RCU, with no barrier of its own. */
#ifdef CONFIG_TASKS_RCU
#define mmkit_rcu_barrier_tasks()	rcu_barrier_tasks()
#else
#define mmkit_rcu_barrier_tasks()	rcu_barrier()
#endif

/*
 * How text is written that can be executed: the functions it takes, and the types that
 * can be checked. arm64 synchronises with each write.
 */
#define MMKIT_LOST_POKE	"text cannot be written"
#if defined(CONFIG_X86_64)
#include <asm/text-patching.h>
#define MMKIT_POKE_COMMON_KSYMS(X)							\
	X(REQUIRED, void *, text_poke_copy,						\
	  (void *addr, const void *opcode, size_t len), MMKIT_LOST_POKE)		\
	X(REQUIRED, void *, text_poke_set, (void *addr, int c, size_t len),		\
	  MMKIT_LOST_POKE)
#define MMKIT_POKE_COMMON_SAME_TYPE							\
	static_assert(__same_type(text_poke_copy, mmkit_ksym_proto_text_poke_copy));	\
	static_assert(__same_type(text_poke_set, mmkit_ksym_proto_text_poke_set))
#if defined(MMKIT_HAVE_POKE_SYNC_EACH_CPU)
#define MMKIT_POKE_KSYMS(X)								\
	MMKIT_POKE_COMMON_KSYMS(X)							\
	X(REQUIRED, void, smp_text_poke_sync_each_cpu, (void), MMKIT_LOST_POKE)		\
	X(REQUIRED, void, smp_text_poke_single,						\
	  (void *addr, const void *opcode, size_t len, const void *emulate),		\
	  MMKIT_LOST_POKE)
#define mmkit_poke_sync()			mmkit_ksym(smp_text_poke_sync_each_cpu)()
#define mmkit_poke_branch(at, insn, len)						\
	mmkit_ksym(smp_text_poke_single)(at, insn, len, NULL)
#define MMKIT_POKE_SAME_TYPE								\
	MMKIT_POKE_COMMON_SAME_TYPE;							\
	static_assert(__same_type(smp_text_poke_sync_each_cpu,				\
				  mmkit_ksym_proto_smp_text_poke_sync_each_cpu));	\
	static_assert(__same_type(smp_text_poke_single,					\
				  mmkit_ksym_proto_smp_text_poke_single))
#elif defined(MMKIT_HAVE_POKE_SYNC)
#define MMKIT_POKE_KSYMS(X)								\
	MMKIT_POKE_COMMON_KSYMS(X)							\
	X(REQUIRED, void, text_poke_sync, (void), MMKIT_LOST_POKE)			\
	X(REQUIRED, void, text_poke_bp,							\
	  (void *addr, const void *opcode, size_t len, const void *emulate),		\
	  MMKIT_LOST_POKE)
#define mmkit_poke_sync()			mmkit_ksym(text_poke_sync)()
#define mmkit_poke_branch(at, insn, len)	mmkit_ksym(text_poke_bp)(at, insn, len, NULL)
#define MMKIT_POKE_SAME_TYPE								\
	MMKIT_POKE_COMMON_SAME_TYPE;							\
	static_assert(__same_type(text_poke_sync, mmkit_ksym_proto_text_poke_sync));	\
	static_assert(__same_type(text_poke_bp, mmkit_ksym_proto_text_poke_bp))
#else
#error "mmkit: does not know how this kernel writes to text"
#endif
#else
#define MMKIT_POKE_WORD_KSYMS(X)							\
	X(REQUIRED, int, aarch64_insn_patch_text_nosync, (void *addr, u32 insn),	\
	  MMKIT_LOST_POKE)
#define MMKIT_POKE_WORD_SAME_TYPE							\
	static_assert(__same_type(aarch64_insn_patch_text_nosync,			\
				  mmkit_ksym_proto_aarch64_insn_patch_text_nosync))
#if defined(MMKIT_HAVE_INSN_COPY_TEXT_PATCHING) || defined(MMKIT_HAVE_INSN_COPY_PATCHING)
#ifdef MMKIT_HAVE_INSN_COPY_TEXT_PATCHING
#include <asm/text-patching.h>
#else
#include <asm/patching.h>
#endif
#define MMKIT_POKE_KSYMS(X)								\
	MMKIT_POKE_WORD_KSYMS(X)							\
	X(REQUIRED, void *, aarch64_insn_copy, (void *dst, void *src, size_t len),	\
	  MMKIT_LOST_POKE)								\
	X(REQUIRED, void *, aarch64_insn_set, (void *dst, u32 insn, size_t len),	\
	  MMKIT_LOST_POKE)
#define MMKIT_POKE_SAME_TYPE								\
	MMKIT_POKE_WORD_SAME_TYPE;							\
	static_assert(__same_type(aarch64_insn_copy, mmkit_ksym_proto_aarch64_insn_copy)); \
	static_assert(__same_type(aarch64_insn_set, mmkit_ksym_proto_aarch64_insn_set))
#elif defined(MMKIT_HAVE_INSN_WORDS_ONLY)
#include <asm/patching.h>
#define MMKIT_POKE_WORDS_ONLY
#define MMKIT_POKE_KSYMS(X)	MMKIT_POKE_WORD_KSYMS(X)
#define MMKIT_POKE_SAME_TYPE	MMKIT_POKE_WORD_SAME_TYPE
#else
#error "mmkit: does not know how this kernel writes to text"
#endif
#endif

/*
 * Shrinkers: made, then registered under a name, and freed in one step. A kernel
 * either lets them lie anywhere or allocates them itself.
 */
#if defined(MMKIT_HAVE_SHRINKER_ALLOC)
#define mmkit_shrinker_alloc(flags, name)	shrinker_alloc(flags, name)
#define mmkit_shrinker_register(shrinker, name)	(shrinker_register(shrinker), 0)
#define mmkit_shrinker_free(shrinker)		shrinker_free(shrinker)
#elif defined(MMKIT_HAVE_SHRINKER_STATIC)
#define mmkit_shrinker_alloc(flag, name)						\
({											\
	struct shrinker *shrinker_ = kzalloc(sizeof(*shrinker_), GFP_KERNEL);		\
											\
	if (shrinker_)									\
		shrinker_->flags = flag;						\
	shrinker_;									\
})
#define mmkit_shrinker_register(shrinker, name)	register_shrinker(shrinker, name)
#define mmkit_shrinker_free(shrinker)							\
do {											\
	unregister_shrinker(shrinker);							\
	kfree(shrinker);								\
} while (0)
#else
#error "mmkit: does not know the shrinkers of this kernel"
#endif

/* Pages that the current task, which is reclaiming, may count as its own success. */
#if defined(MMKIT_HAVE_RECLAIMED_PAGES)
#define mmkit_account_reclaimed(pages)	mm_account_reclaimed_pages(pages)
#elif defined(MMKIT_HAVE_RECLAIMED_SLAB)
#define mmkit_account_reclaimed(pages)							\
do {											\
	if (current->reclaim_state)							\
		current->reclaim_state->reclaimed_slab += (pages);			\
} while (0)
#else
#error "mmkit: cannot tell how this kernel accounts what shrinkers free"
#endif

/* A kthread worker that runs. */
#if defined(MMKIT_HAVE_KTHREAD_RUN_WORKER)
#define mmkit_kthread_run_worker(flags, name)	kthread_run_worker(flags, name)
#elif defined(MMKIT_HAVE_KTHREAD_CREATE_WORKER)
#define mmkit_kthread_run_worker(flags, name)	kthread_create_worker(flags, name)
#else
#error "mmkit: does not know the kthread workers of this kernel"
#endif

/* Flags of a mapping that is being made. */
#if defined(MMKIT_HAVE_VM_FLAGS_FUNCTIONS)
#define mmkit_vm_flags_mod(vma, set, clear)						\
do {											\
	vm_flags_set(vma, set);								\
	vm_flags_clear(vma, clear);							\
} while (0)
#elif defined(MMKIT_HAVE_VM_FLAGS_PLAIN)
#define mmkit_vm_flags_mod(vma, set, clear)						\
	((vma)->vm_flags = ((vma)->vm_flags | (set)) & ~(clear))
#else
#error "mmkit: cannot change the flags of a mapping on this kernel"
#endif

/*
 * x86: some kernels can count calls, so that the CPU's stack of return addresses is
 * refilled in time: the names of what writes the counting instruction and of the
 * thunks for jumps that are not counted, and their rows.
 */
#ifdef CONFIG_X86_64
#if defined(MMKIT_HAVE_CALL_DEPTH)
#define MMKIT_CALL_DEPTH_EMIT	"x86_call_depth_emit_accounting"
#define MMKIT_CALL_DEPTH_JUMP	"__x86_indirect_jump_thunk_array"
#define MMKIT_CALL_DEPTH_KSYMS(X)							\
	X(OPTIONAL, int, x86_call_depth_emit_accounting,				\
	  (u8 **pprog, void *func, void *ip),						\
	  "calls of generated code are not counted, which makes others slow")
#define MMKIT_CALL_DEPTH_DATA(X)							\
	X(OPTIONAL, __x86_indirect_jump_thunk_array,					\
	  "code cannot jump through registers where calls are counted")
#define MMKIT_CALL_DEPTH_SAME_TYPE							\
	static_assert(__same_type(x86_call_depth_emit_accounting,			\
				  mmkit_ksym_proto_x86_call_depth_emit_accounting))
#define mmkit_counts_calls()	cpu_feature_enabled(X86_FEATURE_CALL_DEPTH)
#define mmkit_call_depth_emit(buf, at)							\
({											\
	u8 *buf_ = (buf);								\
											\
	mmkit_ksym(x86_call_depth_emit_accounting)(&buf_, NULL, (void *)(at));		\
})
#elif defined(MMKIT_HAVE_NO_CALL_DEPTH)
#define MMKIT_CALL_DEPTH_EMIT	""
#define MMKIT_CALL_DEPTH_JUMP	""
#define MMKIT_CALL_DEPTH_KSYMS(X)
#define MMKIT_CALL_DEPTH_DATA(X)
#define MMKIT_CALL_DEPTH_SAME_TYPE
#define mmkit_counts_calls()	false
#define mmkit_call_depth_emit(buf, at)	0
#else
#error "mmkit: cannot tell whether this kernel counts calls"
#endif
#endif

/* Claims a range of pages for its caller; @cma: they belong to the contiguous allocator. */
#if defined(MMKIT_HAVE_CONTIG_FROZEN_FLAGS)
#define mmkit_contig_take(start, end, cma)						\
	alloc_contig_range(start, end, (cma) ? ACR_FLAGS_CMA : ACR_FLAGS_NONE,		\
			   GFP_KERNEL | __GFP_NOWARN)
#elif defined(CONFIG_CMA)
#define mmkit_contig_take(start, end, cma)						\
	alloc_contig_range(start, end, (cma) ? MIGRATE_CMA : MIGRATE_MOVABLE,		\
			   GFP_KERNEL | __GFP_NOWARN)
#else
#define mmkit_contig_take(start, end, cma)						\
	alloc_contig_range(start, end, MIGRATE_MOVABLE, GFP_KERNEL | __GFP_NOWARN)
#endif

/*
 * arm64: how pages become tagged. Names, arguments, and the same arguments passed on.
 */
#ifdef CONFIG_ARM64
#if defined(MMKIT_HAVE_VMA_ALLOC_HUGEPAGE)
#define MMKIT_VMA_ALLOC_NAME	vma_alloc_folio
#define MMKIT_VMA_ALLOC_ARGS	(gfp_t gfp, int order, struct vm_area_struct *vma,	\
				 unsigned long addr, bool hugepage)
#define mmkit_vma_alloc_pass(fn, gfp)	fn(gfp, order, vma, addr, hugepage)
#elif defined(MMKIT_HAVE_VMA_ALLOC_NOPROF_HUGEPAGE)
#define MMKIT_VMA_ALLOC_NAME	vma_alloc_folio_noprof
#define MMKIT_VMA_ALLOC_ARGS	(gfp_t gfp, int order, struct vm_area_struct *vma,	\
				 unsigned long addr, bool hugepage)
#define mmkit_vma_alloc_pass(fn, gfp)	fn(gfp, order, vma, addr, hugepage)
#elif defined(MMKIT_HAVE_VMA_ALLOC_NOPROF)
#define MMKIT_VMA_ALLOC_NAME	vma_alloc_folio_noprof
#define MMKIT_VMA_ALLOC_ARGS	(gfp_t gfp, int order, struct vm_area_struct *vma,	\
				 unsigned long addr)
#define mmkit_vma_alloc_pass(fn, gfp)	fn(gfp, order, vma, addr)
#else
#error "mmkit: does not know how this kernel allocates pages for an area"
#endif

#if defined(MMKIT_HAVE_THP_VMA_CHECK)
#define MMKIT_THP_NAME		hugepage_vma_check
#define MMKIT_THP_RET		bool
#define MMKIT_THP_ARGS		(struct vm_area_struct *vma, unsigned long vm_flags, bool smaps, \
				 bool in_pf, bool enforce_sysfs)
#define MMKIT_THP_PASS		(vma, vm_flags, smaps, in_pf, enforce_sysfs)
#elif defined(MMKIT_HAVE_THP_ORDERS_FLAGS)
#define MMKIT_THP_NAME		__thp_vma_allowable_orders
#define MMKIT_THP_RET		unsigned long
#define MMKIT_THP_ARGS		(struct vm_area_struct *vma, unsigned long vm_flags,	\
				 unsigned long tva_flags, unsigned long orders)
#define MMKIT_THP_PASS		(vma, vm_flags, tva_flags, orders)
#elif defined(MMKIT_HAVE_THP_ORDERS_TYPE)
#define MMKIT_THP_NAME		__thp_vma_allowable_orders
#define MMKIT_THP_RET		unsigned long
#define MMKIT_THP_ARGS		(struct vm_area_struct *vma, vm_flags_t vm_flags,	\
				 enum tva_type type, unsigned long orders)
#define MMKIT_THP_PASS		(vma, vm_flags, type, orders)
#else
#error "mmkit: does not know how this kernel decides about huge pages"
#endif

/*
 * What collapses pages of a file says how that went, by a number or an enum of its own,
 * in both of which a failure of no particular kind comes first.
 */
#ifdef MMKIT_HAVE_THP_ORDERS_TYPE
enum scan_result { MMKIT_SCAN_FAIL };
#define MMKIT_COLLAPSE_RET	enum scan_result
#else
#define MMKIT_SCAN_FAIL		0
#define MMKIT_COLLAPSE_RET	int
#endif

/* The flags of an area have a type of their own since huge pages have types. */
#ifdef MMKIT_HAVE_THP_ORDERS_TYPE
#define MMKIT_NEWFLAGS		vm_flags_t newflags
#else
#define MMKIT_NEWFLAGS		unsigned long newflags
#endif
#if defined(MMKIT_HAVE_MPROTECT_FIXUP_PLAIN)
#define MMKIT_MPROTECT_ARGS	(struct mmu_gather *tlb, struct vm_area_struct *vma,	\
				 struct vm_area_struct **pprev, unsigned long start,	\
				 unsigned long end, MMKIT_NEWFLAGS)
#define MMKIT_MPROTECT_PASS	(tlb, vma, pprev, start, end, newflags)
#define mmkit_vma_start_write(vma)
#elif defined(MMKIT_HAVE_MPROTECT_FIXUP_ITERATOR)
#define MMKIT_MPROTECT_ARGS	(struct vma_iterator *vmi, struct mmu_gather *tlb,	\
				 struct vm_area_struct *vma, struct vm_area_struct **pprev, \
				 unsigned long start, unsigned long end, MMKIT_NEWFLAGS)
#define MMKIT_MPROTECT_PASS	(vmi, tlb, vma, pprev, start, end, newflags)
#define mmkit_vma_start_write(vma)	vma_start_write(vma)
#else
#error "mmkit: does not know how this kernel changes the protection of an area"
#endif

/* Where tags are set up with a page table entry, and come back from swap. */
#if defined(MMKIT_HAVE_MTE_SYNC_OLD_PTE)
#define MMKIT_MTE_SYNC_ARGS	(pte_t old_pte, pte_t pte)
#define MMKIT_MTE_SYNC_PASS	(old_pte, pte)
#define mmkit_mte_sync_pages(pte)	(pte_tagged(pte) ? compound_nr(pte_page(pte)) : 0)
#define MMKIT_MTE_RESTORE_RET	bool
#define mmkit_mte_restore(fn, entry, page)	fn(entry, page)
#define MMKIT_MTE_RESTORED(restored)	restored
#define mmkit_mte_begin(page)	do { } while (0)
#define MMKIT_TARGET_TYPE	struct page *
#define MMKIT_TARGET_ARGS	(struct page *src, unsigned long private)
#define mmkit_target_src(src)	src
#define mmkit_target(page)	page
#define MMKIT_MIGRATE_NAME	migrate_folio_extra
#define MMKIT_MIGRATE_ARGS	(struct address_space *mapping, struct folio *dst,	\
				 struct folio *src, enum migrate_mode mode, int extra_count)
#define MMKIT_MIGRATE_PASS	(mapping, dst, src, mode, extra_count)
#elif defined(MMKIT_HAVE_MTE_SYNC_PAGES)
#define MMKIT_MTE_SYNC_ARGS	(pte_t pte, unsigned int nr_pages)
#define MMKIT_MTE_SYNC_PASS	(pte, nr_pages)
#define mmkit_mte_sync_pages(pte)	nr_pages
#define MMKIT_MTE_RESTORE_RET	void
#define mmkit_mte_restore(fn, entry, page)	({ fn(entry, page); true; })
#define MMKIT_MTE_RESTORED(restored)	(void)(restored)
#define mmkit_mte_begin(page)	try_page_mte_tagging(page)
#define MMKIT_TARGET_TYPE	struct folio *
#define MMKIT_TARGET_ARGS	(struct folio *src, unsigned long private)
#define mmkit_target_src(src)	folio_page(src, 0)
#define mmkit_target(page)	page_folio(page)
#define MMKIT_MIGRATE_NAME	migrate_folio
#define MMKIT_MIGRATE_ARGS	(struct address_space *mapping, struct folio *dst,	\
				 struct folio *src, enum migrate_mode mode)
#define MMKIT_MIGRATE_PASS	(mapping, dst, src, mode)
#else
#error "mmkit: does not know how this kernel tags pages"
#endif

/* What an entry of a page table says of swap, and the swap cache. */
#if defined(MMKIT_HAVE_SWAP_ENTRIES_PLAIN)
#define mmkit_swap_entry(pte, entry)							\
({											\
	*(entry) = pte_to_swp_entry(pte);						\
	!non_swap_entry(*(entry));							\
})
#define mmkit_pmd_moving(pmd)	is_pmd_migration_entry(pmd)
#define MMKIT_SWAP_CACHE_ARGS	(swp_entry_t entry, struct vm_area_struct *vma, unsigned long addr)
#define mmkit_swap_cache_get(fn, entry, vmf)	fn(entry, (vmf)->vma, (vmf)->address)
#elif defined(MMKIT_HAVE_SWAP_ENTRIES_SOFTLEAF)
#define mmkit_swap_entry(pte, entry)							\
({											\
	*(entry) = softleaf_from_pte(pte);						\
	softleaf_is_swap(*(entry));							\
})
#define mmkit_pmd_moving(pmd)	pmd_is_migration_entry(pmd)
#define MMKIT_SWAP_CACHE_ARGS	(swp_entry_t entry)
#define mmkit_swap_cache_get(fn, entry, vmf)	fn(entry)
#else
#error "mmkit: does not know how this kernel writes down what is swapped out"
#endif

/*
 * What reads from swap into the swap cache. The one that looks at the page table first does so
 * on 6.1 where there is none yet.
 */
#ifdef MMKIT_HAVE_MTE_SYNC_OLD_PTE
#define MMKIT_SWAPIN_KSYM(X, lost)							\
	X(REQUIRED, struct page *, swap_cluster_readahead,				\
	  (swp_entry_t entry, gfp_t gfp_mask, struct vm_fault *vmf), lost)
#define mmkit_swapin(entry, gfp, vmf)							\
({											\
	struct page *page_ = mmkit_ksym(swap_cluster_readahead)(entry, gfp, vmf);	\
											\
	page_ ? page_folio(page_) : NULL;						\
})
/* The area gives it pages for the neighbours in swap, too, whosever they are. */
#define mmkit_reads_ahead(gfp)	(!((gfp) & __GFP_MOVABLE))
#else
#define MMKIT_SWAPIN_KSYM(X, lost)							\
	X(REQUIRED, struct folio *, swapin_readahead,					\
	  (swp_entry_t entry, gfp_t gfp_mask, struct vm_fault *vmf), lost)
#define mmkit_swapin(entry, gfp, vmf)	mmkit_ksym(swapin_readahead)(entry, gfp, vmf)
#define mmkit_reads_ahead(gfp)	false
#endif

/* Since 7.3 userfaultfd can keep pages from being read, too. */
#ifdef VM_UFFD_RWP
#define mmkit_uffd_rwp(vma)	((vma)->vm_flags & VM_UFFD_RWP)
#else
#define mmkit_uffd_rwp(vma)	false
#endif

/* On 7.x they are a structure of one word. */
static inline unsigned long *mmkit_page_flags(struct page *page)
{
	BUILD_BUG_ON(sizeof(page->flags) != sizeof(unsigned long));
	return (unsigned long *)&page->flags;
}

/* Huge pages of hugetlbfs that become tagged do so as a whole, and bear the mark on their head. */
#ifdef MMKIT_HAVE_MTE_HUGETLB
#define mmkit_mte_whole_folio(folio)	folio_test_hugetlb(folio)
#else
#define mmkit_mte_whole_folio(folio)	false
#endif

#if defined(MMKIT_HAVE_MFILL_PTE_MM)
#define MMKIT_MFILL_ARGS	(struct mm_struct *dst_mm, pmd_t *dst_pmd,		\
				 struct vm_area_struct *dst_vma, unsigned long dst_addr, \
				 struct page *page, bool newly_allocated, bool wp_copy)
#define MMKIT_MFILL_PASS	(dst_mm, dst_pmd, dst_vma, dst_addr, page, newly_allocated, wp_copy)
#elif defined(MMKIT_HAVE_MFILL_PTE_FLAGS)
#define MMKIT_MFILL_ARGS	(pmd_t *dst_pmd, struct vm_area_struct *dst_vma,	\
				 unsigned long dst_addr, struct page *page,		\
				 bool newly_allocated, uffd_flags_t flags)
#define MMKIT_MFILL_PASS	(dst_pmd, dst_vma, dst_addr, page, newly_allocated, flags)
#elif defined(MMKIT_HAVE_MFILL_PTE_STATIC)
#define MMKIT_MFILL_ARGS	(pmd_t *dst_pmd, struct vm_area_struct *dst_vma,	\
				 unsigned long dst_addr, struct page *page, uffd_flags_t flags)
#define MMKIT_MFILL_PASS	(dst_pmd, dst_vma, dst_addr, page, flags)
#else
#error "mmkit: does not know how userfaultfd maps pages on this kernel"
#endif

#if defined(MMKIT_HAVE_GUP_REMOTE_VMAS)
#define mmkit_get_mapped_page(mm, addr, page)						\
	get_user_pages_remote(mm, addr, 1, FOLL_NOFAULT | FOLL_FORCE, page, NULL, NULL)
#define mmkit_get_page_from_swap(mm, addr, page)					\
	get_user_pages_remote(mm, addr, 1, FOLL_DUMP | FOLL_FORCE, page, NULL, NULL)
#define mmkit_get_page_to_write(mm, addr, page)						\
	get_user_pages_remote(mm, addr, 1, FOLL_WRITE | FOLL_FORCE, page, NULL, NULL)
#elif defined(MMKIT_HAVE_GUP_REMOTE_PLAIN)
#define mmkit_get_mapped_page(mm, addr, page)						\
	get_user_pages_remote(mm, addr, 1, FOLL_NOFAULT | FOLL_FORCE, page, NULL)
#define mmkit_get_page_from_swap(mm, addr, page)					\
	get_user_pages_remote(mm, addr, 1, FOLL_DUMP | FOLL_FORCE, page, NULL)
#define mmkit_get_page_to_write(mm, addr, page)						\
	get_user_pages_remote(mm, addr, 1, FOLL_WRITE | FOLL_FORCE, page, NULL)
#else
#error "mmkit: does not know how this kernel finds the pages of a process"
#endif
#endif

#endif /* MMKIT_COMPAT_H */
