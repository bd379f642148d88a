// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables: the rows of /proc/swarm/gpu, how each is found and shown.
 *
 * All is called under rcu_read_lock(), by proc.c.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ctype.h>
#include <linux/jiffies.h>
#include <linux/limits.h>
#include <linux/pid.h>
#include <linux/seq_file.h>

#include "gpu_dma_lock.h"
#include "gpu_dma_lock_check.h"

/* A name on one line and in one word: what is not graphic is shown as \ooo. */
static void put_escaped(struct seq_file *m, const char *name)
{
	const char *c;

	for (c = name; *c; c++)
		if (isascii(*c) && isgraph(*c) && *c != '\\')
			seq_putc(m, *c);
		else
			seq_printf(m, "\\%03o", (unsigned char)*c);
	if (c == name)
		seq_putc(m, '-');
}

static void put_name(struct seq_file *m, const char *name)
{
	put_escaped(m, name);
	seq_putc(m, ' ');
}

static void put_word(struct seq_file *m, const char *word)
{
	seq_puts(m, word);
	seq_putc(m, ' ');
}

static void put_number(struct seq_file *m, u64 number)
{
	seq_put_decimal_ull(m, "", number);
	seq_putc(m, ' ');
}

static void end_with_number(struct seq_file *m, u64 number)
{
	seq_put_decimal_ull(m, "", number);
	seq_putc(m, '\n');
}

static void put_limit(struct seq_file *m, u64 limit)
{
	if (limit == GDL_UNLIMITED)
		put_word(m, "max");
	else
		put_number(m, limit);
}

static void put_count(struct seq_file *m, atomic64_t *count)
{
	put_number(m, atomic64_read(count));
}

static void put_pid_nr(struct seq_file *m, pid_t nr)
{
	if (nr)
		put_number(m, nr);
	else
		put_word(m, "-");
}

/* Device ids; gdl_no_device has none. */
static void put_device(struct seq_file *m, const struct gdl_device *device)
{
	if (device == &gdl_no_device)
		put_word(m, "-");
	else
		put_number(m, device->id);
}

static void *find_device(struct gdl_cursor *cursor)
{
	struct gdl_device *device = gdl_device_next(cursor->id);

	cursor->id = device->id;
	return device;
}

static void put_capacity(struct seq_file *m, const struct gdl_device *device)
{
	u64 limit = READ_ONCE(device->capacity.limit);

	if (limit != GDL_UNLIMITED)
		put_number(m, limit);
	else if (device->bar_size)
		seq_printf(m, "bar:%llu ", device->bar_size);
	else
		put_word(m, "-");
}

static void show_device(struct seq_file *m, struct gdl_cursor *cursor, void *row)
{
	char driver[GDL_DEVICE_NAME_LEN];
	struct gdl_device *device = row;

	put_device(m, device);
	put_name(m, device->name);
	gdl_device_driver(device, driver);
	put_name(m, driver);
	put_name(m, device->bus);
	put_capacity(m, device);
	put_count(m, &device->capacity.used);
	put_count(m, &device->buffers);
	end_with_number(m, atomic64_read(&device->contexts));
}

static void *find_agent(struct gdl_cursor *cursor)
{
	struct gdl_agent *agent = gdl_agent_next(cursor->id);

	if (agent)
		cursor->id = agent->id;
	return agent;
}

static void show_agent(struct seq_file *m, struct gdl_cursor *cursor, void *row)
{
	struct gdl_agent *agent = row;

	put_number(m, agent->id);
	put_count(m, &agent->buffers);
	put_count(m, &agent->quota.used);
	put_count(m, &agent->quota.peak);
	put_limit(m, READ_ONCE(agent->quota.limit));
	put_count(m, &agent->locks);
	put_count(m, &agent->waiting);
	put_count(m, &agent->quota.denied);
	end_with_number(m, atomic64_read(&agent->bindings));
}

/* An agent has a row "all", then one for each device it has a quota on. */
static void *find_quota(struct gdl_cursor *cursor)
{
	struct gdl_agent *agent = gdl_agent_next(cursor->id);

	if (!agent)
		return NULL;
	if (cursor->device_rows && agent->id == cursor->id) {
		cursor->dq = gdl_agent_next_device_quota(agent,
							 cursor->device_id);
		if (cursor->dq) {
			cursor->device_id = cursor->dq->device->id;
			return agent;
		}
		if (agent->id == U64_MAX)
			return NULL;
		agent = gdl_agent_next(cursor->id + 1);
		if (!agent)
			return NULL;
	}
	cursor->device_rows = false;
	cursor->dq = NULL;
	cursor->id = agent->id;
	return agent;
}

