// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/swarm/gpu: the files and their modes. The rows of the tables are table.c's.
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
#include <linux/overflow.h>
#include <linux/pid_namespace.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/user_namespace.h>

#include "gpu_dma_lock.h"

static struct proc_dir_entry *swarm_dir;

static void *table_row(struct gdl_cursor *cursor)
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
	struct gdl_cursor *cursor = m->private;

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

static void *table_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct gdl_cursor *cursor = m->private;

	++*pos;
	if (v != SEQ_START_TOKEN)
		cursor->table->advance(cursor);
	return table_row(cursor);
}

static void table_stop(struct seq_file *m, void *v)
	__releases(RCU)
{
	rcu_read_unlock();
}

static int table_show(struct seq_file *m, void *v)
{
	struct gdl_cursor *cursor = m->private;

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
	const struct gdl_table *table = pde_data(inode);
	struct gdl_cursor *cursor;

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
	struct gdl_cursor *cursor = ((struct seq_file *)file->private_data)->private;

	return gdl_session_write(cursor->session, buf, count);
}

static int table_release(struct inode *inode, struct file *file)
{
	struct gdl_cursor *cursor = ((struct seq_file *)file->private_data)->private;

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

static bool create_table(struct proc_dir_entry *dir, const struct gdl_table *table)
{
	return proc_create_data(table->name, table->write ? 0644 : 0444, dir,
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
	for (i = 0; i < GDL_NR_TABLES; i++)
		if (!create_table(dir, &gdl_tables[i]))
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
