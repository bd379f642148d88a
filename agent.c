// SPDX-License-Identifier: GPL-2.0-only
/*
 * Agents: tenants with a quota. What an agent holds is counted three times over:
 * against its own quota, against its quota on one device, and against the
 * capacity of that device.
 *
 * How an agent is removed is agent_remove.c's.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/hash.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "gpu_dma_lock.h"

/* By id: readers walk it in the order of the ids. */
static DEFINE_XARRAY(agents);
/* By id too, for a lookup that costs the same whatever ids there are. */
static struct rhashtable agents_hash;
/* Agents, their bindings and device quotas come and go under it. */
DEFINE_MUTEX(gdl_agent_mutex);
/* With those of templates that cannot be found by their ids yet. */
static atomic_t nr_agents = ATOMIC_INIT(1);	/* A: agent 0 */

/* Ids are for users to choose: the high half is folded in, which else would not count. */
static u32 agent_hash(const void *key, u32 len, u32 seed)
{
	u64 id = *(const u64 *)key ^ seed;

	return hash_64(id ^ id >> 32, 32);
}

static int agent_differs(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct gdl_agent *agent = obj;

	return agent->id != *(const u64 *)arg->key;
}

static const struct rhashtable_params agent_params = {
	.key_len	= sizeof_field(struct gdl_agent, id),
	.key_offset	= offsetof(struct gdl_agent, id),
	.head_offset	= offsetof(struct gdl_agent, node),
	.hashfn		= agent_hash,
	.obj_cmpfn	= agent_differs,
	.automatic_shrinking = true,
};

struct gdl_agent gdl_host = {
	.quota.limit = GDL_UNLIMITED,
	.lock = __SPIN_LOCK_UNLOCKED(gdl_host.lock),
	.own.node.waiters = LIST_HEAD_INIT(gdl_host.own.node.waiters),
	.own.holders = LIST_HEAD_INIT(gdl_host.own.holders),
	.lock_node.of_agent = true,
	.lock_node.waiters = LIST_HEAD_INIT(gdl_host.lock_node.waiters),
	.bound = LIST_HEAD_INIT(gdl_host.bound),
	.buffer_perms = XARRAY_INIT(gdl_host.buffer_perms, XA_FLAGS_LOCK_BH),
};

static void device_quota_free_rcu(struct rcu_head *rcu)
{
	struct gdl_device_quota *dq = container_of(rcu, struct gdl_device_quota, rcu);

	kfree(dq->regions);
	kfree(dq);
}

static void device_quota_free(struct gdl_device_quota *dq)
{
	hlist_del_rcu(&dq->node);
	gdl_device_put(dq->device);
	call_rcu(&dq->rcu, device_quota_free_rcu);
}

/*
 * Free the device quotas on gone devices that nothing is charged to. After the
 * grace period no charge is on its way: nobody finds a gone device.
 */
static void reap(struct work_struct *work)
{
	struct gdl_device_quota *dq;
	struct hlist_node *next;
	struct gdl_agent *agent;
	unsigned long id, flags;

	mutex_lock(&gdl_agent_mutex);
	gdl_device_reap_begin();
	synchronize_rcu();
	xa_for_each(&agents, id, agent) {
		spin_lock_irqsave(&agent->lock, flags);
		hlist_for_each_entry_safe(dq, next, &agent->device_quotas, node)
			if (dq->device->reapable &&
			    !atomic64_read(&dq->device->buffers))
				device_quota_free(dq);
		spin_unlock_irqrestore(&agent->lock, flags);
		cond_resched();
	}
	gdl_device_reap();
	mutex_unlock(&gdl_agent_mutex);
}

static DECLARE_WORK(reap_work, reap);

/**
 * gdl_agent_reap() - free soon what belongs to gone devices
 *
 * Context: Any. Does not sleep.
 */
void gdl_agent_reap(void)
{
	schedule_work(&reap_work);
}

/**
 * gdl_agent_alloc() - make an agent that nobody finds yet
 * @id: its id
 * @limit: its quota in bytes, or GDL_UNLIMITED
 * @gfp: how to allocate it
 *
 * Context: As @gfp allows.
 * Return: The agent, or NULL.
 */
struct gdl_agent *gdl_agent_alloc(u64 id, u64 limit, gfp_t gfp)
{
	struct gdl_agent *agent = kzalloc(sizeof(*agent), gfp);

