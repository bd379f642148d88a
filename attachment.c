// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attachments: which device imports which buffer, and what it has mapped.
 *
 * Like a buffer an attachment is found by the kernel's address of it, and by an
 * id that readers walk by. It names its buffer and its agent by id: it holds on
 * to neither.
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

static void attachment_free_rcu(struct rcu_head *head)
{
	struct gdl_attachment *a = container_of(head, struct gdl_attachment,
						rcu);

	put_pid(a->pid);
	kmem_cache_free(attachment_cache, a);
}

static struct gdl_attachment *attachment_lookup(const void *attach)
{
	return rhashtable_lookup(&by_attach, &attach, attach_params);
}

/* Of several callers one does it: whoever got it out of the tree. */
static bool attachment_remove(struct gdl_attachment *a)
{
	struct gdl_buffer *b;
	unsigned long flags;
	bool found;

	rhashtable_remove_fast(&by_attach, &a->node, attach_params);
	xa_lock_irqsave(&attachments, flags);
	found = __xa_erase(&attachments, a->id) == a;
	xa_unlock_irqrestore(&attachments, flags);
	if (!found)
		return false;
	/* An importer may detach without having unmapped. */
	gdl_lock_dma_end(a->buffer_id, a->id, GDL_LOCK_SHARED, true);
	gdl_lock_dma_end(a->buffer_id, a->id, GDL_LOCK_EXCLUSIVE, true);
	b = gdl_buffer_lookup(a->buffer_id);
	if (b)
		atomic_dec(&b->attachments);
	call_rcu(&a->rcu, attachment_free_rcu);
	return true;
}

static struct gdl_attachment *
attachment_alloc(struct gdl_buffer *b, const struct dma_buf_attachment *attach,
		 struct task_struct *task)
{
	struct gdl_attachment *a;

	a = kmem_cache_zalloc(attachment_cache, GFP_ATOMIC | __GFP_NOWARN);
	if (!a)
		return NULL;
	a->id = atomic64_inc_return(&last_id);
	a->attach = attach;
	a->buffer_id = b->id;
	a->agent_id = gdl_agent_of(task)->id;
	a->peer2peer = attach->peer2peer;
	a->created = jiffies;
	a->pid = get_pid(task_tgid(task));
	strscpy(a->comm, task->comm, sizeof(a->comm));
	strscpy(a->importer, dev_name(attach->dev), sizeof(a->importer));
	return a;
}

static int attachment_insert(struct gdl_attachment *a)
{
	struct gdl_attachment *old;
	unsigned long flags;
	int ret;

	xa_lock_irqsave(&attachments, flags);
	ret = __xa_insert(&attachments, a->id, a, GFP_ATOMIC | __GFP_NOWARN);
	xa_unlock_irqrestore(&attachments, flags);
	while (!ret) {
		old = rhashtable_lookup_get_insert_fast(&by_attach, &a->node,
							attach_params);
		if (!old)
			return 0;
		ret = PTR_ERR_OR_ZERO(old);
		/* An attachment that missed its detach had this address. */
		if (!ret && attachment_remove(old))
			gdl_stat_inc(GDL_STAT_ATTACHMENTS_STALE);
	}
	xa_lock_irqsave(&attachments, flags);
	__xa_erase(&attachments, a->id);
	xa_unlock_irqrestore(&attachments, flags);
	return ret;
}

static bool attachment_create(const struct dma_buf_attachment *attach,
			      struct task_struct *task, bool adopted)
{
	struct gdl_buffer *b = gdl_buffer_of_dmabuf(attach->dmabuf);
	struct gdl_attachment *a;

	if (!b)
		goto lost;
	a = attachment_alloc(b, attach, task);
	if (!a)
		goto lost;
	a->adopted = adopted;
	atomic_inc(&b->attachments);
	if (!attachment_insert(a)) {
		trace_gdl_attach(a);
		return true;
	}
	atomic_dec(&b->attachments);
	/* It may have been seen in the tree. */
	call_rcu(&a->rcu, attachment_free_rcu);
lost:
	gdl_stat_inc(GDL_STAT_ATTACHMENTS_LOST);
	return false;
}

/**
 * gdl_attachment_create() - a device was attached to a dma-buf
 * @attach: the new attachment
 *
 * Context: Probe handler, process or soft interrupt context. Does not sleep.
 * Return: False if it could not be tracked, which is counted.
 */
