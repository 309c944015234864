// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects of text: alloc, update, free.
 *
 * An object is free, used, or dying: being filled with traps, or waiting for that.
 * Only then it is free again. Who frees has it marked as dying under the lock of its
 * class, so that it can be freed once only.
 */
#include <linux/bitmap.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "jit.h"

struct jit_class mmkit_jit_classes[JIT_NR_CLASSES + 1];
DEFINE_PER_CPU(unsigned long [JIT_NR_STATS], mmkit_jit_stats);

static struct workqueue_struct *grace_wq;
static bool tasks_waited;

static void grace_init(struct jit_slab *slab, enum jit_grace_kind kind, unsigned long *bits);

/* --- slabs ----------------------------------------------------------------- */

static bool is_run(const struct jit_class *class)
{
	return class == &mmkit_jit_classes[JIT_RUNS];
}

static size_t slab_meta_bytes(const struct jit_slab *slab)
{
	return struct_size(slab, object, slab->objects) +
	       (3 + 2 * JIT_NR_GRACES) * BITS_TO_LONGS(slab->objects) * sizeof(long);
}

static struct jit_slab *slab_alloc(struct jit_class *class, size_t len)
{
	struct jit_slab *slab, shape = { .class = class };
	unsigned int nr = class - mmkit_jit_classes, kind;
	unsigned long *bits;

	if (is_run(class)) {
		shape.pages = DIV_ROUND_UP(len, PAGE_SIZE);
		shape.bytes = shape.pages * PAGE_SIZE;
	} else {
		shape.pages = jit_slab_pages(nr, PAGE_SHIFT);
		shape.bytes = jit_class_bytes(nr);
	}
	shape.objects = shape.pages * PAGE_SIZE / shape.bytes;
	shape.free = shape.objects;
	slab = kzalloc(slab_meta_bytes(&shape), GFP_KERNEL);
	if (!slab)
		return NULL;
	*slab = shape;
	INIT_LIST_HEAD(&slab->link);
	bits = (unsigned long *)&slab->object[slab->objects];
	slab->used = bits;
	slab->dying = bits + BITS_TO_LONGS(slab->objects);
	slab->writing = bits + 2 * BITS_TO_LONGS(slab->objects);
	for (kind = 0; kind < JIT_NR_GRACES; kind++)
		grace_init(slab, kind, bits + (3 + 2 * kind) * BITS_TO_LONGS(slab->objects));
	return slab;
}

/* Under the lock: while one of its objects is there the module stays. */
static void class_use(struct jit_class *class)
{
	if (!class->used++)
		__module_get(THIS_MODULE);
}

/* Under the lock: it is somebody's, and can be found. */
static __always_inline void object_publish(struct jit_slab *slab, unsigned int idx,
					   const struct jit_object *object)
{
	atomic_long_inc(&object->owner->objects);
	atomic_long_add(object->len, &object->owner->bytes);
	slab->class->used_bytes += object->len;
	slab->object[idx] = *object;
}

/* A new slab; its first object is the caller's before anybody else sees it. */
static struct jit_slab *slab_add(struct jit_class *class, const struct jit_object *object,
				 bool publish)
{
	struct jit_slab *slab;
	unsigned long flags;
	int err;

	slab = slab_alloc(class, object->len);
	if (!slab)
		return NULL;
	__set_bit(0, slab->used);
	slab->free--;
	err = mmkit_jit_space_get(slab);
	if (err) {
		kfree(slab);
		return NULL;
	}
	jit_stat(JIT_REFILLS);
	flags = mmkit_jit_class_lock(class);
	class->slabs++;
	class->room += slab->objects;
	class->pages += slab->pages;
	class->meta_bytes += slab_meta_bytes(slab);
	class_use(class);
	if (publish)
		object_publish(slab, 0, object);
	if (slab->free)
		list_add(&slab->link, &class->partial);
	mmkit_jit_class_unlock(class, flags);
	return slab;
}

/* Under the lock: it is in use no more, and nobody will find it. */
static void slab_retire(struct jit_slab *slab)
{
	struct jit_class *class = slab->class;

	slab->dead = true;
	list_del_init(&slab->link);
	class->slabs--;
	class->room -= slab->objects;
	class->pages -= slab->pages;
	class->meta_bytes -= slab_meta_bytes(slab);
}

