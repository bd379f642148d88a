// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets of address ranges that do not overlap, each with a mode, made to be asked
 * in few instructions and from any context: two binary searches, no lock.
 *
 * The ranges of a set are sorted, in blocks; an index has each block with the
 * lowest address whose range may be in it. Blocks are never changed: whoever
 * changes the set puts new ones in their place, by one store of a pointer, that of
 * a block or that of an index made anew. A reader sees each byte as it was before
 * or as it is after. What was replaced is freed after a grace period.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "gpu_dma_lock.h"

/*
 * A block's size is a compromise: a change copies one, a search goes through an
 * index of all. A full block fits 2048 bytes, the halves that it is split into fit
 * 1024 each.
 */
#define RANGES_MAX	82

/* The most ranges that replace others: of the first and of the last block, a new. */
#define REPLACING_MAX	(2 * RANGES_MAX + 1)
#define NEW_BLOCKS_MAX	DIV_ROUND_UP(REPLACING_MAX, RANGES_MAX)

/* So much may wait to be freed before a task that adds to it waits as well. */
#define RETIRED_MAX	SZ_32M

/* Never empty. */
struct range_block {
	struct rcu_head rcu;
	unsigned int nr;
	struct gdl_range ranges[];
};

/*
 * All ranges of a block are from its entry's start on and before the next entry's.
 * The first entry stands for all addresses before the second: its start is not read.
 */
struct range_entry {
	u64 start;
	struct range_block __rcu *block;
};

/* Never empty; but for the blocks of its entries never changed either. */
struct gdl_range_index {
	struct rcu_head rcu;
	unsigned int nr;
	struct range_entry entries[];
};

/* What takes the place of the entries from first to last, which may be none. */
struct replacement {
	unsigned int first;
	unsigned int nr_old;
	unsigned int nr_ranges;
	unsigned int nr_blocks;
	struct gdl_range ranges[REPLACING_MAX];
	struct range_block *blocks[NEW_BLOCKS_MAX];
};

static struct replacement replacement;	/* under gdl_agent_mutex: large for a stack */
static size_t retired;			/* likewise: bytes since the last wait */

