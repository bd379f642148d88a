// SPDX-License-Identifier: GPL-2.0-only
/*
 * Charges: what an agent holds is counted three times over, against its own quota, against
 * its quota on one device, and against the capacity of that device.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/minmax.h>
#include <linux/rculist.h>

#include "gpu_dma_lock.h"
#include "trace.h"

static void quota_raise_peak(struct gdl_quota *quota)
{
	s64 used = atomic64_read(&quota->used);
	s64 peak = atomic64_read(&quota->peak);

	while (used > peak)
		if (atomic64_try_cmpxchg(&quota->peak, &peak, used))
			break;
}

/* Charge unless that passes the limit, or @most: used never does, not for a moment. */
static bool quota_try_charge(struct gdl_quota *quota, u64 size, u64 most)
{
	u64 limit = min(READ_ONCE(quota->limit), most);
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
	u64 limit = READ_ONCE(quota->limit), sum;

	if (check_add_overflow((u64)atomic64_read(&quota->used), size, &sum))
		sum = U64_MAX;
	return sum > limit ? sum - limit : 0;
}

/* A charge passes this limit. What has none refuses only what is too large to count. */
static void quota_count_denied(struct gdl_quota *quota)
{
	if (READ_ONCE(quota->limit) != GDL_UNLIMITED)
		atomic64_inc(&quota->denied);
}

/* Only once all is charged: what one limit lets pass and the next refuses leaves no trace. */
static void raise_peaks(struct gdl_device_quota *dq)
{
	quota_raise_peak(&dq->agent->quota);
	quota_raise_peak(&dq->quota);
	quota_raise_peak(&dq->device->capacity);
}

/* A buffer was charged. */
static void count_buffer(struct gdl_device_quota *dq)
{
	raise_peaks(dq);
	atomic64_inc(&dq->agent->buffers);
	atomic64_inc(&dq->device->buffers);
}

/* @stat: which limit is passed, and whether the charge is refused for it. */
static void count_denied(struct gdl_device_quota *dq, u64 size, u64 over,
			 enum gdl_stat stat)
{
	atomic64_inc(&dq->agent->refused);
	gdl_stat_inc(stat);
	trace_gdl_charge_denied(dq, size, over,
				stat == GDL_STAT_CAPACITY_DENIED ||
				stat == GDL_STAT_CAPACITY_AUDITED,
				stat == GDL_STAT_QUOTA_DENIED ||
				stat == GDL_STAT_CAPACITY_DENIED);
}

/**
 * gdl_try_charge() - charge a new buffer, unless that passes a limit
 * @dq: the agent to charge, on which device
 * @size: bytes
 * @most: what the agent may have in all, whatever its quota; at most GDL_BYTES_MAX
 *
 * A refusal leaves nothing charged and is counted.
 *
 * Context: Any. Does not sleep. @dq must stay: caller holds rcu_read_lock() or
 * gdl_agent_mutex.
 * Return: 0, -EDQUOT over @most, the agent's quota or its quota on the device, -ENOSPC
 * over the device's capacity.
 */
