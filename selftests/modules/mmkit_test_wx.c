// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looks at all page tables of the kernel for mappings that must not be. What is text
 * is found by its mapping alone; nothing of the allocator is asked, or linked to.
 *
 * What to do is written to the parameter "run", what came of it is read from there:
 *
 *	windows [START-END...]	where text is mapped (hexadecimal, END is one past)
 *	pin ADDR		the PMD_SIZE around ADDR stays text until told otherwise,
 *				because the caller holds an object there
 *	allow [ADDR...]		pages through which the kernel writes text
 *	walk TIMES [MS]		walks that often, or until MS have passed
 *	alias rw|ro|rwx		maps the page of ADDR a second time; alias off: no more
 *	poking			what the mm that x86 writes text through maps
 *	reads ADDR		can the kernel read there?
 *
 * A walk is not atomic. Frames that are pinned cannot change their use meanwhile, so
 * each other mapping of them is counted as it is met. Other text can go back to where
 * it came from between two looks: a mapping counts if text and mapping are there
 * together when it is looked at once more.
 *
 * Tables can be freed while they are read: all are copied without trust in the
 * address, and where the kernel has a lock for it, init_mm's, that is taken.
 */
#include <linux/cpufeature.h>
#include <linux/io.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/pgtable.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include <asm/fixmap.h>
#include <asm/vmalloc.h>

#include <mmkit/ksym.h>

#include "test_run.h"

#define TABLE_BITS	(PAGE_SHIFT - 3)
#define TABLE_ENTRIES	(1U << TABLE_BITS)
#define MAX_LEVELS	5
#define MAX_RANGES	520	/* pages of a block, and some */
#define MAX_WINDOWS	32
#define MAX_ALLOWED	8

#define CAN_WRITE	0x1
#define CAN_EXEC	0x2

#define NO_KSYMS(X)
#define WX_DATA(X)								\
	X(OPTIONAL, init_mm, "tables are walked without its lock")		\
	X(OPTIONAL, poking_mm, "the mm that text is written through is not seen")	\
	X(OPTIONAL, poking_addr, "the mm that text is written through is not seen")	\
	X(OPTIONAL, text_poke_mm, "the mm that text is written through is not seen")	\
	X(OPTIONAL, text_poke_mm_addr, "the mm that text is written through is not seen")

MMKIT_KSYM_DECLARE_TABLE(NO_KSYMS)
MMKIT_KSYM_DEFINE_TABLE(ksyms, "test", NO_KSYMS, WX_DATA);

/* What one entry of the lowest table of a translation maps. */
struct leaf {
	unsigned long addr;
	unsigned long size;
	phys_addr_t phys;
	unsigned int perm;
	unsigned int level;	/* 0: a page */
	u64 *entry;		/* where that is written */
};

/* Frames that are text, and where they are mapped as such. */
struct text {
	phys_addr_t phys;
	unsigned long size;
	unsigned long addr;
	bool pinned;
};

struct span {
	unsigned long start;
	unsigned long end;
};

struct walk {
	void (*on_leaf)(struct walk *walk, const struct leaf *leaf);
	unsigned long first;	/* addresses outside are not looked at (inclusive) */
	unsigned long last;
	u64 *tables[MAX_LEVELS];
	/* What the callbacks collect. */
	struct leaf found;
	struct text ranges[MAX_RANGES];
	unsigned int nr_ranges;
	u64 leaves[MAX_LEVELS], direct_kb[MAX_LEVELS], absent_kb[MAX_LEVELS];
	u64 text[MAX_LEVELS];	/* leaves that map text as text */
	u64 walks, unreadable, legal, pinned_hits, other_hits, passed_by, writable, wx, overflow;
	unsigned int shown;
};

static struct text pinned[MAX_RANGES];
static unsigned int nr_pinned;
static struct span windows[MAX_WINDOWS];
static unsigned int nr_windows;
static unsigned long allowed[MAX_ALLOWED];
static unsigned int nr_allowed;
static unsigned long pin_addr;
static void *alias;

/* --- the tables --------------------------------------------------------- */

static unsigned int level_shift(unsigned int level)
{
	return PAGE_SHIFT + level * TABLE_BITS;
}

#ifdef CONFIG_X86_64

