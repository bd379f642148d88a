// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of dma-bufs: what the kernel's dma-buf core does is read off its functions'
 * arguments and results, and handed to the files that keep the tables. What a rule
 * forbids is refused here: the error is returned, and the function not called.
 *
 * All these functions may sleep, and so may their wrappers, but for dma_resv_fini().
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dcache.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/irqflags.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/preempt.h>

#include <drm/drm_gem.h>

#include "events.h"

GDL_IMPORT_NS_DMA_BUF;

static int export_begin(const struct dma_buf_export_info *info,
			struct gdl_export *export)
{
	unsigned int tries = 0;
	int ret;

	do {
		ret = gdl_dmabuf_export_begin(info, gdl_policy_enforces(), export);
	} while (again(ret, &tries));
	return verdict(ret, GDL_HOOK_dma_buf_export, GDL_STAT_BUFFERS_LOST);
}

/* It cannot be refused any more: to end the dma-buf would end what it is made of. */
static void export_end(const struct dma_buf *dmabuf, const struct gdl_export *export)
{
	unsigned int tries = 0;
	int ret;

	do {
		ret = gdl_dmabuf_export_end(dmabuf, export);
	} while (again(ret, &tries));
	if (lost(ret, GDL_HOOK_dma_buf_export, GDL_STAT_BUFFERS_LOST))
		gdl_dmabuf_export_failed(export);
}

/* Refused with -EDQUOT or -ENOSPC, or if it cannot be tracked. */
static struct dma_buf *
gdl_hook_dma_buf_export(const struct dma_buf_export_info *info)
{
	struct gdl_export export;
	struct dma_buf *dmabuf;
	int ret;

	gdl_hook_begin(GDL_HOOK_dma_buf_export);
	ret = export_begin(info, &export);
	if (ret) {
		dmabuf = ERR_PTR(ret);
		goto out;
	}
	dmabuf = gdl_original_dma_buf_export(info);
	if (IS_ERR_OR_NULL(dmabuf))
		gdl_dmabuf_export_failed(&export);
	else
		export_end(dmabuf, &export);
out:
	gdl_hook_end();
	return dmabuf;
}

static void gdl_hook_dma_buf_release(struct dentry *dentry)
{
	gdl_hook_begin(GDL_HOOK_dma_buf_release);
	/* An export that failed half-way has a file, but no dma-buf yet. */
	if (dentry->d_fsdata)
		gdl_dmabuf_release(dentry->d_fsdata);
	gdl_original_dma_buf_release(dentry);
	gdl_hook_end();
}

/* Nothing tells which process has made a dma-buf that is not known. */
static int attach_begin(const struct dma_buf *dmabuf)
{
	unsigned int tries = 0;
	int ret;

	do {
		ret = gdl_dmabuf_adopt(dmabuf, NULL);
	} while (again(ret, &tries));
	ret = verdict(ret, GDL_HOOK_dma_buf_dynamic_attach, GDL_STAT_BUFFERS_LOST);
	return ret ?: gdl_attachment_check(dmabuf, gdl_policy_enforces());
}

static struct dma_buf_attachment *attach_end(struct dma_buf_attachment *attach)
{
	unsigned int tries = 0;
	int ret;

	do {
		ret = gdl_attachment_create(attach);
	} while (again(ret, &tries));
	ret = verdict(ret, GDL_HOOK_dma_buf_dynamic_attach, GDL_STAT_ATTACHMENTS_LOST);
	if (!ret)
		return attach;
	/* By its entry: where it goes on behind its site may not be known yet. */
	dma_buf_detach(attach->dmabuf, attach);
	return ERR_PTR(ret);
}

/* Refused with -EACCES, -EBUSY or -EDQUOT, or if it cannot be tracked. */
static struct dma_buf_attachment *
gdl_hook_dma_buf_dynamic_attach(struct dma_buf *dmabuf, struct device *dev,
				const struct dma_buf_attach_ops *importer_ops,
				void *importer_priv)
{
	struct dma_buf_attachment *attach;
	int ret;

	gdl_hook_begin(GDL_HOOK_dma_buf_dynamic_attach);
	ret = dmabuf ? attach_begin(dmabuf) : 0;
	if (ret) {
		attach = ERR_PTR(ret);
		goto out;
	}
	attach = gdl_original_dma_buf_dynamic_attach(dmabuf, dev, importer_ops,
						     importer_priv);
	if (!IS_ERR_OR_NULL(attach))
		attach = attach_end(attach);
out:
	gdl_hook_end();
	return attach;
}

static void gdl_hook_dma_buf_detach(struct dma_buf *dmabuf,
				    struct dma_buf_attachment *attach)
{
	gdl_hook_begin(GDL_HOOK_dma_buf_detach);
	gdl_attachment_remove(attach);
	gdl_original_dma_buf_detach(dmabuf, attach);
	gdl_hook_end();
}

static int map_begin(const struct dma_buf_attachment *attach,
		     enum dma_data_direction direction, bool *counted)
{
	unsigned int tries = 0;
	int ret;

	do {
		ret = gdl_attachment_map_begin(attach, direction, gdl_policy_enforces());
	} while (again(ret, &tries));
	*counted = !ret;
	return verdict(ret, GDL_HOOK_dma_buf_map_attachment, GDL_STAT_LOCKS_LOST);
}

