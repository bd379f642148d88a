/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A V4L2 device that imports dma-bufs: vivid, with videobuf2's allocator for devices
 * that need contiguous memory, attaches and maps what is queued, in one direction:
 * its capture node writes to memory, its output node reads. It stays mapped until
 * the node is closed. Functions return 0 or an error number.
 */
#ifndef TESTS_V4L2_H
#define TESTS_V4L2_H

#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#define V4L2_NODES	64
#define V4L2_SIDE	16	/* pixels of one byte: a frame is less than a page */
#define V4L2_PAGE	4096

/* Its only input is HDMI: a webcam could not scale, so that no frame is small. */
static inline bool v4l2_load(void)
{
	const char *params = "allocators=1 node_types=0x101 num_inputs=1 input_types=3";
	char command[128];

	snprintf(command, sizeof(command), "modprobe -q vivid %s", params);
	return !system(command);
}

/* From 6.11 on, videobuf2 keeps its reference to a dma-buf that it could not attach. */
static inline bool v4l2_leaks_refused(void)
{
	struct utsname name;
	int major, minor;

	uname(&name);
	if (sscanf(name.release, "%d.%d", &major, &minor) != 2)
		return true;
	return major > 6 || (major == 6 && minor >= 11);
}

static inline int v4l2_set_up(int node, __u32 type)
{
	struct v4l2_format format = {
		.type = type,
		.fmt.pix = {
			.width = V4L2_SIDE,
			.height = V4L2_SIDE,
			.pixelformat = V4L2_PIX_FMT_GREY,
			.field = V4L2_FIELD_NONE,
		},
	};
	struct v4l2_requestbuffers request = {
		.count = 1,
		.type = type,
		.memory = V4L2_MEMORY_DMABUF,
	};

	if (ioctl(node, VIDIOC_S_FMT, &format) || ioctl(node, VIDIOC_REQBUFS, &request))
		return errno;
	return format.fmt.pix.sizeimage > V4L2_PAGE ? ERANGE : 0;
}

/* Opens vivid's node of that type, V4L2_BUF_TYPE_VIDEO_CAPTURE or _OUTPUT. */
static inline int v4l2_open(__u32 type, int *node)
{
	__u32 wanted = type == V4L2_BUF_TYPE_VIDEO_CAPTURE ? V4L2_CAP_VIDEO_CAPTURE :
							     V4L2_CAP_VIDEO_OUTPUT;
	struct v4l2_capability caps;
	char path[32];
	int err = ENODEV, i;

	for (i = 0; i < V4L2_NODES; i++) {
		snprintf(path, sizeof(path), "/dev/video%d", i);
		*node = open(path, O_RDWR | O_CLOEXEC);
		if (*node < 0)
			continue;
		if (!ioctl(*node, VIDIOC_QUERYCAP, &caps) &&
		    !strcmp((char *)caps.driver, "vivid") && caps.device_caps & wanted) {
			err = v4l2_set_up(*node, type);
			if (err)
				close(*node);
			return err;
		}
		close(*node);
	}
	return err;
}

/* Queues a dma-buf, which attaches and maps its first page. */
static inline int v4l2_queue(int node, __u32 type, int dmabuf)
{
	struct v4l2_buffer buffer = {
		.type = type,
		.memory = V4L2_MEMORY_DMABUF,
		.bytesused = V4L2_SIDE * V4L2_SIDE,
		.length = V4L2_PAGE,
		.m.fd = dmabuf,
	};

	return ioctl(node, VIDIOC_QBUF, &buffer) ? errno : 0;
}

/* Imports a dma-buf; @node is to be closed to let go of it. */
static inline int v4l2_import(__u32 type, int dmabuf, int *node)
{
	int err = v4l2_open(type, node);

	if (err)
		return err;
	err = v4l2_queue(*node, type, dmabuf);
	if (err)
		close(*node);
	return err;
}

#endif /* TESTS_V4L2_H */
