// SPDX-License-Identifier: GPL-2.0-only
/*
 * Redirects: calls to functions of the kernel that run functions of modules.
 *
 * How it works. One ftrace_ops serves a table. Its callback finds the row by
 * the address of the ftrace call and, if the row wants this call, sets the
 * instruction pointer to the replacement, which then runs in place of the
 * function: same arguments, same return address, same context. The replacement
 * reaches the original through a static call to the instruction behind the
 * ftrace call. That address cannot come back here, so neither a marker per task
 * nor a look at return addresses is needed, and tail calls, function_graph and
 * kretprobes change nothing.
 *
 * Removal. The ops is unregistered, which ends new calls. A task can still be
 * inside a replacement in three states: before it was counted (on a CPU or
 * preempted, synchronize_rcu_tasks() waits for it), counted (the counters wait
 * for it; it may sleep, which RCU-tasks takes for quiescent), and after it was
 * counted out (a second synchronize_rcu_tasks()). Counters only grow; "left" is
 * summed before "entered", so equal sums mean that nobody was inside.
 *
 * Locking: tables_lock guards the list of tables that are live.
 */
#include <linux/delay.h>
#include <linux/ftrace.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <mmkit/redirect.h>

#include "core.h"

struct mmkit_redirect_ops {
	struct ftrace_ops ops;
	struct mmkit_redirect_table *table;
};

static DEFINE_MUTEX(tables_lock);
static LIST_HEAD(tables);

static void notrace redirect_callback(unsigned long ip, unsigned long parent_ip,
				      struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	struct mmkit_redirect_table *table = container_of(ops, struct mmkit_redirect_ops,
							  ops)->table;
	struct mmkit_redirect *row = table->rows;

	while (row->site != ip) {
		if (++row == table->rows + table->nr)
			return;
	}
	if (!row->wanted || row->wanted(fregs))
		mmkit_ftrace_set_ip(fregs, (unsigned long)row->replacement);
}

/* --- rows -------------------------------------------------------------- */

/* Looks up the rows that do not bring their address along. */
static int rows_resolve(struct mmkit_redirect_table *table)
{
	struct mmkit_ksym_table lookup = { .owner = table->owner };
	struct mmkit_ksym *ksyms;
	unsigned int i, nr = 0;
	int err;

	ksyms = kcalloc(table->nr, sizeof(*ksyms), GFP_KERNEL);
	if (!ksyms)
		return -ENOMEM;
	for (i = 0; i < table->nr; i++) {
		if (table->rows[i].addr)
			continue;
		ksyms[nr].name = table->rows[i].name;
		ksyms[nr].proto = table->rows[i].proto;
		ksyms[nr].lost = "calls to it cannot be redirected";
		ksyms[nr++].flags = MMKIT_KSYM_REQUIRED;
	}
	lookup.rows = ksyms;
	lookup.nr = nr;
	err = nr ? mmkit_ksym_resolve(&lookup) : 0;
	if (!err && nr) {
		for (i = 0, nr = 0; i < table->nr; i++) {
			if (!table->rows[i].addr)
				table->rows[i].addr = ksyms[nr++].addr;
		}
		mmkit_ksym_release(&lookup);
	}
	kfree(ksyms);
	return err;
}

/* Where the ftrace call of a row is, and the original behind it. */
static int row_prepare(struct mmkit_redirect_table *table, struct mmkit_redirect *row)
{
	row->site = mmkit_ksym(ftrace_location)(row->addr);
	if (!row->site) {
		pr_err("%s: %s cannot be redirected: the kernel has no ftrace call in it\n",
		       table->owner, row->name);
		return -EOPNOTSUPP;
	}
	row->counts = alloc_percpu(struct mmkit_redirect_counts);
	if (!row->counts)
		return -ENOMEM;
	__static_call_update(row->key, row->tramp, (void *)(row->site + MCOUNT_INSN_SIZE));
	return 0;
}

static unsigned long row_sum(const struct mmkit_redirect *row, bool entered)
{
	unsigned long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu) {
		const struct mmkit_redirect_counts *counts = per_cpu_ptr(row->counts, cpu);

		sum += entered ? READ_ONCE(counts->entered) : READ_ONCE(counts->left);
	}
	return sum;
}

static unsigned long row_inside(const struct mmkit_redirect *row)
{
	unsigned long left = row_sum(row, false);

	/* "left" first: see the top of this file. */
	smp_rmb();
	return row_sum(row, true) - left;
}

/* A task that died inside will never leave: say so, and keep the text for it. */
static void row_wait(const struct mmkit_redirect_table *table, const struct mmkit_redirect *row)
{
	unsigned int rounds;

	for (rounds = 0; row_inside(row); rounds++) {
		if (rounds == 500)
			pr_warn("%s: waiting for %lu tasks inside %s\n", table->owner,
				row_inside(row), row->name);
		msleep(20);
	}
}

