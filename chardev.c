// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/gpu_dma_lock: what tenants may do themselves, each for the agent that its process
 * is bound to at the time. Nothing of it needs /proc, or a capability.
 *
 * An open file holds the module. Calls on it end before it is released, also those of a
 * process that is killed, so whatever they have got is noted in its holdings by then.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/capability.h>
#include <linux/compat.h>
#include <linux/dma-buf.h>
#include <linux/fs.h>
#include <linux/minmax.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>

#include "gpu_dma_lock.h"
#include "gpu_dma_lock_ioctl.h"

/* An open file. */
struct gdl_open {
	struct gdl_holdings *holdings;		/* C */
	struct gdl_kept_waits waits;
	struct gdl_watch watch;			/* so that refusals wake its pollers */
	u64 seen_agent;				/* of the last SELF; READ_ONCE() */
	u64 seen;				/* what had been refused it; READ_ONCE() */
};

/* Is what agent 0 uses, and is refused, for the opener? It is others'. */
static bool may_see(const struct file *file, const struct gdl_agent *agent)
{
	return agent != &gdl_host || gdl_reader_sees_all(file);
}

/* Nothing that was refused up to now is news. */
static void self_seen(struct gdl_open *open, const struct gdl_agent *agent)
{
	WRITE_ONCE(open->seen_agent, agent->id);
	WRITE_ONCE(open->seen, atomic64_read(&agent->refused));
}

static void self_quota(struct gpu_dma_lock_self *self, const struct gdl_quota *quota, bool used)
{
	self->limit = quota ? READ_ONCE(quota->limit) : GDL_UNLIMITED;
	self->used = !used ? U64_MAX : quota ? atomic64_read(&quota->used) : 0;
	self->peak = !used ? U64_MAX : quota ? atomic64_read(&quota->peak) : 0;
	self->denied = !used ? U64_MAX : quota ? atomic64_read(&quota->denied) : 0;
}

/* What the agent has on a device: NULL if nothing, and it has no limit there. */
static const struct gdl_quota *device_quota(struct gdl_agent *agent, u64 device_id)
{
	struct gdl_device_quota *dq = gdl_agent_next_device_quota(agent, device_id);

	return dq && dq->device->id == device_id ? &dq->quota : NULL;
}

static int self_locked(struct file *file, struct gpu_dma_lock_self *self)
{
	bool of_device = self->flags & GPU_DMA_LOCK_SELF_DEVICE;
	struct gdl_agent *agent = gdl_agent_of(current);
	const struct gdl_quota *quota = &agent->quota;

	if (of_device && !gdl_device_lookup(self->device))
		return -ENODEV;
	self_seen(file->private_data, agent);
	if (of_device)
		quota = device_quota(agent, self->device);
	self->agent = agent->id;
	self_quota(self, quota, may_see(file, agent));
	return 0;
}

static int ioctl_self(struct file *file, void *arg)
{
	struct gpu_dma_lock_self *self = arg;
	int ret;

	if (self->flags & ~GPU_DMA_LOCK_SELF_DEVICE || (!self->flags && self->device))
		return -EINVAL;
	rcu_read_lock();
	ret = self_locked(file, self);
	rcu_read_unlock();
	return ret;
}

static int ioctl_reserve(struct file *file, void *arg)
{
	struct gdl_open *open = file->private_data;
	struct gpu_dma_lock_reserve *asked = arg;

	if (asked->flags || !asked->bytes)
		return -EINVAL;
	return gdl_ledger_reserve(asked->bytes, asked->device, &open->holdings->ledger, &asked->id);
}

static int release(struct file *file, u64 id)
{
	struct gdl_open *open = file->private_data;

	return gdl_ledger_free(id, &open->holdings->ledger);
}

static int ioctl_release(struct file *file, void *arg)
{
	struct gpu_dma_lock_release *asked = arg;

	return asked->flags ? -EINVAL : release(file, asked->id);
}

/* The id of a dma-buf's buffer: @dmabuf keeps it until it is put. */
static int find_dmabuf(int fd, struct dma_buf **dmabuf, u64 *id)
{
	struct gdl_buffer *b;

	*dmabuf = dma_buf_get(fd);
	if (IS_ERR(*dmabuf))
		return PTR_ERR(*dmabuf);
	rcu_read_lock();
	b = gdl_buffer_of_dmabuf(*dmabuf);
	if (b)
		*id = b->id;
	rcu_read_unlock();
	if (b)
		return 0;
	dma_buf_put(*dmabuf);
	return -ENOENT;
}

