// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks of open files of /dev/gpu_dma_lock, which any tenant may ask for.
 *
 * So what one agent can make another wait is bounded, by the parameter tenant_lock_ms. A
 * lock of a buffer that is another agent's is waited for no longer than half of that, and
 * then held no longer than the other half: its lease. A claim that queues up finds before it only
 * claims that end within the one half, or are granted within it and end within the other
 * one; however many there are. A lock of one's own agent's buffer has no such bound.
 *
 * A signal ends a wait. If the call is restarted, as the kernel does after it has stopped,
 * frozen or traced the task, or has run a handler with SA_RESTART, the wait goes on, from
 * its old place in the queue and up to its old deadline: the open file keeps both. Meanwhile
 * the claim is in no queue and holds nobody up: those behind it may be granted. So a task
 * that never comes back does no harm. What is kept is told by the thread, the buffer and
 * the arguments, and forgotten as soon as that thread asks the file for anything else.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "gpu_dma_lock.h"

/* So many waits one open file keeps; the oldest go first. */
#define KEPT_MAX	64

/* Leases end so many at a time, as others wait meanwhile. */
#define LEASES_AT_ONCE	32

unsigned int gdl_tenant_lock_ms = 10000;

/* A wait; on the stack, or kept once it was interrupted, and may be restarted. */
struct gdl_kept_wait {
	struct list_head list;
	struct pid *thread;			/* with a reference, if it is kept */
	u64 buffer_id;
	enum gdl_lock_mode mode;
	s64 timeout_ms;
	u64 deadline;				/* ns; U64_MAX: none */
	struct gdl_lock_place place;
};

static void kept_free(struct gdl_kept_wait *kept)
{
	put_pid(kept->thread);
	kfree(kept);
}

/**
 * gdl_kept_waits_init() - prepare what an open file keeps of interrupted waits
 * @waits: of that file
 *
 * Context: Any.
 */
void gdl_kept_waits_init(struct gdl_kept_waits *waits)
{
	spin_lock_init(&waits->lock);
	INIT_LIST_HEAD(&waits->list);
	waits->nr = 0;
}

/* The wait of the current thread that was kept: the caller's from here on; or NULL. */
static struct gdl_kept_wait *kept_take(struct gdl_kept_waits *waits)
{
	struct gdl_kept_wait *kept, *found = NULL;

	if (!READ_ONCE(waits->nr))
		return NULL;
	spin_lock(&waits->lock);
	list_for_each_entry(kept, &waits->list, list) {
		if (kept->thread != task_pid(current))
			continue;
		list_del(&kept->list);
		WRITE_ONCE(waits->nr, waits->nr - 1);
		found = kept;
		break;
	}
	spin_unlock(&waits->lock);
	return found;
}

/**
 * gdl_kept_waits_forget() - the current thread does not go on with a wait
 * @waits: of the open file
 *
 * Context: Process context.
 */
void gdl_kept_waits_forget(struct gdl_kept_waits *waits)
{
	struct gdl_kept_wait *kept = kept_take(waits);

	if (kept)
		kept_free(kept);
}

/**
 * gdl_kept_waits_exit() - the file is being closed
 * @waits: of it
 *
 * Context: Process context.
 */
void gdl_kept_waits_exit(struct gdl_kept_waits *waits)
{
	struct gdl_kept_wait *kept, *next;

	list_for_each_entry_safe(kept, next, &waits->list, list)
		kept_free(kept);
}

/* Where there is no memory, it begins again. */
static void keep(struct gdl_kept_waits *waits, const struct gdl_kept_wait *wait)
{
	struct gdl_kept_wait *kept = kmemdup(wait, sizeof(*wait), GFP_KERNEL_ACCOUNT);
	struct gdl_kept_wait *oldest = NULL;

	if (!kept)
		return;
	kept->thread = get_pid(task_pid(current));
	spin_lock(&waits->lock);
	list_add_tail(&kept->list, &waits->list);
	WRITE_ONCE(waits->nr, waits->nr + 1);
	if (waits->nr > KEPT_MAX) {
		oldest = list_first_entry(&waits->list, struct gdl_kept_wait, list);
		list_del(&oldest->list);
		waits->nr--;
	}
	spin_unlock(&waits->lock);
	if (oldest)
		kept_free(oldest);
}

