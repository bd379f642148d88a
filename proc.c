// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/swarm/gpu: the files, their columns, their modes.
 *
 * A table is read by a cursor that holds the id of the current row, not a
 * pointer: each read finds its row again, so nothing is held between reads, and
 * rows that come and go move no other row. RCU is held while one buffer of
 * seq_file is filled.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/ctype.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/overflow.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/user_namespace.h>

#include "gpu_dma_lock.h"
#include "gpu_dma_lock_check.h"

static struct proc_dir_entry *swarm_dir;

struct cursor {
	const struct table *table;
	struct gdl_session *session;	/* of a file that can be written, else NULL */
	u64 id;				/* of the current row */
	u64 last_id;			/* rows made since the read began are left out */
	bool end;
	bool device_rows;		/* quotas: past the row "all" of agent id */
	u64 device_id;			/* quotas: of the current row */
	struct gdl_device_quota *dq;	/* quotas: the current row's, or NULL */
	struct gdl_lock_row lock_row;	/* locks: the current row */
	struct gdl_perm_row perm_row;	/* dma_permissions: the current row */
	struct gdl_binding_row binding_row; /* bindings: the current row */
	struct pid_namespace *pid_ns;	/* that this /proc was mounted for */
	bool show_addresses;
	char room[];			/* of table->room bytes */
};

struct table {
	const char *header;
	u64 (*last_id)(void);			/* NULL: ids do not rise with time */
	void *(*find)(struct cursor *cursor);	/* the row at the cursor, or after */
	void (*advance)(struct cursor *cursor);	/* NULL: to the next id */
	void (*show)(struct seq_file *m, struct cursor *cursor, void *row);
	gdl_line_fn write;
	size_t room;				/* of a row that needs more */
};

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

static void *find_device(struct cursor *cursor)
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

static void show_device(struct seq_file *m, struct cursor *cursor, void *row)
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

static void *find_agent(struct cursor *cursor)
{
	struct gdl_agent *agent = gdl_agent_next(cursor->id);

	if (agent)
		cursor->id = agent->id;
	return agent;
}

static void show_agent(struct seq_file *m, struct cursor *cursor, void *row)
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
static void *find_quota(struct cursor *cursor)
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

static void show_quota(struct seq_file *m, struct cursor *cursor, void *row)
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