static int lock(struct gdl_open *open, struct gpu_dma_lock_lock *asked, bool in_hand)
{
	struct gdl_lock_ask ask = {
		.buffer_id = asked->id,
		.in_hand = in_hand,
		.mode = asked->flags & GPU_DMA_LOCK_EXCLUSIVE ? GDL_LOCK_EXCLUSIVE :
								GDL_LOCK_SHARED,
		.timeout_ms = asked->timeout_ms,
		.owner = &open->holdings->owner,
		.waits = &open->waits,
		.lease_ms = &asked->lease_ms,
	};

	return gdl_lock_file_lock(&ask);
}

static int lock_dmabuf(struct gdl_open *open, struct gpu_dma_lock_lock *asked)
{
	struct dma_buf *dmabuf;
	int ret = find_dmabuf(asked->fd, &dmabuf, &asked->id);

	if (ret)
		return ret;
	ret = lock(open, asked, true);
	dma_buf_put(dmabuf);
	return ret;
}

#define LOCK_FLAGS	(GPU_DMA_LOCK_EXCLUSIVE | GPU_DMA_LOCK_BY_ID)

static int ioctl_lock(struct file *file, void *arg)
{
	struct gdl_open *open = file->private_data;
	struct gpu_dma_lock_lock *asked = arg;
	bool by_id = asked->flags & GPU_DMA_LOCK_BY_ID;

	if (asked->flags & ~LOCK_FLAGS || asked->reserved || (by_id && asked->fd) ||
	    asked->timeout_ms < GPU_DMA_LOCK_FOREVER)
		return -EINVAL;
	if (!by_id)
		return lock_dmabuf(open, asked);
	return lock(open, asked, gdl_ledger_has(&open->holdings->ledger, asked->id));
}

static int ioctl_unlock(struct file *file, void *arg)
{
	struct gdl_open *open = file->private_data;
	struct gpu_dma_lock_unlock *asked = arg;
	bool by_id = asked->flags & GPU_DMA_LOCK_BY_ID;
	struct dma_buf *dmabuf;
	int ret;

	if (asked->flags & ~GPU_DMA_LOCK_BY_ID || asked->reserved ||
	    (by_id ? asked->fd : asked->id))
		return -EINVAL;
	if (by_id)
		return gdl_lock_file_unlock(&open->holdings->owner, asked->id);
	ret = find_dmabuf(asked->fd, &dmabuf, &asked->id);
	if (ret)
		return ret;
	ret = gdl_lock_file_unlock(&open->holdings->owner, asked->id);
	dma_buf_put(dmabuf);
	return ret;
}

/* What it says stays said, also if the answer cannot be written. */
static int ioctl_report(struct file *file, void *arg)
{
	struct gdl_open *open = file->private_data;
	struct gpu_dma_lock_report *asked = arg;

	if (!file_ns_capable(file, &init_user_ns, CAP_SYS_ADMIN))
		return -EPERM;
	if (asked->flags || asked->reserved)
		return -EINVAL;
	return gdl_report(&open->holdings->reports, asked->pid, asked->device, asked->bytes,
			  &asked->id);
}

/* The caller was not told what it has got: take it back. */
static void undo_reserve(struct file *file, void *arg)
{
	struct gpu_dma_lock_reserve *asked = arg;

	release(file, asked->id);
}

static void undo_lock(struct file *file, void *arg)
{
	struct gdl_open *open = file->private_data;
	struct gpu_dma_lock_lock *asked = arg;

	gdl_lock_file_unlock(&open->holdings->owner, asked->id);
}

/* Any of the structures; all begin with their size. */
union argument {
	u32 size;
	struct gpu_dma_lock_self self;
	struct gpu_dma_lock_reserve reserve;
	struct gpu_dma_lock_release release;
	struct gpu_dma_lock_lock lock;
	struct gpu_dma_lock_unlock unlock;
	struct gpu_dma_lock_report report;
};

/* By the numbers of the ioctls. A structure that grows will need the least size as well. */
static const struct operation {
	size_t size;				/* of the structure */
	int (*run)(struct file *file, void *arg);
	bool answers;				/* the structure is copied back */
	void (*undo)(struct file *file, void *arg);
} operations[] = {
	[_IOC_NR(GPU_DMA_LOCK_IOC_SELF)] = {
		sizeof(struct gpu_dma_lock_self), ioctl_self, true },
	[_IOC_NR(GPU_DMA_LOCK_IOC_RESERVE)] = {
		sizeof(struct gpu_dma_lock_reserve), ioctl_reserve, true, undo_reserve },
	[_IOC_NR(GPU_DMA_LOCK_IOC_RELEASE)] = {
		sizeof(struct gpu_dma_lock_release), ioctl_release },
	[_IOC_NR(GPU_DMA_LOCK_IOC_LOCK)] = {
		sizeof(struct gpu_dma_lock_lock), ioctl_lock, true, undo_lock },
	[_IOC_NR(GPU_DMA_LOCK_IOC_UNLOCK)] = {
		sizeof(struct gpu_dma_lock_unlock), ioctl_unlock },
	[_IOC_NR(GPU_DMA_LOCK_IOC_REPORT)] = {
		sizeof(struct gpu_dma_lock_report), ioctl_report, true },
};

