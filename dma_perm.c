// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA permissions: the address ranges an agent may DMA to, and the buffers of
 * others that it may attach and map.
 *
 * An agent's ranges are a set (dma_range.c). A grant or a revocation is one store
 * into it, so that a check sees each byte as it was before or as it is
 * after.
 *
 * The permissions on buffers are found by agent and buffer, in an xarray of the
 * agent; and by buffer, in a list of the buffer, with which they go.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dma-direction.h>
#include <linux/export.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "gpu_dma_lock.h"
#include "gpu_dma_lock_check.h"
#include "trace.h"

/*
 * The most segments of a mapping that are looked at: it is done with preemption
 * disabled.
 */
#define AUDIT_SEGMENTS_MAX	4096

#define MODE_ALL	(GPU_DMA_LOCK_READ | GPU_DMA_LOCK_WRITE)

/* An agent may use a buffer of another one. */
struct gdl_buffer_perm {
	struct hlist_node of_buffer;		/* P: in gdl_buffer.perms */
	struct gdl_agent *agent;		/* C */
	u64 buffer_id;				/* C */
	unsigned int mode;			/* P: READ_ONCE() elsewhere */
	struct rcu_head rcu;
};

/* Permissions on buffers come and go under it. */
static DEFINE_SPINLOCK(perm_lock);

/*
 * Documented in gpu_dma_lock_check.h. Checks on several CPUs do not slow each other
 * down, since none writes to a cache line that another CPU uses: the counters are
 * this CPU's (gdl_stats, which a reader only sums), rcu_read_lock() counts in the
 * task, and finding the agent and its ranges takes no lock and no reference. They
 * stay until rcu_read_unlock(). Charges and locks, which write to the agent
 * meanwhile, do so in other lines of it; see struct gdl_agent.
 */
int gpu_dma_lock_check(u64 agent_id, u64 addr, u64 size, unsigned int mode)
{
	u64 last = addr + size - 1;
	struct gdl_agent *agent;
	int ret = -ENOENT;

	if (unlikely(!size || !mode || mode & ~MODE_ALL))
		return -EINVAL;
	if (unlikely(last < addr))
		return -ERANGE;
	gdl_stat_inc(GDL_STAT_DMA_CHECKS);
	rcu_read_lock();
	agent = gdl_agent_lookup(agent_id);
	if (agent)
		ret = gdl_ranges_allow(&agent->ranges, addr, last, mode) ? 0 : -EACCES;
	rcu_read_unlock();
	if (ret == -EACCES) {
		gdl_stat_inc(GDL_STAT_DMA_CHECKS_DENIED);
		trace_gdl_check_denied(agent_id, addr, size, mode);
	}
	return ret;
}
EXPORT_SYMBOL_GPL(gpu_dma_lock_check);

/* May @agent use another's buffer in all of @mode? 0: in any. */
static bool buffer_allowed(struct gdl_agent *agent, const struct gdl_buffer *b,
			   unsigned int mode)
{
	const struct gdl_buffer_perm *p;

	if (READ_ONCE(b->dq)->agent == agent)
		return true;
	p = xa_load(&agent->buffer_perms, b->id);
	return p && !(mode & ~READ_ONCE(p->mode));
}

/**
 * gdl_perm_check_buffer() - may an agent DMA to a buffer?
 * @agent_id: the agent
 * @buffer_id: the buffer
 * @mode: GPU_DMA_LOCK_READ, GPU_DMA_LOCK_WRITE, or both
 *
 * Context: Does not sleep.
 * Return: 0; -EACCES; -ENOENT no such agent or buffer.
 */
int gdl_perm_check_buffer(u64 agent_id, u64 buffer_id, unsigned int mode)
{
	struct gdl_agent *agent;
	struct gdl_buffer *b;
	int ret = -ENOENT;

	gdl_stat_inc(GDL_STAT_DMA_CHECKS);
	rcu_read_lock();
	agent = gdl_agent_lookup(agent_id);
	b = gdl_buffer_lookup(buffer_id);
	if (agent && b)
		ret = buffer_allowed(agent, b, mode) ? 0 : -EACCES;
	rcu_read_unlock();
	if (ret == -EACCES)
		gdl_stat_inc(GDL_STAT_DMA_CHECKS_DENIED);
	return ret;
}

/* What a DMA of that direction does to memory, as far as it needs permission. */
static unsigned int mode_of(enum dma_data_direction direction)
{
	return direction == DMA_TO_DEVICE ? GPU_DMA_LOCK_READ :
					    GPU_DMA_LOCK_WRITE;
}

