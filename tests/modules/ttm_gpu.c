// SPDX-License-Identifier: GPL-2.0-only
/*
 * ttm_gpu: a GPU that is none, on the kernel's own TTM. It makes its objects as amdgpu,
 * radeon, xe and vmwgfx do: drm_gem_private_object_init(), ttm_bo_init_reserved(), and
 * then a handle. Its VRAM holds nothing: to move an object is to account for it
 * elsewhere. By the parameter `name` it can pass for another driver, of which
 * gpu_dma_lock knows more.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_ioctl.h>
#include <drm/drm_mode_config.h>

#include <drm/ttm/ttm_device.h>
#include <drm/ttm/ttm_range_manager.h>
#include <drm/ttm/ttm_tt.h>

#include "../../compat.h"
#include "../../ttm.h"
#include "ttm_gpu.h"

static unsigned int vram_pages = 1024;
module_param(vram_pages, uint, 0444);
MODULE_PARM_DESC(vram_pages, "Pages of VRAM (1024)");

static char *name = "ttm_gpu";
module_param(name, charp, 0444);
MODULE_PARM_DESC(name, "The DRM driver's name (ttm_gpu)");

struct gpu {
	struct drm_device *drm;
	struct platform_device *platform;
	struct ttm_device ttm;
	struct mutex mutex;		/* for the list */
	struct list_head kernel_objects; /* of struct object */
	unsigned int files;		/* under mutex */
	struct dma_fence *job;		/* under mutex: that has not ended, or NULL */
};

struct object {
	struct ttm_buffer_object bo;
	struct list_head list;		/* in kernel_objects, or in none */
};

static struct gpu gpu;

static void place(struct ttm_placement *placement, struct ttm_place *where,
		  unsigned int region)
{
	*where = (struct ttm_place) { .mem_type = region };
	*placement = (struct ttm_placement) {
		.num_placement = 1,
		.placement = where,
	};
	gdl_ttm_place_busy(placement, where);
}

static struct ttm_tt *gpu_tt_create(struct ttm_buffer_object *bo, u32 flags)
{
	struct ttm_tt *tt = kzalloc(sizeof(*tt), GFP_KERNEL);

	if (tt && ttm_tt_init(tt, bo, flags, ttm_cached, 0)) {
		kfree(tt);
		return NULL;
	}
	return tt;
}

static void gpu_tt_destroy(struct ttm_device *ttm, struct ttm_tt *tt)
{
	ttm_tt_fini(tt);
	kfree(tt);
}

static void gpu_evict_flags(struct ttm_buffer_object *bo, struct ttm_placement *placement)
{
	static struct ttm_place system;

	place(placement, &system, TTM_PL_SYSTEM);
}

static int gpu_move(struct ttm_buffer_object *bo, bool evict, struct ttm_operation_ctx *ctx,
		    struct ttm_resource *to, struct ttm_place *hop)
{
	ttm_bo_move_null(bo, to);
	return 0;
}

static struct ttm_device_funcs gpu_ttm_funcs = {
	.ttm_tt_create		= gpu_tt_create,
	.ttm_tt_destroy		= gpu_tt_destroy,
	.eviction_valuable	= ttm_bo_eviction_valuable,
	.evict_flags		= gpu_evict_flags,
	.move			= gpu_move,
};

static void object_destroy(struct ttm_buffer_object *bo)
{
	struct object *object = container_of(bo, struct object, bo);

	drm_gem_object_release(&bo->base);
	kfree(object);
}

static void object_free(struct drm_gem_object *gem)
{
	gdl_ttm_bo_put(container_of(gem, struct ttm_buffer_object, base));
}

static const struct drm_gem_object_funcs object_funcs = {
	.free = object_free,
};

/* Unreserved. What fails is destroyed by then. */
static struct object *object_create(size_t size, enum ttm_bo_type type, unsigned int region)
{
	struct ttm_operation_ctx ctx = { .interruptible = true };
	struct ttm_placement placement;
	struct object *object;
	struct ttm_place where;
	int ret;

	object = kzalloc(sizeof(*object), GFP_KERNEL);
	if (!object)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&object->list);
	drm_gem_private_object_init(gpu.drm, &object->bo.base, size);
	object->bo.base.funcs = &object_funcs;
	place(&placement, &where, region);
	ret = ttm_bo_init_reserved(&gpu.ttm, &object->bo, type, &placement, 1, &ctx, NULL,
				   NULL, object_destroy);
	if (ret)
		return ERR_PTR(ret);
	ttm_bo_unreserve(&object->bo);
	return object;
}

static void plain_free(struct drm_gem_object *gem)
{
	drm_gem_object_release(gem);
	kfree(gem);
}

