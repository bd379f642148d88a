// SPDX-License-Identifier: GPL-2.0-only
/*
 * Claims: what holds a buffer, and what waits for it.
 *
 * A tenant has as many holders as it has mappings of a buffer. So they are in trees:
 * all of them by their order, for what lists them, and those of a kind and mode by their
 * agents' ids, and the same agent's by their owners', which tells whether there are
 * others' without looking at each: an agent's are side by side, so if both ends of a tree
 * are its own, all are.
 *
 * An owner is an agent itself, by command, or an open file; it has at most one lock of a
 * buffer for an agent.
 *
 * No two agents have one id here: one that is removed has no claim any more when its id can
 * be given to another.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/jiffies.h>
#include <linux/rbtree.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "gpu_dma_lock.h"

const char * const gdl_lock_mode_names[GDL_NR_LOCK_MODES] = {
	[GDL_LOCK_SHARED]	= "shared",
	[GDL_LOCK_EXCLUSIVE]	= "exclusive",
};

/* Protects every lock and claim, and what agents and buffers keep of them. */
DEFINE_SPINLOCK(gdl_lock_lock);

/* Holders that may not hold for ever, in the order in which their leases end. */
LIST_HEAD(gdl_leases);

/* Ends those that are over; see lock_file.c. */
struct delayed_work gdl_lease_work;

static struct gdl_claim *by_order(const struct rb_node *node)
{
	return rb_entry_safe(node, struct gdl_claim, by_order);
}

static struct gdl_claim *by_agent(const struct rb_node *node)
{
	return rb_entry_safe(node, struct gdl_claim, by_agent);
}

/**
 * gdl_claim_alloc() - make a claim of the current process
 * @agent: whose it is; NULL: agent and owner are set later
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
	if (agent)
		c->owner = &agent->own;
	INIT_LIST_HEAD(&c->leased);
	c->mode = mode;
	c->since = jiffies;
	c->pid = get_pid(task_tgid(current));
	strscpy(c->comm, gdl_process_name(current), sizeof(c->comm));
	return c;
}

/**
 * gdl_claim_free() - free a claim that nobody sees
 * @c: the claim
 *
 * Context: Any but hard interrupt.
 */
void gdl_claim_free(struct gdl_claim *c)
{
	put_pid(c->pid);
	kfree(c);
}

/**
 * gdl_claim_from() - find a claim by its order
 * @claims: the holders or the waiters of a lock
 * @order: the lowest order wanted
 *
 * Context: Caller holds gdl_lock_lock.
 * Return: The first claim from there on, or NULL.
 */
const struct gdl_claim *gdl_claim_from(const struct rb_root *claims, s64 order)
{
	const struct rb_node *node = claims->rb_node;
	const struct gdl_claim *c, *found = NULL;

	while (node) {
		c = by_order(node);
		if (c->order >= order) {
			found = c;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return found;
}

/**
 * gdl_claim_next() - the claim after another one, by order
 * @c: a holder or waiter
 *
 * Context: Caller holds gdl_lock_lock.
 * Return: The next of the same kind, or NULL.
 */
struct gdl_claim *gdl_claim_next(const struct gdl_claim *c)
{
	return by_order(rb_next(&c->by_order));
}

static enum gdl_hold hold_of(const struct gdl_claim *c)
{
	return c->attachment ? GDL_HOLD_DMA : GDL_HOLD_LOCK;
}

/* Orders only rise. */
static void link_last(struct rb_root *claims, struct gdl_claim *c)
{
	struct rb_node **link = &claims->rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = &parent->rb_right;
	}
	rb_link_node(&c->by_order, parent, link);
}

/* Where holders of this agent and owner are: before @c (< 0), at it, or behind it. */
static int compare(u64 agent_id, u64 owner_id, const struct gdl_claim *c)
{
	if (agent_id != c->agent->id)
		return agent_id < c->agent->id ? -1 : 1;
	if (owner_id != c->owner->id)
		return owner_id < c->owner->id ? -1 : 1;
	return 0;
}

static void held_add(struct gdl_claim *c)
{
	struct rb_root *held = &c->lock->held[hold_of(c)][c->mode];
	struct rb_node **link = &held->rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		if (compare(c->agent->id, c->owner->id, by_agent(parent)) < 0)
			link = &parent->rb_left;
		else
			link = &parent->rb_right;
	}
	rb_link_node(&c->by_agent, parent, link);
	rb_insert_color(&c->by_agent, held);
}

