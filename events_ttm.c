// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of TTM: where drivers of GPUs with memory of their own are refused it, and
 * where that memory is. All may sleep, but some are called to give memory back, so
 * that none is waited for here.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>

#include <drm/drm_gem.h>

#include "events.h"
#include "ttm.h"

/* TTM's objects are GEM objects, or have none: then there is no buffer. */
static const struct drm_gem_object *gem_of(const struct ttm_buffer_object *bo)
{
	BUILD_BUG_ON(offsetof(struct ttm_buffer_object, base));
	return &bo->base;
}

static enum gdl_kind kind_of(const struct ttm_buffer_object *bo)
{
	switch (bo->type) {
	case ttm_bo_type_kernel:
		return GDL_KIND_KERNEL;
	case ttm_bo_type_sg:
		return GDL_KIND_ALIAS;
	default:
		return GDL_KIND_GEM;
	}
}

static bool system_only(const struct ttm_placement *placement)
{
	unsigned int i;

	for (i = 0; i < placement->num_placement; i++)
		if (placement->placement[i].mem_type != TTM_PL_SYSTEM)
			return false;
	return true;
}

static int validate_begin(const struct drm_gem_object *gem,
			  const struct ttm_buffer_object *bo,
			  const struct ttm_placement *placement)
{
	int ret = gdl_gem_validate(gem, kind_of(bo), system_only(placement), gdl_policy_enforces());

	if (untracked(ret) && gdl_driver_refuses_validate(gem->dev))
		return verdict(ret, GDL_HOOK_ttm_bo_validate, GDL_STAT_BUFFERS_LOST);
	return lost(ret, GDL_HOOK_ttm_bo_validate, GDL_STAT_BUFFERS_LOST) ? 0 : ret;
}

/*
 * Refused with -EDQUOT or -ENOSPC, or if it cannot be tracked, where the object is new:
 * to its driver it looks as if TTM had found no memory, and TTM destroys it.
 */
static int gdl_hook_ttm_bo_validate(struct ttm_buffer_object *bo,
				    struct ttm_placement *placement,
				    struct ttm_operation_ctx *ctx)
{
	int ret = 0;

	gdl_hook_begin(GDL_HOOK_ttm_bo_validate);
	if (gdl_gems_unsettled())
		ret = validate_begin(gem_of(bo), bo, placement);
	if (!ret)
		ret = gdl_original_ttm_bo_validate(bo, placement, ctx);
	gdl_hook_end();
	return ret;
}

/* TTM knows how large a GPU's own memory is once there is something in it. */
static void learn_vram(const struct ttm_buffer_object *bo, unsigned int region)
{
	const struct drm_device *drm = bo->base.dev;
	u64 size;

	if (!drm || !gdl_driver_vram(drm, region))
		return;
	size = gdl_ttm_size(bo, region);
	gdl_device_set_vram(drm, gdl_driver_counts_bytes(drm) ? size : size << PAGE_SHIFT);
}

static void gdl_hook_ttm_resource_init(struct ttm_buffer_object *bo,
				       const struct ttm_place *place,
				       struct ttm_resource *res)
{
	int ret;

	gdl_hook_begin(GDL_HOOK_ttm_resource_init);
	gdl_original_ttm_resource_init(bo, place, res);
	learn_vram(bo, place->mem_type);
	ret = gdl_resource_begin(gem_of(bo), res, place->mem_type);
	lost(ret, GDL_HOOK_ttm_resource_init, GDL_STAT_RESOURCES_LOST);
	gdl_hook_end();
}

static void gdl_hook_ttm_resource_fini(struct ttm_resource_manager *man,
				       struct ttm_resource *res)
{
	gdl_hook_begin(GDL_HOOK_ttm_resource_fini);
	gdl_resource_end(res);
	gdl_original_ttm_resource_fini(man, res);
	gdl_hook_end();
}

#define DECLARED(function)						\
	GDL_HOOK_ROW(function, GDL_HOOKS_OF_TTM,			\
		     BUILD_BUG_ON_ZERO(!__same_type(function,		\
						    gdl_original_##function)))

const struct gdl_hook gdl_ttm_hooks[] = {
	DECLARED(ttm_bo_validate),
#if GDL_HAVE_TTM_RESOURCE_INIT
	DECLARED(ttm_resource_init),
	DECLARED(ttm_resource_fini),
#else
	GDL_HOOK_ROW(ttm_resource_init, GDL_HOOKS_OF_TTM, 0),
	GDL_HOOK_ROW(ttm_resource_fini, GDL_HOOKS_OF_TTM, 0),
#endif
};

const unsigned int gdl_nr_ttm_hooks = ARRAY_SIZE(gdl_ttm_hooks);