/* Refused with -EACCES, -EBUSY or -EDQUOT, or if it cannot be tracked. */
static struct sg_table *
gdl_hook_dma_buf_map_attachment(struct dma_buf_attachment *attach,
				enum dma_data_direction direction)
{
	struct sg_table *sgt;
	bool counted;
	int ret;

	gdl_hook_begin(GDL_HOOK_dma_buf_map_attachment);
	ret = map_begin(attach, direction, &counted);
	if (ret) {
		sgt = ERR_PTR(ret);
		goto out;
	}
	sgt = gdl_original_dma_buf_map_attachment(attach, direction);
	if (!IS_ERR_OR_NULL(sgt))
		gdl_attachment_map_end(attach, sgt, direction);
	else if (counted)
		gdl_attachment_unmap(attach, direction);
out:
	gdl_hook_end();
	return sgt;
}

static void gdl_hook_dma_buf_unmap_attachment(struct dma_buf_attachment *attach,
					      struct sg_table *sgt,
					      enum dma_data_direction direction)
{
	gdl_hook_begin(GDL_HOOK_dma_buf_unmap_attachment);
	gdl_attachment_unmap(attach, direction);
	gdl_original_dma_buf_unmap_attachment(attach, sgt, direction);
	gdl_hook_end();
}

static int gdl_hook_dma_buf_pin(struct dma_buf_attachment *attach)
{
	int ret;

	gdl_hook_begin(GDL_HOOK_dma_buf_pin);
	ret = gdl_original_dma_buf_pin(attach);
	if (!ret)
		gdl_attachment_pin(attach);
	gdl_hook_end();
	return ret;
}

static void gdl_hook_dma_buf_unpin(struct dma_buf_attachment *attach)
{
	gdl_hook_begin(GDL_HOOK_dma_buf_unpin);
	gdl_attachment_unpin(attach);
	gdl_original_dma_buf_unpin(attach);
	gdl_hook_end();
}

static int check_mmap(const struct dma_buf *dmabuf,
		      const struct vm_area_struct *vma)
{
	return gdl_attachment_check_mmap(dmabuf, vma->vm_flags & VM_WRITE,
					 gdl_policy_enforces());
}

/* By mmap() of the dma-buf itself. Refused with -EBUSY. */
static int gdl_hook_dma_buf_mmap_internal(struct file *file,
					  struct vm_area_struct *vma)
{
	int ret;

	gdl_hook_begin(GDL_HOOK_dma_buf_mmap_internal);
	ret = check_mmap(file->private_data, vma);
	if (!ret)
		ret = gdl_original_dma_buf_mmap_internal(file, vma);
	gdl_hook_end();
	return ret;
}

/* By mmap() of an importer. Refused with -EBUSY. */
static int gdl_hook_dma_buf_mmap(struct dma_buf *dmabuf,
				 struct vm_area_struct *vma, unsigned long pgoff)
{
	int ret;

	gdl_hook_begin(GDL_HOOK_dma_buf_mmap);
	ret = dmabuf && vma ? check_mmap(dmabuf, vma) : 0;
	if (!ret)
		ret = gdl_original_dma_buf_mmap(dmabuf, vma, pgoff);
	gdl_hook_end();
	return ret;
}

/*
 * Whether the tables can be changed here: their locks are not for hard interrupts,
 * and on PREEMPT_RT they sleep.
 */
static bool context_allows(void)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		return preemptible();
	return !(preempt_count() & (HARDIRQ_MASK | NMI_MASK)) && !irqs_disabled();
}

/*
 * The end of a GEM object: of its functions this is the one that every driver calls,
 * i915 too, and that no compiler has inlined, as it has drm_gem_object_free(). Other
 * reservation objects end here as well, which are not found.
 */
static void gdl_hook_dma_resv_fini(struct dma_resv *resv)
{
	const struct drm_gem_object *gem = container_of(resv, struct drm_gem_object, _resv);

	gdl_hook_begin(GDL_HOOK_dma_resv_fini);
	if (likely(context_allows()))
		gdl_gem_release(gem);
	else
		gdl_gem_release_atomic(gem);
	gdl_original_dma_resv_fini(resv);
	gdl_hook_end();
}

/* Exported, so that its address is known, and its prototype. */
#define EXPORTED(function)						\
	GDL_HOOK_ROW(function, GDL_HOOKS_OF_DMABUF,			\
		     (unsigned long)function +				\
		     BUILD_BUG_ON_ZERO(!__same_type(function,		\
						    gdl_original_##function)))

#define STATIC(function)						\
	GDL_HOOK_ROW(function, GDL_HOOKS_OF_DMABUF, 0)

const struct gdl_hook gdl_dmabuf_hooks[] = {
	EXPORTED(dma_buf_export),
	STATIC(dma_buf_release),
	EXPORTED(dma_buf_dynamic_attach),
	EXPORTED(dma_buf_detach),
	EXPORTED(dma_buf_map_attachment),
	EXPORTED(dma_buf_unmap_attachment),
	EXPORTED(dma_buf_pin),
	EXPORTED(dma_buf_unpin),
	STATIC(dma_buf_mmap_internal),
	EXPORTED(dma_buf_mmap),
	EXPORTED(dma_resv_fini),
};

const unsigned int gdl_nr_dmabuf_hooks = ARRAY_SIZE(gdl_dmabuf_hooks);
