// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attachments: which device imports which buffer, and what it has mapped.
 *
 * Like a buffer an attachment is found by the kernel's address of it, and by an
 * id that readers walk by. It names its buffer by id: it does not hold on to it. It is
 * in a list of its agent's; when that is removed, it becomes agent 0's.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dma-buf.h>
#include <linux/rhashtable.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "gpu_dma_lock.h"
#include "trace.h"

static DEFINE_XARRAY_FLAGS(attachments, XA_FLAGS_LOCK_IRQ);
static struct rhashtable by_attach;
static struct kmem_cache *attachment_cache;
/* Of two that see an attachment for the first time one adopts it. */
static DEFINE_SPINLOCK(adopt_lock);
static atomic64_t last_id = ATOMIC64_INIT(0);

static const struct rhashtable_params attach_params = {
	.key_len	= sizeof_field(struct gdl_attachment, attach),
	.key_offset	= offsetof(struct gdl_attachment, attach),
	.head_offset	= offsetof(struct gdl_attachment, node),
	.automatic_shrinking = true,
};

const char * const gdl_direction_names[GDL_NR_DIRECTIONS] = {
	[DMA_BIDIRECTIONAL]	= "bidirectional",
	[DMA_TO_DEVICE]		= "to_device",
	[DMA_FROM_DEVICE]	= "from_device",
};

static void attachment_free(struct gdl_attachment *a)
{
	put_pid(a->pid);
	kmem_cache_free(attachment_cache, a);
}

static void attachment_free_rcu(struct rcu_head *head)
{
	attachment_free(container_of(head, struct gdl_attachment, rcu));
}

static struct gdl_attachment *attachment_lookup(const void *attach)
{
	return rhashtable_lookup(&by_attach, &attach, attach_params);
}

/* Make @a one of @agent's, with the lock of attachments. */
static void join_agent(struct gdl_attachment *a, struct gdl_agent *agent)
{
	WRITE_ONCE(a->agent, agent);
	hlist_add_head(&a->of_agent, &agent->attachments);
	WRITE_ONCE(agent->nr_attachments, agent->nr_attachments + 1);
}

static void leave_agent(struct gdl_attachment *a)
{
	hlist_del(&a->of_agent);
	WRITE_ONCE(a->agent->nr_attachments, a->agent->nr_attachments - 1);
}

static bool tree_erase(struct gdl_attachment *a)
{
	unsigned long flags;
	bool found;

	xa_lock_irqsave(&attachments, flags);
	found = __xa_erase(&attachments, a->id) == a;
	if (found)
		leave_agent(a);
	xa_unlock_irqrestore(&attachments, flags);
	return found;
}

/* Of several callers one does it: the one that got it out of the tree. */
static bool attachment_remove(struct gdl_attachment *a)
{
	struct gdl_buffer *b;

	rhashtable_remove_fast(&by_attach, &a->node, attach_params);
	if (!tree_erase(a))
		return false;
	/* An importer may detach without having unmapped. */
	gdl_dma_hold_detach(a);
	b = gdl_buffer_lookup(a->buffer_id);
	if (b)
		atomic_dec(&b->attachments);
	call_rcu(&a->rcu, attachment_free_rcu);
	return true;
}

static struct gdl_attachment *
attachment_alloc(struct gdl_buffer *b, const void *attach, const char *importer,
		 struct task_struct *task)
{
	struct gdl_attachment *a;

	a = kmem_cache_zalloc(attachment_cache, GFP_ATOMIC | __GFP_NOWARN);
	if (!a)
		return NULL;
	a->id = atomic64_inc_return(&last_id);
	a->attach = attach;
	a->buffer_id = b->id;
	a->agent = gdl_agent_of(task);
	a->created = jiffies;
	a->pid = get_pid(task_tgid(task));
	strscpy(a->comm, gdl_process_name(task), sizeof(a->comm));
	strscpy(a->importer, importer, sizeof(a->importer));
	return a;
}

