// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts: an agent's use of a device. A drm context is an open DRM file and
 * lives as long; a declared one is made by command, for a runtime whose use of
 * the device the kernel does not see. Of the declared contexts of a device one
 * at most is active.
 *
 * A context names its agent by id and holds a reference to its device.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mutex.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include <drm/drm_file.h>

#include "gpu_dma_lock.h"

static DEFINE_XARRAY_FLAGS(contexts, XA_FLAGS_LOCK_IRQ);
static struct rhashtable by_file;
static atomic64_t last_id = ATOMIC64_INIT(0);

/* Declared contexts come, switch and go under it. */
static DEFINE_MUTEX(declared_mutex);
static unsigned int nr_declared;		/* under declared_mutex */

static const struct rhashtable_params file_params = {
	.key_len	= sizeof_field(struct gdl_context, file),
	.key_offset	= offsetof(struct gdl_context, file),
	.head_offset	= offsetof(struct gdl_context, node),
	.automatic_shrinking = true,
};

static void context_free_rcu(struct rcu_head *head)
{
	struct gdl_context *c = container_of(head, struct gdl_context, rcu);

	put_pid(c->pid);
	kfree(c);
}

static struct gdl_context *context_alloc(u64 agent_id, struct gdl_device *device,
					 struct task_struct *task, gfp_t gfp)
{
	struct gdl_context *c;

	if (!gdl_device_get(device))
		return NULL;
	c = kzalloc(sizeof(*c), gfp);
	if (!c) {
		gdl_device_put(device);
		return NULL;
	}
	c->id = atomic64_inc_return(&last_id);
	c->device = device;
	c->agent_id = agent_id;
	c->created = jiffies;
	c->pid = get_pid(task_tgid(task));
	strscpy(c->comm, task->comm, sizeof(c->comm));
	return c;
}

/* Of several callers one does it: whoever got it out of the tree. */
static bool context_remove(struct gdl_context *c)
{
	struct gdl_device *device = c->device;
	unsigned long flags;
	bool found;

	if (c->file)
		rhashtable_remove_fast(&by_file, &c->node, file_params);
	xa_lock_irqsave(&contexts, flags);
	found = __xa_erase(&contexts, c->id) == c;
	xa_unlock_irqrestore(&contexts, flags);
	if (!found)
		return false;
	atomic64_dec(&device->contexts);
	/* Who still reads c->device does so under RCU, which the device waits for. */
	gdl_device_put(device);
	call_rcu(&c->rcu, context_free_rcu);
	return true;
}

/* Free a context that nobody has seen. */
static void context_discard(struct gdl_context *c)
{
	gdl_device_put(c->device);
	context_free_rcu(&c->rcu);
}

/* Make @c visible; its place in the tree may have been reserved. */
static int context_insert(struct gdl_context *c, gfp_t gfp)
{
	unsigned long flags;
	void *old;

	xa_lock_irqsave(&contexts, flags);
	old = __xa_store(&contexts, c->id, c, gfp);
	xa_unlock_irqrestore(&contexts, flags);
	if (xa_is_err(old))
		return xa_err(old);
	atomic64_inc(&c->device->contexts);
	return 0;
}

static bool file_insert(struct gdl_context *c)
{
	struct gdl_context *old;

	for (;;) {
		old = rhashtable_lookup_get_insert_fast(&by_file, &c->node,
							file_params);
		if (!old)
			return true;
		if (IS_ERR(old))
			return false;
		/* A context that missed its close had this address. */
		if (context_remove(old))
			gdl_stat_inc(GDL_STAT_CONTEXTS_STALE);
	}
}

static bool context_open(const struct drm_file *file, u64 agent_id,
			 struct task_struct *task, bool adopted)
{
	const gfp_t gfp = GFP_ATOMIC | __GFP_NOWARN;
	struct gdl_context *c;

	c = context_alloc(agent_id, gdl_device_of_drm(file->minor->dev), task,
			  gfp);
	if (!c)
		return false;
	c->file = file;
	c->adopted = adopted;
	if (context_insert(c, gfp)) {
		context_discard(c);
		return false;
	}
	if (file_insert(c))
		return true;
	context_remove(c);
	return false;
}

/**
 * gdl_context_open() - a DRM file was opened
 * @file: the file
 *
 * Context: Probe handler, process context. Does not sleep.
 * Return: False if it could not be tracked, which is counted.
 */