static void *find_buffer(struct cursor *cursor)
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
static void put_dma_addr(struct seq_file *m, const struct cursor *cursor,
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

static void show_buffer(struct seq_file *m, struct cursor *cursor, void *row)
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

static void *find_attachment(struct cursor *cursor)
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

static void show_attachment(struct seq_file *m, struct cursor *cursor, void *row)
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

static void *find_lock(struct cursor *cursor)
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

static void show_lock(struct seq_file *m, struct cursor *cursor, void *v)
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

static void *find_context(struct cursor *cursor)
{
	struct gdl_context *c = gdl_context_next(cursor->id);

	if (c)
		cursor->id = c->id;
	return c;
}

static void show_context(struct seq_file *m, struct cursor *cursor, void *row)
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

static void *find_binding(struct cursor *cursor)
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
static void show_binding(struct seq_file *m, struct cursor *cursor, void *v)
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

static void next_id(struct cursor *cursor)
{
	cursor->id++;
	cursor->end = !cursor->id;
}

/* To the next device of the agent, or the next agent. */
static void advance_quota(struct cursor *cursor)
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

static void advance_lock(struct cursor *cursor)
{
	cursor->lock_row.order++;
}

static void *find_perm(struct cursor *cursor)
{
	return gdl_perm_next(&cursor->perm_row) ? &cursor->perm_row : NULL;
}

/* To behind the rule, or to the next agent, or from the ranges to the buffers. */
static void advance_perm(struct cursor *cursor)
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

static void show_perm(struct seq_file *m, struct cursor *cursor, void *v)
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

static const struct table devices_table = {
	.header = "ID NAME DRIVER BUS CAPACITY USED BUFFERS CONTEXTS\n",
	.find = find_device,
	.show = show_device,
};

static const struct table agents_table = {
	.header = "ID BUFFERS USED PEAK QUOTA LOCKS WAITING DENIED BINDINGS\n",
	.find = find_agent,
	.show = show_agent,
};

static const struct table quotas_table = {
	.header = "AGENT DEVICE LIMIT USED PEAK DENIED\n",
	.find = find_quota,
	.show = show_quota,
	.advance = advance_quota,
	.write = gdl_command_quota,
};

#define ALLOCATIONS_HEADER \
"ID AGENT DEVICE SIZE KIND EXPORTER INODE DMA_ADDR PID COMM AGE_MS LOCK ATTACHMENTS\n"

static const struct table allocations_table = {
	.header = ALLOCATIONS_HEADER,
	.last_id = gdl_id_last,
	.find = find_buffer,
	.show = show_buffer,
};

#define ATTACHMENTS_HEADER \
"BUFFER OWNER IMPORTER_DEVICE AGENT PID COMM MAPPED DIRECTION PINNED P2P AGE_MS\n"

static const struct table attachments_table = {
	.header = ATTACHMENTS_HEADER,
	.last_id = gdl_attachment_last_id,
	.find = find_attachment,
	.show = show_attachment,
};

static const struct table locks_table = {
	.header = "BUFFER KIND MODE STATE AGENT PID COMM AGE_MS BLOCKED_BY\n",
	.last_id = gdl_id_last,
	.find = find_lock,
	.show = show_lock,
	.advance = advance_lock,
};

static const struct table contexts_table = {
	.header = "ID AGENT DEVICE KIND STATE PID COMM SWITCHES AGE_MS\n",
	.last_id = gdl_context_last_id,
	.find = find_context,
	.show = show_context,
};

static const struct table bindings_table = {
	.header = "AGENT BINDING\n",
	.last_id = gdl_binding_last_id,
	.find = find_binding,
	.show = show_binding,
	.room = PATH_MAX,
};

/* Without a header: it is written in the grammar it is shown in. */
static const struct table permissions_table = {
	.header = "",
	.find = find_perm,
	.show = show_perm,
	.advance = advance_perm,
	.write = gdl_command_perm,
};

static void *table_row(struct cursor *cursor)
{
	void *row;

	if (cursor->end)
		return NULL;
	row = cursor->table->find(cursor);
	return cursor->id <= cursor->last_id ? row : NULL;
}

static void *table_start(struct seq_file *m, loff_t *pos)
	__acquires(RCU)
{
	struct cursor *cursor = m->private;

	rcu_read_lock();
	if (*pos)
		return table_row(cursor);
	cursor->id = 0;
	cursor->last_id = U64_MAX;
	if (cursor->table->last_id)
		cursor->last_id = cursor->table->last_id();
	cursor->end = false;
	cursor->device_rows = false;
	cursor->lock_row = (struct gdl_lock_row) { .order = S64_MIN };
	cursor->perm_row = (struct gdl_perm_row) { };
	return SEQ_START_TOKEN;
}

static void advance(struct cursor *cursor)
{
	if (cursor->table->advance)
		cursor->table->advance(cursor);
	else
		next_id(cursor);
}

static void *table_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct cursor *cursor = m->private;

	++*pos;
	if (v != SEQ_START_TOKEN)
		advance(cursor);
	return table_row(cursor);
}

static void table_stop(struct seq_file *m, void *v)
	__releases(RCU)
{
	rcu_read_unlock();
}

static int table_show(struct seq_file *m, void *v)
{
	struct cursor *cursor = m->private;

	if (v == SEQ_START_TOKEN)
		seq_puts(m, cursor->table->header);
	else
		cursor->table->show(m, cursor, v);
	return 0;
}

static const struct seq_operations table_seq_ops = {
	.start	= table_start,
	.next	= table_next,
	.stop	= table_stop,
	.show	= table_show,
};

static int table_open(struct inode *inode, struct file *file)
{
	const struct table *table = pde_data(inode);
	struct cursor *cursor;

	cursor = __seq_open_private(file, &table_seq_ops,
				    struct_size(cursor, room, table->room));
	if (!cursor)
		return -ENOMEM;
	cursor->table = table;
	cursor->pid_ns = proc_pid_ns(inode->i_sb);
	cursor->show_addresses = file_ns_capable(file, &init_user_ns,
						 CAP_SYS_ADMIN);
	if (!table->write || !(file->f_mode & FMODE_WRITE))
		return 0;
	cursor->session = gdl_session_open(file, table->write);
	if (cursor->session)
		return 0;
	seq_release_private(inode, file);
	return -ENOMEM;
}

static ssize_t table_write(struct file *file, const char __user *buf,
			   size_t count, loff_t *pos)
{
	struct cursor *cursor = ((struct seq_file *)file->private_data)->private;

	return gdl_session_write(cursor->session, buf, count);
}

static int table_release(struct inode *inode, struct file *file)
{
	struct cursor *cursor = ((struct seq_file *)file->private_data)->private;

	if (cursor->session)
		gdl_session_close(cursor->session);
	return seq_release_private(inode, file);
}

static const struct proc_ops table_ro_ops = {
	.proc_open	= table_open,
	.proc_read_iter	= seq_read_iter,
	.proc_lseek	= seq_lseek,
	.proc_release	= table_release,
};

static const struct proc_ops table_rw_ops = {
	.proc_open	= table_open,
	.proc_read_iter	= seq_read_iter,
	.proc_write	= table_write,
	.proc_lseek	= seq_lseek,
	.proc_release	= table_release,
};

