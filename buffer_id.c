// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ids: buffers by id, in the order that they were made in.
 *
 * Ids rise, so those of neighbours in time are kept side by side: a chunk holds
 * 64 of them, and a tree (an xarray) holds the chunks. Most buffers come and go
 * without touching the tree, which one store and one erase per buffer would be
 * a third of the whole work on it. A chunk leaves the tree with the last id in it,
 * but not while it is the newest: the next ids go there.
 *
 * The tree's lock is that of the chunks, and of more; see gpu_dma_lock.h. Readers
 * need RCU only. gdl_id_lookup() and gdl_id_next() find all that has an id, gdl_buffer_lookup()
 * and gdl_buffer_next() what has a kernel object behind it as well: only that is shown.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitops.h>
#include <linux/slab.h>

#include "gpu_dma_lock.h"

#define CHUNK_IDS	64

struct gdl_id_chunk {
	unsigned long index;			/* C: of its first id, by CHUNK_IDS */
	struct rcu_head rcu;
	u64 used;				/* X: the ids given away and not back */
	u64 locked;				/* X: those that there is a lock of */
	struct gdl_buffer __rcu *slots[CHUNK_IDS];	/* X */
};

/* Marks the chunks with a buffer that there is a lock of. */
#define LOCKED		XA_MARK_0

DEFINE_XARRAY_FLAGS(gdl_buffers, XA_FLAGS_LOCK_IRQ);
static struct kmem_cache *chunk_cache;
static struct gdl_id_chunk *newest;	/* X */
static u64 last_id;			/* X */

static u64 bit_of(u64 id)
{
	return BIT_ULL(id % CHUNK_IDS);
}

static void chunk_free_rcu(struct rcu_head *head)
{
	kmem_cache_free(chunk_cache, container_of(head, struct gdl_id_chunk, rcu));
}

static void chunk_drop(struct gdl_id_chunk *chunk)
{
	__xa_erase(&gdl_buffers, chunk->index);
	call_rcu(&chunk->rcu, chunk_free_rcu);
}

/*
 * The chunk for the next id. Those before it are all given away. It stays for one id of
 * these: memory that an open file can have made is charged to a memory cgroup.
 */
static int chunk_add(unsigned long index, gfp_t gfp)
{
	struct gdl_id_chunk *chunk = kmem_cache_zalloc(chunk_cache, gfp);
	int ret;

	if (!chunk)
		return -ENOMEM;
	chunk->index = index;
	ret = __xa_insert(&gdl_buffers, index, chunk, gfp);
	if (ret) {
		kmem_cache_free(chunk_cache, chunk);
		return ret;
	}
	if (newest && !newest->used)
		chunk_drop(newest);
	newest = chunk;
	return 0;
}

/**
 * gdl_id_give() - give a new buffer its id
 * @b: the buffer; it is not found by the id before gdl_id_show()
 *
 * Context: Any. Caller holds the lock of gdl_buffers.
 * Return: 0 or -ENOMEM.
 */
int gdl_id_give(struct gdl_buffer *b)
{
	u64 id = last_id + 1;
	int ret;

	lockdep_assert_held(&gdl_buffers.xa_lock);
	if (unlikely(id % CHUNK_IDS == 0)) {
		ret = chunk_add(id / CHUNK_IDS, GFP_ATOMIC | __GFP_NOWARN |
				(b->ledger ? __GFP_ACCOUNT : 0));
		if (ret)
			return ret;
	}
	WRITE_ONCE(last_id, id);
	WRITE_ONCE(newest->used, newest->used | bit_of(id));
	b->id = id;
	b->chunk = newest;
	return 0;
}

/**
 * gdl_id_show() - let a buffer be found by its id
 * @b: the buffer, with an id
 *
 * Context: Any. Caller holds the lock of gdl_buffers.
 */