/* What becomes of a slab some of whose objects are free now. */
enum slab_fate { SLAB_STAYS, SLAB_SPARE, SLAB_GOES };

/* Under the lock. */
static enum slab_fate slab_fate(struct jit_slab *slab)
{
	struct jit_class *class = slab->class;

	if (slab->free < slab->objects || slab->grace[JIT_GRACE_RCU].running ||
	    slab->grace[JIT_GRACE_TASKS].running)
		return SLAB_STAYS;
	slab->since = jiffies;
	if (is_run(class) || class->spare) {
		slab_retire(slab);
		return SLAB_GOES;
	}
	/* Who comes and goes at the end of a slab does not make one each time. */
	class->spare = slab;
	list_move_tail(&slab->link, &class->partial);
	return SLAB_SPARE;
}

static void slab_del(struct jit_slab *slab, bool drained)
{
	mmkit_jit_space_put(slab, drained);
	kfree_rcu(slab, rcu);
}

/* After the lock. */
static void slab_meet(struct jit_slab *slab, enum slab_fate fate)
{
	if (fate == SLAB_GOES)
		slab_del(slab, false);
	else if (fate == SLAB_SPARE)
		mmkit_jit_space_drain_later();
}

/* Spare slabs, all or the old ones; the caller looks at the blocks next. */
void mmkit_jit_slab_drain(bool all)
{
	struct jit_class *class;
	struct jit_slab *slab;
	unsigned long flags;
	bool goes;

	for (class = mmkit_jit_classes; class < &mmkit_jit_classes[JIT_RUNS]; class++) {
		flags = mmkit_jit_class_lock(class);
		slab = class->spare;
		goes = slab && (all || jit_is_old(slab->since));
		if (goes) {
			class->spare = NULL;
			slab_retire(slab);
		}
		mmkit_jit_class_unlock(class, flags);
		if (goes)
			slab_del(slab, true);
		else if (slab)
			mmkit_jit_space_drain_later();
	}
}

/* --- objects ---------------------------------------------------------------- */

static void *object_addr(const struct jit_slab *slab, unsigned int idx)
{
	return (void *)(slab->addr + (unsigned long)idx * slab->bytes);
}

/* There is one. Most slabs have fewer objects than a word has bits. */
static unsigned int first_free(const struct jit_slab *slab)
{
	return ~slab->used[0] ? ffz(slab->used[0]) :
	       find_first_zero_bit(slab->used, slab->objects);
}

/* A free object of a slab that is there; it is @object at once if @publish. */
static struct jit_slab *object_take(struct jit_class *class, const struct jit_object *object,
				    bool publish, unsigned int *idx)
{
	struct jit_slab *slab;
	unsigned long flags;

	flags = mmkit_jit_class_lock(class);
	slab = list_first_entry_or_null(&class->partial, struct jit_slab, link);
	if (slab) {
		if (slab == class->spare)
			class->spare = NULL;
		*idx = first_free(slab);
		__set_bit(*idx, slab->used);
		class_use(class);
		if (publish)
			object_publish(slab, *idx, object);
		if (!--slab->free)
			list_del_init(&slab->link);
	}
	mmkit_jit_class_unlock(class, flags);
	return slab;
}

static struct jit_slab *object_refill(struct jit_class *class, const struct jit_object *object,
				      bool publish, unsigned int *idx)
{
	struct jit_slab *slab = NULL;

	mutex_lock(&class->refill);
	/* Many can wait here: one slab serves them all. */
	if (!is_run(class))
		slab = object_take(class, object, publish, idx);
	if (!slab) {
		slab = slab_add(class, object, publish);
		*idx = 0;
	}
	mutex_unlock(&class->refill);
	return slab;
}

/* Filled with traps, and free from now on. The slab can be gone afterwards. */
static void object_done(struct jit_slab *slab, unsigned int idx)
{
	struct jit_class *class = slab->class;
	struct jit_object object;
	enum slab_fate fate;
	unsigned long flags;
	bool last;

	flags = mmkit_jit_class_lock(class);
	object = slab->object[idx];
	slab->object[idx] = (struct jit_object) {};
	__clear_bit(idx, slab->used);
	__clear_bit(idx, slab->dying);
	last = !--class->used;
	class->used_bytes -= object.len;
	if (!slab->free++)
		list_add(&slab->link, &class->partial);
	fate = slab_fate(slab);
	mmkit_jit_class_unlock(class, flags);

	if (object.owner)
		jit_stat(JIT_FREES);
	kfree(object.name);
	mmkit_jit_owner_put(object.owner);
	slab_meet(slab, fate);
	if (last)
		module_put(THIS_MODULE);
}

