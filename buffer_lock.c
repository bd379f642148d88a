// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffer locks: shared and exclusive claims on buffers.
 *
 * A lock has an owner, and an agent by which DMA and mmap are judged. The owner is the agent
 * itself, by command, or an open file, and then the lock ends with it: see lock_file.c.
 *
 * States of an owner on a buffer, and what leads from one to another:
 *
 *   none      lock shared     -> shared      if nothing conflicts, nobody waits
 *   none      lock exclusive  -> exclusive   likewise
 *   none      lock            -> waiting     at the end of the queue
 *   shared    lock exclusive  -> exclusive   if nothing else conflicts
 *   shared    lock exclusive  -> upgrading   at the head of the queue; EDEADLK
 *                                            if another owner upgrades already
 *   exclusive lock shared     -> shared      at once
 *   any       same mode again: EALREADY
 *   waiting   granted         -> shared, exclusive
 *   upgrading granted         -> exclusive
 *   waiting   timeout, signal -> none        upgrading: -> shared. Of an open file:
 *                                            back there if the call is restarted
 *   any       unlock          -> none        while upgrading: still waiting
 *   shared, exclusive  lease ends -> none    of an open file, another agent's buffer;
 *                                            upgrading: it fails, ETIMEDOUT
 *   any       agent removed, buffer freed, file closed, module unloaded -> none
 *
 * What conflicts are the locks of other owners, where either is exclusive, and
 * the live DMA mappings of other agents, which hold like locks of theirs: shared
 * if the device only reads, else exclusive. The queue is FIFO: a waiter is granted
 * once he is at its head and nothing conflicts, so nobody overtakes a waiting
 * writer.
 *
 * Mappings do not queue: while a claim waits for DMA to end, more may begin, and
 * one that does can close a cycle that only the waiter's timeout ends.
 *
 * All of it is under one spinlock, so that the search for deadlocks, in
 * lock_graph.c, sees one state of the whole wait-for graph. What takes long, since
 * tenants have mapped a buffer many times, lets go of it now and then.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/string.h>

#include "gpu_dma_lock.h"

/* So many claims change hands at a time. */
#define BATCH	32

/* Of one buffer, so many open files can hold the lock. */
#define FILES_MAX	1024

/* Of what there can be of one buffer, others than its agent can have half. */
static unsigned int share(const struct gdl_claim *c, unsigned int max)
{
	return c->lease ? max / 2 : max;
}

static bool too_many_files(const struct gdl_buffer_lock *lock, const struct gdl_claim *c)
{
	return c->owner->id && lock->nr_files >= share(c, FILES_MAX);
}

static bool stopping;
static u64 longest_wait;			/* ns */

/* Keep the buffer's LOCK column: the mode of the locks held, not of DMA. */
static void note_mode(const struct gdl_buffer_lock *lock)
{
	const struct rb_root *held = lock->held[GDL_HOLD_LOCK];
	struct gdl_buffer *b = gdl_buffer_lookup(lock->buffer_id);
	u8 shown = GDL_LOCK_NONE;

	if (!b)
		return;
	if (!RB_EMPTY_ROOT(&held[GDL_LOCK_EXCLUSIVE]))
		shown = GDL_LOCK_EXCLUSIVE;
	else if (!RB_EMPTY_ROOT(&held[GDL_LOCK_SHARED]))
		shown = GDL_LOCK_SHARED;
	WRITE_ONCE(b->lock_mode, shown);
}

/* Tell the task that waits with @c, which has left the queue, how that ended. */
static void wake(struct gdl_claim *c, int result)
{
	struct gdl_sleeper *sleeper = c->sleeper;

	c->sleeper = NULL;
	sleeper->result = result;
	sleeper->finished = true;
	complete(&sleeper->done);
}

static void waiter_fail(struct gdl_claim *c, int error)
{
	gdl_waiter_leave(c);
	wake(c, error);
	gdl_claim_free(c);
}