static bool is_present(u64 entry)
{
	return entry & _PAGE_PRESENT;
}

static bool is_leaf(u64 entry, unsigned int level)
{
	return !level || entry & _PAGE_PSE;
}

static phys_addr_t entry_phys(u64 entry)
{
	return entry & PTE_PFN_MASK;
}

/* What a level takes away no lower one gives back. */
static unsigned int entry_perm(u64 entry, unsigned int perm)
{
	if (!(entry & _PAGE_RW))
		perm &= ~CAN_WRITE;
	if (entry & _PAGE_NX)
		perm &= ~CAN_EXEC;
	return perm;
}

static unsigned int va_bits(void)
{
	return pgtable_l5_enabled() ? 57 : 48;
}

static phys_addr_t kernel_root(void)
{
	struct mm_struct *mm = (struct mm_struct *)mmkit_ksym_found(&ksyms, "init_mm");

	return mm ? __pa(mm->pgd) : 0;
}

/* With page-table isolation the tables for user space map some of the kernel, too. */
static phys_addr_t second_root(void)
{
	return boot_cpu_has(X86_FEATURE_PTI) ? kernel_root() + PAGE_SIZE : 0;
}

#define NO_EXEC		_PAGE_NX
#define DIRECT_START	PAGE_OFFSET
#define DIRECT_END	VMALLOC_START

static bool is_poke_page(unsigned long addr)
{
	return false;
}

#else

static bool is_present(u64 entry)
{
	return entry & PTE_VALID;
}

static bool is_leaf(u64 entry, unsigned int level)
{
	return !level || !(entry & 2);
}

static phys_addr_t entry_phys(u64 entry)
{
	return PFN_PHYS(pte_pfn(__pte(entry)));
}

/*
 * What tables forbid for all below is not counted on, as it can be switched off. An entry that
 * hardware may make writable (DBM) is writable.
 */
static unsigned int entry_perm(u64 entry, unsigned int perm)
{
	if (entry & PTE_RDONLY && !(entry & PTE_DBM))
		perm &= ~CAN_WRITE;
	if (entry & PTE_PXN)
		perm &= ~CAN_EXEC;
	return perm;
}

static unsigned int va_bits(void)
{
	return 64 - (read_sysreg(tcr_el1) >> 16 & 0x3f);
}

static phys_addr_t kernel_root(void)
{
	u64 ttbr = read_sysreg(ttbr1_el1);
	u64 phys = ttbr & GENMASK_ULL(47, 6);

#ifdef CONFIG_ARM64_PA_BITS_52
	phys |= (ttbr & GENMASK_ULL(5, 2)) << 46;
#endif
	return phys;
}

static phys_addr_t second_root(void)
{
	return 0;
}

#define NO_EXEC		PTE_PXN
#define DIRECT_START	PAGE_OFFSET
#define DIRECT_END	PAGE_END

static bool is_poke_page(unsigned long addr)
{
	return addr == fix_to_virt(FIX_TEXT_POKE0);
}

#endif

static bool is_direct(unsigned long addr)
{
	return addr >= DIRECT_START && addr < DIRECT_END;
}

/* One table, entries of which describe addresses from @base on. */
static void walk_table(struct walk *walk, phys_addr_t table, unsigned int level, unsigned int from,
		       unsigned int nr, unsigned long base, unsigned int perm)
{
	unsigned long size = 1UL << level_shift(level), addr = base;
	u64 *entries = walk->tables[level], before = 0;
	unsigned int i;

	if (copy_from_kernel_nofault(entries, (u64 *)phys_to_virt(table) + from,
				     nr * sizeof(*entries))) {
		walk->unreadable++;
		return;
	}
	for (i = 0; i < nr; i++, addr += size) {
		u64 entry = entries[i];

		if (!entry || addr + (size - 1) < walk->first || addr > walk->last)
			continue;
		if (!is_present(entry)) {
			if (is_direct(addr))
				walk->absent_kb[level] += size >> 10;
			continue;
		}
		if (is_leaf(entry, level)) {
			struct leaf leaf = {
				.addr	= addr,
				.size	= size,
				.phys	= entry_phys(entry) & ~((phys_addr_t)size - 1),
				.perm	= entry_perm(entry, perm),
				.level	= level,
				.entry	= (u64 *)phys_to_virt(table) + from + i,
			};

			walk->on_leaf(walk, &leaf);
			continue;
		}
		/* Some areas are one table many times over: their frames have been seen. */
		if (entry == before)
			continue;
		before = entry;
		walk_table(walk, entry_phys(entry), level - 1, 0, TABLE_ENTRIES, addr,
			   IS_ENABLED(CONFIG_X86_64) ? entry_perm(entry, perm) : perm);
	}
}

