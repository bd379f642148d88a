// SPDX-License-Identifier: GPL-2.0-only
/*
 * The wait-for graph of the locks: who waits for whom, searched for cycles and
 * listed. Its nodes are agents; an agent waits for those whose holders conflict
 * with its claim, and for those queued before it.
 *
 * The search goes breadth first and marks the agents it has seen, so it ends
 * after as many steps as there are edges, however long a cycle is.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/list.h>
#include <linux/pid.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "gpu_dma_lock.h"

static u64 search_nr;				/* under gdl_lock_lock */

/* The search for deadlocks: agents found, and those still to be looked at. */
struct search {
	const struct gdl_agent *target;
	const struct gdl_buffer_lock *origin;	/* whose queue the target joins */
	struct list_head todo;			/* by gdl_agent.lock_todo */
	bool found;
};

static void search_visit(struct search *search, struct gdl_agent *agent)
{
	if (agent == search->target)
		search->found = true;
	if (agent->lock_search == search_nr)
		return;
	agent->lock_search = search_nr;
	list_add_tail(&agent->lock_todo, &search->todo);
}

/* Visit whom @c waits for: conflicting holders, and who is before it. */
static void search_blockers(struct search *search, const struct gdl_claim *c)
{
	struct gdl_claim *other;

	list_for_each_entry(other, &c->lock->holders, list)
		if (gdl_claim_conflicts(other, c->agent, c->mode))
			search_visit(search, other->agent);
	list_for_each_entry(other, &c->lock->waiters, list) {
		if (other == c)
			break;
		/*
		 * Who is queued behind an earlier claim of the target on the
		 * same lock waits for that one, not for what comes now.
		 */
		if (c->lock == search->origin && other->agent == search->target)
			continue;
		if (other->agent != c->agent)
			search_visit(search, other->agent);
	}
}

/**
 * gdl_lock_closes_cycle() - would a waiter wait for himself?
 * @c: the waiter, which is in its queue
 *
 * Context: Caller holds gdl_lock_lock.
 * Return: Whether somebody whom it waits for waits, over however many others,
 * for the agent of @c.
 */
bool gdl_lock_closes_cycle(const struct gdl_claim *c)
{
	struct search search = { .target = c->agent, .origin = c->lock };
	struct gdl_agent *agent;
	struct gdl_claim *waiter;

	lockdep_assert_held(&gdl_lock_lock);
	INIT_LIST_HEAD(&search.todo);
	search_nr++;
	search_blockers(&search, c);
	while (!search.found && !list_empty(&search.todo)) {
		agent = list_first_entry(&search.todo, struct gdl_agent,
					 lock_todo);
		list_del(&agent->lock_todo);
		list_for_each_entry(waiter, &agent->lock_waiters, of_agent)
			search_blockers(&search, waiter);
	}
	return search.found;
}

/* Collect whom @c waits for, as search_blockers() visits them. */
static void row_blockers(struct gdl_lock_row *row, const struct gdl_claim *c)
{
	struct search search = { };
	struct gdl_agent *agent;

	INIT_LIST_HEAD(&search.todo);
	search_nr++;
	search_blockers(&search, c);
	list_for_each_entry(agent, &search.todo, lock_todo) {
		if (row->nr_blockers == GDL_LOCK_ROW_BLOCKERS) {
			row->more_blockers = true;
			break;
		}
		row->blockers[row->nr_blockers++] = agent->id;
	}
}

static void row_fill(struct gdl_lock_row *row, const struct gdl_claim *c,
		     struct pid_namespace *ns)
{
	row->buffer_id = c->lock->buffer_id;
	row->waiting = c->sleeper;
	row->order = c->order;
	row->dma = c->attachment_id;
	row->mode = c->mode;
	row->agent_id = c->agent->id;
	row->pid = pid_nr_ns(c->pid, ns);
	row->since = c->since;
	memcpy(row->comm, c->comm, sizeof(row->comm));
	row->nr_blockers = 0;
	row->more_blockers = false;
	if (row->waiting)
		row_blockers(row, c);
}

/* The first of @claims from @order to @last. */
static const struct gdl_claim *claim_from(const struct list_head *claims,
					  s64 order, s64 last)
{
	const struct gdl_claim *c;

	list_for_each_entry(c, claims, list)
		if (c->order >= order)
			return c->order <= last ? c : NULL;
	return NULL;
}

static const struct gdl_claim *claim_at(const struct gdl_buffer_lock *lock,
					const struct gdl_lock_row *row)
{
	const struct gdl_claim *c = NULL;

	if (!row->waiting)
		c = claim_from(&lock->holders, row->order, row->last_order);
	return c ?: claim_from(&lock->waiters,
			       row->waiting ? row->order : S64_MIN,
			       row->last_order);
}

/*
 * Come to the first row of a lock. What is claimed from here on has a higher
 * order, and is left out: else a reader may follow a busy lock for ever.
 */
static void row_enter(struct gdl_lock_row *row,
		      const struct gdl_buffer_lock *lock)
{
	row->buffer_id = lock->buffer_id;
	row->waiting = false;
	row->order = S64_MIN;
	row->last_order = lock->last_order;
}

/**
 * gdl_lock_next() - walk the holders and waiters: by buffer, holders first, then
 * waiters as they are queued
 * @row: the lowest buffer_id, waiting and order wanted; receives the first row
 *	from there on
 * @ns: the pid namespace that its pid is for
 *
 * Context: Caller holds rcu_read_lock(). Does not sleep.
 * Return: Whether there is one.
 */
bool gdl_lock_next(struct gdl_lock_row *row, struct pid_namespace *ns)
{
	struct gdl_buffer *b = gdl_id_next(row->buffer_id, true);
	const struct gdl_claim *c = NULL;
	struct gdl_buffer_lock *lock;

	while (b && !c) {
		spin_lock_bh(&gdl_lock_lock);
		lock = gdl_lock_find(b->id);
		if (lock && b->id != row->buffer_id)
			row_enter(row, lock);
		c = lock ? claim_at(lock, row) : NULL;
		if (c)
			row_fill(row, c, ns);
		spin_unlock_bh(&gdl_lock_lock);
		if (!c)
			b = gdl_id_next(b->id + 1, true);
	}
	return c;
}
