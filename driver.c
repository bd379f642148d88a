// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drivers: what is to be known of single DRM drivers, and whether a driver was asked
 * for an object by a process. Read in the sources of Linux 6.1, 6.12 and 7.3;
 * docs/drivers.md has the whole table, and why.
 */

#include <linux/ioctl.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/string.h>

#include <asm/syscall.h>
#include <asm/unistd.h>

#include <drm/drm.h>
#include <drm/drm_drv.h>

#include "gpu_dma_lock.h"
#include "ttm.h"

/* amdgpu's compute device has ioctls of its own; include/uapi/linux/kfd_ioctl.h */
#define KFD_IOCTLS_END		DRM_COMMAND_BASE
#define KFD_ALLOC_MEMORY	0x16
/* i915's local memory; type 2 is what the firmware has set apart (stolen) */
#define I915_LMEM		3

struct driver {
	const char *name;
	unsigned int userptr;	/* number of its ioctl for memory of the process, or 0 */
	bool refuses_handle;	/* drops an object that gets no handle */
	bool breaks_at_init;	/* does not survive a failed drm_gem_object_init() */
	bool breaks_at_validate; /* nor a failed ttm_bo_validate() of a new object */
	bool aliases;		/* what only gets a handle is a piece of something else */
	bool counts_bytes;	/* TTM is told VRAM's size in bytes, not pages */
	const char *regions[GDL_NR_REGIONS]; /* from VRAM on; NULL: as others call it */
};

/* What takes a number has it as _IOC_NR() of the ioctl. */
#define DRIVER_IOCTL(nr)	(DRM_COMMAND_BASE + (nr))

static const struct driver drivers[] = {
	{
		.name = "amdgpu",
		.userptr = DRIVER_IOCTL(0x11),
		.counts_bytes = true,
		.regions = { [3] = "gds", "gws", "oa", "preempt", "doorbell", "mmio" },
	},
	{
		.name = "amdxdna_accel_driver",
		.aliases = true,
	},
	{
		.name = "etnaviv",
		.userptr = DRIVER_IOCTL(0x08),
		.refuses_handle = true,
		.breaks_at_init = true,
	},
	{
		.name = "i915",
		.userptr = DRIVER_IOCTL(0x33),
		.refuses_handle = true,
		.regions = { [TTM_PL_VRAM] = "stolen", "lmem0", "lmem1" },
	},
	{
		.name = "intel_vpu",
		.aliases = true,
	},
	{
		.name = "qxl",
		.regions = { [3] = "surfaces" },
	},
	{
		.name = "radeon",
		.userptr = DRIVER_IOCTL(0x2d),
	},
	{
		.name = "rockchip",
		.refuses_handle = true,
		.breaks_at_init = true,
	},
	{
		.name = "virtio_gpu",
		.refuses_handle = true,
	},
	{
		.name = "vmwgfx",
		.breaks_at_validate = GDL_VMWGFX_WARNS,
		.regions = { [3] = "gmr", "mob", "vmw-system" },
	},
	{
		.name = "xe",
		.counts_bytes = true,
		.regions = { [3] = "vram1", [TTM_NUM_MEM_TYPES - 1] = "stolen" },
	},
};

static const struct driver *find(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(drivers); i++)
		if (!strcmp(drivers[i].name, name))
			return &drivers[i];
	return NULL;
}

static const struct driver *driver_of(const struct drm_device *drm)
{
	return drm && drm->driver && drm->driver->name ? find(drm->driver->name) : NULL;
}

static bool is_ioctl(int nr)
{
#ifdef CONFIG_X86_64
	if (in_ia32_syscall())
		return nr == 54;
	return nr == __NR_ioctl || nr == (514 | __X32_SYSCALL_BIT);
#else
	return nr == (in_compat_syscall() ? 54 : __NR_ioctl);
#endif
}

/*
 * The number of the ioctl that the current task is in, or -1. A debugger can change
 * what a system call is only before it begins.
 */
static int ioctl_nr(void)
{
	struct pt_regs *regs = task_pt_regs(current);
	unsigned long args[6];

	/* What ends has its last system call's registers still. */
	if (current->flags & (PF_KTHREAD | PF_EXITING))
		return -1;
	if (!is_ioctl(syscall_get_nr(current, regs)))
		return -1;
	syscall_get_arguments(current, regs, args);
	return _IOC_NR((u32)args[1]);
}

/* Of the drivers here amdgpu has a compute device. */
static bool has_kfd(const struct driver *driver)
{
	return driver && !strcmp(driver->name, "amdgpu");
}