bool gdl_attachment_create(const struct dma_buf_attachment *attach)
{
	bool ret;

	rcu_read_lock();
	ret = attachment_create(attach, current, false);
	rcu_read_unlock();
	return ret;
}

/**
 * gdl_attachment_adopt() - a device was attached before the module was loaded
 * @attach: the attachment; stays attached meanwhile
 * @task: who has the dma-buf open
 *
 * Context: Does not sleep.
 */
void gdl_attachment_adopt(const struct dma_buf_attachment *attach,
			  struct task_struct *task)
{
	rcu_read_lock();
	if (!attachment_lookup(attach))
		attachment_create(attach, task, true);
	rcu_read_unlock();
}

/**
 * gdl_attachment_remove() - a device is being detached
 * @attach: the attachment
 *
 * Context: As gdl_attachment_create().
 */
void gdl_attachment_remove(const struct dma_buf_attachment *attach)
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
			const struct gdl_agent *agent, enum gdl_lock_mode mode,
			const char *use, bool enforce)
{
	if (!READ_ONCE(b->locked))
		return 0;
	return gdl_lock_check(b->id, agent, mode, use, enforce);
}

static int check_attach(const struct gdl_buffer *b, struct gdl_agent *agent,
			bool enforce)
{
	int ret = gdl_perm_check_attach(b, agent, enforce);

	return ret ?: check_locked(b, agent, GDL_LOCK_SHARED, "attach", enforce);
}

/**
 * gdl_attachment_check() - may the current process attach a device to a dma-buf?
 * @dmabuf: the dma-buf
 * @enforce: refuse it; else it is only counted and traced
 *
 * Context: As gdl_attachment_create().
 * Return: 0, or -EACCES: it is another agent's, and there is no permission;
 * -EBUSY: another agent has it locked exclusively.
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

static int map_begin(struct gdl_attachment *a,
		     enum dma_data_direction direction, bool enforce)
{
	struct gdl_agent *agent = gdl_agent_lookup(READ_ONCE(a->agent_id)) ?:
				  &gdl_host;
	const struct gdl_buffer *b = gdl_buffer_lookup(a->buffer_id);
	int ret = 0;

	if (b)
		ret = gdl_perm_check_map(b, agent, direction, enforce);
	if (ret)
		return ret;
	ret = gdl_lock_dma_begin(a->buffer_id, a->id, agent, mode_of(direction),
				 enforce);
	if (ret == -EBUSY)
		return ret;
	atomic_inc(&a->mapped[direction]);
	return 0;
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
 * permission for it; -EBUSY: another agent's lock forbids it.
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
	if (a)
		ret = map_begin(a, direction, enforce);
	rcu_read_unlock();
	return ret;
}

/**
 * gdl_attachment_map_end() - an attachment was mapped for DMA
 * @attach: the attachment
 * @sgt: the mapping
 * @direction: of the DMA
 *
 * Context: As gdl_attachment_create().
 */
void gdl_attachment_map_end(const struct dma_buf_attachment *attach,
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
		if (b && sgt->sgl) {
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
void gdl_attachment_unmap(const struct dma_buf_attachment *attach,
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
		gdl_lock_dma_end(a->buffer_id, a->id, mode_of(direction), false);
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

/**
 * gdl_attachment_hand_over() - make agent 0 the importer where @agent_id was
 * @agent_id: an agent that was removed, a grace period ago
 *
 * Context: May sleep.
 */
void gdl_attachment_hand_over(u64 agent_id)
{
	struct gdl_attachment *a;
	u64 id = 0;

	do {
		rcu_read_lock();
		a = gdl_attachment_next(id);
		if (a && READ_ONCE(a->agent_id) == agent_id)
			WRITE_ONCE(a->agent_id, gdl_host.id);
		id = a ? a->id + 1 : 0;
		rcu_read_unlock();
		cond_resched();
	} while (id);
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

	rcu_read_lock();
	xa_for_each(&attachments, id, a)
		attachment_remove(a);
	rcu_read_unlock();
	rcu_barrier();
	rhashtable_destroy(&by_attach);
	xa_destroy(&attachments);
	kmem_cache_destroy(attachment_cache);
}