	if (!agent)
		return NULL;
	agent->id = id;
	agent->quota.limit = limit;
	spin_lock_init(&agent->lock);
	gdl_lock_owner_init(&agent->own, 0);
	gdl_lock_node_init(&agent->lock_node, true);
	INIT_LIST_HEAD(&agent->bound);
	xa_init_flags(&agent->buffer_perms, XA_FLAGS_LOCK_BH);
	return agent;
}

/**
 * gdl_agent_reserve() - make sure that there can be one agent more
 *
 * Context: Any.
 * Return: False with GDL_AGENTS_MAX agents; else to be undone by gdl_agent_unreserve() when
 * the agent goes, or does not come.
 */
bool gdl_agent_reserve(void)
{
	return atomic_add_unless(&nr_agents, 1, GDL_AGENTS_MAX);
}

/**
 * gdl_agent_unreserve() - there is one agent less
 *
 * Context: Any.
 */
void gdl_agent_unreserve(void)
{
	atomic_dec(&nr_agents);
}

/**
 * gdl_agent_add() - let an agent be found by its id
 * @agent: the agent, that room was reserved for; nobody else has its id
 *
 * Context: May sleep. Caller holds gdl_agent_mutex, or is alone.
 * Return: 0 or -ENOMEM.
 */
int gdl_agent_add(struct gdl_agent *agent)
{
	int ret = xa_reserve(&agents, agent->id, GFP_KERNEL);

	if (ret)
		return ret;
	/* Nobody must see it, and charge to it, if it is not to stay. */
	ret = rhashtable_insert_fast(&agents_hash, &agent->node, agent_params);
	if (ret) {
		xa_release(&agents, agent->id);
		return -ENOMEM;
	}
	xa_store(&agents, agent->id, agent, 0);
	return 0;
}

/**
 * gdl_agent_hide() - let an agent be found by its id no more
 * @agent: the agent
 *
 * Context: May sleep. Caller holds gdl_agent_mutex.
 */
void gdl_agent_hide(struct gdl_agent *agent)
{
	lockdep_assert_held(&gdl_agent_mutex);
	xa_erase(&agents, agent->id);
	rhashtable_remove_fast(&agents_hash, &agent->node, agent_params);
	gdl_agent_drop_name(agent);
}

/**
 * gdl_agent_init() - make agent 0, which every event not bound belongs to
 *
 * Context: May sleep.
 * Return: 0 or -ENOMEM.
 */
int gdl_agent_init(void)
{
	int ret = rhashtable_init(&agents_hash, &agent_params);

	if (ret)
		return ret;
	ret = gdl_agent_names_init();
	if (ret)
		goto out_hash;
	ret = gdl_agent_add(&gdl_host);
	if (!ret)
		return 0;
	gdl_agent_names_exit();
out_hash:
	rhashtable_destroy(&agents_hash);
	return ret;
}

/**
 * gdl_agent_free() - free an agent that holds nothing, and that nobody finds
 * @agent: the agent
 *
 * Context: Any but hard interrupt.
 */
void gdl_agent_free(struct gdl_agent *agent)
{
	struct gdl_device_quota *dq;
	struct hlist_node *next;

	hlist_for_each_entry_safe(dq, next, &agent->device_quotas, node)
		device_quota_free(dq);
	if (agent != &gdl_host)
		kfree_rcu(agent, rcu);
}

/**
 * gdl_agent_exit() - free all agents
 *
 * Nothing may be charged any more, no event may come.
 *
 * Context: May sleep.
 */
void gdl_agent_exit(void)
{
	struct gdl_agent *agent;
	unsigned long id;

	cancel_work_sync(&reap_work);
	rhashtable_destroy(&agents_hash);
	mutex_lock(&gdl_agent_mutex);
	xa_for_each(&agents, id, agent) {
		gdl_agent_drop_name(agent);
		gdl_agent_free(agent);
	}
	mutex_unlock(&gdl_agent_mutex);
	gdl_agent_names_exit();
	xa_destroy(&agents);
	/* For device_quota_free_rcu() */
	rcu_barrier();
}

/**
 * gdl_agent_lookup() - find an agent, as fast as can be
 * @id: its id
 *
 * It is a third of a whole check, so it is not xa_load(), whose cost rises with the
 * ids.
 *
 * Context: Any. Caller holds rcu_read_lock(). Takes no lock, writes nothing.
 * Return: The agent or NULL.
 */
struct gdl_agent *gdl_agent_lookup(u64 id)
{
	return rhashtable_lookup(&agents_hash, &id, agent_params);
}