static int tree_insert(struct gdl_attachment *a)
{
	unsigned long flags;
	int ret;

	xa_lock_irqsave(&attachments, flags);
	ret = __xa_insert(&attachments, a->id, a, GFP_ATOMIC | __GFP_NOWARN);
	if (!ret)
		join_agent(a, a->agent);
	xa_unlock_irqrestore(&attachments, flags);
	return ret;
}

static int attachment_insert(struct gdl_attachment *a)
{
	struct gdl_attachment *old;
	int ret = tree_insert(a);
	bool missed;

	if (ret)
		return ret;
	while (!ret) {
		old = rhashtable_lookup_get_insert_fast(&by_attach, &a->node,
							attach_params);
		if (!old)
			return 0;
		ret = PTR_ERR_OR_ZERO(old);
		if (ret)
			break;
		/* Else it was adopted between the call that makes it and the end of that. */
		missed = !old->adopted || old->buffer_id != a->buffer_id;
		/* An attachment that missed its detach had this address. */
		if (attachment_remove(old) && missed)
			gdl_stat_inc(GDL_STAT_ATTACHMENTS_STALE);
	}
	tree_erase(a);
	return ret;
}

/* Let @a be found. */
static int publish(struct gdl_buffer *b, struct gdl_attachment *a)
{
	atomic_inc(&b->attachments);
	if (!attachment_insert(a)) {
		trace_gdl_attach(a);
		return 0;
	}
	atomic_dec(&b->attachments);
	/* It may have been seen in the tree. */
	call_rcu(&a->rcu, attachment_free_rcu);
	return -ENOMEM;
}

static int attachment_create(const struct dma_buf_attachment *attach,
			     struct task_struct *task, bool adopted)
{
	struct gdl_buffer *b = gdl_buffer_of_dmabuf(attach->dmabuf);
	struct gdl_attachment *a;

	if (!b)
		return 0;
	a = attachment_alloc(b, attach, dev_name(attach->dev), task);
	if (!a)
		return -ENOMEM;
	a->adopted = adopted;
	a->peer2peer = attach->peer2peer;
	return publish(b, a);
}

/**
 * gdl_attachment_create() - a device was attached to a dma-buf
 * @attach: the new attachment
 *
 * Context: Process or soft interrupt context. Does not sleep.
 * Return: 0, also for a dma-buf that is not known; -ENOMEM: it could not be tracked.
 */
int gdl_attachment_create(const struct dma_buf_attachment *attach)
{
	int ret;

	rcu_read_lock();
	ret = attachment_create(attach, current, false);
	rcu_read_unlock();
	return ret;
}

static int adopt(const struct dma_buf_attachment *attach, struct task_struct *task)
{
	int ret = 0;

	spin_lock_bh(&adopt_lock);
	if (!attachment_lookup(attach))
		ret = attachment_create(attach, task, true);
	spin_unlock_bh(&adopt_lock);
	return ret;
}

/**
 * gdl_attachment_adopt() - a device was attached before the module was loaded
 * @attach: the attachment; stays attached meanwhile
 * @task: the task that has the dma-buf open
 *
 * Context: As gdl_attachment_create().
 */
void gdl_attachment_adopt(const struct dma_buf_attachment *attach,
			  struct task_struct *task)
{
	rcu_read_lock();
	if (adopt(attach, task))
		gdl_stat_lost(GDL_STAT_ATTACHMENTS_LOST);
	rcu_read_unlock();
}

/**
 * gdl_attachment_remove() - a device is being detached
 * @attach: the attachment
 *
 * Context: As gdl_attachment_create().
 */
void gdl_attachment_remove(const void *attach)
{
	struct gdl_attachment *a;

	rcu_read_lock();
	a = attachment_lookup(attach);
	if (a) {
		trace_gdl_detach(a);
		attachment_remove(a);
	}
	rcu_read_unlock();
}

