// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions: how much of an agent's memory is in which part of a device, such as VRAM
 * or system memory, as TTM has it now. See resource.c, which counts it here.
 */

#include <linux/rculist.h>
#include <linux/slab.h>

#include "gpu_dma_lock.h"

/**
 * gdl_regions_get() - make room to count an agent's memory on a device by region
 * @dq: the agent on the device
 *
 * Context: Any. Does not sleep. @dq must stay: caller holds rcu_read_lock().
 * Return: False if there was no memory.
 */
bool gdl_regions_get(struct gdl_device_quota *dq)
{
	struct gdl_region *new;

	if (likely(READ_ONCE(dq->regions)))
		return true;
	new = kcalloc(GDL_NR_REGIONS, sizeof(*new), GFP_NOWAIT | __GFP_NOWARN);
	if (!new)
		return false;
	if (cmpxchg(&dq->regions, NULL, new))
		kfree(new);
	return true;
}

/* @peak: it is known to be @dq's. */
static void region_add(struct gdl_device_quota *dq, unsigned int region, u64 size, bool peak)
{
	struct gdl_region *r = &dq->regions[region];

	WRITE_ONCE(r->used, r->used + size);
	WRITE_ONCE(r->buffers, r->buffers + 1);
	if (peak && r->used > r->peak)
		WRITE_ONCE(r->peak, r->used);
}

static void region_sub(struct gdl_device_quota *dq, unsigned int region, u64 size)
{
	struct gdl_region *r = &dq->regions[region];

	WRITE_ONCE(r->used, r->used - size);
	WRITE_ONCE(r->buffers, r->buffers - 1);
}

/**
 * gdl_regions_move() - count what a buffer has in regions for another agent
 * @b: the buffer
 * @to: that agent on the same device, for which gdl_regions_get() has succeeded; NULL:
 *	the buffer goes, and is counted for nobody
 *
 * Context: Any. Caller holds the lock of gdl_buffers.
 */
void gdl_regions_move(const struct gdl_buffer *b, struct gdl_device_quota *to)
{
	unsigned int region, n;

	lockdep_assert_held(&gdl_buffers.xa_lock);
	for (region = 0; region < GDL_NR_REGIONS; region++)
		for (n = b->resources[region]; n; n--) {
			region_sub(b->dq, region, b->size);
			if (to)
				region_add(to, region, b->size, true);
		}
}

/**
 * gdl_buffer_resource_add() - a buffer has memory in a region
 * @b: the buffer, found under rcu_read_lock()
 * @region: TTM's type of memory
 *
 * Context: Any but hard interrupt. Does not sleep.
 * Return: False if it could not be counted.
 */
bool gdl_buffer_resource_add(struct gdl_buffer *b, unsigned int region)
{
	unsigned long flags;
	bool done;

	if (!gdl_regions_get(READ_ONCE(b->dq)))
		return false;
	xa_lock_irqsave(&gdl_buffers, flags);
	/* It may have become another's meanwhile. */
	done = b->dq->regions && b->resources[region] < U8_MAX && b->nr_resources < U8_MAX;
	if (done && gdl_id_held(b)) {
		b->nr_resources++;
		b->resources[region]++;
		region_add(b->dq, region, b->size, !b->unsettled);
	}
	xa_unlock_irqrestore(&gdl_buffers, flags);
	return done;
}

/**
 * gdl_buffer_resource_del() - a buffer has no memory in a region any more
 * @id: the buffer's id; it may be gone
 * @region: as it was added
 *
 * Context: Any but hard interrupt. Does not sleep.
 */
void gdl_buffer_resource_del(u64 id, unsigned int region)
{
	struct gdl_buffer *b;
	unsigned long flags;

	xa_lock_irqsave(&gdl_buffers, flags);
	b = gdl_id_lookup(id);
	if (b && b->resources[region]) {
		b->nr_resources--;
		b->resources[region]--;
		region_sub(b->dq, region, b->size);
	}
	xa_unlock_irqrestore(&gdl_buffers, flags);
}

/**
 * gdl_regions_reset() - make an agent's peaks in regions what it has there now
 * @agent: the agent
 *
 * Context: Any. Caller holds rcu_read_lock().
 */
void gdl_regions_reset(const struct gdl_agent *agent)
{
	struct gdl_device_quota *dq;
	struct gdl_region *regions;
	unsigned long flags;
	unsigned int i;

	xa_lock_irqsave(&gdl_buffers, flags);
	hlist_for_each_entry_rcu(dq, &agent->device_quotas, node) {
		regions = READ_ONCE(dq->regions);
		for (i = 0; regions && i < GDL_NR_REGIONS; i++)
			WRITE_ONCE(regions[i].peak, regions[i].used);
	}
	xa_unlock_irqrestore(&gdl_buffers, flags);
}

/**
 * gdl_region_next() - walk the regions where an agent has or had memory
 * @dq: the agent on a device
 * @region: the lowest region wanted; receives the one that is found
 *
 * Context: Caller holds rcu_read_lock().
 * Return: The region, or NULL if there is none from @region on.
 */
const struct gdl_region *gdl_region_next(const struct gdl_device_quota *dq,
					 unsigned int *region)
{
	const struct gdl_region *regions = READ_ONCE(dq->regions);

	for (; regions && *region < GDL_NR_REGIONS; ++*region)
		if (READ_ONCE(regions[*region].peak) || READ_ONCE(regions[*region].buffers))
			return &regions[*region];
	return NULL;
}
