/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MMKIT_JIT_PRIVATE_H
#define MMKIT_JIT_PRIVATE_H

#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/refcount.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include <mmkit/component.h>
#include <mmkit/jit.h>
#include <mmkit/ksym.h>

#include "compat.h"
#include "classes.h"
#include "emit.h"

#undef pr_fmt
#define pr_fmt(fmt) "mmkit: jit: " fmt

/* --- what the module needs of the kernel --------------------------------- */

struct bpf_ksym;

#define JIT_LOST	"text cannot be mapped or written"

#define JIT_COMMON_KSYMS(X)								\
	X(REQUIRED, struct vm_struct *, __get_vm_area_caller,				\
	  (unsigned long size, unsigned long flags, unsigned long start,		\
	   unsigned long end, const void *caller), JIT_LOST)				\
	X(REQUIRED, int, __vmap_pages_range_noflush,					\
	  (unsigned long addr, unsigned long end, pgprot_t prot, struct page **pages,	\
	   unsigned int page_shift), JIT_LOST)						\
	X(REQUIRED, void, vunmap_range, (unsigned long addr, unsigned long end),	\
	  JIT_LOST)									\
	X(OPTIONAL, void, bpf_ksym_add, (struct bpf_ksym *ksym),			\
	  "generated code has no name in stack traces")					\
	X(OPTIONAL, void, bpf_ksym_del, (struct bpf_ksym *ksym),			\
	  "generated code has no name in stack traces")

#define JIT_KSYMS(X)		\
	JIT_COMMON_KSYMS(X)	\
	MMKIT_POKE_KSYMS(X)	\
	JIT_EMIT_KSYMS(X)

#ifdef CONFIG_X86_64
#define JIT_ARCH_DATA(X)	X(REQUIRED, text_mutex, JIT_LOST)
#else
#define JIT_ARCH_DATA(X)					\
	X(REQUIRED, _stext, "text cannot be near the kernel")	\
	X(REQUIRED, _etext, "text cannot be near the kernel")
#endif

#define JIT_DATA(X)		\
	JIT_ARCH_DATA(X)	\
	JIT_EMIT_DATA(X)

MMKIT_KSYM_DECLARE_TABLE(JIT_KSYMS)

/* --- text and its address space ------------------------------------------- */

/* Text is taken, mapped and given back in blocks of this size, whatever a page is. */
#define JIT_BLOCK_BYTES		SZ_2M
#define JIT_BLOCK_PAGES		(JIT_BLOCK_BYTES / PAGE_SIZE)
#define JIT_BLOCK_ORDER		(ilog2(JIT_BLOCK_BYTES) - PAGE_SHIFT)

/* Slots for blocks side by side: the longest object fills them all. */
#define JIT_WINDOW_SLOTS	16

/* What becomes free is kept for a while: slabs, blocks, and with them their mapping. */
#define JIT_SPARE_SECONDS	10

static inline bool jit_is_old(unsigned long since)
{
	return time_is_before_eq_jiffies(since + JIT_SPARE_SECONDS * HZ);
}

struct jit_slab;

/* space.c */
extern unsigned int mmkit_jit_max_blocks;
void mmkit_jit_space_init(const struct mmkit_ksym_table *ksyms, bool ksym, bool guarded);
void mmkit_jit_space_exit(void);
int mmkit_jit_space_get(struct jit_slab *slab);
void mmkit_jit_space_put(struct jit_slab *slab, bool drained);
struct jit_slab *mmkit_jit_space_find(unsigned long addr);
/* Gives back all memory that no object is in, or looks later what was not needed for a while. */
void mmkit_jit_space_drain(void);
void mmkit_jit_space_drain_later(void);
unsigned long mmkit_jit_space_free(void);
void mmkit_jit_space_each_slab(void (*see)(struct jit_slab *slab, void *data), void *data);

/**
 * struct jit_space - what there is of space, in blocks
 * @slots:  address space that is reserved
 * @blocks: of them, those that hold memory
 * @large:  of these, those that one entry of the page table maps
 */
struct jit_space {
	unsigned int slots;
	unsigned int blocks;
	unsigned int large;
};

extern struct jit_space mmkit_jit_space;

/* --- objects --------------------------------------------------------------- */

/**
 * struct jit_owner - a module that has objects, or had
 * @node:    in the hash of owners; gone from it once the module is unloaded
 * @mod:     the module, NULL for the kernel
 * @refs:    objects, those being freed too, and one while it is in the hash
 * @objects: live objects
 * @bytes:   of them, as they were asked for
 * @rcu:     frees it
 * @name:    outlives the module
 */
struct jit_owner {
	struct hlist_node node;
	struct module *mod;
	refcount_t refs;
	atomic_long_t objects;
	atomic_long_t bytes;
	struct rcu_head rcu;
	char name[MODULE_NAME_LEN];
};

/**
 * struct jit_object - what is known of an object
 * @owner: who answers for it
 * @name:  its name, or NULL
 * @len:   bytes, as they were asked for
 */
struct jit_object {
	struct jit_owner *owner;
	const char *name;
	unsigned int len;
};

/* What is waited for before an object is freed. */
enum jit_grace_kind {
	JIT_GRACE_RCU,
	JIT_GRACE_TASKS,
	JIT_NR_GRACES,
};

/**
 * struct jit_grace - objects of a slab that wait for a grace period
 * @slab:    the slab
 * @kind:    which grace period
 * @pending: bit an object: freed since the grace period began
 * @doomed:  bit an object: it is for these that the grace period is waited for
 * @running: there are some of these
 * @rcu:     the end of the grace period
 * @work:    fills them with traps
 */
