// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events: what the kernel does with dma-bufs, GEM objects and DRM files, read off
 * the arguments of its functions and handed to the files that keep the tables.
 *
 * Handlers run with preemption disabled and must not sleep. What they are given
 * lives until the probed function goes on.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dcache.h>
#include <linux/dma-buf.h>
#include <linux/fs.h>
#include <linux/irqflags.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/preempt.h>

#include <drm/drm_gem.h>

#include "gpu_dma_lock.h"

struct export_claim {
	u64 id;
};

struct gem_init {
	const struct drm_gem_object *gem;
	int error;				/* it is refused with, or 0 */
};

struct import_mark {
	struct gdl_import *import;
};

struct mapping {
	const struct dma_buf_attachment *attach;
	enum dma_data_direction direction;
};

static bool canary_sang;

static void *argument(struct pt_regs *regs, unsigned int n)
{
	return (void *)regs_get_kernel_argument(regs, n);
}

/* Whether the tables can be changed here: their locks are not for interrupts. */
static __always_inline bool context_allows(void)
{
	return !(preempt_count() & (HARDIRQ_MASK | NMI_MASK)) && !irqs_disabled();
}

/* Count an event; tell whether its context allows to track it. */
static __always_inline bool event_begins(enum gdl_probe_id id)
{
	gdl_stat_probe_hit(id);
	if (likely(context_allows()))
		return true;
	gdl_stat_probe_failed(id);
	return false;
}

/* bool gdl_event_canary(void) */
static int gdl_probe_canary_hit(struct kprobe *kp, struct pt_regs *regs)
{
	gdl_stat_probe_hit(GDL_PROBE_CANARY);
	WRITE_ONCE(canary_sang, true);
	return 0;
}

/*
 * What was decided at a refusal, for the kretprobe whose entry handler comes
 * next: both run in one walk over the function's ftrace users, with preemption
 * disabled. ftrace calls the newest user first, and kprobes are one before a
 * refusal is.
 */
struct decision {
	const void *key;			/* the argument; NULL: none is waiting */
	u64 value;				/* of an export: the claim */
	int error;
};

static DEFINE_PER_CPU(struct decision, export_decision);
static DEFINE_PER_CPU(struct decision, map_decision);

static bool enforcing(void)
{
	return gdl_policy_get() == GDL_POLICY_ENFORCE && context_allows();
}

/* Undo a decision whose kretprobe was missed: nobody else knows of the claim. */
static void export_decision_drop(struct decision *d)
{
	if (d->key && !d->error)
		gdl_dmabuf_export_failed(d->value);
	d->key = NULL;
}

static int gdl_probe_export_decide(struct pt_regs *regs)
{
	struct decision *d = this_cpu_ptr(&export_decision);

	if (!enforcing())
		return 0;
	export_decision_drop(d);
	d->key = argument(regs, 0);
	d->error = gdl_dmabuf_export_begin(d->key, true, &d->value);
	return d->error == -ENOMEM ? 0 : d->error;
}

/* struct dma_buf *dma_buf_export(const struct dma_buf_export_info *) */
static int gdl_probe_export_begin(struct kretprobe_instance *ri,
				  struct pt_regs *regs)
{
	struct decision *d = this_cpu_ptr(&export_decision);
	struct export_claim *claim = (void *)ri->data;
	const void *info = argument(regs, 0);
	int error;

	if (!event_begins(GDL_PROBE_DMA_BUF_EXPORT))
		return 1;
	if (d->key == info) {
		d->key = NULL;
		claim->id = d->value;
		error = d->error;
	} else {
		error = gdl_dmabuf_export_begin(info, false, &claim->id);
	}
	if (error == -ENOMEM)
		gdl_stat_probe_failed(GDL_PROBE_DMA_BUF_EXPORT);
	return error;
}

static int gdl_probe_export_end(struct kretprobe_instance *ri,
				struct pt_regs *regs)
{
	struct dma_buf *dmabuf = (void *)regs_return_value(regs);
	struct export_claim *claim = (void *)ri->data;

	if (IS_ERR_OR_NULL(dmabuf))
		gdl_dmabuf_export_failed(claim->id);
	else if (!gdl_dmabuf_export_end(dmabuf, claim->id))
		gdl_stat_probe_failed(GDL_PROBE_DMA_BUF_EXPORT);
	return 0;
}

