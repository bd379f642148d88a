// SPDX-License-Identifier: GPL-2.0-only
/*
 * sleeper: an exporter of dma-bufs whose operations sleep for as long as the test
 * wants, so that tasks are asleep in the functions that gpu_dma_lock hooks.
 *
 * /dev/sleeper: each open file has one attachment at a time, see sleeper.h.
 *
 * In debugfs, folder sleeper:
 *
 * sleep: a bit for each enum sleeper_op. Who calls one whose bit is set sleeps until it
 *   is cleared, or until killed.
 * asleep: how many do, in all operations whose bit is set.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/debugfs.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "../../compat.h"
#include "sleeper.h"

GDL_IMPORT_NS_DMA_BUF;

struct importer {
	struct mutex mutex;		/* for what follows */
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;
};

static DECLARE_WAIT_QUEUE_HEAD(sleepers);
static atomic_t asleep[NR_SLEEPER_OPS];
static unsigned long sleep_bits;
static struct platform_device *device;
static struct dentry *dir;

/* In the operation itself, which is to be on the sleeper's stack. */
static __always_inline int sleep_in(enum sleeper_op op)
{
	int ret;

	atomic_inc(&asleep[op]);
	ret = wait_event_killable(sleepers, !(READ_ONCE(sleep_bits) & BIT(op)));
	atomic_dec(&asleep[op]);
	return ret;
}

static int sleeper_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	return sleep_in(SLEEPER_IN_ATTACH);
}

static void sleeper_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	sleep_in(SLEEPER_IN_DETACH);
}

static struct sg_table *sleeper_map(struct dma_buf_attachment *attach,
				    enum dma_data_direction direction)
{
	struct page *page = attach->dmabuf->priv;
	struct sg_table *sgt;
	int ret = sleep_in(SLEEPER_IN_MAP);

	if (ret)
		return ERR_PTR(ret);
	sgt = kmalloc(sizeof(*sgt), GFP_KERNEL);
	if (!sgt)
		return ERR_PTR(-ENOMEM);
	ret = sg_alloc_table(sgt, 1, GFP_KERNEL);
	if (ret)
		goto out_free;
	sg_set_page(sgt->sgl, page, SLEEPER_SIZE, 0);
	ret = dma_map_sgtable(attach->dev, sgt, direction, 0);
	if (ret)
		goto out_table;
	return sgt;

out_table:
	sg_free_table(sgt);
out_free:
	kfree(sgt);
	return ERR_PTR(ret);
}

static void sleeper_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			  enum dma_data_direction direction)
{
	sleep_in(SLEEPER_IN_UNMAP);
	dma_unmap_sgtable(attach->dev, sgt, direction, 0);
	sg_free_table(sgt);
	kfree(sgt);
}

static int sleeper_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	return sleep_in(SLEEPER_IN_MMAP);
}

static void sleeper_release(struct dma_buf *dmabuf)
{
	sleep_in(SLEEPER_IN_RELEASE);
	__free_page(dmabuf->priv);
}

static const struct dma_buf_ops sleeper_ops = {
	.attach		= sleeper_attach,
	.detach		= sleeper_detach,
	.map_dma_buf	= sleeper_map,
	.unmap_dma_buf	= sleeper_unmap,
	.mmap		= sleeper_mmap,
	.release	= sleeper_release,
};

static int export(void)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;
	struct page *page = alloc_page(GFP_KERNEL);
	int fd;

	if (!page)
		return -ENOMEM;
	info.ops = &sleeper_ops;
	info.size = SLEEPER_SIZE;
	info.flags = O_RDWR;
	info.priv = page;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		__free_page(page);
		return PTR_ERR(dmabuf);
	}
	fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	if (fd < 0)
		dma_buf_put(dmabuf);
	return fd;
}

static int attach(struct importer *importer, int fd)
{
	struct dma_buf_attachment *new;
	struct dma_buf *dmabuf;

	if (importer->attach)
		return -EBUSY;
	dmabuf = dma_buf_get(fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	new = dma_buf_attach(dmabuf, &device->dev);
	if (IS_ERR(new)) {
		dma_buf_put(dmabuf);
		return PTR_ERR(new);
	}
	importer->attach = new;
	return 0;
}

/* Some kernels want the lock held, none forbids it. */
static int map(struct importer *importer)
{
	struct dma_buf_attachment *attach = importer->attach;
	struct sg_table *sgt;

	if (!attach || importer->sgt)
		return -EINVAL;
	dma_resv_lock(attach->dmabuf->resv, NULL);
	sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
	dma_resv_unlock(attach->dmabuf->resv);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);
	importer->sgt = sgt;
	return 0;
}