/**
 * gdl_perm_refuse() - a use of a buffer is forbidden
 * @b: the buffer
 * @agent: whose use it is
 * @use: attach, map or mmap
 * @enforce: refuse it; else it is only counted and traced
 *
 * Context: Any but hard interrupt. Caller holds rcu_read_lock().
 * Return: 0 or -EACCES.
 */
int gdl_perm_refuse(const struct gdl_buffer *b, struct gdl_agent *agent, const char *use,
		    bool enforce)
{
	atomic64_inc(&agent->refused);
	gdl_stat_inc(enforce ? GDL_STAT_DMA_DENIED : GDL_STAT_DMA_AUDITED);
	trace_gdl_dma_denied(b->id, agent, use, enforce);
	return enforce ? -EACCES : 0;
}

static int check_use(const struct gdl_buffer *b, struct gdl_agent *agent,
		     unsigned int mode, const char *use, bool enforce)
{
	if (buffer_allowed(agent, b, mode) ||
	    gdl_policy_is_off())
		return 0;
	return gdl_perm_refuse(b, agent, use, enforce);
}

/**
 * gdl_perm_check_attach() - may an agent attach a device to a buffer?
 * @b: the buffer
 * @agent: the agent
 * @enforce: refuse it; else it is only counted and traced
 *
 * Any permission on it will do: what is done to it is known when it is mapped.
 *
 * Context: Any but hard interrupt. Caller holds rcu_read_lock(). Does not sleep.
 * Return: 0, or -EACCES: it is another agent's, and there is no permission.
 */
int gdl_perm_check_attach(const struct gdl_buffer *b, struct gdl_agent *agent,
			  bool enforce)
{
	return check_use(b, agent, 0, "attach", enforce);
}

/**
 * gdl_perm_check_map() - may an agent map a buffer for DMA?
 * @b: the buffer
 * @agent: the agent
 * @direction: of the DMA
 * @enforce: refuse it; else it is only counted and traced
 *
 * Context: As gdl_perm_check_attach().
 * Return: As gdl_perm_check_attach().
 */
int gdl_perm_check_map(const struct gdl_buffer *b, struct gdl_agent *agent,
		       enum dma_data_direction direction, bool enforce)
{
	return check_use(b, agent, mode_of(direction), "map", enforce);
}

/**
 * gdl_perm_segment_outside() - is a segment outside the ranges of a buffer's agent?
 * @b: the buffer
 * @start: the segment's first address
 * @size: bytes
 * @direction: of the DMA
 *
 * It is counted and traced if it is.
 *
 * Context: As gdl_perm_check_attach().
 * Return: Whether it is; without a range of the agent's nothing is.
 */
bool gdl_perm_segment_outside(const struct gdl_buffer *b, u64 start, u64 size,
			      enum dma_data_direction direction)
{
	struct gdl_agent *agent = READ_ONCE(b->dq)->agent;

	if (!size || gdl_ranges_empty(&agent->ranges) ||
	    gdl_ranges_allow(&agent->ranges, start, start + size - 1, mode_of(direction)))
		return false;
	gdl_stat_inc(GDL_STAT_DMA_SEGMENTS_OUTSIDE);
	trace_gdl_segment_outside(b->id, agent, start, size);
	return true;
}

/**
 * gdl_perm_audit_mapping() - look for segments outside an agent's ranges
 * @b: the buffer that was mapped
 * @sgt: the mapping
 * @direction: of the DMA
 *
 * If the buffer's agent has ranges, segments outside them are counted and traced:
 * it is too late to refuse them.
 *
 * Context: As gdl_perm_check_attach().
 */
void gdl_perm_audit_mapping(const struct gdl_buffer *b,
			    const struct sg_table *sgt,
			    enum dma_data_direction direction)
{
	struct gdl_agent *agent = READ_ONCE(b->dq)->agent;
	struct scatterlist *sg;
	int i;

	if (gdl_ranges_empty(&agent->ranges) || gdl_policy_is_off())
		return;
	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (i == AUDIT_SEGMENTS_MAX) {
			gdl_stat_add(GDL_STAT_DMA_SEGMENTS_UNCHECKED,
				     sgt->nents - i);
			return;
		}
		gdl_perm_segment_outside(b, sg_dma_address(sg), sg_dma_len(sg), direction);
	}
}

/* The first of an agent's ranges that ends at @addr or behind it. */
static bool range_from(const struct gdl_agent *agent, u64 addr, struct gdl_range *found)
{
	bool any;

	rcu_read_lock();
	any = gdl_ranges_next(&agent->ranges, addr, found);
	rcu_read_unlock();
	return any;
}