/* Does the current thread go on with a wait? Then it is what was kept of that. */
static bool resume(const struct gdl_lock_ask *ask, struct gdl_kept_wait *wait)
{
	struct gdl_kept_wait *kept = kept_take(ask->waits);
	bool same;

	if (!kept)
		return false;
	same = kept->buffer_id == ask->buffer_id && kept->mode == ask->mode &&
	       kept->timeout_ms == ask->timeout_ms;
	if (same)
		*wait = *kept;
	kept_free(kept);
	return same;
}

static void wait_begin(const struct gdl_lock_ask *ask, struct gdl_kept_wait *wait)
{
	if (resume(ask, wait))
		return;
	wait->buffer_id = ask->buffer_id;
	wait->mode = ask->mode;
	wait->timeout_ms = ask->timeout_ms;
	wait->place.serial = 0;
	wait->deadline = U64_MAX;
	if (ask->timeout_ms > 0 && ask->timeout_ms < INT_MAX)
		wait->deadline = ktime_get_ns() + ask->timeout_ms * NSEC_PER_MSEC;
}

/* End leases that are over; the next ones in so many jiffies, or 0: there is none. */
static unsigned long leases_ended(void)
{
	struct gdl_buffer_lock *lock;
	struct gdl_claim *c;
	unsigned long end;
	int i;

	lockdep_assert_held(&gdl_lock_lock);
	for (i = 0; i < LEASES_AT_ONCE; i++) {
		c = list_first_entry_or_null(&gdl_leases, struct gdl_claim, leased);
		if (!c)
			return 0;
		end = c->since + c->lease;
		if (time_before(jiffies, end))
			return end - jiffies;
		lock = c->lock;
		gdl_holder_drop(c);
		gdl_lock_settle(lock);
	}
	return 1;
}

static void end_leases(struct work_struct *work)
{
	unsigned long next;

	rcu_read_lock();
	spin_lock_bh(&gdl_lock_lock);
	next = leases_ended();
	spin_unlock_bh(&gdl_lock_lock);
	rcu_read_unlock();
	if (next)
		schedule_delayed_work(&gdl_lease_work, next);
}

/* What a tenant may do with another agent's buffer: half of the parameter, in ms. */
static u64 foreign_ms(void)
{
	return READ_ONCE(gdl_tenant_lock_ms) / 2;
}

/* How long the wait may last yet, in jiffies. */
static unsigned long time_left(const struct gdl_kept_wait *wait)
{
	u64 now = ktime_get_ns();

	if (wait->deadline == U64_MAX)
		return MAX_SCHEDULE_TIMEOUT;
	return wait->deadline > now ? nsecs_to_jiffies(wait->deadline - now) + 1 : 0;
}

/* May the current process lock that? 0, and whether it is another agent's; or -ENOENT. */
static int judge(const struct gdl_lock_ask *ask, const struct gdl_agent *agent, bool *foreign)
{
	const struct gdl_buffer *b = gdl_buffer_lookup(ask->buffer_id);
	const struct gdl_agent *owner;

	if (!b)
		return -ENOENT;
	owner = READ_ONCE(b->dq)->agent;
	*foreign = owner != agent;
	/* All that is bound to no other agent works for agent 0: its ids can be guessed. */
	if (!ask->in_hand && (*foreign || agent == &gdl_host))
		return -ENOENT;
	return *foreign && !foreign_ms() ? -EACCES : 0;
}

/* As gdl_lock_begin(), for the current process's agent. */
static int begin(struct gdl_claim *c, const struct gdl_lock_ask *ask,
		 struct gdl_kept_wait *wait, struct gdl_sleeper *sleeper)
{
	bool foreign;
	int ret;

	rcu_read_lock();
	c->agent = gdl_agent_of(current);
	c->owner = ask->owner;
	ret = judge(ask, c->agent, &foreign);
	if (!ret && foreign) {
		c->lease = msecs_to_jiffies(foreign_ms()) ?: 1;
		*ask->lease_ms = foreign_ms();
		wait->deadline = min_t(u64, wait->deadline,
				       ktime_get_ns() + foreign_ms() * NSEC_PER_MSEC);
	}
	/* Else a place that was kept would outlast the wait it was kept of. */
	if (!time_left(wait))
		wait->place.serial = 0;
	ret = ret ?: gdl_lock_begin(c, ask->buffer_id, sleeper, &wait->place);
	rcu_read_unlock();
	return ret;
}