bool gdl_context_open(const struct drm_file *file)
{
	bool ret;

	rcu_read_lock();
	ret = context_open(file, gdl_agent_of(current)->id, current, false);
	rcu_read_unlock();
	if (!ret)
		gdl_stat_inc(GDL_STAT_CONTEXTS_LOST);
	return ret;
}

static struct gdl_context *file_lookup(const void *file)
{
	return rhashtable_lookup(&by_file, &file, file_params);
}

/**
 * gdl_context_adopt() - a DRM file was open before the module was loaded
 * @file: the file; stays open meanwhile
 * @task: who has it open
 *
 * Context: Does not sleep.
 */
void gdl_context_adopt(const struct drm_file *file, struct task_struct *task)
{
	rcu_read_lock();
	if (!file_lookup(file) &&
	    !context_open(file, gdl_agent_of(task)->id, task, true))
		gdl_stat_inc(GDL_STAT_CONTEXTS_LOST);
	rcu_read_unlock();
}

/**
 * gdl_context_close() - a DRM file is being closed
 * @file: the file; may be reported more than once
 *
 * Context: As gdl_context_open().
 */
void gdl_context_close(const struct drm_file *file)
{
	struct gdl_device *device;
	struct gdl_context *c;

	rcu_read_lock();
	c = file_lookup(file);
	if (c) {
		device = c->device;
		context_remove(c);
		if (READ_ONCE(device->gone))
			gdl_agent_reap();
	}
	rcu_read_unlock();
}

static bool is_declared(const struct gdl_context *c)
{
	return !c->file;
}

static int declare_locked(struct gdl_context *c)
{
	int ret;

	lockdep_assert_held(&declared_mutex);
	if (nr_declared >= GDL_CONTEXTS_MAX)
		return -ENOSPC;
	ret = xa_reserve_irq(&contexts, c->id, GFP_KERNEL);
	if (ret)
		return ret;
	rcu_read_lock();
	if (!gdl_agent_lookup(c->agent_id))
		ret = -ENOENT;
	else if (READ_ONCE(c->device->gone))
		ret = -ENODEV;
	else
		ret = context_insert(c, 0);
	rcu_read_unlock();
	if (ret)
		xa_erase_irq(&contexts, c->id);
	else
		nr_declared++;
	return ret;
}

static struct gdl_device *get_device_by_id(u64 device_id)
{
	struct gdl_device *device;

	rcu_read_lock();
	device = gdl_device_lookup(device_id);
	if (device && !gdl_device_get(device))
		device = NULL;
	rcu_read_unlock();
	return device;
}

/**
 * gdl_context_declare() - make a declared context, not active
 * @agent_id: who uses the device
 * @device_id: the device
 * @id: receives the id of the new context
 *
 * Context: May sleep. Takes and releases declared_mutex.
 * Return: 0, -ENOENT no such agent, -ENODEV no such device, -ENOSPC with
 * GDL_CONTEXTS_MAX declared contexts, -ENOMEM.
 */
int gdl_context_declare(u64 agent_id, u64 device_id, u64 *id)
{
	struct gdl_device *device = get_device_by_id(device_id);
	struct gdl_context *c;
	int ret;

	if (!device)
		return -ENODEV;
	c = context_alloc(agent_id, device, current, GFP_KERNEL_ACCOUNT);
	gdl_device_put(device);
	if (!c)
		return -ENOMEM;
	*id = c->id;
	mutex_lock(&declared_mutex);
	ret = declare_locked(c);
	mutex_unlock(&declared_mutex);
	if (ret)
		context_discard(c);
	return ret;
}

static int destroy_locked(u64 id)
{
	struct gdl_context *c;
	int ret = 0;

	lockdep_assert_held(&declared_mutex);
	rcu_read_lock();
	c = xa_load(&contexts, id);
	if (!c)
		ret = -ENOENT;
	else if (!is_declared(c))
		ret = -EINVAL;
	else if (context_remove(c))
		nr_declared--;
	rcu_read_unlock();
	return ret;
}

/**
 * gdl_context_destroy() - destroy a declared context
 * @id: its id
 *
 * Context: May sleep. Takes and releases declared_mutex.
 * Return: 0, -ENOENT no such context, -EINVAL it is an open DRM file.
 */
int gdl_context_destroy(u64 id)
{
	int ret;

	mutex_lock(&declared_mutex);
	ret = destroy_locked(id);
	mutex_unlock(&declared_mutex);
	return ret;
}

/* Make @c the active context of its device. */
static void activate(struct gdl_context *c)
{
	lockdep_assert_held(&declared_mutex);
	if (c->device->active_context == c->id)
		return;
	WRITE_ONCE(c->device->active_context, c->id);
	WRITE_ONCE(c->switches, c->switches + 1);
}