static const struct drm_gem_object_funcs plain_funcs = {
	.free = plain_free,
};

/* As i915 makes its objects in system memory. */
static struct drm_gem_object *plain_create(size_t size)
{
	struct drm_gem_object *gem = kzalloc(sizeof(*gem), GFP_KERNEL);

	if (!gem)
		return ERR_PTR(-ENOMEM);
	drm_gem_private_object_init(gpu.drm, gem, size);
	gem->funcs = &plain_funcs;
	return gem;
}

static int give_handle(struct drm_file *file, struct drm_gem_object *gem, u32 *handle)
{
	int ret = drm_gem_handle_create(file, gem, handle);

	drm_gem_object_put(gem);
	return ret;
}

static int gpu_create(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct ttm_gpu_create *args = data;
	struct drm_gem_object *gem;
	struct object *object;

	if (!args->size || args->type > TTM_GPU_PLAIN || args->region > TTM_PL_VRAM)
		return -EINVAL;
	if (args->type == TTM_GPU_PLAIN) {
		gem = plain_create(PAGE_ALIGN(args->size));
		return IS_ERR(gem) ? PTR_ERR(gem) : give_handle(file, gem, &args->handle);
	}
	object = object_create(PAGE_ALIGN(args->size), args->type, args->region);
	if (IS_ERR(object))
		return PTR_ERR(object);
	if (args->type != TTM_GPU_KERNEL)
		return give_handle(file, &object->bo.base, &args->handle);
	mutex_lock(&gpu.mutex);
	list_add(&object->list, &gpu.kernel_objects);
	mutex_unlock(&gpu.mutex);
	return 0;
}

static int gpu_move_object(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct ttm_operation_ctx ctx = { .interruptible = true };
	struct ttm_gpu_move *args = data;
	struct ttm_placement placement;
	struct ttm_buffer_object *bo;
	struct drm_gem_object *gem;
	struct ttm_place where;
	int ret;

	if (args->region > TTM_PL_VRAM)
		return -EINVAL;
	gem = drm_gem_object_lookup(file, args->handle);
	if (!gem)
		return -ENOENT;
	bo = container_of(gem, struct ttm_buffer_object, base);
	place(&placement, &where, args->region);
	ret = ttm_bo_reserve(bo, true, false, NULL);
	if (!ret) {
		ret = ttm_bo_validate(bo, &placement, &ctx);
		ttm_bo_unreserve(bo);
	}
	drm_gem_object_put(gem);
	return ret;
}

static const char *job_name(struct dma_fence *job)
{
	return "ttm_gpu";
}

static const struct dma_fence_ops job_ops = {
	.get_driver_name	= job_name,
	.get_timeline_name	= job_name,
};

static DEFINE_SPINLOCK(job_lock);

static void job_end(void)
{
	lockdep_assert_held(&gpu.mutex);
	if (!gpu.job)
		return;
	dma_fence_signal(gpu.job);
	dma_fence_put(gpu.job);
	gpu.job = NULL;
}

static int job_begin(struct ttm_buffer_object *bo)
{
	struct dma_fence *job;
	int ret;

	lockdep_assert_held(&gpu.mutex);
	if (gpu.job)
		return -EBUSY;
	job = kzalloc(sizeof(*job), GFP_KERNEL);
	if (!job)
		return -ENOMEM;
	dma_fence_init(job, &job_ops, &job_lock, dma_fence_context_alloc(1), 1);
	ret = ttm_bo_reserve(bo, true, false, NULL);
	if (ret)
		goto out;
	ret = dma_resv_reserve_fences(bo->base.resv, 1);
	if (!ret) {
		dma_resv_add_fence(bo->base.resv, job, DMA_RESV_USAGE_WRITE);
		gpu.job = dma_fence_get(job);
	}
	ttm_bo_unreserve(bo);
out:
	dma_fence_put(job);
	return ret;
}

static int gpu_job(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct ttm_gpu_job *args = data;
	struct drm_gem_object *gem = NULL;
	int ret = 0;

	if (args->handle) {
		gem = drm_gem_object_lookup(file, args->handle);
		if (!gem)
			return -ENOENT;
	}
	mutex_lock(&gpu.mutex);
	if (gem)
		ret = job_begin(container_of(gem, struct ttm_buffer_object, base));
	else
		job_end();
	mutex_unlock(&gpu.mutex);
	if (gem)
		drm_gem_object_put(gem);
	return ret;
}

static int gpu_dumb_create(struct drm_file *file, struct drm_device *drm,
			   struct drm_mode_create_dumb *args)
{
	struct object *object;