/**
 * gdl_agent_lookup_locked() - find an agent that stays as long as the mutex is held
 * @id: its id
 *
 * Context: Caller holds gdl_agent_mutex.
 * Return: The agent or NULL.
 */
struct gdl_agent *gdl_agent_lookup_locked(u64 id)
{
	lockdep_assert_held(&gdl_agent_mutex);
	return xa_load(&agents, id);
}

/**
 * gdl_agent_next() - walk the agents in the order of their ids
 * @id: the lowest id wanted
 *
 * Context: Caller holds rcu_read_lock().
 * Return: The first agent from @id on, or NULL.
 */
struct gdl_agent *gdl_agent_next(u64 id)
{
	unsigned long index = id;

	return xa_find(&agents, &index, ULONG_MAX, XA_PRESENT);
}

/* @name: NULL for none */
static int agent_create_locked(u64 id, u64 limit, const char *name)
{
	struct gdl_agent *agent;
	int ret;

	lockdep_assert_held(&gdl_agent_mutex);
	if (gdl_id_is_template(id))
		return -EINVAL;
	if (gdl_agent_lookup_locked(id))
		return -EEXIST;
	if (!gdl_agent_reserve())
		return -ENOSPC;
	agent = gdl_agent_alloc(id, limit, GFP_KERNEL_ACCOUNT);
	if (!agent) {
		gdl_agent_unreserve();
		return -ENOMEM;
	}
	ret = gdl_agent_set_name(agent, name);
	if (!ret)
		ret = gdl_agent_add(agent);
	if (ret) {
		gdl_agent_drop_name(agent);
		kfree(agent);
		gdl_agent_unreserve();
	}
	return ret;
}

/**
 * gdl_agent_lookup_or_create() - find an agent; make it, unlimited, if need be
 * @id: its id
 *
 * Context: May sleep. Caller holds gdl_agent_mutex.
 * Return: The agent; -EINVAL an id of templates, -ENOSPC with GDL_AGENTS_MAX agents, -ENOMEM.
 */
struct gdl_agent *gdl_agent_lookup_or_create(u64 id)
{
	struct gdl_agent *agent = gdl_agent_lookup_locked(id);
	int ret;

	if (agent)
		return agent;
	ret = agent_create_locked(id, GDL_UNLIMITED, NULL);
	return ret ? ERR_PTR(ret) : gdl_agent_lookup_locked(id);
}

/**
 * gdl_agent_create() - make an agent
 * @id: its id
 * @limit: its quota in bytes, or GDL_UNLIMITED
 * @name: what to call it, as for gdl_agent_set_name(), or NULL
 *
 * Context: May sleep. Takes and releases gdl_agent_mutex.
 * Return: 0, -EEXIST the agent, or another of that name, -EINVAL an id of templates,
 * -ENOSPC with GDL_AGENTS_MAX agents, -ENOMEM.
 */
int gdl_agent_create(u64 id, u64 limit, const char *name)
{
	int ret;

	mutex_lock(&gdl_agent_mutex);
	ret = agent_create_locked(id, limit, name);
	mutex_unlock(&gdl_agent_mutex);
	return ret;
}

/**
 * gdl_agent_rename() - give an agent a name, another name, or none
 * @id: its id
 * @name: as for gdl_agent_set_name()
 *
 * Context: May sleep. Takes and releases gdl_agent_mutex.
 * Return: 0, -ENOENT no such agent, -EEXIST it is another agent's name, -ENOMEM.
 */
int gdl_agent_rename(u64 id, const char *name)
{
	struct gdl_agent *agent;
	int ret = -ENOENT;

	mutex_lock(&gdl_agent_mutex);
	agent = gdl_agent_lookup_locked(id);
	if (agent)
		ret = gdl_agent_set_name(agent, name);
	mutex_unlock(&gdl_agent_mutex);
	return ret;
}

/**
 * gdl_agent_set_quota() - limit what an agent may hold on all devices together
 * @id: the agent's id; an unknown agent is created
 * @limit: bytes, or GDL_UNLIMITED; may be less than what it holds already: then
 *	new charges fail until use has fallen
 *
 * Context: May sleep. Takes and releases gdl_agent_mutex.
 * Return: 0, -EINVAL an id of templates, -ENOSPC with GDL_AGENTS_MAX agents, -ENOMEM.
 */
