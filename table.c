// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables: the rows of /proc/swarm/gpu, how each is found and shown.
 *
 * All is called under rcu_read_lock(), by proc.c.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ctype.h>
#include <linux/jiffies.h>
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
static void put_process(struct seq_file *m, const struct gdl_reader *reader,
			struct pid *pid, const char *comm)
{
	bool seen = gdl_reader_sees_process(reader, pid);
	pid_t nr = pid_nr_ns(pid, reader->pid_ns);

	/* What is not of its pid namespace is not in that /proc at all. */
	if (!nr && reader->hide_pid != HIDEPID_OFF)
		seen = false;
	/* hidepid=1 hides what a process is, not that it is there. */
	put_pid_nr(m, seen || reader->hide_pid == HIDEPID_NO_ACCESS ? nr : 0);
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

static void begin_id(void *cursor)
{
	*(struct gdl_id_cursor *)cursor = (struct gdl_id_cursor) { };
}

static void advance_id(void *cursor)
{
	struct gdl_id_cursor *c = cursor;

	c->end = !++c->id;
}

static void *find_device(void *cursor, const struct gdl_reader *reader)
{
	struct gdl_id_cursor *c = cursor;
	struct gdl_device *device;

	if (c->end)
		return NULL;
	device = gdl_device_next(c->id);
	c->id = device->id;
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
static u64 agent_of_reader(const struct gdl_reader *reader, const void *row)
{
	return reader->agent_id;
}

/* What the reader's agent has of a device's USED. */
static u64 own_used(const struct gdl_reader *reader, const struct gdl_device *device)
{
	struct gdl_agent *agent = gdl_agent_lookup(reader->agent_id);
	struct gdl_device_quota *dq = NULL;

	if (agent)
		dq = gdl_agent_next_device_quota(agent, device->id);
	return dq && dq->device == device ? atomic64_read(&dq->quota.used) : 0;
}

static void show_device(struct seq_file *m, const struct gdl_reader *reader, void *row)
{
	char driver[GDL_DEVICE_NAME_LEN];
	struct gdl_device *device = row;

	put_device(m, device);
	put_name(m, device->name);
	gdl_device_driver(device, driver);
	put_name(m, driver);
	put_name(m, device->bus);
	put_capacity(m, device);
	if (reader->all) {
		put_count(m, &device->capacity.used);
		put_count(m, &device->buffers);
		end_with_number(m, atomic64_read(&device->contexts));
	} else {
		put_number(m, own_used(reader, device));
		seq_puts(m, "- -\n");
	}
}

static void *find_agent(void *cursor, const struct gdl_reader *reader)
{
	struct gdl_id_cursor *c = cursor;
	struct gdl_agent *agent;

	agent = c->end ? NULL : gdl_agent_next(c->id);
	if (agent)
		c->id = agent->id;
	return agent;
}

static u64 agent_id(const struct gdl_reader *reader, const void *row)
{
	const struct gdl_agent *agent = row;

	return agent->id;
}

static void show_agent(struct seq_file *m, const struct gdl_reader *reader, void *row)
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

static void begin_quota(void *cursor)
{
	*(struct gdl_quota_cursor *)cursor = (struct gdl_quota_cursor) { };
}

/* An agent has a row "all", then one for each device it has a quota on. */
static void *find_quota(void *cursor, const struct gdl_reader *reader)
{
	struct gdl_quota_cursor *c = cursor;
	struct gdl_agent *agent = c->end ? NULL : gdl_agent_next(c->agent_id);

	if (!agent)
		return NULL;
	if (c->device_rows && agent->id == c->agent_id) {
		c->row.agent = agent;
		c->row.dq = gdl_agent_next_device_quota(agent, c->device_id);
		if (c->row.dq) {
			c->device_id = c->row.dq->device->id;
			return &c->row;
		}
		if (agent->id == U64_MAX)
			return NULL;
		agent = gdl_agent_next(c->agent_id + 1);
		if (!agent)
			return NULL;
	}
	c->device_rows = false;
	c->agent_id = agent->id;
	c->row = (struct gdl_quota_row) { .agent = agent };
	return &c->row;
}

/* To the next device of the agent, or the next agent. */
static void advance_quota(void *cursor)
{
	struct gdl_quota_cursor *c = cursor;

	c->device_id = c->device_rows ? c->device_id + 1 : 0;
	/* Device id U64_MAX, of no GPU, is an agent's last row. */
	if (c->device_id || !c->device_rows) {
		c->device_rows = true;
		return;
	}
	c->device_rows = false;
	c->end = !++c->agent_id;
}

static u64 agent_of_quota(const struct gdl_reader *reader, const void *row)
{
	const struct gdl_quota_row *quota = row;

	return quota->agent->id;
}

static void show_quota(struct seq_file *m, const struct gdl_reader *reader, void *row)
{
	const struct gdl_quota_row *r = row;
	struct gdl_quota *quota = r->dq ? &r->dq->quota : &r->agent->quota;

	put_number(m, r->agent->id);
	if (r->dq)
		put_device(m, r->dq->device);
	else
		put_word(m, "all");
	put_limit(m, READ_ONCE(quota->limit));
	put_count(m, &quota->used);
	put_count(m, &quota->peak);
	put_count(m, &quota->denied);
	end_with_agent_name(m, r->agent);
}

/* Its row is the cursor itself. */
struct region_cursor {
	u64 agent_id;
	u64 device_id;
	unsigned int region;
	struct gdl_device_quota *dq;
	bool end;
};

static void begin_region(void *cursor)
{
	*(struct region_cursor *)cursor = (struct region_cursor) { };
}

/* The first region from the cursor on where @agent has memory. */
static bool find_region_of(struct region_cursor *c, struct gdl_agent *agent)
{
	for (;;) {
		c->dq = gdl_agent_next_device_quota(agent, c->device_id);
		if (!c->dq)
			return false;
		if (c->dq->device->id != c->device_id)
			c->region = 0;
		c->device_id = c->dq->device->id;
		if (gdl_region_next(c->dq, &c->region))
			return true;
		c->region = 0;
		/* Device id U64_MAX, of no GPU, is the last. */
		if (!++c->device_id)
			return false;
	}
}

/* To the first of an agent's. */
static void first_region(struct region_cursor *c)
{
	c->device_id = 0;
	c->region = 0;
}

static void *find_region(void *cursor, const struct gdl_reader *reader)
{
	struct region_cursor *c = cursor;
	struct gdl_agent *agent;
	unsigned int n;

	for (n = 0; n < GDL_AGENTS_AT_ONCE; n++) {
		agent = c->end ? NULL : gdl_agent_next(c->agent_id);
		if (!agent)
			return NULL;
		if (agent->id != c->agent_id)
			first_region(c);
		c->agent_id = agent->id;
		if (find_region_of(c, agent))
			return c;
		first_region(c);
		c->end = !++c->agent_id;
	}
	return GDL_ROW_LATER;
}

static void advance_region(void *cursor)
{
	struct region_cursor *c = cursor;

	c->region++;
}

static u64 agent_of_region(const struct gdl_reader *reader, const void *row)
{
	const struct region_cursor *c = row;

	return c->agent_id;
}

static void show_region(struct seq_file *m, const struct gdl_reader *reader, void *row)
{
	const struct region_cursor *c = row;
	const struct gdl_region *r = &c->dq->regions[c->region];
	char driver[GDL_DEVICE_NAME_LEN];

	put_device(m, c->dq->device);
	gdl_device_driver(c->dq->device, driver);
	put_word(m, gdl_driver_region(driver, c->region));
	put_number(m, c->agent_id);
	put_number(m, READ_ONCE(r->used));
	put_number(m, READ_ONCE(r->peak));
	end_with_number(m, READ_ONCE(r->buffers));
}

static void advance_serial(void *cursor)
{
	struct gdl_serial_cursor *c = cursor;

	c->id++;
}

/* To the row of @id, if it was there when the read began. */
static bool come_to(struct gdl_serial_cursor *c, u64 id)
{
	c->id = id;
	return id <= c->last_id;
}

static void begin_buffer(void *cursor)
{
	*(struct gdl_serial_cursor *)cursor = (struct gdl_serial_cursor) {
		.last_id = gdl_id_last(),
	};
}

static void *find_buffer(void *cursor, const struct gdl_reader *reader)
{
	struct gdl_serial_cursor *c = cursor;
	struct gdl_buffer *b = gdl_buffer_next(c->id);

	return b && come_to(c, b->id) ? b : NULL;
}

static u64 agent_of_buffer(const struct gdl_reader *reader, const void *row)
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
static void put_dma_addr(struct seq_file *m, const struct gdl_reader *reader,
			 dma_addr_t addr)
{
	if (!reader->addresses)
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
static void end_with_resources(struct seq_file *m, const struct gdl_buffer *b,
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

static void show_buffer(struct seq_file *m, const struct gdl_reader *reader, void *row)
{
	const struct gdl_buffer *b = row;
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
	put_dma_addr(m, reader, READ_ONCE(b->dma_addr));
	put_process(m, reader, b->pid, b->comm);
	/* An adopted buffer is older than anybody here knows. */
	if (b->adopted)
		put_word(m, "-");
	else
		put_number(m, age_ms(b->created));
	put_lock_mode(m, READ_ONCE(b->lock_mode));
	put_number(m, atomic_read(&b->attachments));
	end_with_resources(m, b, dq->device);
}

static void begin_attachment(void *cursor)
{
	*(struct gdl_serial_cursor *)cursor = (struct gdl_serial_cursor) {
		.last_id = gdl_attachment_last_id(),
	};
}

static void *find_attachment(void *cursor, const struct gdl_reader *reader)
{
	struct gdl_serial_cursor *c = cursor;
	struct gdl_attachment *attachment = gdl_attachment_next(c->id);

	return attachment && come_to(c, attachment->id) ? attachment : NULL;
}

/* The importer's, whichever agent has the buffer. */
static u64 agent_of_attachment(const struct gdl_reader *reader, const void *row)
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

static void show_attachment(struct seq_file *m, const struct gdl_reader *reader, void *row)
{
	const struct gdl_attachment *a = row;
	struct gdl_buffer *b = gdl_buffer_lookup(a->buffer_id);
	u64 owner = b ? READ_ONCE(b->dq)->agent->id : gdl_host.id;

	put_number(m, a->buffer_id);
	if (b && gdl_reader_sees(reader, owner))
		put_number(m, owner);
	else
		put_word(m, "-");
	put_name(m, a->importer);
	put_number(m, READ_ONCE(a->agent)->id);
	put_process(m, reader, a->pid, a->comm);
	put_mapped(m, a);
	put_word(m, mapped_direction(a));
	put_number(m, atomic_read(&a->pinned));
	put_number(m, a->peer2peer);
	end_with_age(m, a->created, a->adopted);
}

struct lock_cursor {
	u64 last_id;				/* of a buffer */
	struct gdl_lock_row row;
};

static void begin_lock(void *cursor)
{
	*(struct lock_cursor *)cursor = (struct lock_cursor) {
		.last_id = gdl_id_last(),
		.row.order = S64_MIN,
	};
}

static void stop_lock(void *cursor)
{
	struct lock_cursor *c = cursor;

	put_pid(c->row.pid);
	c->row.pid = NULL;
}

static void *find_lock(void *cursor, const struct gdl_reader *reader)
{
	struct lock_cursor *c = cursor;

	stop_lock(c);
	return gdl_lock_next(&c->row) && c->row.buffer_id <= c->last_id ? &c->row : NULL;
}

static void advance_lock(void *cursor)
{
	struct lock_cursor *c = cursor;

	c->row.order++;
}

static u64 agent_of_lock(const struct gdl_reader *reader, const void *row)
{
	const struct gdl_lock_row *lock = row;

	return lock->agent_id;
}

/* Those that the reader does not see are "..." too. */
static void put_blockers(struct seq_file *m, const struct gdl_reader *reader,
			 const struct gdl_lock_row *row)
{
	bool more = row->more_blockers;
	const char *separator = "";
	unsigned int i;

	if (!row->nr_blockers)
		seq_putc(m, '-');
	for (i = 0; i < row->nr_blockers; i++) {
		if (!gdl_reader_sees(reader, row->blockers[i])) {
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

static void show_lock(struct seq_file *m, const struct gdl_reader *reader, void *v)
{
	const struct gdl_lock_row *row = v;

	put_number(m, row->buffer_id);
	put_word(m, row->kind);
	put_lock_mode(m, row->mode);
	put_word(m, row->waiting ? "waiting" : "held");
	put_number(m, row->agent_id);
	put_process(m, reader, row->pid, row->comm);
	put_number(m, age_ms(row->since));
	put_blockers(m, reader, row);
}

static void begin_context(void *cursor)
{
	*(struct gdl_serial_cursor *)cursor = (struct gdl_serial_cursor) {
		.last_id = gdl_context_last_id(),
	};
}

static void *find_context(void *cursor, const struct gdl_reader *reader)
{
	struct gdl_serial_cursor *c = cursor;
	struct gdl_context *context = gdl_context_next(c->id);

	return context && come_to(c, context->id) ? context : NULL;
}

static u64 agent_of_context(const struct gdl_reader *reader, const void *row)
{
	const struct gdl_context *c = row;

	return READ_ONCE(c->user.agent)->id;
}

static void show_context(struct seq_file *m, const struct gdl_reader *reader, void *row)
{
	struct gdl_context_user user;
	struct gdl_context *c = row;

	gdl_context_user(c, &user);
	/* It was passed on this moment. */
	if (!gdl_reader_sees(reader, user.agent->id))
		goto out;
	put_number(m, c->id);
	put_number(m, user.agent->id);
	put_device(m, c->device);
	put_word(m, c->file ? "drm" : "declared");
	put_word(m, gdl_context_state(c));
	put_process(m, reader, user.pid, user.comm);
	put_number(m, READ_ONCE(c->switches));
	end_with_age(m, c->created, c->adopted);
out:
	put_pid(user.pid);
}

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
	end_with_agent_name(m, gdl_agent_lookup_rcu(row->agent_id));
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
		.cursor_size = sizeof(struct gdl_id_cursor),
		.begin = begin_id,
		.find = find_device,
		.advance = advance_id,
		.agent_of = agent_of_reader,
		.show = show_device,
	},
	[GDL_TABLE_AGENTS] = {
		.name = "agents",
		.header = AGENTS_HEADER,
		.cursor_size = sizeof(struct gdl_id_cursor),
		.begin = begin_id,
		.find = find_agent,
		.advance = advance_id,
		.agent_of = agent_id,
		.show = show_agent,
	},
	[GDL_TABLE_QUOTAS] = {
		.name = "quotas",
		.header = "AGENT DEVICE LIMIT USED PEAK DENIED NAME\n",
		.cursor_size = sizeof(struct gdl_quota_cursor),
		.begin = begin_quota,
		.find = find_quota,
		.advance = advance_quota,
		.agent_of = agent_of_quota,
		.show = show_quota,
		.write = gdl_command_quota,
	},
	[GDL_TABLE_REGIONS] = {
		.name = "regions",
		.header = "DEVICE REGION AGENT USED PEAK BUFFERS\n",
		.cursor_size = sizeof(struct region_cursor),
		.begin = begin_region,
		.find = find_region,
		.advance = advance_region,
		.agent_of = agent_of_region,
		.show = show_region,
	},
	[GDL_TABLE_ALLOCATIONS] = {
		.name = "allocations",
		.header = ALLOCATIONS_HEADER,
		.cursor_size = sizeof(struct gdl_serial_cursor),
		.begin = begin_buffer,
		.find = find_buffer,
		.advance = advance_serial,
		.agent_of = agent_of_buffer,
		.show = show_buffer,
	},
	[GDL_TABLE_ATTACHMENTS] = {
		.name = "attachments",
		.header = ATTACHMENTS_HEADER,
		.cursor_size = sizeof(struct gdl_serial_cursor),
		.begin = begin_attachment,
		.find = find_attachment,
		.advance = advance_serial,
		.agent_of = agent_of_attachment,
		.show = show_attachment,
	},
	[GDL_TABLE_LOCKS] = {
		.name = "locks",
		.header = "BUFFER KIND MODE STATE AGENT PID COMM AGE_MS BLOCKED_BY\n",
		.cursor_size = sizeof(struct lock_cursor),
		.begin = begin_lock,
		.find = find_lock,
		.advance = advance_lock,
		.stop = stop_lock,
		.agent_of = agent_of_lock,
		.show = show_lock,
	},
	[GDL_TABLE_CONTEXTS] = {
		.name = "contexts",
		.header = "ID AGENT DEVICE KIND STATE PID COMM SWITCHES AGE_MS\n",
		.cursor_size = sizeof(struct gdl_serial_cursor),
		.begin = begin_context,
		.find = find_context,
		.advance = advance_serial,
		.agent_of = agent_of_context,
		.show = show_context,
	},
	[GDL_TABLE_BINDINGS] = {
		.name = "bindings",
		.header = "AGENT BINDING STATE NAME\n",
		.cursor_size = sizeof(struct gdl_binding_cursor),
		.begin = begin_binding,
		.find = find_binding,
		.advance = advance_binding,
		.agent_of = agent_of_binding,
		.show = show_binding,
	},
	[GDL_TABLE_TEMPLATES] = {
		.name = "templates",
		.header = "PATTERN QUOTA AGENTS\n",
		.cursor_size = sizeof(struct gdl_serial_cursor),
		.begin = begin_template,
		.find = find_template,
		.advance = advance_serial,
		.agent_of = agent_of_template,
		.show = show_template,
	},
	[GDL_TABLE_DMA_PERMISSIONS] = {
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
	},
};
