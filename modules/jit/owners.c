// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who answers for objects: the modules that asked for them. A module that goes and
 * leaves objects behind is named in the log; they stay, since nobody knows who can
 * still call them.
 */
#include <linux/hashtable.h>
#include <linux/module.h>
#include <linux/rculist.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "jit.h"

static DEFINE_HASHTABLE(owners, 5);
static DEFINE_MUTEX(owners_lock);
/* Of modules that are gone, while their objects are there. */
static HLIST_HEAD(orphans);

static struct jit_owner *owner_find(struct module *mod)
{
	struct jit_owner *owner;

	hash_for_each_possible_rcu(owners, owner, node, (unsigned long)mod,
				   lockdep_is_held(&owners_lock)) {
		if (owner->mod == mod && refcount_inc_not_zero(&owner->refs))
			return owner;
	}
	return NULL;
}

static noinline struct jit_owner *owner_add(struct module *mod)
{
	struct jit_owner *owner;

	mutex_lock(&owners_lock);
	owner = owner_find(mod);
	if (owner)
		goto out;
	owner = kzalloc(sizeof(*owner), GFP_KERNEL);
	if (!owner)
		goto out;
	owner->mod = mod;
	strscpy(owner->name, mod ? mod->name : "kernel", sizeof(owner->name));
	/* One for the hash, one for the caller. */
	refcount_set(&owner->refs, 2);
	hash_add_rcu(owners, &owner->node, (unsigned long)mod);
out:
	mutex_unlock(&owners_lock);
	return owner;
}

/* A reference for each object. */
struct jit_owner *mmkit_jit_owner_get(struct module *mod)
{
	struct jit_owner *owner;

	/* It is short, and this is cheaper. */
	rcu_read_lock_sched();
	owner = owner_find(mod);
	rcu_read_unlock_sched();
	return owner ?: owner_add(mod);
}

void mmkit_jit_owner_put(struct jit_owner *owner)
{
	if (!owner || !refcount_dec_and_test(&owner->refs))
		return;
	/* Out of the hash, and with its last object gone: one of the orphans. */
	mutex_lock(&owners_lock);
	hlist_del_rcu(&owner->node);
	mutex_unlock(&owners_lock);
	kfree_rcu(owner, rcu);
}

/* Its own way out has run: what it has not freed by now it has forgotten. */
static void owner_goes(struct jit_owner *owner)
{
	long objects = atomic_long_read(&owner->objects);

	if (objects)
		pr_warn("module %s leaves %ld objects behind, %ld bytes; mmkit_jit stays loaded\n",
			owner->name, objects, atomic_long_read(&owner->bytes));
	/* A lookup that is led into the orphans has no match there: it asks again, locked. */
	hash_del_rcu(&owner->node);
	owner->mod = ERR_PTR(-ESRCH);
	hlist_add_head_rcu(&owner->node, &orphans);
}

static int on_module(struct notifier_block *nb, unsigned long action, void *data)
{
	struct jit_owner *owner;

	if (action != MODULE_STATE_GOING)
		return NOTIFY_DONE;
	mutex_lock(&owners_lock);
	owner = owner_find(data);
	if (owner)
		owner_goes(owner);
	mutex_unlock(&owners_lock);
	if (owner) {
		mmkit_jit_owner_put(owner);
		/* The one of the hash. */
		mmkit_jit_owner_put(owner);
	}
	return NOTIFY_DONE;
}

static struct notifier_block module_nb = { .notifier_call = on_module };

static void owner_show(struct seq_file *m, const struct jit_owner *owner, const char *state)
{
	seq_printf(m, "%s %ld %ld %s\n", owner->name, atomic_long_read(&owner->objects),
		   atomic_long_read(&owner->bytes), state);
}

void mmkit_jit_owners_show(struct seq_file *m)
{
	struct jit_owner *owner;
	unsigned int i;

	seq_puts(m, "owner objects bytes state\n");
	mutex_lock(&owners_lock);
	hash_for_each(owners, i, owner, node)
		owner_show(m, owner, "loaded");
	hlist_for_each_entry(owner, &orphans, node)
		owner_show(m, owner, "gone");
	mutex_unlock(&owners_lock);
}

int mmkit_jit_owners_init(void)
{
	return register_module_notifier(&module_nb);
}

void mmkit_jit_owners_exit(void)
{
	struct hlist_node *next;
	struct jit_owner *owner;
	unsigned int i;

	unregister_module_notifier(&module_nb);
	hash_for_each_safe(owners, i, next, owner, node) {
		hash_del_rcu(&owner->node);
		kfree_rcu(owner, rcu);
	}
}