static bool valid(enum dma_data_direction direction)
{
	return direction >= 0 && direction < GDL_NR_DIRECTIONS;
}

/* What a DMA of that direction needs: it writes to memory unless to a device. */
static enum gdl_lock_mode mode_of(enum dma_data_direction direction)
{
	return direction == DMA_TO_DEVICE ? GDL_LOCK_SHARED :
					    GDL_LOCK_EXCLUSIVE;
}

static int check_locked(const struct gdl_buffer *b,
			struct gdl_agent *agent, enum gdl_lock_mode mode,
			const char *use, bool enforce)
{
	if (!READ_ONCE(b->locked))
		return 0;
	return gdl_dma_hold_check(b->id, agent, mode, use, enforce);
}

static int check_attach(const struct gdl_buffer *b, struct gdl_agent *agent,
			bool enforce)
{
	int ret = gdl_perm_check_attach(b, agent, enforce);

	if (!ret)
		ret = check_locked(b, agent, GDL_LOCK_SHARED, "attach", enforce);
	return ret ?: gdl_cap_check(agent, READ_ONCE(agent->nr_attachments),
				    GDL_CAP_ATTACHMENTS, enforce);
}

/**
 * gdl_attachment_check() - may the current process attach a device to a dma-buf?
 * @dmabuf: the dma-buf
 * @enforce: refuse it; else it is only counted and traced
 *
 * Context: As gdl_attachment_create().
 * Return: 0, or -EACCES: it is another agent's, and there is no permission;
 * -EBUSY: another agent has it locked exclusively; -EDQUOT: the process's agent has
 * as many attachments as it may.
 */
int gdl_attachment_check(const struct dma_buf *dmabuf, bool enforce)
{
	struct gdl_buffer *b;
	int ret = 0;

	rcu_read_lock();
	b = gdl_buffer_of_dmabuf(dmabuf);
	if (b)
		ret = check_attach(b, gdl_agent_of(current), enforce);
	rcu_read_unlock();
	return ret;
}

/**
 * gdl_attachment_check_mmap() - may the current process map a dma-buf into its
 * address space?
 * @dmabuf: the dma-buf
 * @write: for writing
 * @enforce: refuse it; else it is only counted and traced
 *
 * Context: As gdl_attachment_create().
 * Return: 0, or -EBUSY: another agent's lock forbids it.
 */
int gdl_attachment_check_mmap(const struct dma_buf *dmabuf, bool write,
			      bool enforce)
{
	struct gdl_buffer *b;
	int ret = 0;

	rcu_read_lock();
	b = gdl_buffer_of_dmabuf(dmabuf);
	if (b)
		ret = check_locked(b, gdl_agent_of(current),
				   write ? GDL_LOCK_EXCLUSIVE : GDL_LOCK_SHARED,
				   "mmap", enforce);
	rcu_read_unlock();
	return ret;
}

/* One that is being removed gets nothing new any more. */
static struct gdl_agent *or_host(struct gdl_agent *agent)
{
	return READ_ONCE(agent->removed) ? &gdl_host : agent;
}

/* What rules allow @agent, locks may forbid. */
static int hold(struct gdl_attachment *a, struct gdl_agent *agent,
		enum dma_data_direction direction, bool enforce)
{
	int ret = gdl_dma_hold_begin(a, agent, mode_of(direction), enforce);

	if (ret && ret != -ENOENT)
		return ret;
	atomic_inc(&a->mapped[direction]);
	return 0;
}

/* By the importer's agent. */
static int map_begin(struct gdl_attachment *a,
		     enum dma_data_direction direction, bool enforce)
{
	struct gdl_agent *agent = or_host(READ_ONCE(a->agent));
	const struct gdl_buffer *b = gdl_buffer_lookup(a->buffer_id);
	int ret = 0;

	if (b)
		ret = gdl_perm_check_map(b, agent, direction, enforce);
	return ret ?: hold(a, agent, direction, enforce);
}