static void show_totals(struct seq_file *m)
{
	u64 buffers = 0, bytes = 0, id = 0;
	struct gdl_device *device;

	rcu_read_lock();
	do {
		device = gdl_device_next(id);
		buffers += atomic64_read(&device->buffers);
		bytes += atomic64_read(&device->capacity.used);
		id = device->id + 1;
	} while (id);
	rcu_read_unlock();
	seq_printf(m, "buffers %llu\ncharged_bytes %llu\n", buffers, bytes);
}

static void show_probe(struct seq_file *m, int id, const struct gdl_stats *sum)
{
	struct gdl_probe_status status;

	gdl_probe_status(id, &status);
	seq_printf(m, "probe_%s_armed %d%s%s\n", status.symbol, status.armed,
		   status.reason ? " " : "", status.reason ?: "");
	seq_printf(m, "probe_%s_hits %llu\n", status.symbol,
		   sum->probe_hits[id]);
	seq_printf(m, "probe_%s_missed %llu\n", status.symbol, status.missed);
	seq_printf(m, "probe_%s_failed %llu\n", status.symbol,
		   sum->probe_failed[id]);
}

static int stats_show(struct seq_file *m, void *v)
{
	struct gdl_stats sum;
	int i;

	seq_printf(m, "policy %s\n", gdl_policy_names[gdl_policy_get()]);
	seq_printf(m, "canary %d\n", gdl_probe_canary());
	show_totals(m);
	seq_printf(m, "totals_may_be_short %d\n",
		   gdl_stats_lossy() || gdl_probe_lossy());
	gdl_stats_read(&sum);
	for (i = 0; i < GDL_NR_STATS; i++)
		seq_printf(m, "%s %llu\n", gdl_stat_name(i), sum.count[i]);
	seq_printf(m, "locks_wait_longest_ns %llu\n", gdl_lock_longest_wait());
	for (i = 0; i < GDL_NR_PROBES; i++)
		show_probe(m, i, &sum);
	return 0;
}

static int control_open(struct inode *inode, struct file *file)
{
	file->private_data = gdl_session_open(file, gdl_command_control);
	if (!file->private_data)
		return -ENOMEM;
	/* A write moves no read position: what is read are its results. */
	return stream_open(inode, file);
}

static ssize_t control_read(struct file *file, char __user *buf, size_t count,
			    loff_t *pos)
{
	return gdl_session_read(file->private_data, buf, count);
}

static ssize_t control_write(struct file *file, const char __user *buf,
			     size_t count, loff_t *pos)
{
	return gdl_session_write(file->private_data, buf, count);
}

static int control_release(struct inode *inode, struct file *file)
{
	gdl_session_close(file->private_data);
	return 0;
}

static const struct proc_ops control_ops = {
	.proc_open	= control_open,
	.proc_read	= control_read,
	.proc_write	= control_write,
	.proc_release	= control_release,
};

static const struct {
	const char *name;
	const struct table *table;
} tables[] = {
	{ "devices", &devices_table },
	{ "agents", &agents_table },
	{ "quotas", &quotas_table },
	{ "allocations", &allocations_table },
	{ "attachments", &attachments_table },
	{ "locks", &locks_table },
	{ "contexts", &contexts_table },
	{ "bindings", &bindings_table },
	{ "dma_permissions", &permissions_table },
};

static bool create_table(struct proc_dir_entry *dir, const char *name,
			 const struct table *table)
{
	return proc_create_data(name, table->write ? 0644 : 0444, dir,
				table->write ? &table_rw_ops : &table_ro_ops,
				(void *)table);
}

/**
 * gdl_proc_init() - make /proc/swarm/gpu
 *
 * Context: May sleep.
 * Return: 0 or -ENOMEM.
 */
int gdl_proc_init(void)
{
	struct proc_dir_entry *dir;
	int i;

	swarm_dir = proc_mkdir("swarm", NULL);
	if (!swarm_dir)
		return -ENOMEM;
	dir = proc_mkdir("gpu", swarm_dir);
	if (!dir)
		goto out;
	for (i = 0; i < ARRAY_SIZE(tables); i++)
		if (!create_table(dir, tables[i].name, tables[i].table))
			goto out;
	if (proc_create_single("stats", 0444, dir, stats_show) &&
	    proc_create("control", 0644, dir, &control_ops))
		return 0;
out:
	proc_remove(swarm_dir);
	return -ENOMEM;
}

/**
 * gdl_proc_exit() - remove /proc/swarm/gpu and end the calls into it
 *
 * Context: May sleep.
 */
void gdl_proc_exit(void)
{
	proc_remove(swarm_dir);
}
