// SPDX-License-Identifier: GPL-2.0-only
/*
 * What happens where no code is any more, or may not be entered. What to do is
 * written to the parameter "run", what came of it is read from there:
 *
 *	freed			calls an object, frees it, calls it again
 *	pad yes|no		calls an object that has a landing pad, or none, through a
 *				pointer
 *	objects [START,LEN...]	more that are live (hexadecimal, decimal), for "traps";
 *				without any the list is empty
 *	traps START-END...	all that can be read there is objects and traps
 *	touch LEN		an object of LEN bytes, which another CPU keeps reading
 *	touch free		the object is freed
 *	touch out		other pages are where it was; another CPU still reads
 *	touch end		and no more
 *
 * What is met where there is no code, or no landing pad, is caught, and the call returns.
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kdebug.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include <mmkit/jit.h>
#include <mmkit/redirect.h>
#include <mmkit/unmapped.h>

#ifdef CONFIG_ARM64
#include <asm/debug-monitors.h>
#endif

#include "test_run.h"
#include "test_text.h"

/* --- calls that may trap --------------------------------------------------- */

#define ANSWER	0x600d0001
#define TRAPPED	0x7ba99ed

static const void *target;
static const char *caught;	/* what the call of it met */
static u32 answer;

#ifdef CONFIG_X86_64

/* Instead of the trap the function returns, to who called it. */
static int on_die(struct notifier_block *nb, unsigned long event, void *data)
{
	struct die_args *args = data;
	struct pt_regs *regs = args->regs;

	if (event != DIE_INT3 || user_mode(regs) || (const void *)(regs->ip - 1) != target)
		return NOTIFY_DONE;
	caught = "trap";
	regs->ip = *(unsigned long *)regs->sp;
	regs->sp += sizeof(unsigned long);
	regs->ax = TRAPPED;
	return NOTIFY_STOP;
}

static struct notifier_block die_block = { .notifier_call = on_die, .priority = INT_MAX };

static int catch_begin(void)
{
	return register_die_notifier(&die_block);
}

static void catch_end(void)
{
	unregister_die_notifier(&die_block);
}

#else

static struct mmkit_redirect trap_row[], later_trap_row[], pad_row[];

MMKIT_REDIRECT_DECLARE(trap, int, reserved_fault_handler,
		       (struct pt_regs *regs, unsigned long esr));
MMKIT_REDIRECT_DECLARE(later_trap, int, reserved_fault_brk_handler,
		       (struct pt_regs *regs, unsigned long esr));
MMKIT_REDIRECT_DECLARE(pad, void, do_el1_bti, (struct pt_regs *regs, unsigned long esr));

/* Instead of the trap the function returns, to who called it. */
static bool catch(struct pt_regs *regs, const char *what)
{
	if ((const void *)regs->pc != target)
		return false;
	caught = what;
	regs->pc = regs->regs[30];
	regs->regs[0] = TRAPPED;
	regs->pstate &= ~PSR_BTYPE_MASK;
	return true;
}

static noinline int mmkit_redirect_fn_trap(struct pt_regs *regs, unsigned long esr)
{
	int ret = DBG_HOOK_HANDLED;

	mmkit_redirect_enter(trap_row);
	if (!catch(regs, "trap"))
		ret = mmkit_original(trap)(regs, esr);
	mmkit_redirect_leave(trap_row);
	return ret;
}

static noinline int mmkit_redirect_fn_later_trap(struct pt_regs *regs, unsigned long esr)
{
	int ret = DBG_HOOK_HANDLED;

	mmkit_redirect_enter(later_trap_row);
	if (!catch(regs, "trap"))
		ret = mmkit_original(later_trap)(regs, esr);
	mmkit_redirect_leave(later_trap_row);
	return ret;
}

static noinline void mmkit_redirect_fn_pad(struct pt_regs *regs, unsigned long esr)
{
	mmkit_redirect_enter(pad_row);
	if (!catch(regs, "pad"))
		mmkit_original(pad)(regs, esr);
	mmkit_redirect_leave(pad_row);
}

static struct mmkit_redirect trap_row[] = { MMKIT_REDIRECT_ROW(trap) };
static struct mmkit_redirect later_trap_row[] = { MMKIT_REDIRECT_ROW(later_trap) };
static struct mmkit_redirect pad_row[] = { MMKIT_REDIRECT_ROW(pad) };

static struct mmkit_redirect_table trap_table = {
	.owner = "test-trap", .rows = trap_row, .nr = 1,
};

static struct mmkit_redirect_table later_trap_table = {
	.owner = "test-trap", .rows = later_trap_row, .nr = 1,
};

