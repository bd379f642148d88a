// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that is exported more than once: videobuf2 makes a new dma-buf of the same memory
 * each time it is asked. All of them are buffers, but one alone is charged, the others are
 * aliases. When that one goes, another takes its charge over.
 *
 * Memory is known by its address, which stays as long as any of its dma-bufs.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/list.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>

#include "gpu_dma_lock.h"

/* Memory's buffers, and which are charged, are changed under it. Soft interrupts off. */
DEFINE_SPINLOCK(gdl_memory_lock);

struct memory {
	struct rhash_head node;			/* rhashtable's */
	const void *address;			/* C: the key */
	struct list_head exports;		/* gdl_memory_lock */
};

struct gdl_memory_export {
	struct list_head of_memory;		/* gdl_memory_lock */
	struct memory *memory;			/* C */
	struct gdl_buffer *buffer;		/* C */
};

static const struct rhashtable_params memory_params = {
	.key_len	= sizeof_field(struct memory, address),
	.key_offset	= offsetof(struct memory, address),
	.head_offset	= offsetof(struct memory, node),
	.automatic_shrinking = true,
};

/* Only looked at under gdl_memory_lock. */
static struct rhashtable memories;

static struct memory *find_or_create(const void *address)
{
	struct memory *memory = rhashtable_lookup_fast(&memories, &address, memory_params);

	if (memory)
		return memory;
	memory = kmalloc(sizeof(*memory), GFP_ATOMIC | __GFP_NOWARN);
	if (!memory)
		return NULL;
	memory->address = address;
	INIT_LIST_HEAD(&memory->exports);
	if (!rhashtable_insert_fast(&memories, &memory->node, memory_params))
		return memory;
	kfree(memory);
	return NULL;
}

static void drop_if_unused(struct memory *memory)
{
	if (!list_empty(&memory->exports))
		return;
	rhashtable_remove_fast(&memories, &memory->node, memory_params);
	kfree(memory);
}

/**
 * gdl_memory_known() - is there a buffer of memory already?
 * @address: the memory's
 *
 * Context: Any but hard interrupt. Caller holds gdl_memory_lock.
 * Return: Whether there is: one of its buffers is charged.
 */
bool gdl_memory_known(const void *address)
{
	lockdep_assert_held(&gdl_memory_lock);
	return rhashtable_lookup_fast(&memories, &address, memory_params);
}

/**
 * gdl_memory_join() - a new buffer is of memory that others may be of
 * @b: the buffer, which nobody finds by its object yet; charged if it is the first
 * @address: the memory's
 *
 * Context: Any but hard interrupt. Caller holds gdl_memory_lock since it has looked
 * whether the memory is known.
 * Return: 0 or -ENOMEM.
 */
int gdl_memory_join(struct gdl_buffer *b, const void *address)
{
	struct gdl_memory_export *export;
	struct memory *memory;

	lockdep_assert_held(&gdl_memory_lock);
	export = kmalloc(sizeof(*export), GFP_ATOMIC | __GFP_NOWARN);
	if (!export)
		return -ENOMEM;
	memory = find_or_create(address);
	if (!memory) {
		kfree(export);
		return -ENOMEM;
	}
	export->memory = memory;
	export->buffer = b;
	list_add_tail(&export->of_memory, &memory->exports);
	b->export = export;
	return 0;
}

/* Let @heir be charged for what @b was. */
static void inherit(struct gdl_buffer *heir, struct gdl_buffer *b)
{
	unsigned long flags;

	xa_lock_irqsave(&gdl_buffers, flags);
	if (heir->dq != b->dq) {
		gdl_charge_move(b->dq, heir->dq, b->size);
		/* As buffers, both are counted where they were. */
		gdl_charge(b->dq, 0);
		gdl_uncharge(heir->dq, 0);
	}
	b->charged = false;
	heir->charged = true;
	WRITE_ONCE(heir->kind, GDL_KIND_DMABUF);
	xa_unlock_irqrestore(&gdl_buffers, flags);
}

/**
 * gdl_memory_leave() - a buffer ends that gdl_memory_join() was called for
 * @b: the buffer; if it was charged, and others are of its memory, one of them is now
 *
 * Context: Any but hard interrupt. Takes and releases gdl_memory_lock.
 */
void gdl_memory_leave(struct gdl_buffer *b)
{
	struct gdl_memory_export *export, *next;

	spin_lock_bh(&gdl_memory_lock);
	export = b->export;
	list_del(&export->of_memory);
	next = list_first_entry_or_null(&export->memory->exports, struct gdl_memory_export,
					of_memory);
	if (next && b->charged)
		inherit(next->buffer, b);
	drop_if_unused(export->memory);
	spin_unlock_bh(&gdl_memory_lock);
	kfree(export);
}

/**
 * gdl_memory_init() - make the table
 *
 * Context: May sleep.
 * Return: 0 or -ENOMEM.
 */
int gdl_memory_init(void)
{
	return rhashtable_init(&memories, &memory_params);
}

/**
 * gdl_memory_exit() - forget the table; there is no buffer any more
 *
 * Context: May sleep.
 */
void gdl_memory_exit(void)
{
	rhashtable_destroy(&memories);
}