/* Under the lock: the live object that @addr lies in, or -1. */
static int object_of(struct jit_slab *slab, unsigned long addr)
{
	unsigned int idx = (addr - slab->addr) / slab->bytes;

	if (slab->dead || idx >= slab->objects || !slab->object[idx].owner ||
	    test_bit(idx, slab->dying))
		return -1;
	return idx;
}

/*
 * The slab of the live object that @addr lies in, with the lock of its class, under
 * which neither can go. NULL, and no lock, where there is none.
 */
static struct jit_slab *object_hold(unsigned long addr, unsigned int *idx, unsigned long *flags)
{
	struct jit_slab *slab;
	int found;

	rcu_read_lock();
	slab = mmkit_jit_space_find(addr);
	if (slab) {
		*flags = mmkit_jit_class_lock(slab->class);
		found = object_of(slab, addr);
		*idx = found;
		if (found < 0) {
			mmkit_jit_class_unlock(slab->class, *flags);
			slab = NULL;
		}
	}
	rcu_read_unlock();
	return slab;
}

/* The same, of an object whose first byte is @text. */
static struct jit_slab *object_hold_first(const void *text, unsigned int *idx, unsigned long *flags)
{
	struct jit_slab *slab = object_hold((unsigned long)text, idx, flags);

	if (slab && object_addr(slab, *idx) != text) {
		mmkit_jit_class_unlock(slab->class, *flags);
		slab = NULL;
	}
	return slab;
}

/* Marks an object as dying. What is not one, or is being written, blows the fuse. */
static struct jit_slab *object_hold_dying(void *text, unsigned int *idx, unsigned long *flags)
{
	struct jit_slab *slab = object_hold_first(text, idx, flags);
	struct jit_owner *owner;

	if (slab && test_bit(*idx, slab->writing)) {
		mmkit_jit_class_unlock(slab->class, *flags);
		slab = NULL;
	}
	if (!slab) {
		mmkit_fuse_blow(&mmkit_jit_component, "what is freed is a live object");
		return NULL;
	}
	__set_bit(*idx, slab->dying);
	owner = slab->object[*idx].owner;
	atomic_long_dec(&owner->objects);
	atomic_long_sub(slab->object[*idx].len, &owner->bytes);
	return slab;
}

/* Under the lock, which is given up: the object stays until it is written. */
static int object_write_begin(struct jit_slab *slab, unsigned int idx, unsigned long flags)
{
	bool busy = __test_and_set_bit(idx, slab->writing);

	mmkit_jit_class_unlock(slab->class, flags);
	return busy ? -EBUSY : 0;
}

static void object_write_end(struct jit_slab *slab, unsigned int idx)
{
	unsigned long flags = mmkit_jit_class_lock(slab->class);

	__clear_bit(idx, slab->writing);
	mmkit_jit_class_unlock(slab->class, flags);
}

static size_t in_one_page(const void *text, size_t len)
{
	return min_t(size_t, len, PAGE_SIZE - offset_in_page(text));
}

/*
 * Writes code, a page at a time, from a copy of ours: the kernel compares what it
 * wrote with what it was given, and stops the machine when that has changed.
 */
static int object_write(void *text, const void *code, size_t len)
{
	size_t done, part;
	void *copy;

	copy = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	for (done = 0; done < len; done += part) {
		part = in_one_page(text + done, len - done);
		memcpy(copy, code + done, part);
		mmkit_jit_poke(text + done, copy, part);
		cond_resched_tasks_rcu_qs();
	}
	kfree(copy);
	mmkit_jit_poke_sync();
	return 0;
}

static void object_fill(struct jit_slab *slab, unsigned int idx)
{
	size_t done, part, len = slab->object[idx].len;
	void *text = object_addr(slab, idx);

	for (done = 0; done < len; done += part) {
		part = in_one_page(text + done, len - done);
		mmkit_jit_poke_trap(text + done, part);
		cond_resched_tasks_rcu_qs();
	}
}