static void show_quota(struct seq_file *m, struct gdl_cursor *cursor, void *row)
{
	struct gdl_device_quota *dq = cursor->dq;
	struct gdl_agent *agent = row;
	struct gdl_quota *quota = dq ? &dq->quota : &agent->quota;

	put_number(m, agent->id);
	if (dq)
		put_device(m, dq->device);
	else
		put_word(m, "all");
	put_limit(m, READ_ONCE(quota->limit));
	put_count(m, &quota->used);
	put_count(m, &quota->peak);
	end_with_number(m, atomic64_read(&quota->denied));
}

static void *find_buffer(struct gdl_cursor *cursor)
{
	struct gdl_buffer *b = gdl_buffer_next(cursor->id);

	if (b)
		cursor->id = b->id;
	return b;
}

static void put_inode(struct seq_file *m, const struct gdl_buffer *b)
{
	unsigned long inode = READ_ONCE(b->inode);

	if (inode)
		put_number(m, inode);
	else
		put_word(m, "-");
}

/* Shown to who may see addresses, else 0x0. */
static void put_dma_addr(struct seq_file *m, const struct gdl_cursor *cursor,
			 dma_addr_t addr)
{
	if (!cursor->show_addresses)
		put_word(m, "0x0");
	else if (!addr)
		put_word(m, "-");
	else
		seq_printf(m, "%#llx ", (u64)addr);
}

static u64 age_ms(unsigned long created)
{
	return jiffies64_to_msecs(jiffies - created);
}

/* Of what was adopted, which is older than anybody here knows: "-". */
static void end_with_age(struct seq_file *m, unsigned long created, bool adopted)
{
	if (adopted)
		seq_puts(m, "-\n");
	else
		end_with_number(m, age_ms(created));
}

static void put_lock_mode(struct seq_file *m, unsigned int mode)
{
	put_word(m, mode < GDL_NR_LOCK_MODES ? gdl_lock_mode_names[mode] : "-");
}

static void show_buffer(struct seq_file *m, struct gdl_cursor *cursor, void *row)
{
	struct gdl_buffer *b = row;
	struct gdl_device_quota *dq = READ_ONCE(b->dq);

	put_number(m, b->id);
	put_number(m, dq->agent->id);
	put_device(m, dq->device);
	put_number(m, b->size);
	put_word(m, gdl_kind_names[b->kind]);
	if (READ_ONCE(b->exporter))
		put_name(m, gdl_exporter_name(READ_ONCE(b->exporter)));
	else
		put_word(m, "-");
	put_inode(m, b);
	put_dma_addr(m, cursor, READ_ONCE(b->dma_addr));
	put_pid_nr(m, pid_nr_ns(b->pid, cursor->pid_ns));
	put_name(m, b->comm);
	/* An adopted buffer is older than anybody here knows. */
	if (b->adopted)
		put_word(m, "-");
	else
		put_number(m, age_ms(b->created));
	put_lock_mode(m, READ_ONCE(b->lock_mode));
	end_with_number(m, atomic_read(&b->attachments));
}

static void *find_attachment(struct gdl_cursor *cursor)
{
	struct gdl_attachment *a = gdl_attachment_next(cursor->id);

	if (a)
		cursor->id = a->id;
	return a;
}

/* The direction of what is mapped: with several, the one that allows them all. */
static const char *mapped_direction(const struct gdl_attachment *a)
{
	bool to = atomic_read(&a->mapped[DMA_TO_DEVICE]);
	bool from = atomic_read(&a->mapped[DMA_FROM_DEVICE]);

	if (atomic_read(&a->mapped[DMA_BIDIRECTIONAL]) || (to && from))
		return gdl_direction_names[DMA_BIDIRECTIONAL];
	if (to)
		return gdl_direction_names[DMA_TO_DEVICE];
	return from ? gdl_direction_names[DMA_FROM_DEVICE] : "-";
}