static int fetch(const struct operation *op, union argument *arg, const void __user *from)
{
	u32 size;

	if (get_user(size, (const u32 __user *)from))
		return -EFAULT;
	if (size < op->size)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	return copy_struct_from_user(arg, op->size, from, size);
}

static int run(const struct operation *op, struct file *file, void __user *user)
{
	struct gdl_open *open = file->private_data;
	union argument arg;
	int ret = fetch(op, &arg, user);

	if (ret)
		return ret;
	if (op->run != ioctl_lock)
		gdl_kept_waits_forget(&open->waits);
	ret = op->run(file, &arg);
	if (ret || !op->answers)
		return ret;
	/* Its size is the caller's, which may have changed meanwhile: it is not written. */
	if (!copy_to_user(user + sizeof(arg.size), (void *)&arg + sizeof(arg.size),
			  op->size - sizeof(arg.size)))
		return 0;
	if (op->undo)
		op->undo(file, &arg);
	return -EFAULT;
}

static long chardev_ioctl(struct file *file, unsigned int cmd, unsigned long user)
{
	unsigned int nr = _IOC_NR(cmd);

	if (nr >= ARRAY_SIZE(operations) || cmd != _IO(_IOC_TYPE(GPU_DMA_LOCK_IOC_SELF), nr))
		return -ENOTTY;
	nr = array_index_nospec(nr, ARRAY_SIZE(operations));
	return run(&operations[nr], file, (void __user *)user);
}

/* aio asks again in a thread of the kernel, for a process that it does not name. */
static const struct gdl_agent *poller(u64 seen_agent)
{
	if (current->flags & PF_KTHREAD)
		return gdl_agent_lookup(seen_agent);
	return gdl_agent_of(current);
}

/* Was the caller's agent refused anything since the last SELF? */
static bool any_refused(const struct file *file)
{
	const struct gdl_open *open = file->private_data;
	u64 seen_agent = READ_ONCE(open->seen_agent);
	const struct gdl_agent *agent;
	bool any;

	rcu_read_lock();
	agent = poller(seen_agent);
	any = agent && agent->id == seen_agent && may_see(file, agent) &&
	      atomic64_read(&agent->refused) != READ_ONCE(open->seen);
	rcu_read_unlock();
	return any;
}

static __poll_t chardev_poll(struct file *file, struct poll_table_struct *table)
{
	__poll_t events = gdl_alert_poll(file, table);

	return any_refused(file) ? events | EPOLLPRI : events;
}

static int chardev_open(struct inode *inode, struct file *file)
{
	struct gdl_open *open = kzalloc(sizeof(*open), GFP_KERNEL_ACCOUNT);

	if (!open)
		return -ENOMEM;
	open->holdings = gdl_holdings_alloc(GDL_FILE_ENTRIES_MAX);
	if (!open->holdings) {
		kfree(open);
		return -ENOMEM;
	}
	gdl_kept_waits_init(&open->waits);
	gdl_watch_begin(&open->watch);
	rcu_read_lock();
	self_seen(open, gdl_agent_of(current));
	rcu_read_unlock();
	file->private_data = open;
	return nonseekable_open(inode, file);
}

static int chardev_release(struct inode *inode, struct file *file)
{
	struct gdl_open *open = file->private_data;

	gdl_watch_end(&open->watch);
	gdl_kept_waits_exit(&open->waits);
	gdl_holdings_free(open->holdings);
	kfree(open);
	return 0;
}

static const struct file_operations chardev_fops = {
	.owner		= THIS_MODULE,
	.open		= chardev_open,
	.release	= chardev_release,
	.unlocked_ioctl	= chardev_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.poll		= chardev_poll,
};

static struct miscdevice chardev = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "gpu_dma_lock",
	.mode	= 0666,
	.fops	= &chardev_fops,
};

MODULE_ALIAS("devname:gpu_dma_lock");

/**
 * gdl_chardev_init() - make /dev/gpu_dma_lock
 *
 * Context: May sleep.
 * Return: 0, -ENOMEM, or -EBUSY: there is no minor number left.
 */
int gdl_chardev_init(void)
{
	return misc_register(&chardev);
}

/**
 * gdl_chardev_exit() - remove it; no file is open
 *
 * Context: May sleep.
 */
void gdl_chardev_exit(void)
{
	misc_deregister(&chardev);
}