static bool has_range(const struct gdl_agent *agent, u64 start, u64 last)
{
	struct gdl_range range;

	return range_from(agent, start, &range) && range.start <= last;
}

static int store_range(struct gdl_agent *agent, const struct gdl_range *range)
{
	return gdl_ranges_store(&agent->ranges, range,
				GDL_PERMS_MAX - READ_ONCE(agent->nr_buffer_perms));
}

/* Let a range that is to be granted take in neighbours of its mode. */
static void join_neighbours(const struct gdl_agent *agent, struct gdl_range *range)
{
	struct gdl_range near;

	if (range->start && range_from(agent, range->start - 1, &near) &&
	    near.start < range->start && near.mode == range->mode)
		range->start = near.start;
	if (range->last != U64_MAX && range_from(agent, range->last + 1, &near) &&
	    near.start <= range->last + 1 && near.mode == range->mode)
		range->last = near.last;
}

static int grant_range_locked(u64 agent_id, struct gdl_range range, bool create)
{
	struct gdl_agent *agent;

	agent = create ? gdl_agent_lookup_or_create(agent_id) :
			 gdl_agent_lookup_locked(agent_id);
	if (IS_ERR_OR_NULL(agent))
		return agent ? PTR_ERR(agent) : -ENOENT;
	join_neighbours(agent, &range);
	return store_range(agent, &range);
}

/**
 * gdl_perm_grant_range() - let an agent DMA to a range of addresses
 * @agent_id: the agent
 * @start: the first address
 * @last: the last address, not before @start
 * @mode: GPU_DMA_LOCK_READ, GPU_DMA_LOCK_WRITE, or both
 * @create: create an unknown agent
 *
 * It replaces what was granted of the range before.
 *
 * Context: May sleep. Takes and releases gdl_agent_mutex.
 * Return: 0; -ENOENT no such agent; -ENOSPC it has GDL_PERMS_MAX rules, or there
 * are GDL_AGENTS_MAX agents; -ENOMEM.
 */
int gdl_perm_grant_range(u64 agent_id, u64 start, u64 last, unsigned int mode,
			 bool create)
{
	struct gdl_range range = { .start = start, .last = last, .mode = mode };
	int ret;

	mutex_lock(&gdl_agent_mutex);
	ret = grant_range_locked(agent_id, range, create);
	mutex_unlock(&gdl_agent_mutex);
	return ret;
}

/**
 * gdl_perm_revoke_range() - take a range of addresses from an agent
 * @agent_id: the agent
 * @start: the first address
 * @last: the last address, not before @start
 *
 * Context: May sleep. Takes and releases gdl_agent_mutex.
 * Return: 0; -ENOENT no such agent, or nothing of the range was granted; -ENOSPC
 * it has GDL_PERMS_MAX rules, and this would split one; -ENOMEM.
 */
int gdl_perm_revoke_range(u64 agent_id, u64 start, u64 last)
{
	const struct gdl_range range = { .start = start, .last = last };
	struct gdl_agent *agent;
	int ret = -ENOENT;

	mutex_lock(&gdl_agent_mutex);
	agent = gdl_agent_lookup_locked(agent_id);
	if (agent && has_range(agent, start, last))
		ret = store_range(agent, &range);
	mutex_unlock(&gdl_agent_mutex);
	return ret;
}

static void buffer_perm_drop(struct gdl_buffer_perm *p)
{
	lockdep_assert_held(&perm_lock);
	hlist_del(&p->of_buffer);
	xa_erase(&p->agent->buffer_perms, p->buffer_id);
	WRITE_ONCE(p->agent->nr_buffer_perms, p->agent->nr_buffer_perms - 1);
	kfree_rcu(p, rcu);
}

/* Make @p, whose place is reserved, the permission of its agent. */
static int buffer_perm_publish(struct gdl_buffer_perm *p)
{
	struct gdl_agent *agent = p->agent;
	struct gdl_buffer *b;

	lockdep_assert_held(&perm_lock);
	b = gdl_buffer_set_permitted(p->buffer_id);
	if (!b)
		return -ENOENT;
	hlist_add_head(&p->of_buffer, &b->perms);
	xa_store(&agent->buffer_perms, p->buffer_id, p, 0);
	WRITE_ONCE(agent->nr_buffer_perms, agent->nr_buffer_perms + 1);
	return 0;
}