/*
 * An attachment that is about to be mapped, but was not seen when it was made: it is older
 * than the module, or was lost. The task that maps it is taken for the importer.
 */
static int adopt_at_map(const struct dma_buf_attachment *attach)
{
	int ret;

	/* The kernel warns of that. */
	if (!attach || !attach->dmabuf)
		return 0;
	ret = gdl_dmabuf_adopt(attach->dmabuf, NULL);
	return ret ?: adopt(attach, current);
}

/**
 * gdl_attachment_map_begin() - an attachment is about to be mapped for DMA
 * @attach: the attachment
 * @direction: of the DMA
 * @enforce: refuse it if it is forbidden; else that is only counted and traced
 *
 * It counts as mapped from here on, so that no lock is granted meanwhile.
 * gdl_attachment_map_end() follows, or gdl_attachment_unmap() if it fails.
 *
 * Context: As gdl_attachment_create().
 * Return: 0, or -EACCES: the buffer is another agent's, and there is no
 * permission for it; -EBUSY: another agent's lock forbids it; -EDQUOT: its agent has
 * as many mappings as it may; -ENOMEM or -EFBIG: it could not be tracked, and counts as
 * not mapped.
 */
int gdl_attachment_map_begin(const struct dma_buf_attachment *attach,
			     enum dma_data_direction direction, bool enforce)
{
	struct gdl_attachment *a;
	int ret = 0;

	if (!valid(direction))
		return 0;
	rcu_read_lock();
	a = attachment_lookup(attach);
	if (unlikely(!a)) {
		ret = adopt_at_map(attach);
		a = attachment_lookup(attach);
	}
	if (a && !ret)
		ret = map_begin(a, direction, enforce);
	rcu_read_unlock();
	return ret;
}

/**
 * gdl_attachment_map_end() - an attachment was mapped for DMA
 * @attach: the attachment
 * @sgt: the mapping, or NULL
 * @direction: of the DMA
 *
 * Context: As gdl_attachment_create().
 */
void gdl_attachment_map_end(const void *attach,
			    const struct sg_table *sgt,
			    enum dma_data_direction direction)
{
	struct gdl_attachment *a;
	struct gdl_buffer *b;

	if (!valid(direction))
		return;
	rcu_read_lock();
	a = attachment_lookup(attach);
	if (a) {
		b = gdl_buffer_lookup(a->buffer_id);
		if (b && sgt && sgt->sgl) {
			WRITE_ONCE(b->dma_addr, sg_dma_address(sgt->sgl));
			gdl_perm_audit_mapping(b, sgt, direction);
		}
		trace_gdl_map(a, direction);
	}
	rcu_read_unlock();
}

/**
 * gdl_attachment_unmap() - a mapping of an attachment ends, or failed
 * @attach: the attachment
 * @direction: of the DMA
 *
 * Context: As gdl_attachment_create().
 */
void gdl_attachment_unmap(const void *attach,
			  enum dma_data_direction direction)
{
	struct gdl_attachment *a;

	if (!valid(direction))
		return;
	rcu_read_lock();
	a = attachment_lookup(attach);
	/* A mapping from before the attachment was seen was not counted. */
	if (a && atomic_add_unless(&a->mapped[direction], -1, 0)) {
		trace_gdl_unmap(a, direction);
		gdl_dma_hold_end(a, mode_of(direction));
	}
	rcu_read_unlock();
}

/**
 * gdl_attachment_pin() - an attachment's buffer was pinned
 * @attach: the attachment
 *
 * Context: As gdl_attachment_create().
 */
void gdl_attachment_pin(const struct dma_buf_attachment *attach)
{
	struct gdl_attachment *a;

	rcu_read_lock();
	a = attachment_lookup(attach);
	if (a)
		atomic_inc(&a->pinned);
	rcu_read_unlock();
}

/**
 * gdl_attachment_unpin() - a pin of an attachment's buffer is being undone
 * @attach: the attachment
 *
 * Context: As gdl_attachment_create().
 */
