// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables of what commands have set up: bindings, templates, dma_permissions.
 *
 * All is called under rcu_read_lock(), by proc.c.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/pid.h>

#include "column.h"
#include "gpu_dma_lock_check.h"

static void begin_binding(void *cursor)
{
	struct gdl_binding_cursor *c = cursor;

	c->last_id = gdl_binding_last_id();
	c->row = (struct gdl_binding_row) { .path = c->path };
}

static void *find_binding(void *cursor, const struct gdl_reader *reader)
{
	struct gdl_binding_cursor *c = cursor;

	if (!gdl_binding_next(&c->row, reader->pid_ns) || c->row.id > c->last_id)
		return NULL;
	return &c->row;
}

static void advance_binding(void *cursor)
{
	struct gdl_binding_cursor *c = cursor;

	c->row.id++;
}

static u64 agent_of_binding(const struct gdl_reader *reader, const void *row)
{
	const struct gdl_binding_row *binding = row;

	return binding->agent_id;
}

/* Its process has not ended, or it would be gone. */
static bool hides_binding(const struct gdl_reader *reader, const struct gdl_binding_row *row)
{
	struct pid *pid;

	if (reader->hide_pid <= HIDEPID_NO_ACCESS)
		return false;
	pid = find_pid_ns(row->pid, reader->pid_ns);
	return !pid || !gdl_reader_sees_process(reader, pid);
}

/* In the words that bind takes. */
static void show_binding(struct seq_file *m, const struct gdl_reader *reader, void *v)
{
	const struct gdl_binding_row *row = v;

	put_number(m, row->agent_id);
	if (row->is_cgroup) {
		seq_puts(m, "cgroup:");
		gdl_seq_name(m, row->path);
	} else if (row->pid && !hides_binding(reader, row)) {
		seq_put_decimal_ull(m, "pid:", row->pid);
	} else {
		seq_puts(m, "pid:-");
	}
	put_word(m, row->bound ? " bound" : " waiting");
	end_with_agent_name(m, gdl_agent_lookup(row->agent_id));
}

static void begin_template(void *cursor)
{
	*(struct gdl_serial_cursor *)cursor = (struct gdl_serial_cursor) {
		.last_id = gdl_template_last_id(),
	};
}

static void *find_template(void *cursor, const struct gdl_reader *reader)
{
	struct gdl_serial_cursor *c = cursor;
	const struct gdl_template *t = gdl_template_next(c->id);

	return t && come_to(c, t->id) ? (void *)t : NULL;
}

/* Of no tenant's: agent 0's rows are only for readers that see all. */
static u64 agent_of_template(const struct gdl_reader *reader, const void *row)
{
	return gdl_host.id;
}

/* The pattern is in the words that template takes. */
static void show_template(struct seq_file *m, const struct gdl_reader *reader, void *row)
{
	const struct gdl_template *t = row;

	put_name(m, t->pattern);
	put_limit(m, READ_ONCE(t->limit));
	end_with_number(m, atomic_read(&t->agents));
}

static void begin_perm(void *cursor)
{
	*(struct gdl_perm_cursor *)cursor = (struct gdl_perm_cursor) { };
}

static void *find_perm(void *cursor, const struct gdl_reader *reader)
{
	struct gdl_perm_cursor *c = cursor;
	int found = c->end ? 0 : gdl_perm_next(&c->row);

	if (found < 0)
		return GDL_ROW_LATER;
	return found ? &c->row : NULL;
}

/* To behind the rule, or to the next agent, or from the ranges to the buffers. */
static void advance_perm(void *cursor)
{
	struct gdl_perm_cursor *c = cursor;
	struct gdl_perm_row *row = &c->row;

	row->start = row->last + 1;
	if (!row->start)
		row->agent_id++;
	if (row->start || row->agent_id)
		return;
	c->end = row->buffer;
	row->buffer = true;
}

static u64 agent_of_perm(const struct gdl_reader *reader, const void *row)
{
	const struct gdl_perm_row *perm = row;

	return perm->agent_id;
}

static void show_perm(struct seq_file *m, const struct gdl_reader *reader, void *v)
{
	const struct gdl_perm_row *row = v;

	seq_put_decimal_ull(m, "", row->agent_id);
	if (row->buffer)
		seq_printf(m, ":buf=%llu:", row->start);
	else if (reader->addresses)
		seq_printf(m, ":%#llx-%#llx:", row->start, row->last);
	else
		seq_puts(m, ":0x0-0x0:");
	seq_printf(m, "%s%s\n", row->mode & GPU_DMA_LOCK_READ ? "r" : "",
		   row->mode & GPU_DMA_LOCK_WRITE ? "w" : "");
}

const struct gdl_table gdl_table_bindings = {
	.name = "bindings",
	.header = "AGENT BINDING STATE NAME\n",
	.cursor_size = sizeof(struct gdl_binding_cursor),
	.begin = begin_binding,
	.find = find_binding,
	.advance = advance_binding,
	.agent_of = agent_of_binding,
	.show = show_binding,
};

const struct gdl_table gdl_table_templates = {
	.name = "templates",
	.header = "PATTERN QUOTA AGENTS\n",
	.cursor_size = sizeof(struct gdl_serial_cursor),
	.begin = begin_template,
	.find = find_template,
	.advance = advance_serial,
	.agent_of = agent_of_template,
	.show = show_template,
};

const struct gdl_table gdl_table_dma_permissions = {
	/* Without a header: it is written in the grammar it is shown in. */
	.name = "dma_permissions",
	.header = "",
	.cursor_size = sizeof(struct gdl_perm_cursor),
	.begin = begin_perm,
	.find = find_perm,
	.advance = advance_perm,
	.agent_of = agent_of_perm,
	.show = show_perm,
	.write = gdl_command_perm,
};
