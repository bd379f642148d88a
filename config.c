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
#include <linux/seq_file.h>

#include "gpu_dma_lock.h"
#include "gpu_dma_lock_check.h"

/* Rows of templates' agents are passed over, so many at a time. */
#define LEFT_OUT_AT_ONCE	1024

/* What a device was called when this was read: numbers of devices may change. */
static void show_device(struct seq_file *m, const struct gdl_reader *reader, void *row)
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
	gdl_seq_limit(m, READ_ONCE(agent->quota.limit));
	seq_putc(m, '\n');
	if (*name)
		seq_printf(m, "name %llu %s\n", agent->id, name);
}

static void show_quota(struct seq_file *m, const struct gdl_reader *reader, void *row)
{
	const struct gdl_quota_row *quota = row;
	const struct gdl_device_quota *dq = quota->dq;
	const struct gdl_agent *agent = quota->agent;
	u64 limit;

	if (!dq) {
		show_agent(m, agent);
		return;
	}
	limit = READ_ONCE(dq->quota.limit);
	if (limit != GDL_UNLIMITED && dq->device != &gdl_no_device)
		seq_printf(m, "set_quota %llu %llu %llu\n", agent->id, limit,
			   dq->device->id);
}

static void show_perm(struct seq_file *m, const struct gdl_reader *reader, void *row)
{
	const struct gdl_perm_row *perm = row;

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

static void show_binding(struct seq_file *m, const struct gdl_reader *reader, void *v)
{
	const struct gdl_binding_row *row = v;

	if (row->is_cgroup)
		show_cgroup_binding(m, row);
	else
		seq_printf(m, "# bind %llu pid:%d\n", row->agent_id, row->pid);
}

static void show_template(struct seq_file *m, const struct gdl_reader *reader, void *row)
{
	const struct gdl_template *t = row;

	seq_puts(m, "template ");
	gdl_seq_name(m, t->pattern);
	seq_putc(m, ' ');
	gdl_seq_limit(m, READ_ONCE(t->limit));
	seq_putc(m, '\n');
}

/* The policy is last: limits first. */
static const struct part {
	const struct gdl_table *table;
	void (*show)(struct seq_file *m, const struct gdl_reader *reader, void *row);
	bool of_agents;			/* each row is an agent's */
} parts[] = {
	{ &gdl_table_devices, show_device },
	{ &gdl_table_quotas, show_quota, true },
	{ &gdl_table_dma_permissions, show_perm, true },
	{ &gdl_table_bindings, show_binding, true },
	{ &gdl_table_templates, show_template },
};

#define POLICY_PART	ARRAY_SIZE(parts)

/* Its row is the cursor itself. */
struct config_cursor {
	unsigned int part;
	bool begun;				/* the cursor is in that part's table */
	void *row;				/* of that table */
	union {
		struct gdl_id_cursor devices;
		struct gdl_quota_cursor quotas;
		struct gdl_perm_cursor perms;
		struct gdl_binding_cursor bindings;
		struct gdl_serial_cursor templates;
	} of_part;
};

static const struct gdl_table *table_of(const struct config_cursor *c)
{
	return parts[c->part].table;
}

static void begin(void *cursor)
{
	struct config_cursor *c = cursor;

	c->part = 0;
	c->begun = false;
}

static void advance(void *cursor)
{
	struct config_cursor *c = cursor;

	if (c->part == POLICY_PART)
		c->part++;
	else
		table_of(c)->advance(&c->of_part);
}

static bool is_of_template(const struct config_cursor *c, const struct gdl_reader *reader)
{
	return parts[c->part].of_agents &&
	       gdl_id_is_template(table_of(c)->agent_of(reader, c->row));
}

static void next_part(struct config_cursor *c)
{
	c->part++;
	c->begun = false;
}

static void *find_row(void *cursor, const struct gdl_reader *reader)
{
	struct config_cursor *c = cursor;
	unsigned int left_out = 0;

	while (c->part < POLICY_PART) {
		if (!c->begun)
			table_of(c)->begin(&c->of_part);
		c->begun = true;
		c->row = table_of(c)->find(&c->of_part, reader);
		if (!c->row) {
			next_part(c);
			continue;
		}
		if (c->row == GDL_ROW_LATER)
			return c->row;
		if (!is_of_template(c, reader))
			return c;
		advance(c);
		if (++left_out == LEFT_OUT_AT_ONCE)
			return GDL_ROW_LATER;
	}
	return c->part == POLICY_PART ? c : NULL;
}

static void show_row(struct seq_file *m, const struct gdl_reader *reader, void *row)
{
	const struct config_cursor *c = row;

	if (c->part == POLICY_PART)
		seq_printf(m, "policy %s\n", gdl_policy_name());
	else
		parts[c->part].show(m, reader, c->row);
}

/* It is restricted, so its readers see all. */
static u64 agent_of_row(const struct gdl_reader *reader, const void *row)
{
	return gdl_host.id;
}

const struct gdl_table gdl_config_table = {
	.name = "config",
	.header = "",
	.cursor_size = sizeof(struct config_cursor),
	.begin = begin,
	.find = find_row,
	.advance = advance,
	.agent_of = agent_of_row,
	.show = show_row,
	.restricted = true,
};
