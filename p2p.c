// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of NVIDIA's driver that another driver has got, to let its device DMA to them: a
 * buffer of the process that asked, pinned, with one attachment. Both are known by the
 * address of the page table, from when the driver hands it out until it is given back or
 * revoked, whichever comes first.
 *
 * They are charged to nobody: they are a part of what `report` says that the process has.
 *
 * Pages may be revoked before they are known here. So the revocation of a page table that is
 * not known leaves a note, as long as some are on their way. Nothing else does: only what is
 * known can be given back, and an address that was revoked may be another's soon.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dma-direction.h>
#include <linux/hash.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "gpu_dma_lock.h"
#include "nvidia.h"

#define REVOKED_BITS	6

/* By nvidia_p2p_page_table.page_size; others are not known. */
static const u32 page_sizes[] = { 4096, 65536, 131072 };

/* A page table's buffer and attachment come and go under it. Soft interrupts off. */
static DEFINE_SPINLOCK(p2p_lock);

/* So many page tables are on their way to the driver that asked for them. */
static unsigned int coming;			/* p2p_lock */

/* Those that were revoked meanwhile, each where its address says. */
static const void *revoked[BIT(REVOKED_BITS)];	/* p2p_lock */

static const void **revoked_place(const void *table)
{
	return &revoked[hash_ptr(table, REVOKED_BITS)];
}

/* Notes are of use to those on their way only: later, an address may be another's. */
static void came(void)
{
	lockdep_assert_held(&p2p_lock);
	if (!--coming)
		memset(revoked, 0, sizeof(revoked));
}

/**
 * gdl_p2p_get_begin() - a driver asks for pages
 * @address: where they are in the current process
 * @size: bytes
 * @enforce: refuse it if the process's agent has as many buffers or attachments as it may
 *
 * gdl_p2p_get_end() or gdl_p2p_get_failed() follows.
 *
 * Context: Process context.
 * Return: The buffer, which nobody finds yet; -EDQUOT; -ENOMEM or -EFBIG: it could not be
 * tracked.
 */
struct gdl_buffer *gdl_p2p_get_begin(u64 address, u64 size, bool enforce)
{
	struct gdl_buffer *b;
	int ret;

	rcu_read_lock();
	ret = gdl_attachment_check_cap(enforce);
	b = ret ? ERR_PTR(ret) :
		  gdl_buffer_create(GDL_KIND_NVIDIA, &gdl_no_device, size, current, enforce);
	rcu_read_unlock();
	if (IS_ERR(b))
		return b;
	b->address = address;
	spin_lock_bh(&p2p_lock);
	coming++;
	spin_unlock_bh(&p2p_lock);
	return b;
}

static void drop(struct gdl_buffer *b, const void *table)
{
	gdl_attachment_remove(table);
	gdl_buffer_object_gone(b, GDL_LIVE_P2P);
}

static struct gdl_buffer *find(const void *table)
{
	struct gdl_buffer *b = gdl_buffer_of_object(table);

	return b && atomic_read(&b->live) & GDL_LIVE_P2P ? b : NULL;
}

/* Last of all @b is found by its table: from then on others may end it. */
static int publish(struct gdl_buffer *b, const void *table, const char *importer)
{
	const void **note = revoked_place(table);
	int ret;

	if (*note == table) {
		*note = NULL;
		gdl_buffer_remove(b);
		return 0;
	}
	ret = gdl_attachment_add(b, table, importer);
	if (ret)
		return ret;
	atomic_set(&b->live, GDL_LIVE_P2P);
	if (gdl_buffer_set_object(b, table))
		return 0;
	atomic_set(&b->live, 0);
	gdl_attachment_remove(table);
	return -ENOMEM;
}

/**
 * gdl_p2p_get_end() - the driver got its pages
 * @b: from gdl_p2p_get_begin()
 * @table: their page table
 * @importer: the driver, which is shown as long as no device is known
 *
 * Context: Process context.
 * Return: 0; -ENOMEM: it could not be tracked now, gdl_p2p_get_failed() is to follow, or
 * another try.
 */
int gdl_p2p_get_end(struct gdl_buffer *b, const void *table, const char *importer)
{
	int ret;

	rcu_read_lock();
	spin_lock_bh(&p2p_lock);
	ret = publish(b, table, importer);
	if (!ret)
		came();
	spin_unlock_bh(&p2p_lock);
	rcu_read_unlock();
	return ret;
}

/**
 * gdl_p2p_get_failed() - the driver got no pages, or they could not be tracked
 * @b: from gdl_p2p_get_begin()
 *
 * Context: Process context.
 */
void gdl_p2p_get_failed(struct gdl_buffer *b)
{
	rcu_read_lock();
	gdl_buffer_remove(b);
	rcu_read_unlock();
	spin_lock_bh(&p2p_lock);
	came();
	spin_unlock_bh(&p2p_lock);
}

static bool drop_known(const void *table)
{
	struct gdl_buffer *b = find(table);

	if (b)
		drop(b, table);
	return b;
}

/*
 * Whether pages are given back for the process that got them: by itself, by a thread of the
 * kernel, or, once it has ended, by whatever has what it left.
 */
static bool is_for_holder(const struct gdl_buffer *b)
{
	return b->pid == task_tgid(current) || current->flags & PF_KTHREAD ||
	       gdl_process_gone(b->pid);
}