void gdl_attachment_unpin(const struct dma_buf_attachment *attach)
{
	struct gdl_attachment *a;

	rcu_read_lock();
	a = attachment_lookup(attach);
	if (a)
		atomic_add_unless(&a->pinned, -1, 0);
	rcu_read_unlock();
}

/**
 * gdl_attachment_last_id() - the highest id given away so far
 *
 * Context: Any.
 * Return: The id, 0 before the first.
 */
u64 gdl_attachment_last_id(void)
{
	return atomic64_read(&last_id);
}

/**
 * gdl_attachment_next() - walk the attachments in the order they were made
 * @id: the lowest id wanted
 *
 * Context: Caller holds rcu_read_lock().
 * Return: The first attachment from @id on, or NULL.
 */
struct gdl_attachment *gdl_attachment_next(u64 id)
{
	unsigned long index = id;

	return xa_find(&attachments, &index, ULONG_MAX, XA_PRESENT);
}

/* Hand over the first of what @agent has; return whether there was one. */
static bool hand_over_first(struct gdl_agent *agent)
{
	struct gdl_attachment *a;

	xa_lock_irq(&attachments);
	a = hlist_entry_safe(agent->attachments.first, struct gdl_attachment, of_agent);
	if (a) {
		leave_agent(a);
		join_agent(a, &gdl_host);
	}
	xa_unlock_irq(&attachments);
	return a;
}

/**
 * gdl_attachment_hand_over() - make agent 0 the importer where @agent was
 * @agent: an agent that was removed, a grace period ago
 *
 * Context: May sleep.
 */
void gdl_attachment_hand_over(struct gdl_agent *agent)
{
	while (hand_over_first(agent))
		cond_resched();
}

/**
 * gdl_attachment_check_cap() - may the current process's agent have one more?
 * @enforce: refuse it; else it is only counted
 *
 * Context: Any. Caller holds rcu_read_lock().
 * Return: 0, or -EDQUOT: it has as many as it may.
 */
int gdl_attachment_check_cap(bool enforce)
{
	struct gdl_agent *agent = gdl_agent_of(current);

	return gdl_cap_check(agent, READ_ONCE(agent->nr_attachments), GDL_CAP_ATTACHMENTS,
			     enforce);
}

static struct gdl_attachment *
alloc_added(struct gdl_buffer *b, const void *key, const char *importer)
{
	struct gdl_attachment *a = attachment_alloc(b, key, importer, current);

	if (!a)
		return NULL;
	a->added = true;
	a->peer2peer = true;
	atomic_set(&a->pinned, 1);
	return a;
}

/**
 * gdl_attachment_add() - a driver has a buffer that is no dma-buf
 * @b: the buffer, which is pinned meanwhile
 * @key: what the attachment is known by
 * @importer: the driver that has it
 *
 * It is the current process's.
 *
 * Context: As gdl_attachment_create(). Caller holds rcu_read_lock().
 * Return: 0 or -ENOMEM.
 */
int gdl_attachment_add(struct gdl_buffer *b, const void *key, const char *importer)
{
	struct gdl_attachment *a = alloc_added(b, key, importer);

	return a ? publish(b, a) : -ENOMEM;
}

static bool is_mapped(const struct gdl_attachment *a)
{
	int i;

	for (i = 0; i < GDL_NR_DIRECTIONS; i++)
		if (atomic_read(&a->mapped[i]))
			return true;
	return false;
}

static bool is_of(const struct gdl_attachment *a, const struct gdl_agent *agent,
		  const char *importer)
{
	return READ_ONCE(a->agent) == agent &&
	       !strncmp(a->importer, importer, sizeof(a->importer) - 1);
}

static int check_another(struct gdl_agent *agent, const struct gdl_attachment *old, bool enforce)
{
	if (old && READ_ONCE(old->agent) == agent)
		return 0;
	return gdl_cap_check(agent, READ_ONCE(agent->nr_attachments), GDL_CAP_ATTACHMENTS,
			     enforce);
}