/* Grant the waiter @c if that can be; its owner may hold the lock by now. */
static bool try_grant(struct gdl_buffer_lock *lock, struct gdl_claim *c)
{
	struct gdl_claim *held = gdl_holder_find(lock, c->owner, c->agent);

	if (held && held->mode == c->mode) {
		waiter_fail(c, -EALREADY);
		return true;
	}
	/* Else it would hold anew what it may not hold longer. */
	if (!held && c->lease && gdl_waiter_upgrades(c)) {
		waiter_fail(c, -ETIMEDOUT);
		return true;
	}
	if (gdl_claim_conflicts(lock, c, c->mode))
		return false;
	/* Others may have come to hold the lock since it began to wait. */
	if (!held && too_many_files(lock, c)) {
		waiter_fail(c, -ENOSPC);
		return true;
	}
	gdl_waiter_leave(c);
	wake(c, 0);
	if (held) {
		gdl_holder_set_mode(held, c->mode);
		gdl_claim_free(c);
	} else {
		gdl_holder_add(lock, c);
	}
	gdl_stat_inc(GDL_STAT_LOCKS_ACQUIRED);
	return true;
}

/**
 * gdl_lock_settle() - after a change: grant what can be granted
 * @lock: the lock; freed if nobody is left on it
 *
 * Context: Caller holds gdl_lock_lock and rcu_read_lock().
 */
void gdl_lock_settle(struct gdl_buffer_lock *lock)
{
	struct gdl_claim *first;

	lockdep_assert_held(&gdl_lock_lock);
	do {
		first = lock->gone ? NULL : gdl_waiter_first(lock);
	} while (first && try_grant(lock, first));
	note_mode(lock);
	gdl_lock_table_put(lock);
}

static bool other_upgrades(const struct gdl_buffer_lock *lock,
			   const struct gdl_claim *held)
{
	const struct gdl_claim *c;

	for (c = gdl_waiter_first(lock); c; c = gdl_claim_next(c))
		if (!gdl_claim_same(c, held) && c->mode == GDL_LOCK_EXCLUSIVE &&
		    gdl_holder_find(lock, c->owner, c->agent))
			return true;
	return false;
}

/* Have the owner hold it in the mode of @c: 0, @c is consumed; -EAGAIN that has to wait. */
static int convert(struct gdl_buffer_lock *lock, struct gdl_claim *held, struct gdl_claim *c)
{
	if (held->mode == c->mode)
		return -EALREADY;
	if (c->mode == GDL_LOCK_EXCLUSIVE && gdl_claim_conflicts(lock, held, c->mode))
		return other_upgrades(lock, held) ? -EDEADLK : -EAGAIN;
	gdl_holder_set_mode(held, c->mode);
	gdl_claim_free(c);
	return 0;
}

/* Have @c hold, of an owner that does not yet: 0, -EAGAIN it has to wait, -ENOSPC. */
static int hold(struct gdl_buffer_lock *lock, struct gdl_claim *c)
{
	if (too_many_files(lock, c))
		return -ENOSPC;
	if (lock->nr_waiters || gdl_claim_conflicts(lock, c, c->mode))
		return -EAGAIN;
	gdl_holder_add(lock, c);
	return 0;
}

/*
 * May one more wait? Of open files, an agent's are limited as well; but not those of agent
 * 0, which are many.
 */
static bool may_wait(const struct gdl_buffer_lock *lock, const struct gdl_claim *c)
{
	if (lock->nr_waiters >= share(c, GDL_WAITERS_MAX))
		return false;
	return !c->owner->id || c->agent == &gdl_host ||
	       atomic64_read(&c->agent->waiting) < GDL_WAITERS_MAX;
}

/* -EINPROGRESS: @c waits, and @sleeper will be woken, or has been. */
static int queue(struct gdl_buffer_lock *lock, struct gdl_claim *c, bool upgrade,
		 struct gdl_sleeper *sleeper, const struct gdl_lock_place *place)
{
	if (!may_wait(lock, c)) {
		gdl_stat_inc(GDL_STAT_WAITERS_CAPPED);
		return -ENOSPC;
	}
	c->sleeper = sleeper;
	if (place && place->serial && !upgrade)
		gdl_waiter_add_at(lock, c, place);
	else
		gdl_waiter_add(lock, c, upgrade);
	if (!gdl_lock_graph_closes_cycle(c))
		return -EINPROGRESS;
	gdl_waiter_leave(c);
	return -EDEADLK;
}

static int lock_or_wait(struct gdl_buffer_lock *lock, struct gdl_claim *c,
			struct gdl_sleeper *sleeper, const struct gdl_lock_place *place)
{
	struct gdl_claim *held = gdl_holder_find(lock, c->owner, c->agent);
	int ret = held ? convert(lock, held, c) : hold(lock, c);

