/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hooks: kernel functions whose calls are diverted to wrappers of ours, with the
 * functions' own signatures. See hook.c; this file is for assembly too.
 */
#ifndef GDL_HOOK_H
#define GDL_HOOK_H

#include <linux/version.h>

/*
 * From 6.13 to 7.2 the shmem helper makes GEM objects by this function, which
 * drm_gem_object_init() calls too.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0) && LINUX_VERSION_CODE < KERNEL_VERSION(7, 3, 0)
#define GDL_HAVE_GEM_INIT_WITH_MNT	1
#define GDL_HOOK_GEM_INIT_WITH_MNT(hook)				\
	hook(int, drm_gem_object_init_with_mnt, struct drm_device *drm,	\
	     struct drm_gem_object *gem, size_t size,			\
	     struct vfsmount *gemfs)
#else
#define GDL_HAVE_GEM_INIT_WITH_MNT	0
#define GDL_HOOK_GEM_INIT_WITH_MNT(hook)
#endif

/*
 * Every hooked function, with its prototype. For each there is a wrapper
 * gdl_hook_FUNCTION(), in an events_*.c, and
 * gdl_original_FUNCTION(), in arch/, which the wrapper calls.
 */
#define GDL_HOOKS(hook)							\
	hook(struct dma_buf *, dma_buf_export,				\
	     const struct dma_buf_export_info *info)			\
	hook(void, dma_buf_release, struct dentry *dentry)		\
	hook(struct dma_buf_attachment *, dma_buf_dynamic_attach,	\
	     struct dma_buf *dmabuf, struct device *dev,		\
	     const struct dma_buf_attach_ops *importer_ops,		\
	     void *importer_priv)					\
	hook(void, dma_buf_detach, struct dma_buf *dmabuf,		\
	     struct dma_buf_attachment *attach)				\
	hook(struct sg_table *, dma_buf_map_attachment,			\
	     struct dma_buf_attachment *attach,				\
	     enum dma_data_direction direction)				\
	hook(void, dma_buf_unmap_attachment,				\
	     struct dma_buf_attachment *attach, struct sg_table *sgt,	\
	     enum dma_data_direction direction)				\
	hook(int, dma_buf_pin, struct dma_buf_attachment *attach)	\
	hook(void, dma_buf_unpin, struct dma_buf_attachment *attach)	\
	hook(int, dma_buf_mmap_internal, struct file *file,		\
	     struct vm_area_struct *vma)				\
	hook(int, dma_buf_mmap, struct dma_buf *dmabuf,			\
	     struct vm_area_struct *vma, unsigned long pgoff)		\
	hook(void, dma_resv_fini, struct dma_resv *resv)		\
	hook(int, drm_gem_object_init, struct drm_device *drm,		\
	     struct drm_gem_object *gem, size_t size)			\
	GDL_HOOK_GEM_INIT_WITH_MNT(hook)				\
	hook(void, drm_gem_private_object_init, struct drm_device *drm,	\
	     struct drm_gem_object *gem, size_t size)			\
	hook(int, drm_gem_handle_create, struct drm_file *file,		\
	     struct drm_gem_object *gem, u32 *handle)			\
	hook(int, drm_gem_prime_fd_to_handle, struct drm_device *drm,	\
	     struct drm_file *file, int fd, u32 *handle)		\
	hook(struct drm_file *, drm_file_alloc, struct drm_minor *minor) \
	hook(void, drm_file_free, struct drm_file *file)		\
	hook(int, drm_release, struct inode *inode, struct file *file)	\
	hook(int, drm_release_noglobal, struct inode *inode,		\
	     struct file *file)						\
	hook(int, drm_dev_register, struct drm_device *drm,		\
	     unsigned long flags)					\
	hook(void, drm_dev_unregister, struct drm_device *drm)		\
	hook(int, ttm_bo_validate, struct ttm_buffer_object *bo,	\
	     struct ttm_placement *placement,				\
	     struct ttm_operation_ctx *ctx)				\
	hook(void, ttm_resource_init, struct ttm_buffer_object *bo,	\
	     const struct ttm_place *place, struct ttm_resource *res)	\
	hook(void, ttm_resource_fini, struct ttm_resource_manager *man,	\
	     struct ttm_resource *res)					\
	hook(int, nvidia_p2p_get_pages, u64 p2p_token, u32 va_space,	\
	     u64 virtual_address, u64 length,				\
	     struct nvidia_p2p_page_table **page_table,			\
	     void (*free_callback)(void *data), void *data)		\
	hook(int, nvidia_p2p_get_pages_persistent, u64 virtual_address,	\
	     u64 length, struct nvidia_p2p_page_table **page_table,	\
	     u32 flags)							\
	hook(int, nvidia_p2p_put_pages, u64 p2p_token, u32 va_space,	\
	     u64 virtual_address,					\
	     struct nvidia_p2p_page_table *page_table)			\
	hook(int, nvidia_p2p_put_pages_persistent, u64 virtual_address,	\
	     struct nvidia_p2p_page_table *page_table, u32 flags)	\
	hook(int, nvidia_p2p_free_page_table,				\
	     struct nvidia_p2p_page_table *page_table)			\
	hook(void, nv_p2p_mem_info_free_callback, void *data)		\
	hook(int, nvidia_p2p_dma_map_pages, struct pci_dev *peer,	\
	     struct nvidia_p2p_page_table *page_table,			\
	     struct nvidia_p2p_dma_mapping **dma_mapping)		\
	hook(int, nvidia_p2p_dma_unmap_pages, struct pci_dev *peer,	\
	     struct nvidia_p2p_page_table *page_table,			\
	     struct nvidia_p2p_dma_mapping *dma_mapping)

