// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffer locks: shared and exclusive claims of agents on buffers.
 *
 * States of an agent on a buffer, and what leads from one to another:
 *
 *   none      lock shared     -> shared      if nothing conflicts, nobody waits
 *   none      lock exclusive  -> exclusive   likewise
 *   none      lock            -> waiting     at the end of the queue
 *   shared    lock exclusive  -> exclusive   if nothing else conflicts
 *   shared    lock exclusive  -> upgrading   at the head of the queue; EDEADLK
 *                                            if another agent upgrades already
 *   exclusive lock shared     -> shared      at once
 *   any       same mode again: EALREADY
 *   waiting   granted         -> shared, exclusive
 *   upgrading granted         -> exclusive
 *   waiting   timeout, signal -> none        upgrading: -> shared
 *   any       unlock          -> none        while upgrading: still waiting
 *   any       agent removed, buffer freed, module unloaded -> none
 *
 * What conflicts are the locks of other agents, where either is exclusive, and
 * the live DMA mappings of other agents, which hold like locks of theirs: shared
 * if the device only reads, else exclusive. The queue is FIFO: a waiter is granted
 * once he is at its head and nothing conflicts, so nobody overtakes a waiting
 * writer.
 *
 * Mappings do not queue: while a claim waits for DMA to end, more may begin, and
 * one that does can close a cycle that only the waiter's timeout ends.
 *
 * All of it is under one spinlock, so that the search for deadlocks, in
 * lock_graph.c, sees one state of the whole wait-for graph.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "gpu_dma_lock.h"

const char * const gdl_lock_mode_names[GDL_NR_LOCK_MODES] = {
	[GDL_LOCK_SHARED]	= "shared",
	[GDL_LOCK_EXCLUSIVE]	= "exclusive",
};

/* Who sleeps until his claim is granted or fails; on his stack. */
struct gdl_sleeper {
	struct completion done;
	bool finished;
	int result;
};

static const struct rhashtable_params lock_params = {
	.key_len	= sizeof_field(struct gdl_buffer_lock, buffer_id),
	.key_offset	= offsetof(struct gdl_buffer_lock, buffer_id),
	.head_offset	= offsetof(struct gdl_buffer_lock, node),
	.automatic_shrinking = true,
};

/* Protects every lock and claim, and what agents and buffers keep of them. */
DEFINE_SPINLOCK(gdl_lock_lock);
static struct rhashtable locks;
static bool stopping;
static u64 longest_wait;			/* ns */

/**
 * gdl_lock_find() - find the lock of a buffer
 * @buffer_id: the buffer
 *
 * Context: Caller holds gdl_lock_lock.
 * Return: The lock, or NULL if nobody holds it or waits for it.
 */
struct gdl_buffer_lock *gdl_lock_find(u64 buffer_id)
{
	lockdep_assert_held(&gdl_lock_lock);
	return rhashtable_lookup_fast(&locks, &buffer_id, lock_params);
}

/* Keep the buffer's LOCK column: the mode of the locks held, not of DMA. */
static void note_mode(const struct gdl_buffer_lock *lock)
{
	struct gdl_buffer *b = gdl_buffer_lookup(lock->buffer_id);
	u8 shown = GDL_LOCK_NONE;
	const struct gdl_claim *c;

	if (!b)
		return;
	list_for_each_entry(c, &lock->holders, list)
		if (!c->attachment_id)
			shown = c->mode;
	WRITE_ONCE(b->lock_mode, shown);
}

static void claim_free(struct gdl_claim *c)
{
	put_pid(c->pid);
	kfree(c);
}

/**
 * gdl_claim_alloc() - make a claim of the current process
 * @agent: for whom; may be set later
 * @mode: shared or exclusive
 * @gfp: how to allocate it
 *
 * Context: As @gfp allows.
 * Return: The claim, which belongs to no lock yet, or NULL.
 */
struct gdl_claim *gdl_claim_alloc(struct gdl_agent *agent,
				  enum gdl_lock_mode mode, gfp_t gfp)
{
	struct gdl_claim *c = kzalloc(sizeof(*c), gfp);

	if (!c)
		return NULL;
	c->agent = agent;
	c->mode = mode;
	c->since = jiffies;
	c->pid = get_pid(task_tgid(current));
	strscpy(c->comm, current->comm, sizeof(c->comm));
	return c;
}

