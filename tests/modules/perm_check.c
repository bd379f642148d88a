// SPDX-License-Identifier: GPL-2.0-only
/*
 * perm_check: asks gpu_dma_lock_check() as a driver would, for user space.
 *
 * In debugfs, folder perm_check, all but repeat for one process at a time:
 *
 * check: write "CONTEXT AGENT ADDR SIZE MODE", CONTEXT task, softirq or hardirq;
 *   read "RESULT CONTEXT": what the function returned, 0 or less, and the
 *   context that it was really called in.
 * cost: write "AGENT ADDR SIZE MODE COUNT STRIDE"; read "CALLS NS EMPTY DENIED":
 *   how long so many calls took, at ADDR and up to COUNT - 1 times STRIDE beyond
 *   it; how long as many calls of an empty function took; how many were denied.
 * repeat: write "AGENT ADDR SIZE MODE CALLS" to ask so often; EACCES once it is denied.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/irqflags.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/uaccess.h>

#include "../../gpu_dma_lock_check.h"

#define LINE_MAX_LEN	160

/* Calls that are measured, in turns short enough to disable interrupts for. */
#define CALLS		10000
#define CALLS_A_TURN	500

typedef int (*check_fn)(u64 agent, u64 addr, u64 size, unsigned int mode);

/* One question, and what came of it. */
struct question {
	u64 agent, addr, size;
	unsigned int mode;
	int result;
	const char *context;
	struct completion answered;
};

/* What is asked now, and the answer to the last; both under the mutex. */
static struct question question;
static char answer[LINE_MAX_LEN];
static DEFINE_MUTEX(mutex);

static const char *context_name(void)
{
	if (in_nmi())
		return "nmi";
	if (in_hardirq())
		return "hardirq";
	if (in_serving_softirq())
		return "softirq";
	return in_task() ? "task" : "other";
}

static void ask(struct question *q)
{
	q->context = context_name();
	q->result = gpu_dma_lock_check(q->agent, q->addr, q->size, q->mode);
	complete(&q->answered);
}

static void ask_in_tasklet(struct tasklet_struct *unused)
{
	ask(&question);
}

static void ask_in_irq_work(struct irq_work *unused)
{
	ask(&question);
}

static DECLARE_TASKLET(tasklet, ask_in_tasklet);
static struct irq_work irq_work = IRQ_WORK_INIT_HARD(ask_in_irq_work);

static int ask_in(const char *context)
{
	init_completion(&question.answered);
	if (!strcmp(context, "task"))
		ask(&question);
	else if (!strcmp(context, "softirq"))
		tasklet_schedule(&tasklet);
	else if (!strcmp(context, "hardirq"))
		irq_work_queue(&irq_work);
	else
		return -EINVAL;
	wait_for_completion(&question.answered);
	return 0;
}

static int run_check(const char *line)
{
	char context[16];
	int ret;

	lockdep_assert_held(&mutex);
	if (sscanf(line, "%15s %llu %llu %llu %u", context, &question.agent,
		   &question.addr, &question.size, &question.mode) != 5)
		return -EINVAL;
	ret = ask_in(context);
	if (!ret)
		scnprintf(answer, sizeof(answer), "%d %s\n", question.result,
			  question.context);
	return ret;
}

/* Neither inlined nor left out: only the call is to cost. */
static noinline int check_nothing(u64 agent, u64 addr, u64 size,
				  unsigned int mode)
{
	barrier();
	return 0;
}

/*
 * Calls @check at addresses spread over all @count of them; returns how long that
 * took in ns.
 */
static u64 measure(check_fn check, const struct question *q, u64 count,
		   u64 stride, u64 *denied)
{
	u64 total = 0, begin, i, at = 0;
	unsigned long flags;
	int turn;

	*denied = 0;
	for (turn = 0; turn < CALLS / CALLS_A_TURN; turn++) {
		local_irq_save(flags);
		begin = ktime_get_ns();
		for (i = 0; i < CALLS_A_TURN; i++) {
			/* A prime: it visits them all, in no order. */
			at += 25867;
			while (at >= count)
				at -= count;
			*denied += !!check(q->agent, q->addr + at * stride,
					   q->size, q->mode);
		}
		total += ktime_get_ns() - begin;
		local_irq_restore(flags);
	}
	return total;
}

