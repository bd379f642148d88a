/* SPDX-License-Identifier: GPL-2.0-only */
/* Differences between kernels: the only file that asks for the version. */
#ifndef GPU_DMA_LOCK_COMPAT_H
#define GPU_DMA_LOCK_COMPAT_H

#include <linux/ptrace.h>
#include <linux/version.h>

/* 6.10: __assign_str() takes the string from __string() */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
#define gdl_assign_str(dst, src)	__assign_str(dst)
#else
#define gdl_assign_str(dst, src)	__assign_str(dst, src)
#endif

/* The third argument of a probed function; the kernel has only the reader. */
static inline void gdl_set_argument_2(struct pt_regs *regs, unsigned long value)
{
#if defined(CONFIG_X86_64)
	regs->dx = value;
#elif defined(CONFIG_ARM64)
	regs->regs[2] = value;
#else
#error "not ported to this architecture"
#endif
}

#endif /* GPU_DMA_LOCK_COMPAT_H */