int gdl_agent_set_quota(u64 id, u64 limit)
{
	struct gdl_agent *agent;
	int ret = 0;

	mutex_lock(&gdl_agent_mutex);
	agent = gdl_agent_lookup_locked(id);
	if (agent)
		WRITE_ONCE(agent->quota.limit, limit);
	else
		ret = agent_create_locked(id, limit, NULL);
	mutex_unlock(&gdl_agent_mutex);
	return ret;
}

static int set_device_quota_locked(u64 id, u64 limit, struct gdl_device *device)
{
	struct gdl_device_quota *dq;
	struct gdl_agent *agent;

	lockdep_assert_held(&gdl_agent_mutex);
	/* Checked here: reap() looks for what was made before it got the mutex. */
	if (READ_ONCE(device->gone))
		return -ENODEV;
	agent = gdl_agent_lookup_or_create(id);
	if (IS_ERR(agent))
		return PTR_ERR(agent);
	dq = gdl_agent_device_quota(agent, device, GFP_KERNEL);
	if (!dq)
		return -ENOMEM;
	WRITE_ONCE(dq->quota.limit, limit);
	return 0;
}

/**
 * gdl_agent_set_device_quota() - limit what an agent may hold on one device
 * @id: the agent's id; an unknown agent is created, unlimited otherwise
 * @limit: bytes, or GDL_UNLIMITED; as for gdl_agent_set_quota()
 * @device_id: the device's id
 *
 * Context: May sleep. Takes and releases gdl_agent_mutex.
 * Return: 0, -ENODEV, -EINVAL an id of templates, -ENOSPC with GDL_AGENTS_MAX agents,
 * -ENOMEM.
 */
int gdl_agent_set_device_quota(u64 id, u64 limit, u64 device_id)
{
	struct gdl_device *device;
	int ret;

	rcu_read_lock();
	device = gdl_device_lookup(device_id);
	if (device && !gdl_device_get(device))
		device = NULL;
	rcu_read_unlock();
	if (!device)
		return -ENODEV;
	mutex_lock(&gdl_agent_mutex);
	ret = set_device_quota_locked(id, limit, device);
	mutex_unlock(&gdl_agent_mutex);
	gdl_device_put(device);
	return ret;
}

static struct gdl_device_quota *find_device_quota(struct gdl_agent *agent,
						  struct gdl_device *device)
{
	struct gdl_device_quota *dq;

	hlist_for_each_entry_rcu(dq, &agent->device_quotas, node,
				 lockdep_is_held(&agent->lock) ||
				 lockdep_is_held(&gdl_agent_mutex))
		if (dq->device == device)
			return dq;
	return NULL;
}

/**
 * gdl_agent_device_quota() - find an agent's quota on a device, or make it
 * @agent: the agent
 * @device: the device
 * @gfp: how to allocate it
 *
 * Context: Caller holds rcu_read_lock(), then @gfp must not sleep, or
 * gdl_agent_mutex.
 * Return: The device quota, without a limit if it is new; NULL if there was no
 * memory, or the device is being freed.
 */
struct gdl_device_quota *gdl_agent_device_quota(struct gdl_agent *agent,
						struct gdl_device *device,
						gfp_t gfp)
{
	struct gdl_device_quota *dq = find_device_quota(agent, device);
	struct gdl_device_quota *new;
	unsigned long flags;

	if (likely(dq))
		return dq;
	new = kzalloc(sizeof(*new), gfp);
	if (!new)
		return NULL;
	if (!gdl_device_get(device)) {
		kfree(new);
		return NULL;
	}
	new->agent = agent;
	new->device = device;
	new->quota.limit = GDL_UNLIMITED;

	spin_lock_irqsave(&agent->lock, flags);
	dq = find_device_quota(agent, device);
	if (!dq)
		hlist_add_head_rcu(&new->node, &agent->device_quotas);
	spin_unlock_irqrestore(&agent->lock, flags);
	if (!dq)
		return new;
	gdl_device_put(device);
	kfree(new);
	return dq;
}

/**
 * gdl_agent_next_device_quota() - walk an agent's device quotas by device id
 * @agent: the agent
 * @device_id: the lowest device id wanted
 *
 * Context: Caller holds rcu_read_lock().
 * Return: The device quota with the lowest device id from @device_id on, or
 * NULL.
 */
struct gdl_device_quota *gdl_agent_next_device_quota(struct gdl_agent *agent,
						     u64 device_id)
{
	struct gdl_device_quota *dq, *next = NULL;

	hlist_for_each_entry_rcu(dq, &agent->device_quotas, node)
		if (dq->device->id >= device_id &&
		    (!next || dq->device->id < next->device->id))
			next = dq;
	return next;
}