/* void dma_buf_release(struct dentry *) */
static int gdl_probe_dmabuf_release(struct kprobe *kp, struct pt_regs *regs)
{
	struct dentry *dentry = argument(regs, 0);

	/* An export that failed half-way has a file, but no dma-buf yet. */
	if (event_begins(GDL_PROBE_DMA_BUF_RELEASE) && dentry->d_fsdata)
		gdl_dmabuf_release(dentry->d_fsdata);
	return 0;
}

/*
 * struct dma_buf_attachment *
 * dma_buf_dynamic_attach(struct dma_buf *, struct device *,
 *			  const struct dma_buf_attach_ops *, void *)
 */
static int gdl_probe_attach_begin(struct kretprobe_instance *ri,
				  struct pt_regs *regs)
{
	const struct dma_buf *dmabuf = argument(regs, 0);

	if (!event_begins(GDL_PROBE_ATTACH) || !dmabuf)
		return 1;
	if (!gdl_dmabuf_adopt(dmabuf, current)) {
		gdl_stat_probe_failed(GDL_PROBE_ATTACH);
		return 1;
	}
	if (!enforcing())
		gdl_attachment_check(dmabuf, false);
	return 0;
}

static int gdl_probe_attach_decide(struct pt_regs *regs)
{
	const struct dma_buf *dmabuf = argument(regs, 0);

	return enforcing() && dmabuf ? gdl_attachment_check(dmabuf, true) : 0;
}

static int gdl_probe_attach_end(struct kretprobe_instance *ri,
				struct pt_regs *regs)
{
	struct dma_buf_attachment *attach = (void *)regs_return_value(regs);

	if (!IS_ERR_OR_NULL(attach) && !gdl_attachment_create(attach))
		gdl_stat_probe_failed(GDL_PROBE_ATTACH);
	return 0;
}

/* void dma_buf_detach(struct dma_buf *, struct dma_buf_attachment *) */
static int gdl_probe_detach(struct kprobe *kp, struct pt_regs *regs)
{
	if (event_begins(GDL_PROBE_DETACH))
		gdl_attachment_remove(argument(regs, 1));
	return 0;
}

/*
 * struct sg_table *dma_buf_map_attachment(struct dma_buf_attachment *,
 *					   enum dma_data_direction)
 */
static int gdl_probe_map_begin(struct kretprobe_instance *ri,
			       struct pt_regs *regs)
{
	struct decision *d = this_cpu_ptr(&map_decision);
	struct mapping *mapping = (void *)ri->data;

	if (!event_begins(GDL_PROBE_MAP))
		return 1;
	mapping->attach = argument(regs, 0);
	mapping->direction = regs_get_kernel_argument(regs, 1);
	if (d->key != mapping->attach)
		return gdl_attachment_map_begin(mapping->attach,
						mapping->direction, false);
	d->key = NULL;
	return d->error;
}

static int gdl_probe_map_decide(struct pt_regs *regs)
{
	struct decision *d = this_cpu_ptr(&map_decision);

	if (!enforcing())
		return 0;
	/* A decision still there was of a mapping made, whose kretprobe missed. */
	d->key = argument(regs, 0);
	d->error = gdl_attachment_map_begin(d->key,
					    regs_get_kernel_argument(regs, 1),
					    true);
	return d->error;
}

static int gdl_probe_map_end(struct kretprobe_instance *ri,
			     struct pt_regs *regs)
{
	const struct sg_table *sgt = (void *)regs_return_value(regs);
	const struct mapping *mapping = (void *)ri->data;

	if (IS_ERR_OR_NULL(sgt))
		gdl_attachment_unmap(mapping->attach, mapping->direction);
	else
		gdl_attachment_map_end(mapping->attach, sgt,
				       mapping->direction);
	return 0;
}

/*
 * void dma_buf_unmap_attachment(struct dma_buf_attachment *, struct sg_table *,
 *				 enum dma_data_direction)
 */
static int gdl_probe_unmap(struct kprobe *kp, struct pt_regs *regs)
{
	if (event_begins(GDL_PROBE_UNMAP))
		gdl_attachment_unmap(argument(regs, 0),
				     regs_get_kernel_argument(regs, 2));
	return 0;
}

/* int dma_buf_pin(struct dma_buf_attachment *) */
static int gdl_probe_pin_begin(struct kretprobe_instance *ri,
			       struct pt_regs *regs)
{
	struct mapping *mapping = (void *)ri->data;

	if (!event_begins(GDL_PROBE_PIN))
		return 1;
	mapping->attach = argument(regs, 0);
	return 0;
}