static int unmap(struct importer *importer)
{
	struct dma_buf_attachment *attach = importer->attach;

	if (!importer->sgt)
		return -EINVAL;
	dma_resv_lock(attach->dmabuf->resv, NULL);
	dma_buf_unmap_attachment(attach, importer->sgt, DMA_BIDIRECTIONAL);
	dma_resv_unlock(attach->dmabuf->resv);
	importer->sgt = NULL;
	return 0;
}

static int detach(struct importer *importer)
{
	struct dma_buf *dmabuf;

	if (!importer->attach || importer->sgt)
		return -EINVAL;
	dmabuf = importer->attach->dmabuf;
	dma_buf_detach(dmabuf, importer->attach);
	dma_buf_put(dmabuf);
	importer->attach = NULL;
	return 0;
}

/* What it has mapped is given back behind the back of the dma-buf core. */
static int drop(struct importer *importer)
{
	struct sg_table *sgt = importer->sgt;

	if (!sgt)
		return -EINVAL;
	sleeper_unmap(importer->attach, sgt, DMA_BIDIRECTIONAL);
	importer->sgt = NULL;
	return detach(importer);
}

static int run(struct importer *importer, unsigned int cmd, int fd)
{
	lockdep_assert_held(&importer->mutex);
	switch (cmd) {
	case SLEEPER_EXPORT:
		return export();
	case SLEEPER_ATTACH:
		return attach(importer, fd);
	case SLEEPER_MAP:
		return map(importer);
	case SLEEPER_UNMAP:
		return unmap(importer);
	case SLEEPER_DETACH:
		return detach(importer);
	case SLEEPER_DROP:
		return drop(importer);
	default:
		return -ENOTTY;
	}
}

static long sleeper_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct importer *importer = file->private_data;
	int ret;

	mutex_lock(&importer->mutex);
	ret = run(importer, cmd, arg);
	mutex_unlock(&importer->mutex);
	return ret;
}

static int sleeper_open(struct inode *inode, struct file *file)
{
	struct importer *importer = kzalloc(sizeof(*importer), GFP_KERNEL);

	if (!importer)
		return -ENOMEM;
	mutex_init(&importer->mutex);
	file->private_data = importer;
	return 0;
}

static int sleeper_close(struct inode *inode, struct file *file)
{
	struct importer *importer = file->private_data;

	unmap(importer);
	detach(importer);
	kfree(importer);
	return 0;
}

static const struct file_operations sleeper_fops = {
	.owner		= THIS_MODULE,
	.open		= sleeper_open,
	.release	= sleeper_close,
	.unlocked_ioctl	= sleeper_ioctl,
};

static struct miscdevice sleeper_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "sleeper",
	.fops	= &sleeper_fops,
	.mode	= 0666,
};

static int sleep_get(void *data, u64 *value)
{
	*value = READ_ONCE(sleep_bits);
	return 0;
}

static int sleep_set(void *data, u64 value)
{
	WRITE_ONCE(sleep_bits, value);
	wake_up_all(&sleepers);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(sleep_fops, sleep_get, sleep_set, "%llu\n");

/* Who has been let go, but not woken yet, is none. */
static int asleep_get(void *data, u64 *value)
{
	int op;

	*value = 0;
	for (op = 0; op < NR_SLEEPER_OPS; op++)
		if (READ_ONCE(sleep_bits) & BIT(op))
			*value += atomic_read(&asleep[op]);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(asleep_fops, asleep_get, NULL, "%llu\n");

static int __init sleeper_init(void)
{
	int ret;

	device = platform_device_register_simple("sleeper", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(device))
		return PTR_ERR(device);
	ret = dma_coerce_mask_and_coherent(&device->dev, DMA_BIT_MASK(64));
	if (!ret)
		ret = misc_register(&sleeper_device);
	if (ret) {
		platform_device_unregister(device);
		return ret;
	}
	dir = debugfs_create_dir("sleeper", NULL);
	debugfs_create_file_unsafe("sleep", 0600, dir, NULL, &sleep_fops);
	debugfs_create_file_unsafe("asleep", 0400, dir, NULL, &asleep_fops);
	return 0;
}
module_init(sleeper_init);

static void __exit sleeper_exit(void)
{
	debugfs_remove(dir);
	misc_deregister(&sleeper_device);
	platform_device_unregister(device);
}
module_exit(sleeper_exit);

MODULE_DESCRIPTION("Exports dma-bufs whose operations sleep until told to go on");
MODULE_AUTHOR("The gpu_dma_lock developers");
MODULE_LICENSE("GPL");
