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

/**
 * gdl_seq_name() - print a name on one line and in one word
 * @m: where to
 * @name: the name; what is not graphic is shown as \ooo, "" as "-"
 *
 * Context: Any.
 */
void gdl_seq_name(struct seq_file *m, const char *name)
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
	gdl_seq_name(m, name);
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

/* @agent: NULL if it is gone by now */
static void end_with_agent_name(struct seq_file *m, const struct gdl_agent *agent)
{
	gdl_seq_name(m, agent ? gdl_reader_name(agent) : "");
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

/* PID and COMM; those that the reader's /proc hides are "-". */
static void put_process(struct seq_file *m, const struct gdl_cursor *cursor,
			struct pid *pid, const char *comm)
{
	bool seen = gdl_reader_sees_process(&cursor->reader, pid);
	enum proc_hidepid hide_pid = cursor->reader.hide_pid;
	pid_t nr = pid_nr_ns(pid, cursor->pid_ns);

	/* What is not of its pid namespace is not in that /proc at all. */
	if (!nr && hide_pid != HIDEPID_OFF)
		seen = false;
	/* hidepid=1 hides what a process is, not that it is there. */
	put_pid_nr(m, seen || hide_pid == HIDEPID_NO_ACCESS ? nr : 0);
	if (seen)
		put_name(m, comm);
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
	else if (READ_ONCE(device->vram_size))
		seq_printf(m, "vram:%llu ", READ_ONCE(device->vram_size));
	else if (device->bar_size)
		seq_printf(m, "bar:%llu ", device->bar_size);
	else
		put_word(m, "-");
}

/* A device is for all readers that have rows at all. */
static u64 agent_of_reader(struct gdl_cursor *cursor, void *row)
{
	return cursor->reader.agent_id;
}

/* What the reader's agent has of a device's USED. */
static u64 own_used(const struct gdl_cursor *cursor, const struct gdl_device *device)
{
	struct gdl_agent *agent = gdl_agent_lookup(cursor->reader.agent_id);
	struct gdl_device_quota *dq = NULL;

	if (agent)
		dq = gdl_agent_next_device_quota(agent, device->id);
	return dq && dq->device == device ? atomic64_read(&dq->quota.used) : 0;
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
	if (cursor->reader.all) {
		put_count(m, &device->capacity.used);
		put_count(m, &device->buffers);
		end_with_number(m, atomic64_read(&device->contexts));
	} else {
		put_number(m, own_used(cursor, device));
		seq_puts(m, "- -\n");
	}
}

static void *find_agent(struct gdl_cursor *cursor)
{
	struct gdl_agent *agent = gdl_agent_next(cursor->id);

	if (agent)
		cursor->id = agent->id;
	return agent;
}

static u64 agent_id(struct gdl_cursor *cursor, void *row)
{
	const struct gdl_agent *agent = row;

	return agent->id;
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
	put_count(m, &agent->bindings);
	put_name(m, gdl_reader_name(agent));
	put_number(m, READ_ONCE(agent->nr_attachments));
	put_number(m, READ_ONCE(agent->nr_contexts));
	end_with_number(m, gdl_cap_tracking(agent));
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
	put_count(m, &quota->denied);
	end_with_agent_name(m, agent);
}

/* The first region from the cursor on where @agent has memory. */
static bool find_region_of(struct gdl_cursor *cursor, struct gdl_agent *agent)
{
	struct gdl_device_quota *dq;

	for (;;) {
		dq = gdl_agent_next_device_quota(agent, cursor->device_id);
		if (!dq)
			return false;
		if (dq->device->id != cursor->device_id)
			cursor->region = 0;
		cursor->device_id = dq->device->id;
		cursor->dq = dq;
		if (gdl_region_next(dq, &cursor->region))
			return true;
		cursor->region = 0;
		/* Device id U64_MAX, of no GPU, is the last. */
		if (!++cursor->device_id)
			return false;
	}
}

/* To the first of an agent's. */
static void first_region(struct gdl_cursor *cursor)
{
	cursor->device_id = 0;
	cursor->region = 0;
}

static void *find_region(struct gdl_cursor *cursor)
{
	struct gdl_agent *agent;
	unsigned int n;

	for (n = 0; n < GDL_AGENTS_AT_ONCE; n++) {
		agent = gdl_agent_next(cursor->id);
		if (!agent)
			return NULL;
		if (agent->id != cursor->id)
			first_region(cursor);
		cursor->id = agent->id;
		if (find_region_of(cursor, agent))
			return agent;
		first_region(cursor);
		if (!++cursor->id)
			return NULL;
	}
	return GDL_ROW_LATER;
}

static void show_region(struct seq_file *m, struct gdl_cursor *cursor, void *row)
{
	struct gdl_device_quota *dq = cursor->dq;
	const struct gdl_region *r = &dq->regions[cursor->region];
	char driver[GDL_DEVICE_NAME_LEN];

	put_device(m, dq->device);
	gdl_device_driver(dq->device, driver);
	put_word(m, gdl_driver_region(driver, cursor->region));
	put_number(m, dq->agent->id);
	put_number(m, READ_ONCE(r->used));
	put_number(m, READ_ONCE(r->peak));
	end_with_number(m, READ_ONCE(r->buffers));
}

static void *find_buffer(struct gdl_cursor *cursor)
{
	struct gdl_buffer *b = gdl_buffer_next(cursor->id);

	if (b)
		cursor->id = b->id;
	return b;
}

static u64 agent_of_buffer(struct gdl_cursor *cursor, void *row)
{
	const struct gdl_buffer *b = row;

	return READ_ONCE(b->dq)->agent->id;
}

static void put_inode(struct seq_file *m, const struct gdl_buffer *b)
{
	unsigned long inode = READ_ONCE(b->inode);

	if (inode)
		put_number(m, inode);
	else
		put_word(m, "-");
}

/* Shown to readers that may see addresses, else 0x0. */
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

/* Where its memory is: REGION:BYTES,... */
static void end_with_resources(struct seq_file *m, struct gdl_buffer *b,
			       struct gdl_device *device)
{
	char driver[GDL_DEVICE_NAME_LEN], separator = 0;
	unsigned int i, n;

	if (!READ_ONCE(b->nr_resources)) {
		seq_puts(m, "-\n");
		return;
	}
	gdl_device_driver(device, driver);
	for (i = 0; i < GDL_NR_REGIONS; i++) {
		n = READ_ONCE(b->resources[i]);
		if (!n)
			continue;
		if (separator)
			seq_putc(m, separator);
		seq_printf(m, "%s:%llu", gdl_driver_region(driver, i), n * b->size);
		separator = ',';
	}
	seq_puts(m, separator ? "\n" : "-\n");
}

static void put_kind(struct seq_file *m, const struct gdl_buffer *b)
{
	u8 kind = READ_ONCE(b->kind);

	if (kind == GDL_KIND_REPORTED && gdl_report_is_stale(b))
		put_word(m, "stale");
	else
		put_word(m, gdl_kind_names[kind]);
}

static void show_buffer(struct seq_file *m, struct gdl_cursor *cursor, void *row)
{
	struct gdl_buffer *b = row;
	struct gdl_device_quota *dq = READ_ONCE(b->dq);

	put_number(m, b->id);
	put_number(m, dq->agent->id);
	put_device(m, dq->device);
	put_number(m, READ_ONCE(b->size));
	put_kind(m, b);
	if (READ_ONCE(b->exporter))
		put_name(m, gdl_exporter_name(READ_ONCE(b->exporter)));
	else
		put_word(m, "-");
	put_inode(m, b);
	put_dma_addr(m, cursor, READ_ONCE(b->dma_addr));
	put_process(m, cursor, b->pid, b->comm);
	/* An adopted buffer is older than anybody here knows. */
	if (b->adopted)
		put_word(m, "-");
	else
		put_number(m, age_ms(b->created));
	put_lock_mode(m, READ_ONCE(b->lock_mode));
	put_number(m, atomic_read(&b->attachments));
	end_with_resources(m, b, dq->device);
}

static void *find_attachment(struct gdl_cursor *cursor)
{
	struct gdl_attachment *a = gdl_attachment_next(cursor->id);

	if (a)
		cursor->id = a->id;
	return a;
}

/* The importer's, whichever agent has the buffer. */
static u64 agent_of_attachment(struct gdl_cursor *cursor, void *row)
{
	const struct gdl_attachment *a = row;

	return READ_ONCE(a->agent)->id;
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
	u64 owner = b ? READ_ONCE(b->dq)->agent->id : gdl_host.id;

	put_number(m, a->buffer_id);
	if (b && gdl_reader_sees(&cursor->reader, owner))
		put_number(m, owner);
	else
		put_word(m, "-");
	put_name(m, a->importer);
	put_number(m, READ_ONCE(a->agent)->id);
	put_process(m, cursor, a->pid, a->comm);
	put_mapped(m, a);
	put_word(m, mapped_direction(a));
	put_number(m, atomic_read(&a->pinned));
	put_number(m, a->peer2peer);
	end_with_age(m, a->created, a->adopted);
}

static void *find_lock(struct gdl_cursor *cursor)
{
	struct gdl_lock_row *row = &cursor->lock_row;

	put_pid(row->pid);
	row->pid = NULL;
	if (!gdl_lock_next(row))
		return NULL;
	cursor->id = row->buffer_id;
	return row;
}

static u64 agent_of_lock(struct gdl_cursor *cursor, void *row)
{
	return cursor->lock_row.agent_id;
}

/* Those that the reader does not see are "..." too. */
static void put_blockers(struct seq_file *m, const struct gdl_cursor *cursor)
{
	const struct gdl_lock_row *row = &cursor->lock_row;
	bool more = row->more_blockers;
	const char *separator = "";
	unsigned int i;

	if (!row->nr_blockers)
		seq_putc(m, '-');
	for (i = 0; i < row->nr_blockers; i++) {
		if (!gdl_reader_sees(&cursor->reader, row->blockers[i])) {
			more = true;
			continue;
		}
		seq_put_decimal_ull(m, separator, row->blockers[i]);
		separator = ",";
	}
	if (more)
		seq_printf(m, "%s...", separator);
	seq_putc(m, '\n');
}

static void show_lock(struct seq_file *m, struct gdl_cursor *cursor, void *v)
{
	const struct gdl_lock_row *row = v;

	put_number(m, row->buffer_id);
	put_word(m, row->kind);
	put_lock_mode(m, row->mode);
	put_word(m, row->waiting ? "waiting" : "held");
	put_number(m, row->agent_id);
	put_process(m, cursor, row->pid, row->comm);
	put_number(m, age_ms(row->since));
	put_blockers(m, cursor);
}

static void *find_context(struct gdl_cursor *cursor)
{
	struct gdl_context *c = gdl_context_next(cursor->id);

	if (c)
		cursor->id = c->id;
	return c;
}

static u64 agent_of_context(struct gdl_cursor *cursor, void *row)
{
	const struct gdl_context *c = row;

	return READ_ONCE(c->user.agent)->id;
}

static void show_context(struct seq_file *m, struct gdl_cursor *cursor, void *row)
{
	struct gdl_context_user user;
	struct gdl_context *c = row;

	gdl_context_user(c, &user);
	/* It was passed on this moment. */
	if (!gdl_reader_sees(&cursor->reader, user.agent->id))
		goto out;
	put_number(m, c->id);
	put_number(m, user.agent->id);
	put_device(m, c->device);
	put_word(m, c->file ? "drm" : "declared");
	put_word(m, gdl_context_state(c));
	put_process(m, cursor, user.pid, user.comm);
	put_number(m, READ_ONCE(c->switches));
	end_with_age(m, c->created, c->adopted);
out:
	put_pid(user.pid);
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

static u64 agent_of_binding(struct gdl_cursor *cursor, void *row)
{
	return cursor->binding_row.agent_id;
}

/* Its process has not ended, or it would be gone. */
static bool hides_binding(const struct gdl_cursor *cursor)
{
	struct pid *pid;

	if (cursor->reader.hide_pid <= HIDEPID_NO_ACCESS)
		return false;
	pid = find_pid_ns(cursor->binding_row.pid, cursor->pid_ns);
	return !pid || !gdl_reader_sees_process(&cursor->reader, pid);
}

/* In the words that bind takes. */
static void show_binding(struct seq_file *m, struct gdl_cursor *cursor, void *v)
{
	const struct gdl_binding_row *row = v;

	put_number(m, row->agent_id);
	if (row->is_cgroup) {
		seq_puts(m, "cgroup:");
		gdl_seq_name(m, row->path);
	} else if (row->pid && !hides_binding(cursor)) {
		seq_put_decimal_ull(m, "pid:", row->pid);
	} else {
		seq_puts(m, "pid:-");
	}
	put_word(m, row->bound ? " bound" : " waiting");
	end_with_agent_name(m, gdl_agent_lookup_rcu(row->agent_id));
}

static void *find_template(struct gdl_cursor *cursor)
{
	const struct gdl_template *t = gdl_template_next(cursor->id);

	if (t)
		cursor->id = t->id;
	return (void *)t;
}

/* Of no tenant's: agent 0's rows are only for readers that see all. */
static u64 agent_of_template(struct gdl_cursor *cursor, void *row)
{
	return gdl_host.id;
}

/* The pattern is in the words that template takes. */
static void show_template(struct seq_file *m, struct gdl_cursor *cursor, void *row)
{
	const struct gdl_template *t = row;

	put_name(m, t->pattern);
	put_limit(m, READ_ONCE(t->limit));
	end_with_number(m, atomic_read(&t->agents));
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

static void advance_region(struct gdl_cursor *cursor)
{
	cursor->region++;
}

static void advance_lock(struct gdl_cursor *cursor)
{
	cursor->lock_row.order++;
}

static void *find_perm(struct gdl_cursor *cursor)
{
	int found = gdl_perm_next(&cursor->perm_row);

	if (found < 0)
		return GDL_ROW_LATER;
	return found ? &cursor->perm_row : NULL;
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

static u64 agent_of_perm(struct gdl_cursor *cursor, void *row)
{
	return cursor->perm_row.agent_id;
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

#define AGENTS_HEADER \
"ID BUFFERS USED PEAK QUOTA LOCKS WAITING DENIED BINDINGS NAME ATTACHMENTS CONTEXTS " \
"TRACKING\n"

#define ALLOCATIONS_HEADER \
"ID AGENT DEVICE SIZE KIND EXPORTER INODE DMA_ADDR PID COMM AGE_MS LOCK ATTACHMENTS " \
"REGIONS\n"

#define ATTACHMENTS_HEADER \
"BUFFER OWNER IMPORTER_DEVICE AGENT PID COMM MAPPED DIRECTION PINNED P2P AGE_MS\n"

const struct gdl_table gdl_tables[GDL_NR_TABLES] = {
	[GDL_TABLE_DEVICES] = {
		.name = "devices",
		.header = "ID NAME DRIVER BUS CAPACITY USED BUFFERS CONTEXTS\n",
		.find = find_device,
		.agent_of = agent_of_reader,
		.show = show_device,
		.advance = next_id,
	},
	[GDL_TABLE_AGENTS] = {
		.name = "agents",
		.header = AGENTS_HEADER,
		.find = find_agent,
		.agent_of = agent_id,
		.show = show_agent,
		.advance = next_id,
	},
	[GDL_TABLE_QUOTAS] = {
		.name = "quotas",
		.header = "AGENT DEVICE LIMIT USED PEAK DENIED NAME\n",
		.find = find_quota,
		.agent_of = agent_id,
		.show = show_quota,
		.advance = advance_quota,
		.write = gdl_command_quota,
	},
	[GDL_TABLE_REGIONS] = {
		.name = "regions",
		.header = "DEVICE REGION AGENT USED PEAK BUFFERS\n",
		.find = find_region,
		.agent_of = agent_id,
		.show = show_region,
		.advance = advance_region,
	},
	[GDL_TABLE_ALLOCATIONS] = {
		.name = "allocations",
		.header = ALLOCATIONS_HEADER,
		.last_id = gdl_id_last,
		.find = find_buffer,
		.agent_of = agent_of_buffer,
		.show = show_buffer,
		.advance = next_id,
	},
	[GDL_TABLE_ATTACHMENTS] = {
		.name = "attachments",
		.header = ATTACHMENTS_HEADER,
		.last_id = gdl_attachment_last_id,
		.find = find_attachment,
		.agent_of = agent_of_attachment,
		.show = show_attachment,
		.advance = next_id,
	},
	[GDL_TABLE_LOCKS] = {
		.name = "locks",
		.header = "BUFFER KIND MODE STATE AGENT PID COMM AGE_MS BLOCKED_BY\n",
		.last_id = gdl_id_last,
		.find = find_lock,
		.agent_of = agent_of_lock,
		.show = show_lock,
		.advance = advance_lock,
	},
	[GDL_TABLE_CONTEXTS] = {
		.name = "contexts",
		.header = "ID AGENT DEVICE KIND STATE PID COMM SWITCHES AGE_MS\n",
		.last_id = gdl_context_last_id,
		.find = find_context,
		.agent_of = agent_of_context,
		.show = show_context,
		.advance = next_id,
	},
	[GDL_TABLE_BINDINGS] = {
		.name = "bindings",
		.header = "AGENT BINDING STATE NAME\n",
		.last_id = gdl_binding_last_id,
		.find = find_binding,
		.agent_of = agent_of_binding,
		.show = show_binding,
		.advance = next_id,
		.room = PATH_MAX,
	},
	[GDL_TABLE_TEMPLATES] = {
		.name = "templates",
		.header = "PATTERN QUOTA AGENTS\n",
		.last_id = gdl_template_last_id,
		.find = find_template,
		.agent_of = agent_of_template,
		.show = show_template,
		.advance = next_id,
	},
	[GDL_TABLE_DMA_PERMISSIONS] = {
		/* Without a header: it is written in the grammar it is shown in. */
		.name = "dma_permissions",
		.header = "",
		.find = find_perm,
		.agent_of = agent_of_perm,
		.show = show_perm,
		.advance = advance_perm,
		.write = gdl_command_perm,
	},
};

/**
 * gdl_cursor_begin() - go to before a table's first row
 * @cursor: the reader's
 * @table: the table
 *
 * Context: Any.
 */
void gdl_cursor_begin(struct gdl_cursor *cursor, const struct gdl_table *table)
{
	cursor->id = 0;
	cursor->last_id = table->last_id ? table->last_id() : U64_MAX;
	cursor->end = false;
	cursor->device_rows = false;
	cursor->device_id = 0;
	cursor->region = 0;
	cursor->lock_row = (struct gdl_lock_row) { .order = S64_MIN };
	cursor->perm_row = (struct gdl_perm_row) { };
}