/* --- the interface ----------------------------------------------------------- */

static void *alloc(const struct jit_object *object, const void *code)
{
	size_t len = object->len;
	unsigned int nr = len <= JIT_CLASS_MAX_BYTES ? jit_class(len) : JIT_RUNS, idx;
	struct jit_class *class = &mmkit_jit_classes[nr];
	struct jit_slab *slab = NULL;
	unsigned long flags;

	if (nr != JIT_RUNS)
		slab = object_take(class, object, !code, &idx);
	if (!slab)
		slab = object_refill(class, object, !code, &idx);
	if (!slab)
		return NULL;
	if (!code)
		return object_addr(slab, idx);

	/* It is nobody's until it is written: a stray free does not find it. */
	if (object_write(object_addr(slab, idx), code, len)) {
		object_done(slab, idx);
		return NULL;
	}
	flags = mmkit_jit_class_lock(class);
	object_publish(slab, idx, object);
	mmkit_jit_class_unlock(class, flags);
	return object_addr(slab, idx);
}

void *mmkit_jit_alloc_owned(struct module *mod, const void *code, size_t len, const char *name)
{
	struct jit_object object = { .len = len };
	void *text;

	might_sleep();
	if (!len || len > JIT_WINDOW_SLOTS * JIT_BLOCK_BYTES ||
	    mmkit_fuse_blown(&mmkit_jit_component))
		goto fail;
	if (name) {
		object.name = kstrdup(name, GFP_KERNEL);
		if (!object.name)
			goto fail;
	}
	object.owner = mmkit_jit_owner_get(mod);
	if (!object.owner)
		goto err_name;
	text = alloc(&object, code);
	if (!text)
		goto err_owner;
	jit_stat(JIT_ALLOCS);
	return text;

err_owner:
	mmkit_jit_owner_put(object.owner);
err_name:
	kfree(object.name);
fail:
	jit_stat(JIT_FAILURES);
	return NULL;
}
MMKIT_EXPORT(mmkit_jit_alloc_owned);

size_t mmkit_jit_size(const void *text)
{
	struct jit_slab *slab;
	unsigned long flags;
	unsigned int idx;
	size_t len;

	slab = object_hold_first(text, &idx, &flags);
	if (!slab)
		return 0;
	len = slab->object[idx].len;
	mmkit_jit_class_unlock(slab->class, flags);
	return len;
}
MMKIT_EXPORT(mmkit_jit_size);

int mmkit_jit_update(void *text, const void *code, size_t len)
{
	struct jit_slab *slab;
	unsigned long flags;
	unsigned int idx;
	int err;

	might_sleep();
	slab = object_hold_first(text, &idx, &flags);
	if (!slab)
		return -EINVAL;
	if (!len || len > slab->object[idx].len) {
		mmkit_jit_class_unlock(slab->class, flags);
		return -EINVAL;
	}
	err = object_write_begin(slab, idx, flags);
	if (err)
		return err;
	err = object_write(text, code, len);
	object_write_end(slab, idx);
	return err;
}
MMKIT_EXPORT(mmkit_jit_update);

void mmkit_jit_free(void *text)
{
	struct jit_slab *slab;
	unsigned long flags;
	unsigned int idx;

	might_sleep();
	if (!text)
		return;
	slab = object_hold_dying(text, &idx, &flags);
	if (!slab)
		return;
	mmkit_jit_class_unlock(slab->class, flags);
	object_fill(slab, idx);
	mmkit_jit_poke_sync();
	object_done(slab, idx);
}
MMKIT_EXPORT(mmkit_jit_free);

int mmkit_jit_patch_branch(void *at, const void *to)
{
	struct jit_slab *slab;
	unsigned long flags;
	unsigned int idx;
	int err;

	might_sleep();
	slab = object_hold((unsigned long)at, &idx, &flags);
	if (!slab)
		return -EINVAL;
	if (at + JIT_BRANCH_BYTES > object_addr(slab, idx) + slab->object[idx].len) {
		mmkit_jit_class_unlock(slab->class, flags);
		return -EINVAL;
	}
	err = object_write_begin(slab, idx, flags);
	if (err)
		return err;
	err = mmkit_jit_poke_branch(at, to);
	object_write_end(slab, idx);
	return err;
}
MMKIT_EXPORT(mmkit_jit_patch_branch);

