// SPDX-License-Identifier: GPL-2.0-only
/*
 * namesake: has functions of its own of the same names as those that gpu_dma_lock finds
 * by name. They are called by a write to the parameter `calls`, so many times.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/module.h>

static unsigned long done;
module_param(done, ulong, 0444);
MODULE_PARM_DESC(done, "Calls that came through");

static noinline void dma_buf_release(unsigned long *count)
{
	barrier();
	WRITE_ONCE(*count, *count + 1);
}

static noinline int dma_buf_mmap_internal(unsigned long *count)
{
	barrier();
	WRITE_ONCE(*count, *count + 1);
	return 0;
}

static int set_calls(const char *text, const struct kernel_param *param)
{
	unsigned int calls;
	int ret = kstrtouint(text, 10, &calls);

	for (; !ret && calls; calls--) {
		dma_buf_release(&done);
		ret = dma_buf_mmap_internal(&done);
	}
	return ret;
}

static const struct kernel_param_ops calls_ops = {
	.set = set_calls,
};
module_param_cb(calls, &calls_ops, NULL, 0200);
MODULE_PARM_DESC(calls, "How often to call them");

static int __init namesake_init(void)
{
	return 0;
}
module_init(namesake_init);

static void __exit namesake_exit(void)
{
}
module_exit(namesake_exit);

MODULE_DESCRIPTION("Functions of the same names as others, for tests");
MODULE_LICENSE("GPL");
