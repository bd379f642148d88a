// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file config: what commands have set up, as the commands that set it up again, for
 * `cat config >control` on this module or on one that is loaded later.
 *
 * It is the rows of some tables, one table after the other, printed otherwise. What would
 * be wrong elsewhere is there as a comment: bindings of processes, and rules on buffers,
 * whose numbers mean others later. Agents of templates are left out: their cgroups make
 * them again.
 *
 * All is called under rcu_read_lock(), by proc.c.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/seq_file.h>

#include "gpu_dma_lock.h"
#include "gpu_dma_lock_check.h"

static void put_limit(struct seq_file *m, u64 limit)
{
	if (limit == GDL_UNLIMITED)
		seq_puts(m, "max");
	else
		seq_printf(m, "%llu", limit);
}

/* What a device was called when this was read: numbers of devices may change. */
static void show_device(struct seq_file *m, struct gdl_cursor *cursor, void *row)
{
	const struct gdl_device *device = row;
	u64 capacity = READ_ONCE(device->capacity.limit);

	if (device == &gdl_no_device)
		return;
	seq_printf(m, "# device %llu ", device->id);
	gdl_seq_name(m, device->name);
	seq_putc(m, '\n');
	if (capacity != GDL_UNLIMITED)
		seq_printf(m, "set_capacity %llu %llu\n", device->id, capacity);
}

static void show_agent(struct seq_file *m, const struct gdl_agent *agent)
{
	const char *name = gdl_reader_name(agent);

	seq_printf(m, "set_quota %llu ", agent->id);
	put_limit(m, READ_ONCE(agent->quota.limit));
	seq_putc(m, '\n');
	if (*name)
		seq_printf(m, "name %llu %s\n", agent->id, name);
}

static void show_quota(struct seq_file *m, struct gdl_cursor *cursor, void *row)
{
	const struct gdl_device_quota *dq = cursor->dq;
	const struct gdl_agent *agent = row;
	u64 limit;

	if (gdl_id_is_template(agent->id))
		return;
	if (!dq) {
		show_agent(m, agent);
		return;
	}
	limit = READ_ONCE(dq->quota.limit);
	if (limit != GDL_UNLIMITED && dq->device != &gdl_no_device)
		seq_printf(m, "set_quota %llu %llu %llu\n", agent->id, limit,
			   dq->device->id);
}

static void show_perm(struct seq_file *m, struct gdl_cursor *cursor, void *row)
{
	const struct gdl_perm_row *perm = row;

	if (gdl_id_is_template(perm->agent_id))
		return;
	if (perm->buffer)
		seq_printf(m, "# grant %llu buf=%llu ", perm->agent_id, perm->start);
	else
		seq_printf(m, "grant %llu %#llx-%#llx ", perm->agent_id, perm->start,
			   perm->last);
	seq_printf(m, "%s%s\n", perm->mode & GPU_DMA_LOCK_READ ? "r" : "",
		   perm->mode & GPU_DMA_LOCK_WRITE ? "w" : "");
}

static void show_cgroup_binding(struct seq_file *m, const struct gdl_binding_row *row)
{
	/* From this cgroup namespace there is no path to it. */
	if (!*row->path)
		seq_puts(m, "# ");
	seq_printf(m, "bind %llu cgroup:", row->agent_id);
	gdl_seq_name(m, row->path);
	/* Longer paths do not wait for their cgroups. */
	seq_puts(m, strlen(row->path) > GDL_CGROUP_PATH_MAX ? "\n" : " later\n");
}

static void show_binding(struct seq_file *m, struct gdl_cursor *cursor, void *v)
{
	const struct gdl_binding_row *row = v;

	if (gdl_id_is_template(row->agent_id))
		return;
	if (row->is_cgroup)
		show_cgroup_binding(m, row);
	else
		seq_printf(m, "# bind %llu pid:%d\n", row->agent_id, row->pid);
}

static void show_template(struct seq_file *m, struct gdl_cursor *cursor, void *row)
{
	const struct gdl_template *t = row;

	seq_puts(m, "template ");
	gdl_seq_name(m, t->pattern);
	seq_putc(m, ' ');
	put_limit(m, READ_ONCE(t->limit));
	seq_putc(m, '\n');
}

/* The policy is last: limits first. */
static const struct part {
	enum gdl_table_id table;
	void (*show)(struct seq_file *m, struct gdl_cursor *cursor, void *row);
} parts[] = {
	{ GDL_TABLE_DEVICES, show_device },
	{ GDL_TABLE_QUOTAS, show_quota },
	{ GDL_TABLE_DMA_PERMISSIONS, show_perm },
	{ GDL_TABLE_BINDINGS, show_binding },
	{ GDL_TABLE_TEMPLATES, show_template },
};

#define POLICY_PART	ARRAY_SIZE(parts)

static const struct gdl_table *table_of(const struct gdl_cursor *cursor)
{
	return &gdl_tables[parts[cursor->part].table];
}

/* The row at the cursor, or after, of the part where it is. */
static void *find_in_part(struct gdl_cursor *cursor)
{
	void *row;

	if (!cursor->part_begun) {
		gdl_cursor_begin(cursor, table_of(cursor));
		cursor->part_begun = true;
	}
	row = table_of(cursor)->find(cursor);
	return row != GDL_ROW_LATER && cursor->id > cursor->last_id ? NULL : row;
}

static void next_part(struct gdl_cursor *cursor)
{
	cursor->part++;
	cursor->part_begun = false;
	/* These are of the part that has ended. */
	cursor->end = false;
	cursor->last_id = U64_MAX;
}

static void *find_row(struct gdl_cursor *cursor)
{
	void *row;

	while (cursor->part < POLICY_PART) {
		row = find_in_part(cursor);
		if (row)
			return row;
		next_part(cursor);
	}
	return cursor->part == POLICY_PART ? (void *)gdl_policy_names : NULL;
}

static void advance(struct gdl_cursor *cursor)
{
	if (cursor->part == POLICY_PART) {
		cursor->part++;
		return;
	}
	table_of(cursor)->advance(cursor);
	if (cursor->end)
		next_part(cursor);
}

static void show_row(struct seq_file *m, struct gdl_cursor *cursor, void *row)
{
	if (cursor->part == POLICY_PART)
		seq_printf(m, "policy %s\n", gdl_policy_name());
	else
		parts[cursor->part].show(m, cursor, row);
}

/* It is restricted, so its readers see all. */
static u64 agent_of_row(struct gdl_cursor *cursor, void *row)
{
	return gdl_host.id;
}

const struct gdl_table gdl_config_table = {
	.name = "config",
	.header = "",
	.find = find_row,
	.agent_of = agent_of_row,
	.show = show_row,
	.advance = advance,
	.room = PATH_MAX,
	.restricted = true,
};