static void walk_kernel(struct walk *walk, phys_addr_t root, unsigned long first,
			unsigned long last)
{
	unsigned int bits = va_bits();
	unsigned int level = (bits - PAGE_SHIFT - 1) / TABLE_BITS;
	unsigned int nr = 1U << (bits - level_shift(level));
	unsigned long base;

	walk->first = first;
	walk->last = last;
	if (IS_ENABLED(CONFIG_X86_64)) {
		/* The upper half is the kernel's. */
		base = -(1UL << (bits - 1));
		walk_table(walk, root, level, nr / 2, nr / 2, base, CAN_WRITE | CAN_EXEC);
	} else {
		base = -(1UL << bits);
		walk_table(walk, root, level, 0, nr, base, CAN_WRITE | CAN_EXEC);
	}
}

static struct mm_struct *lock_tables(void)
{
	struct mm_struct *mm = (struct mm_struct *)mmkit_ksym_found(&ksyms, "init_mm");

	if (mm)
		mmap_read_lock(mm);
	return mm;
}

static void unlock_tables(struct mm_struct *mm)
{
	if (mm)
		mmap_read_unlock(mm);
}

static struct walk *walk_new(void)
{
	struct walk *walk = kvzalloc(sizeof(*walk), GFP_KERNEL);
	unsigned int i;

	for (i = 0; walk && i < MAX_LEVELS; i++) {
		walk->tables[i] = (u64 *)__get_free_page(GFP_KERNEL);
		if (!walk->tables[i]) {
			while (i--)
				free_page((unsigned long)walk->tables[i]);
			kvfree(walk);
			walk = NULL;
		}
	}
	return walk;
}

static void walk_free(struct walk *walk)
{
	unsigned int i;

	for (i = 0; i < MAX_LEVELS; i++)
		free_page((unsigned long)walk->tables[i]);
	kvfree(walk);
}

/* --- what is looked for -------------------------------------------------- */

static void keep_leaf(struct walk *walk, const struct leaf *leaf)
{
	walk->found = *leaf;
}

static struct leaf look_up(unsigned long addr)
{
	struct walk *walk = walk_new();
	struct leaf leaf = {};

	if (!walk)
		return leaf;
	walk->on_leaf = keep_leaf;
	walk_kernel(walk, kernel_root(), addr, addr);
	leaf = walk->found;
	walk_free(walk);
	return leaf;
}

/* Executable leaves of a window become ranges; neighbours become one. */
static void keep_text(struct walk *walk, const struct leaf *leaf)
{
	struct text *last = walk->nr_ranges ? &walk->ranges[walk->nr_ranges - 1] : NULL;
	unsigned int i;

	if (!(leaf->perm & CAN_EXEC))
		return;
	walk->text[leaf->level]++;
	for (i = 0; i < walk->nr_ranges; i++)
		if (walk->ranges[i].pinned && leaf->phys >= walk->ranges[i].phys &&
		    leaf->phys < walk->ranges[i].phys + walk->ranges[i].size)
			return;
	if (last && !last->pinned && last->addr + last->size == leaf->addr &&
	    last->phys + last->size == leaf->phys) {
		last->size += leaf->size;
		return;
	}
	if (walk->nr_ranges == MAX_RANGES) {
		walk->overflow++;
		return;
	}
	walk->ranges[walk->nr_ranges++] = (struct text) {
		.phys = leaf->phys, .size = leaf->size, .addr = leaf->addr,
	};
}

static const char *perm_text(unsigned int perm)
{
	static const char * const texts[] = { "r--", "rw-", "r-x", "rwx" };

	return texts[perm];
}