	if (!ret)
		gdl_stat_inc(GDL_STAT_LOCKS_ACQUIRED);
	if (ret != -EAGAIN)
		return ret;
	if (!place || !place->serial)
		gdl_stat_inc(GDL_STAT_LOCKS_CONTENDED);
	return sleeper ? queue(lock, c, held, sleeper, place) : ret;
}

/**
 * gdl_lock_begin() - lock a buffer at once, or wait for it
 * @c: the claim, with its agent and owner; consumed if it is granted
 * @buffer_id: the buffer
 * @sleeper: of the task that waits; NULL: fail rather than wait
 * @place: where the claim was in the queue before, or NULL
 *
 * Context: Caller holds rcu_read_lock(), and has found the agent under it: one that is
 * found is not freed before its claims were dropped. Does not sleep.
 * Return: 0; -EINPROGRESS: @c waits, and gdl_lock_wait() is to follow; or what gdl_lock()
 * returns.
 */
int gdl_lock_begin(struct gdl_claim *c, u64 buffer_id, struct gdl_sleeper *sleeper,
		   const struct gdl_lock_place *place)
{
	struct gdl_buffer_lock *lock;
	int ret = -ENODEV;

	spin_lock_bh(&gdl_lock_lock);
	if (stopping)
		goto out;
	lock = gdl_lock_table_get(buffer_id, GFP_ATOMIC | __GFP_NOWARN, &ret);
	if (!lock)
		goto out;
	ret = lock_or_wait(lock, c, sleeper, place);
	if (ret == -EDEADLK)
		gdl_stat_inc(GDL_STAT_LOCKS_DEADLOCKS);
	gdl_lock_settle(lock);
out:
	spin_unlock_bh(&gdl_lock_lock);
	return ret;
}

/* The sleep is over: what became of @c? If nothing yet, @error, and where it was. */
static int lock_end(struct gdl_claim *c, struct gdl_sleeper *sleeper, int error,
		    struct gdl_lock_place *place)
{
	struct gdl_buffer_lock *lock;

	rcu_read_lock();
	spin_lock_bh(&gdl_lock_lock);
	if (sleeper->finished) {
		error = sleeper->result;
	} else {
		lock = c->lock;
		place->serial = lock->serial;
		place->order = c->order;
		gdl_waiter_leave(c);
		gdl_claim_free(c);
		gdl_lock_settle(lock);
	}
	spin_unlock_bh(&gdl_lock_lock);
	rcu_read_unlock();
	return error;
}

static void count_wait(u64 ns)
{
	gdl_stat_add(GDL_STAT_LOCKS_WAIT_NS, ns);
	spin_lock_bh(&gdl_lock_lock);
	longest_wait = max(longest_wait, ns);
	spin_unlock_bh(&gdl_lock_lock);
}

/**
 * gdl_lock_wait() - wait for a claim
 * @c: the claim, of which gdl_lock_begin() has said that it waits; it may be gone by now
 * @sleeper: as given there
 * @timeout: how long at most, in jiffies
 * @place: receives where it was in the queue, if it is neither granted nor has failed
 *
 * Context: Sleeps; any signal ends it.
 * Return: 0, -ETIMEDOUT, -EINTR, or how it failed, as gdl_lock() says.
 */
int gdl_lock_wait(struct gdl_claim *c, struct gdl_sleeper *sleeper, unsigned long timeout,
		  struct gdl_lock_place *place)
{
	u64 start = ktime_get_ns();
	long left;
	int ret;

	left = wait_for_completion_interruptible_timeout(&sleeper->done, timeout);
	ret = lock_end(c, sleeper, left < 0 ? -EINTR : -ETIMEDOUT, place);
	count_wait(ktime_get_ns() - start);
	if (ret == -ETIMEDOUT)
		gdl_stat_inc(GDL_STAT_LOCKS_TIMEOUTS);
	return ret;
}

