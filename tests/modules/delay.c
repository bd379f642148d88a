// SPDX-License-Identifier: GPL-2.0-only
/*
 * delay: a process is slow in a function of gpu_dma_lock's, in whatever context that is
 * called.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/sched.h>

static char *function = "gdl_charge";
module_param(function, charp, 0400);
MODULE_PARM_DESC(function, "Which function (gdl_charge)");

static int pid;
module_param(pid, int, 0400);
MODULE_PARM_DESC(pid, "Which process");

static uint ms = 500;
module_param(ms, uint, 0400);
MODULE_PARM_DESC(ms, "For how long, each time (500)");

static uint calls;
module_param(calls, uint, 0400);
MODULE_PARM_DESC(calls, "How many calls have begun to be slow");

static int wait_a_while(struct kprobe *probe, struct pt_regs *regs)
{
	if (current->tgid != pid)
		return 0;
	WRITE_ONCE(calls, calls + 1);
	mdelay(ms);
	return 0;
}

static struct kprobe probe = {
	.pre_handler = wait_a_while,
};

static int __init delay_init(void)
{
	probe.symbol_name = function;
	return register_kprobe(&probe);
}
module_init(delay_init);

static void __exit delay_exit(void)
{
	unregister_kprobe(&probe);
}
module_exit(delay_exit);

MODULE_DESCRIPTION("Makes a process slow in a function");
MODULE_LICENSE("GPL");
