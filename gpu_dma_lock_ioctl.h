/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/gpu_dma_lock: limits, ledger memory and locks for the tenants themselves. No
 * privilege is needed: a caller acts for the agent that its process is bound to. What an
 * open file has reserved or locked ends with it.
 *
 * Each ioctl takes the address of a structure whose first field is the structure's size, as
 * the program was compiled with it. A later module takes smaller ones too; one that is
 * larger than the module knows is taken if all that it does not know is 0, else the
 * ioctl fails with E2BIG. Flags and fields called reserved must be 0.
 */
#ifndef GPU_DMA_LOCK_IOCTL_H
#define GPU_DMA_LOCK_IOCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* No limit; or what is not known, or not for the caller. */
#define GPU_DMA_LOCK_MAX		(~(__u64)0)

/* gpu_dma_lock_self.flags: of one device, not of all */
#define GPU_DMA_LOCK_SELF_DEVICE	0x1U

/**
 * struct gpu_dma_lock_self - what the caller's agent may have, and has
 * @size: of this structure
 * @flags: 0, or GPU_DMA_LOCK_SELF_DEVICE
 * @device: of which device, by its id, with GPU_DMA_LOCK_SELF_DEVICE; else 0
 * @agent: receives the agent's id; 0 is that of all that are bound to no other
 * @limit: receives its limit, in bytes, or GPU_DMA_LOCK_MAX
 * @used: receives how many bytes it has
 * @peak: receives the most that it had
 * @denied: receives how often a charge passed that limit
 *
 * With the module's parameter visibility=own, @used, @peak and @denied of agent 0 are
 * GPU_DMA_LOCK_MAX for callers without CAP_SYS_ADMIN.
 */
struct gpu_dma_lock_self {
	__u32 size;
	__u32 flags;
	__u64 device;
	__u64 agent;
	__u64 limit;
	__u64 used;
	__u64 peak;
	__u64 denied;
};

/**
 * struct gpu_dma_lock_reserve - account for memory that the kernel does not see
 * @size: of this structure
 * @flags: 0
 * @device: where the memory is: a device's id
 * @bytes: how much; not 0
 * @id: receives the buffer's id, for RELEASE and LOCK
 */
struct gpu_dma_lock_reserve {
	__u32 size;
	__u32 flags;
	__u64 device;
	__u64 bytes;
	__u64 id;
};

/**
 * struct gpu_dma_lock_release - give such memory back
 * @size: of this structure
 * @flags: 0
 * @id: from RESERVE on the same open file
 */
struct gpu_dma_lock_release {
	__u32 size;
	__u32 flags;
	__u64 id;
};

/* gpu_dma_lock_lock.flags: exclusive, else shared */
#define GPU_DMA_LOCK_EXCLUSIVE		0x1U
/* the buffer is given by @id, else by @fd */
#define GPU_DMA_LOCK_BY_ID		0x2U

/* gpu_dma_lock_lock.timeout_ms: for ever */
#define GPU_DMA_LOCK_FOREVER		(-1)

/**
 * struct gpu_dma_lock_lock - lock a buffer
 * @size: of this structure
 * @flags: GPU_DMA_LOCK_EXCLUSIVE, GPU_DMA_LOCK_BY_ID
 * @fd: a dma-buf, without GPU_DMA_LOCK_BY_ID; else 0
 * @reserved: 0
 * @id: with GPU_DMA_LOCK_BY_ID: from RESERVE on the same open file, or a buffer of the
 *	caller's agent unless that is agent 0; else it receives the id of @fd's buffer
 * @timeout_ms: how long to wait; 0: not at all; GPU_DMA_LOCK_FOREVER
 * @lease_ms: receives how long the lock lasts at most; GPU_DMA_LOCK_MAX: as long as the
 *	open file. It is limited where the buffer is another agent's
 */
struct gpu_dma_lock_lock {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 reserved;
	__u64 id;
	__s64 timeout_ms;
	__u64 lease_ms;
};

/**
 * struct gpu_dma_lock_unlock - give a lock back
 * @size: of this structure
 * @flags: 0, or GPU_DMA_LOCK_BY_ID
 * @fd: as in struct gpu_dma_lock_lock
 * @reserved: 0
 * @id: with GPU_DMA_LOCK_BY_ID the buffer's id, else 0
 */
struct gpu_dma_lock_unlock {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 reserved;
	__u64 id;
};

/**
 * struct gpu_dma_lock_report - say how much memory of a device a process has
 * @size: of this structure
 * @flags: 0
 * @pid: the process, or one of its threads, in the caller's pid namespace
 * @reserved: 0
 * @device: where the memory is: a device's id
 * @bytes: how much, in all, as of now; 0: none, or nothing is known any more
 * @id: receives the id of the process's row; 0 with 0 bytes
 *
 * For monitors, whose file was opened with CAP_SYS_ADMIN. The process is charged whatever
 * its limits are, until the next report, its end, or that of the open file.
 */
struct gpu_dma_lock_report {
	__u32 size;
	__u32 flags;
	__s32 pid;
	__u32 reserved;
	__u64 device;
	__u64 bytes;
	__u64 id;
};

#define GPU_DMA_LOCK_IOC_SELF		_IO(0xDB, 0x00)
#define GPU_DMA_LOCK_IOC_RESERVE	_IO(0xDB, 0x01)
#define GPU_DMA_LOCK_IOC_RELEASE	_IO(0xDB, 0x02)
#define GPU_DMA_LOCK_IOC_LOCK		_IO(0xDB, 0x03)
#define GPU_DMA_LOCK_IOC_UNLOCK		_IO(0xDB, 0x04)
#define GPU_DMA_LOCK_IOC_REPORT		_IO(0xDB, 0x05)

#endif /* GPU_DMA_LOCK_IOCTL_H */
