// SPDX-License-Identifier: GPL-2.0-only
/*
 * perm_storm: a thread on each CPU asks gpu_dma_lock_check() without end, while
 * tests/perm_storm.c changes the rules. The layout of agent 7's addresses, which
 * says what must always be granted and what never, is the same there.
 *
 * In debugfs, perm_storm: read "CHECKS REFUSED ALLOWED": how many were made, how
 * many were refused that must be granted, how many granted that must be refused.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/sched.h>

#include "../../gpu_dma_lock_check.h"

#define AGENT	7
#define R	GPU_DMA_LOCK_READ
#define W	GPU_DMA_LOCK_WRITE

static const struct question {
	u64 addr, size;
	unsigned int mode;
	bool granted;
} questions[] = {
	/* granted rw again and again, alone and with its neighbours */
	{ 0x100000, 0x10000, R | W, true },
	{ 0x100000, 1, R | W, true },
	{ 0x10ffff, 1, W, true },
	{ 0x108000, 0x1000, R, true },
	/* beside neighbours that come and go */
	{ 0x0effff, 1, R, false },
	{ 0x0effff, 0x30000, R, false },
	{ 0x120000, 1, R, false },
	{ 0x100000, 0x20001, R, false },
	/* r and rw in turn, in pieces; one page of it never w */
	{ 0x200000, 0x10000, R, true },
	{ 0x207fff, 0x1002, R, true },
	{ 0x208000, 1, W, false },
	{ 0x208fff, 1, W, false },
	{ 0x200000, 0x10000, R | W, false },
	/* the first and the last byte there are */
	{ 0, 1, R, true },
	{ 0, 0x1000, R, true },
	{ ~0ULL, 1, W, true },
	{ ~0ULL - 0xfff, 0x1000, W, true },
	{ 0x1000, 1, R, false },
	{ ~0ULL - 0x1000, 1, W, false },
	{ ~0ULL - 0x1000, 0x1001, W, false },
};

struct counts {
	u64 checks, refused, allowed;
};

static DEFINE_PER_CPU(struct counts, counts);
static DEFINE_PER_CPU(struct task_struct *, threads);
static struct dentry *file;

static void ask(const struct question *q)
{
	int ret = gpu_dma_lock_check(AGENT, q->addr, q->size, q->mode);

	this_cpu_inc(counts.checks);
	if (q->granted && ret)
		this_cpu_inc(counts.refused);
	if (!q->granted && ret != -EACCES)
		this_cpu_inc(counts.allowed);
}

static int ask_all(void *unused)
{
	int i;

	while (!kthread_should_stop()) {
		for (i = 0; i < ARRAY_SIZE(questions); i++)
			ask(&questions[i]);
		cond_resched();
	}
	return 0;
}

static ssize_t counts_read(struct file *f, char __user *buf, size_t count,
			   loff_t *pos)
{
	struct counts sum = { };
	char text[80];
	int cpu, len;

	for_each_possible_cpu(cpu) {
		sum.checks += READ_ONCE(per_cpu(counts, cpu).checks);
		sum.refused += READ_ONCE(per_cpu(counts, cpu).refused);
		sum.allowed += READ_ONCE(per_cpu(counts, cpu).allowed);
	}
	len = scnprintf(text, sizeof(text), "%llu %llu %llu\n", sum.checks,
			sum.refused, sum.allowed);
	return simple_read_from_buffer(buf, count, pos, text, len);
}

static const struct file_operations counts_fops = {
	.owner = THIS_MODULE,
	.read = counts_read,
};

static void stop_threads(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		if (per_cpu(threads, cpu))
			kthread_stop(per_cpu(threads, cpu));
}

static int __init perm_storm_init(void)
{
	struct task_struct *thread;
	int cpu;

	for_each_online_cpu(cpu) {
		thread = kthread_create(ask_all, NULL, "perm_storm/%d", cpu);
		if (IS_ERR(thread)) {
			stop_threads();
			return PTR_ERR(thread);
		}
		kthread_bind(thread, cpu);
		per_cpu(threads, cpu) = thread;
		wake_up_process(thread);
	}
	file = debugfs_create_file("perm_storm", 0400, NULL, NULL, &counts_fops);
	return 0;
}

static void __exit perm_storm_exit(void)
{
	debugfs_remove(file);
	stop_threads();
}

module_init(perm_storm_init);
module_exit(perm_storm_exit);

MODULE_DESCRIPTION("Test of gpu_dma_lock_check() on all CPUs at once");
MODULE_LICENSE("GPL");
