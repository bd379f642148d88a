// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reports: memory of devices that the kernel does not see, as a monitor says that processes
 * have it. NVIDIA's driver tells a program how much each process has.
 *
 * There is one for a process and device, with a buffer, which it knows by its id: that may
 * go before, with its agent. It ends with the process, or with the open file that has
 * reported it last. The end of a process is told under the lock of a wait queue, so a task
 * ends its reports; nothing of that needs memory.
 *
 * No agent has a cap on reports: what may report may do anything, and there are no more of
 * them than processes, times devices.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rhashtable.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "gpu_dma_lock.h"
#include "trace.h"

unsigned int gdl_report_timeout = 10;

struct report_key {
	struct pid *pid;			/* C: the thread group, with a reference */
	u64 device_id;				/* C */
};

struct report {
	struct rhash_head node;			/* rhashtable's */
	struct report_key key;
	u64 buffer_id;				/* report_mutex; 0: none yet */
	struct list_head of_owner;		/* report_mutex */
	struct wait_queue_entry exit;		/* in pid->wait_pidfd */
	struct list_head of_exited;		/* exited_lock; else empty */
};

static const struct rhashtable_params report_params = {
	.key_len	= sizeof_field(struct report, key),
	.key_offset	= offsetof(struct report, key),
	.head_offset	= offsetof(struct report, node),
	.automatic_shrinking = true,
};

/* Protects all reports. Outside of it is gdl_session.mutex. */
static DEFINE_MUTEX(report_mutex);
static struct rhashtable reports;		/* report_mutex */
/* Those that no open file has reported last. */
static LIST_HEAD(lasting);			/* report_mutex */

/* Inside the lock of a pid's wait queue. */
static DEFINE_SPINLOCK(exited_lock);
static LIST_HEAD(exited);			/* exited_lock: of maybe ended processes */

static void drop_exited(struct work_struct *work);
static DECLARE_WORK(exited_work, drop_exited);

static int gdl_report_exited(struct wait_queue_entry *wait, unsigned int mode, int sync,
			     void *key)
{
	struct report *r = container_of(wait, struct report, exit);
	unsigned long flags;

	spin_lock_irqsave(&exited_lock, flags);
	if (list_empty(&r->of_exited))
		list_add_tail(&r->of_exited, &exited);
	spin_unlock_irqrestore(&exited_lock, flags);
	schedule_work(&exited_work);
	return 0;
}

/*
 * The agent of the process that @task leads. It may have left before its other threads:
 * then it does not move to other cgroups with them.
 */
static struct gdl_agent *agent_of(struct task_struct *task)
{
	struct task_struct *thread;

	for_each_thread(task, thread)
		if (!(READ_ONCE(thread->flags) & PF_EXITING))
			return gdl_agent_of(thread);
	return gdl_agent_of(task);
}

static int publish(struct gdl_buffer *b, struct task_struct *task, u64 device_id)
{
	struct gdl_device *device = gdl_device_lookup(device_id);
	int ret;

	if (!device)
		return -ENODEV;
	b->dq = gdl_agent_device_quota(agent_of(task), device, GFP_NOWAIT);
	if (!b->dq)
		return -ENOMEM;
	b->charged = true;
	gdl_charge(b->dq, b->size);
	atomic_set(&b->live, GDL_LIVE_LEDGER);
	ret = gdl_buffer_insert(b);
	if (ret)
		gdl_uncharge(b->dq, b->size);
	else
		trace_gdl_buffer_create(b, b->dq);
	return ret;
}

/* Make a buffer for @r. The process has that memory: it is charged whatever the limits say. */
static int buffer_begin(struct report *r, struct task_struct *task, u64 size)
{
	struct gdl_buffer *b;
	int ret;

	/* Its name is the group leader's, which may leave meanwhile. */
	rcu_read_lock();
	b = gdl_buffer_alloc(GDL_KIND_REPORTED, size, task, GFP_NOWAIT | __GFP_NOWARN);
	if (!b) {
		rcu_read_unlock();
		return -ENOMEM;
	}
	b->reported = jiffies;
	ret = publish(b, task, r->key.device_id);
	r->buffer_id = ret ? 0 : b->id;
	rcu_read_unlock();
	if (ret) {
		gdl_buffer_discard(b);
		return ret;
	}
	gdl_stat_inc(GDL_STAT_REPORTS_BEGUN);
	gdl_stat_inc(GDL_STAT_BUFFERS_CREATED);
	return 0;
}

