// SPDX-License-Identifier: GPL-2.0-only
/*
 * Refusal: make a kernel function return an error to its caller without running.
 *
 * The entry of the function is redirected to one of ours with the same
 * signature, as livepatch does, by an ftrace_ops that modifies the instruction
 * pointer; ftrace lets one such user have a function. It is not done by a
 * kprobe's pre_handler: where a kprobe is placed already, which observing needs,
 * kprobes take a second one with the right to modify the instruction pointer
 * (a post_handler) without telling ftrace, and fail to take both away.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/ftrace.h>
#include <linux/ptrace.h>
#include <linux/rcupdate.h>

#include "gpu_dma_lock.h"

/*
 * Right for functions that return a pointer and for those that return an int:
 * both are in the same register. They must not sleep, see gdl_refusal_exit().
 */
#define GDL_REFUSE(name, error)						\
static notrace void *gdl_refuse_##name(void)				\
{									\
	return ERR_PTR(error);						\
}

GDL_REFUSE(edquot, -EDQUOT)
GDL_REFUSE(enospc, -ENOSPC)
GDL_REFUSE(ebusy, -EBUSY)
GDL_REFUSE(eacces, -EACCES)

static unsigned long refusing_function(int error)
{
	switch (error) {
	case -ENOSPC:
		return (unsigned long)gdl_refuse_enospc;
	case -EBUSY:
		return (unsigned long)gdl_refuse_ebusy;
	case -EACCES:
		return (unsigned long)gdl_refuse_eacces;
	default:
		return (unsigned long)gdl_refuse_edquot;
	}
}

static void notrace gdl_refusal_entry(unsigned long ip, unsigned long parent_ip,
				      struct ftrace_ops *ops,
				      struct ftrace_regs *fregs)
{
	const struct gdl_refusal *refusal = ops->private;
	struct pt_regs *regs = ftrace_get_regs(fregs);
	int error;

	while (refusal->address && refusal->address != ip)
		refusal++;
	if (!regs || !refusal->address)
		return;
	error = refusal->decide(regs);
	if (error)
		instruction_pointer_set(regs, refusing_function(error));
}

/* One for all functions: to take a user away from ftrace takes long. */
static struct ftrace_ops refusal_ops;

static int set_filter(const struct gdl_refusal *refusals)
{
	int ret = 0;

	for (; refusals->address && !ret; refusals++)
		ret = ftrace_set_filter_ip(&refusal_ops, refusals->address, 0, 0);
	return ret;
}

/**
 * gdl_refusal_arm() - begin to ask at each call of some functions
 * @refusals: the functions' ftrace sites and who decides; ends with address 0
 *
 * Context: May sleep. Not armed yet.
 * Return: 0, -EBUSY if another user modifies one of the functions' calls
 * (livepatch) or ftrace is switched off (sysctl kernel.ftrace_enabled), or what
 * ftrace returned.
 */
int gdl_refusal_arm(struct gdl_refusal *refusals)
{
	int ret;

	refusal_ops = (struct ftrace_ops) {
		.func = gdl_refusal_entry,
		.private = refusals,
		.flags = FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_IPMODIFY |
			 FTRACE_OPS_FL_RECURSION | FTRACE_OPS_FL_PERMANENT,
	};
	ret = set_filter(refusals);
	if (!ret)
		ret = register_ftrace_function(&refusal_ops);
	if (ret)
		ftrace_free_filter(&refusal_ops);
	return ret;
}

/**
 * gdl_refusal_disarm() - stop asking; waits for decisions being made
 *
 * Context: May sleep. Armed by gdl_refusal_arm().
 */
void gdl_refusal_disarm(void)
{
	unregister_ftrace_function(&refusal_ops);
	ftrace_free_filter(&refusal_ops);
}

/**
 * gdl_refusal_exit() - wait until no task is in a refusing function
 *
 * A task may have been preempted in one; they do not sleep, so each has left it
 * once it has slept or run in user space.
 *
 * Context: May sleep. Refusals are disarmed.
 */
void gdl_refusal_exit(void)
{
	synchronize_rcu_tasks();
}
