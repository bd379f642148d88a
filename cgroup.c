// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cgroups (v2) that something is known of: by path, which lasts, and by the id of the
 * cgroup that is there now.
 *
 * Cgroups come and go in tracepoints, where memory cannot be had and no lock may
 * sleep. So both tables have a fixed size, and an entry is part of what it is about: to
 * move it needs no memory. An entry may leave one chain of ids for another while it is
 * looked at: hence the hlist_nulls, whose end tells which chain it is
 * (Documentation/RCU/rculist_nulls.rst).
 *
 * A tenant may choose names of cgroups, and make cgroups until their ids suit it: the
 * hashes have a seed, so that it cannot choose what shares a chain.
 */

#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/rculist.h>
#include <linux/rculist_nulls.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "gpu_dma_lock.h"

#define BITS	12

static struct hlist_head paths[BIT(BITS)];	/* G, walked under RCU */
static struct hlist_nulls_head ids[BIT(BITS)];	/* G, walked under RCU */
static DEFINE_RAW_SPINLOCK(cgroup_lock);
/* How many are found by id: with none, nobody needs to look. */
unsigned int gdl_nr_cgroups;		/* G, READ_ONCE() elsewhere */
static u32 seed __read_mostly;			/* set once */

static struct hlist_head *path_chain(const char *path)
{
	return &paths[jhash(path, strlen(path), seed) % ARRAY_SIZE(paths)];
}

static unsigned int id_chain(u64 id)
{
	return jhash_2words(id, id >> 32, seed) % ARRAY_SIZE(ids);
}

/**
 * gdl_cgroup_path_alloc() - make room for a path
 * @len: bytes, without the 0 at its end
 * @gfp: how to allocate it
 *
 * Context: As @gfp allows.
 * Return: The room, to be freed by kfree(), or NULL.
 */
struct gdl_cgroup_path *gdl_cgroup_path_alloc(size_t len, gfp_t gfp)
{
	struct gdl_cgroup_path *path;

	return kmalloc(struct_size(path, name, len + 1), gfp);
}

/* Under the lock, or RCU. */
static struct gdl_cgroup *find_path(const char *path)
{
	struct gdl_cgroup *c;

	hlist_for_each_entry_rcu(c, path_chain(path), by_path,
				 lockdep_is_held(&cgroup_lock))
		if (!strcmp(READ_ONCE(c->path)->name, path))
			return c;
	return NULL;
}

/**
 * gdl_cgroup_find_path() - find what is known of a path
 * @path: from the root of the hierarchy
 *
 * Context: Any. Caller holds rcu_read_lock().
 * Return: The entry, or NULL.
 */
struct gdl_cgroup *gdl_cgroup_find_path(const char *path)
{
	return find_path(path);
}

/**
 * gdl_cgroup_find() - find what is known of a cgroup
 * @id: the cgroup's
 *
 * Context: Any. Caller holds rcu_read_lock().
 * Return: The entry, or NULL.
 */
struct gdl_cgroup *gdl_cgroup_find(u64 id)
{
	unsigned int chain = id_chain(id);
	struct hlist_nulls_node *node;
	struct gdl_cgroup *c;

	do {
		hlist_nulls_for_each_entry_rcu(c, node, &ids[chain], by_id)
			if (READ_ONCE(c->id) == id)
				return c;
		/* Else an entry took us along to another chain. */
	} while (get_nulls_value(node) != chain);
	return NULL;
}

/**
 * gdl_cgroup_add() - let an entry be found by its path
 * @c: the entry, with a path, of no cgroup yet
 *
 * Context: Any.
 * Return: 0, or -EEXIST if there is one of that path.
 */
int gdl_cgroup_add(struct gdl_cgroup *c)
{
	unsigned long flags;
	int ret = -EEXIST;

	raw_spin_lock_irqsave(&cgroup_lock, flags);
	if (!find_path(c->path->name)) {
		hlist_add_head_rcu(&c->by_path, path_chain(c->path->name));
		c->named = true;
		ret = 0;
	}
	raw_spin_unlock_irqrestore(&cgroup_lock, flags);
	return ret;
}

