// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adoption: DRM devices that were registered before the module was loaded are found by
 * walking all devices, and what was open by walking all processes' open files. A dma-buf
 * that no process has open, only mapped or in flight over a socket, is adopted later, at
 * first sight.
 *
 * How many files there are is up to tenants, so the walk is in steps. Between two of
 * them it has references to a task and to some files, and no lock: others run, and each
 * table of files is gone through once, however many tasks share it. A task that ends or
 * makes its table its own meanwhile takes no file from us: what it had was passed on, or
 * is closed.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitops.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/kdev_t.h>
#include <linux/magic.h>
#include <linux/minmax.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/pm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/xarray.h>

#include <drm/drm_device.h>
#include <drm/drm_file.h>
#include <drm/drm_ioctl.h>

#include "events.h"

/* drm_accel.h has it only where the kernel has such devices. */
#define ACCEL_NODE_MAJOR	261

/* In a step so many numbers are gone through, and so many files looked at, at most. */
#define STEP_NUMBERS		16384
#define STEP_FILES		256

struct walk {
	int pid;			/* the next one */
	u64 begun;			/* ns since boot */
	unsigned long old, young;	/* tasks: before that, and since */
	struct task_struct *task;	/* with a reference, or NULL */
	struct task_struct *leader;	/* of its process, likewise */
	struct files_struct *files;	/* that it had; not to be followed */
	unsigned int fd;		/* the next one */
	struct xarray shared;		/* by address: tables gone through that tasks share */
	unsigned int nr;
	struct file *found[STEP_FILES];	/* with references */
};

static bool is_dmabuf(const struct file *file)
{
	return file_inode(file)->i_sb->s_magic == DMA_BUF_MAGIC;
}

static bool is_drm(const struct file *file)
{
	const struct inode *inode = file_inode(file);

	return S_ISCHR(inode->i_mode) && file->private_data &&
	       (imajor(inode) == DRM_MAJOR || imajor(inode) == ACCEL_NODE_MAJOR);
}

static bool is_known(const struct file *file)
{
	bool known;

	rcu_read_lock();
	known = gdl_buffer_of_dmabuf(file->private_data);
	rcu_read_unlock();
	return known;
}

/* Take what is of interest from a table of files, in one step; is there more? */
static bool step(struct walk *w, struct files_struct *files)
{
	const struct fdtable *fdt = files_fdtable(files);
	unsigned int end = min(w->fd + STEP_NUMBERS, fdt->max_fds), looked = 0;
	struct file *file;

	lockdep_assert_held(&files->file_lock);
	while (looked < STEP_FILES) {
		w->fd = find_next_bit(fdt->open_fds, end, w->fd);
		if (w->fd >= end)
			break;
		file = rcu_dereference_check_fdtable(files, fdt->fd[w->fd++]);
		looked++;
		if (file && (is_drm(file) || (is_dmabuf(file) && !is_known(file))))
			w->found[w->nr++] = get_file(file);
	}
	return w->fd < fdt->max_fds;
}

/* The next step of w->task; has it more? */
static bool find_some(struct walk *w)
{
	struct task_struct *task = w->task;
	bool same, more = false;

	w->nr = 0;
	task_lock(task);
	same = task->files == w->files;
	if (same) {
		spin_lock(&w->files->file_lock);
		more = step(w, w->files);
		spin_unlock(&w->files->file_lock);
	}
	task_unlock(task);
	/* It stops halfway: others may have the table still. */
	if (!same)
		xa_erase(&w->shared, (unsigned long)w->files);
	return more;
}

static void adopt_dmabuf(struct dma_buf *dmabuf, struct task_struct *task)
{
	struct dma_buf_attachment *attach;
	unsigned int tries = 0;
	int ret;

	do {
		ret = gdl_dmabuf_adopt(dmabuf, task);
	} while (again(ret, &tries));
	if (ret) {
		gdl_stat_lost(GDL_STAT_BUFFERS_LOST);
		return;
	}
	dma_resv_lock(dmabuf->resv, NULL);
	list_for_each_entry(attach, &dmabuf->attachments, node) {
		gdl_attachment_adopt(attach, task);
		cond_resched();
	}
	dma_resv_unlock(dmabuf->resv);
}

