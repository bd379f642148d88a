// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/swarm/gpu: the files and their modes. The rows of the tables are those of table_*.c.
 *
 * A table is read by a cursor that holds the id of the current row, not a
 * pointer: each read finds its row again, so nothing is held between reads, and
 * rows that come and go move no other row. RCU is held while one buffer of
 * seq_file is filled.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/user_namespace.h>

#include "gpu_dma_lock.h"

static struct proc_dir_entry *swarm_dir;

/* Rows that a reader does not see are passed over, so many at a time. */
#define HIDDEN_ROWS	1024

/* The cursor holds nothing, so others may run. */
static void pause_reading(void)
{
	rcu_read_unlock();
	cond_resched();
	rcu_read_lock();
}

/* An open file that is a table. */
struct table_file {
	const struct gdl_table *table;
	struct gdl_session *session;	/* of a file that can be written, else NULL */
	struct gdl_reader reader;
	u64 cursor[];			/* the table's */
};

static bool sees_row(const struct table_file *t, const void *row)
{
	return t->reader.all ||
	       gdl_reader_sees(&t->reader, t->table->agent_of(&t->reader, row));
}

static void *table_row(struct table_file *t)
{
	unsigned int hidden = 0;
	void *row;

	for (;;) {
		row = t->table->find(t->cursor, &t->reader);
		if (row == GDL_ROW_LATER) {
			pause_reading();
			continue;
		}
		if (!row || sees_row(t, row))
			return row;
		t->table->advance(t->cursor);
		if (++hidden % HIDDEN_ROWS == 0)
			pause_reading();
	}
}

static void *table_start(struct seq_file *m, loff_t *pos)
	__acquires(RCU)
{
	struct table_file *t = m->private;

	gdl_reader_begin(&t->reader);
	rcu_read_lock();
	if (*pos)
		return table_row(t);
	t->table->begin(t->cursor);
	return SEQ_START_TOKEN;
}

static void *table_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct table_file *t = m->private;

	++*pos;
	if (v != SEQ_START_TOKEN)
		t->table->advance(t->cursor);
	return table_row(t);
}

static void table_stop(struct seq_file *m, void *v)
	__releases(RCU)
{
	struct table_file *t = m->private;

	rcu_read_unlock();
	if (t->table->stop)
		t->table->stop(t->cursor);
}

static int table_show(struct seq_file *m, void *v)
{
	const struct table_file *t = m->private;

	if (v == SEQ_START_TOKEN)
		seq_puts(m, t->table->header);
	else
		t->table->show(m, &t->reader, v);
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
	const struct gdl_table *table = pde_data(inode);
	struct table_file *t;

	t = __seq_open_private(file, &table_seq_ops, sizeof(*t) + table->cursor_size);
	if (!t)
		return -ENOMEM;
	t->table = table;
	gdl_reader_open(&t->reader, file);
	t->reader.addresses = file_ns_capable(file, &init_user_ns, CAP_SYS_ADMIN);
	if (table->restricted && !t->reader.addresses) {
		seq_release_private(inode, file);
		return -EPERM;
	}
	if (!table->write || !(file->f_mode & FMODE_WRITE))
		return 0;
	t->session = gdl_session_open(file, table->write);
	if (t->session)
		return 0;
	seq_release_private(inode, file);
	return -ENOMEM;
}

static ssize_t table_write(struct file *file, const char __user *buf,
			   size_t count, loff_t *pos)
{
	struct table_file *t = ((struct seq_file *)file->private_data)->private;

	return gdl_session_write(t->session, buf, count);
}

static int table_release(struct inode *inode, struct file *file)
{
	struct table_file *t = ((struct seq_file *)file->private_data)->private;

	if (t->session)
		gdl_session_close(t->session);
	return seq_release_private(inode, file);
}

/*
 * Was a read cut short by memory that is not there? A task that reads the same open file at the
 * same time may change the answer: no harm is done if it is wrong.
 */
static bool cut_short(const struct seq_file *m, const struct iov_iter *to, ssize_t done)
{
	if (done < 0 || !iov_iter_count(to))
		return done == -EFAULT;
	/* Written under m->lock: a hint is enough. */
	return data_race(m->count);
}

/*
 * seq_file keeps what it could not copy: see user_memory.c. And what the last read left,
 * so a reader of another agent than the opener's must not come that far.
 */