/**
 * gdl_lock_get() - find the lock of a buffer, or make it
 * @buffer_id: the buffer
 * @gfp: how to allocate it
 * @error: receives -ENOMEM, or -ENOENT if there is no such buffer
 *
 * The caller adds a holder or waiter, or calls gdl_lock_put().
 *
 * Context: Caller holds gdl_lock_lock.
 * Return: The lock, or NULL and *@error.
 */
struct gdl_buffer_lock *gdl_lock_get(u64 buffer_id, gfp_t gfp, int *error)
{
	struct gdl_buffer_lock *lock = gdl_lock_find(buffer_id);

	if (lock)
		return lock;
	*error = -ENOMEM;
	lock = kzalloc(sizeof(*lock), gfp);
	if (!lock)
		return NULL;
	lock->buffer_id = buffer_id;
	INIT_LIST_HEAD(&lock->holders);
	INIT_LIST_HEAD(&lock->waiters);
	if (rhashtable_lookup_insert_fast(&locks, &lock->node, lock_params))
		goto out_free;
	*error = -ENOENT;
	if (gdl_buffer_set_locked(buffer_id, true))
		return lock;
	rhashtable_remove_fast(&locks, &lock->node, lock_params);
out_free:
	kfree(lock);
	return NULL;
}

/**
 * gdl_lock_put() - forget a lock that has neither holders nor waiters
 * @lock: the lock; freed then
 *
 * Context: Caller holds gdl_lock_lock.
 */
void gdl_lock_put(struct gdl_buffer_lock *lock)
{
	if (!list_empty(&lock->holders) || !list_empty(&lock->waiters))
		return;
	gdl_buffer_set_locked(lock->buffer_id, false);
	rhashtable_remove_fast(&locks, &lock->node, lock_params);
	kfree(lock);
}

static struct gdl_claim *holder_find(const struct gdl_buffer_lock *lock,
				     const struct gdl_agent *agent)
{
	struct gdl_claim *c;

	list_for_each_entry(c, &lock->holders, list)
		if (c->agent == agent && !c->attachment_id)
			return c;
	return NULL;
}

/**
 * gdl_claim_conflicts() - does what a holder has exclude another claim?
 * @holder: the holder
 * @agent: who claims the buffer
 * @mode: how
 *
 * Context: Caller holds gdl_lock_lock.
 * Return: Whether it does: they are two agents', and one is exclusive.
 */
bool gdl_claim_conflicts(const struct gdl_claim *holder,
			 const struct gdl_agent *agent, enum gdl_lock_mode mode)
{
	return holder->agent != agent && (holder->mode == GDL_LOCK_EXCLUSIVE ||
					  mode == GDL_LOCK_EXCLUSIVE);
}

static bool any_conflict(const struct gdl_buffer_lock *lock,
			 const struct gdl_agent *agent, enum gdl_lock_mode mode)
{
	const struct gdl_claim *c;

	list_for_each_entry(c, &lock->holders, list)
		if (gdl_claim_conflicts(c, agent, mode))
			return true;
	return false;
}

/**
 * gdl_holder_add() - make a claim a holder of a lock
 * @lock: the lock
 * @c: the claim; the lock's from here on
 *
 * Context: Caller holds gdl_lock_lock.
 */
void gdl_holder_add(struct gdl_buffer_lock *lock, struct gdl_claim *c)
{
	c->lock = lock;
	c->order = ++lock->last_order;
	c->since = jiffies;
	list_add_tail(&c->list, &lock->holders);
	if (!c->attachment_id)
		atomic64_inc(&c->agent->locks);
}

/**
 * gdl_holder_drop() - take a holder from its lock, and free it
 * @c: the holder; gdl_lock_settle() follows
 *
 * Context: Caller holds gdl_lock_lock.
 */
void gdl_holder_drop(struct gdl_claim *c)
{
	list_del(&c->list);
	if (!c->attachment_id)
		atomic64_dec(&c->agent->locks);
	claim_free(c);
}