static struct mmkit_redirect_table pad_table = {
	.owner = "test-pad", .rows = pad_row, .nr = 1,
};

/*
 * No notifier is asked here. A thread could be left to die of the trap, but on some kernels the
 * CPU then believes to be in an exception for ever.
 */
static int catch_begin(void)
{
	int err = mmkit_redirect_enable(&later_trap_table);

	if (err)
		err = mmkit_redirect_enable(&trap_table);
	return err ?: mmkit_redirect_enable(&pad_table);
}

static void catch_end(void)
{
	mmkit_redirect_disable(&pad_table);
	mmkit_redirect_disable(&trap_table);
	mmkit_redirect_disable(&later_trap_table);
}

#endif

static int call_target(void)
{
	int err = catch_begin();

	if (!err) {
		caught = NULL;
		answer = call_text(target);
		if (caught)
			say("caught %s at %px\n", caught, target);
	}
	catch_end();
	return err;
}

static void *new_object(size_t len, bool pad)
{
	void *text = mmkit_jit_alloc(NULL, len);
	u8 buf[CODE_MAX];
	int n;

	if (!text)
		return NULL;
	n = emit_answer_pad(buf, text, ANSWER, pad);
	if (n < 0 || mmkit_jit_update(text, buf, n)) {
		mmkit_jit_free(text);
		return NULL;
	}
	return text;
}

static int run_freed(char *args)
{
	int err;

	target = new_object(CODE_MAX, true);
	if (!target)
		return -ENOMEM;
	say("at %px %pS\n", target, target);
	say("live %x\n", call_text(target));
	mmkit_jit_free((void *)target);
	err = call_target();
	say("freed %s\n", !err && answer == TRAPPED ? "trapped" : "ran");
	return err;
}

static int run_pad(char *args)
{
	bool pad;
	int err;

	if (kstrtobool(args, &pad))
		return -EINVAL;
	target = new_object(CODE_MAX, pad);
	if (!target)
		return -ENOMEM;
	say("at %px %pS\n", target, target);
	err = call_target();
	say("call %s\n", !err && answer == ANSWER ? "returned" : "trapped");
	mmkit_jit_free((void *)target);
	return err;
}

/* --- bytes that nobody has -------------------------------------------------- */

struct object {
	unsigned long start;
	unsigned long end;
};

#define MAX_OBJECTS	16384

static struct object *objects;
static unsigned int nr_objects;

static int by_start(const void *a, const void *b)
{
	const struct object *one = a, *other = b;

	return one->start < other->start ? -1 : one->start > other->start;
}

static int run_objects(char *args)
{
	unsigned long start, len;
	char *word;

	if (!objects)
		objects = kvcalloc(MAX_OBJECTS, sizeof(*objects), GFP_KERNEL);
	if (!objects)
		return -ENOMEM;
	if (!*args)
		nr_objects = 0;
	while ((word = strsep(&args, " "))) {
		if (!*word)
			continue;
		if (nr_objects == MAX_OBJECTS || sscanf(word, "%lx,%lu", &start, &len) != 2)
			return -EINVAL;
		objects[nr_objects++] = (struct object) { start, start + len };
	}
	return 0;
}

static int run_traps(char *args)
{
	unsigned long start, end, at, i, pages = 0, traps = 0, taken = 0, strange = 0;
	u8 *buf = kmalloc(PAGE_SIZE, GFP_KERNEL);
	unsigned int next;
	char *word;

	if (!buf)
		return -ENOMEM;
	sort(objects, nr_objects, sizeof(*objects), by_start, NULL);
	while ((word = strsep(&args, " "))) {
		if (sscanf(word, "%lx-%lx", &start, &end) != 2)
			continue;
		next = 0;
		for (at = start; at < end; at += PAGE_SIZE) {
			if (copy_from_kernel_nofault(buf, (void *)at, PAGE_SIZE))
				continue;
			pages++;
			for (i = 0; i < PAGE_SIZE; i++) {
				while (next < nr_objects && objects[next].end <= at + i)
					next++;
				if (next < nr_objects && objects[next].start <= at + i) {
					taken++;
				} else if (buf[i] == trap_byte(at + i)) {
					traps++;
				} else if (!strange++) {
					say("strange %lx: %*phN\n", at + i,
					    (int)min(PAGE_SIZE - i, 16UL), buf + i);
				}
			}
			cond_resched_tasks_rcu_qs();
		}
	}
	kfree(buf);
	say("pages %lu\nobjects %u\ntaken %lu\ntraps %lu\nstrange_bytes %lu\n", pages, nr_objects,
	    taken, traps, strange);
	return 0;
}