static bool set_size(struct gdl_buffer *b, u64 size)
{
	unsigned long flags;
	bool held;

	xa_lock_irqsave(&gdl_buffers, flags);
	held = gdl_id_held(b);
	if (held)
		WRITE_ONCE(b->size, size);
	xa_unlock_irqrestore(&gdl_buffers, flags);
	return held;
}

/* More is charged before it is @b's, less after: what removes it uncharges its size. */
static bool resize(struct gdl_buffer *b, struct gdl_device_quota *dq, u64 size)
{
	u64 old = b->size;

	if (size > old)
		gdl_charge_grow(dq, size - old);
	if (!set_size(b, size)) {
		if (size > old)
			gdl_charge_shrink(dq, size - old);
		return false;
	}
	if (size < old)
		gdl_charge_shrink(dq, old - size);
	return true;
}

static int buffer_update_locked(u64 id, struct task_struct *task, u64 size)
{
	struct gdl_buffer *b = gdl_buffer_lookup(id);
	struct gdl_device_quota *from, *to;

	if (!b)
		return -ENOENT;
	from = READ_ONCE(b->dq);
	if (READ_ONCE(from->device->gone))
		return -ENODEV;
	to = gdl_agent_device_quota(agent_of(task), from->device, GFP_NOWAIT);
	if (!to)
		return -ENOMEM;
	/* An agent is not charged what the process has no more. */
	if (size < b->size && !resize(b, from, size))
		return -ENOENT;
	if (to != from) {
		if (!gdl_buffer_move(b, to))
			return -ENOENT;
		trace_gdl_buffer_settle(b, to);
	}
	if (size > b->size && !resize(b, to, size))
		return -ENOENT;
	WRITE_ONCE(b->reported, jiffies);
	return 0;
}

/* -ENOENT: the buffer is gone, with its agent; -ENODEV: its device is. */
static int buffer_update(u64 id, struct task_struct *task, u64 size)
{
	int ret;

	rcu_read_lock();
	ret = buffer_update_locked(id, task, size);
	rcu_read_unlock();
	return ret;
}

static void buffer_end(u64 id)
{
	struct gdl_buffer *b;

	rcu_read_lock();
	b = gdl_buffer_lookup(id);
	if (b)
		gdl_buffer_remove(b);
	rcu_read_unlock();
}

static void drop(struct report *r)
{
	lockdep_assert_held(&report_mutex);
	remove_wait_queue(&r->key.pid->wait_pidfd, &r->exit);
	/* Nobody puts it there any more. */
	spin_lock_irq(&exited_lock);
	list_del(&r->of_exited);
	spin_unlock_irq(&exited_lock);
	rhashtable_remove_fast(&reports, &r->node, report_params);
	list_del(&r->of_owner);
	buffer_end(r->buffer_id);
	put_pid(r->key.pid);
	kfree(r);
}

static struct report *take_exited(void)
{
	struct report *r;

	spin_lock_irq(&exited_lock);
	r = list_first_entry_or_null(&exited, struct report, of_exited);
	if (r)
		list_del_init(&r->of_exited);
	spin_unlock_irq(&exited_lock);
	return r;
}

/* A thread's exit may have put it there: then the last one's will do so again. */
static void drop_exited(struct work_struct *work)
{
	struct report *r;

	do {
		mutex_lock(&report_mutex);
		r = take_exited();
		if (r && gdl_process_gone(r->key.pid))
			drop(r);
		mutex_unlock(&report_mutex);
		cond_resched();
	} while (r);
}

static struct report *create(const struct report_key *key)
{
	struct report *r = kzalloc(sizeof(*r), GFP_KERNEL);

	if (!r)
		return NULL;
	r->key = *key;
	if (rhashtable_insert_fast(&reports, &r->node, report_params)) {
		kfree(r);
		return NULL;
	}
	get_pid(key->pid);
	list_add(&r->of_owner, &lasting);
	INIT_LIST_HEAD(&r->of_exited);
	init_waitqueue_func_entry(&r->exit, gdl_report_exited);
	add_wait_queue(&key->pid->wait_pidfd, &r->exit);
	return r;
}