static void set_id_locked(struct gdl_cgroup *c, u64 id)
{
	lockdep_assert_held(&cgroup_lock);
	if (c->id)
		hlist_nulls_del_rcu(&c->by_id);
	WRITE_ONCE(gdl_nr_cgroups, gdl_nr_cgroups - !!c->id + !!id);
	/* First: what looks for it there is not to see the one before. */
	WRITE_ONCE(c->id, id);
	if (id)
		hlist_nulls_add_head_rcu(&c->by_id, &ids[id_chain(id)]);
}

static void del_locked(struct gdl_cgroup *c)
{
	set_id_locked(c, 0);
	if (c->named)
		hlist_del_rcu(&c->by_path);
	c->named = false;
}

/**
 * gdl_cgroup_del() - let an entry be found no more
 * @c: the entry; it may be freed after a grace period
 *
 * Context: Any.
 */
void gdl_cgroup_del(struct gdl_cgroup *c)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&cgroup_lock, flags);
	del_locked(c);
	raw_spin_unlock_irqrestore(&cgroup_lock, flags);
}

/**
 * gdl_cgroup_del_absent() - let an entry be found no more, if its cgroup is not there
 * @c: the entry
 * @may_go: what is asked then; no cgroup comes meanwhile. It is called with interrupts off
 *
 * Context: Any.
 * Return: Whether it is not, @may_go says yes, and the entry is found no more.
 */
bool gdl_cgroup_del_absent(struct gdl_cgroup *c, bool (*may_go)(const struct gdl_cgroup *c))
{
	unsigned long flags;
	bool absent;

	raw_spin_lock_irqsave(&cgroup_lock, flags);
	absent = !c->id && may_go(c);
	if (absent)
		del_locked(c);
	raw_spin_unlock_irqrestore(&cgroup_lock, flags);
	return absent;
}

/**
 * gdl_cgroup_attach() - a cgroup is where an entry's path leads
 * @c: the entry
 * @id: the cgroup's id
 * @only_absent: not if there is one already
 *
 * Context: Any. Caller holds rcu_read_lock() if others can remove the entry.
 * Return: Whether it was none's, or another's, and now is this cgroup's.
 */
bool gdl_cgroup_attach(struct gdl_cgroup *c, u64 id, bool only_absent)
{
	unsigned long flags;
	bool changed;

	raw_spin_lock_irqsave(&cgroup_lock, flags);
	changed = c->named && c->id != id && !(only_absent && c->id);
	if (changed)
		set_id_locked(c, id);
	raw_spin_unlock_irqrestore(&cgroup_lock, flags);
	return changed;
}

/**
 * gdl_cgroup_detach() - a cgroup is gone
 * @c: the entry of its path
 * @id: the cgroup's id
 *
 * Context: As gdl_cgroup_attach().
 * Return: Whether it was that cgroup's.
 */
bool gdl_cgroup_detach(struct gdl_cgroup *c, u64 id)
{
	unsigned long flags;
	bool was;

	raw_spin_lock_irqsave(&cgroup_lock, flags);
	was = c->id == id;
	if (was)
		set_id_locked(c, 0);
	raw_spin_unlock_irqrestore(&cgroup_lock, flags);
	return was;
}

/**
 * gdl_cgroup_shorten() - keep a path in no more memory than it needs
 * @c: the entry, that others may look at
 *
 * Context: May sleep.
 */
void gdl_cgroup_shorten(struct gdl_cgroup *c)
{
	struct gdl_cgroup_path *path, *old = c->path;
	size_t len = strlen(old->name);

	path = gdl_cgroup_path_alloc(len, GFP_KERNEL);
	if (!path)
		return;
	memcpy(path->name, old->name, len + 1);
	/* Pairs with the address dependency in find_path() */
	smp_store_release(&c->path, path);
	kfree_rcu(old, rcu);
}

/**
 * gdl_cgroup_init() - make the tables
 *
 * Context: Any. Before anything is looked up.
 */
void gdl_cgroup_init(void)
{
	unsigned int i;

	seed = get_random_u32();
	for (i = 0; i < ARRAY_SIZE(ids); i++)
		INIT_HLIST_NULLS_HEAD(&ids[i], i);
}