/* @old, or NULL, stays until the other one may be mapped. */
static int replace(struct gdl_buffer *b, struct gdl_attachment *old, struct gdl_attachment *a,
		   struct gdl_agent *agent, bool enforce)
{
	int ret = check_another(agent, old, enforce) ?:
		  hold(a, agent, DMA_BIDIRECTIONAL, enforce);

	if (ret) {
		/* Nobody has seen it. */
		attachment_free(a);
		return ret;
	}
	if (old) {
		trace_gdl_detach(old);
		attachment_remove(old);
	}
	ret = publish(b, a);
	if (ret)
		gdl_dma_hold_detach(a);
	return ret;
}

/**
 * gdl_attachment_map_begin_added() - the current process is about to map what was added
 * @b: its buffer
 * @key: what it is known by
 * @importer: the device that it is mapped for
 * @enforce: refuse it if it is forbidden; else that is only counted and traced
 *
 * It is judged as the current process's, whichever has the attachment. Unless that is
 * mapped, another one takes its place if the device or the agent is another.
 * gdl_attachment_map_end() follows, or gdl_attachment_unmap() if it fails.
 *
 * Context: As gdl_attachment_add(). Of callers with one @key there is one at a time.
 * Return: 0, -EACCES, -EBUSY or -EDQUOT as gdl_attachment_map_begin(), or since its agent
 * has as many attachments as it may: the attachment is as it was. -ENOMEM: likewise, or
 * there is none.
 */
int gdl_attachment_map_begin_added(struct gdl_buffer *b, const void *key,
				   const char *importer, bool enforce)
{
	struct gdl_agent *agent = or_host(gdl_agent_of(current));
	struct gdl_attachment *old = attachment_lookup(key), *a;
	int ret = gdl_perm_check_map(b, agent, DMA_BIDIRECTIONAL, enforce);

	if (ret)
		return ret;
	if (old && (is_mapped(old) || is_of(old, agent, importer)))
		return hold(old, agent, DMA_BIDIRECTIONAL, enforce);
	a = alloc_added(b, key, importer);
	return a ? replace(b, old, a, agent, enforce) : -ENOMEM;
}

/**
 * gdl_attachment_drop_added() - what was added has ended, wherever that was missed
 *
 * Context: May sleep.
 */
void gdl_attachment_drop_added(void)
{
	struct gdl_attachment *a;
	u64 id = 0;

	do {
		rcu_read_lock();
		a = gdl_attachment_next(id);
		id = a ? a->id + 1 : 0;
		if (a && a->added && attachment_remove(a))
			gdl_stat_inc(GDL_STAT_ATTACHMENTS_STALE);
		rcu_read_unlock();
		cond_resched();
	} while (a);
}

/**
 * gdl_attachment_init() - make the tables
 *
 * Context: May sleep.
 * Return: 0 or -ENOMEM.
 */
int gdl_attachment_init(void)
{
	int ret;

	attachment_cache = KMEM_CACHE(gdl_attachment, 0);
	if (!attachment_cache)
		return -ENOMEM;
	ret = rhashtable_init(&by_attach, &attach_params);
	if (ret)
		kmem_cache_destroy(attachment_cache);
	return ret;
}

/**
 * gdl_attachment_exit() - forget all attachments; no event may come any more
 *
 * Context: May sleep.
 */
void gdl_attachment_exit(void)
{
	struct gdl_attachment *a;
	unsigned long id;

	/* Nobody else frees one any more. */
	xa_for_each(&attachments, id, a) {
		rcu_read_lock();
		attachment_remove(a);
		rcu_read_unlock();
		cond_resched();
	}
	rcu_barrier();
	rhashtable_destroy(&by_attach);
	xa_destroy(&attachments);
	kmem_cache_destroy(attachment_cache);
}
