/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The registry of the suite's components: one directory a component in
 * /sys/kernel/mmkit and /sys/kernel/debug/mmkit, one line a component in
 * debugfs "components", and one fuse each.
 *
 * The fuse: the first broken invariant prints one WARN, disarms the component
 * by its own @disarm callback, shows in "components" and in sysfs "state", and
 * stays blown until the module is loaded again.
 */
#ifndef MMKIT_COMPONENT_H
#define MMKIT_COMPONENT_H

#include <linux/irq_work.h>
#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/sysfs.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct dentry;
struct module;

#define MMKIT_VERSION	"0.1.0"

/* Room for the reasons of a degraded component, as text. */
#define MMKIT_DEGRADED_LEN	256

/**
 * struct mmkit_component - one module of the suite
 * @name:    short name, also of its directories
 * @owner:   THIS_MODULE
 * @attrs:   sysfs files of the component, may be NULL; NULL terminated
 * @disarm:  makes the component harmless after its fuse has blown; runs once,
 *	     in process context, may sleep; may be NULL. It must not wait for
 *	     mmkit_component_unregister().
 * @kobj:    sysfs directory, valid while registered
 * @debugfs: debugfs directory, or an error pointer where debugfs is missing
 * @blown:   the broken invariant, NULL while all is well
 *
 * The remaining members belong to the core.
 */
struct mmkit_component {
	const char *name;
	struct module *owner;
	const struct attribute * const *attrs;
	void (*disarm)(struct mmkit_component *comp);
	struct kobject *kobj;
	struct dentry *debugfs;
	const char *blown;

	/* private: belongs to the core */
	struct list_head link;
	struct irq_work fuse_irq;
	struct work_struct fuse_work;
	char degraded[MMKIT_DEGRADED_LEN];
};

/* What mmkit_component_register() calls with the version that the caller was built with. */
int mmkit_component_register_version(struct mmkit_component *comp, const char *version);

/**
 * mmkit_component_register() - make the directories of a component
 * @comp: the component, static for the life of its module
 *
 * sysfs files answer from the moment this is called: the state that they show
 * must be ready. debugfs may be missing (not built, switched off at boot, or
 * not permitted); that degrades the component and is no error.
 *
 * A component of another version than the core is refused, with a message:
 * modversions compares types, and not what the modules expect of each other.
 *
 * Context: process, may sleep.
 * Return: 0, -EEXIST when the name, or that of a file, is taken, -ENOMEM,
 *	   -ENOEXEC when the versions differ.
 */
static inline int mmkit_component_register(struct mmkit_component *comp)
{
	return mmkit_component_register_version(comp, MMKIT_VERSION);
}

/**
 * mmkit_component_unregister() - remove the directories and wait for the fuse
 * @comp: the component
 *
 * Waits for readers and writers of its files: the caller must hold no lock
 * that one of them takes, and has stopped everything that could blow the fuse.
 *
 * Context: process, may sleep.
 */
void mmkit_component_unregister(struct mmkit_component *comp);

/**
 * mmkit_component_wait_unused() - wait until nobody has a reference to the module
 * @comp: the component
 *
 * The first step of a module's exit function. "rmmod -f" runs that also while memory,
 * open files or objects of the module are in use; it has to wait for them, since nobody
 * can refuse it. In all other cases there is nothing to wait for.
 *
 * Context: process, may sleep.
 */
void mmkit_component_wait_unused(const struct mmkit_component *comp);

/**
 * mmkit_component_degrade() - state what a working component cannot do here
 * @comp: the component
 * @fmt:  the reason, one clause, no newline
 *
 * Context: process, may sleep.
 */
__printf(2, 3) void mmkit_component_degrade(struct mmkit_component *comp, const char *fmt, ...);

/**
 * mmkit_fuse_blow() - an invariant of the component is broken
 * @comp: the component
 * @what: the invariant in words, a string that stays
 *
 * Only the first call does anything. The WARN and @disarm follow soon from
 * process context.
 *
 * Context: any, also NMI.
 */
void mmkit_fuse_blow(struct mmkit_component *comp, const char *what);

/**
 * mmkit_fuse_blown() - has the fuse of the component blown?
 * @comp: the component
 *
 * Context: any.
 * Return: true from the first mmkit_fuse_blow() on.
 */
static inline bool mmkit_fuse_blown(const struct mmkit_component *comp)
{
	return READ_ONCE(comp->blown);
}

#endif /* MMKIT_COMPONENT_H */
