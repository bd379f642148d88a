// SPDX-License-Identifier: GPL-2.0-only
/*
 * odd_gem: a DRM driver whose objects, dumb buffers, are as those of few drivers: larger
 * than anything can be, begun by drm_gem_private_object_init() alone, or ended where
 * nobody may sleep. They have no memory.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/irq_work.h>
#include <linux/irqflags.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_ioctl.h>
#include <drm/drm_mode_config.h>
#include <drm/drm_prime.h>

#include "../../compat.h"

static char *name = "odd_gem";
module_param(name, charp, 0444);
MODULE_PARM_DESC(name, "The DRM driver's name (odd_gem)");

static uint shift;
module_param(shift, uint, 0644);
MODULE_PARM_DESC(shift, "Objects are 2^shift times as large as is asked for (0)");

static bool private;
module_param(private, bool, 0644);
MODULE_PARM_DESC(private, "Begin objects by drm_gem_private_object_init() alone (N)");

enum { END_PLAIN, END_IRQS_OFF, END_IRQ };

static uint end;
module_param(end, uint, 0644);
MODULE_PARM_DESC(end, "Objects end with interrupts on: 0, off: 1, in a hard interrupt: 2 (0)");

static struct drm_device *drm;
static struct platform_device *platform;

struct ending {
	struct irq_work work;
	struct drm_gem_object *gem;
};

static void end_in_irq(struct irq_work *work)
{
	dma_resv_fini(&container_of(work, struct ending, work)->gem->_resv);
}

static void end_by_irq(struct drm_gem_object *gem)
{
	struct ending ending = { .work = IRQ_WORK_INIT_HARD(end_in_irq), .gem = gem };

	irq_work_queue(&ending.work);
	irq_work_sync(&ending.work);
}

static void odd_free(struct drm_gem_object *gem)
{
	if (gem->filp)
		fput(gem->filp);
	switch (READ_ONCE(end)) {
	case END_IRQS_OFF:
		local_irq_disable();
		dma_resv_fini(&gem->_resv);
		local_irq_enable();
		break;
	case END_IRQ:
		end_by_irq(gem);
		break;
	default:
		dma_resv_fini(&gem->_resv);
	}
	kfree(gem);
}

static const struct drm_gem_object_funcs odd_funcs = {
	.free = odd_free,
};

static struct drm_gem_object *odd_create(size_t size)
{
	struct drm_gem_object *gem = kzalloc(sizeof(*gem), GFP_KERNEL);
	int ret = 0;

	if (!gem)
		return ERR_PTR(-ENOMEM);
	gem->funcs = &odd_funcs;
	if (READ_ONCE(private))
		drm_gem_private_object_init(drm, gem, size);
	else
		ret = drm_gem_object_init(drm, gem, size);
	if (!ret)
		return gem;
	/* Without an end, as some drivers do. */
	kfree(gem);
	return ERR_PTR(ret);
}

static int odd_dumb_create(struct drm_file *file, struct drm_device *unused,
			   struct drm_mode_create_dumb *args)
{
	struct drm_gem_object *gem;
	int ret;

	args->pitch = args->width * DIV_ROUND_UP(args->bpp, 8);
	args->size = PAGE_ALIGN((u64)args->pitch * args->height) << READ_ONCE(shift);
	gem = odd_create(args->size);
	if (IS_ERR(gem))
		return PTR_ERR(gem);
	ret = drm_gem_handle_create(file, gem, &args->handle);
	drm_gem_object_put(gem);
	return ret;
}

DEFINE_DRM_GEM_FOPS(odd_fops);

static struct drm_driver odd_driver = {
	.driver_features	= DRIVER_GEM | DRIVER_MODESET,
	.dumb_create		= odd_dumb_create,
	.fops			= &odd_fops,
	.desc			= "Objects as those of few drivers",
	.major			= 1,
	GDL_DRM_EXPORTS
};

static int __init odd_init(void)
{
	int ret;

	odd_driver.name = name;
	gdl_drm_set_date(&odd_driver);
	platform = platform_device_register_simple("odd_gem", -1, NULL, 0);
	if (IS_ERR(platform))
		return PTR_ERR(platform);
	drm = drm_dev_alloc(&odd_driver, &platform->dev);
	if (IS_ERR(drm)) {
		ret = PTR_ERR(drm);
		goto out_platform;
	}
	ret = drmm_mode_config_init(drm);
	if (!ret)
		ret = drm_dev_register(drm, 0);
	if (!ret)
		return 0;
	drm_dev_put(drm);
out_platform:
	platform_device_unregister(platform);
	return ret;
}
module_init(odd_init);

static void __exit odd_exit(void)
{
	drm_dev_unregister(drm);
	drm_dev_put(drm);
	platform_device_unregister(platform);
}
module_exit(odd_exit);

MODULE_DESCRIPTION("A DRM driver whose objects are as those of few drivers, for tests");
MODULE_LICENSE("GPL");
