// SPDX-License-Identifier: GPL-2.0-only
/*
 * Agents: tenants with a quota. What an agent holds is counted three times over:
 * against its own quota, against its quota on one device, and against the
 * capacity of that device.
 *
 * An agent is removed in two phases. It is taken out of the tables and its bindings
 * are dropped; after a grace period whoever found it earlier has published the
 * buffer that he charged to it, and nobody finds it any more. Then it is emptied
 * and freed. See remove_agent() in command.c.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/hash.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "gpu_dma_lock.h"
#include "trace.h"

static enum gdl_policy policy = GDL_POLICY_AUDIT;

const char * const gdl_policy_names[GDL_NR_POLICIES] = {
	[GDL_POLICY_OFF]	= "off",
	[GDL_POLICY_AUDIT]	= "audit",
	[GDL_POLICY_ENFORCE]	= "enforce",
};

/* By id: readers walk it in the order of the ids. */
static DEFINE_XARRAY(agents);
/* By id too, for a lookup that costs the same whatever ids there are. */
static struct rhashtable agents_hash;
/* Agents, their bindings and device quotas come and go under it. */
DEFINE_MUTEX(gdl_agent_mutex);
static unsigned int nr_agents;		/* under gdl_agent_mutex */

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
	.lock_waiters = LIST_HEAD_INIT(gdl_host.lock_waiters),
	.buffer_perms = XARRAY_INIT(gdl_host.buffer_perms, XA_FLAGS_LOCK_BH),
};

static void quota_raise_peak(struct gdl_quota *quota)
{
	s64 used = atomic64_read(&quota->used);
	s64 peak = atomic64_read(&quota->peak);

	while (used > peak)
		if (atomic64_try_cmpxchg(&quota->peak, &peak, used))
			break;
}

/* Charge unless that passes the limit: used never does, not for a moment. */
static bool quota_try_charge(struct gdl_quota *quota, u64 size)
{
	u64 limit = min(READ_ONCE(quota->limit), GDL_BYTES_MAX);
	s64 used = atomic64_read(&quota->used);

	do {
		if (size > limit || used > limit - size)
			return false;
	} while (!atomic64_try_cmpxchg(&quota->used, &used, used + size));
	return true;
}

/* Charge in any case; return by how many bytes that passes the limit. */
static u64 quota_charge(struct gdl_quota *quota, u64 size)
{
	u64 used = atomic64_add_return(size, &quota->used);
	u64 limit = READ_ONCE(quota->limit);

	return used > limit ? used - limit : 0;
}

static void quota_uncharge(struct gdl_quota *quota, u64 size)
{
	WARN_ONCE(atomic64_sub_return(size, &quota->used) < 0,
		  "more was uncharged than charged");
}

/* By how many bytes a charge would pass the limit, now that it has failed. */
static u64 quota_over(const struct gdl_quota *quota, u64 size)
{
	u64 used = atomic64_read(&quota->used) + size;
	u64 limit = READ_ONCE(quota->limit);

	return used > limit ? used - limit : 0;
}

/*
 * A buffer was charged. Only now are the peaks raised: a charge that one limit
 * lets pass and the next one refuses leaves no trace.
 */
static void count_buffer(struct gdl_device_quota *dq)
{
	quota_raise_peak(&dq->agent->quota);
	quota_raise_peak(&dq->quota);
	quota_raise_peak(&dq->device->capacity);
	atomic64_inc(&dq->agent->buffers);
	atomic64_inc(&dq->device->buffers);
}

/* @stat: which limit is passed, and whether the charge is refused for it. */
static void count_denied(struct gdl_device_quota *dq, u64 size, u64 over,
			 enum gdl_stat stat)
{
	atomic64_inc(&dq->agent->quota.denied);
	atomic64_inc(&dq->quota.denied);
	gdl_stat_inc(stat);
	trace_gdl_charge_denied(dq, size, over,
				stat == GDL_STAT_CAPACITY_DENIED ||
				stat == GDL_STAT_CAPACITY_AUDITED,
				stat == GDL_STAT_QUOTA_DENIED ||
				stat == GDL_STAT_CAPACITY_DENIED);
}

/**
 * gdl_try_charge() - charge a new buffer, unless that passes a limit
 * @dq: whom to charge, on which device
 * @size: bytes
 *
 * A refusal leaves nothing charged and is counted.
 *
 * Context: Any. Does not sleep. @dq must stay: caller holds rcu_read_lock() or
 * gdl_agent_mutex.
 * Return: 0, -EDQUOT over the agent's quota or its quota on the device, -ENOSPC
 * over the device's capacity.
 */
int gdl_try_charge(struct gdl_device_quota *dq, u64 size)
{
	if (!quota_try_charge(&dq->agent->quota, size)) {
		count_denied(dq, size, quota_over(&dq->agent->quota, size),
			     GDL_STAT_QUOTA_DENIED);
		return -EDQUOT;
	}
	if (!quota_try_charge(&dq->quota, size)) {
		quota_uncharge(&dq->agent->quota, size);
		count_denied(dq, size, quota_over(&dq->quota, size),
			     GDL_STAT_QUOTA_DENIED);
		return -EDQUOT;
	}
	if (!quota_try_charge(&dq->device->capacity, size)) {
		quota_uncharge(&dq->quota, size);
		quota_uncharge(&dq->agent->quota, size);
		count_denied(dq, size,
			     quota_over(&dq->device->capacity, size),
			     GDL_STAT_CAPACITY_DENIED);
		return -ENOSPC;
	}
	count_buffer(dq);
	return 0;
}