/* --- frees that wait --------------------------------------------------------- */

static void grace_over(struct rcu_head *rcu)
{
	struct jit_grace *grace = container_of(rcu, struct jit_grace, rcu);

	queue_work(grace_wq, &grace->work);
}

/* Under the lock: who sees that it runs can wait for its end. */
static void grace_wait(struct jit_grace *grace)
{
	jit_stat(JIT_GRACES);
	if (grace->kind == JIT_GRACE_RCU) {
		call_rcu(&grace->rcu, grace_over);
	} else {
		WRITE_ONCE(tasks_waited, true);
		call_rcu_tasks(&grace->rcu, grace_over);
	}
}

/* Under the lock: what was freed meanwhile is waited for next, if there is any. */
static void grace_next(struct jit_grace *grace)
{
	unsigned int objects = grace->slab->objects;

	grace->running = !bitmap_empty(grace->pending, objects);
	bitmap_copy(grace->doomed, grace->pending, objects);
	bitmap_zero(grace->pending, objects);
	if (grace->running)
		grace_wait(grace);
}

static void grace_work(struct work_struct *work)
{
	struct jit_grace *grace = container_of(work, struct jit_grace, work);
	struct jit_slab *slab = grace->slab;
	enum slab_fate fate;
	unsigned long flags;
	unsigned int idx;

	for_each_set_bit(idx, grace->doomed, slab->objects)
		object_fill(slab, idx);
	mmkit_jit_poke_sync();
	/* The slab stays while this runs. */
	for_each_set_bit(idx, grace->doomed, slab->objects)
		object_done(slab, idx);

	flags = mmkit_jit_class_lock(slab->class);
	grace_next(grace);
	fate = slab_fate(slab);
	mmkit_jit_class_unlock(slab->class, flags);
	slab_meet(slab, fate);
}

static void grace_init(struct jit_slab *slab, enum jit_grace_kind kind, unsigned long *bits)
{
	struct jit_grace *grace = &slab->grace[kind];

	grace->slab = slab;
	grace->kind = kind;
	grace->pending = bits;
	grace->doomed = bits + BITS_TO_LONGS(slab->objects);
	INIT_WORK(&grace->work, grace_work);
}

static void free_after(void *text, enum jit_grace_kind kind)
{
	struct jit_grace *grace;
	struct jit_slab *slab;
	unsigned long flags;
	unsigned int idx;

	if (!text)
		return;
	slab = object_hold_dying(text, &idx, &flags);
	if (!slab)
		return;
	grace = &slab->grace[kind];
	__set_bit(idx, grace->pending);
	if (!grace->running)
		grace_next(grace);
	mmkit_jit_class_unlock(slab->class, flags);
}

void mmkit_jit_free_rcu(void *text)
{
	free_after(text, JIT_GRACE_RCU);
}
MMKIT_EXPORT(mmkit_jit_free_rcu);

void mmkit_jit_free_rcu_tasks(void *text)
{
	free_after(text, JIT_GRACE_TASKS);
}
MMKIT_EXPORT(mmkit_jit_free_rcu_tasks);

int mmkit_jit_slab_init(void)
{
	struct jit_class *class;

	grace_wq = alloc_workqueue("mmkit_jit", WQ_UNBOUND, 1);
	if (!grace_wq)
		return -ENOMEM;
	for (class = mmkit_jit_classes; class <= &mmkit_jit_classes[JIT_RUNS]; class++) {
		raw_spin_lock_init(&class->lock);
		INIT_LIST_HEAD(&class->partial);
		mutex_init(&class->refill);
	}
	return 0;
}

static void graces_flush(void)
{
	rcu_barrier();
	if (READ_ONCE(tasks_waited))
		mmkit_rcu_barrier_tasks();
	flush_workqueue(grace_wq);
}

/* What was freed before this is free when it returns: a grace period may follow another. */
void mmkit_jit_settle(void)
{
	graces_flush();
	graces_flush();
}

/* No object lives, but the last one can have been freed just now. */
void mmkit_jit_slab_exit(void)
{
	graces_flush();
	destroy_workqueue(grace_wq);
}