static int switch_locked(u64 device_id, u64 id)
{
	struct gdl_device *device = gdl_device_lookup(device_id);
	struct gdl_context *c = xa_load(&contexts, id);

	if (!device)
		return -ENODEV;
	if (!c || c->device != device)
		return -ENOENT;
	if (!is_declared(c))
		return -EINVAL;
	activate(c);
	return 0;
}

/**
 * gdl_context_switch() - make a declared context the active one of its device
 * @device_id: the device
 * @id: the context
 *
 * Nothing happens if it is the active one already; else the one that was is not
 * active any more.
 *
 * Context: May sleep. Takes and releases declared_mutex.
 * Return: 0, -ENODEV no such device, -ENOENT no such context on it, -EINVAL it
 * is an open DRM file.
 */
int gdl_context_switch(u64 device_id, u64 id)
{
	int ret;

	mutex_lock(&declared_mutex);
	rcu_read_lock();
	ret = switch_locked(device_id, id);
	rcu_read_unlock();
	mutex_unlock(&declared_mutex);
	return ret;
}

static void hand_over_locked(struct gdl_context *c)
{
	lockdep_assert_held(&declared_mutex);
	if (!is_declared(c))
		WRITE_ONCE(c->agent_id, gdl_host.id);
	else if (context_remove(c))
		nr_declared--;
}

/**
 * gdl_context_hand_over() - an agent was removed: drop its declared contexts,
 * give the open DRM files to agent 0
 * @agent_id: the agent's id; it cannot be found since a grace period
 *
 * Context: May sleep. Takes and releases declared_mutex.
 */
void gdl_context_hand_over(u64 agent_id)
{
	struct gdl_context *c;
	u64 id = 0;

	mutex_lock(&declared_mutex);
	do {
		rcu_read_lock();
		c = gdl_context_next(id);
		if (c && READ_ONCE(c->agent_id) == agent_id)
			hand_over_locked(c);
		id = c ? c->id + 1 : 0;
		rcu_read_unlock();
		cond_resched();
	} while (id);
	mutex_unlock(&declared_mutex);
}

static void drop_gone(struct work_struct *work)
{
	struct gdl_context *c;
	unsigned long id;

	mutex_lock(&declared_mutex);
	rcu_read_lock();
	xa_for_each(&contexts, id, c)
		if (is_declared(c) && READ_ONCE(c->device->gone) &&
		    context_remove(c))
			nr_declared--;
	rcu_read_unlock();
	mutex_unlock(&declared_mutex);
	gdl_agent_reap();
}

static DECLARE_WORK(gone_work, drop_gone);

/**
 * gdl_context_device_gone() - drop soon what belongs to gone devices
 *
 * Context: Any. Does not sleep.
 */
void gdl_context_device_gone(void)
{
	schedule_work(&gone_work);
}

/**
 * gdl_context_state() - the state of a context
 * @c: the context
 *
 * Context: Any.
 * Return: "open" for a DRM file, else "active" or "idle".
 */
const char *gdl_context_state(const struct gdl_context *c)
{
	if (!is_declared(c))
		return "open";
	return READ_ONCE(c->device->active_context) == c->id ? "active" : "idle";
}

/**
 * gdl_context_last_id() - the highest id given away so far
 *
 * Context: Any.
 * Return: The id, 0 before the first.
 */
u64 gdl_context_last_id(void)
{
	return atomic64_read(&last_id);
}

/**
 * gdl_context_next() - walk the contexts in the order of their ids
 * @id: the lowest id wanted
 *
 * Context: Caller holds rcu_read_lock().
 * Return: The first context from @id on, or NULL.
 */
struct gdl_context *gdl_context_next(u64 id)
{
	unsigned long index = id;

	return xa_find(&contexts, &index, ULONG_MAX, XA_PRESENT);
}

/**
 * gdl_context_init() - make the tables
 *
 * Context: May sleep.
 * Return: 0 or -ENOMEM.
 */
int gdl_context_init(void)
{
	return rhashtable_init(&by_file, &file_params);
}

/**
 * gdl_context_exit() - forget all contexts; no event or command may come
 *
 * Context: May sleep.
 */
void gdl_context_exit(void)
{
	struct gdl_context *c;
	unsigned long id;

	cancel_work_sync(&gone_work);
	xa_for_each(&contexts, id, c)
		context_remove(c);
	rcu_barrier();
	rhashtable_destroy(&by_file);
	xa_destroy(&contexts);
}