int mmkit_redirect_quiesce(const struct mmkit_redirect *row)
{
	unsigned int rounds;

	/* Whoever was counted before and has not seen what was written has a count that is seen. */
	synchronize_rcu();
	for (rounds = 0; row_inside(row); rounds++) {
		if (rounds == 10 * HZ)
			return -EBUSY;
		schedule_timeout_uninterruptible(1);
	}
	return 0;
}
MMKIT_EXPORT(mmkit_redirect_quiesce);

/* ftrace has given up after a bug: calls come here still, so the text must stay. */
static void stay_for_ever(const struct mmkit_redirect_table *table)
{
	pr_err("%s: ftrace does not give its calls back, this task stays here\n", table->owner);
	for (;;)
		schedule_timeout_uninterruptible(MAX_SCHEDULE_TIMEOUT);
}

static void rows_release(struct mmkit_redirect_table *table)
{
	unsigned int i;

	for (i = table->nr; i--;) {
		free_percpu(table->rows[i].counts);
		table->rows[i].counts = NULL;
	}
}

/* --- public interface -------------------------------------------------- */

static int ops_register(struct mmkit_redirect_table *table)
{
	struct ftrace_ops *ops = &table->ops->ops;
	unsigned int i;
	int err = 0;

	ops->func = redirect_callback;
	ops->flags = FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_PERMANENT | MMKIT_FTRACE_OPS_FLAGS;
	for (i = 0; i < table->nr && !err; i++)
		err = ftrace_set_filter_ip(ops, table->rows[i].site, 0, 0);
	if (!err)
		err = register_ftrace_function(ops);
	if (err)
		ftrace_free_filter(ops);
	return err;
}

int mmkit_redirect_enable(struct mmkit_redirect_table *table)
{
	unsigned int i;
	int err;

	err = rows_resolve(table);
	if (err)
		return err;
	table->ops = kzalloc(sizeof(*table->ops), GFP_KERNEL);
	if (!table->ops)
		return -ENOMEM;
	table->ops->table = table;
	for (i = 0; i < table->nr; i++) {
		err = row_prepare(table, &table->rows[i]);
		if (err)
			goto err_release;
	}
	err = ops_register(table);
	if (err) {
		pr_err("%s: calls cannot be redirected (error %d)%s\n", table->owner, err,
		       err == -EBUSY ?
		       ": somebody else, a live patch perhaps, has done so, or ftrace is off" : "");
		goto err_release;
	}
	mutex_lock(&tables_lock);
	list_add_tail(&table->link, &tables);
	mutex_unlock(&tables_lock);
	return 0;

err_release:
	rows_release(table);
	kfree(table->ops);
	table->ops = NULL;
	return err;
}
MMKIT_EXPORT(mmkit_redirect_enable);

void mmkit_redirect_disable(struct mmkit_redirect_table *table)
{
	unsigned int i;

	if (!table->ops)
		return;
	mutex_lock(&tables_lock);
	list_del(&table->link);
	mutex_unlock(&tables_lock);

	if (WARN_ON_ONCE(unregister_ftrace_function(&table->ops->ops)))
		stay_for_ever(table);
	synchronize_rcu_tasks();
	for (i = 0; i < table->nr; i++)
		row_wait(table, &table->rows[i]);
	synchronize_rcu_tasks();

	ftrace_free_filter(&table->ops->ops);
	rows_release(table);
	kfree(table->ops);
	table->ops = NULL;
}
MMKIT_EXPORT(mmkit_redirect_disable);

/* What stands at a site that calls nobody. */
#ifdef CONFIG_X86_64
static const u8 no_call[] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };
#else
static const u8 no_call[] = { 0x1f, 0x20, 0x03, 0xd5 };
#endif

bool mmkit_redirect_live(const struct mmkit_redirect_table *table)
{
	u8 site[sizeof(no_call)];
	unsigned int i;

	if (!table->ops || !(table->ops->ops.flags & FTRACE_OPS_FL_ENABLED))
		return false;
	for (i = 0; i < table->nr; i++) {
		if (copy_from_kernel_nofault(site, (void *)table->rows[i].site, sizeof(site)) ||
		    !memcmp(site, no_call, sizeof(site)))
			return false;
	}
	return true;
}
MMKIT_EXPORT(mmkit_redirect_live);

/* --- debugfs ----------------------------------------------------------- */

static int redirects_show(struct seq_file *m, void *unused)
{
	struct mmkit_redirect_table *table;
	unsigned int i;

	seq_printf(m, "%-10s %-32s %-5s %12s %8s\n", "component", "function", "state", "hits",
		   "inside");
	mutex_lock(&tables_lock);
	list_for_each_entry(table, &tables, link) {
		bool live = mmkit_redirect_live(table);

		for (i = 0; i < table->nr; i++) {
			const struct mmkit_redirect *row = &table->rows[i];

			seq_printf(m, "%-10s %-32s %-5s %12lu %8lu\n", table->owner, row->name,
				   live ? "live" : "dead", row_sum(row, true), row_inside(row));
		}
	}
	mutex_unlock(&tables_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(redirects);

void mmkit_redirect_files(void)
{
	mmkit_debugfs_table("redirects", &redirects_fops);
}