static int buffer_perm_create(struct gdl_agent *agent, u64 buffer_id,
			      unsigned int mode)
{
	struct gdl_buffer_perm *p;
	int ret;

	if (agent->ranges.nr + READ_ONCE(agent->nr_buffer_perms) >= GDL_PERMS_MAX)
		return -ENOSPC;
	p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);
	if (!p)
		return -ENOMEM;
	p->agent = agent;
	p->buffer_id = buffer_id;
	p->mode = mode;
	ret = xa_reserve_bh(&agent->buffer_perms, buffer_id, GFP_KERNEL);
	if (ret)
		goto out_free;
	spin_lock_bh(&perm_lock);
	ret = buffer_perm_publish(p);
	if (ret)
		xa_erase(&agent->buffer_perms, buffer_id);
	spin_unlock_bh(&perm_lock);
	if (!ret)
		return 0;
out_free:
	kfree(p);
	return ret;
}

/* Change the mode of a permission; return whether there is one. */
static bool buffer_perm_change(struct gdl_agent *agent, u64 buffer_id,
			       unsigned int mode)
{
	struct gdl_buffer_perm *p;

	spin_lock_bh(&perm_lock);
	p = xa_load(&agent->buffer_perms, buffer_id);
	if (p)
		WRITE_ONCE(p->mode, mode);
	spin_unlock_bh(&perm_lock);
	return p;
}

static bool buffer_exists(u64 id)
{
	bool exists;

	rcu_read_lock();
	exists = gdl_buffer_lookup(id);
	rcu_read_unlock();
	return exists;
}

static int grant_buffer_locked(u64 agent_id, u64 buffer_id, unsigned int mode,
			       bool create)
{
	struct gdl_agent *agent;

	if (!buffer_exists(buffer_id))
		return -ENOENT;
	agent = create ? gdl_agent_lookup_or_create(agent_id) :
			 gdl_agent_lookup_locked(agent_id);
	if (IS_ERR_OR_NULL(agent))
		return agent ? PTR_ERR(agent) : -ENOENT;
	if (buffer_perm_change(agent, buffer_id, mode))
		return 0;
	return buffer_perm_create(agent, buffer_id, mode);
}

/**
 * gdl_perm_grant_buffer() - let an agent attach and map a buffer of another one
 * @agent_id: the agent
 * @buffer_id: the buffer
 * @mode: GPU_DMA_LOCK_READ, GPU_DMA_LOCK_WRITE, or both; replaces what it was
 * @create: create an unknown agent
 *
 * Context: May sleep. Takes and releases gdl_agent_mutex.
 * Return: 0; -ENOENT no such agent or buffer; -ENOSPC it has GDL_PERMS_MAX rules,
 * or there are GDL_AGENTS_MAX agents; -ENOMEM.
 */
int gdl_perm_grant_buffer(u64 agent_id, u64 buffer_id, unsigned int mode,
			  bool create)
{
	int ret;

	mutex_lock(&gdl_agent_mutex);
	ret = grant_buffer_locked(agent_id, buffer_id, mode, create);
	mutex_unlock(&gdl_agent_mutex);
	return ret;
}

/* Drop the agent's first permission from a buffer on; tell whether there was. */
static bool buffer_perm_drop_next(struct gdl_agent *agent, u64 from, u64 to)
{
	struct gdl_buffer_perm *p;
	unsigned long id = from;

	spin_lock_bh(&perm_lock);
	p = xa_find(&agent->buffer_perms, &id, to, XA_PRESENT);
	if (p)
		buffer_perm_drop(p);
	spin_unlock_bh(&perm_lock);
	return p;
}

/**
 * gdl_perm_revoke_buffer() - take the permission to use a buffer from an agent
 * @agent_id: the agent
 * @buffer_id: the buffer
 *
 * What is attached and mapped stays so.
 *
 * Context: May sleep. Takes and releases gdl_agent_mutex.
 * Return: 0; -ENOENT no such agent, or no such permission.
 */
int gdl_perm_revoke_buffer(u64 agent_id, u64 buffer_id)
{
	struct gdl_agent *agent;
	int ret = -ENOENT;

	mutex_lock(&gdl_agent_mutex);
	agent = gdl_agent_lookup_locked(agent_id);
	if (agent && buffer_perm_drop_next(agent, buffer_id, buffer_id))
		ret = 0;
	mutex_unlock(&gdl_agent_mutex);
	return ret;
}

static bool drop_buffer_perms(struct gdl_agent *agent)
{
	bool dropped = false;

	while (buffer_perm_drop_next(agent, 0, U64_MAX)) {
		dropped = true;
		cond_resched();
	}
	return dropped;
}