static void adopt_found(struct walk *w)
{
	struct file *file;

	while (w->nr) {
		file = w->found[--w->nr];
		if (is_drm(file))
			gdl_context_adopt(file->private_data, w->task);
		else if (!is_known(file))
			adopt_dmabuf(file->private_data, w->task);
		fput(file);
		cond_resched();
	}
}

/* Begin with the files of w->task; are they to be gone through? */
static bool begin_files(struct walk *w)
{
	unsigned long address;
	bool shared;

	task_lock(w->task);
	w->files = w->task->files;
	shared = w->files && atomic_read(&w->files->count) > 1;
	task_unlock(w->task);
	w->fd = 0;
	if (!shared)
		return w->files;
	address = (unsigned long)w->files;
	if (xa_load(&w->shared, address))
		return false;
	/* Without memory it is gone through again for each task that has it. */
	xa_store(&w->shared, address, xa_mk_value(0), GFP_KERNEL | __GFP_NOWARN);
	return true;
}

/*
 * A tenant that forks faster than we walk would have us walk for ever: of tasks that are younger
 * than the walk, so many are gone through as of older ones.
 */
static bool too_young(struct walk *w)
{
	if (w->task->start_boottime <= w->begun) {
		w->old++;
		return false;
	}
	return ++w->young > w->old;
}

static void adopt_files(struct walk *w)
{
	bool more = !too_young(w) && begin_files(w);

	while (more) {
		more = find_some(w);
		adopt_found(w);
		cond_resched();
	}
}

/* To the next pid, which a task may have; false: there is none. */
static bool to_next_task(struct walk *w)
{
	struct pid *pid;

	rcu_read_lock();
	pid = idr_get_next(&init_pid_ns.idr, &w->pid);
	w->task = pid_task(pid, PIDTYPE_PID);
	if (w->task) {
		get_task_struct(w->task);
		/* A task does not keep its leader, whose name is the process's. */
		w->leader = get_task_struct(w->task->group_leader);
	}
	rcu_read_unlock();
	w->pid++;
	return pid;
}

static bool is_minor(const struct device *dev)
{
	if (!dev->class)
		return false;
	if (MAJOR(dev->devt) == DRM_MAJOR)
		return !strcmp(dev->class->name, "drm");
	return MAJOR(dev->devt) == ACCEL_NODE_MAJOR && !strcmp(dev->class->name, "accel");
}

/*
 * What takes @dev away waits for it, and only then for its minor and DRM device to
 * be let go of. One that is being unregistered is not registered any more, or
 * will come to our wrapper's end.
 */
static void look_at_device(struct device *dev, void *data)
{
	const struct drm_minor *minor;

	if (!is_minor(dev))
		return;
	minor = dev_get_drvdata(dev);
	if (!minor || !READ_ONCE(minor->dev->registered))
		return;
	rcu_read_lock();
	if (!gdl_device_of_drm(minor->dev))
		gdl_stat_lost(GDL_STAT_DEVICES_LOST);
	rcu_read_unlock();
}

/**
 * gdl_adopt_devices() - list the DRM devices that are registered
 *
 * DRM's own list is not for modules, but all devices can be walked by what may suspend
 * them: without CONFIG_PM_SLEEP they are listed at first sight.
 *
 * Context: May sleep. The hooks are placed: what is registered from here on is seen
 * by them.
 */
void gdl_adopt_devices(void)
{
	dpm_for_each_dev(NULL, look_at_device);
}

/**
 * gdl_adopt_open_files() - adopt the dma-bufs and DRM files that are open
 *
 * Context: May sleep. The hooks are placed: what is opened from here on is seen
 * by them.
 */
void gdl_adopt_open_files(void)
{
	struct walk *w = kzalloc(sizeof(*w), GFP_KERNEL);

	if (!w) {
		gdl_stat_lost(GDL_STAT_BUFFERS_LOST);
		return;
	}
	w->begun = ktime_get_boottime_ns();
	xa_init(&w->shared);
	while (to_next_task(w)) {
		if (w->task) {
			adopt_files(w);
			put_task_struct(w->leader);
			put_task_struct(w->task);
		}
		cond_resched();
	}
	xa_destroy(&w->shared);
	kfree(w);
}