static int ask_and_wait(const struct gdl_lock_ask *ask, struct gdl_kept_wait *wait)
{
	struct gdl_claim *c = gdl_claim_alloc(NULL, ask->mode, GFP_KERNEL_ACCOUNT);
	struct gdl_sleeper sleeper = { };
	int ret;

	if (!c)
		return -ENOMEM;
	init_completion(&sleeper.done);
	ret = begin(c, ask, wait, ask->timeout_ms ? &sleeper : NULL);
	if (ret == -EINPROGRESS)
		ret = gdl_lock_wait(c, &sleeper, time_left(wait), &wait->place);
	else if (ret)
		gdl_claim_free(c);
	return ret;
}

/**
 * gdl_lock_file_lock() - lock a buffer for an open file, and the current process's agent
 * @ask: what is asked for
 *
 * Context: Sleeps until the lock is granted or fails; any signal ends it.
 * Return: As gdl_lock(), but -ERESTARTSYS for a signal that is not fatal; -ENOENT also if
 * the buffer is not for the caller; -ENOSPC also with GDL_FILE_ENTRIES_MAX locks of this
 * file; -EACCES it is another agent's, and tenant_lock_ms is 0.
 */
int gdl_lock_file_lock(const struct gdl_lock_ask *ask)
{
	struct gdl_kept_wait wait;
	int ret;

	*ask->lease_ms = U64_MAX;
	if (READ_ONCE(ask->owner->claims) >= GDL_FILE_ENTRIES_MAX)
		return -ENOSPC;
	wait_begin(ask, &wait);
	ret = ask_and_wait(ask, &wait);
	if (ret != -EINTR || fatal_signal_pending(current))
		return ret;
	keep(ask->waits, &wait);
	return -ERESTARTSYS;
}

/* The lock of @owner's on that buffer, for whatever agent. */
static struct gdl_claim *find(const struct gdl_lock_owner *owner, u64 buffer_id,
			      const struct gdl_agent *agent)
{
	struct gdl_buffer_lock *lock = gdl_lock_table_find(buffer_id);
	struct gdl_claim *c;

	if (!lock)
		return NULL;
	c = gdl_holder_find(lock, owner, agent);
	if (c || list_empty(&owner->holders))
		return c;
	/* It was locked by a process of another agent, or the process's agent is another now. */
	c = list_first_entry(&owner->holders, struct gdl_claim, of_owner);
	if (!owner->mixed)
		return gdl_holder_find(lock, owner, c->agent);
	list_for_each_entry(c, &owner->holders, of_owner)
		if (c->lock == lock)
			return c;
	return NULL;
}

/**
 * gdl_lock_file_unlock() - give an open file's lock back
 * @owner: the file's
 * @buffer_id: the buffer
 *
 * Context: Process context. Does not sleep.
 * Return: 0, or -ENOENT: it has none, or the lease was over.
 */
int gdl_lock_file_unlock(const struct gdl_lock_owner *owner, u64 buffer_id)
{
	const struct gdl_agent *agent;
	struct gdl_buffer_lock *lock;
	struct gdl_claim *c;

	rcu_read_lock();
	agent = gdl_agent_of(current);
	spin_lock_bh(&gdl_lock_lock);
	c = find(owner, buffer_id, agent);
	if (c) {
		lock = c->lock;
		gdl_holder_drop(c);
		gdl_lock_settle(lock);
	}
	spin_unlock_bh(&gdl_lock_lock);
	rcu_read_unlock();
	return c ? 0 : -ENOENT;
}

/**
 * gdl_lock_file_init() - before the first file is open
 *
 * Context: Any.
 */
void gdl_lock_file_init(void)
{
	INIT_DELAYED_WORK(&gdl_lease_work, end_leases);
}

/**
 * gdl_lock_file_exit() - no file is open any more
 *
 * Context: May sleep.
 */
void gdl_lock_file_exit(void)
{
	cancel_delayed_work_sync(&gdl_lease_work);
}