int gdl_try_charge(struct gdl_device_quota *dq, u64 size, u64 most)
{
	if (!quota_try_charge(&dq->agent->quota, size, most)) {
		quota_count_denied(&dq->agent->quota);
		if (quota_over(&dq->quota, size))
			quota_count_denied(&dq->quota);
		count_denied(dq, size, quota_over(&dq->agent->quota, size),
			     GDL_STAT_QUOTA_DENIED);
		return -EDQUOT;
	}
	if (!quota_try_charge(&dq->quota, size, GDL_BYTES_MAX)) {
		quota_uncharge(&dq->agent->quota, size);
		quota_count_denied(&dq->quota);
		count_denied(dq, size, quota_over(&dq->quota, size),
			     GDL_STAT_QUOTA_DENIED);
		return -EDQUOT;
	}
	if (!quota_try_charge(&dq->device->capacity, size, GDL_BYTES_MAX)) {
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

/* Charge @size bytes in any case; return whether that passes a limit. */
static __always_inline bool charge(struct gdl_device_quota *dq, u64 size)
{
	u64 over_quota = quota_charge(&dq->agent->quota, size);
	u64 over_device = quota_charge(&dq->quota, size);
	u64 over_capacity = quota_charge(&dq->device->capacity, size);

	raise_peaks(dq);
	if (likely((!over_quota && !over_device && !over_capacity) || !size))
		return false;
	if (gdl_policy_is_off())
		return true;
	if (over_quota)
		quota_count_denied(&dq->agent->quota);
	if (over_device)
		quota_count_denied(&dq->quota);
	if (over_quota || over_device)
		count_denied(dq, size, max(over_quota, over_device),
			     GDL_STAT_QUOTA_AUDITED);
	else
		count_denied(dq, size, over_capacity,
			     GDL_STAT_CAPACITY_AUDITED);
	return true;
}

/**
 * gdl_charge() - charge a buffer that exists, whatever the limits say
 * @dq: the agent to charge, on which device
 * @size: bytes; 0 for one that is only counted
 *
 * Passing a limit is counted as denied, unless the policy is off.
 *
 * Context: As gdl_try_charge().
 * Return: Whether a limit is passed.
 */
bool gdl_charge(struct gdl_device_quota *dq, u64 size)
{
	atomic64_inc(&dq->agent->buffers);
	atomic64_inc(&dq->device->buffers);
	return charge(dq, size);
}

/**
 * gdl_charge_grow() - a buffer that is charged has grown, whatever the limits say
 * @dq: what it is charged to
 * @bytes: by how many
 *
 * Passing a limit is counted as by gdl_charge().
 *
 * Context: As gdl_try_charge().
 */
void gdl_charge_grow(struct gdl_device_quota *dq, u64 bytes)
{
	charge(dq, bytes);
}

/**
 * gdl_charge_shrink() - a buffer that is charged has shrunk
 * @dq: what it is charged to
 * @bytes: by how many
 *
 * Context: As gdl_try_charge().
 */
void gdl_charge_shrink(struct gdl_device_quota *dq, u64 bytes)
{
	quota_uncharge(&dq->agent->quota, bytes);
	quota_uncharge(&dq->quota, bytes);
	quota_uncharge(&dq->device->capacity, bytes);
}

/**
 * gdl_charge_move() - move a buffer's charge to another agent
 * @from: what it is charged to
 * @to: the agent to charge, on the same device
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
 * @dq: what it is charged to
 * @size: bytes
 *
 * Context: As gdl_try_charge().
 * Return: 0 if what is charged is within the limits by now, else -EDQUOT or
 * -ENOSPC, which is counted.
 */
int gdl_charge_overrun(struct gdl_device_quota *dq, u64 size)
{
	u64 over_quota = quota_over(&dq->agent->quota, 0);
	u64 over_device = quota_over(&dq->quota, 0), over;

	if (over_quota)
		quota_count_denied(&dq->agent->quota);
	if (over_device)
		quota_count_denied(&dq->quota);
	if (over_quota || over_device) {
		count_denied(dq, size, max(over_quota, over_device),
			     GDL_STAT_QUOTA_DENIED);
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
 * @dq: what it was charged to
 * @size: bytes, as charged
 *
 * Context: As gdl_try_charge().
 */
void gdl_uncharge(struct gdl_device_quota *dq, u64 size)
{
	struct gdl_device *device = dq->device;

	gdl_charge_shrink(dq, size);
	atomic64_dec(&dq->agent->buffers);
	if (atomic64_dec_and_test(&device->buffers) && READ_ONCE(device->gone))
		gdl_agent_reap();
}

static void quota_reset(struct gdl_quota *quota)
{
	atomic64_set(&quota->denied, 0);
	atomic64_set(&quota->peak, atomic64_read(&quota->used));
	/* A charge raises used, then peak: one of the two comes behind the other's. */
	smp_mb();
	quota_raise_peak(quota);
}

/**
 * gdl_agent_reset() - make an agent's refusals and peaks count from here on
 * @agent: the agent
 *
 * Context: Any. Caller holds rcu_read_lock().
 */
void gdl_agent_reset(struct gdl_agent *agent)
{
	struct gdl_device_quota *dq;

	quota_reset(&agent->quota);
	hlist_for_each_entry_rcu(dq, &agent->device_quotas, node)
		quota_reset(&dq->quota);
}
