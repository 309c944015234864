// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looks at a page of memory, whoever has it. debugfs mmkit_test_peek takes a page
 * frame number, or "PID ADDRESS" (hexadecimal) for the frame that is mapped there,
 * and shows
 *
 *	pfn NUMBER
 *	direct yes|no		can it be read at its address in the direct map?
 *	nonzero BYTES		how many bytes of it are not zero,
 *	first HEX		and the first 64 of them, seen through a local mapping
 *
 * /proc/PID/pagemap tells no frames of such mappings, which is as it should be.
 */
#include <linux/debugfs.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <mmkit/unmapped.h>

#include "test.h"

static unsigned long shown;
static struct dentry *file;

/* Nobody changes these tables: the process waits for our answer, or does nothing at all. */
static unsigned long frame_at(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;
	pte_t pte;

	if (pgd_none(*pgd) || pgd_bad(*pgd))
		return 0;
	p4d = p4d_offset(pgd, addr);
	if (p4d_none(*p4d) || p4d_bad(*p4d))
		return 0;
	pud = pud_offset(p4d, addr);
	if (pud_none(*pud) || pud_bad(*pud))
		return 0;
	pmd = pmd_offset(pud, addr);
	if (pmd_none(*pmd) || pmd_bad(*pmd))
		return 0;
	pte = *pte_offset_kernel(pmd, addr);
	return pte_present(pte) ? pte_pfn(pte) : 0;
}

static unsigned long frame_of(pid_t nr, unsigned long addr)
{
	struct pid *pid = find_get_pid(nr);
	struct task_struct *task = get_pid_task(pid, PIDTYPE_PID);
	struct mm_struct *mm = task ? get_task_mm(task) : NULL;
	unsigned long pfn = 0;

	if (mm) {
		mmap_read_lock(mm);
		pfn = frame_at(mm, addr);
		mmap_read_unlock(mm);
		mmput(mm);
	}
	if (task)
		put_task_struct(task);
	put_pid(pid);
	return pfn;
}

static ssize_t peek_write(struct file *filp, const char __user *from, size_t len, loff_t *pos)
{
	unsigned long pfn, addr;
	char text[64];
	pid_t nr;

	if (len >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, from, len))
		return -EFAULT;
	text[len] = '\0';
	if (sscanf(text, "%d %lx", &nr, &addr) == 2)
		pfn = frame_of(nr, addr);
	else if (kstrtoul(strim(text), 0, &pfn))
		return -EINVAL;
	if (!pfn || !pfn_valid(pfn))
		return -ENXIO;
	WRITE_ONCE(shown, pfn);
	return len;
}

static int peek_show(struct seq_file *m, void *unused)
{
	unsigned long pfn = READ_ONCE(shown);
	unsigned int i, nonzero = 0;
	u8 byte, first[64];
	struct page *page;
	bool direct;
	u8 *local;

	if (!pfn)
		return 0;
	page = pfn_to_page(pfn);
	direct = !copy_from_kernel_nofault(&byte, page_address(page), 1);
	local = mmkit_unmapped_map_local(page);
	if (!local)
		return -EBUSY;
	for (i = 0; i < PAGE_SIZE; i++)
		nonzero += !!local[i];
	memcpy(first, local, sizeof(first));
	mmkit_unmapped_unmap_local(local);
	seq_printf(m, "pfn %lu\ndirect %s\nnonzero %u\nfirst %*phN\n", pfn, direct ? "yes" : "no",
		   nonzero, (int)sizeof(first), first);
	return 0;
}

static int peek_open(struct inode *inode, struct file *filp)
{
	return single_open(filp, peek_show, NULL);
}

static const struct file_operations peek_fops = {
	.owner		= THIS_MODULE,
	.open		= peek_open,
	.read		= seq_read,
	.write		= peek_write,
	.llseek		= seq_lseek,
	.release	= single_release,
};

static int __init test_init(void)
{
	file = debugfs_create_file("mmkit_test_peek", 0600, NULL, NULL, &peek_fops);
	return PTR_ERR_OR_ZERO(file);
}
module_init(test_init);

static void __exit test_exit(void)
{
	debugfs_remove(file);
}
module_exit(test_exit);