static void show_hit(struct walk *walk, const char *what, const struct leaf *leaf,
		     const struct text *text)
{
	if (walk->shown++ < 8)
		say("hit %s %lx size %lx %s frame %llx text %lx\n", what, leaf->addr, leaf->size,
		    perm_text(leaf->perm), (u64)leaf->phys, text ? text->addr : 0);
}

static bool is_allowed(unsigned long addr)
{
	unsigned int i;

	for (i = 0; i < nr_allowed; i++)
		if (allowed[i] == addr)
			return true;
	return is_poke_page(addr);
}

static bool in_windows(unsigned long addr)
{
	unsigned int i;

	for (i = 0; i < nr_windows; i++)
		if (addr >= windows[i].start && addr < windows[i].end)
			return true;
	return false;
}

static void on_overlap(struct walk *walk, const struct leaf *leaf, const struct text *text)
{
	struct leaf now, again;

	/* The same frames at the same place: that is the text. */
	if (leaf->addr - leaf->phys == text->addr - text->phys && !(leaf->perm & CAN_WRITE))
		return;
	if (is_allowed(leaf->addr) && !(leaf->perm & CAN_EXEC)) {
		walk->legal++;
		return;
	}
	if (text->pinned) {
		walk->pinned_hits++;
		walk->writable += !!(leaf->perm & CAN_WRITE);
		show_hit(walk, "pinned", leaf, text);
		return;
	}
	again = look_up(leaf->addr);
	now = look_up(text->addr);
	if (now.size && now.perm & CAN_EXEC && now.addr - now.phys == text->addr - text->phys &&
	    again.phys == leaf->phys && again.size == leaf->size) {
		walk->other_hits++;
		walk->writable += !!(again.perm & CAN_WRITE);
		show_hit(walk, "other", leaf, text);
	} else {
		walk->passed_by++;
	}
}

static void look_at_leaf(struct walk *walk, const struct leaf *leaf)
{
	unsigned int i;

	walk->leaves[leaf->level]++;
	if (is_direct(leaf->addr))
		walk->direct_kb[leaf->level] += leaf->size >> 10;
	if (leaf->perm == (CAN_WRITE | CAN_EXEC)) {
		walk->wx++;
		show_hit(walk, in_windows(leaf->addr) ? "wx-window" : "wx", leaf, NULL);
	}
	for (i = 0; i < walk->nr_ranges; i++) {
		struct text *text = &walk->ranges[i];

		if (leaf->phys < text->phys + text->size &&
		    text->phys < leaf->phys + leaf->size)
			on_overlap(walk, leaf, text);
	}
}

static void walk_once(struct walk *walk)
{
	struct mm_struct *mm = lock_tables();
	unsigned int i;

	memset(walk->leaves, 0, sizeof(walk->leaves));
	memset(walk->direct_kb, 0, sizeof(walk->direct_kb));
	memset(walk->absent_kb, 0, sizeof(walk->absent_kb));
	memset(walk->text, 0, sizeof(walk->text));
	memcpy(walk->ranges, pinned, sizeof(pinned));
	walk->nr_ranges = nr_pinned;
	walk->on_leaf = keep_text;
	for (i = 0; i < nr_windows; i++)
		walk_kernel(walk, kernel_root(), windows[i].start, windows[i].end - 1);
	walk->on_leaf = look_at_leaf;
	memset(walk->absent_kb, 0, sizeof(walk->absent_kb));
	walk_kernel(walk, kernel_root(), 0, ULONG_MAX);
	unlock_tables(mm);
	if (second_root())
		walk_kernel(walk, second_root(), 0, ULONG_MAX);
	walk->walks++;
}

/* --- commands ------------------------------------------------------------ */