static void put_mapped(struct seq_file *m, const struct gdl_attachment *a)
{
	u64 mapped = 0;
	int i;

	for (i = 0; i < GDL_NR_DIRECTIONS; i++)
		mapped += atomic_read(&a->mapped[i]);
	/* What was mapped before the attachment was adopted is not known. */
	if (a->adopted && !mapped)
		put_word(m, "-");
	else
		put_number(m, mapped);
}

static void show_attachment(struct seq_file *m, struct gdl_cursor *cursor, void *row)
{
	struct gdl_attachment *a = row;
	struct gdl_buffer *b = gdl_buffer_lookup(a->buffer_id);

	put_number(m, a->buffer_id);
	if (b)
		put_number(m, READ_ONCE(b->dq)->agent->id);
	else
		put_word(m, "-");
	put_name(m, a->importer);
	put_number(m, READ_ONCE(a->agent_id));
	put_pid_nr(m, pid_nr_ns(a->pid, cursor->pid_ns));
	put_name(m, a->comm);
	put_mapped(m, a);
	put_word(m, mapped_direction(a));
	put_number(m, atomic_read(&a->pinned));
	put_number(m, a->peer2peer);
	end_with_age(m, a->created, a->adopted);
}

static void *find_lock(struct gdl_cursor *cursor)
{
	struct gdl_lock_row *row = &cursor->lock_row;

	if (!gdl_lock_next(row, cursor->pid_ns))
		return NULL;
	cursor->id = row->buffer_id;
	return row;
}

static void put_blockers(struct seq_file *m, const struct gdl_lock_row *row)
{
	unsigned int i;

	if (!row->nr_blockers)
		seq_putc(m, '-');
	for (i = 0; i < row->nr_blockers; i++)
		seq_put_decimal_ull(m, i ? "," : "", row->blockers[i]);
	seq_puts(m, row->more_blockers ? ",...\n" : "\n");
}

static void show_lock(struct seq_file *m, struct gdl_cursor *cursor, void *v)
{
	const struct gdl_lock_row *row = v;

	put_number(m, row->buffer_id);
	put_word(m, row->dma ? "dma" : "lock");
	put_lock_mode(m, row->mode);
	put_word(m, row->waiting ? "waiting" : "held");
	put_number(m, row->agent_id);
	put_pid_nr(m, row->pid);
	put_name(m, row->comm);
	put_number(m, age_ms(row->since));
	put_blockers(m, row);
}

static void *find_context(struct gdl_cursor *cursor)
{
	struct gdl_context *c = gdl_context_next(cursor->id);

	if (c)
		cursor->id = c->id;
	return c;
}

static void show_context(struct seq_file *m, struct gdl_cursor *cursor, void *row)
{
	struct gdl_context *c = row;

	put_number(m, c->id);
	put_number(m, READ_ONCE(c->agent_id));
	put_device(m, c->device);
	put_word(m, c->file ? "drm" : "declared");
	put_word(m, gdl_context_state(c));
	put_pid_nr(m, pid_nr_ns(c->pid, cursor->pid_ns));
	put_name(m, c->comm);
	put_number(m, READ_ONCE(c->switches));
	end_with_age(m, c->created, c->adopted);
}

static void *find_binding(struct gdl_cursor *cursor)
{
	struct gdl_binding_row *row = &cursor->binding_row;

	row->id = cursor->id;
	row->path = cursor->room;
	if (!gdl_binding_next(row, cursor->pid_ns))
		return NULL;
	cursor->id = row->id;
	return row;
}

/* In the words that bind takes. */
static void show_binding(struct seq_file *m, struct gdl_cursor *cursor, void *v)
{
	const struct gdl_binding_row *row = v;

	put_number(m, row->agent_id);
	if (row->is_cgroup) {
		seq_puts(m, "cgroup:");
		put_escaped(m, row->path);
	} else if (row->pid) {
		seq_put_decimal_ull(m, "pid:", row->pid);
	} else {
		seq_puts(m, "pid:-");
	}
	seq_putc(m, '\n');
}

static void next_id(struct gdl_cursor *cursor)
{
	cursor->id++;
	cursor->end = !cursor->id;
}

