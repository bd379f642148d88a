// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of DRM: what drm.ko does with GEM objects and its open files, likewise. All
 * these functions may sleep. The end of a GEM object is in events_dmabuf.c.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/fs.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>

#include "events.h"

/* What the current process's agent asked for was refused, as it could not be tracked. */
static void count_denied(void)
{
	rcu_read_lock();
	atomic64_inc(&gdl_agent_of(current)->refused);
	rcu_read_unlock();
	gdl_stat_inc(GDL_STAT_UNTRACKED_DENIED);
}

/*
 * Charge it before it is made: the buffer, or the error that it is to be refused with.
 * NULL for what could not be tracked and is not refused: that is tried again, and
 * counted, when it is initialised.
 */
static struct gdl_buffer *claim(const struct drm_device *drm,
				const struct drm_gem_object *gem, size_t size)
{
	struct gdl_buffer *b;
	unsigned int tries = 0;

	do {
		b = gdl_gem_claim(drm, gem, size, gdl_policy_enforces());
	} while (again(PTR_ERR_OR_ZERO(b), &tries));
	if (!untracked(PTR_ERR_OR_ZERO(b)))
		return b;
	if (!gdl_policy_enforces() || !gdl_gem_asked_for(drm))
		return NULL;
	count_denied();
	return b;
}

/* The claim that claim() returned ends with what the original returned. */
static int claim_end(const struct drm_gem_object *gem, struct gdl_buffer *b, int ret)
{
	if (ret)
		gdl_gem_failed(gem);
	else if (!IS_ERR_OR_NULL(b))
		gdl_gem_claim_end(b);
	return ret && IS_ERR(b) ? PTR_ERR(b) : ret;
}

/*
 * Refused with -EDQUOT or -ENOSPC, or if it cannot be tracked.
 *
 * It must be called all the same: drivers clean up after its failure as if
 * drm_gem_private_object_init() had run. To refuse it, it is given a size that
 * shmem_file_setup() does not take, and its error is replaced.
 */
static int gdl_hook_drm_gem_object_init(struct drm_device *drm,
					struct drm_gem_object *gem, size_t size)
{
	struct gdl_buffer *b;
	int ret;

	gdl_hook_begin(GDL_HOOK_drm_gem_object_init);
	b = claim(drm, gem, size);
	ret = gdl_original_drm_gem_object_init(drm, gem,
					       IS_ERR(b) ? GDL_GEM_SIZE_REFUSED : size);
	ret = claim_end(gem, b, ret);
	gdl_hook_end();
	return ret;
}

#if GDL_HAVE_GEM_INIT_WITH_MNT
/* As drm_gem_object_init(), unless that has called it. */
static int gdl_hook_drm_gem_object_init_with_mnt(struct drm_device *drm,
						 struct drm_gem_object *gem, size_t size,
						 struct vfsmount *gemfs)
{
	struct gdl_buffer *b;
	int ret;

	gdl_hook_begin(GDL_HOOK_drm_gem_object_init_with_mnt);
	if (gdl_gem_is_claimed(gem, size)) {
		ret = gdl_original_drm_gem_object_init_with_mnt(drm, gem, size, gemfs);
		goto out;
	}
	b = claim(drm, gem, size);
	ret = gdl_original_drm_gem_object_init_with_mnt(drm, gem,
							IS_ERR(b) ? GDL_GEM_SIZE_REFUSED : size,
							gemfs);
	ret = claim_end(gem, b, ret);
out:
	gdl_hook_end();
	return ret;
}
#endif

static void gdl_hook_drm_gem_private_object_init(struct drm_device *drm,
						 struct drm_gem_object *gem,
						 size_t size)
{
	unsigned int tries = 0;
	int ret;

	gdl_hook_begin(GDL_HOOK_drm_gem_private_object_init);
	do {
		ret = gdl_gem_init(drm, gem, size);
	} while (again(ret, &tries));
	if (lost(ret, GDL_HOOK_drm_gem_private_object_init, GDL_STAT_BUFFERS_LOST))
		gdl_gem_missed(drm, gem);
	gdl_original_drm_gem_private_object_init(drm, gem, size);
	gdl_hook_end();
}

/*
 * Of drivers that drop it then. What could not be tracked passes in all others: to them
 * it is lost.
 */
static int handle_begin(const struct drm_gem_object *gem)
{
	unsigned int tries = 0;
	int ret;

	do {
		ret = gdl_gem_handle(gem, gdl_policy_enforces());
	} while (again(ret, &tries));
	if (untracked(ret) && gdl_driver_refuses_handle(gem->dev))
		return verdict(ret, GDL_HOOK_drm_gem_handle_create, GDL_STAT_BUFFERS_LOST);
	return lost(ret, GDL_HOOK_drm_gem_handle_create, GDL_STAT_BUFFERS_LOST) ? 0 : ret;
}

/*
 * Refused with -EDQUOT or -ENOSPC, or if it cannot be tracked: what no function before
 * has told whose it is.
 */
static int gdl_hook_drm_gem_handle_create(struct drm_file *file,
					  struct drm_gem_object *gem, u32 *handle)
{
	int ret = 0;

	gdl_hook_begin(GDL_HOOK_drm_gem_handle_create);
	gdl_context_use(file);
	if (gdl_gems_unsettled())
		ret = handle_begin(gem);
	if (!ret)
		ret = gdl_original_drm_gem_handle_create(file, gem, handle);
	gdl_hook_end();
	return ret;
}