/**
 * gdl_p2p_put() - pages are given back
 * @table: their page table; or what is none, or not known any more
 * @address: where they are in their process
 *
 * They may have been revoked meanwhile, and their page table's address be that of others,
 * which stay.
 *
 * Context: As gdl_p2p_gone().
 */
void gdl_p2p_put(const void *table, u64 address)
{
	struct gdl_buffer *b;

	rcu_read_lock();
	spin_lock_bh(&p2p_lock);
	b = find(table);
	if (b && b->address == address && is_for_holder(b))
		drop(b, table);
	spin_unlock_bh(&p2p_lock);
	rcu_read_unlock();
}

/**
 * gdl_p2p_gone() - pages are gone for certain
 * @table: their page table; or what is none, or not known any more
 *
 * Context: Any but hard interrupt. Does not sleep.
 */
void gdl_p2p_gone(const void *table)
{
	rcu_read_lock();
	spin_lock_bh(&p2p_lock);
	drop_known(table);
	spin_unlock_bh(&p2p_lock);
	rcu_read_unlock();
}

/**
 * gdl_p2p_revoke() - the driver revokes pages
 * @table: their page table, which may be on its way to who asked for it
 *
 * Context: As gdl_p2p_gone(). Until it has returned, the page table is not freed.
 */
void gdl_p2p_revoke(const void *table)
{
	rcu_read_lock();
	spin_lock_bh(&p2p_lock);
	if (!drop_known(table) && coming)
		*revoked_place(table) = table;
	spin_unlock_bh(&p2p_lock);
	rcu_read_unlock();
}

static bool is_known(const struct nvidia_p2p_page_table *table)
{
	bool known;

	rcu_read_lock();
	known = find(table);
	rcu_read_unlock();
	return known;
}

/* Whether @size bytes at @start, of @table, are outside the ranges of its agent. */
static bool is_outside(const void *table, u64 start, u64 size)
{
	struct gdl_buffer *b;
	bool outside;

	rcu_read_lock();
	b = find(table);
	outside = b && gdl_perm_segment_outside(b, start, size, DMA_BIDIRECTIONAL);
	rcu_read_unlock();
	return outside;
}

static bool is_readable(const struct nvidia_p2p_page_table *table)
{
	return table->version >> 16 == GDL_NVIDIA_PAGE_TABLE_MAJOR &&
	       table->page_size < ARRAY_SIZE(page_sizes);
}

/* Pages side by side are looked at together. */
static bool any_outside(const struct nvidia_p2p_page_table *table)
{
	u64 page_size, start, size;
	bool outside = false;
	u32 i, first;

	if (!is_readable(table)) {
		gdl_stat_inc(GDL_STAT_DMA_SEGMENTS_UNCHECKED);
		return false;
	}
	page_size = page_sizes[table->page_size];
	for (i = 0; i < table->entries;) {
		first = i;
		start = table->pages[i]->physical_address;
		do {
			size = (++i - first) * page_size;
		} while (i < table->entries &&
			 table->pages[i]->physical_address == start + size);
		outside |= is_outside(table, start, size);
		cond_resched();
	}
	return outside;
}

static int map_begin(const void *table, const char *peer, bool outside, bool enforce)
{
	struct gdl_buffer *b = find(table);
	int ret;

	if (!b)
		return 0;
	if (outside) {
		ret = gdl_perm_refuse(b, gdl_agent_of(current), "map", enforce);
		if (ret)
			return ret;
	}
	return gdl_attachment_map_begin_added(b, table, peer, enforce);
}

/**
 * gdl_p2p_map_begin() - pages are about to be mapped for a device
 * @table: their page table, or one that is not known
 * @peer: the device's name
 * @enforce: refuse it if it is forbidden; else that is only counted and traced
 *
 * gdl_p2p_map_end() follows, or gdl_p2p_unmap() if it fails.
 *
 * Context: Process context. May sleep.
 * Return: 0; -EACCES: the pages are another agent's, or outside the ranges of their agent;
 * -EBUSY: another agent's lock forbids it; -EDQUOT; -ENOMEM: it could not be tracked.
 */
int gdl_p2p_map_begin(const struct nvidia_p2p_page_table *table, const char *peer, bool enforce)
{
	bool outside = is_known(table) && !gdl_policy_is_off() &&
		       any_outside(table);
	int ret;

	rcu_read_lock();
	spin_lock_bh(&p2p_lock);
	ret = map_begin(table, peer, outside, enforce);
	spin_unlock_bh(&p2p_lock);
	rcu_read_unlock();
	return ret;
}

/**
 * gdl_p2p_map_end() - pages were mapped for a device
 * @table: their page table
 *
 * Context: Process context.
 */
void gdl_p2p_map_end(const void *table)
{
	gdl_attachment_map_end(table, NULL, DMA_BIDIRECTIONAL);
}

/**
 * gdl_p2p_unmap() - a mapping of pages ends, or failed
 * @table: their page table
 *
 * Context: Process context.
 */
void gdl_p2p_unmap(const void *table)
{
	gdl_attachment_unmap(table, DMA_BIDIRECTIONAL);
}

/**
 * gdl_p2p_drop_all() - nvidia.ko has left, and all its pages before it
 *
 * What is still here missed its end: it is stale.
 *
 * Context: May sleep.
 */
void gdl_p2p_drop_all(void)
{
	gdl_attachment_drop_added();
	gdl_buffer_drop_p2p();
}
