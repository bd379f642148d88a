/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gpu_dma_lock_check: what gpu_dma_lock.ko offers to other modules.
 *
 * A driver that submits DMA for a tenant asks before whether the tenant's agent
 * may do it. Build against the Module.symvers of gpu_dma_lock
 * (KBUILD_EXTRA_SYMBOLS, see Documentation/kbuild/modules.rst).
 */
#ifndef GPU_DMA_LOCK_CHECK_H
#define GPU_DMA_LOCK_CHECK_H

#include <linux/types.h>

/* The device reads memory; it writes memory. */
#define GPU_DMA_LOCK_READ	1U
#define GPU_DMA_LOCK_WRITE	2U

/**
 * gpu_dma_lock_check() - may an agent DMA to a range of addresses?
 * @agent: the agent's id
 * @addr: the first address
 * @size: bytes, not 0; @addr + @size - 1 is at most 2^64 - 1
 * @mode: GPU_DMA_LOCK_READ, GPU_DMA_LOCK_WRITE, or both
 *
 * Every byte must be in a range granted to the agent, in all of @mode; by the
 * file dma_permissions or the command grant of /proc/swarm/gpu. While rules are
 * changed each byte is judged as it was before or as it is after.
 *
 * The policy is not looked at: what to do with a denial is the caller's. Checks
 * and denials are counted in stats, a denial is traced (gdl_check_denied).
 *
 * Context: Any, hard interrupts and NMIs included. Takes no lock, does not sleep.
 * The time grows with the number of rules that together cover the range.
 * Return: 0 if it may; -EACCES if not; -ENOENT no such agent; -EINVAL @size is 0
 * or @mode is none of these; -ERANGE @addr + @size wraps.
 */
int gpu_dma_lock_check(u64 agent, u64 addr, u64 size, unsigned int mode);

#endif /* GPU_DMA_LOCK_CHECK_H */
