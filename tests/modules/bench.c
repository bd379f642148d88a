// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench: what costs are compared with.
 *
 * /proc/bench_empty: a write to it does nothing.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/proc_fs.h>

static ssize_t empty_write(struct file *file, const char __user *buf,
			   size_t count, loff_t *pos)
{
	return count;
}

static const struct proc_ops empty_ops = {
	.proc_write = empty_write,
};

static int __init bench_init(void)
{
	return proc_create("bench_empty", 0200, NULL, &empty_ops) ? 0 : -ENOMEM;
}

static void __exit bench_exit(void)
{
	remove_proc_entry("bench_empty", NULL);
}

module_init(bench_init);
module_exit(bench_exit);

MODULE_DESCRIPTION("What the costs of gpu_dma_lock are compared with");
MODULE_LICENSE("GPL");