/* The entry whose block has the range of @addr, if there is one. */
static unsigned int find_entry(const struct gdl_range_index *index, u64 addr)
{
	unsigned int low = 0, high = index->nr, middle;

	while (high - low > 1) {
		middle = (low + high) / 2;
		if (index->entries[middle].start <= addr)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* The block's first range that ends at @addr or behind it; block->nr: none does. */
static unsigned int find_range(const struct range_block *block, u64 addr)
{
	unsigned int low = 0, high = block->nr, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (block->ranges[middle].last < addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/**
 * gdl_ranges_allow() - is every byte in ranges that have a mode?
 * @ranges: the set
 * @start: the first address
 * @last: the last address, not before @start
 * @mode: what all of the ranges must have
 *
 * Context: Any. Caller holds rcu_read_lock(). Does not sleep, takes no lock, writes
 * nothing.
 * Return: Whether it is.
 */
bool gdl_ranges_allow(const struct gdl_ranges *ranges, u64 start, u64 last,
		      unsigned int mode)
{
	const struct gdl_range_index *index = rcu_dereference(ranges->index);
	const struct range_block *block;
	const struct gdl_range *range;
	unsigned int i;

	if (!index)
		return false;
	for (;;) {
		block = rcu_dereference(index->entries[find_entry(index, start)].block);
		i = find_range(block, start);
		if (i == block->nr)
			return false;
		range = &block->ranges[i];
		if (range->start > start || mode & ~range->mode)
			return false;
		if (range->last >= last)
			return true;
		start = range->last + 1;
	}
}

/**
 * gdl_ranges_next() - walk the ranges in the order of addresses
 * @ranges: the set
 * @addr: where to begin
 * @found: receives the first range that ends at @addr or behind it
 *
 * Context: As gdl_ranges_allow().
 * Return: Whether there is one.
 */
bool gdl_ranges_next(const struct gdl_ranges *ranges, u64 addr, struct gdl_range *found)
{
	const struct gdl_range_index *index = rcu_dereference(ranges->index);
	const struct range_block *block;
	unsigned int entry, i;

	if (!index)
		return false;
	entry = find_entry(index, addr);
	block = rcu_dereference(index->entries[entry].block);
	i = find_range(block, addr);
	if (i == block->nr) {
		if (++entry == index->nr)
			return false;
		block = rcu_dereference(index->entries[entry].block);
		i = 0;
	}
	*found = block->ranges[i];
	return true;
}

/**
 * gdl_ranges_empty() - has a set no ranges?
 * @ranges: the set
 *
 * Context: Any.
 * Return: Whether it has none.
 */
bool gdl_ranges_empty(const struct gdl_ranges *ranges)
{
	return !rcu_access_pointer(ranges->index);
}

static struct gdl_range_index *index_locked(const struct gdl_ranges *ranges)
{
	return rcu_dereference_protected(ranges->index, lockdep_is_held(&gdl_agent_mutex));
}

static struct range_block *block_locked(const struct gdl_range_index *index, unsigned int i)
{
	return rcu_dereference_protected(index->entries[i].block,
					 lockdep_is_held(&gdl_agent_mutex));
}

static void retire_block(struct range_block *block)
{
	retired += struct_size(block, ranges, block->nr);
	kfree_rcu(block, rcu);
}

static void retire_index(struct gdl_range_index *index)
{
	retired += struct_size(index, entries, index->nr);
	kvfree_rcu(index, rcu);
}

/* A task that changes many ranges is not to be faster than memory is freed. */
static void limit_retired(void)
{
	if (retired <= RETIRED_MAX)
		return;
	synchronize_rcu();
	retired = 0;
}

/* What sticks out before @new of the first block it touches; return its end. */
static struct gdl_range *gather_before(struct gdl_range *out, const struct range_block *block,
				       const struct gdl_range *new)
{
	unsigned int i;

	for (i = 0; i < block->nr && block->ranges[i].start < new->start; i++) {
		*out = block->ranges[i];
		out->last = min(out->last, new->start - 1);
		out++;
	}
	return out;
}

/* What sticks out behind @new of the last block it touches; return its end. */
static struct gdl_range *gather_behind(struct gdl_range *out, const struct range_block *block,
				       const struct gdl_range *new)
{
	unsigned int i;

	for (i = find_range(block, new->last); i < block->nr; i++) {
		if (block->ranges[i].last == new->last)
			continue;
		*out = block->ranges[i];
		out->start = max(out->start, new->last + 1);
		out++;
	}
	return out;
}

/* The ranges of the blocks that @new touches, as they are to be with it. */
static void gather(const struct gdl_range_index *index, const struct gdl_range *new)
{
	struct replacement *r = &replacement;
	struct gdl_range *out = r->ranges;

	if (r->nr_old)
		out = gather_before(out, block_locked(index, r->first), new);
	if (new->mode)
		*out++ = *new;
	if (r->nr_old)
		out = gather_behind(out, block_locked(index, r->first + r->nr_old - 1), new);
	r->nr_ranges = out - r->ranges;
}

static void plan(const struct gdl_range_index *index, const struct gdl_range *new)
{
	struct replacement *r = &replacement;

	r->first = 0;
	r->nr_old = 0;
	if (index) {
		r->first = find_entry(index, new->start);
		r->nr_old = find_entry(index, new->last) - r->first + 1;
	}
	gather(index, new);
}

/* How many ranges there are in the blocks that are replaced. */
static u64 count_old(const struct gdl_range_index *index)
{
	unsigned int i;
	u64 nr = 0;

	for (i = 0; i < replacement.nr_old; i++)
		nr += block_locked(index, replacement.first + i)->nr;
	return nr;
}

static void free_blocks(void)
{
	while (replacement.nr_blocks)
		kfree(replacement.blocks[--replacement.nr_blocks]);
}

/* Spread the ranges evenly over as few blocks as will do. */
static int make_blocks(void)
{
	struct replacement *r = &replacement;
	unsigned int wanted = DIV_ROUND_UP(r->nr_ranges, RANGES_MAX);
	const struct gdl_range *from = r->ranges;
	struct range_block *block;
	unsigned int nr;

	for (r->nr_blocks = 0; r->nr_blocks < wanted; r->nr_blocks++) {
		nr = (r->ranges + r->nr_ranges - from) / (wanted - r->nr_blocks);
		block = kmalloc(struct_size(block, ranges, nr), GFP_KERNEL_ACCOUNT);
		if (!block) {
			free_blocks();
			return -ENOMEM;
		}
		block->nr = nr;
		memcpy(block->ranges, from, flex_array_size(block, ranges, nr));
		r->blocks[r->nr_blocks] = block;
		from += nr;
	}
	return 0;
}

/* The new blocks' entries; the first takes over what the first old one spans. */
static void fill_entries(struct range_entry *entries, u64 start)
{
	unsigned int i;

	for (i = 0; i < replacement.nr_blocks; i++) {
		entries[i].start = i ? replacement.blocks[i]->ranges[0].start : start;
		RCU_INIT_POINTER(entries[i].block, replacement.blocks[i]);
	}
}

/* An index with the new blocks; NULL if there are no blocks left. */
static struct gdl_range_index *make_index(const struct gdl_range_index *old)
{
	const struct replacement *r = &replacement;
	unsigned int nr_old = old ? old->nr : 0;
	unsigned int nr = nr_old - r->nr_old + r->nr_blocks;
	unsigned int behind = r->first + r->nr_old;
	struct gdl_range_index *new;

	if (!nr)
		return NULL;
	new = kvmalloc(struct_size(new, entries, nr), GFP_KERNEL_ACCOUNT);
	if (!new)
		return ERR_PTR(-ENOMEM);
	new->nr = nr;
	if (old) {
		memcpy(new->entries, old->entries, flex_array_size(old, entries, r->first));
		memcpy(&new->entries[r->first + r->nr_blocks], &old->entries[behind],
		       flex_array_size(old, entries, nr_old - behind));
	}
	fill_entries(&new->entries[r->first], nr_old ? old->entries[r->first].start : 0);
	return new;
}

static int replace_blocks(struct gdl_ranges *ranges, struct gdl_range_index *old)
{
	struct gdl_range_index *new = make_index(old);
	unsigned int i;

	if (IS_ERR(new))
		return PTR_ERR(new);
	rcu_assign_pointer(ranges->index, new);
	for (i = 0; i < replacement.nr_old; i++)
		retire_block(block_locked(old, replacement.first + i));
	if (old)
		retire_index(old);
	return 0;
}

static void replace_one_block(struct gdl_range_index *index)
{
	struct range_block *old = block_locked(index, replacement.first);

	rcu_assign_pointer(index->entries[replacement.first].block, replacement.blocks[0]);
	retire_block(old);
}

/**
 * gdl_ranges_store() - replace what a set has of a range
 * @ranges: the set
 * @new: the range; without a mode, only taken out of the set
 * @max: how many ranges there may be, unless there are more already and not more
 *	come to be
 *
 * Ranges that stick out are cut. Neighbours of one mode are not joined.
 *
 * Context: May sleep. Caller holds gdl_agent_mutex.
 * Return: 0; -ENOSPC, -ENOMEM: the set is as it was.
 */
int gdl_ranges_store(struct gdl_ranges *ranges, const struct gdl_range *new, u64 max)
{
	struct gdl_range_index *index = index_locked(ranges);
	u64 nr_old;
	int ret;

	plan(index, new);
	nr_old = count_old(index);
	if (replacement.nr_ranges > nr_old &&
	    ranges->nr - nr_old + replacement.nr_ranges > max)
		return -ENOSPC;
	ret = make_blocks();
	if (ret)
		return ret;
	if (replacement.nr_old == 1 && replacement.nr_blocks == 1)
		replace_one_block(index);
	else
		ret = replace_blocks(ranges, index);
	if (ret) {
		free_blocks();
		return ret;
	}
	ranges->nr += replacement.nr_ranges - nr_old;
	limit_retired();
	return 0;
}

/**
 * gdl_ranges_clear() - take all ranges out of a set
 * @ranges: the set
 *
 * Context: May sleep. Caller holds gdl_agent_mutex.
 */
void gdl_ranges_clear(struct gdl_ranges *ranges)
{
	struct gdl_range_index *index = index_locked(ranges);
	unsigned int i;

	if (!index)
		return;
	RCU_INIT_POINTER(ranges->index, NULL);
	ranges->nr = 0;
	for (i = 0; i < index->nr; i++) {
		retire_block(block_locked(index, i));
		cond_resched();
	}
	retire_index(index);
	limit_retired();
}
