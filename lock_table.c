// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of locks: one for each buffer that somebody holds or waits for, found by the
 * buffer's id.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/rhashtable.h>
#include <linux/slab.h>

#include "gpu_dma_lock.h"

static const struct rhashtable_params lock_params = {
	.key_len	= sizeof_field(struct gdl_buffer_lock, buffer_id),
	.key_offset	= offsetof(struct gdl_buffer_lock, buffer_id),
	.head_offset	= offsetof(struct gdl_buffer_lock, node),
	.automatic_shrinking = true,
};

static struct rhashtable locks;
static u64 last_serial;				/* under gdl_lock_lock */

/**
 * gdl_lock_table_find() - find the lock of a buffer
 * @buffer_id: the buffer
 *
 * Context: Caller holds gdl_lock_lock.
 * Return: The lock, or NULL if nobody holds it or waits for it.
 */
struct gdl_buffer_lock *gdl_lock_table_find(u64 buffer_id)
{
	lockdep_assert_held(&gdl_lock_lock);
	return rhashtable_lookup_fast(&locks, &buffer_id, lock_params);
}

/**
 * gdl_lock_table_get() - find the lock of a buffer, or make it
 * @buffer_id: the buffer
 * @gfp: how to allocate it
 * @error: receives -ENOMEM, or -ENOENT if there is no such buffer any more
 *
 * The caller adds a holder or waiter, or calls gdl_lock_table_put().
 *
 * Context: Caller holds gdl_lock_lock.
 * Return: The lock, or NULL and *@error.
 */
struct gdl_buffer_lock *gdl_lock_table_get(u64 buffer_id, gfp_t gfp, int *error)
{
	struct gdl_buffer_lock *lock = gdl_lock_table_find(buffer_id);

	*error = -ENOENT;
	if (lock)
		return lock->gone ? NULL : lock;
	*error = -ENOMEM;
	lock = kzalloc(sizeof(*lock), gfp);
	if (!lock)
		return NULL;
	lock->buffer_id = buffer_id;
	lock->serial = ++last_serial;
	lock->holders = RB_ROOT;
	lock->waiters = RB_ROOT_CACHED;
	lock->first_upgrade = S64_MIN / 2;
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
 * gdl_lock_table_put() - forget a lock that has neither holders nor waiters
 * @lock: the lock; freed then
 *
 * Context: Caller holds gdl_lock_lock.
 */
void gdl_lock_table_put(struct gdl_buffer_lock *lock)
{
	if (!RB_EMPTY_ROOT(&lock->holders) || lock->nr_waiters)
		return;
	gdl_buffer_set_locked(lock->buffer_id, false);
	rhashtable_remove_fast(&locks, &lock->node, lock_params);
	kfree(lock);
}

/**
 * gdl_lock_table_init() - make the table of locks
 *
 * Context: May sleep.
 * Return: 0 or -ENOMEM.
 */
int gdl_lock_table_init(void)
{
	return rhashtable_init(&locks, &lock_params);
}

/**
 * gdl_lock_table_exit() - free the table; every buffer was removed
 *
 * Context: May sleep.
 */
void gdl_lock_table_exit(void)
{
	rhashtable_destroy(&locks);
}
