// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts: an agent's use of a device. A drm context is an open DRM file and
 * lives as long; a declared one is made by command, for a runtime whose use of
 * the device the kernel does not see. Of the declared contexts of a device one
 * at most is active.
 *
 * A context holds a reference to its device, and is in a list of its agent's; when that
 * is removed, it becomes agent 0's. A DRM file that is passed to another process is that
 * one's from when it uses it: makes or imports a buffer.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/pid.h>
#include <linux/preempt.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include <drm/drm_file.h>

#include "gpu_dma_lock.h"

/* Marks the declared ones. */
#define DECLARED	XA_MARK_0

static DEFINE_XARRAY_FLAGS(contexts, XA_FLAGS_LOCK_IRQ);
static struct rhashtable by_file;
static atomic64_t last_id = ATOMIC64_INIT(0);

/* Declared contexts come, switch and go under it. */
static DEFINE_MUTEX(declared_mutex);
static unsigned int nr_declared;		/* under declared_mutex */

/*
 * A DRM file and the process that its row names, as last seen on this CPU. That is so
 * while nr_changes is what it was: no file was opened or passed on since. So a use by
 * the same process is told by three comparisons. A task that moves to another CPU
 * between them may miss a change once.
 */
struct last_use {
	const void *file;
	const struct pid *pid;
	unsigned int change;
};

static DEFINE_PER_CPU(struct last_use, last_use);
static unsigned int nr_changes;			/* under the xa_lock of contexts */

static const struct rhashtable_params file_params = {
	.key_len	= sizeof_field(struct gdl_context, file),
	.key_offset	= offsetof(struct gdl_context, file),
	.head_offset	= offsetof(struct gdl_context, node),
	.automatic_shrinking = true,
};

static void context_free_rcu(struct rcu_head *head)
{
	struct gdl_context *c = container_of(head, struct gdl_context, rcu);

	put_pid(c->user.pid);
	kfree(c);
}

static struct gdl_context *context_alloc(struct gdl_device *device,
					 struct task_struct *task, gfp_t gfp)
{
	struct gdl_context *c;

	if (!device || !gdl_device_get(device))
		return NULL;
	c = kzalloc(sizeof(*c), gfp);
	if (!c) {
		gdl_device_put(device);
		return NULL;
	}
	c->id = atomic64_inc_return(&last_id);
	c->device = device;
	c->created = jiffies;
	c->user.pid = get_pid(task_tgid(task));
	strscpy(c->user.comm, gdl_process_name(task), sizeof(c->user.comm));
	return c;
}

/* Make @c one of @agent's, with the lock of contexts. */
static void join_agent(struct gdl_context *c, struct gdl_agent *agent)
{
	WRITE_ONCE(c->user.agent, agent);
	hlist_add_head(&c->of_agent, &agent->contexts);
	WRITE_ONCE(agent->nr_contexts, agent->nr_contexts + 1);
}

static void leave_agent(struct gdl_context *c)
{
	struct gdl_agent *agent = c->user.agent;

	hlist_del_init(&c->of_agent);
	WRITE_ONCE(agent->nr_contexts, agent->nr_contexts - 1);
}

