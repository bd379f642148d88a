// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench: what costs are compared with.
 *
 * /proc/bench_empty: a write to it does nothing.
 *
 * In debugfs, folder bench:
 *
 * probes: write "KIND FUNCTION" to place a probe of KIND, kprobe, kretprobe or
 *   ftrace, that does nothing; write "none" to take them all away. Two kprobes keep a
 *   plain hash table of objects: make, on a function whose second argument is a new
 *   object, puts a row for it there; drop, on one whose first argument is an object,
 *   takes its row out, and frees it after a grace period.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/proc_fs.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
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
	MAKE,
	DROP,
	NR_KINDS,
};

static const char * const kind_names[NR_KINDS] = {
	[KPROBE]	= "kprobe",
	[KRETPROBE]	= "kretprobe",
	[FTRACE]	= "ftrace",
	[MAKE]		= "make",
	[DROP]		= "drop",
};

/* As much memory as gpu_dma_lock takes for a buffer. */
#define ROW_BYTES	136

struct row {
	struct rhash_head node;
	const void *object;
	struct rcu_head rcu;
	char rest[ROW_BYTES - 4 * sizeof(void *)];
};

static const struct rhashtable_params row_params = {
	.key_len	= sizeof_field(struct row, object),
	.key_offset	= offsetof(struct row, object),
	.head_offset	= offsetof(struct row, node),
	.automatic_shrinking = true,
};

static struct rhashtable rows;
static struct kmem_cache *row_cache;

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

/* With it no row is zeroed under init_on_alloc, as no buffer of gpu_dma_lock is. */
static void row_construct(void *row)
{
}

static void row_free(void *row, void *arg)
{
	kmem_cache_free(row_cache, row);
}

static void row_free_rcu(struct rcu_head *head)
{
	row_free(container_of(head, struct row, rcu), NULL);
}

static int make_row(struct kprobe *kp, struct pt_regs *regs)
{
	struct row *row = kmem_cache_alloc(row_cache, GFP_ATOMIC | __GFP_NOWARN);

	if (!row)
		return 0;
	row->object = (void *)regs_get_kernel_argument(regs, 1);
	if (rhashtable_insert_fast(&rows, &row->node, row_params))
		row_free(row, NULL);
	return 0;
}

static int drop_row(struct kprobe *kp, struct pt_regs *regs)
{
	const void *object = (void *)regs_get_kernel_argument(regs, 0);
	struct row *row;

	rcu_read_lock();
	row = rhashtable_lookup(&rows, &object, row_params);
	if (row && !rhashtable_remove_fast(&rows, &row->node, row_params))
		call_rcu(&row->rcu, row_free_rcu);
	rcu_read_unlock();
	return 0;
}

static int make_rows(void)
{
	int ret;

	row_cache = kmem_cache_create("bench_row", sizeof(struct row), 0, 0, row_construct);
	if (!row_cache)
		return -ENOMEM;
	ret = rhashtable_init(&rows, &row_params);
	if (ret)
		kmem_cache_destroy(row_cache);
	return ret;
}

static void destroy_rows(void)
{
	rcu_barrier();
	rhashtable_free_and_destroy(&rows, row_free, NULL);
	kmem_cache_destroy(row_cache);
}

static void ftrace_nothing(unsigned long ip, unsigned long parent_ip,
			   struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
}

static struct ftrace_ops ftrace_ops = {
	.func = ftrace_nothing,
};

static int place_kprobe(const char *function, kprobe_pre_handler_t handler)
{
	int ret;

	if (nr_kps == PROBES_MAX)
		return -ENOSPC;
	kps[nr_kps] = (struct kprobe) {
		.symbol_name = function,
		.pre_handler = handler,
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
		return place_kprobe(function, kprobe_nothing);
	case KRETPROBE:
		return place_kretprobe(function);
	case FTRACE:
		return place_ftrace(function);
	case MAKE:
		return place_kprobe(function, make_row);
	case DROP:
		return place_kprobe(function, drop_row);
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
	int ret = make_rows();

	if (ret)
		return ret;
	if (!proc_create("bench_empty", 0200, NULL, &empty_ops)) {
		destroy_rows();
		return -ENOMEM;
	}
	dir = debugfs_create_dir("bench", NULL);
	debugfs_create_file("probes", 0200, dir, NULL, &probes_fops);
	return 0;
}

static void __exit bench_exit(void)
{
	debugfs_remove(dir);
	remove_proc_entry("bench_empty", NULL);
	remove_all();
	destroy_rows();
}

module_init(bench_init);
module_exit(bench_exit);

MODULE_DESCRIPTION("What the costs of gpu_dma_lock are compared with");
MODULE_LICENSE("GPL");