/**
 * gdl_lock() - lock a buffer for an agent
 * @buffer_id: the buffer
 * @agent_id: the agent
 * @owner: whose the lock is; NULL: the agent's
 * @mode: shared or exclusive
 * @nowait: fail rather than wait
 * @timeout_ms: how long to wait at most; U64_MAX: for ever
 *
 * Context: Sleeps until the lock is granted or fails; any signal ends it.
 * Return: 0, -ENOENT no such agent or buffer, or it went while waiting,
 * -EALREADY the owner holds the lock in that mode, -EAGAIN it would have to
 * wait, -ETIMEDOUT, -EDEADLK waiting would close a cycle, or another owner
 * waits to upgrade, -ENOSPC GDL_WAITERS_MAX claims wait for the buffer already,
 * -EINTR, -ENODEV the module is being unloaded, -ENOMEM.
 */
int gdl_lock(u64 buffer_id, u64 agent_id, struct gdl_lock_owner *owner,
	     enum gdl_lock_mode mode, bool nowait, u64 timeout_ms)
{
	struct gdl_claim *c = gdl_claim_alloc(NULL, mode, GFP_KERNEL_ACCOUNT);
	unsigned long timeout = MAX_SCHEDULE_TIMEOUT;
	struct gdl_lock_place place;
	struct gdl_sleeper sleeper = { };
	int ret = -ENOENT;

	if (!c)
		return -ENOMEM;
	init_completion(&sleeper.done);
	if (timeout_ms < INT_MAX)
		timeout = msecs_to_jiffies(timeout_ms);
	rcu_read_lock();
	c->agent = gdl_agent_lookup(agent_id);
	if (c->agent) {
		c->owner = owner ?: &c->agent->own;
		ret = gdl_lock_begin(c, buffer_id, nowait ? NULL : &sleeper, NULL);
	}
	rcu_read_unlock();
	if (ret == -EINPROGRESS)
		return gdl_lock_wait(c, &sleeper, timeout, &place);
	if (ret)
		gdl_claim_free(c);
	return ret;
}

static int unlock_locked(u64 buffer_id, const struct gdl_agent *agent,
			 const struct gdl_lock_owner *owner)
{
	struct gdl_buffer_lock *lock = gdl_lock_table_find(buffer_id);
	struct gdl_claim *held;

	held = lock ? gdl_holder_find(lock, owner, agent) : NULL;
	if (!held)
		return -ENOENT;
	gdl_holder_drop(held);
	gdl_lock_settle(lock);
	return 0;
}

/**
 * gdl_unlock() - give an agent's lock on a buffer back
 * @buffer_id: the buffer
 * @agent_id: the agent
 * @owner: whose the lock is; NULL: the agent's
 *
 * Context: Does not sleep.
 * Return: 0, -ENOENT no such agent, or the owner holds no lock on the buffer for it.
 */
int gdl_unlock(u64 buffer_id, u64 agent_id, const struct gdl_lock_owner *owner)
{
	struct gdl_agent *agent;
	int ret = -ENOENT;

	rcu_read_lock();
	agent = gdl_agent_lookup(agent_id);
	if (agent) {
		spin_lock_bh(&gdl_lock_lock);
		ret = unlock_locked(buffer_id, agent, owner ?: &agent->own);
		spin_unlock_bh(&gdl_lock_lock);
	}
	rcu_read_unlock();
	return ret;
}

/*
 * The buffer is gone: fail waiters and drop holders. Returns whether some are left, for
 * the next time.
 */
static bool lock_dissolve(struct gdl_buffer_lock *lock)
{
	struct gdl_claim *c;
	int i;

	lock->gone = true;
	for (i = 0; i < BATCH; i++) {
		c = gdl_waiter_first(lock);
		if (c) {
			waiter_fail(c, -ENOENT);
			continue;
		}
		c = gdl_holder_first(lock);
		if (!c)
			break;
		gdl_holder_drop(c);
	}
	gdl_lock_table_put(lock);
	return i == BATCH;
}

/**
 * gdl_lock_buffer_gone() - a buffer was removed while it was locked
 * @buffer_id: the buffer; its waiters get -ENOENT
 *
 * Context: Any but hard interrupt. Does not sleep.
 */
void gdl_lock_buffer_gone(u64 buffer_id)
{
	struct gdl_buffer_lock *lock;
	bool more;

	do {
		spin_lock_bh(&gdl_lock_lock);
		lock = gdl_lock_table_find(buffer_id);
		more = lock && lock_dissolve(lock);
		spin_unlock_bh(&gdl_lock_lock);
	} while (more);
}

