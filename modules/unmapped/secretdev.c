// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/mmkit_secret: memory for user space that the kernel itself cannot read by
 * accident, nor other processes on purpose.
 *
 * How it works. Each open() makes an object, pages of which appear at first touch.
 * Mappings are VM_PFNMAP and shared: get_user_pages() refuses them in all its forms,
 * and with it ptrace, /proc/PID/mem, process_vm_readv() and direct I/O; dumps leave
 * them out; nothing swaps or migrates them. The pages come from the cache and are in
 * no direct map.
 *
 * The kernel does not tell a driver which part of such a mapping is gone, so pages
 * go when the last mapping of the object closes: scrubbed at once, then back to the
 * cache. That holds for SIGKILL, too.
 *
 * Each page is charged once: to the locked memory of the user who opened the device,
 * to the memory cgroup of the task that touched it first, and to the limit of the
 * device.
 *
 * Locking: lock of the object after mmap_lock, before the page allocator. It guards
 * the number of mappings, new pages, and the freeing of all of them. Pages that are
 * there already are found without it: they stay while a mapping exists.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/memcontrol.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>
#include <linux/xarray.h>

#include "unmapped.h"

/**
 * struct secret - what one open() stands for
 * @maps:   mappings there are
 * @pages:  pages by their offset
 * @user:   whose locked memory they count as
 * @limit:  most pages that @user may have locked, ULONG_MAX for no limit
 */
struct secret {
	/** @lock: guards @maps and changes of @pages */
	struct mutex lock;
	unsigned long maps;
	struct xarray pages;
	struct user_struct *user;
	unsigned long limit;
};

unsigned long mmkit_um_secret_max_pages;

static atomic_long_t secret_pages;
static bool memcg_charges;
static bool registered;

unsigned long mmkit_um_secret_pages(void)
{
	return atomic_long_read(&secret_pages);
}

/* --- charges ------------------------------------------------------------- */

/* Counts a page, unless that makes it more than @limit. */
static bool charge(atomic_long_t *counter, unsigned long limit)
{
	long old = atomic_long_read(counter);

	do {
		if (old >= 0 && (unsigned long)old >= limit)
			return false;
	} while (!atomic_long_try_cmpxchg(counter, &old, old + 1));
	return true;
}

static int secret_charge(struct secret *secret)
{
	if (!charge(&secret_pages, READ_ONCE(mmkit_um_secret_max_pages)))
		return -ENOSPC;
	if (!charge(&secret->user->locked_vm, secret->limit)) {
		atomic_long_dec(&secret_pages);
		return -EAGAIN;
	}
	return 0;
}

static void secret_uncharge(struct secret *secret)
{
	atomic_long_dec(&secret->user->locked_vm);
	atomic_long_dec(&secret_pages);
}

/*
 * Reclaims, and fails: the OOM killer goes by what processes have mapped, where these
 * pages do not count. It would kill others, and free nothing.
 */
static int memcg_charge(struct page *page)
{
	if (!memcg_charges)
		return 0;
	return mmkit_ksym(__memcg_kmem_charge_page)(page, GFP_KERNEL | __GFP_RETRY_MAYFAIL, 0);
}

static void memcg_uncharge(struct page *page)
{
	if (memcg_charges)
		mmkit_ksym(__memcg_kmem_uncharge_page)(page, 0);
}

/* --- pages --------------------------------------------------------------- */

static void page_drop(struct secret *secret, struct page *page)
{
	bool scrubbed = mmkit_um_scrub(page);

	memcg_uncharge(page);
	mmkit_um_put(page, 0, scrubbed ? UM_ZEROES : UM_SECRET);
	secret_uncharge(secret);
}

static int page_new(struct secret *secret, unsigned long offset)
{
	struct page *page;
	int err;

	err = secret_charge(secret);
	if (err)
		return err;
	err = -ENOMEM;
	page = mmkit_um_take(NUMA_NO_NODE, GFP_USER | __GFP_ZERO, 0, _THIS_IP_);
	if (!page)
		goto err_charge;
	err = memcg_charge(page);
	if (err)
		goto err_page;
	err = xa_err(xa_store(&secret->pages, offset, page, GFP_KERNEL));
	if (err)
		goto err_memcg;
	return 0;

err_memcg:
	memcg_uncharge(page);
err_page:
	mmkit_um_put(page, 0, UM_ZEROES);
err_charge:
	secret_uncharge(secret);
	return err;
}

/* Who comes second with a page waits for the first, and is not charged. */
static noinline struct page *page_add(struct secret *secret, unsigned long offset)
{
	struct page *page;
	int err = 0;

	mutex_lock(&secret->lock);
	page = xa_load(&secret->pages, offset);
	if (!page) {
		err = page_new(secret, offset);
		page = xa_load(&secret->pages, offset);
	}
	mutex_unlock(&secret->lock);
	return err ? ERR_PTR(err) : page;
}

