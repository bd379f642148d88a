/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Real GPU buffers through real ioctls: dumb buffers of a DRM card, found by
 * the name of its driver. Functions return 0 or an error number.
 */
#ifndef TESTS_GEM_H
#define TESTS_GEM_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <drm.h>

#define GEM_CARDS	16

/* Opens the first card of that driver. Returns a file descriptor, or -1 with errno set. */
static inline int gem_open(const char *driver)
{
	char path[32], name[32];
	int card, fd;

	for (card = 0; card < GEM_CARDS; card++) {
		struct drm_version version = {
			.name = name,
			.name_len = sizeof(name) - 1,
		};

		snprintf(path, sizeof(path), "/dev/dri/card%d", card);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		memset(name, 0, sizeof(name));
		if (!ioctl(fd, DRM_IOCTL_VERSION, &version) && !strcmp(name, driver))
			return fd;
		close(fd);
	}
	errno = ENODEV;
	return -1;
}

/* A buffer of exactly @size bytes when that is a multiple of the page size. */
static inline int gem_create(int card, __u64 size, __u32 *handle)
{
	struct drm_mode_create_dumb dumb = {
		.width = 1024,
		.bpp = 32,
		.height = (size + 4095) / 4096,
	};

	int err = ioctl(card, DRM_IOCTL_MODE_CREATE_DUMB, &dumb) ? errno : 0;

	*handle = dumb.handle;
	return err;
}

static inline int gem_destroy(int card, __u32 handle)
{
	struct drm_mode_destroy_dumb dumb = { .handle = handle };

	return ioctl(card, DRM_IOCTL_MODE_DESTROY_DUMB, &dumb) ? errno : 0;
}

static inline int gem_export(int card, __u32 handle, int *fd)
{
	struct drm_prime_handle prime = {
		.handle = handle,
		.flags = DRM_CLOEXEC | DRM_RDWR,
	};

	if (ioctl(card, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime))
		return errno;
	*fd = prime.fd;
	return 0;
}

static inline int gem_import(int card, int fd, __u32 *handle)
{
	struct drm_prime_handle prime = { .fd = fd };

	if (ioctl(card, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime))
		return errno;
	*handle = prime.handle;
	return 0;
}

#endif /* TESTS_GEM_H */