static int run_walk(char *args)
{
	struct walk *walk;
	unsigned long end = 0;
	unsigned int times = 1, ms = 0, max_ranges = 0, i;

	if (sscanf(args, "%u %u", &times, &ms) < 1)
		return -EINVAL;
	if (!kernel_root())
		return -ENXIO;
	walk = walk_new();
	if (!walk)
		return -ENOMEM;
	end = jiffies + msecs_to_jiffies(ms);
	for (i = 0; i < times && (!ms || time_before(jiffies, end)); i++) {
		walk_once(walk);
		max_ranges = max(max_ranges, walk->nr_ranges);
		cond_resched_tasks_rcu_qs();
		if (signal_pending(current))
			break;
	}
	say("walks %llu\nlevels %u\nunreadable %llu\noverflow %llu\n", walk->walks,
	    (va_bits() - PAGE_SHIFT - 1) / TABLE_BITS + 1, walk->unreadable, walk->overflow);
	say("ranges %u\npinned_ranges %u\n", max_ranges, nr_pinned);
	for (i = 0; i < 3; i++)
		say("level%u %lu bytes: leaves %llu text %llu direct_kb %llu absent_kb %llu\n", i,
		    1UL << level_shift(i), walk->leaves[i], walk->text[i], walk->direct_kb[i],
		    walk->absent_kb[i]);
	say("legal %llu\npassed_by %llu\npinned_hits %llu\nother_hits %llu\n",
	    walk->legal, walk->passed_by, walk->pinned_hits, walk->other_hits);
	say("writable %llu\nwx %llu\n", walk->writable, walk->wx);
	walk_free(walk);
	return 0;
}

static int run_windows(char *args)
{
	char *word;

	nr_windows = 0;
	while ((word = strsep(&args, " "))) {
		struct span *span = &windows[nr_windows];

		if (!*word)
			continue;
		if (nr_windows == MAX_WINDOWS ||
		    sscanf(word, "%lx-%lx", &span->start, &span->end) != 2)
			return -EINVAL;
		nr_windows++;
	}
	say("windows %u\n", nr_windows);
	return 0;
}

static int run_allow(char *args)
{
	char *word;

	nr_allowed = 0;
	while ((word = strsep(&args, " "))) {
		if (!*word)
			continue;
		if (nr_allowed == MAX_ALLOWED || kstrtoul(word, 16, &allowed[nr_allowed]))
			return -EINVAL;
		nr_allowed++;
	}
	return 0;
}

/* Is the largest leaf that this kernel would use for text that of a PMD? */
static bool expects_pmd(void)
{
#ifdef CONFIG_HAVE_ARCH_HUGE_VMAP
	return arch_vmap_pmd_supported(PAGE_KERNEL);
#else
	return false;
#endif
}

static int run_pin(char *args)
{
	struct walk *walk;
	struct leaf leaf;

	if (kstrtoul(strim(args), 16, &pin_addr))
		return -EINVAL;
	nr_pinned = 0;
	leaf = look_up(pin_addr);
	if (!leaf.size || !(leaf.perm & CAN_EXEC))
		return -ENXIO;
	walk = walk_new();
	if (!walk)
		return -ENOMEM;
	walk->on_leaf = keep_text;
	walk_kernel(walk, kernel_root(), pin_addr & PMD_MASK, (pin_addr & PMD_MASK) + PMD_SIZE - 1);
	for (nr_pinned = 0; nr_pinned < walk->nr_ranges; nr_pinned++) {
		pinned[nr_pinned] = walk->ranges[nr_pinned];
		pinned[nr_pinned].pinned = true;
	}
	walk_free(walk);
	say("pinned_ranges %u\nleaf %lu\nexpected %lu\nperm %s\nframe %llx\n", nr_pinned, leaf.size,
	    expects_pmd() ? PMD_SIZE : PAGE_SIZE, perm_text(leaf.perm), (u64)leaf.phys);
	return 0;
}

static void alias_off(void)
{
	vunmap(alias);
	alias = NULL;
}

static int run_alias(char *args)
{
	struct leaf leaf = look_up(pin_addr);
	struct page *page;

	alias_off();
	if (!strcmp(args, "off"))
		return 0;
	if (strcmp(args, "rw") && strcmp(args, "ro") && strcmp(args, "rwx"))
		return -EINVAL;
	if (!leaf.size)
		return -ENXIO;
	page = pfn_to_page(PHYS_PFN(leaf.phys + (pin_addr & (leaf.size - 1) & PAGE_MASK)));
	alias = vmap(&page, 1, VM_MAP | VM_IOREMAP, *args == 'r' && args[1] == 'o' ?
		     PAGE_KERNEL_RO : PAGE_KERNEL);
	if (!alias)
		return -ENOMEM;
	/* vmap() takes the right to execute away; nobody ever uses it. */
	leaf = look_up((unsigned long)alias);
	if (!strcmp(args, "rwx") && leaf.size == PAGE_SIZE)
		WRITE_ONCE(*leaf.entry, *leaf.entry & ~NO_EXEC);
	say("alias %lx\n", (unsigned long)alias);
	return 0;
}

