// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench: what costs are compared with.
 *
 * /proc/bench_empty: a write to it does nothing.
 *
 * In debugfs, folder bench:
 *
 * probes: write "KIND FUNCTION" to place a probe of KIND, kprobe, kretprobe or
 *   ftrace, that does nothing; write "none" to take them all away.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/proc_fs.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#define PROBES_MAX	32
#define LINE_MAX_LEN	96

/* As many as gpu_dma_lock has, of whose search the cost may depend. */
#define CALLS_IN_FLIGHT	512

enum kind {
	KPROBE,
	KRETPROBE,
	FTRACE,
	NR_KINDS,
};

static const char * const kind_names[NR_KINDS] = {
	[KPROBE]	= "kprobe",
	[KRETPROBE]	= "kretprobe",
	[FTRACE]	= "ftrace",
};

/* Both under the mutex, as is what ftrace_ops is set to. */
static struct kprobe kps[PROBES_MAX];
static struct kretprobe rps[PROBES_MAX];
static int nr_kps, nr_rps;
static bool tracing;
static DEFINE_MUTEX(mutex);

static int kprobe_nothing(struct kprobe *kp, struct pt_regs *regs)
{
	return 0;
}

static int kretprobe_nothing(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	return 0;
}

static void ftrace_nothing(unsigned long ip, unsigned long parent_ip,
			   struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
}

static struct ftrace_ops ftrace_ops = {
	.func = ftrace_nothing,
};

static int place_kprobe(const char *function)
{
	int ret;

	if (nr_kps == PROBES_MAX)
		return -ENOSPC;
	kps[nr_kps] = (struct kprobe) {
		.symbol_name = function,
		.pre_handler = kprobe_nothing,
	};
	ret = register_kprobe(&kps[nr_kps]);
	nr_kps += !ret;
	return ret;
}

static int place_kretprobe(const char *function)
{
	int ret;

	if (nr_rps == PROBES_MAX)
		return -ENOSPC;
	rps[nr_rps] = (struct kretprobe) {
		.kp.symbol_name = function,
		.entry_handler = kretprobe_nothing,
		.handler = kretprobe_nothing,
		.maxactive = CALLS_IN_FLIGHT,
	};
	ret = register_kretprobe(&rps[nr_rps]);
	nr_rps += !ret;
	return ret;
}

static int place_ftrace(char *function)
{
	int ret = ftrace_set_filter(&ftrace_ops, function, strlen(function), 0);

	if (ret || tracing)
		return ret;
	ret = register_ftrace_function(&ftrace_ops);
	tracing = !ret;
	return ret;
}

static void remove_all(void)
{
	if (tracing)
		unregister_ftrace_function(&ftrace_ops);
	ftrace_set_filter(&ftrace_ops, NULL, 0, 1);
	tracing = false;
	while (nr_kps)
		unregister_kprobe(&kps[--nr_kps]);
	while (nr_rps)
		unregister_kretprobe(&rps[--nr_rps]);
}

static int place(char *line)
{
	char *kind = strsep(&line, "\n "), *function = strsep(&line, "\n ");

	lockdep_assert_held(&mutex);
	if (!strcmp(kind, "none")) {
		remove_all();
		return 0;
	}
	if (!function)
		return -EINVAL;
	switch (match_string(kind_names, NR_KINDS, kind)) {
	case KPROBE:
		return place_kprobe(function);
	case KRETPROBE:
		return place_kretprobe(function);
	case FTRACE:
		return place_ftrace(function);
	default:
		return -EINVAL;
	}
}

static ssize_t probes_write(struct file *file, const char __user *buf,
			    size_t count, loff_t *pos)
{
	char line[LINE_MAX_LEN];
	int ret;

	if (count >= sizeof(line))
		return -E2BIG;
	if (copy_from_user(line, buf, count))
		return -EFAULT;
	line[count] = '\0';
	mutex_lock(&mutex);
	ret = place(line);
	mutex_unlock(&mutex);
	return ret ?: count;
}

static const struct file_operations probes_fops = {
	.owner = THIS_MODULE,
	.write = probes_write,
};

static ssize_t empty_write(struct file *file, const char __user *buf,
			   size_t count, loff_t *pos)
{
	return count;
}

static const struct proc_ops empty_ops = {
	.proc_write = empty_write,
};

static struct dentry *dir;

static int __init bench_init(void)
{
	if (!proc_create("bench_empty", 0200, NULL, &empty_ops))
		return -ENOMEM;
	dir = debugfs_create_dir("bench", NULL);
	debugfs_create_file("probes", 0200, dir, NULL, &probes_fops);
	return 0;
}

static void __exit bench_exit(void)
{
	debugfs_remove(dir);
	remove_proc_entry("bench_empty", NULL);
	remove_all();
}

module_init(bench_init);
module_exit(bench_exit);

MODULE_DESCRIPTION("What the costs of gpu_dma_lock are compared with");
MODULE_LICENSE("GPL");