/* A power of two, so large that two functions seldom want the same one. */
#define GDL_HOOK_SLOTS		256
/* Functions lie this many bits apart, mostly. */
#define GDL_HOOK_SLOT_SHIFT	4

#ifndef __ASSEMBLY__

#include <linux/build_bug.h>
#include <linux/dma-direction.h>
#include <linux/types.h>

struct dentry;
struct device;
struct dma_buf;
struct dma_buf_attach_ops;
struct dma_buf_attachment;
struct dma_buf_export_info;
struct dma_resv;
struct drm_device;
struct drm_file;
struct drm_gem_object;
struct drm_minor;
struct file;
struct inode;
struct module;
struct nvidia_p2p_dma_mapping;
struct nvidia_p2p_page_table;
struct pci_dev;
struct sg_table;
struct ttm_buffer_object;
struct ttm_operation_ctx;
struct ttm_place;
struct ttm_placement;
struct ttm_resource;
struct ttm_resource_manager;
struct vfsmount;
struct vm_area_struct;

/* 0 is none. */
enum gdl_hook_id {
	GDL_HOOK_NONE,
#define GDL_HOOK_ID(type, function, ...)	GDL_HOOK_##function,
	GDL_HOOKS(GDL_HOOK_ID)
#undef GDL_HOOK_ID
	GDL_NR_HOOKS,
};

#define GDL_HOOK_ORIGINAL(type, function, ...)				\
	type gdl_original_##function(__VA_ARGS__);
GDL_HOOKS(GDL_HOOK_ORIGINAL)
#undef GDL_HOOK_ORIGINAL

/* Which part of the kernel the functions are in; a module may come and go. */
enum gdl_hook_owner {
	GDL_HOOKS_OF_DMABUF,		/* never a module */
	GDL_HOOKS_OF_DRM,
	GDL_HOOKS_OF_TTM,
	GDL_HOOKS_OF_NVIDIA,
	GDL_NR_HOOK_OWNERS,
};

struct gdl_hook {
	enum gdl_hook_id id;
	enum gdl_hook_owner owner;
	const char *function;
	const void *wrapper;
	unsigned long address;		/* where it is known, else 0 */
};

/* A row of a table of hooks, whose wrapper has the function's own signature. */
#define GDL_HOOK_ROW(function_, owner_, address_)			\
{									\
	.id = GDL_HOOK_##function_ +					\
	      BUILD_BUG_ON_ZERO(!__same_type(gdl_hook_##function_,	\
					     gdl_original_##function_)), \
	.owner = (owner_),						\
	.function = #function_,						\
	.wrapper = gdl_hook_##function_,				\
	.address = (address_),						\
}

/* How calls may be diverted: the parameter `hook`. */
enum gdl_hook_mode {
	GDL_HOOK_AUTO,
	GDL_HOOK_DIRECT,
	GDL_HOOK_DIVERT,
	GDL_NR_HOOK_MODES,
};

extern const char * const gdl_hook_mode_names[GDL_NR_HOOK_MODES];

struct gdl_hook_status {
	const char *function;
	const char *state;		/* "direct", "divert" or "none" */
	const char *reason;		/* why not better, or NULL */
};

int gdl_hook_init(enum gdl_hook_mode first_mode);
void gdl_hook_exit(void);
void gdl_hook_add(const struct gdl_hook *hooks, unsigned int nr);
int gdl_hook_place(enum gdl_hook_owner owner, const struct module *mod);
void gdl_hook_remove(enum gdl_hook_owner owner, const char *reason);
void gdl_hook_forget(enum gdl_hook_owner owner);
void gdl_hook_drain(void);
void gdl_hook_set_reason(enum gdl_hook_owner owner, const char *reason);
const char *gdl_hook_reason(enum gdl_hook_owner owner);
void gdl_hook_status(enum gdl_hook_id id, struct gdl_hook_status *status);

/* For arch/ */
extern u8 gdl_hook_slots[GDL_HOOK_SLOTS];
extern unsigned long gdl_hook_sites[GDL_NR_HOOKS];
extern const void *gdl_hook_wrappers[GDL_NR_HOOKS];

void gdl_hook_trampoline(void);
unsigned long gdl_hook_learn(unsigned long site);

#endif /* __ASSEMBLY__ */
#endif /* GDL_HOOK_H */