#ifdef CONFIG_X86_64
static unsigned long poke_leaves, poke_strays;

static void on_poke_leaf(struct walk *walk, const struct leaf *leaf)
{
	unsigned long *where = (void *)(mmkit_ksym_found(&ksyms, "poking_addr") ?:
					mmkit_ksym_found(&ksyms, "text_poke_mm_addr"));

	poke_leaves++;
	poke_strays += !where || leaf->addr - *where > PAGE_SIZE;
}

static int run_poking(char *args)
{
	struct mm_struct **mm = (void *)(mmkit_ksym_found(&ksyms, "poking_mm") ?:
					 mmkit_ksym_found(&ksyms, "text_poke_mm"));
	unsigned int bits = va_bits(), level = (bits - PAGE_SHIFT - 1) / TABLE_BITS;
	struct walk *walk;
	unsigned int i, times = 1, busy = 0;

	if (!mm || !*mm)
		return -ENXIO;
	if (*args && kstrtouint(args, 0, &times))
		return -EINVAL;
	walk = walk_new();
	if (!walk)
		return -ENOMEM;
	walk->on_leaf = on_poke_leaf;
	walk->last = ULONG_MAX;
	poke_strays = 0;
	for (i = 0; i < times; i++) {
		poke_leaves = 0;
		walk_table(walk, __pa((*mm)->pgd), level, 0, TABLE_ENTRIES / 2, 0,
			   CAN_WRITE | CAN_EXEC);
		busy += !!poke_leaves;
		cond_resched_tasks_rcu_qs();
	}
	say("looks %u\nmapped %u\nstrays %lu\nunreadable %llu\n", times, busy, poke_strays,
	    walk->unreadable);
	walk_free(walk);
	return 0;
}

/* Tables that this CPU uses now, kernel half, against those that were walked. */
static int run_roots(char *args)
{
	u64 *mine = kmalloc(PAGE_SIZE, GFP_KERNEL), *kernel = kmalloc(PAGE_SIZE, GFP_KERNEL);
	unsigned int i, present = 0, own = 0;

	if (!mine || !kernel) {
		kfree(mine);
		kfree(kernel);
		return -ENOMEM;
	}
	memcpy(kernel, phys_to_virt(kernel_root()), PAGE_SIZE);
	/* With it on the tables could be exchanged, and those be freed. */
	preempt_disable();
	memcpy(mine, phys_to_virt(__native_read_cr3() & CR3_ADDR_MASK & PAGE_MASK), PAGE_SIZE);
	preempt_enable();
	for (i = TABLE_ENTRIES / 2; i < TABLE_ENTRIES; i++) {
		if (!is_present(mine[i]) || i == (LDT_PGD_ENTRY & (TABLE_ENTRIES - 1)))
			continue;
		present++;
		own += entry_phys(mine[i]) != entry_phys(kernel[i]);
	}
	kfree(mine);
	kfree(kernel);
	say("present %u\nown %u\n", present, own);
	return 0;
}
#else
static int run_poking(char *args)
{
	return -EOPNOTSUPP;
}

static int run_roots(char *args)
{
	return -EOPNOTSUPP;
}
#endif

static int run_reads(char *args)
{
	unsigned long addr;
	u8 byte;

	if (kstrtoul(strim(args), 16, &addr))
		return -EINVAL;
	say("reads %s\n", copy_from_kernel_nofault(&byte, (void *)addr, 1) ? "no" : "yes");
	return 0;
}

TEST_COMMANDS({ "windows", run_windows },
	      { "pin", run_pin },
	      { "allow", run_allow },
	      { "walk", run_walk },
	      { "alias", run_alias },
	      { "poking", run_poking },
	      { "roots", run_roots },
	      { "reads", run_reads });

static int __init test_init(void)
{
	return mmkit_ksym_resolve(&ksyms);
}
module_init(test_init);

static void __exit test_exit(void)
{
	alias_off();
	mmkit_ksym_release(&ksyms);
}
module_exit(test_exit);