void gdl_id_show(struct gdl_buffer *b)
{
	lockdep_assert_held(&gdl_buffers.xa_lock);
	rcu_assign_pointer(b->chunk->slots[b->id % CHUNK_IDS], b);
}

/* Note that there is a lock of @b, which has its id still, or none. */
static void mark_locked(struct gdl_buffer *b, bool locked)
{
	struct gdl_id_chunk *chunk = b->chunk;

	lockdep_assert_held(&gdl_buffers.xa_lock);
	if (locked)
		WRITE_ONCE(chunk->locked, chunk->locked | bit_of(b->id));
	else
		WRITE_ONCE(chunk->locked, chunk->locked & ~bit_of(b->id));
	if (chunk->locked)
		__xa_set_mark(&gdl_buffers, chunk->index, LOCKED);
	else
		__xa_clear_mark(&gdl_buffers, chunk->index, LOCKED);
}

/**
 * gdl_id_take() - take a buffer's id back
 * @b: the buffer, which is not freed meanwhile
 *
 * Context: Any. Caller holds the lock of gdl_buffers.
 * Return: Whether it had the id still. It is not found by it any more.
 */
bool gdl_id_take(struct gdl_buffer *b)
{
	struct gdl_id_chunk *chunk = b->chunk;

	lockdep_assert_held(&gdl_buffers.xa_lock);
	if (!chunk)
		return false;
	if (unlikely(chunk->locked & bit_of(b->id)))
		mark_locked(b, false);
	RCU_INIT_POINTER(chunk->slots[b->id % CHUNK_IDS], NULL);
	WRITE_ONCE(chunk->used, chunk->used & ~bit_of(b->id));
	/* The chunk may be gone before the buffer is. */
	b->chunk = NULL;
	if (!chunk->used && chunk != newest)
		chunk_drop(chunk);
	return true;
}

/**
 * gdl_id_held() - has a buffer its id still?
 * @b: the buffer, which is not freed meanwhile
 *
 * Context: Any. Caller holds the lock of gdl_buffers.
 * Return: Whether nobody has taken it back.
 */
bool gdl_id_held(const struct gdl_buffer *b)
{
	lockdep_assert_held(&gdl_buffers.xa_lock);
	return b->chunk;
}

/**
 * gdl_id_lookup() - find a buffer by its id
 * @id: the id
 *
 * Context: Caller holds rcu_read_lock() or the lock of gdl_buffers.
 * Return: The buffer, which may have no kernel object yet, or NULL.
 */
struct gdl_buffer *gdl_id_lookup(u64 id)
{
	struct gdl_id_chunk *chunk = xa_load(&gdl_buffers, id / CHUNK_IDS);

	if (!chunk)
		return NULL;
	return rcu_dereference_check(chunk->slots[id % CHUNK_IDS],
				     lockdep_is_held(&gdl_buffers.xa_lock));
}

/**
 * gdl_buffer_lookup() - find a buffer
 * @id: its id
 *
 * Context: Caller holds rcu_read_lock() or the lock of gdl_buffers.
 * Return: The buffer, or NULL.
 */
struct gdl_buffer *gdl_buffer_lookup(u64 id)
{
	struct gdl_buffer *b = gdl_id_lookup(id);

	return b && atomic_read(&b->live) ? b : NULL;
}

static struct gdl_buffer *first_of(const struct gdl_id_chunk *chunk, u64 ids)
{
	struct gdl_buffer *b;

	for (; ids; ids &= ids - 1) {
		b = rcu_dereference(chunk->slots[__ffs64(ids)]);
		if (b)
			return b;
	}
	return NULL;
}

/**
 * gdl_id_next() - walk the buffers in the order of their ids
 * @id: the lowest id wanted
 * @locked: only those that there is a lock of
 *
 * Context: Caller holds rcu_read_lock().
 * Return: The first such buffer from @id on, or NULL.
 */
