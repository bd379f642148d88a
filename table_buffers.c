// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables of buffers and their users: allocations, attachments, locks, contexts.
 *
 * All is called under rcu_read_lock(), by proc.c.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/pid.h>

#include "column.h"

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
	gdl_seq_process(m, reader, b->pid, b->comm);
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
	gdl_seq_process(m, reader, a->pid, a->comm);
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
	return gdl_lock_graph_next(&c->row) && c->row.buffer_id <= c->last_id ? &c->row : NULL;
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
	gdl_seq_process(m, reader, row->pid, row->comm);
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
	gdl_seq_process(m, reader, user.pid, user.comm);
	put_number(m, READ_ONCE(c->switches));
	end_with_age(m, c->created, c->adopted);
out:
	put_pid(user.pid);
}

#define ALLOCATIONS_HEADER \
"ID AGENT DEVICE SIZE KIND EXPORTER INODE DMA_ADDR PID COMM AGE_MS LOCK ATTACHMENTS " \
"REGIONS\n"

#define ATTACHMENTS_HEADER \
"BUFFER OWNER IMPORTER_DEVICE AGENT PID COMM MAPPED DIRECTION PINNED P2P AGE_MS\n"

const struct gdl_table gdl_table_allocations = {
	.name = "allocations",
	.header = ALLOCATIONS_HEADER,
	.cursor_size = sizeof(struct gdl_serial_cursor),
	.begin = begin_buffer,
	.find = find_buffer,
	.advance = advance_serial,
	.agent_of = agent_of_buffer,
	.show = show_buffer,
};

const struct gdl_table gdl_table_attachments = {
	.name = "attachments",
	.header = ATTACHMENTS_HEADER,
	.cursor_size = sizeof(struct gdl_serial_cursor),
	.begin = begin_attachment,
	.find = find_attachment,
	.advance = advance_serial,
	.agent_of = agent_of_attachment,
	.show = show_attachment,
};

const struct gdl_table gdl_table_locks = {
	.name = "locks",
	.header = "BUFFER KIND MODE STATE AGENT PID COMM AGE_MS BLOCKED_BY\n",
	.cursor_size = sizeof(struct lock_cursor),
	.begin = begin_lock,
	.find = find_lock,
	.advance = advance_lock,
	.stop = stop_lock,
	.agent_of = agent_of_lock,
	.show = show_lock,
};

const struct gdl_table gdl_table_contexts = {
	.name = "contexts",
	.header = "ID AGENT DEVICE KIND STATE PID COMM SWITCHES AGE_MS\n",
	.cursor_size = sizeof(struct gdl_serial_cursor),
	.begin = begin_context,
	.find = find_context,
	.advance = advance_serial,
	.agent_of = agent_of_context,
	.show = show_context,
};