struct jit_grace {
	struct jit_slab *slab;
	enum jit_grace_kind kind;
	unsigned long *pending;
	unsigned long *doomed;
	bool running;
	struct rcu_head rcu;
	struct work_struct work;
};

/**
 * struct jit_slab - objects of one size, side by side; or one large object
 * @link:    in the list of the class, while an object is free
 * @class:   its size class, or the one of all runs
 * @addr:    first byte
 * @pages:   pages of it
 * @bytes:   room of an object
 * @objects: number of objects
 * @free:    of them free
 * @dead:    it is being freed
 * @since:   when the last of its objects became free
 * @used:    bit an object: it is not free
 * @dying:   bit an object: it is being freed
 * @writing: bit an object: it is being written
 * @grace:   objects that wait
 * @rcu:     frees the descriptor
 * @object:  what is known of each
 */
struct jit_slab {
	struct list_head link;
	struct jit_class *class;
	unsigned long addr;
	unsigned int pages;
	unsigned int bytes;
	unsigned int objects;
	unsigned int free;
	bool dead;
	unsigned long since;
	unsigned long *used;
	unsigned long *dying;
	unsigned long *writing;
	struct jit_grace grace[JIT_NR_GRACES];
	struct rcu_head rcu;
	struct jit_object object[];
};

/* The class of objects that are too large for a class: each is a slab of its own. */
#define JIT_RUNS	JIT_NR_CLASSES

/**
 * struct jit_class - the slabs of a size
 * @lock:    guards all but @refill, and the slabs; taken in any context but NMI, and
 *	      after all others
 * @partial: slabs that have a free object
 * @spare:   the last of them, if nothing of it is used
 * @slabs:   number of slabs
 * @room:    objects in them, free ones too
 * @used:    objects that are not free
 * @used_bytes: of them, as they were asked for
 * @pages:   pages of the slabs
 * @meta_bytes: memory of their descriptors
 */
struct jit_class {
	raw_spinlock_t lock;
	struct list_head partial;
	struct jit_slab *spare;
	unsigned long slabs;
	unsigned long room;
	unsigned long used;
	unsigned long used_bytes;
	unsigned long pages;
	unsigned long meta_bytes;
	/** @refill: one slab is made at a time */
	struct mutex refill;
};

/* slab.c */
extern struct jit_class mmkit_jit_classes[JIT_NR_CLASSES + 1];
int mmkit_jit_slab_init(void);
void mmkit_jit_slab_exit(void);
void mmkit_jit_settle(void);
void mmkit_jit_slab_drain(bool all);

/* owners.c */
int mmkit_jit_owners_init(void);
void mmkit_jit_owners_exit(void);
struct jit_owner *mmkit_jit_owner_get(struct module *mod);
void mmkit_jit_owner_put(struct jit_owner *owner);
void mmkit_jit_owners_show(struct seq_file *m);

/* events.c */
int mmkit_jit_events_init(void);
void mmkit_jit_events_exit(void);

/* poke_x86.c, poke_arm64.c: what is written lies in one page */
int mmkit_jit_poke_init(const struct mmkit_ksym_table *ksyms);
void mmkit_jit_poke_exit(void);
unsigned long mmkit_jit_poke_alias(void);
void mmkit_jit_poke_fill(void *to, size_t len);
void mmkit_jit_poke(void *text, void *code, size_t len);
void mmkit_jit_poke_trap(void *text, size_t len);
void mmkit_jit_poke_sync(void);
void mmkit_jit_poke_fresh(void *text, size_t len);
int mmkit_jit_poke_branch(void *at, const void *to);

/* Bytes of a branch that can be patched. */
#ifdef CONFIG_X86_64
#define JIT_BRANCH_BYTES	5
#else
#define JIT_BRANCH_BYTES	4
#endif

/* Counters of debugfs "stats"; their names are in report.c. */
enum jit_stat {
	JIT_ALLOCS,
	JIT_FREES,
	JIT_REFILLS,
	JIT_FAILURES,
	JIT_OVER_QUOTA,
	JIT_LOCKS,
	JIT_CONTENDED,
	JIT_WRITES,
	JIT_SYNCS,
	JIT_MAPS,
	JIT_UNMAPS,
	JIT_GRACES,
	JIT_NR_STATS,
};

DECLARE_PER_CPU(unsigned long [JIT_NR_STATS], mmkit_jit_stats);

static __always_inline void jit_stat(enum jit_stat stat)
{
	this_cpu_inc(mmkit_jit_stats[stat]);
}

/* Interrupts may free: they are off while a lock is held. */
static inline unsigned long mmkit_jit_class_lock(struct jit_class *class)
{
	unsigned long flags;

	local_irq_save(flags);
	jit_stat(JIT_LOCKS);
	if (raw_spin_is_locked(&class->lock))
		jit_stat(JIT_CONTENDED);
	raw_spin_lock(&class->lock);
	/* Some callers hold it only if they found something, which sparse cannot follow. */
	__release(&class->lock);
	return flags;
}

static inline void mmkit_jit_class_unlock(struct jit_class *class, unsigned long flags)
{
	__acquire(&class->lock);
	raw_spin_unlock_irqrestore(&class->lock, flags);
}

/* report.c */
extern const struct attribute * const mmkit_jit_attrs[];
void mmkit_jit_report_files(void);

/* init.c */
extern struct mmkit_component mmkit_jit_component;

#endif /* MMKIT_JIT_PRIVATE_H */