/**
 * gdl_charge() - charge a buffer that exists, whatever the limits say
 * @dq: whom to charge, on which device
 * @size: bytes
 *
 * Passing a limit is counted as denied, unless the policy is off.
 *
 * Context: As gdl_try_charge().
 * Return: Whether a limit is passed.
 */
bool gdl_charge(struct gdl_device_quota *dq, u64 size)
{
	u64 over_quota = quota_charge(&dq->agent->quota, size);
	u64 over_device = quota_charge(&dq->quota, size);
	u64 over_capacity = quota_charge(&dq->device->capacity, size);

	count_buffer(dq);
	if (likely(!over_quota && !over_device && !over_capacity))
		return false;
	if (gdl_policy_get() == GDL_POLICY_OFF)
		return true;
	if (over_quota || over_device)
		count_denied(dq, size, max(over_quota, over_device),
			     GDL_STAT_QUOTA_AUDITED);
	else
		count_denied(dq, size, over_capacity,
			     GDL_STAT_CAPACITY_AUDITED);
	return true;
}

/**
 * gdl_charge_move() - move a buffer's charge to another agent
 * @from: whom it is charged to
 * @to: whom to charge, on the same device
 * @size: bytes, as charged
 *
 * Nobody asked for more: passing a limit is not counted as denied, and the
 * device's total is not touched.
 *
 * Context: As gdl_try_charge().
 */
void gdl_charge_move(struct gdl_device_quota *from, struct gdl_device_quota *to,
		     u64 size)
{
	quota_charge(&to->agent->quota, size);
	quota_charge(&to->quota, size);
	quota_raise_peak(&to->agent->quota);
	quota_raise_peak(&to->quota);
	atomic64_inc(&to->agent->buffers);
	quota_uncharge(&from->agent->quota, size);
	quota_uncharge(&from->quota, size);
	atomic64_dec(&from->agent->buffers);
}

/**
 * gdl_charge_overrun() - refuse to export a buffer charged over the limit
 * @dq: whom it is charged to
 * @size: bytes
 *
 * Context: As gdl_try_charge().
 * Return: 0 if what is charged is within the limits by now, else -EDQUOT or
 * -ENOSPC, which is counted.
 */
int gdl_charge_overrun(struct gdl_device_quota *dq, u64 size)
{
	u64 over = max(quota_over(&dq->agent->quota, 0),
		       quota_over(&dq->quota, 0));

	if (over) {
		count_denied(dq, size, over, GDL_STAT_QUOTA_DENIED);
		return -EDQUOT;
	}
	over = quota_over(&dq->device->capacity, 0);
	if (over) {
		count_denied(dq, size, over, GDL_STAT_CAPACITY_DENIED);
		return -ENOSPC;
	}
	return 0;
}

/**
 * gdl_uncharge() - give back what a buffer was charged
 * @dq: whom it was charged to
 * @size: bytes, as charged
 *
 * Context: As gdl_try_charge().
 */
void gdl_uncharge(struct gdl_device_quota *dq, u64 size)
{
	struct gdl_device *device = dq->device;

	quota_uncharge(&dq->agent->quota, size);
	quota_uncharge(&dq->quota, size);
	quota_uncharge(&device->capacity, size);
	atomic64_dec(&dq->agent->buffers);
	if (atomic64_dec_and_test(&device->buffers) && READ_ONCE(device->gone))
		gdl_agent_reap();
}

static void device_quota_free(struct gdl_device_quota *dq)
{
	hlist_del_rcu(&dq->node);
	gdl_device_put(dq->device);
	kfree_rcu(dq, rcu);
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

/* Put @agent where it is found; under gdl_agent_mutex, or before anybody can. */
static int agent_insert(struct gdl_agent *agent)
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
	nr_agents++;
	return 0;
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
	ret = agent_insert(&gdl_host);
	if (ret)
		rhashtable_destroy(&agents_hash);
	return ret;
}

static void agent_free(struct gdl_agent *agent)
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
	xa_for_each(&agents, id, agent)
		agent_free(agent);
	xa_destroy(&agents);
}

/**
 * gdl_agent_lookup() - find an agent
 * @id: its id
 *
 * Context: Caller holds rcu_read_lock() or gdl_agent_mutex.
 * Return: The agent or NULL.
 */
struct gdl_agent *gdl_agent_lookup(u64 id)
{
	return xa_load(&agents, id);
}

/**
 * gdl_agent_lookup_rcu() - find an agent, as fast as can be
 * @id: its id
 *
 * It is a third of a whole check, so it is not xa_load(), whose cost rises with the
 * ids.
 *
 * Context: Any. Caller holds rcu_read_lock(). Takes no lock, writes nothing.
 * Return: The agent or NULL.
 */
