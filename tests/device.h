/* SPDX-License-Identifier: GPL-2.0-only */
/* The ioctls of /dev/gpu_dma_lock. Functions return 0 or an error number. */
#ifndef TESTS_DEVICE_H
#define TESTS_DEVICE_H

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "../gpu_dma_lock_ioctl.h"
#include "tap.h"

#define DEVICE_PATH	"/dev/gpu_dma_lock"
#define DEVICE_TENANT_MS	"/sys/module/gpu_dma_lock/parameters/tenant_lock_ms"

static inline int device_open(void)
{
	int fd = open(DEVICE_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		bail("opening " DEVICE_PATH);
	return fd;
}

static inline int device_self(int fd, struct gpu_dma_lock_self *self)
{
	*self = (struct gpu_dma_lock_self){ .size = sizeof(*self) };
	return ioctl(fd, GPU_DMA_LOCK_IOC_SELF, self) ? errno : 0;
}

static inline int device_self_on(int fd, __u64 device, struct gpu_dma_lock_self *self)
{
	*self = (struct gpu_dma_lock_self){
		.size = sizeof(*self), .flags = GPU_DMA_LOCK_SELF_DEVICE, .device = device,
	};
	return ioctl(fd, GPU_DMA_LOCK_IOC_SELF, self) ? errno : 0;
}

static inline int device_reserve(int fd, __u64 device, __u64 bytes, __u64 *id)
{
	struct gpu_dma_lock_reserve arg = {
		.size = sizeof(arg), .device = device, .bytes = bytes,
	};

	if (ioctl(fd, GPU_DMA_LOCK_IOC_RESERVE, &arg))
		return errno;
	*id = arg.id;
	return 0;
}

static inline int device_release(int fd, __u64 id)
{
	struct gpu_dma_lock_release arg = { .size = sizeof(arg), .id = id };

	return ioctl(fd, GPU_DMA_LOCK_IOC_RELEASE, &arg) ? errno : 0;
}

/* @lease: receives lease_ms, or NULL */
static inline int device_lock_by(int fd, struct gpu_dma_lock_lock arg, __u64 *lease)
{
	arg.size = sizeof(arg);
	if (ioctl(fd, GPU_DMA_LOCK_IOC_LOCK, &arg))
		return errno;
	if (lease)
		*lease = arg.lease_ms;
	return 0;
}

static inline int device_lock(int fd, __u64 id, bool exclusive, __s64 timeout_ms)
{
	struct gpu_dma_lock_lock arg = {
		.flags = GPU_DMA_LOCK_BY_ID | (exclusive ? GPU_DMA_LOCK_EXCLUSIVE : 0),
		.id = id, .timeout_ms = timeout_ms,
	};

	return device_lock_by(fd, arg, NULL);
}

static inline int device_lock_fd(int fd, int dmabuf, bool exclusive, __s64 timeout_ms)
{
	struct gpu_dma_lock_lock arg = {
		.flags = exclusive ? GPU_DMA_LOCK_EXCLUSIVE : 0,
		.fd = dmabuf, .timeout_ms = timeout_ms,
	};

	return device_lock_by(fd, arg, NULL);
}

static inline int device_unlock(int fd, __u64 id)
{
	struct gpu_dma_lock_unlock arg = {
		.size = sizeof(arg), .flags = GPU_DMA_LOCK_BY_ID, .id = id,
	};

	return ioctl(fd, GPU_DMA_LOCK_IOC_UNLOCK, &arg) ? errno : 0;
}

static inline int device_unlock_fd(int fd, int dmabuf)
{
	struct gpu_dma_lock_unlock arg = { .size = sizeof(arg), .fd = dmabuf };

	return ioctl(fd, GPU_DMA_LOCK_IOC_UNLOCK, &arg) ? errno : 0;
}

/* @id: receives the row's */
static inline int device_report(int fd, __s32 pid, __u64 device, __u64 bytes, __u64 *id)
{
	struct gpu_dma_lock_report arg = {
		.size = sizeof(arg), .pid = pid, .device = device, .bytes = bytes,
	};

	if (ioctl(fd, GPU_DMA_LOCK_IOC_REPORT, &arg))
		return errno;
	*id = arg.id;
	return 0;
}

/* How long an agent's locks may make another wait, in ms. */
static inline void device_set_tenant_ms(int ms)
{
	int fd = open(DEVICE_TENANT_MS, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || dprintf(fd, "%d", ms) < 0)
		bail("setting tenant_lock_ms");
	close(fd);
}

#endif /* TESTS_DEVICE_H */
