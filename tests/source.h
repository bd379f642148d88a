/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where real buffers come from: DRM drivers, whose buffers are GEM objects, and
 * exporters of dma-bufs that are no GPUs. A process makes buffers of each
 * source onto a stack of its own, and drops the last.
 */
#ifndef TESTS_SOURCE_H
#define TESTS_SOURCE_H

#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <linux/videodev2.h>
#include <sys/mman.h>

#include "gem.h"
#include "swarm.h"

#define SOURCE_BUFFERS	512

enum source_id {
	SOURCE_VGEM,
	SOURCE_VIRTIO,
	SOURCE_BOCHS,
	SOURCE_UDMABUF,
	SOURCE_HEAP,
	SOURCE_VIVID,
	NR_SOURCES,
};

#define SOURCE_GEMS	SOURCE_UDMABUF	/* those below it are DRM drivers */

/* DRM drivers by their name, others as `allocations` calls the exporter */
static const char * const source_names[NR_SOURCES] = {
	[SOURCE_VGEM]		= "vgem",
	[SOURCE_VIRTIO]		= "virtio_gpu",
	[SOURCE_BOCHS]		= "bochs-drm",
	[SOURCE_UDMABUF]	= "udmabuf",
	[SOURCE_HEAP]		= "system",
	[SOURCE_VIVID]		= "vivid",
};

struct source_stack {
	int device;		/* -1: no such device here */
	long count;
	__u32 buffer[SOURCE_BUFFERS];	/* GEM handle or file descriptor */
};

static struct source_stack source_stacks[NR_SOURCES];
static bool source_opened[NR_SOURCES];

/* The most that videobuf2 has at a time. */
#define SOURCE_VIVID_MAX	32

static inline int source_open_vivid(void)
{
	struct v4l2_requestbuffers request = {
		.count = SOURCE_VIVID_MAX,
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_MMAP,
	};
	struct v4l2_capability caps;
	char path[32];
	int fd, i;

	for (i = 0; i < 64; i++) {
		snprintf(path, sizeof(path), "/dev/video%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!ioctl(fd, VIDIOC_QUERYCAP, &caps) &&
		    !strcmp((char *)caps.driver, "vivid") &&
		    caps.device_caps & V4L2_CAP_VIDEO_CAPTURE &&
		    !ioctl(fd, VIDIOC_REQBUFS, &request))
			return fd;
		close(fd);
	}
	return -1;
}

/* False where this kernel or machine lacks it. */
static inline bool source_open(enum source_id source)
{
	struct source_stack *s = &source_stacks[source];

	if (source_opened[source])
		return s->device >= 0;
	source_opened[source] = true;
	if (source < SOURCE_GEMS)
		s->device = gem_open(source_names[source]);
	else if (source == SOURCE_UDMABUF)
		s->device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	else if (source == SOURCE_HEAP)
		s->device = open("/dev/dma_heap/system", O_RDWR | O_CLOEXEC);
	else
		s->device = source_open_vivid();
	return s->device >= 0;
}

static inline int source_udmabuf(int device, __u64 size, __u32 *fd)
{
	struct udmabuf_create create = { .flags = UDMABUF_FLAGS_CLOEXEC, .size = size };
	int memory = memfd_create("udmabuf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int ret = -1, err;

	if (memory < 0)
		return errno;
	create.memfd = memory;
	if (!ftruncate(memory, size) && !fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK))
		ret = ioctl(device, UDMABUF_CREATE, &create);
	err = ret < 0 ? errno : 0;
	close(memory);
	*fd = ret;
	return err;
}

static inline int source_heap(int device, __u64 size, __u32 *fd)
{
	struct dma_heap_allocation_data data = { .len = size, .fd_flags = O_RDWR | O_CLOEXEC };

	if (ioctl(device, DMA_HEAP_IOCTL_ALLOC, &data))
		return errno;
	*fd = data.fd;
	return 0;
}

/*
 * A dma-buf of one of the device's frames, whose size is its own: the nth has a frame to
 * itself, and most likely another process's has another.
 */
static inline int source_vivid(int device, unsigned int nth, __u32 *fd)
{
	struct v4l2_exportbuffer export = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.index = (nth + getpid()) % SOURCE_VIVID_MAX,
		.flags = O_CLOEXEC,
	};

	if (ioctl(device, VIDIOC_EXPBUF, &export))
		return errno;
	*fd = export.fd;
	return 0;
}

/* One more buffer of the source. Returns 0 or an error number. */
static inline int source_make(enum source_id source, __u64 size)
{
	struct source_stack *s = &source_stacks[source];
	__u32 *buffer = &s->buffer[s->count];
	int err = source_open(source) ? 0 : ENODEV;

	if (!err && s->count == SOURCE_BUFFERS)
		err = ENOBUFS;
	if (err)
		return err;
	if (source < SOURCE_GEMS)
		err = gem_create(s->device, size, buffer);
	else if (source == SOURCE_UDMABUF)
		err = source_udmabuf(s->device, size, buffer);
	else if (source == SOURCE_HEAP)
		err = source_heap(s->device, size, buffer);
	else
		err = source_vivid(s->device, s->count, buffer);
	s->count += !err;
	return err;
}

/* Frees the last one. */
static inline int source_drop(enum source_id source)
{
	struct source_stack *s = &source_stacks[source];
	int err = ENOENT;

	if (!s->count)
		return err;
	s->count--;
	if (source < SOURCE_GEMS)
		err = gem_destroy(s->device, s->buffer[s->count]);
	else
		err = close(s->buffer[s->count]) ? errno : 0;
	return err;
}

/* A dma-buf of the last one. */
static inline int source_export(enum source_id source, int *fd)
{
	struct source_stack *s = &source_stacks[source];
	int err = ENOENT;

	if (s->count)
		err = gem_export(s->device, s->buffer[s->count - 1], fd);
	return err;
}

/* For clients: the same with the arguments of their calls. */

static inline long source_is_there(long source, long unused)
{
	(void)unused;
	return source_open(source);
}

static inline long source_do_make(long source, long size)
{
	return source_make(source, size);
}

/* Makes buffers of @size until one fails: that error number; ENOBUFS at the most. */
static inline long source_do_fill(long source, long size)
{
	int err;

	do
		err = source_make(source, size);
	while (!err);
	return err;
}

static inline long source_do_drop(long source, long count)
{
	int err = 0;

	while (count-- > 0 && !err)
		err = source_drop(source);
	return err;
}

static inline long source_do_drop_all(long source, long unused)
{
	(void)unused;
	return source_do_drop(source, source_stacks[source].count);
}

static inline long source_do_count(long source, long unused)
{
	(void)unused;
	return source_stacks[source].count;
}

#endif /* TESTS_SOURCE_H */