static void waiter_add(struct gdl_buffer_lock *lock, struct gdl_claim *c, bool upgrade)
{
	const struct gdl_claim *first;

	c->lock = lock;
	first = list_first_entry_or_null(&lock->waiters, struct gdl_claim, list);
	if (upgrade && first) {
		c->order = first->order - 1;
		list_add(&c->list, &lock->waiters);
	} else {
		c->order = ++lock->last_order;
		list_add_tail(&c->list, &lock->waiters);
	}
	list_add_tail(&c->of_agent, &c->agent->lock_waiters);
	atomic64_inc(&c->agent->waiting);
}

static void waiter_leave(struct gdl_claim *c)
{
	list_del(&c->list);
	list_del(&c->of_agent);
	atomic64_dec(&c->agent->waiting);
}

/* Tell who waits with @c, which has left the queue, how it ended. */
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
	waiter_leave(c);
	wake(c, error);
	claim_free(c);
}

/* Grant the waiter @c if that can be; his agent may hold the lock by now. */
static bool try_grant(struct gdl_buffer_lock *lock, struct gdl_claim *c)
{
	struct gdl_claim *held = holder_find(lock, c->agent);

	if (held && held->mode == c->mode) {
		waiter_fail(c, -EALREADY);
		return true;
	}
	if (any_conflict(lock, c->agent, c->mode))
		return false;
	waiter_leave(c);
	wake(c, 0);
	if (held) {
		held->mode = c->mode;
		claim_free(c);
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
		first = list_first_entry_or_null(&lock->waiters, struct gdl_claim,
						 list);
	} while (first && try_grant(lock, first));
	note_mode(lock);
	gdl_lock_put(lock);
}

static bool other_upgrades(const struct gdl_buffer_lock *lock,
			   const struct gdl_agent *agent)
{
	const struct gdl_claim *c;

	list_for_each_entry(c, &lock->waiters, list)
		if (c->agent != agent && c->mode == GDL_LOCK_EXCLUSIVE &&
		    holder_find(lock, c->agent))
			return true;
	return false;
}

/* Change the mode in which @held is held; -EAGAIN if that has to wait. */
static int convert(struct gdl_buffer_lock *lock, struct gdl_claim *held,
		   enum gdl_lock_mode mode)
{
	if (held->mode == mode)
		return -EALREADY;
	if (mode == GDL_LOCK_EXCLUSIVE && any_conflict(lock, held->agent, mode))
		return other_upgrades(lock, held->agent) ? -EDEADLK : -EAGAIN;
	held->mode = mode;
	return 0;
}

/*
 * Grant @c at once: 0, it is consumed; -EAGAIN it would have to wait, and
 * *@upgrade tells where; or an error.
 */
static int lock_at_once(struct gdl_buffer_lock *lock, struct gdl_claim *c, bool *upgrade)
{
	struct gdl_claim *held = holder_find(lock, c->agent);
	int ret;

	*upgrade = held;
	if (held) {
		ret = convert(lock, held, c->mode);
		if (!ret)
			claim_free(c);
		return ret;
	}
	if (!list_empty(&lock->waiters) || any_conflict(lock, c->agent, c->mode))
		return -EAGAIN;
	gdl_holder_add(lock, c);
	return 0;
}

/* -EINPROGRESS: @c waits, and @sleeper will be woken. */
static int lock_or_wait(struct gdl_buffer_lock *lock, struct gdl_claim *c, bool nowait,
			struct gdl_sleeper *sleeper)
{
	bool upgrade;
	int ret = lock_at_once(lock, c, &upgrade);

	if (!ret)
		gdl_stat_inc(GDL_STAT_LOCKS_ACQUIRED);
	if (ret != -EAGAIN)
		return ret;
	gdl_stat_inc(GDL_STAT_LOCKS_CONTENDED);
	if (nowait)
		return ret;
	c->sleeper = sleeper;
	waiter_add(lock, c, upgrade);
	if (!gdl_lock_closes_cycle(c))
		return -EINPROGRESS;
	waiter_leave(c);
	return -EDEADLK;
}

static int lock_locked(struct gdl_claim *c, u64 buffer_id, bool nowait,
		       struct gdl_sleeper *sleeper)
{
	struct gdl_buffer_lock *lock;
	int ret;

