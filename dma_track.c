// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers: every GEM object, dma-buf and ledger entry there is, each once.
 *
 * Two indexes lead to a buffer. The tree gdl_buffers has all of them by id: it
 * is what commands look up and what /proc walks, and its lock decides who frees
 * a buffer and whom it is charged to. The hash table objects has the real ones
 * by the address of a kernel object, which is a key only: it is never followed.
 * See object.c.
 *
 * Buffers are freed after a grace period: who finds one under rcu_read_lock()
 * may read it until rcu_read_unlock(), and needs no reference.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/hash.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "gpu_dma_lock.h"
#include "trace.h"

/* More than an address of real memory can have: a size nobody can mean. */
#define REAL_SIZE_MAX	BIT_ULL(52)

/* Buffers side by side in memory are freed in one step. */
#define FREED_AT_ONCE	32

static struct rhashtable objects;
static struct kmem_cache *buffer_cache;
static void (*on_locked_gone)(u64 id);
static void (*on_permitted_gone)(struct gdl_buffer *b);

/*
 * Removed buffers. Those of waiting are freed a grace period from when they were
 * put there; only then are those of dying, which were removed meanwhile, put there
 * in turn. One callback of RCU does for all that are removed during a grace period.
 */
static struct gdl_buffer *waiting, *dying;	/* X */
static struct rcu_head waiting_rcu;

const char * const gdl_kind_names[GDL_NR_KINDS] = {
	[GDL_KIND_GEM]		= "gem",
	[GDL_KIND_DMABUF]	= "dmabuf",
	[GDL_KIND_LEDGER]	= "ledger",
};

/* An address is not for users to choose: a multiplication spreads them well. */
static u32 object_hash(const void *key, u32 len, u32 seed)
{
	return hash_64(*(const uintptr_t *)key ^ seed, 32);
}

static int object_differs(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct gdl_buffer *b = obj;

	return b->object != *(const void * const *)arg->key;
}

static const struct rhashtable_params object_params = {
	.key_len	= sizeof_field(struct gdl_buffer, object),
	.key_offset	= offsetof(struct gdl_buffer, object),
	.head_offset	= offsetof(struct gdl_buffer, node),
	.hashfn		= object_hash,
	.obj_cmpfn	= object_differs,
	.automatic_shrinking = true,
};

/*
 * Where there is a constructor, the allocator does not zero a buffer each time its
 * memory is used anew (init_on_alloc): buffer_alloc() sets every field.
 */
static void buffer_construct(void *b)
{
}

static void buffer_free(struct gdl_buffer *b)
{
	put_pid(b->pid);
	kmem_cache_free(buffer_cache, b);
}

/* Free up to FREED_AT_ONCE buffers of a list of removed ones; return the others. */
static struct gdl_buffer *free_some(struct gdl_buffer *removed)
{
	void *freed[FREED_AT_ONCE];
	size_t nr = 0;

	for (; removed && nr < FREED_AT_ONCE; removed = removed->next_removed) {
		put_pid(removed->pid);
		freed[nr++] = removed;
	}
	kmem_cache_free_bulk(buffer_cache, nr, freed);
	return removed;
}

static struct gdl_buffer *buffer_alloc(enum gdl_kind kind, u64 size,
				       struct task_struct *task, gfp_t gfp)
{
	struct gdl_buffer *b = kmem_cache_alloc(buffer_cache, gfp);

	if (!b)
		return NULL;
	*b = (struct gdl_buffer) {
		.size = size,
		.kind = kind,
		.created = jiffies,
		.lock_mode = GDL_LOCK_NONE,
		.pid = get_pid(task_tgid(task)),
	};
	/*
	 * Not get_task_comm(): on older kernels that takes a lock. The last byte
	 * is always 0, whoever writes to it meanwhile.
	 */
	memcpy(b->comm, task->comm, sizeof(b->comm));
	return b;
}

static void free_waiting(struct work_struct *work);
static DECLARE_WORK(free_work, free_waiting);

/* Freeing many takes long: leave it to a task. */
static void waiting_done(struct rcu_head *head)
{
	schedule_work(&free_work);
}

/* Let the dying wait for a grace period, unless others do still. */
static void begin_waiting(void)
{
	lockdep_assert_held(&gdl_buffers.xa_lock);
	if (waiting || !dying)
		return;
	waiting = dying;
	dying = NULL;
	call_rcu(&waiting_rcu, waiting_done);
}

static void free_waiting(struct work_struct *work)
{
	struct gdl_buffer *removed = waiting;

	/* Nobody else touches it until it is NULL. */
	while (removed) {
		removed = free_some(removed);
		cond_resched();
	}
	xa_lock_irq(&gdl_buffers);
	waiting = NULL;
	begin_waiting();
	xa_unlock_irq(&gdl_buffers);
}