static int revoke_all_locked(u64 agent_id)
{
	struct gdl_agent *agent = gdl_agent_lookup_locked(agent_id);
	bool had_ranges;

	if (!agent)
		return -ENOENT;
	had_ranges = !gdl_ranges_empty(&agent->ranges);
	gdl_ranges_clear(&agent->ranges);
	return drop_buffer_perms(agent) || had_ranges ? 0 : -ENOENT;
}

/**
 * gdl_perm_revoke_all() - take every permission from an agent
 * @agent_id: the agent
 *
 * Context: May sleep. Takes and releases gdl_agent_mutex.
 * Return: 0; -ENOENT no such agent, or it had none.
 */
int gdl_perm_revoke_all(u64 agent_id)
{
	int ret;

	mutex_lock(&gdl_agent_mutex);
	ret = revoke_all_locked(agent_id);
	mutex_unlock(&gdl_agent_mutex);
	return ret;
}

/**
 * gdl_perm_drop_agent() - an agent is removed: so are its permissions
 * @agent: the agent; no grant finds it any more
 *
 * Context: May sleep. Caller holds gdl_agent_mutex.
 */
void gdl_perm_drop_agent(struct gdl_agent *agent)
{
	drop_buffer_perms(agent);
	gdl_ranges_clear(&agent->ranges);
}

/**
 * gdl_perm_buffer_gone() - a buffer was removed: so are the permissions on it
 * @b: the buffer, not found any more
 *
 * Context: Any but hard interrupt. Does not sleep.
 */
void gdl_perm_buffer_gone(struct gdl_buffer *b)
{
	struct gdl_buffer_perm *p;
	struct hlist_node *next;

	spin_lock_bh(&perm_lock);
	hlist_for_each_entry_safe(p, next, &b->perms, of_buffer)
		buffer_perm_drop(p);
	spin_unlock_bh(&perm_lock);
}

static bool next_range(const struct gdl_agent *agent, struct gdl_perm_row *row)
{
	struct gdl_range range;

	if (!gdl_ranges_next(&agent->ranges, row->start, &range))
		return false;
	row->start = range.start;
	row->last = range.last;
	row->mode = range.mode;
	return true;
}

static bool next_buffer(struct gdl_agent *agent, struct gdl_perm_row *row)
{
	const struct gdl_buffer_perm *p;
	unsigned long id = row->start;

	p = xa_find(&agent->buffer_perms, &id, ULONG_MAX, XA_PRESENT);
	if (!p)
		return false;
	row->start = id;
	row->last = id;
	row->mode = READ_ONCE(p->mode);
	return true;
}

static int next_of_kind(struct gdl_perm_row *row)
{
	struct gdl_agent *agent = gdl_agent_next(row->agent_id);
	unsigned int n;

	for (n = 0; agent; n++) {
		if (agent->id != row->agent_id)
			row->start = 0;
		row->agent_id = agent->id;
		if (n == GDL_AGENTS_AT_ONCE)
			return -EAGAIN;
		if (row->buffer ? next_buffer(agent, row) : next_range(agent, row))
			return 1;
		if (agent->id == U64_MAX)
			break;
		agent = gdl_agent_next(agent->id + 1);
	}
	return 0;
}

/**
 * gdl_perm_next() - walk the permissions: the ranges, then the buffers, each in
 * the order of agents
 * @row: @buffer, @agent_id and @start are where to begin; receives the first
 *	permission from there on
 *
 * Context: Caller holds rcu_read_lock().
 * Return: 1 if there is one, 0 if not; -EAGAIN: not one of many agents has one, and it is
 * to be called again, as @row is now.
 */
int gdl_perm_next(struct gdl_perm_row *row)
{
	int ret = next_of_kind(row);

	if (ret || row->buffer)
		return ret;
	*row = (struct gdl_perm_row) { .buffer = true };
	return next_of_kind(row);
}

/**
 * gdl_perm_exit() - forget all permissions
 *
 * No command and no event may come any more; there are no buffers.
 *
 * Context: May sleep. Takes and releases gdl_agent_mutex.
 */
void gdl_perm_exit(void)
{
	struct gdl_agent *agent;
	u64 id = 0;

	mutex_lock(&gdl_agent_mutex);
	do {
		rcu_read_lock();
		agent = gdl_agent_next(id);
		rcu_read_unlock();
		if (!agent)
			break;
		gdl_perm_drop_agent(agent);
		id = agent->id + 1;
	} while (id);
	mutex_unlock(&gdl_agent_mutex);
}