static void held_del(struct gdl_claim *c)
{
	rb_erase(&c->by_agent, &c->lock->held[hold_of(c)][c->mode]);
}

/* All leases are as long, unless the parameter was changed. */
static void lease_add(struct gdl_claim *c)
{
	struct list_head *at = gdl_leases.prev;
	const struct gdl_claim *last;

	for (; at != &gdl_leases; at = at->prev) {
		last = list_entry(at, struct gdl_claim, leased);
		if (!time_after(last->since + last->lease, c->since + c->lease))
			break;
	}
	list_add(&c->leased, at);
	/* For the others it comes in time. */
	if (at == &gdl_leases)
		mod_delayed_work(system_wq, &gdl_lease_work, c->lease);
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
	lockdep_assert_held(&gdl_lock_lock);
	c->lock = lock;
	c->order = ++lock->last_order;
	c->since = jiffies;
	link_last(&lock->holders, c);
	rb_insert_color(&c->by_order, &lock->holders);
	held_add(c);
	if (c->attachment) {
		c->attachment->holds[c->mode] = c;
		c->agent->mappings++;
		return;
	}
	if (!list_empty(&c->owner->holders))
		c->owner->mixed |= list_first_entry(&c->owner->holders, struct gdl_claim,
						    of_owner)->agent != c->agent;
	list_add_tail(&c->of_owner, &c->owner->holders);
	c->owner->claims++;
	lock->nr_files += !!c->owner->id;
	atomic64_inc(&c->agent->locks);
	if (c->lease)
		lease_add(c);
}

/**
 * gdl_holder_drop() - take a holder from its lock, and free it
 * @c: the holder; gdl_lock_settle() follows
 *
 * Context: Caller holds gdl_lock_lock.
 */
void gdl_holder_drop(struct gdl_claim *c)
{
	lockdep_assert_held(&gdl_lock_lock);
	held_del(c);
	rb_erase(&c->by_order, &c->lock->holders);
	if (c->attachment) {
		c->attachment->holds[c->mode] = NULL;
		c->agent->mappings--;
	} else {
		list_del(&c->of_owner);
		list_del(&c->leased);
		c->owner->claims--;
		c->lock->nr_files -= !!c->owner->id;
		atomic64_dec(&c->agent->locks);
	}
	gdl_claim_free(c);
}

/**
 * gdl_holder_set_mode() - a holder has its lock in another mode from here on
 * @c: the holder, no mapping
 * @mode: which
 *
 * Context: Caller holds gdl_lock_lock.
 */
void gdl_holder_set_mode(struct gdl_claim *c, enum gdl_lock_mode mode)
{
	lockdep_assert_held(&gdl_lock_lock);
	held_del(c);
	c->mode = mode;
	held_add(c);
}

/**
 * gdl_holder_hand_over() - make a mapping agent 0's
 * @c: the holder, a mapping
 *
 * Context: Caller holds gdl_lock_lock.
 */
void gdl_holder_hand_over(struct gdl_claim *c)
{
	lockdep_assert_held(&gdl_lock_lock);
	held_del(c);
	c->agent->mappings--;
	c->agent = &gdl_host;
	c->owner = &gdl_host.own;
	c->agent->mappings++;
	held_add(c);
}

/**
 * gdl_holder_first() - the holder that holds longest
 * @lock: the lock
 *
 * Context: Caller holds gdl_lock_lock.
 * Return: It, or NULL.
 */
struct gdl_claim *gdl_holder_first(const struct gdl_buffer_lock *lock)
{
	return by_order(rb_first(&lock->holders));
}

/**
 * gdl_holder_from() - find a holder by its agent and owner
 * @held: holders of a kind and mode
 * @agent_id: the lowest id of an agent wanted
 * @owner_id: of that agent, the lowest id of an owner wanted
 *
 * Context: Caller holds gdl_lock_lock.
 * Return: The first holder from there on, or NULL.
 */
