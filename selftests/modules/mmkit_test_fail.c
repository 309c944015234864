// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lets things fail that do not want to. It knows the modules of the suite that are
 * loaded after it.
 *
 * "NAME RESULT", written to the parameter "function": of the calls to a function of the
 * kernel that come from the suite, the one whose number is written to "nth" does not take
 * place, and returns RESULT. What is read back counts down with each call; 0 means that it
 * was made. An empty line ends it.
 *
 * On a kernel with fault injection: what is written to "init_nth" becomes the
 * fail-nth of the task that loads a module of the suite next, but not before all that
 * the kernel does by itself. What is read back is as in /proc/self/fail-nth.
 */
#include <linux/atomic.h>
#include <linux/kprobes.h>
#include <linux/linkage.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/objtool.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "test.h"

#define MAX_SUITE	8

/* --- who calls ----------------------------------------------------------- */

/* Its modules are added and taken out one at a time, and looked up with preemption off. */
static struct module *suite[MAX_SUITE];
static unsigned int init_nth;

static bool of_suite(const struct module *mod)
{
	return !strncmp(mod->name, "mmkit", 5) && strncmp(mod->name, "mmkit_test", 10);
}

static bool from_suite(unsigned long addr)
{
	unsigned int i;

	for (i = 0; i < MAX_SUITE; i++) {
		struct module *mod = READ_ONCE(suite[i]);

		if (mod && within_module(addr, mod))
			return true;
	}
	return false;
}

static void replace(struct module *old, struct module *new)
{
	unsigned int i;

	for (i = 0; i < MAX_SUITE; i++) {
		if (suite[i] == old) {
			WRITE_ONCE(suite[i], new);
			return;
		}
	}
}

#ifdef CONFIG_FAULT_INJECTION
static unsigned int task_nth(void)
{
	return READ_ONCE(current->fail_nth);
}

static void set_task_nth(unsigned int nth)
{
	WRITE_ONCE(current->fail_nth, nth);
}
#else
static unsigned int task_nth(void)
{
	return 0;
}

static void set_task_nth(unsigned int nth)
{
}
#endif

static int on_module(struct notifier_block *nb, unsigned long action, void *data)
{
	struct module *mod = data;

	if (!of_suite(mod))
		return NOTIFY_DONE;
	if (action == MODULE_STATE_COMING) {
		replace(NULL, mod);
		if (init_nth)
			set_task_nth(init_nth);
		init_nth = 0;
	} else if (action == MODULE_STATE_GOING) {
		replace(mod, NULL);
	}
	return NOTIFY_DONE;
}

/* The last one: what others do for the module is the kernel's, too. */
static struct notifier_block module_nb = { .notifier_call = on_module, .priority = INT_MIN };

static int init_nth_set(const char *text, const struct kernel_param *kp)
{
	int err = kstrtouint(strim((char *)text), 10, &init_nth);

	if (!err && !init_nth)
		set_task_nth(0);
	return err;
}

static int init_nth_get(char *buffer, const struct kernel_param *kp)
{
	return scnprintf(buffer, PAGE_SIZE, "%u\n", init_nth ?: task_nth());
}

static const struct kernel_param_ops init_nth_ops = { .set = init_nth_set, .get = init_nth_get };
module_param_cb(init_nth, &init_nth_ops, NULL, 0600);
MODULE_PARM_DESC(init_nth, "which point of the next load fails");

/* --- a function fails ---------------------------------------------------- */

static atomic_t nth;
static char function[64];
static long result;

static int nth_set(const char *text, const struct kernel_param *kp)
{
	unsigned int value;
	int err = kstrtouint(text, 10, &value);

	if (!err)
		atomic_set(&nth, value);
	return err;
}

static int nth_get(char *buffer, const struct kernel_param *kp)
{
	return scnprintf(buffer, PAGE_SIZE, "%d\n", atomic_read(&nth));
}

static const struct kernel_param_ops nth_ops = { .set = nth_set, .get = nth_get };
module_param_cb(nth, &nth_ops, NULL, 0600);
MODULE_PARM_DESC(nth, "which call of the function fails");

#ifdef CONFIG_X86_64
/* What runs instead: the stack is as the function would find it. */
void mmkit_test_return(void);
asm(".pushsection .text\n"
	".type mmkit_test_return, @function\n"
	"mmkit_test_return:\n"
	ANNOTATE_NOENDBR "\n"
	ASM_RET
	".size mmkit_test_return, . - mmkit_test_return\n"
	".popsection\n");

static unsigned long caller(struct pt_regs *regs)
{
	return *(unsigned long *)regs->sp;
}

static void leave(struct pt_regs *regs)
{
	instruction_pointer_set(regs, (unsigned long)mmkit_test_return);
}
#else
static unsigned long caller(struct pt_regs *regs)
{
	return procedure_link_pointer(regs);
}

static void leave(struct pt_regs *regs)
{
	instruction_pointer_set(regs, procedure_link_pointer(regs));
}
#endif

static int __kprobes on_call(struct kprobe *kp, struct pt_regs *regs)
{
	if (!from_suite(caller(regs)))
		return 0;
	if (atomic_dec_if_positive(&nth) != 0)
		return 0;
	regs_set_return_value(regs, result);
	leave(regs);
	return 1;
}

static struct kprobe probe;

/* The kernel makes a jump of a probe that has none, and such a one cannot leave. */
static void after_call(struct kprobe *kp, struct pt_regs *regs, unsigned long flags)
{
}

/* A probe that is ftrace's own leaves only if it has none. */
static int function_begin(void)
{
	int err;

	probe = (struct kprobe) { .symbol_name = function, .pre_handler = on_call };
	err = register_kprobe(&probe);
	if (err || kprobe_ftrace(&probe))
		return err;
	unregister_kprobe(&probe);
	probe = (struct kprobe) {
		.symbol_name = function, .pre_handler = on_call, .post_handler = after_call,
	};
	return register_kprobe(&probe);
}

static void function_end(void)
{
	if (*function)
		unregister_kprobe(&probe);
	*function = '\0';
}

static int function_set(const char *text, const struct kernel_param *kp)
{
	char name[sizeof(function)] = "";
	int err;

	atomic_set(&nth, 0);
	function_end();
	if (sscanf(text, "%63s %ld", name, &result) != 2)
		return *name ? -EINVAL : 0;
	strscpy(function, name, sizeof(function));
	err = function_begin();
	if (err)
		*function = '\0';
	return err;
}

static const struct kernel_param_ops function_ops = { .set = function_set };
module_param_cb(function, &function_ops, NULL, 0200);
MODULE_PARM_DESC(function, "function that fails, and what it returns then");

/* --- the module ---------------------------------------------------------- */

static int __init test_init(void)
{
	return register_module_notifier(&module_nb);
}
module_init(test_init);

static void __exit test_exit(void)
{
	function_end();
	unregister_module_notifier(&module_nb);
}
module_exit(test_exit);
