// SPDX-License-Identifier: GPL-2.0-only
/*
 * Alerts: a process that has `stats` open can wait, by poll(), for something to be counted
 * that ought not to be: a refusal, a loss, a binding that has lost its cgroup.
 *
 * To count costs a barrier and a look whether anybody has the file open. If so, a work item
 * wakes them all a moment later: however much is counted until then, they are woken
 * once. A process that wakes sums the counters, and finds out whether they have moved.
 *
 * A poller is on a wait queue until its file is closed, with epoll also while nobody
 * waits, and /proc lets a file stay open that has been removed. So the queue has to outlive
 * the module: it is that of pid 1, which the kernel has for the pollers of pidfds. All
 * are woken without a key, and look again: io_uring and aio take a key for what they ask for,
 * and it is true of some files only.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/poll.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "gpu_dma_lock.h"

/* What is counted within so many ms wakes once; within so many times what that took at last. */
#define GATHER_MS	20
#define GATHER_TIMES	50

atomic_t gdl_watchers = ATOMIC_INIT(0);
static bool ending;
static struct pid *queue_of;			/* whose wait queue it is */

static unsigned int gather_ms = GATHER_MS;	/* READ_ONCE() */

/* A tenant can be many pollers: what it takes to wake them is not charged to it. */
static void wake(struct work_struct *work)
{
	u64 start = ktime_get_ns();

	wake_up_all(&queue_of->wait_pidfd);
	WRITE_ONCE(gather_ms, max_t(u64, GATHER_MS,
				    div_u64(GATHER_TIMES * (ktime_get_ns() - start),
					    NSEC_PER_MSEC)));
}

static DECLARE_DELAYED_WORK(wake_work, wake);

/**
 * gdl_alert_raise() - wake soon what waits for something to be counted
 *
 * Context: Any.
 */
void gdl_alert_raise(void)
{
	if (!delayed_work_pending(&wake_work))
		schedule_delayed_work(&wake_work, msecs_to_jiffies(READ_ONCE(gather_ms)));
}

/**
 * gdl_stat_lost() - count what could not be tracked, and say so the first time
 * @stat: of which table
 *
 * Context: Any.
 */
void gdl_stat_lost(enum gdl_stat stat)
{
	gdl_stat_inc(stat);
	pr_warn_once("something could not be tracked, so rows are missing, and totals may be short: see stats\n");
}

/**
 * gdl_watch_begin() - an open file may wait from here on
 * @watch: of that file; what was counted so far is no news to it
 *
 * Context: Process context.
 */
void gdl_watch_begin(struct gdl_watch *watch)
{
	atomic_inc(&gdl_watchers);
	gdl_watch_seen(watch);
}

/**
 * gdl_watch_end() - it is being closed
 * @watch: from gdl_watch_begin()
 *
 * Context: Any.
 */
void gdl_watch_end(struct gdl_watch *watch)
{
	atomic_dec(&gdl_watchers);
}

/**
 * gdl_watch_seen() - the counters are about to be shown
 * @watch: of the file that they are read from
 *
 * Context: Any but hard interrupt.
 */
void gdl_watch_seen(struct gdl_watch *watch)
{
	WRITE_ONCE(watch->seen, gdl_stats_alerts());
}

/**
 * gdl_alert_poll() - let a poller of a file wait for the next alert
 * @file: the file, which gdl_watchers counts
 * @table: the poller's
 *
 * Context: May sleep.
 * Return: EPOLLHUP and EPOLLERR if the module is going, else 0.
 */
__poll_t gdl_alert_poll(struct file *file, struct poll_table_struct *table)
{
	poll_wait(file, &queue_of->wait_pidfd, table);
	/* A task that counts, and does not see the waiter, is seen: see gdl_alert(). */
	smp_mb();
	return READ_ONCE(ending) ? EPOLLHUP | EPOLLERR : 0;
}

/**
 * gdl_watch_poll() - what poll() says of an open file
 * @watch: from gdl_watch_begin()
 * @file: the file
 * @table: the poller's
 *
 * Context: May sleep.
 * Return: EPOLLPRI if something was counted since gdl_watch_seen(), and what
 * gdl_alert_poll() returns.
 */
__poll_t gdl_watch_poll(const struct gdl_watch *watch, struct file *file,
			struct poll_table_struct *table)
{
	__poll_t events = gdl_alert_poll(file, table);

	if (gdl_stats_alerts() != READ_ONCE(watch->seen))
		events |= EPOLLPRI;
	return events;
}

/**
 * gdl_alert_init() - get the wait queue
 *
 * Context: Process context.
 * Return: 0, or -ENOENT: there is no pid 1.
 */
int gdl_alert_init(void)
{
	rcu_read_lock();
	queue_of = get_pid(find_pid_ns(1, &init_pid_ns));
	rcu_read_unlock();
	return queue_of ? 0 : -ENOENT;
}

/**
 * gdl_alert_stop() - the module is being unloaded: wake all that wait
 *
 * Context: Process context.
 */
void gdl_alert_stop(void)
{
	WRITE_ONCE(ending, true);
	wake_up_all(&queue_of->wait_pidfd);
}

/**
 * gdl_alert_exit() - nothing is counted, and no file open, any more
 *
 * Context: May sleep.
 */
void gdl_alert_exit(void)
{
	cancel_delayed_work_sync(&wake_work);
	put_pid(queue_of);
}
