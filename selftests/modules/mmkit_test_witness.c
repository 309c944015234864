// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sees who calls what. debugfs mmkit_witness takes the name of a function of the
 * kernel, or "module:function", puts a kprobe on it, and shows
 *
 *	FUNCTION CALLS CALLER...
 *
 * where the callers are those in modules; what the kernel calls for itself is
 * counted alone.
 *
 * A probe on the first byte of a function would hide from the CPU that a landing
 * pad is missing there, so on kernels that track indirect branches it goes behind
 * the pad, and a function without one is refused. Where there is an ftrace call
 * behind the pad the probe goes behind that, too: ftrace looks at all of the
 * kernel for each probe that it serves.
 */
#include <linux/debugfs.h>
#include <linux/ftrace.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pgtable.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>

#ifdef CONFIG_X86_64
#include <asm/text-patching.h>
#endif

#include "test.h"

#define MAX_CALLERS	16
#define MAX_WATCHED	512
#define NAME_LEN	128

struct watched {
	struct list_head link;
	struct kprobe kp;
	atomic_long_t calls;
	unsigned long callers[MAX_CALLERS];
	char name[NAME_LEN];
};

static DEFINE_MUTEX(lock);
static LIST_HEAD(all);
static struct kprobe *probes[MAX_WATCHED];	/* they go at once: each alone waits for RCU */
static int nr;
static struct dentry *file;

static unsigned long returns_to(struct pt_regs *regs)
{
#ifdef CONFIG_X86_64
	return regs_get_kernel_stack_nth(regs, 0);
#else
	return procedure_link_pointer(regs);
#endif
}

static int on_call(struct kprobe *kp, struct pt_regs *regs)
{
	struct watched *watched = container_of(kp, struct watched, kp);
	unsigned long ip = returns_to(regs), seen;
	int i;

	atomic_long_inc(&watched->calls);
	if (ip < MODULES_VADDR || ip >= MODULES_END)
		return 0;
	for (i = 0; i < MAX_CALLERS; i++) {
		seen = cmpxchg(&watched->callers[i], 0, ip);
		if (!seen || seen == ip)
			break;
	}
	return 0;
}
NOKPROBE_SYMBOL(on_call);

#ifdef CONFIG_X86_KERNEL_IBT
#define PAD_AND_CALL	(4 + MCOUNT_INSN_SIZE)

/* Up to the probe there is only the ftrace call: the return address is on top of the stack. */
static bool behind_call(const struct kprobe *kp)
{
	static const u8 nop[MCOUNT_INSN_SIZE] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };
	const u8 *site = (const u8 *)kp->addr - MCOUNT_INSN_SIZE;

	return site[0] == CALL_INSN_OPCODE || !memcmp(site, nop, sizeof(nop));
}

static int put_probe(struct kprobe *kp)
{
	char name[KSYM_SYMBOL_LEN];
	int err;

	kp->offset = PAD_AND_CALL;
	err = register_kprobe(kp);
	if (!err && behind_call(kp))
		return 0;
	if (!err)
		unregister_kprobe(kp);
	/* No ftrace call, or something else that is patched: kprobes steps over the pad itself. */
	kp->addr = NULL;
	kp->offset = 0;
	kp->flags = 0;
	err = register_kprobe(kp);
	if (err)
		return err;
	sprint_symbol(name, (unsigned long)kp->addr);
	if (!strstr(name, "+0x0/"))
		return 0;
	unregister_kprobe(kp);
	return -EXDEV;
}
#else
static int put_probe(struct kprobe *kp)
{
	return register_kprobe(kp);
}
#endif

static int watch(const char *name)
{
	struct watched *watched = kzalloc(sizeof(*watched), GFP_KERNEL);
	int err;

	if (!watched)
		return -ENOMEM;
	strscpy(watched->name, name, sizeof(watched->name));
	watched->kp.symbol_name = watched->name;
	watched->kp.pre_handler = on_call;
	err = put_probe(&watched->kp);
	if (err) {
		kfree(watched);
		return err;
	}
	mutex_lock(&lock);
	if (nr < MAX_WATCHED) {
		probes[nr++] = &watched->kp;
		list_add_tail(&watched->link, &all);
		watched = NULL;
	}
	mutex_unlock(&lock);
	if (!watched)
		return 0;
	unregister_kprobe(&watched->kp);
	kfree(watched);
	return -ENOSPC;
}

static ssize_t witness_write(struct file *filp, const char __user *from, size_t len, loff_t *pos)
{
	char name[NAME_LEN];
	ssize_t copied;
	int err;

	copied = simple_write_to_buffer(name, sizeof(name) - 1, pos, from, len);
	if (copied < 0)
		return copied;
	name[copied] = '\0';
	err = watch(strim(name));
	return err ?: copied;
}

static int witness_show(struct seq_file *m, void *unused)
{
	struct watched *watched;
	int i;

	mutex_lock(&lock);
	list_for_each_entry(watched, &all, link) {
		seq_printf(m, "%s %ld", watched->name, atomic_long_read(&watched->calls));
		for (i = 0; i < MAX_CALLERS && watched->callers[i]; i++)
			seq_printf(m, " %pS", (void *)watched->callers[i]);
		seq_putc(m, '\n');
	}
	mutex_unlock(&lock);
	return 0;
}

static int witness_open(struct inode *inode, struct file *filp)
{
	return single_open(filp, witness_show, NULL);
}

static const struct file_operations witness_fops = {
	.owner		= THIS_MODULE,
	.open		= witness_open,
	.read		= seq_read,
	.write		= witness_write,
	.llseek		= seq_lseek,
	.release	= single_release,
};

static int __init test_init(void)
{
	file = debugfs_create_file("mmkit_witness", 0600, NULL, NULL, &witness_fops);
	return PTR_ERR_OR_ZERO(file);
}
module_init(test_init);

static void __exit test_exit(void)
{
	struct watched *watched, *next;

	debugfs_remove(file);
	unregister_kprobes(probes, nr);
	list_for_each_entry_safe(watched, next, &all, link)
		kfree(watched);
}
module_exit(test_exit);
