// SPDX-License-Identifier: GPL-2.0-only
/*
 * Resources: TTM's pieces of memory, which say where a buffer is. A buffer has one, or
 * two while it moves. A resource is known by its address from its begin to its end:
 * meanwhile TTM may hand it on to an object of its own, which frees it once a move is
 * over (ttm_buffer_object_transfer()).
 */

#include <linux/rhashtable.h>
#include <linux/slab.h>

#include "gpu_dma_lock.h"

struct gdl_resource {
	struct rhash_head node;			/* rhashtable's */
	const void *resource;			/* C: the key */
	u64 buffer_id;				/* C */
	unsigned int region;			/* C */
	struct rcu_head rcu;
};

static const struct rhashtable_params resource_params = {
	.key_len	= sizeof_field(struct gdl_resource, resource),
	.key_offset	= offsetof(struct gdl_resource, resource),
	.head_offset	= offsetof(struct gdl_resource, node),
	.automatic_shrinking = true,
};

static struct rhashtable resources;

static void end(struct gdl_resource *r)
{
	if (rhashtable_remove_fast(&resources, &r->node, resource_params))
		return;
	gdl_buffer_resource_del(r->buffer_id, r->region);
	kfree_rcu(r, rcu);
}

static int begin(struct gdl_buffer *b, const void *resource, unsigned int region)
{
	struct gdl_resource *r = kmalloc(sizeof(*r), GFP_NOWAIT | __GFP_NOWARN), *old;

	if (!r)
		return -ENOMEM;
	*r = (struct gdl_resource) {
		.resource = resource,
		.buffer_id = b->id,
		.region = region,
	};
	if (!gdl_buffer_resource_add(b, region)) {
		kfree(r);
		return -ENOMEM;
	}
	for (;;) {
		old = rhashtable_lookup_get_insert_fast(&resources, &r->node,
							resource_params);
		if (!old)
			return 0;
		if (IS_ERR(old))
			break;
		/* Its end was missed. */
		end(old);
	}
	gdl_buffer_resource_del(r->buffer_id, region);
	kfree(r);
	return -ENOMEM;
}

/**
 * gdl_resource_begin() - TTM begins to have memory for a buffer
 * @gem: the GEM object, or what is none, and passed over
 * @resource: TTM's resource; an address only
 * @region: its type of memory
 *
 * Context: Process or soft interrupt context. Does not sleep: TTM may be giving memory
 * back to the system.
 * Return: 0; -ENOMEM: it could not be tracked.
 */
int gdl_resource_begin(const struct drm_gem_object *gem, const void *resource,
		       unsigned int region)
{
	struct gdl_buffer *b;
	int ret = 0;

	rcu_read_lock();
	b = gdl_gem_lookup(gem);
	if (b && region < GDL_NR_REGIONS)
		ret = begin(b, resource, region);
	rcu_read_unlock();
	return ret;
}

/**
 * gdl_resource_end() - TTM gives memory of a buffer back
 * @resource: from gdl_resource_begin(), or one not known
 *
 * Context: As gdl_resource_begin().
 */
void gdl_resource_end(const void *resource)
{
	struct gdl_resource *r;

	rcu_read_lock();
	r = rhashtable_lookup(&resources, &resource, resource_params);
	if (r)
		end(r);
	rcu_read_unlock();
}

/**
 * gdl_resource_init() - make the table
 *
 * Context: May sleep.
 * Return: 0 or -ENOMEM.
 */
int gdl_resource_init(void)
{
	return rhashtable_init(&resources, &resource_params);
}

static void forget(void *r, void *arg)
{
	kfree(r);
}

/**
 * gdl_resource_exit() - forget all resources; no event may come any more
 *
 * Context: May sleep.
 */
void gdl_resource_exit(void)
{
	rhashtable_free_and_destroy(&resources, forget, NULL);
}
