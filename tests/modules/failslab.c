// SPDX-License-Identifier: GPL-2.0-only
/*
 * failslab: what CONFIG_FAILSLAB does, for kernels without it: of the slab allocations
 * of one process that may not wait, one in so many fails.
 *
 * Such kernels ask should_failslab() all the same, up to some version.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/ptrace.h>
#include <linux/sched.h>

static int pid;
module_param(pid, int, 0400);
MODULE_PARM_DESC(pid, "whose allocations fail");

static int every = 20;
module_param(every, int, 0400);
MODULE_PARM_DESC(every, "one in so many of them");

static atomic_t nr;

/* Of should_failslab(cache, gfp). Returns 0 for what is to fail. */
static int enter(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	gfp_t gfp = (__force gfp_t)regs_get_kernel_argument(regs, 1);

	if (!in_task() || current->tgid != pid || gfpflags_allow_blocking(gfp))
		return 1;
	return atomic_inc_return(&nr) % every;
}

static int leave(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	regs_set_return_value(regs, -ENOMEM);
	return 0;
}

static struct kretprobe probe = {
	.kp.symbol_name = "should_failslab",
	.entry_handler = enter,
	.handler = leave,
};

static int __init failslab_init(void)
{
	return register_kretprobe(&probe);
}
module_init(failslab_init);

static void __exit failslab_exit(void)
{
	unregister_kretprobe(&probe);
}
module_exit(failslab_exit);

MODULE_DESCRIPTION("Lets slab allocations fail that may not wait");
MODULE_AUTHOR("The gpu_dma_lock developers");
MODULE_LICENSE("GPL");