/* Its buffer as of now; a new one where there is none any more. */
static int update(struct report *r, struct task_struct *task, u64 bytes)
{
	int ret = buffer_update(r->buffer_id, task, bytes);

	return ret == -ENOENT ? buffer_begin(r, task, bytes) : ret;
}

static int report(struct list_head *owner, const struct report_key *key,
		  struct task_struct *task, u64 bytes, u64 *id)
{
	struct report *r = rhashtable_lookup_fast(&reports, key, report_params);
	int ret;

	if (!r)
		r = create(key);
	if (!r)
		return -ENOMEM;
	ret = update(r, task, bytes);
	/* An exit before the wait queue was joined has woken nobody. */
	if (!ret && gdl_process_gone(key->pid))
		ret = -ESRCH;
	*id = r->buffer_id;
	if (!r->buffer_id || ret == -ESRCH)
		drop(r);
	else if (!ret)
		list_move(&r->of_owner, owner ?: &lasting);
	return ret;
}

/* Nothing, of a device that may have gone. */
static int report_none(const struct report_key *key)
{
	struct report *r = rhashtable_lookup_fast(&reports, key, report_params);
	int ret = 0;

	if (r) {
		drop(r);
		return 0;
	}
	rcu_read_lock();
	if (!gdl_device_lookup(key->device_id))
		ret = -ENODEV;
	rcu_read_unlock();
	return ret;
}

/**
 * gdl_report() - say how much memory of a device a process has
 * @owner: the reports of an open file, which this one is to be of and to end with; NULL: it
 *	ends with the process only
 * @nr: the process, or a thread of it, in the caller's pid namespace
 * @device_id: the device
 * @bytes: how much it has in all; 0: there is no report any more
 * @id: receives the id of the report's buffer; 0 with 0 bytes
 *
 * The buffer is that of the process's agent as of now, and charged to it whatever the
 * limits say.
 *
 * Context: May sleep. Takes and releases report_mutex.
 * Return: 0, -ESRCH no such process, -ENODEV no such device, -EFBIG no process has that
 * much, -ENOMEM.
 */
int gdl_report(struct list_head *owner, u64 nr, u64 device_id, u64 bytes, u64 *id)
{
	struct report_key key = { .pid = gdl_thread_group_get(nr), .device_id = device_id };
	struct task_struct *task;
	int ret = -ESRCH;

	*id = 0;
	if (!key.pid)
		return -ESRCH;
	task = get_pid_task(key.pid, PIDTYPE_TGID);
	if (!task)
		goto out;
	mutex_lock(&report_mutex);
	if (gdl_process_gone(key.pid))
		ret = -ESRCH;
	else if (bytes > GDL_AGENT_BYTES_MAX)
		ret = -EFBIG;
	else if (!bytes)
		ret = report_none(&key);
	else
		ret = report(owner, &key, task, bytes, id);
	mutex_unlock(&report_mutex);
	put_task_struct(task);
out:
	put_pid(key.pid);
	return ret;
}

/**
 * gdl_reports_drop() - end reports
 * @owner: those of an open file; no more of them come
 *
 * Context: May sleep. Takes and releases report_mutex.
 */
void gdl_reports_drop(struct list_head *owner)
{
	struct report *r;

	do {
		mutex_lock(&report_mutex);
		r = list_first_entry_or_null(owner, struct report, of_owner);
		if (r)
			drop(r);
		mutex_unlock(&report_mutex);
		cond_resched();
	} while (r);
}

/**
 * gdl_report_is_stale() - was a report not made again in time?
 * @b: its buffer
 *
 * Context: Any.
 * Return: Whether what it says may be long over: the program that makes reports hangs, or is
 * gone.
 */
bool gdl_report_is_stale(const struct gdl_buffer *b)
{
	unsigned long timeout = READ_ONCE(gdl_report_timeout);

	return timeout && time_after(jiffies, READ_ONCE(b->reported) + timeout * HZ);
}

/**
 * gdl_report_init() - make the table
 *
 * Context: May sleep.
 * Return: 0 or -ENOMEM.
 */
int gdl_report_init(void)
{
	return rhashtable_init(&reports, &report_params);
}

/**
 * gdl_report_exit() - end all reports; no command may come any more
 *
 * Context: May sleep.
 */
void gdl_report_exit(void)
{
	gdl_reports_drop(&lasting);
	/* Nothing wakes it any more. */
	flush_work(&exited_work);
	rhashtable_destroy(&reports);
}
