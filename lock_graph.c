// SPDX-License-Identifier: GPL-2.0-only
/*
 * The wait-for graph of the locks: what waits for what, searched for cycles and
 * listed. Its nodes are owners: an owner waits for those whose holders conflict with its
 * claims, and for those queued before these. An agent is a node as well, for its mappings:
 * what waits for one of these to end waits for all that wait for that agent, by command
 * or in an open file, since any of them may be what is to end it.
 *
 * The search goes breadth first. It marks the nodes it has seen, and of a lock what it
 * has been through: so it takes as many steps as there are waiters, and owners and agents
 * that hold what these wait for. How often an agent has mapped a buffer makes no difference.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/list.h>
#include <linux/pid.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "gpu_dma_lock.h"

/*
 * So many steps a search may take, as it holds up all other locks, of a tenant and by
 * command; and so many claims it may look at for each.
 */
#define STEPS_MAX	8192
#define COMMAND_STEPS_MAX	1048576
#define LOOKS_A_STEP	8

/* And so many claims a row of `locks` looks at: a queue of a thousand may be of one agent. */
#define ROW_STEPS_MAX	64

static u64 search_nr;				/* under gdl_lock_lock */

/* A search for deadlocks, or for a row's agents. */
struct search {
	const struct gdl_claim *target;		/* whether it waits for itself; else NULL */
	struct list_head todo;			/* nodes found, by gdl_lock_node.todo */
	u64 *agents;				/* of a row: receives those found */
	unsigned int nr_agents;
	bool lasting;				/* pass over what ends by itself */
	unsigned int steps;			/* left */
	unsigned int looks;			/* left */
	bool found;
	bool over;				/* it is found out, or there is no step left */
};

static void search_begin(struct search *search, unsigned int steps)
{
	INIT_LIST_HEAD(&search->todo);
	search->steps = steps;
	search->looks = LOOKS_A_STEP * steps;
	search_nr++;
}

/* One more claim is looked at; false: it is one too many. */
static bool search_look(struct search *search)
{
	if (!search->looks) {
		search->over = true;
		return false;
	}
	search->looks--;
	return true;
}

/* Does the wait for @other, or of it, end by itself, or with its agent's DMA? */
static bool passes_over(const struct search *search, const struct gdl_claim *other)
{
	if (!search->lasting)
		return false;
	return other->lease || (other->attachment && other->agent != search->target->agent);
}

static void search_visit(struct search *search, struct gdl_lock_node *node)
{
	if (node->search == search_nr)
		return;
	node->search = search_nr;
	list_add_tail(&node->todo, &search->todo);
}

static void search_row(struct search *search, struct gdl_agent *agent)
{
	if (agent->lock_node.search == search_nr)
		return;
	agent->lock_node.search = search_nr;
	if (search->nr_agents < GDL_LOCK_ROW_BLOCKERS)
		search->agents[search->nr_agents] = agent->id;
	search->over = ++search->nr_agents > GDL_LOCK_ROW_BLOCKERS;
}

/* @c waits for @other. */
static void search_claim(struct search *search, const struct gdl_claim *other)
{
	const struct gdl_claim *target = search->target;

	if (!target) {
		search_row(search, other->agent);
		search->over |= !--search->steps;
		return;
	}
	if (passes_over(search, other))
		return;
	if (!other->attachment) {
		search->found |= other->owner == target->owner;
		search_visit(search, &other->owner->node);
	} else {
		search->found |= other->agent == target->agent;
		search_visit(search, &other->agent->lock_node);
	}
	search->over = search->found || !--search->steps;
}

/* What @c does not wait for though it holds: its own, and its agent's mappings. */
static bool is_own(const struct gdl_claim *other, const struct gdl_claim *c)
{
	return other->attachment ? other->agent == c->agent : gdl_claim_same(other, c);
}