static ssize_t read_iter(const struct gdl_reader *reader, struct kiocb *iocb,
			 struct iov_iter *to)
{
	ssize_t done, more = -ENODEV;

	if (!gdl_reader_may_read(reader))
		return -EACCES;
	pagefault_disable();
	done = seq_read_iter(iocb, to);
	pagefault_enable();
	if (!cut_short(iocb->ki_filp->private_data, to, done))
		return done;
	if (gdl_user_wait_begin()) {
		more = seq_read_iter(iocb, to);
		gdl_user_wait_end();
	}
	if (done <= 0)
		return more;
	return more > 0 ? done + more : done;
}

static ssize_t table_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	const struct seq_file *m = iocb->ki_filp->private_data;
	const struct table_file *t = m->private;

	return read_iter(&t->reader, iocb, to);
}

static const struct proc_ops table_ro_ops = {
	.proc_open	= table_open,
	.proc_read_iter	= table_read_iter,
	.proc_lseek	= seq_lseek,
	.proc_release	= table_release,
};

static const struct proc_ops table_rw_ops = {
	.proc_open	= table_open,
	.proc_read_iter	= table_read_iter,
	.proc_write	= table_write,
	.proc_lseek	= seq_lseek,
	.proc_release	= table_release,
};

/* An open file that is no table. */
struct summary_file {
	struct gdl_reader reader;
	struct gdl_watch watch;
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

static void show_hook(struct seq_file *m, int id, const struct gdl_stats *sum)
{
	struct gdl_hook_status status;

	gdl_hook_status(id, &status);
	seq_printf(m, "hook_%s_state %s%s%s\n", status.function, status.state,
		   status.reason ? " " : "", status.reason ?: "");
	seq_printf(m, "hook_%s_hits %llu\n", status.function,
		   sum->hook_hits[id]);
	seq_printf(m, "hook_%s_failed %llu\n", status.function,
		   sum->hook_failed[id]);
}

static int stats_show(struct seq_file *m, void *v)
{
	struct summary_file *summary = m->private;
	struct gdl_stats sum;
	int i;

	seq_printf(m, "policy %s\n", gdl_policy_name());
	/* Counters tell what all agents together do. */
	if (!gdl_reader_sees_all(m->file))
		return 0;
	/* First: what is counted meanwhile is told again, and not missed. */
	gdl_watch_seen(&summary->watch);
	show_totals(m);
	seq_printf(m, "totals_may_be_short %d\n", gdl_stats_lossy());
	gdl_stats_read(&sum);
	for (i = 0; i < GDL_NR_STATS; i++)
		seq_printf(m, "%s %llu\n", gdl_stat_name(i), sum.count[i]);
	seq_printf(m, "locks_wait_longest_ns %llu\n", gdl_lock_longest_wait());
	for (i = GDL_HOOK_NONE + 1; i < GDL_NR_HOOKS; i++)
		show_hook(m, i, &sum);
	return 0;
}

static void show_own_agent(struct seq_file *m, const struct gdl_agent *agent,
			   bool used)
{
	const struct gdl_quota *quota = &agent->quota;

	seq_printf(m, "agent %llu\nname ", agent->id);
	gdl_seq_name(m, gdl_reader_name(agent));
	seq_printf(m, "\npolicy %s\nlimit ", gdl_policy_name());
	gdl_seq_limit(m, READ_ONCE(quota->limit));
	seq_putc(m, '\n');
	if (!used)
		return;
	seq_printf(m, "used %lld\npeak %lld\ndenied %lld\n",
		   atomic64_read(&quota->used), atomic64_read(&quota->peak),
		   atomic64_read(&quota->denied));
	seq_printf(m, "tracking %llu\n", gdl_cap_tracking(agent));
}

static void show_own_device(struct seq_file *m, const struct gdl_device_quota *dq)
{
	const struct gdl_quota *quota = &dq->quota;

	if (dq->device == &gdl_no_device)
		seq_puts(m, "device - ");
	else
		seq_printf(m, "device %llu ", dq->device->id);
	gdl_seq_limit(m, READ_ONCE(quota->limit));
	seq_printf(m, " %lld %lld %lld\n", atomic64_read(&quota->used),
		   atomic64_read(&quota->peak), atomic64_read(&quota->denied));
}

/* The reader's agent, whatever the visibility. */
static int self_show(struct seq_file *m, void *v)
{
	struct gdl_device_quota *dq;
	struct gdl_agent *agent;
	bool used;
	u64 id = 0;

	rcu_read_lock();
	agent = gdl_agent_of(current);
	/* What agent 0 uses is others'. */
	used = agent != &gdl_host || gdl_reader_sees_all(m->file);
	show_own_agent(m, agent, used);
	while (used) {
		dq = gdl_agent_next_device_quota(agent, id);
		if (!dq)
			break;
		show_own_device(m, dq);
		/* Device id U64_MAX, of no GPU, is the last. */
		id = dq->device->id + 1;
		if (!id)
			break;
	}
	rcu_read_unlock();
	return 0;
}

/* The files that are no tables. */
struct summary {
	const char *name;
	int (*show)(struct seq_file *m, void *v);
	const struct proc_ops *ops;
};

static int summary_open(struct inode *inode, struct file *file)
{
	const struct summary *summary = pde_data(inode);
	struct summary_file *opened = kmalloc(sizeof(*opened), GFP_KERNEL_ACCOUNT);
	int err;

	if (!opened)
		return -ENOMEM;
	gdl_reader_open(&opened->reader, file);
	err = single_open(file, summary->show, opened);
	if (err)
		kfree(opened);
	else
		gdl_watch_begin(&opened->watch);
	return err;
}

static ssize_t summary_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	const struct seq_file *m = iocb->ki_filp->private_data;
	const struct summary_file *opened = m->private;