struct gdl_buffer *gdl_id_next(u64 id, bool locked)
{
	const xa_mark_t filter = locked ? LOCKED : XA_PRESENT;
	unsigned long index = id / CHUNK_IDS;
	struct gdl_id_chunk *chunk;
	struct gdl_buffer *b;
	u64 ids, after = ~0ULL << id % CHUNK_IDS;

	chunk = xa_find(&gdl_buffers, &index, ULONG_MAX, filter);
	while (chunk) {
		ids = locked ? READ_ONCE(chunk->locked) : READ_ONCE(chunk->used);
		if (index == id / CHUNK_IDS)
			ids &= after;
		b = first_of(chunk, ids);
		if (b)
			return b;
		chunk = xa_find_after(&gdl_buffers, &index, ULONG_MAX, filter);
	}
	return NULL;
}

/**
 * gdl_buffer_next() - walk the buffers in the order of their ids
 * @id: the lowest id wanted
 *
 * Context: Caller holds rcu_read_lock().
 * Return: The first buffer from @id on that has an object, or NULL.
 */
struct gdl_buffer *gdl_buffer_next(u64 id)
{
	struct gdl_buffer *b = gdl_id_next(id, false);

	while (b && !atomic_read(&b->live))
		b = gdl_id_next(b->id + 1, false);
	return b;
}

/**
 * gdl_buffer_set_locked() - note that there is a lock of a buffer, or none
 * @id: the buffer's id
 * @locked: which
 *
 * If a buffer with a lock is removed, gdl_lock_buffer_gone() is called.
 *
 * Context: Any but hard interrupt. Does not sleep.
 * Return: Whether there is such a buffer.
 */
bool gdl_buffer_set_locked(u64 id, bool locked)
{
	struct gdl_buffer *b;
	unsigned long flags;

	xa_lock_irqsave(&gdl_buffers, flags);
	b = gdl_buffer_lookup(id);
	if (b) {
		WRITE_ONCE(b->locked, locked);
		mark_locked(b, locked);
	}
	xa_unlock_irqrestore(&gdl_buffers, flags);
	return b;
}

/**
 * gdl_buffer_set_permitted() - note that agents may get permissions on a buffer
 * @id: the buffer's id
 *
 * When it is removed, gdl_perm_buffer_gone() is called.
 *
 * Context: Any but hard interrupt. Does not sleep.
 * Return: The buffer, or NULL; it stays at least until that function returns.
 */
struct gdl_buffer *gdl_buffer_set_permitted(u64 id)
{
	struct gdl_buffer *b;
	unsigned long flags;

	xa_lock_irqsave(&gdl_buffers, flags);
	b = gdl_buffer_lookup(id);
	if (b)
		b->permitted = true;
	xa_unlock_irqrestore(&gdl_buffers, flags);
	return b;
}

/**
 * gdl_id_last() - the highest id given away so far
 *
 * Context: Any.
 * Return: The id, 0 before the first.
 */
u64 gdl_id_last(void)
{
	return READ_ONCE(last_id);
}

/**
 * gdl_id_init() - make the tree
 *
 * Context: May sleep.
 * Return: 0 or -ENOMEM.
 */
int gdl_id_init(void)
{
	int ret;

	chunk_cache = KMEM_CACHE(gdl_id_chunk, 0);
	if (!chunk_cache)
		return -ENOMEM;
	xa_lock_irq(&gdl_buffers);
	ret = chunk_add(0, GFP_NOWAIT);
	xa_unlock_irq(&gdl_buffers);
	if (ret)
		kmem_cache_destroy(chunk_cache);
	return ret;
}

/**
 * gdl_id_exit() - forget the tree; every id has been taken back
 *
 * Context: May sleep.
 */
void gdl_id_exit(void)
{
	xa_lock_irq(&gdl_buffers);
	chunk_drop(newest);
	newest = NULL;
	xa_unlock_irq(&gdl_buffers);
	rcu_barrier();
	xa_destroy(&gdl_buffers);
	kmem_cache_destroy(chunk_cache);
}