/* The holder behind @other that may tell something new. */
static struct gdl_claim *search_next(const struct search *search, const struct rb_root *held,
				     const struct gdl_claim *other, bool own)
{
	u64 id = other->agent->id;

	/* Of an agent one mapping is enough; of a row, one of anything that is not its own. */
	if (other->attachment || (!search->target && !own))
		return id == U64_MAX ? NULL : gdl_holder_from(held, id + 1, 0);
	return gdl_holder_from(held, id, other->owner->id + 1);
}

/* Visit those that hold so, but for @c's own; return whether there was such a one. */
static bool search_held(struct search *search, const struct rb_root *held,
			const struct gdl_claim *c)
{
	struct gdl_claim *other = gdl_holder_from(held, 0, 0);
	bool own, any_own = false;

	while (other && !search->over && search_look(search)) {
		own = is_own(other, c);
		any_own |= own;
		if (!own)
			search_claim(search, other);
		other = search_next(search, held, other, own);
	}
	return any_own;
}

static bool is_target(const struct search *search, const struct gdl_claim *c)
{
	return search->target && search->target->owner == c->owner;
}

static void search_holders(struct search *search, const struct gdl_claim *c)
{
	struct gdl_buffer_lock *lock = c->lock;
	enum gdl_hold hold;
	bool own = false;

	if (lock->searched[c->mode])
		return;
	for (hold = 0; hold < GDL_NR_HOLDS; hold++) {
		own |= search_held(search, &lock->held[hold][GDL_LOCK_EXCLUSIVE], c);
		if (c->mode == GDL_LOCK_EXCLUSIVE)
			own |= search_held(search, &lock->held[hold][GDL_LOCK_SHARED], c);
	}
	/* What one passes over as its own others must find. */
	lock->searched[c->mode] = !own;
}

static void search_queue(struct search *search, const struct gdl_claim *c)
{
	struct gdl_buffer_lock *lock = c->lock;
	const struct gdl_claim *other;

	other = gdl_claim_from(&lock->waiters.rb_root, lock->searched_to);
	for (; other && other->order < c->order && !search->over; other = gdl_claim_next(other)) {
		if (!search_look(search))
			return;
		/*
		 * A claim that is queued behind an earlier one of the target on the
		 * same lock waits for that one, not for what comes now; unless
		 * that comes to a place before it.
		 */
		if (is_target(search, other) && lock == search->target->lock &&
		    other != search->target)
			continue;
		if (!gdl_claim_same(other, c))
			search_claim(search, other);
	}
	lock->searched_to = max(lock->searched_to, c->order);
}

/* Visit what @c waits for: conflicting holders, and what is queued before it. */
static void search_blockers(struct search *search, const struct gdl_claim *c)
{
	struct gdl_buffer_lock *lock = c->lock;

	if (lock->search != search_nr) {
		lock->search = search_nr;
		memset(lock->searched, 0, sizeof(lock->searched));
		lock->searched_to = S64_MIN;
	}
	search_holders(search, c);
	search_queue(search, c);
}

/* Whether to go on with the other waiters of a node. */
static bool search_waiter(struct search *search, const struct gdl_claim *waiter)
{
	if (search_look(search) && !passes_over(search, waiter))
		search_blockers(search, waiter);
	return !search->over;
}

static void search_node(struct search *search, struct gdl_lock_node *node)
{
	struct gdl_claim *waiter;

	if (node->of_agent) {
		list_for_each_entry(waiter, &node->waiters, of_agent)
			if (!search_waiter(search, waiter))
				break;
	} else {
		list_for_each_entry(waiter, &node->waiters, of_owner)
			if (!search_waiter(search, waiter))
				break;
	}
}

/* Whether @search has found, in so many steps, that its target waits for itself. */
static bool search_run(struct search *search, unsigned int steps)
{
	struct gdl_lock_node *node;

	search_begin(search, steps);
	search_blockers(search, search->target);
	while (!search->over && !list_empty(&search->todo)) {
		node = list_first_entry(&search->todo, struct gdl_lock_node, todo);
		list_del(&node->todo);
		search_node(search, node);
	}
	return search->found;
}