/**
 * gdl_buffer_remove() - take a buffer out of the tables and uncharge it
 * @b: the buffer, found under rcu_read_lock()
 *
 * It is freed after a grace period.
 *
 * Context: Any but hard interrupt.
 * Return: Whether this call did it. Of several callers one does: whoever takes
 * its id back.
 */
bool gdl_buffer_remove(struct gdl_buffer *b)
{
	struct gdl_device_quota *dq;
	unsigned long flags;
	bool found, locked, permitted;

	if (b->object)
		rhashtable_remove_fast(&objects, &b->node, object_params);
	xa_lock_irqsave(&gdl_buffers, flags);
	found = gdl_id_take(b);
	dq = b->dq;
	locked = b->locked;
	permitted = b->permitted;
	if (found) {
		b->next_removed = dying;
		dying = b;
		begin_waiting();
	}
	xa_unlock_irqrestore(&gdl_buffers, flags);
	if (!found)
		return false;
	if (locked)
		on_locked_gone(b->id);
	if (permitted)
		on_permitted_gone(b);
	trace_gdl_buffer_free(b, dq);
	gdl_uncharge(dq, b->size);
	gdl_stat_inc(GDL_STAT_BUFFERS_FREED);
	gdl_dbg("buffer %llu of %llu bytes freed\n", b->id, b->size);
	return true;
}

/* Charge @b to @dq; where the policy is to be enforced, only within the limits. */
static int real_charge(struct gdl_buffer *b, bool enforce)
{
	if (enforce)
		return gdl_try_charge(b->dq, b->size);
	b->overrun = gdl_charge(b->dq, b->size) &&
		     gdl_policy_get() == GDL_POLICY_ENFORCE;
	return 0;
}

static int tree_insert(struct gdl_buffer *b)
{
	unsigned long flags;
	int ret;

	xa_lock_irqsave(&gdl_buffers, flags);
	ret = gdl_id_give(b);
	if (!ret)
		gdl_id_show(b);
	xa_unlock_irqrestore(&gdl_buffers, flags);
	return ret;
}

/**
 * gdl_buffer_create() - charge a new real buffer and give it an id
 * @kind: its kind
 * @device: where it is
 * @size: bytes
 * @task: who makes it; his agent is charged
 * @enforce: refuse it if that passes a limit
 *
 * It is not shown before it has a kernel object, see gdl_buffer_set_object().
 *
 * Context: Any but hard interrupt. Caller holds rcu_read_lock(). Does not sleep.
 * Return: The buffer; -EDQUOT or -ENOSPC where it is refused, -ENOMEM, counted,
 * where it is lost.
 */
struct gdl_buffer *gdl_buffer_create(enum gdl_kind kind,
				     struct gdl_device *device, u64 size,
				     struct task_struct *task, bool enforce)
{
	const gfp_t gfp = GFP_ATOMIC | __GFP_NOWARN;
	struct gdl_buffer *b;
	int ret = -ENOMEM;

	if (size > REAL_SIZE_MAX)
		goto lost;
	b = buffer_alloc(kind, size, task, gfp);
	if (!b)
		goto lost;
	b->dq = gdl_agent_device_quota(gdl_agent_of(task), device, gfp);
	if (!b->dq)
		goto lost_free;
	ret = real_charge(b, enforce);
	if (ret)
		goto refused;
	ret = tree_insert(b);
	if (ret)
		goto lost_charged;
	gdl_stat_inc(GDL_STAT_BUFFERS_CREATED);
	gdl_dbg("buffer %llu of %llu bytes created\n", b->id, size);
	trace_gdl_buffer_create(b, b->dq);
	return b;

lost_charged:
	gdl_uncharge(b->dq, size);
lost_free:
	buffer_free(b);
lost:
	gdl_stat_inc(GDL_STAT_BUFFERS_LOST);
	return ERR_PTR(-ENOMEM);
refused:
	buffer_free(b);
	return ERR_PTR(ret);
}

/**
 * gdl_buffer_set_object() - make a buffer the one at an address
 * @b: a new real buffer
 * @object: the address; a buffer that is there already is stale, and dropped
 *
 * Context: As gdl_buffer_create().
 * Return: False if there was no memory: the buffer is removed, and counted lost.
 */
bool gdl_buffer_set_object(struct gdl_buffer *b, const void *object)
{
	struct gdl_buffer *old;

	b->object = object;
	for (;;) {
		old = rhashtable_lookup_get_insert_fast(&objects, &b->node,
							object_params);
		if (!old)
			return true;
		if (IS_ERR(old))
			break;
		if (gdl_buffer_remove(old))
			gdl_stat_inc(GDL_STAT_BUFFERS_STALE);
	}
	gdl_buffer_remove(b);
	gdl_stat_inc(GDL_STAT_BUFFERS_LOST);
	return false;
}