static void pages_free(struct secret *secret)
{
	unsigned long offset;
	struct page *page;

	xa_for_each(&secret->pages, offset, page) {
		page_drop(secret, page);
		cond_resched_tasks_rcu_qs();
	}
	xa_destroy(&secret->pages);
}

/* --- mappings ------------------------------------------------------------ */

static void secret_vma_open(struct vm_area_struct *vma)
{
	struct secret *secret = vma->vm_file->private_data;

	mutex_lock(&secret->lock);
	secret->maps++;
	mutex_unlock(&secret->lock);
}

static void secret_vma_close(struct vm_area_struct *vma)
{
	struct secret *secret = vma->vm_file->private_data;

	mutex_lock(&secret->lock);
	if (!--secret->maps)
		pages_free(secret);
	mutex_unlock(&secret->lock);
}

static vm_fault_t secret_fault(struct vm_fault *vmf)
{
	struct secret *secret = vmf->vma->vm_file->private_data;
	struct page *page = xa_load(&secret->pages, vmf->pgoff);
	bool closed = mmkit_um_closed();

	if (!page)
		page = page_add(secret, vmf->pgoff);
	if (!IS_ERR(page))
		return vmf_insert_pfn(vmf->vma, vmf->address, page_to_pfn(page));
	if (!closed && !mmkit_um_closed())
		return VM_FAULT_SIGBUS;
	/* Hibernation begins: the task will be frozen, and touches again afterwards. */
	if (fatal_signal_pending(current) && !(vmf->flags & FAULT_FLAG_USER))
		return VM_FAULT_SIGBUS;
	schedule_timeout_killable(1);
	return VM_FAULT_NOPAGE;
}

/* That there is one lets faults run without mmap_lock; there is nothing to map around. */
static vm_fault_t secret_map_pages(struct vm_fault *vmf, pgoff_t start, pgoff_t end)
{
	return 0;
}

static const struct vm_operations_struct secret_vm_ops = {
	.open		= secret_vma_open,
	.close		= secret_vma_close,
	.fault		= secret_fault,
	.map_pages	= secret_map_pages,
};

static int secret_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct secret *secret = file->private_data;
	unsigned long pages = vma_pages(vma);

	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	if (vma->vm_pgoff + pages < pages ||
	    vma->vm_pgoff + pages > READ_ONCE(mmkit_um_secret_max_pages))
		return -ENOMEM;
	if (pages > secret->limit)
		return -EAGAIN;

	mmkit_vm_flags_mod(vma, VM_PFNMAP | VM_DONTDUMP | VM_DONTEXPAND, VM_MAYEXEC);
	vma->vm_ops = &secret_vm_ops;
	secret_vma_open(vma);
	return 0;
}

/* --- the device ---------------------------------------------------------- */

static int secret_open(struct inode *inode, struct file *file)
{
	struct secret *secret = kzalloc(sizeof(*secret), GFP_KERNEL_ACCOUNT);

	if (!secret)
		return -ENOMEM;
	mutex_init(&secret->lock);
	xa_init_flags(&secret->pages, XA_FLAGS_ACCOUNT);
	secret->user = get_uid(current_user());
	secret->limit = ULONG_MAX;
	if (rlimit(RLIMIT_MEMLOCK) != RLIM_INFINITY &&
	    !file_ns_capable(file, &init_user_ns, CAP_IPC_LOCK))
		secret->limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	file->private_data = secret;
	return 0;
}

static int secret_release(struct inode *inode, struct file *file)
{
	struct secret *secret = file->private_data;

	pages_free(secret);
	free_uid(secret->user);
	kfree(secret);
	return 0;
}

static const struct file_operations secret_fops = {
	.owner		= THIS_MODULE,
	.open		= secret_open,
	.release	= secret_release,
	.mmap		= secret_mmap,
};

static struct miscdevice secret_dev = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "mmkit_secret",
	.fops	= &secret_fops,
	.mode	= 0600,
};

int mmkit_um_secret_init(const struct mmkit_ksym_table *ksyms)
{
	int err;

	if (!mmkit_ksym_found(ksyms, "__memcg_kmem_charge_page") ||
	    !mmkit_ksym_found(ksyms, "__memcg_kmem_uncharge_page"))
		mmkit_component_degrade(&mmkit_um_component,
					"secret memory is not charged to memory cgroups");
	else
		memcg_charges = !mem_cgroup_disabled();
	err = misc_register(&secret_dev);
	registered = !err;
	return err;
}

void mmkit_um_secret_exit(void)
{
	if (registered)
		misc_deregister(&secret_dev);
}