/**
 * gdl_lock_graph_closes_cycle() - would a waiter wait for itself?
 * @c: the waiter, which is in its queue
 *
 * Of an open file the search takes STEPS_MAX steps at most, as it holds up all other
 * locks. If these are not enough, a wait that ends by itself is begun; one that does
 * not looks again, and passes over what other tenants can make without end: claims that
 * end by themselves, as another agent's on a buffer of its agent's do, and mappings of other
 * agents. If it cannot look at as many claims as there are, it waits.
 *
 * Context: Caller holds gdl_lock_lock.
 * Return: Whether a claim that it waits for waits, over however many others, for its
 * owner, or for a mapping of its agent's; or so many wait for one another, without end,
 * that it takes too long to find out.
 */
bool gdl_lock_graph_closes_cycle(const struct gdl_claim *c)
{
	unsigned int steps = c->owner->id ? STEPS_MAX : COMMAND_STEPS_MAX;
	struct search search = { .target = c };

	lockdep_assert_held(&gdl_lock_lock);
	if (search_run(&search, steps))
		return true;
	if ((search.steps && search.looks) || c->lease)
		return false;
	search = (struct search){ .target = c, .lasting = true };
	return search_run(&search, steps) || !search.steps;
}

/* Collect the agents that @c waits for. */
static void row_blockers(struct gdl_lock_row *row, const struct gdl_claim *c)
{
	struct search search = { .agents = row->blockers };

	search_begin(&search, ROW_STEPS_MAX);
	search_blockers(&search, c);
	row->nr_blockers = min_t(unsigned int, search.nr_agents, GDL_LOCK_ROW_BLOCKERS);
	row->more_blockers = search.nr_agents > GDL_LOCK_ROW_BLOCKERS ||
			     !search.steps || !search.looks;
}

static void row_fill(struct gdl_lock_row *row, const struct gdl_claim *c)
{
	row->buffer_id = c->lock->buffer_id;
	row->waiting = c->sleeper;
	row->order = c->order;
	row->kind = c->attachment ? "dma" : c->owner->id ? "file" : "lock";
	row->mode = c->mode;
	row->agent_id = c->agent->id;
	row->pid = get_pid(c->pid);
	row->since = c->since;
	memcpy(row->comm, c->comm, sizeof(row->comm));
	row->nr_blockers = 0;
	row->more_blockers = false;
	if (row->waiting)
		row_blockers(row, c);
}

/* The first of @claims from @order to @last. */
static const struct gdl_claim *claim_up_to(const struct rb_root *claims,
					   s64 order, s64 last)
{
	const struct gdl_claim *c = gdl_claim_from(claims, order);

	return c && c->order <= last ? c : NULL;
}

static const struct gdl_claim *claim_at(const struct gdl_buffer_lock *lock,
					const struct gdl_lock_row *row)
{
	const struct gdl_claim *c = NULL;

	if (!row->waiting)
		c = claim_up_to(&lock->holders, row->order, row->last_order);
	return c ?: claim_up_to(&lock->waiters.rb_root,
				row->waiting ? row->order : S64_MIN, row->last_order);
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
 * gdl_lock_graph_next() - walk the holders and waiters: by buffer, holders first, then
 * waiters as they are queued
 * @row: the lowest buffer_id, waiting and order wanted; receives the first row
 *	from there on, whose pid is to be put
 *
 * Context: Caller holds rcu_read_lock(). Does not sleep.
 * Return: Whether there is one.
 */
bool gdl_lock_graph_next(struct gdl_lock_row *row)
{
	struct gdl_buffer *b = gdl_id_next(row->buffer_id, true);
	const struct gdl_claim *c = NULL;
	struct gdl_buffer_lock *lock;

	while (b && !c) {
		spin_lock_bh(&gdl_lock_lock);
		lock = gdl_lock_table_find(b->id);
		if (lock && b->id != row->buffer_id)
			row_enter(row, lock);
		c = lock ? claim_at(lock, row) : NULL;
		if (c)
			row_fill(row, c);
		spin_unlock_bh(&gdl_lock_lock);
		if (!c)
			b = gdl_id_next(b->id + 1, true);
	}
	return c;
}