static int gdl_probe_pin_end(struct kretprobe_instance *ri,
			     struct pt_regs *regs)
{
	const struct mapping *mapping = (void *)ri->data;

	if (!(int)regs_return_value(regs))
		gdl_attachment_pin(mapping->attach);
	return 0;
}

/* void dma_buf_unpin(struct dma_buf_attachment *) */
static int gdl_probe_unpin(struct kprobe *kp, struct pt_regs *regs)
{
	if (event_begins(GDL_PROBE_UNPIN))
		gdl_attachment_unpin(argument(regs, 0));
	return 0;
}

static int check_mmap(const struct dma_buf *dmabuf,
		      const struct vm_area_struct *vma, bool enforce)
{
	return gdl_attachment_check_mmap(dmabuf, vma->vm_flags & VM_WRITE,
					 enforce);
}

/* int dma_buf_mmap_internal(struct file *, struct vm_area_struct *) */
static int gdl_probe_mmap_file(struct kprobe *kp, struct pt_regs *regs)
{
	const struct file *file = argument(regs, 0);

	if (event_begins(GDL_PROBE_MMAP_FILE) && !enforcing())
		check_mmap(file->private_data, argument(regs, 1), false);
	return 0;
}

static int gdl_probe_mmap_file_decide(struct pt_regs *regs)
{
	const struct file *file = argument(regs, 0);

	return enforcing() ? check_mmap(file->private_data, argument(regs, 1),
					true) : 0;
}

/* int dma_buf_mmap(struct dma_buf *, struct vm_area_struct *, unsigned long) */
static int gdl_probe_mmap(struct kprobe *kp, struct pt_regs *regs)
{
	if (event_begins(GDL_PROBE_MMAP) && argument(regs, 0) && !enforcing())
		check_mmap(argument(regs, 0), argument(regs, 1), false);
	return 0;
}

static int gdl_probe_mmap_decide(struct pt_regs *regs)
{
	return enforcing() && argument(regs, 0) ?
	       check_mmap(argument(regs, 0), argument(regs, 1), true) : 0;
}

/*
 * int drm_gem_object_init(struct drm_device *, struct drm_gem_object *, size_t)
 *
 * It must not be skipped: drivers clean up after its failure as if
 * drm_gem_private_object_init() had run. To refuse it, it is given a size that
 * shmem_file_setup() does not take, and its error is replaced.
 */
static int gdl_probe_gem_object_init_begin(struct kretprobe_instance *ri,
					   struct pt_regs *regs)
{
	const void *drm = argument(regs, 0);
	const void *gem = argument(regs, 1);
	struct gem_init *init = (void *)ri->data;
	int error;

	if (!event_begins(GDL_PROBE_GEM_OBJECT_INIT))
		return 1;
	init->gem = gem;
	init->error = 0;
	if (!enforcing())
		return 0;
	error = gdl_gem_claim(drm, gem, regs_get_kernel_argument(regs, 2));
	if (error == -ENOMEM) {
		gdl_stat_probe_failed(GDL_PROBE_GEM_OBJECT_INIT);
	} else if (error) {
		init->error = error;
		gdl_set_argument_2(regs, GDL_GEM_SIZE_REFUSED);
	}
	return 0;
}

static int gdl_probe_gem_object_init_end(struct kretprobe_instance *ri,
					 struct pt_regs *regs)
{
	const struct gem_init *init = (void *)ri->data;

	if (!(int)regs_return_value(regs))
		return 0;
	gdl_gem_failed(init->gem);
	if (init->error)
		regs_set_return_value(regs, init->error);
	return 0;
}

/*
 * void drm_gem_private_object_init(struct drm_device *,
 *				    struct drm_gem_object *, size_t)
 */
static int gdl_probe_gem_init(struct kprobe *kp, struct pt_regs *regs)
{
	if (event_begins(GDL_PROBE_GEM_INIT) &&
	    !gdl_gem_init(argument(regs, 0),
				 argument(regs, 1),
				 regs_get_kernel_argument(regs, 2)))
		gdl_stat_probe_failed(GDL_PROBE_GEM_INIT);
	return 0;
}

/*
 * void drm_gem_object_free(struct kref *): the last reference is gone. Some
 * drivers (i915) never call drm_gem_object_release().
 */
static int gdl_probe_gem_free(struct kprobe *kp, struct pt_regs *regs)
{
	struct kref *kref = argument(regs, 0);

	if (event_begins(GDL_PROBE_GEM_FREE))
		gdl_gem_release(container_of(kref, struct drm_gem_object,
					     refcount));
	return 0;
}