	lockdep_assert_held(&gdl_lock_lock);
	if (stopping)
		return -ENODEV;
	lock = gdl_lock_get(buffer_id, GFP_ATOMIC, &ret);
	if (!lock)
		return ret;
	ret = lock_or_wait(lock, c, nowait, sleeper);
	if (ret == -EDEADLK)
		gdl_stat_inc(GDL_STAT_LOCKS_DEADLOCKS);
	gdl_lock_settle(lock);
	return ret;
}

/* Queue @c for the agent, or lock at once; as lock_or_wait(). */
static int lock_begin(struct gdl_claim *c, u64 buffer_id, u64 agent_id, bool nowait,
		      struct gdl_sleeper *sleeper)
{
	int ret = -ENOENT;

	/* An agent found here is not freed before its claims were dropped. */
	rcu_read_lock();
	c->agent = gdl_agent_lookup(agent_id);
	if (c->agent) {
		spin_lock_bh(&gdl_lock_lock);
		ret = lock_locked(c, buffer_id, nowait, sleeper);
		spin_unlock_bh(&gdl_lock_lock);
	}
	rcu_read_unlock();
	return ret;
}

/* The sleep is over: what became of @c? If nothing yet, @error. */
static int lock_end(struct gdl_claim *c, struct gdl_sleeper *sleeper, int error)
{
	struct gdl_buffer_lock *lock;

	rcu_read_lock();
	spin_lock_bh(&gdl_lock_lock);
	if (sleeper->finished) {
		error = sleeper->result;
	} else {
		lock = c->lock;
		waiter_leave(c);
		claim_free(c);
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

static int lock_sleep(struct gdl_claim *c, struct gdl_sleeper *sleeper, u64 timeout_ms)
{
	unsigned long timeout = MAX_SCHEDULE_TIMEOUT;
	u64 start = ktime_get_ns();
	long left;
	int ret;

	if (timeout_ms < INT_MAX)
		timeout = msecs_to_jiffies(timeout_ms);
	left = wait_for_completion_interruptible_timeout(&sleeper->done, timeout);
	ret = lock_end(c, sleeper, left < 0 ? -EINTR : -ETIMEDOUT);
	count_wait(ktime_get_ns() - start);
	if (ret == -ETIMEDOUT)
		gdl_stat_inc(GDL_STAT_LOCKS_TIMEOUTS);
	return ret;
}

/**
 * gdl_lock() - lock a buffer for an agent
 * @buffer_id: the buffer
 * @agent_id: the agent
 * @mode: shared or exclusive
 * @nowait: fail rather than wait
 * @timeout_ms: how long to wait at most; U64_MAX: for ever
 *
 * Context: Sleeps until the lock is granted or fails; any signal ends it.
 * Return: 0, -ENOENT no such agent or buffer, or it went while waiting,
 * -EALREADY the agent holds the lock in that mode, -EAGAIN it would have to
 * wait, -ETIMEDOUT, -EDEADLK waiting would close a cycle, or another agent
 * waits to upgrade, -EINTR, -ENODEV the module is being unloaded, -ENOMEM.
 */
int gdl_lock(u64 buffer_id, u64 agent_id, enum gdl_lock_mode mode, bool nowait,
	     u64 timeout_ms)
{
	struct gdl_claim *c = gdl_claim_alloc(NULL, mode, GFP_KERNEL_ACCOUNT);
	struct gdl_sleeper sleeper = { };
	int ret;

	if (!c)
		return -ENOMEM;
	init_completion(&sleeper.done);
	ret = lock_begin(c, buffer_id, agent_id, nowait, &sleeper);
	if (ret == -EINPROGRESS)
		return lock_sleep(c, &sleeper, timeout_ms);
	if (ret)
		claim_free(c);
	return ret;
}

static int unlock_locked(u64 buffer_id, const struct gdl_agent *agent)
{
	struct gdl_buffer_lock *lock = gdl_lock_find(buffer_id);
	struct gdl_claim *held;

	held = lock ? holder_find(lock, agent) : NULL;
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
 *
 * Context: Does not sleep.
 * Return: 0, -ENOENT no such agent, or it holds no lock on the buffer.
 */
int gdl_unlock(u64 buffer_id, u64 agent_id)
{
	struct gdl_agent *agent;
	int ret = -ENOENT;

	rcu_read_lock();
	agent = gdl_agent_lookup(agent_id);
	if (agent) {
		spin_lock_bh(&gdl_lock_lock);
		ret = unlock_locked(buffer_id, agent);
		spin_unlock_bh(&gdl_lock_lock);
	}
	rcu_read_unlock();
	return ret;
}

/**
 * gdl_lock_free_buffer() - free a ledger buffer that nobody has locked
 * @buffer_id: the buffer
 *
 * Context: Does not sleep.
 * Return: 0, -EBUSY it is locked, or what gdl_buffer_free() returned.
 */
int gdl_lock_free_buffer(u64 buffer_id)
{
	int ret = -EBUSY;

	rcu_read_lock();
	spin_lock_bh(&gdl_lock_lock);
	if (!gdl_lock_find(buffer_id))
		ret = gdl_buffer_free(buffer_id);
	spin_unlock_bh(&gdl_lock_lock);
	rcu_read_unlock();
	return ret;
}

/* Fail every waiter and drop every holder. */
static void lock_dissolve(struct gdl_buffer_lock *lock, int error)
{
	struct gdl_claim *c, *next;

	list_for_each_entry_safe(c, next, &lock->waiters, list)
		waiter_fail(c, error);
	list_for_each_entry_safe(c, next, &lock->holders, list)
		gdl_holder_drop(c);
	gdl_lock_put(lock);
}

/**
 * gdl_lock_buffer_gone() - a buffer was removed while it was locked
 * @buffer_id: the buffer; its waiters get -ENOENT
 *
 * Context: Probe handler or process context. Does not sleep.
 */
void gdl_lock_buffer_gone(u64 buffer_id)
{
	struct gdl_buffer_lock *lock;

	spin_lock_bh(&gdl_lock_lock);
	lock = gdl_lock_find(buffer_id);
	if (lock)
		lock_dissolve(lock, -ENOENT);
	spin_unlock_bh(&gdl_lock_lock);
}

/* Drop what @agent has on @lock; its DMA mappings become agent 0's. */
static void lock_drop_agent(struct gdl_buffer_lock *lock,
			    const struct gdl_agent *agent)
{
	struct gdl_claim *c, *next;

	list_for_each_entry_safe(c, next, &lock->waiters, list)
		if (c->agent == agent)
			waiter_fail(c, -ENOENT);
	list_for_each_entry_safe(c, next, &lock->holders, list) {
		if (c->agent != agent)
			continue;
		if (c->attachment_id)
			c->agent = &gdl_host;
		else
			gdl_holder_drop(c);
	}
	gdl_lock_settle(lock);
}

/* Call @change for every lock there is, each found anew by its buffer's id. */
static void change_each(void (*change)(struct gdl_buffer_lock *lock,
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
			id = b->id + 1;
			spin_lock_bh(&gdl_lock_lock);
			lock = gdl_lock_find(b->id);
			if (lock)
				change(lock, agent);
			spin_unlock_bh(&gdl_lock_lock);
		}
		rcu_read_unlock();
		cond_resched();
	} while (b);
}

/**
 * gdl_lock_drop_agent() - an agent is removed: release its locks, fail its waiters
 * @agent: the agent; it cannot be found since a grace period
 *
 * Context: May sleep.
 */
void gdl_lock_drop_agent(const struct gdl_agent *agent)
{
	change_each(lock_drop_agent, agent);
}

/**
 * gdl_lock_longest_wait() - the longest wait for a lock since the last reset
 *
 * Context: Any but hard interrupt.
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

/**
 * gdl_lock_init() - make the table of locks
 *
 * Context: May sleep.
 * Return: 0 or -ENOMEM.
 */
int gdl_lock_init(void)
{
	return rhashtable_init(&locks, &lock_params);
}

static void lock_fail_waiters(struct gdl_buffer_lock *lock,
			      const struct gdl_agent *unused)
{
	struct gdl_claim *c, *next;

	list_for_each_entry_safe(c, next, &lock->waiters, list)
		waiter_fail(c, -ENODEV);
	gdl_lock_settle(lock);
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

/**
 * gdl_lock_exit() - free the table; every buffer was removed
 *
 * Context: May sleep.
 */
void gdl_lock_exit(void)
{
	rhashtable_destroy(&locks);
}