struct gdl_agent *gdl_agent_lookup_rcu(u64 id)
{
	return rhashtable_lookup(&agents_hash, &id, agent_params);
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

static int agent_create_locked(u64 id, u64 limit)
{
	struct gdl_agent *agent;
	int ret;

	lockdep_assert_held(&gdl_agent_mutex);
	if (gdl_agent_lookup(id))
		return -EEXIST;
	if (nr_agents >= GDL_AGENTS_MAX)
		return -ENOSPC;
	agent = kzalloc(sizeof(*agent), GFP_KERNEL_ACCOUNT);
	if (!agent)
		return -ENOMEM;
	agent->id = id;
	agent->quota.limit = limit;
	spin_lock_init(&agent->lock);
	INIT_LIST_HEAD(&agent->lock_waiters);
	xa_init_flags(&agent->buffer_perms, XA_FLAGS_LOCK_BH);
	ret = agent_insert(agent);
	if (ret)
		kfree(agent);
	return ret;
}

/**
 * gdl_agent_lookup_or_create() - find an agent; make it, unlimited, if need be
 * @id: its id
 *
 * Context: May sleep. Caller holds gdl_agent_mutex.
 * Return: The agent; -ENOSPC with GDL_AGENTS_MAX agents, -ENOMEM.
 */
struct gdl_agent *gdl_agent_lookup_or_create(u64 id)
{
	struct gdl_agent *agent = gdl_agent_lookup(id);
	int ret;

	if (agent)
		return agent;
	ret = agent_create_locked(id, GDL_UNLIMITED);
	return ret ? ERR_PTR(ret) : gdl_agent_lookup(id);
}

/**
 * gdl_agent_create() - make an agent
 * @id: its id
 * @limit: its quota in bytes, or GDL_UNLIMITED
 *
 * Context: May sleep. Takes and releases gdl_agent_mutex.
 * Return: 0, -EEXIST, -ENOSPC with GDL_AGENTS_MAX agents, -ENOMEM.
 */
int gdl_agent_create(u64 id, u64 limit)
{
	int ret;

	mutex_lock(&gdl_agent_mutex);
	ret = agent_create_locked(id, limit);
	mutex_unlock(&gdl_agent_mutex);
	return ret;
}

/**
 * gdl_agent_remove_begin() - take an agent out of sight
 * @id: its id
 * @agent: receives it
 *
 * After success the caller drops the agent's bindings and waits for a grace
 * period: no new buffer can come to be charged to the agent then. He empties it
 * and calls gdl_agent_remove_end().
 *
 * Context: May sleep. On success returns with gdl_agent_mutex held.
 * Return: 0, -ENOENT, -EINVAL for agent 0, which always exists.
 */
int gdl_agent_remove_begin(u64 id, struct gdl_agent **agent)
{
	if (id == gdl_host.id)
		return -EINVAL;
	mutex_lock(&gdl_agent_mutex);
	*agent = xa_erase(&agents, id);
	if (*agent) {
		rhashtable_remove_fast(&agents_hash, &(*agent)->node,
				       agent_params);
		nr_agents--;
		return 0;
	}
	mutex_unlock(&gdl_agent_mutex);
	return -ENOENT;
}

/**
 * gdl_agent_remove_end() - free an agent that holds nothing any more
 * @agent: from gdl_agent_remove_begin()
 *
 * Context: May sleep. Releases gdl_agent_mutex.
 */
void gdl_agent_remove_end(struct gdl_agent *agent)
{
	agent_free(agent);
	mutex_unlock(&gdl_agent_mutex);
}

/**
 * gdl_agent_set_quota() - limit what an agent may hold on all devices together
 * @id: the agent's id; an unknown agent is created
 * @limit: bytes, or GDL_UNLIMITED; may be less than what it holds already: then
 *	new charges fail until use has fallen
 *
 * Context: May sleep. Takes and releases gdl_agent_mutex.
 * Return: 0, -ENOSPC with GDL_AGENTS_MAX agents, -ENOMEM.
 */
int gdl_agent_set_quota(u64 id, u64 limit)
{
	struct gdl_agent *agent;
	int ret = 0;

	mutex_lock(&gdl_agent_mutex);
	agent = gdl_agent_lookup(id);
	if (agent)
		WRITE_ONCE(agent->quota.limit, limit);
	else
		ret = agent_create_locked(id, limit);
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
 * Return: 0, -ENODEV, -ENOSPC with GDL_AGENTS_MAX agents, -ENOMEM.
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

/**
 * gdl_policy_get() - what happens to real operations that a rule forbids
 *
 * Context: Any.
 * Return: The policy.
 */
enum gdl_policy gdl_policy_get(void)
{
	return READ_ONCE(policy);
}

/**
 * gdl_policy_set() - change the policy
 * @to: the new policy; for GDL_POLICY_ENFORCE refusals must be in place
 *
 * Context: Any.
 */
void gdl_policy_set(enum gdl_policy to)
{
	trace_gdl_policy(gdl_policy_names[policy], gdl_policy_names[to]);
	WRITE_ONCE(policy, to);
}