/*
 * void drm_gem_object_release(struct drm_gem_object *): comes after
 * drm_gem_object_free(), or alone for objects that have no GEM references (TTM's
 * own)
 */
static int gdl_probe_gem_release(struct kprobe *kp, struct pt_regs *regs)
{
	if (event_begins(GDL_PROBE_GEM_RELEASE))
		gdl_gem_release(argument(regs, 0));
	return 0;
}

/* void drm_dev_unregister(struct drm_device *) */
static int gdl_probe_drm_unregister(struct kprobe *kp, struct pt_regs *regs)
{
	if (event_begins(GDL_PROBE_DRM_UNREGISTER))
		gdl_device_drm_gone(argument(regs, 0));
	return 0;
}

/*
 * int drm_gem_prime_fd_to_handle(struct drm_device *, struct drm_file *, int,
 *				  uint32_t *)
 */
static int gdl_probe_import_begin(struct kretprobe_instance *ri,
				  struct pt_regs *regs)
{
	struct import_mark *mark = (void *)ri->data;

	if (!event_begins(GDL_PROBE_GEM_IMPORT))
		return 1;
	mark->import = gdl_import_begin();
	if (mark->import)
		return 0;
	gdl_stat_probe_failed(GDL_PROBE_GEM_IMPORT);
	return 1;
}

static int gdl_probe_import_end(struct kretprobe_instance *ri,
				struct pt_regs *regs)
{
	const struct import_mark *mark = (void *)ri->data;

	gdl_import_end(mark->import);
	return 0;
}

/* struct drm_file *drm_file_alloc(struct drm_minor *) */
static int gdl_probe_file_alloc_begin(struct kretprobe_instance *ri,
				      struct pt_regs *regs)
{
	return !event_begins(GDL_PROBE_FILE_ALLOC);
}

static int gdl_probe_file_alloc_end(struct kretprobe_instance *ri,
				    struct pt_regs *regs)
{
	const struct drm_file *file = (void *)regs_return_value(regs);

	if (!IS_ERR_OR_NULL(file) && !gdl_context_open(file))
		gdl_stat_probe_failed(GDL_PROBE_FILE_ALLOC);
	return 0;
}

/* void drm_file_free(struct drm_file *) */
static int gdl_probe_file_free(struct kprobe *kp, struct pt_regs *regs)
{
	if (event_begins(GDL_PROBE_FILE_FREE))
		gdl_context_close(argument(regs, 0));
	return 0;
}

static int file_release(enum gdl_probe_id id, const struct file *file)
{
	if (event_begins(id))
		gdl_context_close(file->private_data);
	return 0;
}

/*
 * int drm_release(struct inode *, struct file *), which on some kernels has the
 * compiler's own copy of drm_file_free() in it
 */
static int gdl_probe_file_release(struct kprobe *kp, struct pt_regs *regs)
{
	return file_release(GDL_PROBE_FILE_RELEASE, argument(regs, 1));
}

/* int drm_release_noglobal(struct inode *, struct file *), likewise */
static int gdl_probe_file_release_noglobal(struct kprobe *kp,
					   struct pt_regs *regs)
{
	return file_release(GDL_PROBE_FILE_RELEASE_NOGLOBAL, argument(regs, 1));
}

