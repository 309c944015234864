// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that are tagged already when the manager is loaded. The hooks are live:
 * whatever becomes tagged from now on has room.
 *
 * Those in storage move out first, to wherever there is memory. One that is pinned is
 * why the manager refuses. Then all get their room.
 */
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/kvm_host.h>
#include <linux/magic.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "hooks.h"

enum ts_adoption mmkit_ts_adoption;

/* --- virtual machines whose memory is tagged --------------------------------------- */

/* Its descriptors keep it: its own and those of its CPUs. */
static int is_mte_guest(const void *unused, struct file *file, unsigned int fd)
{
	const char *name = file->f_path.dentry->d_name.name;
	struct kvm *kvm = NULL;

	if (file_inode(file)->i_sb->s_magic != ANON_INODE_FS_MAGIC)
		return 0;
	if (!strcmp(name, "kvm-vm"))
		kvm = file->private_data;
	else if (str_has_prefix(name, "kvm-vcpu:"))
		kvm = ((struct kvm_vcpu *)file->private_data)->kvm;
	return kvm && kvm_has_mte(kvm);
}

/* A guest tags its pages as it likes, under a lock. New ones are refused by the hook. */
static int refuse_guests(void)
{
	struct task_struct *group, *task;
	pid_t pid = 0;

	rcu_read_lock();
	for_each_process_thread(group, task) {
		/* Threads have the same files, as a rule. */
		if (task != group && READ_ONCE(task->files) == READ_ONCE(group->files))
			continue;
		task_lock(task);
		if (task->files && iterate_fd(task->files, 0, is_mte_guest, NULL))
			pid = task_tgid_nr(task);
		task_unlock(task);
		if (pid)
			break;
	}
	rcu_read_unlock();
	if (!pid)
		return 0;
	pr_err("process %d runs a virtual machine with memory tags: end it first\n", pid);
	return -EBUSY;
}

/* --- tagged pages in storage ---------------------------------------------------------- */

static unsigned long tagged_run(unsigned long pfn, unsigned long end)
{
	unsigned long run = 0;

	end = min(end, ALIGN(pfn + 1, pageblock_nr_pages));
	while (pfn + run < end && mmkit_ts_carries_tags(pfn_to_page(pfn + run)))
		run++;
	return run;
}

/* Somebody may look at it for a moment. It may also be freed, or move by itself. */
static int move_page(unsigned long pfn)
{
	int err = 0, tries;

	for (tries = 0; tries < TS_OTHER_PAGES; tries++) {
		if (!mmkit_ts_carries_tags(pfn_to_page(pfn)))
			return 0;
		if (tries)
			schedule_timeout_killable(1);
		err = mmkit_ts_evacuate(pfn, 1, TS_ONCE);
		if (err && err != -EBUSY)
			break;
	}
	return mmkit_ts_carries_tags(pfn_to_page(pfn)) ? err ?: -EBUSY : 0;
}

/* Pages of storage do not go offline while a region has them. */
static int empty_storage(unsigned long pfn, unsigned long nr)
{
	unsigned long end = pfn + nr, run;
	int err;

	while (pfn < end) {
		cond_resched_tasks_rcu_qs();
		run = tagged_run(pfn, end);
		if (!run) {
			pfn++;
			continue;
		}
		if (run > 1)
			mmkit_ts_evacuate(pfn, run, TS_ONCE);
		for (; run; run--, pfn++) {
			err = move_page(pfn);
			if (!err)
				continue;
			pr_err("page %#lx is tagged already, lies in tag storage and cannot leave it (%d): end the programs that use PROT_MTE first\n",
			       pfn, err);
			return -EBUSY;
		}
	}
	return 0;
}

/* --- tagged pages outside ---------------------------------------------------------------- */

/* Held, so that its free cannot be missed. */
static int adopt_page(struct page *page)
{
	struct folio *folio;
	int err = 0, tries;

	/* Who is about to split or to move it lets nobody else have it, for a moment. */
	for (tries = 0; !folio_try_get(folio = page_folio(page)); tries++) {
		if (!mmkit_ts_carries_tags(page))
			return 0;
		if (tries == HZ)
			return -EBUSY;
		schedule_timeout_killable(1);
	}
	if (page_folio(page) == folio && mmkit_ts_carries_tags(page)) {
		err = mmkit_ts_reserve(folio_pfn(folio), folio_nr_pages(folio), TS_PATIENT);
		if (!err && mmkit_ts_zero_keep(folio))
			return 0;
	}
	folio_put(folio);
	return err;
}

static int adopt_range(unsigned long pfn, unsigned long nr)
{
	unsigned long end = pfn + nr;
	int err;

	for (; pfn < end; pfn++) {
		struct page *page = pfn_to_online_page(pfn);

		if (!(pfn % 1024))
			cond_resched_tasks_rcu_qs();
		if (!page || !mmkit_ts_carries_tags(page) || mmkit_ts_reserved(pfn))
			continue;
		err = adopt_page(page);
		if (err) {
			pr_err("page %#lx is tagged already, and its tag storage cannot be had (%d): end the programs that use PROT_MTE first\n",
			       pfn, err);
			return -EBUSY;
		}
	}
	return 0;
}

static int adopt_all(void)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < mmkit_ts_nr_regions && !err; i++)
		err = adopt_range(mmkit_ts_regions[i].blocks.tagged,
				  mmkit_ts_regions[i].blocks.nr_tagged);
	return err;
}

/* --- step by step ------------------------------------------------------------------------- */

/* Whoever is inside a hook sees that. */
static int enter_phase(enum ts_adoption phase, unsigned int first, unsigned int last)
{
	int err = 0;

	WRITE_ONCE(mmkit_ts_adoption, phase);
	for (; first <= last && !err; first++) {
		err = mmkit_redirect_quiesce(&mmkit_ts_rows[first]);
		if (err)
			pr_err("calls of %s do not come to an end\n", mmkit_ts_rows[first].name);
	}
	return err;
}

int mmkit_ts_adopt(bool simulate)
{
	unsigned int i;
	int err;

	if (simulate)
		return 0;
	err = refuse_guests();
	for (i = 0; i < mmkit_ts_nr_regions && !err; i++)
		err = empty_storage(mmkit_ts_regions[i].blocks.storage,
				    mmkit_ts_regions[i].blocks.nr_storage);
	if (err)
		return err;
	err = enter_phase(TS_ADOPT_COPY, TS_ROW_MIGRATE, TS_ROW_LAST_MIGRATE);
	if (err)
		return err;
	err = enter_phase(TS_ADOPT_SCAN, TS_ROW_COPY, TS_ROW_COPY);
	if (err)
		return err;
	err = adopt_all();
	if (err)
		return err;
	/* Pairs with will_be_adopted(). Those who were told so before are found now. */
	smp_store_mb(mmkit_ts_adoption, TS_ADOPT_DONE);
	err = adopt_all();
	if (err)
		return err;
	/* Once more: one could have been on its way before the hook was there. */
	return refuse_guests();
}