/* Of several callers one does it: the one that got it out of the tree. */
static bool context_remove(struct gdl_context *c)
{
	struct gdl_device *device = c->device;
	unsigned long flags;
	bool found;

	if (c->file)
		rhashtable_remove_fast(&by_file, &c->node, file_params);
	xa_lock_irqsave(&contexts, flags);
	found = __xa_erase(&contexts, c->id) == c;
	if (found)
		leave_agent(c);
	xa_unlock_irqrestore(&contexts, flags);
	if (!found)
		return false;
	atomic64_dec(&device->contexts);
	/* A task that still reads c->device does so under RCU, which the device waits for. */
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

/* Make @c visible, as one of @agent's; its place in the tree may have been reserved. */
static int context_insert(struct gdl_context *c, struct gdl_agent *agent, gfp_t gfp)
{
	unsigned long flags;
	void *old;

	xa_lock_irqsave(&contexts, flags);
	/* Before anybody sees it. */
	c->user.agent = agent;
	old = __xa_store(&contexts, c->id, c, gfp);
	if (!xa_is_err(old)) {
		join_agent(c, agent);
		if (!c->file)
			__xa_set_mark(&contexts, c->id, DECLARED);
	}
	WRITE_ONCE(nr_changes, nr_changes + 1);
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

static int context_open(const struct drm_file *file, struct task_struct *task, bool adopted)
{
	const gfp_t gfp = GFP_ATOMIC | __GFP_NOWARN;
	struct gdl_context *c;

	c = context_alloc(gdl_device_of_drm(file->minor->dev), task, gfp);
	if (!c)
		return -ENOMEM;
	c->file = file;
	c->adopted = adopted;
	if (context_insert(c, gdl_agent_of(task), gfp)) {
		context_discard(c);
		return -ENOMEM;
	}
	if (file_insert(c))
		return 0;
	context_remove(c);
	return -ENOMEM;
}

/**
 * gdl_context_open() - a DRM file was opened
 * @file: the file
 *
 * Context: Process context. Does not sleep.
 * Return: 0; -ENOMEM: it could not be tracked.
 */
int gdl_context_open(const struct drm_file *file)
{
	int ret;

	rcu_read_lock();
	ret = context_open(file, current, false);
	rcu_read_unlock();
	return ret;
}

static struct gdl_context *file_lookup(const void *file)
{
	return rhashtable_lookup(&by_file, &file, file_params);
}

/**
 * gdl_context_adopt() - a DRM file was open before the module was loaded
 * @file: the file; stays open meanwhile
 * @task: the task that has it open
 *
 * Context: Does not sleep.
 */
void gdl_context_adopt(const struct drm_file *file, struct task_struct *task)
{
	rcu_read_lock();
	if (!file_lookup(file) && context_open(file, task, true))
		gdl_stat_lost(GDL_STAT_CONTEXTS_LOST);
	rcu_read_unlock();
}

static int check_cap(struct gdl_agent *agent, bool enforce)
{
	return gdl_cap_check(agent, READ_ONCE(agent->nr_contexts), GDL_CAP_CONTEXTS, enforce);
}

/**
 * gdl_context_check() - may the current process open a DRM file?
 * @enforce: refuse it; else it is only counted
 *
 * Context: As gdl_context_open().
 * Return: 0, or -EDQUOT: its agent has as many contexts as it may.
 */
int gdl_context_check(bool enforce)
{
	int ret;

	rcu_read_lock();
	ret = check_cap(gdl_agent_of(current), enforce);
	rcu_read_unlock();
	return ret;
}

/* Not counted: it is asked at each use. */
static bool may_have_no_more(const struct gdl_agent *agent)
{
	return gdl_policy_enforces() && agent != &gdl_host &&
	       READ_ONCE(agent->nr_contexts) >= READ_ONCE(gdl_cap_max[GDL_CAP_CONTEXTS]);
}

/*
 * The current process uses the DRM file of another one. Where its agent may have no more
 * it stays the other's: else two agents would have more than both may.
 */
static void pass_on(struct gdl_context *c)
{
	struct gdl_agent *agent = gdl_agent_of(current);
	unsigned long flags;
	struct pid *pid;

	if (READ_ONCE(c->user.agent) != agent && may_have_no_more(agent))
		return;
	pid = get_pid(task_tgid(current));
	xa_lock_irqsave(&contexts, flags);
	pid = xchg(&c->user.pid, pid);
	strscpy(c->user.comm, gdl_process_name(current), sizeof(c->user.comm));
	/* Unless it is closed just now. */
	if (!hlist_unhashed(&c->of_agent) && c->user.agent != agent) {
		leave_agent(c);
		join_agent(c, agent);
	}
	/* A task that sees the number sees the row: use(). */
	smp_store_release(&nr_changes, nr_changes + 1);
	xa_unlock_irqrestore(&contexts, flags);
	put_pid(pid);
}

static void use(const struct drm_file *file, const struct pid *pid)
{
	/* Before the row is looked at: what changes then is not missed; see pass_on(). */
	unsigned int change = smp_load_acquire(&nr_changes);
	struct gdl_context *c;

	rcu_read_lock();
	c = file_lookup(file);
	if (c && READ_ONCE(c->user.pid) != pid) {
		pass_on(c);
	} else if (c) {
		/* Together: another task on this CPU would mix its own in. */
		preempt_disable();
		this_cpu_write(last_use.file, file);
		this_cpu_write(last_use.pid, pid);
		this_cpu_write(last_use.change, change);
		preempt_enable();
	}
	rcu_read_unlock();
}

/**
 * gdl_context_use() - the current process makes or imports a buffer by a DRM file
 * @file: the file
 *
 * As the kernel has it from 6.7 on, the file is that process's from here on; but a
 * file that has been DRM master is, too. Those of the kernel's own clients are not.
 *
 * Context: As gdl_context_open().
 */
void gdl_context_use(const struct drm_file *file)
{
	const struct pid *pid = task_tgid(current);

	if (likely(this_cpu_read(last_use.file) == file &&
		   this_cpu_read(last_use.pid) == pid &&
		   this_cpu_read(last_use.change) == READ_ONCE(nr_changes)))
		return;
	if (file->filp)
		use(file, pid);
}

/**
 * gdl_context_user() - whose a context is now
 * @c: the context, found under rcu_read_lock()
 * @user: receives that, with a reference to the pid
 *
 * Context: Any but hard interrupt. Takes and releases a spinlock.
 */
void gdl_context_user(struct gdl_context *c, struct gdl_context_user *user)
{
	unsigned long flags;

	xa_lock_irqsave(&contexts, flags);
	*user = c->user;
	get_pid(user->pid);
	xa_unlock_irqrestore(&contexts, flags);
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

static int declare_locked(struct gdl_context *c, u64 agent_id)
{
	struct gdl_agent *agent;
	int ret;

	lockdep_assert_held(&declared_mutex);
	if (nr_declared >= GDL_CONTEXTS_MAX)
		return -ENOSPC;
	ret = xa_reserve_irq(&contexts, c->id, GFP_KERNEL);
	if (ret)
		return ret;
	rcu_read_lock();
	agent = gdl_agent_lookup(agent_id);
	if (!agent)
		ret = -ENOENT;
	else if (READ_ONCE(c->device->gone))
		ret = -ENODEV;
	else
		ret = check_cap(agent, true) ?: context_insert(c, agent, 0);
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
 * @agent_id: the agent that uses the device
 * @device_id: the device
 * @id: receives the id of the new context
 *
 * Context: May sleep. Takes and releases declared_mutex.
 * Return: 0, -ENOENT no such agent, -ENODEV no such device, -ENOSPC with
 * GDL_CONTEXTS_MAX declared contexts, -EDQUOT the agent has as many contexts as it may,
 * -ENOMEM.
 */
int gdl_context_declare(u64 agent_id, u64 device_id, u64 *id)
{
	struct gdl_device *device = get_device_by_id(device_id);
	struct gdl_context *c;
	int ret;

	if (!device)
		return -ENODEV;
	c = context_alloc(device, current, GFP_KERNEL_ACCOUNT);
	gdl_device_put(device);
	if (!c)
		return -ENOMEM;
	*id = c->id;
	mutex_lock(&declared_mutex);
	ret = declare_locked(c, agent_id);
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

/* Drop the first of what @agent has if it is declared, else hand it over. */
static bool hand_over_first(struct gdl_agent *agent)
{
	struct gdl_context *c;
	bool declared = false;

	lockdep_assert_held(&declared_mutex);
	xa_lock_irq(&contexts);
	c = hlist_entry_safe(agent->contexts.first, struct gdl_context, of_agent);
	if (c && is_declared(c)) {
		declared = true;
	} else if (c) {
		leave_agent(c);
		join_agent(c, &gdl_host);
	}
	xa_unlock_irq(&contexts);
	/* The mutex keeps it. */
	if (declared && context_remove(c))
		nr_declared--;
	return c;
}

/**
 * gdl_context_hand_over() - an agent was removed: drop its declared contexts,
 * give the open DRM files to agent 0
 * @agent: the agent; it cannot be found since a grace period
 *
 * Context: May sleep. Takes and releases declared_mutex.
 */
void gdl_context_hand_over(struct gdl_agent *agent)
{
	mutex_lock(&declared_mutex);
	while (hand_over_first(agent))
		cond_resched();
	mutex_unlock(&declared_mutex);
}

static void drop_gone(struct work_struct *work)
{
	struct gdl_context *c;
	unsigned long id;

	mutex_lock(&declared_mutex);
	/* The mutex keeps them. */
	xa_for_each_marked(&contexts, id, c, DECLARED) {
		if (READ_ONCE(c->device->gone) && context_remove(c))
			nr_declared--;
		cond_resched();
	}
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
	/* Nobody else frees one any more. */
	xa_for_each(&contexts, id, c) {
		context_remove(c);
		cond_resched();
	}
	rcu_barrier();
	rhashtable_destroy(&by_file);
	xa_destroy(&contexts);
}