	return read_iter(&opened->reader, iocb, to);
}

/* As that of /proc/mounts: it can always be read. */
static __poll_t stats_poll(struct file *file, struct poll_table_struct *table)
{
	const struct seq_file *m = file->private_data;
	const struct summary_file *opened = m->private;
	__poll_t events = EPOLLIN | EPOLLRDNORM;

	/* A reader that does not see the counters is not told that they move, either. */
	if (gdl_reader_sees_all(file))
		events |= gdl_watch_poll(&opened->watch, file, table);
	return events;
}

static int summary_release(struct inode *inode, struct file *file)
{
	const struct seq_file *m = file->private_data;
	struct summary_file *opened = m->private;

	gdl_watch_end(&opened->watch);
	kfree(opened);
	return single_release(inode, file);
}

static const struct proc_ops stats_ops = {
	.proc_open	= summary_open,
	.proc_read_iter	= summary_read_iter,
	.proc_poll	= stats_poll,
	.proc_lseek	= seq_lseek,
	.proc_release	= summary_release,
};

static const struct proc_ops self_ops = {
	.proc_open	= summary_open,
	.proc_read_iter	= summary_read_iter,
	.proc_lseek	= seq_lseek,
	.proc_release	= summary_release,
};

static const struct summary summaries[] = {
	{ "stats", stats_show, &stats_ops },
	{ "self", self_show, &self_ops },
};

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

static const struct gdl_table * const tables[] = {
	&gdl_table_devices,
	&gdl_table_agents,
	&gdl_table_quotas,
	&gdl_table_regions,
	&gdl_table_allocations,
	&gdl_table_attachments,
	&gdl_table_locks,
	&gdl_table_contexts,
	&gdl_table_bindings,
	&gdl_table_templates,
	&gdl_table_dma_permissions,
	&gdl_config_table,
};

static umode_t mode_of(const struct gdl_table *table)
{
	if (table->restricted)
		return 0400;
	return table->write ? 0644 : 0444;
}

static bool create_table(struct proc_dir_entry *dir, const struct gdl_table *table)
{
	return proc_create_data(table->name, mode_of(table), dir,
				table->write ? &table_rw_ops : &table_ro_ops,
				(void *)table);
}

static bool create_summary(struct proc_dir_entry *dir, const struct summary *summary)
{
	return proc_create_data(summary->name, 0444, dir, summary->ops, (void *)summary);
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
		if (!create_table(dir, tables[i]))
			goto out;
	for (i = 0; i < ARRAY_SIZE(summaries); i++)
		if (!create_summary(dir, &summaries[i]))
			goto out;
	if (proc_create("control", 0644, dir, &control_ops))
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
