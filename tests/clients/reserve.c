// SPDX-License-Identifier: GPL-2.0-only
/*
 * reserve DEVICE BYTES [SECONDS]: accounts for memory that the kernel does not see, and
 * locks it, for so long. However it ends, both end with it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../../gpu_dma_lock_ioctl.h"

static int fail(const char *what)
{
	perror(what);
	return 1;
}

int main(int argc, char **argv)
{
	int fd = open("/dev/gpu_dma_lock", O_RDWR | O_CLOEXEC);
	struct gpu_dma_lock_self self = { .size = sizeof(self) };
	struct gpu_dma_lock_reserve reserve = { .size = sizeof(reserve) };
	struct gpu_dma_lock_lock lock = { .size = sizeof(lock) };

	setlinebuf(stdout);
	if (fd < 0)
		return fail("/dev/gpu_dma_lock");
	if (argc < 3)
		return 2;
	if (ioctl(fd, GPU_DMA_LOCK_IOC_SELF, &self))
		return fail("SELF");
	printf("agent %llu has %llu of %lld bytes\n", self.agent, self.used,
	       self.limit == GPU_DMA_LOCK_MAX ? -1 : (long long)self.limit);

	reserve.device = strtoull(argv[1], NULL, 0);
	reserve.bytes = strtoull(argv[2], NULL, 0);
	if (ioctl(fd, GPU_DMA_LOCK_IOC_RESERVE, &reserve))
		return fail("RESERVE");

	lock.flags = GPU_DMA_LOCK_BY_ID | GPU_DMA_LOCK_EXCLUSIVE;
	lock.id = reserve.id;
	lock.timeout_ms = 1000;
	if (ioctl(fd, GPU_DMA_LOCK_IOC_LOCK, &lock))
		return fail("LOCK");
	printf("buffer %llu is locked\n", reserve.id);
	sleep(argc > 3 ? atoi(argv[3]) : 0);
	return 0;
}