const struct gdl_event gdl_events[GDL_NR_PROBES] = {
	[GDL_PROBE_CANARY] = {
		.symbol = "gdl_event_canary",
		.enter = gdl_probe_canary_hit,
	},
	[GDL_PROBE_DMA_BUF_EXPORT] = {
		.symbol = "dma_buf_export",
		.begin = gdl_probe_export_begin,
		.end = gdl_probe_export_end,
		.data_size = sizeof(struct export_claim),
	},
	[GDL_PROBE_DMA_BUF_RELEASE] = {
		.symbol = "dma_buf_release",
		.ends = true,
		.enter = gdl_probe_dmabuf_release,
	},
	[GDL_PROBE_ATTACH] = {
		.symbol = "dma_buf_dynamic_attach",
		.begin = gdl_probe_attach_begin,
		.end = gdl_probe_attach_end,
	},
	[GDL_PROBE_DETACH] = {
		.symbol = "dma_buf_detach",
		.ends = true,
		.enter = gdl_probe_detach,
	},
	[GDL_PROBE_MAP] = {
		.symbol = "dma_buf_map_attachment",
		.begin = gdl_probe_map_begin,
		.end = gdl_probe_map_end,
		.data_size = sizeof(struct mapping),
	},
	[GDL_PROBE_UNMAP] = {
		.symbol = "dma_buf_unmap_attachment",
		.ends = true,
		.enter = gdl_probe_unmap,
	},
	[GDL_PROBE_PIN] = {
		.symbol = "dma_buf_pin",
		.begin = gdl_probe_pin_begin,
		.end = gdl_probe_pin_end,
		.data_size = sizeof(struct mapping),
	},
	[GDL_PROBE_UNPIN] = {
		.symbol = "dma_buf_unpin",
		.ends = true,
		.enter = gdl_probe_unpin,
	},
	[GDL_PROBE_MMAP_FILE] = {
		.symbol = "dma_buf_mmap_internal",
		.enter = gdl_probe_mmap_file,
	},
	[GDL_PROBE_MMAP] = {
		.symbol = "dma_buf_mmap",
		.enter = gdl_probe_mmap,
	},
	[GDL_PROBE_GEM_OBJECT_INIT] = {
		.symbol = "drm_gem_object_init",
		.in_drm = true,
		.begin = gdl_probe_gem_object_init_begin,
		.end = gdl_probe_gem_object_init_end,
		.data_size = sizeof(struct gem_init),
	},
	[GDL_PROBE_GEM_INIT] = {
		.symbol = "drm_gem_private_object_init",
		.in_drm = true,
		.enter = gdl_probe_gem_init,
	},
	[GDL_PROBE_GEM_FREE] = {
		.symbol = "drm_gem_object_free",
		.in_drm = true,
		.ends = true,
		.enter = gdl_probe_gem_free,
	},
	[GDL_PROBE_GEM_RELEASE] = {
		.symbol = "drm_gem_object_release",
		.in_drm = true,
		.ends = true,
		.enter = gdl_probe_gem_release,
	},
	[GDL_PROBE_GEM_IMPORT] = {
		.symbol = "drm_gem_prime_fd_to_handle",
		.in_drm = true,
		.ends = true,
		.begin = gdl_probe_import_begin,
		.end = gdl_probe_import_end,
		.data_size = sizeof(struct import_mark),
	},
	[GDL_PROBE_FILE_ALLOC] = {
		.symbol = "drm_file_alloc",
		.in_drm = true,
		.begin = gdl_probe_file_alloc_begin,
		.end = gdl_probe_file_alloc_end,
	},
	[GDL_PROBE_FILE_FREE] = {
		.symbol = "drm_file_free",
		.in_drm = true,
		.ends = true,
		.enter = gdl_probe_file_free,
	},
	[GDL_PROBE_FILE_RELEASE] = {
		.symbol = "drm_release",
		.in_drm = true,
		.ends = true,
		.enter = gdl_probe_file_release,
	},
	[GDL_PROBE_FILE_RELEASE_NOGLOBAL] = {
		.symbol = "drm_release_noglobal",
		.in_drm = true,
		.ends = true,
		.enter = gdl_probe_file_release_noglobal,
	},
	[GDL_PROBE_DRM_UNREGISTER] = {
		.symbol = "drm_dev_unregister",
		.in_drm = true,
		.ends = true,
		.enter = gdl_probe_drm_unregister,
	},
};

/* The functions refused by not running them; the last entry is empty. */
struct gdl_refusal gdl_refusals[GDL_NR_REFUSALS + 1] = {
	{ gdl_probe_export_decide, GDL_PROBE_DMA_BUF_EXPORT },
	{ gdl_probe_attach_decide, GDL_PROBE_ATTACH },
	{ gdl_probe_map_decide, GDL_PROBE_MAP },
	{ gdl_probe_mmap_file_decide, GDL_PROBE_MMAP_FILE },
	{ gdl_probe_mmap_decide, GDL_PROBE_MMAP },
};

/**
 * gdl_event_drop_decisions() - undo decisions whose kretprobe was missed
 *
 * Context: May sleep. No refusal is armed.
 */
void gdl_event_drop_decisions(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		export_decision_drop(per_cpu_ptr(&export_decision, cpu));
		per_cpu_ptr(&map_decision, cpu)->key = NULL;
	}
}

/**
 * gdl_event_canary() - a function that is only there to be probed
 *
 * Context: Any. One caller at a time.
 * Return: Whether the probe on it fired: if not, no probe does now (sysctl
 * kernel.ftrace_enabled, debugfs kprobes/enabled).
 */
noinline bool gdl_event_canary(void)
{
	return xchg(&canary_sang, false);
}
