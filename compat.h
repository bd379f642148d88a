/* SPDX-License-Identifier: GPL-2.0-only */
/* Differences between kernels: only this file asks for the version. */
#ifndef GPU_DMA_LOCK_COMPAT_H
#define GPU_DMA_LOCK_COMPAT_H

#include <linux/ftrace.h>
#include <linux/mm_types.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/ptrace.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/coredump.h>
#include <linux/version.h>

/* 7.1: whether a task may be dumped is its own (seen in 7.3, not in 6.12) */
#define GDL_HAVE_EXEC_STATE		(LINUX_VERSION_CODE >= KERNEL_VERSION(7, 1, 0))
#if GDL_HAVE_EXEC_STATE
#include <linux/sched/exec_state.h>
#endif

/* 6.10: __assign_str() takes the string from __string() */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
#define gdl_assign_str(dst, src)	__assign_str(dst)
#else
#define gdl_assign_str(dst, src)	__assign_str(dst, src)
#endif

/* 5.17: has a new name */
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 17, 0)
#define pde_data(inode)			PDE_DATA(inode)
#endif

/* 5.16: the exports of dma-buf are in a namespace; 6.13: its name is a string */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define GDL_IMPORT_NS_DMA_BUF		MODULE_IMPORT_NS("DMA_BUF")
#else
#define GDL_IMPORT_NS_DMA_BUF		MODULE_IMPORT_NS(DMA_BUF)
#endif

/* 5.16: direct calls of many functions by one ftrace_ops; 6.4: no others */
#if !defined(CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS) || \
	LINUX_VERSION_CODE < KERNEL_VERSION(5, 16, 0)
#define GDL_HAVE_FTRACE_DIRECT		0
#define gdl_register_ftrace_direct(ops, address)	(-EOPNOTSUPP)
#define gdl_unregister_ftrace_direct(ops, address)	0
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
#define GDL_HAVE_FTRACE_DIRECT		1
#define gdl_register_ftrace_direct(ops, address)	\
	register_ftrace_direct(ops, address)
#define gdl_unregister_ftrace_direct(ops, address)	\
	unregister_ftrace_direct(ops, address, false)
#else
#define GDL_HAVE_FTRACE_DIRECT		1
#define gdl_register_ftrace_direct(ops, address)	\
	register_ftrace_direct_multi(ops, address)
#define gdl_unregister_ftrace_direct(ops, address)	\
	unregister_ftrace_direct_multi(ops, address)
#endif

/* 5.11: an ftrace_ops is given an ftrace_regs */
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 11, 0)
#define ftrace_regs			pt_regs
#define ftrace_get_regs(regs)		(regs)
#endif

/* Changing the instruction pointer takes all registers, or an ftrace_regs that can. */
#ifdef CONFIG_DYNAMIC_FTRACE_WITH_ARGS
#define GDL_FTRACE_OPS_DIVERT		FTRACE_OPS_FL_IPMODIFY
#else
#define GDL_FTRACE_OPS_DIVERT		(FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_SAVE_REGS)
#endif

/* 6.2: has a new name */
#ifndef CONFIG_DYNAMIC_FTRACE_WITH_ARGS
#define gdl_ftrace_set_ip(fregs, ip)	\
	instruction_pointer_set(ftrace_get_regs(fregs), ip)
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
#define gdl_ftrace_set_ip(fregs, ip)	\
	ftrace_regs_set_instruction_pointer(fregs, ip)
#else
#define gdl_ftrace_set_ip(fregs, ip)	\
	ftrace_instruction_pointer_set(fregs, ip)
#endif

/* 6.1: ftrace_free_filter() is exported */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 1, 0)
#define gdl_ftrace_free_filter(ops)	ftrace_free_filter(ops)
#else
#define gdl_ftrace_free_filter(ops)	ftrace_set_filter(ops, NULL, 0, 1)
#endif

/* 5.18: a resource has a begin and an end of its own */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 18, 0)
#define GDL_HAVE_TTM_RESOURCE_INIT	1
#define gdl_ttm_size(bo, type)		ttm_manager_type((bo)->bdev, type)->size
#else
#define GDL_HAVE_TTM_RESOURCE_INIT	0
#define gdl_ttm_size(bo, type)		0ULL
#endif

/* 6.2: ttm_bo_driver.h is ttm_bo.h */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
#define GDL_HAVE_TTM_BO_H		1
#else
#define GDL_HAVE_TTM_BO_H		0
#endif

/*
 * The user namespace whose CAP_SYS_PTRACE it takes to look into a task that is not to
 * be dumped, else NULL. Caller holds task_lock() and rcu_read_lock().
 */
static inline struct user_namespace *gdl_undumpable_in(struct task_struct *task)
{
#if GDL_HAVE_EXEC_STATE
	const struct task_exec_state *state = rcu_dereference(task->exec_state);

	return state->dumpable == TASK_DUMPABLE_OWNER ? NULL : state->user_ns;
#else
	struct mm_struct *mm = task->mm;

	return !mm || get_dumpable(mm) == SUID_DUMP_USER ? NULL : mm->user_ns;
#endif
}

/* For a driver of the tests. 6.8: no list of its own of places to take by force */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
#define gdl_ttm_place_busy(placement, where)	do { } while (0)
#else
#define gdl_ttm_place_busy(placement, where)	\
do {						\
	(placement)->num_busy_placement = 1;	\
	(placement)->busy_placement = (where);	\
} while (0)
#endif

/* 6.13: a driver has no date */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define gdl_drm_set_date(driver)		do { } while (0)
#else
#define gdl_drm_set_date(driver)		((driver)->date = "20261126")
#endif

/* 6.6: dma-bufs are made of all drivers' objects */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
#define GDL_DRM_EXPORTS
#else
#define GDL_DRM_EXPORTS			.prime_handle_to_fd = drm_gem_prime_handle_to_fd,
#endif

/* 6.13: two of the arguments are one (seen in 7.3, not in 6.12); a new name */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define gdl_ttm_device_init(ttm, funcs, dev, mapping, vma)	\
	ttm_device_init(ttm, funcs, dev, mapping, vma, 0)
#define gdl_ttm_bo_put(bo)		ttm_bo_fini(bo)
#else
#define gdl_ttm_device_init(ttm, funcs, dev, mapping, vma)	\
	ttm_device_init(ttm, funcs, dev, mapping, vma, false, false)
#define gdl_ttm_bo_put(bo)		ttm_bo_put(bo)
#endif

/* 6.13: vmwgfx warns when the making of an object fails (seen in 7.3, not in 6.12) */
#define GDL_VMWGFX_WARNS		(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0))

#endif /* GPU_DMA_LOCK_COMPAT_H */