/* To the next device of the agent, or the next agent. */
static void advance_quota(struct gdl_cursor *cursor)
{
	cursor->device_id = cursor->device_rows ? cursor->device_id + 1 : 0;
	/* Device id U64_MAX, of no GPU, is an agent's last row. */
	if (cursor->device_id || !cursor->device_rows) {
		cursor->device_rows = true;
		return;
	}
	cursor->device_rows = false;
	next_id(cursor);
}

static void advance_lock(struct gdl_cursor *cursor)
{
	cursor->lock_row.order++;
}

static void *find_perm(struct gdl_cursor *cursor)
{
	return gdl_perm_next(&cursor->perm_row) ? &cursor->perm_row : NULL;
}

/* To behind the rule, or to the next agent, or from the ranges to the buffers. */
static void advance_perm(struct gdl_cursor *cursor)
{
	struct gdl_perm_row *row = &cursor->perm_row;

	row->start = row->last + 1;
	if (!row->start)
		row->agent_id++;
	if (row->start || row->agent_id)
		return;
	cursor->end = row->buffer;
	row->buffer = true;
}

static void show_perm(struct seq_file *m, struct gdl_cursor *cursor, void *v)
{
	const struct gdl_perm_row *row = v;

	seq_put_decimal_ull(m, "", row->agent_id);
	if (row->buffer)
		seq_printf(m, ":buf=%llu:", row->start);
	else if (cursor->show_addresses)
		seq_printf(m, ":%#llx-%#llx:", row->start, row->last);
	else
		seq_puts(m, ":0x0-0x0:");
	seq_printf(m, "%s%s\n", row->mode & GPU_DMA_LOCK_READ ? "r" : "",
		   row->mode & GPU_DMA_LOCK_WRITE ? "w" : "");
}

#define ALLOCATIONS_HEADER \
"ID AGENT DEVICE SIZE KIND EXPORTER INODE DMA_ADDR PID COMM AGE_MS LOCK ATTACHMENTS\n"

#define ATTACHMENTS_HEADER \
"BUFFER OWNER IMPORTER_DEVICE AGENT PID COMM MAPPED DIRECTION PINNED P2P AGE_MS\n"

const struct gdl_table gdl_tables[GDL_NR_TABLES] = {
	{
		.name = "devices",
		.header = "ID NAME DRIVER BUS CAPACITY USED BUFFERS CONTEXTS\n",
		.find = find_device,
		.show = show_device,
		.advance = next_id,
	},
	{
		.name = "agents",
		.header = "ID BUFFERS USED PEAK QUOTA LOCKS WAITING DENIED BINDINGS\n",
		.find = find_agent,
		.show = show_agent,
		.advance = next_id,
	},
	{
		.name = "quotas",
		.header = "AGENT DEVICE LIMIT USED PEAK DENIED\n",
		.find = find_quota,
		.show = show_quota,
		.advance = advance_quota,
		.write = gdl_command_quota,
	},
	{
		.name = "allocations",
		.header = ALLOCATIONS_HEADER,
		.last_id = gdl_id_last,
		.find = find_buffer,
		.show = show_buffer,
		.advance = next_id,
	},
	{
		.name = "attachments",
		.header = ATTACHMENTS_HEADER,
		.last_id = gdl_attachment_last_id,
		.find = find_attachment,
		.show = show_attachment,
		.advance = next_id,
	},
	{
		.name = "locks",
		.header = "BUFFER KIND MODE STATE AGENT PID COMM AGE_MS BLOCKED_BY\n",
		.last_id = gdl_id_last,
		.find = find_lock,
		.show = show_lock,
		.advance = advance_lock,
	},
	{
		.name = "contexts",
		.header = "ID AGENT DEVICE KIND STATE PID COMM SWITCHES AGE_MS\n",
		.last_id = gdl_context_last_id,
		.find = find_context,
		.show = show_context,
		.advance = next_id,
	},
	{
		.name = "bindings",
		.header = "AGENT BINDING\n",
		.last_id = gdl_binding_last_id,
		.find = find_binding,
		.show = show_binding,
		.advance = next_id,
		.room = PATH_MAX,
	},
	{
		/* Without a header: it is written in the grammar it is shown in. */
		.name = "dma_permissions",
		.header = "",
		.find = find_perm,
		.show = show_perm,
		.advance = advance_perm,
		.write = gdl_command_perm,
	},
};