/**
 * gdl_buffer_of_object() - find the buffer at an address
 * @object: the address
 *
 * Context: Caller holds rcu_read_lock().
 * Return: The buffer, or NULL.
 */
struct gdl_buffer *gdl_buffer_of_object(const void *object)
{
	return rhashtable_lookup(&objects, &object, object_params);
}

/**
 * gdl_buffer_object_gone() - a kernel object behind a buffer is gone
 * @b: the buffer, found under rcu_read_lock(); gone itself with the last object
 * @live: which, GDL_LIVE_*
 *
 * Context: Any but hard interrupt.
 */
void gdl_buffer_object_gone(struct gdl_buffer *b, int live)
{
	if (!(atomic_fetch_andnot(live, &b->live) & ~live))
		gdl_buffer_remove(b);
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
	struct gdl_buffer *b = gdl_id_find(id);

	return b && atomic_read(&b->live) ? b : NULL;
}

static bool is_gem(const struct gdl_buffer *b, const struct gdl_agent *agent)
{
	return b->kind == GDL_KIND_GEM;
}

static bool is_any(const struct gdl_buffer *b, const struct gdl_agent *agent)
{
	return true;
}

static bool is_ledger_of(const struct gdl_buffer *b,
			 const struct gdl_agent *agent)
{
	return b->kind == GDL_KIND_LEDGER && READ_ONCE(b->dq)->agent == agent;
}

/* Remove each buffer that @match picks; return how many. */
static unsigned long remove_matching(bool (*match)(const struct gdl_buffer *b,
						   const struct gdl_agent *agent),
				     const struct gdl_agent *agent)
{
	unsigned long removed = 0;
	u64 id = 0;
	struct gdl_buffer *b;

	for (;;) {
		rcu_read_lock();
		b = gdl_id_next(id, false);
		if (b) {
			id = b->id + 1;
			if (match(b, agent))
				removed += gdl_buffer_remove(b);
		}
		rcu_read_unlock();
		if (!b)
			return removed;
		cond_resched();
	}
}

/**
 * gdl_buffer_drop_gem() - drm.ko has left, and every GEM object before it
 *
 * A buffer of one that is still here missed its release: it is stale.
 *
 * Context: May sleep.
 */
void gdl_buffer_drop_gem(void)
{
	unsigned long stale = remove_matching(is_gem, NULL);

	while (stale--)
		gdl_stat_inc(GDL_STAT_BUFFERS_STALE);
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
 * If a buffer with a lock is removed, the function given to gdl_buffer_init()
 * is called.
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
		gdl_id_mark_locked(b, locked);
	}
	xa_unlock_irqrestore(&gdl_buffers, flags);
	return b;
}

/**
 * gdl_buffer_set_permitted() - note that agents may get permissions on a buffer
 * @id: the buffer's id
 *
 * When it is removed, the function given to gdl_buffer_init() is called.
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

/* Charge the ledger buffer @b and make it visible. */
static int ledger_publish(struct gdl_buffer *b, u64 agent_id, u64 device_id)
{
	struct gdl_device *device = gdl_device_lookup(device_id);
	struct gdl_agent *agent = gdl_agent_lookup_rcu(agent_id);
	int ret;

	if (!agent)
		return -ENOENT;
	if (!device)
		return -ENODEV;
	b->dq = gdl_agent_device_quota(agent, device, GFP_NOWAIT);
	if (!b->dq)
		return -ENOMEM;
	ret = gdl_try_charge(b->dq, b->size);
	if (ret)
		return ret;
	atomic_set(&b->live, GDL_LIVE_LEDGER);
	ret = tree_insert(b);
	if (ret) {
		gdl_uncharge(b->dq, b->size);
		return ret;
	}
	trace_gdl_buffer_create(b, b->dq);
	return 0;
}

/**
 * gdl_buffer_allocate() - account for memory that the kernel cannot see
 * @agent_id: who holds it
 * @size: bytes, not 0
 * @device_id: where it is
 * @id: receives the id of the new ledger buffer
 *
 * Context: May sleep.
 * Return: 0, -ENOENT no such agent, -ENODEV no such device, -EDQUOT over the
 * agent's quota, -ENOSPC over the device's capacity, -ENOMEM.
 */
int gdl_buffer_allocate(u64 agent_id, u64 size, u64 device_id, u64 *id)
{
	struct gdl_buffer *b = buffer_alloc(GDL_KIND_LEDGER, size, current,
					    GFP_KERNEL);
	int ret;

	if (!b)
		return -ENOMEM;
	rcu_read_lock();
	ret = ledger_publish(b, agent_id, device_id);
	/* Somebody else may free it from here on. */
	*id = b->id;
	rcu_read_unlock();
	if (ret) {
		buffer_free(b);
		return ret;
	}
	gdl_stat_inc(GDL_STAT_LEDGER_ALLOCATED);
	gdl_stat_inc(GDL_STAT_BUFFERS_CREATED);
	return 0;
}

