// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers: every GEM object, dma-buf and ledger entry there is, each once.
 *
 * Two indexes lead to a buffer. The tree gdl_buffers has all of them by id: it
 * is what commands look up and what /proc walks, and its lock decides which task frees
 * a buffer and which agent it is charged to. The hash table objects has the real ones
 * by the address of a kernel object, which is a key only: it is never followed.
 * See object.c.
 *
 * Buffers are freed after a grace period: a task that finds one under rcu_read_lock()
 * may read it until rcu_read_unlock(), and needs no reference.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/hash.h>
#include <linux/irq_work.h>
#include <linux/mm.h>
#include <linux/mutex.h>
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

bool gdl_debug;

#define gdl_dbg(fmt, ...)						\
do {									\
	if (unlikely(READ_ONCE(gdl_debug)))				\
		pr_info_ratelimited(fmt, ##__VA_ARGS__);		\
} while (0)

static struct rhashtable objects;
static struct kmem_cache *buffer_cache;

/*
 * Removed buffers. Those of waiting are freed a grace period from when they were
 * put there; only then are those of dying, which were removed meanwhile, put there
 * in turn. One callback of RCU does for all that are removed during a grace period.
 */
static struct gdl_buffer *waiting, *dying;	/* X */
static struct rcu_head waiting_rcu;

/*
 * Buffers whose last object has ended where the tables cannot be changed: a task removes
 * them. A task that takes some off the list holds ended_mutex until they are removed.
 */
static LLIST_HEAD(ended);
static DEFINE_MUTEX(ended_mutex);
static struct irq_work ended_irq_work;

const char * const gdl_kind_names[GDL_NR_KINDS] = {
	[GDL_KIND_GEM]		= "gem",
	[GDL_KIND_DMABUF]	= "dmabuf",
	[GDL_KIND_LEDGER]	= "ledger",
	[GDL_KIND_KERNEL]	= "kernel",
	[GDL_KIND_ALIAS]	= "alias",
	[GDL_KIND_USERPTR]	= "userptr",
	[GDL_KIND_NVIDIA]	= "nvidia",
	[GDL_KIND_REPORTED]	= "reported",
};

/* At least as many as are unsettled: without one, none is looked for. */
static atomic_t nr_unsettled = ATOMIC_INIT(0);

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
 * memory is used anew (init_on_alloc): gdl_buffer_alloc() sets every field. That is 170
 * instructions of a life. It does not when it is freed either, so there is none where the
 * kernel's init_on_free asks for that.
 */
static void buffer_construct(void *b)
{
}

static bool is_charged(enum gdl_kind kind)
{
	return kind == GDL_KIND_GEM || kind == GDL_KIND_DMABUF || kind == GDL_KIND_LEDGER ||
	       kind == GDL_KIND_REPORTED;
}

/* What of @b is charged: its size, or nothing. */
static u64 charge_of(const struct gdl_buffer *b)
{
	return b->charged ? b->size : 0;
}

/**
 * gdl_buffer_discard() - free a buffer that has no id
 * @b: the buffer
 *
 * Context: Any.
 */
void gdl_buffer_discard(struct gdl_buffer *b)
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

/**
 * gdl_buffer_alloc() - make a buffer that nobody finds yet, nor is charged for
 * @kind: its kind
 * @size: bytes
 * @task: what makes it, or NULL
 * @gfp: how to allocate it
 *
 * Context: As @gfp.
 * Return: The buffer, which gdl_buffer_insert() or gdl_buffer_discard() takes; or NULL.
 */
struct gdl_buffer *gdl_buffer_alloc(enum gdl_kind kind, u64 size, struct task_struct *task,
				    gfp_t gfp)
{
	struct gdl_buffer *b = kmem_cache_alloc(buffer_cache, gfp);

	if (!b)
		return NULL;
	*b = (struct gdl_buffer) {
		.size = size,
		.kind = kind,
		.created = jiffies,
		.lock_mode = GDL_LOCK_NONE,
	};
	/*
	 * Not get_task_comm(): on older kernels that takes a lock. The last byte
	 * is always 0, whatever writes to it meanwhile.
	 */
	if (task) {
		b->pid = get_pid(task_tgid(task));
		memcpy(b->comm, gdl_process_name(task), sizeof(b->comm));
	}
	return b;
}

static void free_waiting(struct work_struct *work);
static DECLARE_WORK(free_work, free_waiting);

/* Freeing many takes long: leave it to a task. */
static void waiting_done(struct rcu_head *head)
{
	schedule_work(&free_work);
}

/* Let what was removed wait for a grace period, unless more of it still does. */
static void begin_waiting(void)
{
	lockdep_assert_held(&gdl_buffers.xa_lock);
	if (waiting || !dying)
		return;
	waiting = dying;
	dying = NULL;
	call_rcu(&waiting_rcu, waiting_done);
}

/* Nothing is on the list, nor has anybody what was. */
static bool none_ended(void)
{
	if (!llist_empty(&ended))
		return false;
	/* A task that takes some holds the mutex before, and lets go of it after. */
	smp_rmb();
	return !mutex_is_locked(&ended_mutex);
}

/**
 * gdl_buffers_remove_ended() - remove what has ended where that could not be done
 *
 * Context: May sleep. What is on the way in another task is waited for.
 */
void gdl_buffers_remove_ended(void)
{
	struct gdl_buffer *b, *next;

	if (none_ended())
		return;
	mutex_lock(&ended_mutex);
	llist_for_each_entry_safe(b, next, llist_del_all(&ended), of_ended) {
		rcu_read_lock();
		gdl_buffer_remove(b);
		rcu_read_unlock();
		cond_resched();
	}
	mutex_unlock(&ended_mutex);
}

static void ended_do(struct work_struct *work)
{
	gdl_buffers_remove_ended();
}

static DECLARE_WORK(ended_work, ended_do);

/* Not at once: the task that has ended it may hold a lock that waking a task takes. */
static void ended_interrupt(struct irq_work *work)
{
	schedule_work(&ended_work);
}

static void free_waiting(struct work_struct *work)
{
	struct gdl_buffer *removed = waiting;

	/*
	 * An ended buffer may have been removed otherwise. A grace period ago it could be
	 * found last, so it is on the list by now, or never.
	 */
	gdl_buffers_remove_ended();
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

/* Make @to the one that @b is charged to; under the lock of gdl_buffers. */
static void set_dq(struct gdl_buffer *b, struct gdl_device_quota *to)
{
	if (b->nr_resources)
		gdl_regions_move(b, to);
	hlist_del(&b->of_dq);
	hlist_add_head(&b->of_dq, &to->held);
	WRITE_ONCE(b->dq, to);
}

static void end_unsettled(struct gdl_buffer *b)
{
	b->unsettled = false;
	atomic_dec(&nr_unsettled);
}

/* The open file that the buffer ends with, if it is of one. */
static struct gdl_ledger *ledger_of(const struct gdl_buffer *b)
{
	return b->kind == GDL_KIND_LEDGER ? b->ledger : NULL;
}

static void join_ledger(struct gdl_buffer *b, struct gdl_ledger *ledger)
{
	ledger->nr++;
	hlist_add_head(&b->of_ledger, &ledger->buffers);
}

static void leave_ledger(struct gdl_buffer *b, struct gdl_ledger *ledger)
{
	ledger->nr--;
	hlist_del(&b->of_ledger);
}

/* What the lock of gdl_buffers covers of a removal. */
static void bury(struct gdl_buffer *b)
{
	struct gdl_ledger *ledger = ledger_of(b);

	hlist_del(&b->of_dq);
	if (ledger)
		leave_ledger(b, ledger);
	if (unlikely(b->nr_resources))
		gdl_regions_move(b, NULL);
	if (unlikely(b->unsettled))
		end_unsettled(b);
	b->next_removed = dying;
	dying = b;
	begin_waiting();
}

static void count_end(const struct gdl_buffer *b)
{
	gdl_stat_inc(GDL_STAT_BUFFERS_FREED);
	if (b->kind == GDL_KIND_LEDGER)
		gdl_stat_inc(GDL_STAT_LEDGER_FREED);
	else if (b->kind == GDL_KIND_REPORTED)
		gdl_stat_inc(GDL_STAT_REPORTS_ENDED);
}

/* Memory whose every dma-buf is a buffer, see memory.c. */
static bool is_exported_again(const struct gdl_buffer *b)
{
	return b->kind != GDL_KIND_LEDGER && b->export;
}

/* Remove @b; but not if it is charged to another than @only, where that is not NULL. */
static __always_inline bool remove_from(struct gdl_buffer *b, const struct gdl_device_quota *only)
{
	struct gdl_device_quota *dq;
	unsigned long flags;
	bool found, locked, permitted;

	if (b->object)
		rhashtable_remove_fast(&objects, &b->node, object_params);
	xa_lock_irqsave(&gdl_buffers, flags);
	dq = b->dq;
	found = (!only || dq == only) && gdl_id_take(b);
	locked = b->locked;
	permitted = b->permitted;
	if (found)
		bury(b);
	xa_unlock_irqrestore(&gdl_buffers, flags);
	if (!found)
		return false;
	if (locked)
		gdl_lock_buffer_gone(b->id);
	if (permitted)
		gdl_perm_buffer_gone(b);
	if (unlikely(is_exported_again(b)))
		gdl_memory_leave(b);
	trace_gdl_buffer_free(b, dq);
	gdl_uncharge(dq, charge_of(b));
	count_end(b);
	gdl_dbg("buffer %llu of %llu bytes freed\n", b->id, b->size);
	return true;
}

/**
 * gdl_buffer_remove() - take a buffer out of the tables and uncharge it
 * @b: the buffer, found under rcu_read_lock()
 *
 * It is freed after a grace period.
 *
 * Context: Any but hard interrupt.
 * Return: Whether this call did it. Of several callers one does: the one that takes
 * its id back.
 */
bool gdl_buffer_remove(struct gdl_buffer *b)
{
	return remove_from(b, NULL);
}

/**
 * gdl_buffer_remove_from() - likewise, but not if it is charged to another by now
 * @b: the buffer, found under rcu_read_lock()
 * @dq: what it was charged to
 *
 * Context: Any but hard interrupt.
 * Return: Whether this call did it.
 */
bool gdl_buffer_remove_from(struct gdl_buffer *b, const struct gdl_device_quota *dq)
{
	return remove_from(b, dq);
}

static int check_cap(struct gdl_agent *agent, bool enforce)
{
	return gdl_cap_check(agent, atomic64_read(&agent->buffers), GDL_CAP_BUFFERS, enforce);
}

/*
 * Charge @size bytes of @b to @dq; where the policy is to be enforced, only within the
 * limits.
 */
static int real_charge(struct gdl_buffer *b, struct gdl_device_quota *dq, u64 size,
		       bool enforce)
{
	int ret = check_cap(dq->agent, enforce);

	if (ret)
		return ret;
	if (enforce && size)
		return gdl_try_charge(dq, size, GDL_BYTES_MAX);
	b->overrun = gdl_charge(dq, size) && gdl_policy_enforces();
	return 0;
}

/**
 * gdl_buffer_insert() - give a charged buffer an id
 * @b: the buffer, not of the ledger before it has GDL_LIVE_LEDGER; removed it can be
 *	from here on
 *
 * Context: Any but hard interrupt. Does not sleep.
 * Return: 0, -ENOMEM, or -ENOSPC: its open file has as many as it may.
 */
int gdl_buffer_insert(struct gdl_buffer *b)
{
	struct gdl_ledger *ledger = ledger_of(b);
	unsigned long flags;
	int ret = 0;

	xa_lock_irqsave(&gdl_buffers, flags);
	if (ledger && ledger->nr >= ledger->max)
		ret = -ENOSPC;
	if (!ret)
		ret = gdl_id_give(b);
	if (!ret) {
		if (ledger)
			join_ledger(b, ledger);
		hlist_add_head(&b->of_dq, &b->dq->held);
		gdl_id_show(b);
	}
	xa_unlock_irqrestore(&gdl_buffers, flags);
	return ret;
}

/**
 * gdl_buffer_create() - charge a new real buffer and give it an id
 * @kind: its kind; the kernel's own is agent 0's, and only counted, as aliases are
 * @device: where it is; NULL if there was no memory for it
 * @size: bytes
 * @task: what makes it, whose agent is charged; NULL: nobody knows, and agent 0 is
 * @enforce: refuse it if that passes a limit
 *
 * It is not shown before it has a kernel object, see gdl_buffer_set_object().
 *
 * Context: Any but hard interrupt. Caller holds rcu_read_lock(). Does not sleep.
 * Return: The buffer; -EDQUOT or -ENOSPC where it is refused; -ENOMEM; -EFBIG no
 * memory can be of that size.
 */
struct gdl_buffer *gdl_buffer_create(enum gdl_kind kind,
				     struct gdl_device *device, u64 size,
				     struct task_struct *task, bool enforce)
{
	const gfp_t gfp = GFP_ATOMIC | __GFP_NOWARN;
	struct gdl_buffer *b;
	int ret = -ENOMEM;

	if (size > REAL_SIZE_MAX)
		return ERR_PTR(-EFBIG);
	if (!device)
		return ERR_PTR(-ENOMEM);
	b = gdl_buffer_alloc(kind, size, task, gfp);
	if (!b)
		return ERR_PTR(-ENOMEM);
	b->charged = is_charged(kind);
	b->dq = gdl_agent_device_quota(task && kind != GDL_KIND_KERNEL ? gdl_agent_of(task) :
									 &gdl_host,
				       device, gfp);
	if (!b->dq)
		goto out_free;
	ret = real_charge(b, b->dq, charge_of(b), enforce);
	if (ret)
		goto out_free;
	ret = gdl_buffer_insert(b);
	if (ret)
		goto out_uncharge;
	gdl_stat_inc(GDL_STAT_BUFFERS_CREATED);
	gdl_dbg("buffer %llu of %llu bytes created\n", b->id, size);
	trace_gdl_buffer_create(b, b->dq);
	return b;

out_uncharge:
	gdl_uncharge(b->dq, charge_of(b));
out_free:
	gdl_buffer_discard(b);
	return ERR_PTR(ret);
}

/**
 * gdl_buffer_unsettle() - leave open whose a new buffer is
 * @b: the buffer, of the kind GDL_KIND_KERNEL; that is what it stays if nobody
 *	settles it
 *
 * Context: As gdl_buffer_create(). Nobody else finds the buffer yet.
 */
void gdl_buffer_unsettle(struct gdl_buffer *b)
{
	b->unsettled = true;
	atomic_inc(&nr_unsettled);
}

/**
 * gdl_buffers_unsettled() - can there be a buffer to settle?
 *
 * Context: Any. One that the caller has made itself counts.
 * Return: False if there is none.
 */
bool gdl_buffers_unsettled(void)
{
	return atomic_read(&nr_unsettled);
}

/* Give @b, of which @size bytes are charged to @to, to it; if it still is there. */
static bool settle_locked(struct gdl_buffer *b, enum gdl_kind kind,
			  struct gdl_device_quota *to, bool charged)
{
	unsigned long flags;
	bool done;

	xa_lock_irqsave(&gdl_buffers, flags);
	done = b->unsettled && gdl_id_held(b);
	if (done) {
		set_dq(b, to);
		b->charged = charged;
		WRITE_ONCE(b->kind, kind);
		end_unsettled(b);
	}
	xa_unlock_irqrestore(&gdl_buffers, flags);
	return done;
}

/**
 * gdl_buffer_settle() - say whose an unsettled buffer is
 * @b: the buffer, found under rcu_read_lock()
 * @kind: what it is: GDL_KIND_GEM is charged, all others are only counted
 * @task: what made it, whose agent's it is, unless it is the kernel's
 * @enforce: refuse it if that passes a limit
 *
 * Context: As gdl_buffer_create().
 * Return: 0; -EDQUOT or -ENOSPC where it is refused, -ENOMEM: it is as it was.
 */
int gdl_buffer_settle(struct gdl_buffer *b, enum gdl_kind kind,
		      struct task_struct *task, bool enforce)
{
	struct gdl_device_quota *from = READ_ONCE(b->dq), *to = from;
	bool charged = is_charged(kind);
	u64 size = charged ? b->size : 0;
	int ret;

	if (kind != GDL_KIND_KERNEL)
		to = gdl_agent_device_quota(gdl_agent_of(task), from->device,
					    GFP_ATOMIC | __GFP_NOWARN);
	if (!to || (READ_ONCE(from->regions) && !gdl_regions_get(to)))
		return -ENOMEM;
	ret = real_charge(b, to, size, enforce);
	if (ret)
		return ret;
	if (!settle_locked(b, kind, to, charged)) {
		gdl_uncharge(to, size);
		return 0;
	}
	gdl_uncharge(from, 0);
	trace_gdl_buffer_settle(b, to);
	return 0;
}

/**
 * gdl_buffer_set_object() - make a buffer the one at an address
 * @b: a new real buffer
 * @object: the address; a buffer that is there already has ended, or is stale, and is
 *	dropped
 *
 * Context: As gdl_buffer_create().
 * Return: False if there was no memory.
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
		if (gdl_buffer_remove(old) && !old->ended)
			gdl_stat_inc(GDL_STAT_BUFFERS_STALE);
	}
	b->object = NULL;
	return false;
}

/**
 * gdl_buffer_of_object() - find the buffer at an address
 * @object: the address
 *
 * Context: Any. Caller holds rcu_read_lock().
 * Return: The buffer, or NULL.
 */
struct gdl_buffer *gdl_buffer_of_object(const void *object)
{
	struct gdl_buffer *b = rhashtable_lookup(&objects, &object, object_params);

	return b && !READ_ONCE(b->ended) ? b : NULL;
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
 * gdl_buffer_object_gone_atomic() - a kernel object behind a buffer is gone, where the
 * tables cannot be changed
 * @b: the buffer, found under rcu_read_lock(); it is not found by an object any more if
 *	this was its last, and is removed and uncharged soon
 * @live: which, GDL_LIVE_*
 *
 * It takes no lock and no memory. Another object may be at the same address at once: its
 * buffer takes the place of this one.
 *
 * Context: Any, hard interrupts too.
 */
void gdl_buffer_object_gone_atomic(struct gdl_buffer *b, int live)
{
	if (atomic_fetch_andnot(live, &b->live) != live)
		return;
	WRITE_ONCE(b->ended, true);
	llist_add(&b->of_ended, &ended);
	irq_work_queue(&ended_irq_work);
}

/**
 * gdl_buffer_move() - give a buffer, with its charge, to another agent
 * @b: the buffer, found under rcu_read_lock()
 * @to: whom to charge, on the same device, whatever its limits
 *
 * Context: Any but hard interrupt.
 * Return: False if it is gone.
 */
bool gdl_buffer_move(struct gdl_buffer *b, struct gdl_device_quota *to)
{
	unsigned long flags;
	bool held;

	xa_lock_irqsave(&gdl_buffers, flags);
	held = gdl_id_held(b);
	if (held) {
		gdl_charge_move(b->dq, to, charge_of(b));
		set_dq(b, to);
	}
	xa_unlock_irqrestore(&gdl_buffers, flags);
	return held;
}

/**
 * gdl_buffer_init() - make the tables
 *
 * Context: May sleep.
 * Return: 0 or -ENOMEM.
 */
int gdl_buffer_init(void)
{
	int ret;

	init_irq_work(&ended_irq_work, ended_interrupt);
	buffer_cache = kmem_cache_create("gdl_buffer", sizeof(struct gdl_buffer),
					 __alignof__(struct gdl_buffer), 0,
					 want_init_on_free() ? NULL : buffer_construct);
	if (!buffer_cache)
		return -ENOMEM;
	ret = rhashtable_init(&objects, &object_params);
	if (ret)
		goto out_cache;
	ret = gdl_memory_init();
	if (ret)
		goto out_objects;
	ret = gdl_id_init();
	if (!ret)
		return 0;
	gdl_memory_exit();
out_objects:
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
 * gdl_buffer_exit() - free the tables, and what was removed
 *
 * There is no buffer any more, and no event and no command may come.
 *
 * Context: May sleep.
 */
void gdl_buffer_exit(void)
{
	irq_work_sync(&ended_irq_work);
	flush_work(&ended_work);
	/* Those that wait, then those that were dying meanwhile. */
	while (buffers_wait()) {
		rcu_barrier();
		flush_work(&free_work);
	}
	/* The call that has freed the last of them may not have returned yet. */
	flush_work(&free_work);
	gdl_id_exit();
	gdl_memory_exit();
	rhashtable_destroy(&objects);
	kmem_cache_destroy(buffer_cache);
}
