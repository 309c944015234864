// SPDX-License-Identifier: GPL-2.0-only
/*
 * Component registry, fuses, and the sysfs and debugfs roots.
 *
 * Locking: registry_lock guards the list of components and their texts. Files
 * are removed with the lock free, because removal waits for readers, and
 * readers take the lock.
 */
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>

#include "core.h"

static DEFINE_MUTEX(registry_lock);
static LIST_HEAD(registry);
static struct kobject *sysfs_root;
static struct dentry *debugfs_root;

static bool debugfs_missing(void)
{
	return IS_ERR_OR_NULL(debugfs_root);
}

static const char *component_state(const struct mmkit_component *comp)
{
	if (mmkit_fuse_blown(comp))
		return "blown";
	return comp->degraded[0] ? "degraded" : "ok";
}

static const char *component_reason(const struct mmkit_component *comp)
{
	return READ_ONCE(comp->blown) ?: comp->degraded;
}

/* --- sysfs ------------------------------------------------------------- */

/* Now, and not when the last reference goes: the next load may come before that. */
static void directory_remove(struct kobject *kobj)
{
	kobject_del(kobj);
	kobject_put(kobj);
}

static ssize_t version_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", MMKIT_VERSION);
}

static struct kobj_attribute version_attr = __ATTR_RO(version);

static ssize_t state_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	struct mmkit_component *comp;
	ssize_t len = -ENODEV;

	mutex_lock(&registry_lock);
	list_for_each_entry(comp, &registry, link) {
		const char *reason = component_reason(comp);

		if (comp->kobj != kobj)
			continue;
		len = sysfs_emit(buf, "%s%s%s\n", component_state(comp), *reason ? ": " : "",
				 reason);
		break;
	}
	mutex_unlock(&registry_lock);
	return len;
}

static struct kobj_attribute state_attr = __ATTR_RO(state);

/* --- debugfs ----------------------------------------------------------- */