/**
 * gdl_buffer_free() - give a ledger buffer back
 * @id: its id
 *
 * Context: Does not sleep.
 * Return: 0, -ENOENT no such buffer, -EINVAL it is a real one: the kernel frees
 * that.
 */
int gdl_buffer_free(u64 id)
{
	struct gdl_buffer *b;
	int ret = 0;

	rcu_read_lock();
	b = gdl_buffer_lookup(id);
	if (!b)
		ret = -ENOENT;
	else if (b->kind != GDL_KIND_LEDGER)
		ret = -EINVAL;
	else if (!gdl_buffer_remove(b))
		ret = -ENOENT;
	rcu_read_unlock();
	if (!ret)
		gdl_stat_inc(GDL_STAT_LEDGER_FREED);
	return ret;
}

/* Move the charge of the real buffer @b from @agent to agent 0. */
static int hand_over(struct gdl_buffer *b, const struct gdl_agent *agent)
{
	struct gdl_device_quota *from = READ_ONCE(b->dq), *to;
	unsigned long flags;

	if (from->agent != agent)
		return 0;
	to = gdl_agent_device_quota(&gdl_host, from->device, GFP_NOWAIT);
	if (!to)
		return -ENOMEM;
	xa_lock_irqsave(&gdl_buffers, flags);
	if (gdl_id_held(b)) {
		gdl_charge_move(from, to, b->size);
		WRITE_ONCE(b->dq, to);
	}
	xa_unlock_irqrestore(&gdl_buffers, flags);
	return 0;
}

/**
 * gdl_buffer_hand_over() - empty an agent that is removed
 * @agent: the agent; it cannot be found since a grace period
 *
 * Its ledger buffers are freed, its real ones become agent 0's, with their
 * charge, whatever the quota of agent 0.
 *
 * Context: May sleep; tries again where memory is short. Caller holds
 * gdl_agent_mutex.
 */
void gdl_buffer_hand_over(const struct gdl_agent *agent)
{
	unsigned long freed = remove_matching(is_ledger_of, agent);
	struct gdl_buffer *b;
	u64 id = 0;
	int ret;

	while (freed--)
		gdl_stat_inc(GDL_STAT_LEDGER_FREED);
	for (;;) {
		ret = 0;
		rcu_read_lock();
		b = gdl_id_next(id, false);
		if (b) {
			id = b->id;
			ret = hand_over(b, agent);
		}
		rcu_read_unlock();
		if (!b)
			return;
		if (ret)
			schedule_timeout_uninterruptible(1);
		else
			id++;
		cond_resched();
	}
}

/**
 * gdl_buffer_init() - make the tables
 * @locked_gone: called when a buffer with a lock was removed, under
 *	rcu_read_lock(); must not sleep
 * @permitted_gone: likewise, of a buffer after gdl_buffer_set_permitted()
 *
 * Context: May sleep.
 * Return: 0 or -ENOMEM.
 */
int gdl_buffer_init(void (*locked_gone)(u64 id),
		    void (*permitted_gone)(struct gdl_buffer *b))
{
	int ret;

	on_locked_gone = locked_gone;
	on_permitted_gone = permitted_gone;
	buffer_cache = kmem_cache_create("gdl_buffer", sizeof(struct gdl_buffer),
					 __alignof__(struct gdl_buffer), 0,
					 buffer_construct);
	if (!buffer_cache)
		return -ENOMEM;
	ret = rhashtable_init(&objects, &object_params);
	if (ret)
		goto out_cache;
	ret = gdl_id_init();
	if (!ret)
		return 0;
	rhashtable_destroy(&objects);
out_cache:
	kmem_cache_destroy(buffer_cache);
	return ret;
}

static bool buffers_wait(void)
{
	bool any;

	xa_lock_irq(&gdl_buffers);
	any = waiting;
	xa_unlock_irq(&gdl_buffers);
	return any;
}

/**
 * gdl_buffer_exit() - forget all buffers
 *
 * No event and no command may come any more.
 *
 * Context: May sleep.
 */
void gdl_buffer_exit(void)
{
	remove_matching(is_any, NULL);
	/* Those that wait, then those that were dying meanwhile. */
	while (buffers_wait()) {
		rcu_barrier();
		flush_work(&free_work);
	}
	/* Whoever has freed the last of them may not have returned yet. */
	flush_work(&free_work);
	gdl_id_exit();
	rhashtable_destroy(&objects);
	kmem_cache_destroy(buffer_cache);
}