/* Refused if what is made for it could not be told from a buffer of its own. */
static int gdl_hook_drm_gem_prime_fd_to_handle(struct drm_device *drm,
					       struct drm_file *file, int fd,
					       u32 *handle)
{
	struct gdl_import *import;
	int ret;

	gdl_hook_begin(GDL_HOOK_drm_gem_prime_fd_to_handle);
	gdl_context_use(file);
	import = gdl_import_begin(false);
	if (!import && gdl_policy_enforces()) {
		count_denied();
		ret = -ENOMEM;
		goto out;
	}
	if (!import)
		gdl_stat_hook_failed(GDL_HOOK_drm_gem_prime_fd_to_handle);
	ret = gdl_original_drm_gem_prime_fd_to_handle(drm, file, fd, handle);
	if (import)
		gdl_import_end(import);
out:
	gdl_hook_end();
	return ret;
}

/* Refused with -EDQUOT. */
static struct drm_file *gdl_hook_drm_file_alloc(struct drm_minor *minor)
{
	unsigned int tries = 0;
	struct drm_file *file;
	int ret;

	gdl_hook_begin(GDL_HOOK_drm_file_alloc);
	ret = gdl_context_check(gdl_policy_enforces());
	if (ret) {
		file = ERR_PTR(ret);
		goto out;
	}
	file = gdl_original_drm_file_alloc(minor);
	if (!IS_ERR_OR_NULL(file)) {
		do {
			ret = gdl_context_open(file);
		} while (again(ret, &tries));
		lost(ret, GDL_HOOK_drm_file_alloc, GDL_STAT_CONTEXTS_LOST);
	}
out:
	gdl_hook_end();
	return file;
}

static void gdl_hook_drm_file_free(struct drm_file *file)
{
	gdl_hook_begin(GDL_HOOK_drm_file_free);
	gdl_context_close(file);
	gdl_original_drm_file_free(file);
	gdl_hook_end();
}

/*
 * A DRM file is closed: at the end of an ioctl, too, if another thread has closed it
 * meanwhile. On some kernels it has the compiler's own copy of drm_file_free() in it.
 */
static struct gdl_import *close_begin(struct file *file)
{
	gdl_context_close(file->private_data);
	return gdl_import_begin(true);
}

static void close_end(struct gdl_import *closing)
{
	if (closing)
		gdl_import_end(closing);
}

static int gdl_hook_drm_release(struct inode *inode, struct file *file)
{
	struct gdl_import *closing;
	int ret;

	gdl_hook_begin(GDL_HOOK_drm_release);
	closing = close_begin(file);
	ret = gdl_original_drm_release(inode, file);
	close_end(closing);
	gdl_hook_end();
	return ret;
}

/* Likewise */
static int gdl_hook_drm_release_noglobal(struct inode *inode, struct file *file)
{
	struct gdl_import *closing;
	int ret;

	gdl_hook_begin(GDL_HOOK_drm_release_noglobal);
	closing = close_begin(file);
	ret = gdl_original_drm_release_noglobal(inode, file);
	close_end(closing);
	gdl_hook_end();
	return ret;
}

static int list_device(const struct drm_device *drm)
{
	int ret;

	rcu_read_lock();
	ret = gdl_device_of_drm(drm) ? 0 : -ENOMEM;
	rcu_read_unlock();
	return ret;
}

static int gdl_hook_drm_dev_register(struct drm_device *drm, unsigned long flags)
{
	unsigned int tries = 0;
	int ret, listed;

	gdl_hook_begin(GDL_HOOK_drm_dev_register);
	ret = gdl_original_drm_dev_register(drm, flags);
	if (!ret) {
		do {
			listed = list_device(drm);
		} while (again(listed, &tries));
		lost(listed, GDL_HOOK_drm_dev_register, GDL_STAT_DEVICES_LOST);
	}
	gdl_hook_end();
	return ret;
}

static void gdl_hook_drm_dev_unregister(struct drm_device *drm)
{
	gdl_hook_begin(GDL_HOOK_drm_dev_unregister);
	gdl_hotplug_drm_gone(drm);
	gdl_original_drm_dev_unregister(drm);
	/* Its caller has it still; gdl_adopt_devices() may have listed it again. */
	gdl_hotplug_drm_gone(drm);
	gdl_hook_end();
}

/*
 * The addresses are drm.ko's to know, which may be here or not; but the prototypes
 * are known.
 */
#define DECLARED(function)						\
	GDL_HOOK_ROW(function, GDL_HOOKS_OF_DRM,			\
		     BUILD_BUG_ON_ZERO(!__same_type(function,		\
						    gdl_original_##function)))

#define INTERNAL(function)						\
	GDL_HOOK_ROW(function, GDL_HOOKS_OF_DRM, 0)

const struct gdl_hook gdl_drm_hooks[] = {
	DECLARED(drm_gem_object_init),
#if GDL_HAVE_GEM_INIT_WITH_MNT
	INTERNAL(drm_gem_object_init_with_mnt),
#endif
	DECLARED(drm_gem_private_object_init),
	DECLARED(drm_gem_handle_create),
	DECLARED(drm_gem_prime_fd_to_handle),
	INTERNAL(drm_file_alloc),
	INTERNAL(drm_file_free),
	DECLARED(drm_release),
	DECLARED(drm_release_noglobal),
	DECLARED(drm_dev_register),
	DECLARED(drm_dev_unregister),
};

const unsigned int gdl_nr_drm_hooks = ARRAY_SIZE(gdl_drm_hooks);