struct gdl_claim *gdl_holder_from(const struct rb_root *held, u64 agent_id, u64 owner_id)
{
	const struct rb_node *node = held->rb_node;
	struct gdl_claim *c, *found = NULL;

	while (node) {
		c = by_agent(node);
		if (compare(agent_id, owner_id, c) <= 0) {
			found = c;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return found;
}

/**
 * gdl_holder_find() - find an owner's lock
 * @lock: the lock
 * @owner: the owner
 * @agent: the agent that it holds it for
 *
 * Context: Caller holds gdl_lock_lock.
 * Return: The holder, or NULL.
 */
struct gdl_claim *gdl_holder_find(const struct gdl_buffer_lock *lock,
				  const struct gdl_lock_owner *owner,
				  const struct gdl_agent *agent)
{
	enum gdl_lock_mode mode;
	struct gdl_claim *c;

	for (mode = 0; mode < GDL_NR_LOCK_MODES; mode++) {
		c = gdl_holder_from(&lock->held[GDL_HOLD_LOCK][mode], agent->id, owner->id);
		if (c && c->agent == agent && c->owner == owner)
			return c;
	}
	return NULL;
}

/**
 * gdl_holder_of_agent() - find a holder of an agent's, whatever its owner is
 * @lock: the lock
 * @hold: a lock, or a mapping
 * @agent: the agent
 *
 * Context: Caller holds gdl_lock_lock.
 * Return: One, or NULL.
 */
struct gdl_claim *gdl_holder_of_agent(const struct gdl_buffer_lock *lock,
				      enum gdl_hold hold, const struct gdl_agent *agent)
{
	enum gdl_lock_mode mode;
	struct gdl_claim *c;

	for (mode = 0; mode < GDL_NR_LOCK_MODES; mode++) {
		c = gdl_holder_from(&lock->held[hold][mode], agent->id, 0);
		if (c && c->agent == agent)
			return c;
	}
	return NULL;
}

static bool any_other(const struct rb_root *held, const struct gdl_agent *agent)
{
	if (RB_EMPTY_ROOT(held))
		return false;
	return by_agent(rb_first(held))->agent != agent ||
	       by_agent(rb_last(held))->agent != agent;
}

/**
 * gdl_holder_excludes() - does what others hold exclude a claim?
 * @lock: the lock
 * @hold: others' locks, or mappings
 * @agent: the agent that claims the buffer
 * @mode: how
 *
 * Context: Caller holds gdl_lock_lock.
 * Return: Whether one is another agent's, and it or @mode is exclusive.
 */
bool gdl_holder_excludes(const struct gdl_buffer_lock *lock, enum gdl_hold hold,
			 const struct gdl_agent *agent, enum gdl_lock_mode mode)
{
	lockdep_assert_held(&gdl_lock_lock);
	return any_other(&lock->held[hold][GDL_LOCK_EXCLUSIVE], agent) ||
	       (mode == GDL_LOCK_EXCLUSIVE &&
		any_other(&lock->held[hold][GDL_LOCK_SHARED], agent));
}

/**
 * gdl_claim_same() - are two claims one owner's, for one agent?
 * @a: a claim
 * @b: another
 *
 * Context: Caller holds gdl_lock_lock.
 * Return: Whether they are: then they do not exclude each other.
 */
bool gdl_claim_same(const struct gdl_claim *a, const struct gdl_claim *b)
{
	return a->owner == b->owner && a->agent == b->agent;
}

static bool any_other_owner(const struct rb_root *held, const struct gdl_claim *c)
{
	if (RB_EMPTY_ROOT(held))
		return false;
	return !gdl_claim_same(by_agent(rb_first(held)), c) ||
	       !gdl_claim_same(by_agent(rb_last(held)), c);
}

/**
 * gdl_claim_conflicts() - does what is held exclude a claim?
 * @lock: the lock
 * @c: the claim; that of a holder does not exclude itself
 * @mode: how
 *
 * Context: Caller holds gdl_lock_lock.
 * Return: Whether another owner's lock does, or another agent's mapping.
 */
bool gdl_claim_conflicts(const struct gdl_buffer_lock *lock, const struct gdl_claim *c,
			 enum gdl_lock_mode mode)
{
	const struct rb_root *held = lock->held[GDL_HOLD_LOCK];

	lockdep_assert_held(&gdl_lock_lock);
	return any_other_owner(&held[GDL_LOCK_EXCLUSIVE], c) ||
	       (mode == GDL_LOCK_EXCLUSIVE && any_other_owner(&held[GDL_LOCK_SHARED], c)) ||
	       gdl_holder_excludes(lock, GDL_HOLD_DMA, c->agent, mode);
}

/* Between those of a lower order and those of a higher one. */
static void queue_at(struct gdl_buffer_lock *lock, struct gdl_claim *c)
{
	struct rb_node **link = &lock->waiters.rb_root.rb_node, *parent = NULL;
	bool first = true;

	while (*link) {
		parent = *link;
		if (c->order < by_order(parent)->order) {
			link = &parent->rb_left;
		} else {
			link = &parent->rb_right;
			first = false;
		}
	}
	rb_link_node(&c->by_order, parent, link);
	rb_insert_color_cached(&c->by_order, &lock->waiters, first);
}

/* Whose it is: what removes the agent, closes the file or searches for cycles finds it. */
static void join_owner(struct gdl_buffer_lock *lock, struct gdl_claim *c)
{
	c->lock = lock;
	lock->nr_waiters++;
	list_add_tail(&c->of_agent, &c->agent->lock_node.waiters);
	list_add_tail(&c->of_owner, &c->owner->node.waiters);
	c->owner->claims++;
	atomic64_inc(&c->agent->waiting);
}

static void join_queue(struct gdl_buffer_lock *lock, struct gdl_claim *c, s64 order)
{
	lockdep_assert_held(&gdl_lock_lock);
	c->order = order;
	queue_at(lock, c);
	join_owner(lock, c);
}

/**
 * gdl_waiter_add() - queue a claim
 * @lock: the lock, with less than GDL_WAITERS_MAX waiters
 * @c: the claim; the lock's from here on
 * @upgrade: at the head
 *
 * Context: Caller holds gdl_lock_lock.
 */
void gdl_waiter_add(struct gdl_buffer_lock *lock, struct gdl_claim *c, bool upgrade)
{
	join_queue(lock, c, upgrade ? --lock->first_upgrade : ++lock->last_order);
}

/**
 * gdl_waiter_add_at() - queue a claim where it was before
 * @lock: the lock, with less than GDL_WAITERS_MAX waiters
 * @c: the claim; the lock's from here on
 * @place: where it was, maybe in a queue of the buffer that all have left
 *
 * A claim in the queue of a lock that was made later has come later, but for upgrades.
 *
 * Context: Caller holds gdl_lock_lock.
 */
void gdl_waiter_add_at(struct gdl_buffer_lock *lock, struct gdl_claim *c,
		       const struct gdl_lock_place *place)
{
	join_queue(lock, c,
		   place->serial == lock->serial ? place->order : --lock->first_returned);
}

/**
 * gdl_waiter_upgrades() - has a claim been queued as an upgrade?
 * @c: a waiter
 *
 * Context: Caller holds gdl_lock_lock.
 * Return: Whether its owner held the buffer then.
 */
bool gdl_waiter_upgrades(const struct gdl_claim *c)
{
	return c->order < S64_MIN / 2;
}

/**
 * gdl_waiter_leave() - take a claim out of the queue
 * @c: the waiter; its caller's from here on
 *
 * Context: Caller holds gdl_lock_lock.
 */
void gdl_waiter_leave(struct gdl_claim *c)
{
	lockdep_assert_held(&gdl_lock_lock);
	rb_erase_cached(&c->by_order, &c->lock->waiters);
	c->lock->nr_waiters--;
	list_del(&c->of_agent);
	list_del(&c->of_owner);
	c->owner->claims--;
	atomic64_dec(&c->agent->waiting);
}

/**
 * gdl_waiter_first() - which claim is next
 * @lock: the lock
 *
 * Context: Caller holds gdl_lock_lock.
 * Return: The head of the queue, or NULL.
 */
struct gdl_claim *gdl_waiter_first(const struct gdl_buffer_lock *lock)
{
	return by_order(rb_first_cached(&lock->waiters));
}