static int run_cost(const char *line)
{
	u64 count, stride, ns, empty, denied, unused;

	lockdep_assert_held(&mutex);
	if (sscanf(line, "%llu %llu %llu %u %llu %llu", &question.agent,
		   &question.addr, &question.size, &question.mode, &count,
		   &stride) != 6 || !count)
		return -EINVAL;
	/* The first time finds what it needs not cached, or not translated. */
	measure(gpu_dma_lock_check, &question, count, stride, &unused);
	measure(check_nothing, &question, count, stride, &unused);
	ns = measure(gpu_dma_lock_check, &question, count, stride, &denied);
	empty = measure(check_nothing, &question, count, stride, &unused);
	scnprintf(answer, sizeof(answer), "%d %llu %llu %llu\n", CALLS, ns, empty,
		  denied);
	return 0;
}

static ssize_t take_line(const char __user *buf, size_t count,
			 int (*run)(const char *line))
{
	char line[LINE_MAX_LEN];
	int ret;

	if (count >= sizeof(line))
		return -E2BIG;
	if (copy_from_user(line, buf, count))
		return -EFAULT;
	line[count] = '\0';
	mutex_lock(&mutex);
	*answer = '\0';
	ret = run(line);
	mutex_unlock(&mutex);
	return ret ?: count;
}

static ssize_t check_write(struct file *file, const char __user *buf,
			   size_t count, loff_t *pos)
{
	return take_line(buf, count, run_check);
}

static ssize_t cost_write(struct file *file, const char __user *buf,
			  size_t count, loff_t *pos)
{
	return take_line(buf, count, run_cost);
}

static ssize_t repeat_write(struct file *file, const char __user *buf,
			    size_t count, loff_t *pos)
{
	char line[LINE_MAX_LEN];
	struct question q;
	u64 calls;
	int ret;

	if (count >= sizeof(line))
		return -E2BIG;
	if (copy_from_user(line, buf, count))
		return -EFAULT;
	line[count] = '\0';
	if (sscanf(line, "%llu %llu %llu %u %llu", &q.agent, &q.addr, &q.size,
		   &q.mode, &calls) != 5)
		return -EINVAL;
	for (; calls; calls--) {
		ret = gpu_dma_lock_check(q.agent, q.addr, q.size, q.mode);
		if (ret)
			return ret;
	}
	return count;
}

static ssize_t answer_read(struct file *file, char __user *buf, size_t count,
			   loff_t *pos)
{
	loff_t from_start = 0;
	ssize_t ret;

	mutex_lock(&mutex);
	ret = simple_read_from_buffer(buf, count, &from_start, answer,
				      strlen(answer));
	mutex_unlock(&mutex);
	return ret;
}

static const struct file_operations check_fops = {
	.owner = THIS_MODULE,
	.read = answer_read,
	.write = check_write,
};

static const struct file_operations cost_fops = {
	.owner = THIS_MODULE,
	.read = answer_read,
	.write = cost_write,
};

static const struct file_operations repeat_fops = {
	.owner = THIS_MODULE,
	.write = repeat_write,
};

static struct dentry *dir;

static int __init perm_check_init(void)
{
	dir = debugfs_create_dir("perm_check", NULL);
	debugfs_create_file("check", 0600, dir, NULL, &check_fops);
	debugfs_create_file("cost", 0600, dir, NULL, &cost_fops);
	debugfs_create_file("repeat", 0200, dir, NULL, &repeat_fops);
	return 0;
}

static void __exit perm_check_exit(void)
{
	debugfs_remove(dir);
	tasklet_kill(&tasklet);
	irq_work_sync(&irq_work);
}

module_init(perm_check_init);
module_exit(perm_check_exit);

MODULE_DESCRIPTION("Test of gpu_dma_lock_check()");
MODULE_LICENSE("GPL");