static int components_show(struct seq_file *m, void *unused)
{
	struct mmkit_component *comp;

	seq_printf(m, "%-12s %-9s %-8s %s\n", "component", "state", "version", "reason");
	mutex_lock(&registry_lock);
	list_for_each_entry(comp, &registry, link) {
		const char *reason = component_reason(comp);

		seq_printf(m, "%-12s %-9s %-8s %s\n", comp->name, component_state(comp),
			   MMKIT_VERSION, *reason ? reason : "-");
	}
	mutex_unlock(&registry_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(components);

/* A table of the core: read-only, so that it opens under lockdown. */
void mmkit_debugfs_table(const char *name, const struct file_operations *fops)
{
	if (!debugfs_missing())
		debugfs_create_file(name, 0400, debugfs_root, NULL, fops);
}

/* --- the fuse ---------------------------------------------------------- */

static void fuse_work(struct work_struct *work)
{
	struct mmkit_component *comp = container_of(work, struct mmkit_component, fuse_work);

	WARN(1, "mmkit: fuse of %s has blown: %s\n", comp->name, comp->blown);
	if (comp->disarm)
		comp->disarm(comp);
	pr_err("%s is disarmed until its module is loaded again\n", comp->name);
}

static void fuse_irq(struct irq_work *irq)
{
	schedule_work(&container_of(irq, struct mmkit_component, fuse_irq)->fuse_work);
}

void mmkit_fuse_blow(struct mmkit_component *comp, const char *what)
{
	if (!cmpxchg(&comp->blown, NULL, what))
		irq_work_queue(&comp->fuse_irq);
}
MMKIT_EXPORT(mmkit_fuse_blow);

/* --- registration ------------------------------------------------------ */

static int component_add_files(struct mmkit_component *comp)
{
	int err = sysfs_create_file(comp->kobj, &state_attr.attr);

	if (!err && comp->attrs)
		err = sysfs_create_files(comp->kobj, comp->attrs);
	return err;
}

int mmkit_component_register_version(struct mmkit_component *comp, const char *version)
{
	struct mmkit_component *other;
	int err = 0;

	if (strcmp(version, MMKIT_VERSION)) {
		pr_err("%s is of version %s, and mmkit of %s: unload the suite, then load all of it in one version\n",
		       comp->name, version, MMKIT_VERSION);
		return -ENOEXEC;
	}
	INIT_LIST_HEAD(&comp->link);
	init_irq_work(&comp->fuse_irq, fuse_irq);
	INIT_WORK(&comp->fuse_work, fuse_work);
	comp->blown = NULL;
	comp->kobj = NULL;

	mutex_lock(&registry_lock);
	list_for_each_entry(other, &registry, link) {
		if (!strcmp(other->name, comp->name))
			err = -EEXIST;
	}
	if (!err)
		list_add_tail(&comp->link, &registry);
	mutex_unlock(&registry_lock);
	if (err)
		return err;

	comp->kobj = kobject_create_and_add(comp->name, sysfs_root);
	err = comp->kobj ? component_add_files(comp) : -ENOMEM;
	if (err)
		goto err_remove;

	if (debugfs_missing())
		mmkit_component_degrade(comp, "debugfs is not available, its tables are missing");
	else
		comp->debugfs = debugfs_create_dir(comp->name, debugfs_root);
	return 0;

err_remove:
	mmkit_component_unregister(comp);
	return err;
}
MMKIT_EXPORT(mmkit_component_register_version);

void mmkit_component_unregister(struct mmkit_component *comp)
{
	if (!debugfs_missing())
		debugfs_remove(comp->debugfs);
	comp->debugfs = NULL;
	if (comp->kobj) {
		if (comp->attrs)
			sysfs_remove_files(comp->kobj, comp->attrs);
		sysfs_remove_file(comp->kobj, &state_attr.attr);
		directory_remove(comp->kobj);
		comp->kobj = NULL;
	}

	mutex_lock(&registry_lock);
	list_del_init(&comp->link);
	mutex_unlock(&registry_lock);

	irq_work_sync(&comp->fuse_irq);
	flush_work(&comp->fuse_work);
}
MMKIT_EXPORT(mmkit_component_unregister);

void mmkit_component_wait_unused(const struct mmkit_component *comp)
{
	if (module_refcount(comp->owner) <= 0)
		return;
	pr_warn("%s: rmmod was forced and waits until %d references are gone\n", comp->name,
		module_refcount(comp->owner));
	while (module_refcount(comp->owner) > 0)
		msleep(20);
}
MMKIT_EXPORT(mmkit_component_wait_unused);

void mmkit_component_degrade(struct mmkit_component *comp, const char *fmt, ...)
{
	size_t len;
	va_list args;

	mutex_lock(&registry_lock);
	len = strlen(comp->degraded);
	if (len)
		len += scnprintf(comp->degraded + len, sizeof(comp->degraded) - len, "; ");
	va_start(args, fmt);
	vscnprintf(comp->degraded + len, sizeof(comp->degraded) - len, fmt, args);
	va_end(args);
	pr_notice("%s: %s\n", comp->name, comp->degraded + len);
	mutex_unlock(&registry_lock);
}
MMKIT_EXPORT(mmkit_component_degrade);

int mmkit_component_init(void)
{
	int err;

	sysfs_root = kobject_create_and_add("mmkit", kernel_kobj);
	if (!sysfs_root)
		return -ENOMEM;
	err = sysfs_create_file(sysfs_root, &version_attr.attr);
	if (err) {
		directory_remove(sysfs_root);
		return err;
	}
	debugfs_root = debugfs_create_dir("mmkit", NULL);
	return 0;
}

void mmkit_component_files(void)
{
	mmkit_debugfs_table("components", &components_fops);
}

void mmkit_component_exit(void)
{
	if (!debugfs_missing())
		debugfs_remove(debugfs_root);
	sysfs_remove_file(sysfs_root, &version_attr.attr);
	directory_remove(sysfs_root);
}
