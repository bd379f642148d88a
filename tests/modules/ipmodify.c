// SPDX-License-Identifier: GPL-2.0-only
/*
 * ipmodify: does what a live patch of dma_buf_export does to ftrace. It takes the one
 * place there that may change where the call goes, and changes nothing.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ftrace.h>
#include <linux/module.h>

#include "../../compat.h"

static void notrace ipmodify_entry(unsigned long ip, unsigned long parent_ip,
				   struct ftrace_ops *ops,
				   struct ftrace_regs *fregs)
{
}

static struct ftrace_ops ipmodify_ops = {
	.func = ipmodify_entry,
	.flags = GDL_FTRACE_OPS_DIVERT,
};

static int __init ipmodify_init(void)
{
	static unsigned char name[] = "dma_buf_export";
	int ret = ftrace_set_filter(&ipmodify_ops, name, sizeof(name) - 1, 0);

	if (!ret)
		ret = register_ftrace_function(&ipmodify_ops);
	if (ret)
		gdl_ftrace_free_filter(&ipmodify_ops);
	return ret;
}
module_init(ipmodify_init);

static void __exit ipmodify_exit(void)
{
	unregister_ftrace_function(&ipmodify_ops);
	gdl_ftrace_free_filter(&ipmodify_ops);
}
module_exit(ipmodify_exit);

MODULE_DESCRIPTION("Holds dma_buf_export as a live patch does");
MODULE_AUTHOR("The gpu_dma_lock developers");
MODULE_LICENSE("GPL");
