// SPDX-License-Identifier: GPL-2.0-only
/*
 * The buffers of what leaves: of drm.ko, of nvidia.ko, of this module, which are removed, and
 * of an agent that is removed, which agent 0 gets.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "gpu_dma_lock.h"

/* It stands for memory that the kernel does not see: no kernel object is behind it. */
static bool is_told(const struct gdl_buffer *b)
{
	return b->kind == GDL_KIND_LEDGER || b->kind == GDL_KIND_REPORTED;
}

/* With a dma-buf, it may be one that is being exported; so may one of which nothing lives yet. */
static bool is_gem(const struct gdl_buffer *b)
{
	return atomic_read(&b->live) == GDL_LIVE_GEM;
}

static bool is_any(const struct gdl_buffer *b)
{
	return true;
}

static bool is_p2p(const struct gdl_buffer *b)
{
	return atomic_read(&b->live) & GDL_LIVE_P2P;
}

/* Remove each buffer that @match picks; return how many. */
static unsigned long remove_matching(bool (*match)(const struct gdl_buffer *b))
{
	unsigned long removed = 0;
	u64 id = 0;
	struct gdl_buffer *b;

	for (;;) {
		rcu_read_lock();
		b = gdl_id_next(id, false);
		if (b) {
			id = b->id + 1;
			if (match(b))
				removed += gdl_buffer_remove(b);
		}
		rcu_read_unlock();
		if (!b)
			return removed;
		cond_resched();
	}
}

/**
 * gdl_buffer_drop_gem() - drm.ko has left, and every GEM object before it
 *
 * A buffer of one that is still here missed its release: it is stale.
 *
 * Context: May sleep.
 */
void gdl_buffer_drop_gem(void)
{
	unsigned long stale;

	/* The end of these was seen. */
	gdl_buffers_remove_ended();
	stale = remove_matching(is_gem);
	while (stale--)
		gdl_stat_inc(GDL_STAT_BUFFERS_STALE);
}

/**
 * gdl_buffer_drop_p2p() - nvidia.ko has left, and every page table before it
 *
 * A buffer of one that is still here missed its end: it is stale.
 *
 * Context: May sleep.
 */
void gdl_buffer_drop_p2p(void)
{
	unsigned long stale = remove_matching(is_p2p);

	while (stale--)
		gdl_stat_inc(GDL_STAT_BUFFERS_STALE);
}

/**
 * gdl_buffer_drop_all() - the module leaves: remove all buffers
 *
 * No event and no command may come any more.
 *
 * Context: May sleep.
 */
void gdl_buffer_drop_all(void)
{
	remove_matching(is_any);
}

/* Move the charge of the real buffer @b to agent 0. */
static int hand_over(struct gdl_buffer *b, struct gdl_device *device)
{
	struct gdl_device_quota *to;

	to = gdl_agent_device_quota(&gdl_host, device, GFP_NOWAIT);
	/* In any case: the buffer may get its first memory meanwhile. */
	if (!to || !gdl_regions_get(to))
		return -ENOMEM;
	gdl_buffer_move(b, to);
	return 0;
}

static struct gdl_buffer *first_of(const struct gdl_device_quota *dq)
{
	struct gdl_buffer *b;

	xa_lock_irq(&gdl_buffers);
	b = hlist_entry_safe(dq->held.first, struct gdl_buffer, of_dq);
	xa_unlock_irq(&gdl_buffers);
	return b;
}

/* Free or hand over what is charged to @dq, one after the other. */
static void empty(struct gdl_device_quota *dq)
{
	struct gdl_buffer *b;
	int ret;

	do {
		ret = 0;
		rcu_read_lock();
		b = first_of(dq);
		if (b && !is_told(b))
			ret = hand_over(b, dq->device);
		else if (b)
			gdl_buffer_remove_from(b, dq);	/* a report may have moved it */
		rcu_read_unlock();
		if (ret)
			schedule_timeout_uninterruptible(1);
		cond_resched();
	} while (b);
}

/**
 * gdl_buffer_hand_over() - empty an agent that is removed
 * @agent: the agent; it cannot be found since a grace period
 *
 * Its ledger buffers and reports are dropped, its real ones become agent 0's, with their
 * charge, whatever the quota of agent 0.
 *
 * Context: May sleep; tries again where memory is short. Caller holds
 * gdl_agent_mutex.
 */
void gdl_buffer_hand_over(struct gdl_agent *agent)
{
	struct gdl_device_quota *dq;

	hlist_for_each_entry(dq, &agent->device_quotas, node)
		empty(dq);
}