	args->pitch = args->width * DIV_ROUND_UP(args->bpp, 8);
	args->size = PAGE_ALIGN((u64)args->pitch * args->height);
	object = object_create(args->size, ttm_bo_type_device, TTM_PL_VRAM);
	if (IS_ERR(object))
		return PTR_ERR(object);
	return give_handle(file, &object->bo.base, &args->handle);
}

static int gpu_file_open(struct drm_device *drm, struct drm_file *file)
{
	mutex_lock(&gpu.mutex);
	gpu.files++;
	mutex_unlock(&gpu.mutex);
	return 0;
}

static void drop_kernel_objects(void)
{
	struct object *object, *next;

	list_for_each_entry_safe(object, next, &gpu.kernel_objects, list) {
		list_del(&object->list);
		drm_gem_object_put(&object->bo.base);
	}
}

static void gpu_file_close(struct drm_device *drm, struct drm_file *file)
{
	mutex_lock(&gpu.mutex);
	job_end();
	if (!--gpu.files)
		drop_kernel_objects();
	mutex_unlock(&gpu.mutex);
}

static const struct drm_ioctl_desc gpu_ioctls[] = {
	DRM_IOCTL_DEF_DRV(TTM_GPU_CREATE, gpu_create, 0),
	DRM_IOCTL_DEF_DRV(TTM_GPU_MOVE, gpu_move_object, 0),
	DRM_IOCTL_DEF_DRV(TTM_GPU_JOB, gpu_job, 0),
	DRM_IOCTL_DEF_DRV(TTM_GPU_USERPTR, gpu_create, 0),
	DRM_IOCTL_DEF_DRV(TTM_GPU_USERPTR_I915, gpu_create, 0),
};

DEFINE_DRM_GEM_FOPS(gpu_fops);

static struct drm_driver gpu_driver = {
	.driver_features	= DRIVER_GEM | DRIVER_MODESET,
	.open			= gpu_file_open,
	.postclose		= gpu_file_close,
	.dumb_create		= gpu_dumb_create,
	.ioctls			= gpu_ioctls,
	.num_ioctls		= ARRAY_SIZE(gpu_ioctls),
	.fops			= &gpu_fops,
	.desc			= "A GPU of TTM alone",
	.major			= 1,
};

static int start_ttm(void)
{
	int ret;

	ret = gdl_ttm_device_init(&gpu.ttm, &gpu_ttm_funcs, &gpu.platform->dev,
				  gpu.drm->anon_inode->i_mapping,
				  gpu.drm->vma_offset_manager);
	if (ret)
		return ret;
	ret = ttm_range_man_init(&gpu.ttm, TTM_PL_VRAM, false, vram_pages);
	if (ret)
		ttm_device_fini(&gpu.ttm);
	return ret;
}

static int __init gpu_init(void)
{
	int ret;

	gpu_driver.name = name;
	gdl_drm_set_date(&gpu_driver);
	mutex_init(&gpu.mutex);
	INIT_LIST_HEAD(&gpu.kernel_objects);
	gpu.platform = platform_device_register_simple("ttm_gpu", -1, NULL, 0);
	if (IS_ERR(gpu.platform))
		return PTR_ERR(gpu.platform);
	gpu.drm = drm_dev_alloc(&gpu_driver, &gpu.platform->dev);
	if (IS_ERR(gpu.drm)) {
		ret = PTR_ERR(gpu.drm);
		goto out_platform;
	}
	ret = drmm_mode_config_init(gpu.drm);
	if (ret)
		goto out_drm;
	ret = start_ttm();
	if (ret)
		goto out_drm;
	ret = drm_dev_register(gpu.drm, 0);
	if (!ret) {
		ttm_resource_manager_create_debugfs(ttm_manager_type(&gpu.ttm, TTM_PL_VRAM),
						    gpu.drm->primary->debugfs_root, "vram_mm");
		return 0;
	}
	ttm_range_man_fini(&gpu.ttm, TTM_PL_VRAM);
	ttm_device_fini(&gpu.ttm);
out_drm:
	drm_dev_put(gpu.drm);
out_platform:
	platform_device_unregister(gpu.platform);
	return ret;
}
module_init(gpu_init);

static void __exit gpu_exit(void)
{
	drm_dev_unregister(gpu.drm);
	ttm_range_man_fini(&gpu.ttm, TTM_PL_VRAM);
	ttm_device_fini(&gpu.ttm);
	drm_dev_put(gpu.drm);
	platform_device_unregister(gpu.platform);
}
module_exit(gpu_exit);

MODULE_DESCRIPTION("A GPU that is none, on the kernel's TTM, for tests");
MODULE_LICENSE("GPL");
