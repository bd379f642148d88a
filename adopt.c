// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adoption: what was open before the module was loaded is found by walking all
 * processes' open files. A dma-buf that no process has open, only mapped or in
 * flight over a socket, is adopted later, at first sight.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include <drm/drm_ioctl.h>

#include "gpu_dma_lock.h"

/* drm_accel.h has it only where the kernel has such devices. */
#define ACCEL_NODE_MAJOR	261

/* A file found, with references to it and to who has it open. */
struct found {
	struct file *file;
	struct task_struct *task;
};

/* Files are found under spinlocks and adopted where it may sleep, in batches. */
struct batch {
	struct task_struct *task;	/* whose files are being walked */
	unsigned int nr;
	struct found found[128];
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

/* iterate_fd() callback: the caller holds the file table's lock. */
static int look_at(const void *arg, struct file *file, unsigned int fd)
{
	struct batch *batch = (struct batch *)arg;
	struct found *found = &batch->found[batch->nr];

	if (is_drm(file))
		gdl_context_adopt(file->private_data, batch->task);
	if (!is_dmabuf(file) || is_known(file))
		return 0;
	found->file = get_file(file);
	found->task = get_task_struct(batch->task);
	batch->nr++;
	return batch->nr == ARRAY_SIZE(batch->found);
}

/* Fill @batch with dma-bufs not known yet. */
static void find_some(struct batch *batch)
{
	struct task_struct *process, *task;

	batch->nr = 0;
	rcu_read_lock();
	for_each_process_thread(process, task) {
		if (batch->nr == ARRAY_SIZE(batch->found))
			break;
		task_lock(task);
		/* Threads share their files, but for those that asked not to. */
		batch->task = task;
		if (task->files &&
		    (task == process || task->files != process->files))
			iterate_fd(task->files, 0, look_at, batch);
		task_unlock(task);
	}
	rcu_read_unlock();
}

static bool adopt(struct dma_buf *dmabuf, struct task_struct *task)
{
	struct dma_buf_attachment *attach;

	if (!gdl_dmabuf_adopt(dmabuf, task))
		return false;
	dma_resv_lock(dmabuf->resv, NULL);
	list_for_each_entry(attach, &dmabuf->attachments, node)
		gdl_attachment_adopt(attach, task);
	dma_resv_unlock(dmabuf->resv);
	return true;
}

/* Adopt what is in @batch; return how many could be. */
static unsigned int adopt_all(struct batch *batch)
{
	unsigned int i, adopted = 0;

	for (i = 0; i < batch->nr; i++) {
		adopted += adopt(batch->found[i].file->private_data,
				 batch->found[i].task);
		put_task_struct(batch->found[i].task);
		fput(batch->found[i].file);
	}
	return adopted;
}

/**
 * gdl_adopt_open_files() - adopt the dma-bufs and DRM files that are open
 *
 * Context: May sleep. The probes are placed: what is opened from here on is seen
 * by them.
 */
void gdl_adopt_open_files(void)
{
	struct batch *batch = kmalloc(sizeof(*batch), GFP_KERNEL);

	if (!batch) {
		gdl_stat_inc(GDL_STAT_BUFFERS_LOST);
		return;
	}
	/* A full batch of which none could be adopted would be found again. */
	do {
		find_some(batch);
	} while (adopt_all(batch) && batch->nr == ARRAY_SIZE(batch->found));
	kfree(batch);
}