/* --- text that goes while it is read ---------------------------------------- */

#define SECRET		0x5e
#define MAX_CHUNKS	32
#define BLOCK_ORDER	(PMD_SHIFT - PAGE_SHIFT)

static struct {
	void *text;
	size_t len;
	struct task_struct *task;
	unsigned long pfn;
	unsigned long reads, faults, foreign;
	bool freed;
	struct page *chunks[MAX_CHUNKS];
} touch;

/* Never sleeps, so that nothing but the other CPU's flush ends what this one remembers. */
static int touch_thread(void *unused)
{
	u8 *at = touch.text + touch.len / 2;
	u8 byte;

	while (!kthread_should_stop()) {
		if (copy_from_kernel_nofault(&byte, at, 1))
			touch.faults++;
		else
			touch.reads++, touch.foreign += byte == SECRET;
		cond_resched_tasks_rcu_qs();
	}
	return 0;
}

static void touch_counts(const char *when)
{
	unsigned long reads = READ_ONCE(touch.reads), faults = READ_ONCE(touch.faults);
	int left = 200;

	/* Both sides of the counters must have moved on: it really runs. */
	while (READ_ONCE(touch.reads) + READ_ONCE(touch.faults) < reads + faults + 1000 && left--)
		msleep(20);
	say("%s: reads %lu faults %lu foreign %lu\n", when, READ_ONCE(touch.reads) - reads,
	    READ_ONCE(touch.faults) - faults, READ_ONCE(touch.foreign));
}

static int touch_begin(size_t len)
{
	u8 *code;

	if (touch.task || len < 16)
		return -EINVAL;
	memset(&touch, 0, sizeof(touch));
	code = kvmalloc(len, GFP_KERNEL);
	if (!code)
		return -ENOMEM;
	memset(code, 0x11, len);
	touch.len = len;
	touch.text = mmkit_jit_alloc(code, len);
	kvfree(code);
	if (!touch.text)
		return -ENOMEM;
	touch.pfn = vmalloc_to_pfn(touch.text + len / 2);
	touch.task = kthread_run(touch_thread, NULL, "mmkit_touch");
	if (IS_ERR(touch.task)) {
		mmkit_jit_free(touch.text);
		touch.task = NULL;
		return -ENOMEM;
	}
	say("at %px frame %lx\n", touch.text, touch.pfn);
	touch_counts("live");
	return 0;
}

/* Whoever has that frame now writes into it. */
static int touch_out(void)
{
	bool found = false;
	u8 *page;
	int i;

	for (i = 0; i < MAX_CHUNKS && !found; i++) {
		struct page *chunk = mmkit_unmapped_alloc(GFP_KERNEL, BLOCK_ORDER);

		if (!chunk)
			break;
		touch.chunks[i] = chunk;
		if (touch.pfn - page_to_pfn(chunk) >= 1UL << BLOCK_ORDER)
			continue;
		page = mmkit_unmapped_map_local(pfn_to_page(touch.pfn));
		if (!page)
			break;
		memset(page, SECRET, PAGE_SIZE);
		mmkit_unmapped_unmap_local(page);
		found = true;
	}
	say("frame %s\n", found ? "written" : "not met");
	touch_counts("out");
	return 0;
}

static int touch_end(void)
{
	int i;

	if (touch.task)
		kthread_stop(touch.task);
	touch.task = NULL;
	if (touch.text && !touch.freed)
		mmkit_jit_free(touch.text);
	touch.text = NULL;
	for (i = 0; i < MAX_CHUNKS; i++) {
		mmkit_unmapped_free(touch.chunks[i], BLOCK_ORDER);
		touch.chunks[i] = NULL;
	}
	return 0;
}

static int run_touch(char *args)
{
	unsigned long len;

	if (!strcmp(args, "free") && touch.text && !touch.freed) {
		mmkit_jit_free(touch.text);
		touch.freed = true;
		touch_counts("freed");
		return 0;
	}
	if (!strcmp(args, "out") && touch.freed)
		return touch_out();
	if (!strcmp(args, "end"))
		return touch_end();
	return kstrtoul(args, 0, &len) ?: touch_begin(len);
}

/* --- commands -------------------------------------------------------------- */

TEST_COMMANDS({ "freed", run_freed },
	      { "pad", run_pad },
	      { "objects", run_objects },
	      { "traps", run_traps },
	      { "touch", run_touch });

static int __init test_init(void)
{
	return 0;
}
module_init(test_init);

static void __exit test_exit(void)
{
	touch_end();
	kvfree(objects);
}
module_exit(test_exit);