/* Fail an agent's next waiter. Returns whether there was one. */
static bool fail_waiter_of(struct gdl_agent *agent)
{
	struct gdl_buffer_lock *lock;
	struct gdl_claim *c;

	c = list_first_entry_or_null(&agent->lock_node.waiters, struct gdl_claim, of_agent);
	if (!c)
		return false;
	lock = c->lock;
	waiter_fail(c, -ENOENT);
	gdl_lock_settle(lock);
	return true;
}

static void fail_waiters_of(struct gdl_agent *agent)
{
	bool more;

	do {
		rcu_read_lock();
		spin_lock_bh(&gdl_lock_lock);
		more = fail_waiter_of(agent);
		spin_unlock_bh(&gdl_lock_lock);
		rcu_read_unlock();
		cond_resched();
	} while (more);
}

/*
 * Drop @agent's locks, and make its mappings agent 0's. Returns whether some are left, for
 * the next time.
 */
static bool lock_drop_agent(struct gdl_buffer_lock *lock,
			    const struct gdl_agent *agent)
{
	struct gdl_claim *c;
	int i;

	for (i = 0; i < BATCH; i++) {
		c = gdl_holder_of_agent(lock, GDL_HOLD_LOCK, agent);
		if (c) {
			gdl_holder_drop(c);
			continue;
		}
		c = gdl_holder_of_agent(lock, GDL_HOLD_DMA, agent);
		if (!c)
			break;
		gdl_holder_hand_over(c);
	}
	gdl_lock_settle(lock);
	return i == BATCH;
}

/*
 * Call @change for every lock there is, each found anew by its buffer's id, and again
 * where it has left something.
 */
static void change_each(bool (*change)(struct gdl_buffer_lock *lock,
				       const struct gdl_agent *agent),
			const struct gdl_agent *agent)
{
	struct gdl_buffer_lock *lock;
	struct gdl_buffer *b;
	u64 id = 0;

	do {
		rcu_read_lock();
		b = gdl_id_next(id, true);
		if (b) {
			id = b->id;
			spin_lock_bh(&gdl_lock_lock);
			lock = gdl_lock_table_find(id);
			if (!lock || !change(lock, agent))
				id++;
			spin_unlock_bh(&gdl_lock_lock);
		}
		rcu_read_unlock();
		cond_resched();
	} while (b);
}

static bool holds_any(struct gdl_agent *agent)
{
	return atomic64_read(&agent->locks) || READ_ONCE(agent->mappings);
}

/**
 * gdl_lock_drop_agent() - an agent is removed: release its locks, fail its waiters
 * @agent: the agent; it cannot be found since a grace period
 *
 * Its mappings become agent 0's.
 *
 * Context: May sleep.
 */
void gdl_lock_drop_agent(struct gdl_agent *agent)
{
	fail_waiters_of(agent);
	/* Most hold nothing, while others may hold any number of buffers. */
	if (holds_any(agent))
		change_each(lock_drop_agent, agent);
}

/**
 * gdl_lock_longest_wait() - the longest wait for a lock since the last reset
 *
 * Context: Any.
 * Return: Nanoseconds.
 */
u64 gdl_lock_longest_wait(void)
{
	return READ_ONCE(longest_wait);
}

/**
 * gdl_lock_reset_longest_wait() - forget the longest wait
 *
 * Context: Process context.
 */
void gdl_lock_reset_longest_wait(void)
{
	spin_lock_bh(&gdl_lock_lock);
	longest_wait = 0;
	spin_unlock_bh(&gdl_lock_lock);
}

static bool lock_fail_waiters(struct gdl_buffer_lock *lock,
			      const struct gdl_agent *unused)
{
	struct gdl_claim *c;

	while ((c = gdl_waiter_first(lock)))
		waiter_fail(c, -ENODEV);
	gdl_lock_settle(lock);
	return false;
}

/**
 * gdl_lock_stop() - the module is being unloaded: wake all waiters, with -ENODEV
 *
 * Locks are not taken any more.
 *
 * Context: May sleep.
 */
void gdl_lock_stop(void)
{
	spin_lock_bh(&gdl_lock_lock);
	stopping = true;
	spin_unlock_bh(&gdl_lock_lock);
	change_each(lock_fail_waiters, NULL);
}
