/* SPDX-License-Identifier: GPL-2.0-only */
/* The ioctls of ttm_gpu: see ttm_gpu.c. */
#ifndef TESTS_MODULES_TTM_GPU_H
#define TESTS_MODULES_TTM_GPU_H

/* A program includes libdrm's drm.h before. */
#ifdef __KERNEL__
#include <drm/drm.h>
#endif

/* As enum ttm_bo_type */
enum ttm_gpu_type {
	TTM_GPU_DEVICE,
	TTM_GPU_KERNEL,	/* gets no handle, and goes with the last open file */
	TTM_GPU_SG,
	TTM_GPU_PLAIN,	/* without TTM: nobody tells what it is before it has a handle */
};

struct ttm_gpu_create {
	__u64 size;
	__u32 type;	/* enum ttm_gpu_type */
	__u32 region;	/* TTM's type of memory: 0 system, 2 VRAM */
	__u32 handle;	/* out */
	__u32 pad;
};

/* A job begins that uses an object; handle 0: the job has ended. There is one at a time. */
struct ttm_gpu_job {
	__u32 handle;
	__u32 pad;
};

struct ttm_gpu_move {
	__u32 handle;
	__u32 region;
};

#define DRM_TTM_GPU_CREATE	0x00
#define DRM_TTM_GPU_MOVE	0x01
#define DRM_TTM_GPU_JOB		0x02
/* The numbers by which amdgpu and i915 make objects of a process's own memory */
#define DRM_TTM_GPU_USERPTR	0x11
#define DRM_TTM_GPU_USERPTR_I915 0x33

#define DRM_IOCTL_TTM_GPU_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_TTM_GPU_CREATE, struct ttm_gpu_create)
#define DRM_IOCTL_TTM_GPU_USERPTR \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_TTM_GPU_USERPTR, struct ttm_gpu_create)
#define DRM_IOCTL_TTM_GPU_USERPTR_I915 \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_TTM_GPU_USERPTR_I915, struct ttm_gpu_create)
#define DRM_IOCTL_TTM_GPU_JOB \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_TTM_GPU_JOB, struct ttm_gpu_job)
#define DRM_IOCTL_TTM_GPU_MOVE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_TTM_GPU_MOVE, struct ttm_gpu_move)

#endif /* TESTS_MODULES_TTM_GPU_H */
