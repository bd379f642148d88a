// SPDX-License-Identifier: GPL-2.0-only
/* Names: what agents are called, and how they are found by that. */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/jhash.h>
#include <linux/overflow.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "gpu_dma_lock.h"

/* A name, by which an agent is found. It is never changed: the agent gets another. */
struct gdl_agent_name {
	struct rhash_head node;			/* rhashtable's */
	u64 agent_id;				/* C */
	struct rcu_head rcu;
	char text[];				/* C */
};

static struct rhashtable names;

static u32 name_hash(const void *key, u32 len, u32 seed)
{
	return jhash(key, strlen(key), seed);
}

static int name_differs(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct gdl_agent_name *name = obj;

	return strcmp(name->text, arg->key);
}

static const struct rhashtable_params name_params = {
	.key_len	= 1,	/* not looked at: a name ends with NUL */
	.key_offset	= offsetof(struct gdl_agent_name, text),
	.head_offset	= offsetof(struct gdl_agent_name, node),
	.hashfn		= name_hash,
	.obj_cmpfn	= name_differs,
	.automatic_shrinking = true,
};

/* Give @agent the name @new instead of the one it has; NULL: none. */
static void replace_name(struct gdl_agent *agent, struct gdl_agent_name *new)
{
	struct gdl_agent_name *old;

	lockdep_assert_held(&gdl_agent_mutex);
	old = rcu_replace_pointer(agent->name, new, lockdep_is_held(&gdl_agent_mutex));
	if (!old)
		return;
	rhashtable_remove_fast(&names, &old->node, name_params);
	kfree_rcu(old, rcu);
}

static int name_insert(struct gdl_agent_name *name)
{
	int ret = rhashtable_lookup_insert_fast(&names, &name->node, name_params);

	/* The table is crowded, or full, only for want of memory. */
	return ret && ret != -EEXIST ? -ENOMEM : ret;
}

/**
 * gdl_agent_drop_name() - let an agent have no name
 * @agent: the agent
 *
 * Context: Any but hard interrupt. Caller holds gdl_agent_mutex.
 */
void gdl_agent_drop_name(struct gdl_agent *agent)
{
	replace_name(agent, NULL);
}

/**
 * gdl_agent_set_name() - give an agent a name, instead of the one it has
 * @agent: the agent
 * @text: the name, or NULL for none
 *
 * What a name may be is for the caller to know.
 *
 * Context: May sleep. Caller holds gdl_agent_mutex.
 * Return: 0, -EEXIST it is another agent's, -ENOMEM.
 */
int gdl_agent_set_name(struct gdl_agent *agent, const char *text)
{
	struct gdl_agent_name *name = NULL;
	size_t size;
	int ret;

	if (text && !strcmp(text, gdl_agent_name(agent)))
		return 0;
	if (text) {
		size = strlen(text) + 1;
		name = kzalloc(struct_size(name, text, size), GFP_KERNEL_ACCOUNT);
		if (!name)
			return -ENOMEM;
		name->agent_id = agent->id;
		memcpy(name->text, text, size);
		ret = name_insert(name);
		if (ret) {
			kfree(name);
			return ret;
		}
	}
	replace_name(agent, name);
	return 0;
}

/**
 * gdl_agent_name() - what an agent is called
 * @agent: the agent
 *
 * Context: Caller holds rcu_read_lock() or gdl_agent_mutex.
 * Return: Its name, "" if it has none.
 */
const char *gdl_agent_name(const struct gdl_agent *agent)
{
	const struct gdl_agent_name *name;

	name = rcu_dereference_check(agent->name, lockdep_is_held(&gdl_agent_mutex));
	return name ? name->text : "";
}

/**
 * gdl_agent_find_name() - which agent is called so?
 * @text: the name
 * @id: receives the agent's id; it may be gone by the time it is looked up
 *
 * Context: Any.
 * Return: 0, or -ENOENT none.
 */
int gdl_agent_find_name(const char *text, u64 *id)
{
	const struct gdl_agent_name *name;

	rcu_read_lock();
	name = rhashtable_lookup(&names, text, name_params);
	if (name)
		*id = name->agent_id;
	rcu_read_unlock();
	return name ? 0 : -ENOENT;
}

/**
 * gdl_agent_names_init() - make the table
 *
 * Context: May sleep.
 * Return: 0 or -ENOMEM.
 */
int gdl_agent_names_init(void)
{
	return rhashtable_init(&names, &name_params);
}

/**
 * gdl_agent_names_exit() - forget the table; no agent has a name any more
 *
 * Context: May sleep.
 */
void gdl_agent_names_exit(void)
{
	rhashtable_destroy(&names);
}