/**
 * gdl_driver_asked() - does a process ask a driver for memory?
 * @drm: the driver's DRM device
 *
 * An object that is made meanwhile is the process's; any other one is the kernel's:
 * of the console, which is restored by the process that closes the last file, or what a driver
 * needs to set a mode. DRM goes by an ioctl's number and not by its type, so a process
 * can choose the type.
 *
 * Context: Any.
 * Return: Whether the current task is in an ioctl that makes objects for it.
 */
bool gdl_driver_asked(const struct drm_device *drm)
{
	int nr = ioctl_nr();

	if ((nr >= DRM_COMMAND_BASE && nr < DRM_COMMAND_END) ||
	    nr == _IOC_NR(DRM_IOCTL_MODE_CREATE_DUMB))
		return true;
	return nr >= 0 && nr < KFD_IOCTLS_END && has_kfd(driver_of(drm));
}

/**
 * gdl_driver_userptr() - does a process make an object of its own memory?
 * @drm: the object's DRM device
 * @system_only: TTM may place the object in system memory only
 *
 * Context: Any. In the ioctl that makes the object.
 * Return: Whether it does.
 */
bool gdl_driver_userptr(const struct drm_device *drm, bool system_only)
{
	const struct driver *driver = driver_of(drm);
	int nr;

	if (!driver || !driver->userptr)
		return false;
	nr = ioctl_nr();
	return nr == driver->userptr ||
	       (nr == KFD_ALLOC_MEMORY && has_kfd(driver) && system_only);
}

/**
 * gdl_driver_refuses_init() - can a driver's drm_gem_object_init() fail?
 * @drm: its DRM device
 *
 * Context: Any.
 * Return: Whether the driver survives that.
 */
bool gdl_driver_refuses_init(const struct drm_device *drm)
{
	const struct driver *driver = NULL;

	/* Those that do not are of other processors. */
	if (!IS_ENABLED(CONFIG_X86))
		driver = driver_of(drm);
	return !driver || !driver->breaks_at_init;
}

/**
 * gdl_driver_refuses_validate() - can a new object's ttm_bo_validate() fail?
 * @drm: its DRM device
 *
 * Context: Any.
 * Return: Whether the driver survives that.
 */
bool gdl_driver_refuses_validate(const struct drm_device *drm)
{
	const struct driver *driver = driver_of(drm);

	return !driver || !driver->breaks_at_validate;
}

/**
 * gdl_driver_refuses_handle() - can a new object's drm_gem_handle_create() fail?
 * @drm: its DRM device
 *
 * Context: Any.
 * Return: Whether the driver drops the object then; others leak it.
 */
bool gdl_driver_refuses_handle(const struct drm_device *drm)
{
	const struct driver *driver = driver_of(drm);

	return driver && driver->refuses_handle;
}

/**
 * gdl_driver_aliases() - are objects of a driver pieces of something else?
 * @drm: its DRM device
 *
 * Context: Any.
 * Return: Whether those are that nothing but a handle is known of: a piece of another
 * object, or a dma-buf that the driver has made itself.
 */
bool gdl_driver_aliases(const struct drm_device *drm)
{
	const struct driver *driver = driver_of(drm);

	return driver && driver->aliases;
}

/**
 * gdl_driver_vram() - is a region a device's own memory?
 * @drm: its DRM device
 * @region: TTM's type of memory
 *
 * Context: Any.
 * Return: Whether it is.
 */
bool gdl_driver_vram(const struct drm_device *drm, unsigned int region)
{
	const struct driver *driver = driver_of(drm);

	if (driver && !strcmp(driver->name, "i915"))
		return region == I915_LMEM;
	return region == TTM_PL_VRAM;
}

/**
 * gdl_driver_counts_bytes() - how a driver tells TTM the size of its memory
 * @drm: its DRM device
 *
 * Context: Any.
 * Return: Whether in bytes; else in pages.
 */
bool gdl_driver_counts_bytes(const struct drm_device *drm)
{
	const struct driver *driver = driver_of(drm);

	return driver && driver->counts_bytes;
}

/**
 * gdl_driver_region() - what a region is called
 * @name: the driver's name
 * @region: TTM's type of memory, less than GDL_NR_REGIONS
 *
 * Context: Any.
 * Return: The name.
 */
const char *gdl_driver_region(const char *name, unsigned int region)
{
	static const char * const common[GDL_NR_REGIONS] = {
		[TTM_PL_SYSTEM] = "system", [TTM_PL_TT] = "gtt", [TTM_PL_VRAM] = "vram",
		"region3", "region4", "region5", "region6", "region7", "region8",
	};
	const struct driver *driver = find(name);

	BUILD_BUG_ON(TTM_NUM_MEM_TYPES > GDL_NR_REGIONS);
	return driver && driver->regions[region] ? driver->regions[region] : common[region];
}
