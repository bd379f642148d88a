// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA and locks: a live mapping of a buffer by a device holds the buffer for the
 * agent that mapped it, and a lock of another agent forbids to map it.
 *
 * An attachment has at most one holder in each mode, however often it is mapped, and
 * both know each other.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/spinlock.h>

#include "gpu_dma_lock.h"
#include "trace.h"

/* A use that a lock forbids: -EBUSY to refuse it, 0 to let it pass. */
static int deny(u64 buffer_id, struct gdl_agent *agent, const char *use,
		bool enforce)
{
	if (gdl_policy_is_off())
		return 0;
	atomic64_inc(&agent->refused);
	gdl_stat_inc(enforce ? GDL_STAT_LOCKS_DENIED : GDL_STAT_LOCKS_AUDITED);
	trace_gdl_lock_denied(buffer_id, agent, use, enforce);
	return enforce ? -EBUSY : 0;
}

/**
 * gdl_dma_hold_check() - may an agent use a buffer, as far as locks go?
 * @buffer_id: the buffer
 * @agent: the agent
 * @mode: what the use needs: exclusive if it writes, else shared
 * @use: names the use in the trace
 * @enforce: refuse it; else it is only counted and traced
 *
 * Context: Any but hard interrupt. Caller holds rcu_read_lock(). Does not sleep.
 * Return: 0, or -EBUSY: another agent's lock forbids it.
 */
int gdl_dma_hold_check(u64 buffer_id, struct gdl_agent *agent,
		       enum gdl_lock_mode mode, const char *use, bool enforce)
{
	struct gdl_buffer_lock *lock;
	int ret = 0;

	spin_lock_bh(&gdl_lock_lock);
	lock = gdl_lock_table_find(buffer_id);
	if (lock && gdl_holder_excludes(lock, GDL_HOLD_LOCK, agent, mode))
		ret = deny(buffer_id, agent, use, enforce);
	spin_unlock_bh(&gdl_lock_lock);
	return ret;
}

static int check_map(const struct gdl_buffer_lock *lock, struct gdl_agent *agent,
		     enum gdl_lock_mode mode, bool enforce)
{
	if (!gdl_holder_excludes(lock, GDL_HOLD_LOCK, agent, mode))
		return 0;
	return deny(lock->buffer_id, agent, "map", enforce);
}

/* The first mapping of an attachment in a mode: a holder more. */
static int hold(struct gdl_buffer_lock *lock, struct gdl_attachment *a,
		struct gdl_agent *agent, enum gdl_lock_mode mode, bool enforce)
{
	/* First: what fails for lack of memory is tried again, and denied once. */
	struct gdl_claim *c = gdl_claim_alloc(agent, mode, GFP_ATOMIC | __GFP_NOWARN);
	int ret;

	if (!c)
		return -ENOMEM;
	ret = check_map(lock, agent, mode, enforce) ?:
	      gdl_cap_check(agent, agent->mappings, GDL_CAP_MAPPINGS, enforce);
	if (ret) {
		gdl_claim_free(c);
		return ret;
	}
	c->attachment = a;
	c->mappings = 1;
	gdl_holder_add(lock, c);
	return 0;
}

static int dma_begin_locked(struct gdl_attachment *a, struct gdl_agent *agent,
			    enum gdl_lock_mode mode, bool enforce)
{
	struct gdl_claim *c = a->holds[mode];
	struct gdl_buffer_lock *lock;
	int ret;

	lockdep_assert_held(&gdl_lock_lock);
	if (a->detached)
		return -ENOENT;
	if (c) {
		ret = check_map(c->lock, agent, mode, enforce);
		c->mappings += !ret;
		return ret;
	}
	lock = gdl_lock_table_get(a->buffer_id, GFP_ATOMIC | __GFP_NOWARN, &ret);
	if (!lock)
		return ret;
	ret = hold(lock, a, agent, mode, enforce);
	gdl_lock_table_put(lock);
	return ret;
}

/**
 * gdl_dma_hold_begin() - an attachment is about to be mapped: it holds the buffer
 * @a: the attachment
 * @agent: the agent that maps it
 * @mode: exclusive if the device may write, else shared
 * @enforce: refuse it if another agent's lock forbids it, or the agent has too many
 *	mappings; else that is only counted, and a lock traced
 *
 * Context: As gdl_dma_hold_check().
 * Return: 0, -EBUSY or -EDQUOT it is refused, -ENOMEM or -ENOENT (the buffer is not
 * known, or the attachment gone): it does not hold the buffer; the latter is counted.
 */
int gdl_dma_hold_begin(struct gdl_attachment *a, struct gdl_agent *agent,
		       enum gdl_lock_mode mode, bool enforce)
{
	int ret;

	spin_lock_bh(&gdl_lock_lock);
	ret = dma_begin_locked(a, agent, mode, enforce);
	spin_unlock_bh(&gdl_lock_lock);
	if (ret == -ENOENT)
		gdl_stat_lost(GDL_STAT_LOCKS_LOST);
	return ret;
}

static void release(struct gdl_claim *c)
{
	struct gdl_buffer_lock *lock = c->lock;

	gdl_holder_drop(c);
	gdl_lock_settle(lock);
}

/**
 * gdl_dma_hold_end() - a mapping of an attachment ends
 * @a: the attachment
 * @mode: as given to gdl_dma_hold_begin()
 *
 * Context: As gdl_dma_hold_check().
 */
void gdl_dma_hold_end(struct gdl_attachment *a, enum gdl_lock_mode mode)
{
	struct gdl_claim *c;

	spin_lock_bh(&gdl_lock_lock);
	c = a->holds[mode];
	if (c && !--c->mappings)
		release(c);
	spin_unlock_bh(&gdl_lock_lock);
}

/**
 * gdl_dma_hold_detach() - an attachment goes, and with it all its mappings
 * @a: the attachment; freed after a grace period
 *
 * Context: As gdl_dma_hold_check().
 */
void gdl_dma_hold_detach(struct gdl_attachment *a)
{
	enum gdl_lock_mode mode;

	spin_lock_bh(&gdl_lock_lock);
	a->detached = true;
	for (mode = 0; mode < GDL_NR_LOCK_MODES; mode++)
		if (a->holds[mode])
			release(a->holds[mode]);
	spin_unlock_bh(&gdl_lock_lock);
}
