// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA and locks: a live mapping of a buffer by a device holds the buffer for the
 * agent that mapped it, and a lock of another agent forbids to map it.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/list.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "gpu_dma_lock.h"
#include "trace.h"

/* Does a lock of another agent forbid @agent this use of the buffer? */
static bool forbidden(const struct gdl_buffer_lock *lock,
		      const struct gdl_agent *agent, enum gdl_lock_mode mode)
{
	const struct gdl_claim *c;

	list_for_each_entry(c, &lock->holders, list)
		if (!c->attachment_id && gdl_claim_conflicts(c, agent, mode))
			return true;
	return false;
}

/* A use that a lock forbids: -EBUSY to refuse it, 0 to let it pass. */
static int deny(u64 buffer_id, const struct gdl_agent *agent, const char *use,
		bool enforce)
{
	if (gdl_policy_get() == GDL_POLICY_OFF)
		return 0;
	gdl_stat_inc(enforce ? GDL_STAT_LOCKS_DENIED : GDL_STAT_LOCKS_AUDITED);
	trace_gdl_lock_denied(buffer_id, agent, use, enforce);
	return enforce ? -EBUSY : 0;
}

/**
 * gdl_lock_check() - may an agent use a buffer, as far as locks go?
 * @buffer_id: the buffer
 * @agent: the agent
 * @mode: what the use needs: exclusive if it writes, else shared
 * @use: names the use in the trace
 * @enforce: refuse it; else it is only counted and traced
 *
 * Context: Probe handler. Caller holds rcu_read_lock(). Does not sleep.
 * Return: 0, or -EBUSY: another agent's lock forbids it.
 */
int gdl_lock_check(u64 buffer_id, const struct gdl_agent *agent,
		   enum gdl_lock_mode mode, const char *use, bool enforce)
{
	struct gdl_buffer_lock *lock;
	int ret = 0;

	spin_lock_bh(&gdl_lock_lock);
	lock = gdl_lock_find(buffer_id);
	if (lock && forbidden(lock, agent, mode))
		ret = deny(buffer_id, agent, use, enforce);
	spin_unlock_bh(&gdl_lock_lock);
	return ret;
}

static struct gdl_claim *mapping_find(const struct gdl_buffer_lock *lock,
				      u64 attachment_id, enum gdl_lock_mode mode)
{
	struct gdl_claim *c;

	list_for_each_entry(c, &lock->holders, list)
		if (c->attachment_id == attachment_id && c->mode == mode)
			return c;
	return NULL;
}

static int dma_begin_locked(u64 buffer_id, u64 attachment_id,
			    struct gdl_agent *agent, enum gdl_lock_mode mode,
			    bool enforce)
{
	struct gdl_buffer_lock *lock;
	struct gdl_claim *c;
	int ret;

	lockdep_assert_held(&gdl_lock_lock);
	lock = gdl_lock_get(buffer_id, GFP_ATOMIC | __GFP_NOWARN, &ret);
	if (!lock)
		return ret;
	ret = 0;
	if (forbidden(lock, agent, mode))
		ret = deny(buffer_id, agent, "map", enforce);
	if (ret)
		goto out;
	c = mapping_find(lock, attachment_id, mode);
	if (!c) {
		ret = -ENOMEM;
		c = gdl_claim_alloc(agent, mode, GFP_ATOMIC | __GFP_NOWARN);
		if (!c)
			goto out;
		c->attachment_id = attachment_id;
		gdl_holder_add(lock, c);
		ret = 0;
	}
	c->mappings++;
out:
	gdl_lock_put(lock);
	return ret;
}

/**
 * gdl_lock_dma_begin() - an attachment is about to be mapped: it holds the buffer
 * @buffer_id: the buffer
 * @attachment_id: the attachment
 * @agent: who maps it
 * @mode: exclusive if the device may write, else shared
 * @enforce: refuse it if another agent's lock forbids it; else that is only
 *	counted and traced
 *
 * Context: As gdl_lock_check().
 * Return: 0, -EBUSY it is refused, -ENOMEM or -ENOENT (the buffer is not known):
 * it does not hold the buffer, which is counted.
 */
int gdl_lock_dma_begin(u64 buffer_id, u64 attachment_id, struct gdl_agent *agent,
		       enum gdl_lock_mode mode, bool enforce)
{
	int ret;

	spin_lock_bh(&gdl_lock_lock);
	ret = dma_begin_locked(buffer_id, attachment_id, agent, mode, enforce);
	spin_unlock_bh(&gdl_lock_lock);
	if (ret && ret != -EBUSY)
		gdl_stat_inc(GDL_STAT_LOCKS_LOST);
	return ret;
}

/**
 * gdl_lock_dma_end() - a mapping of an attachment ends
 * @buffer_id: the buffer
 * @attachment_id: the attachment
 * @mode: as given to gdl_lock_dma_begin()
 * @all: all mappings of this mode end
 *
 * Context: As gdl_lock_check().
 */
void gdl_lock_dma_end(u64 buffer_id, u64 attachment_id, enum gdl_lock_mode mode,
		      bool all)
{
	struct gdl_buffer_lock *lock;
	struct gdl_claim *c;

	spin_lock_bh(&gdl_lock_lock);
	lock = gdl_lock_find(buffer_id);
	c = lock ? mapping_find(lock, attachment_id, mode) : NULL;
	if (c && (all || !--c->mappings)) {
		gdl_holder_drop(c);
		gdl_lock_settle(lock);
	}
	spin_unlock_bh(&gdl_lock_lock);
}
