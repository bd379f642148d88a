// SPDX-License-Identifier: GPL-2.0-only
/*
 * pitchlock: lets vmwgfx drive QEMU's vmware-svga, which lacks a capability that the
 * driver wants (SVGA_CAP_PITCHLOCK) and makes no use of here: vmw_fifo_have_pitchlock()
 * says that it is there. To be inserted before vmwgfx.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/string.h>

static int say_yes(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	regs_set_return_value(regs, 1);
	return 0;
}

static struct kretprobe probe = {
	.kp.symbol_name	= "vmw_fifo_have_pitchlock",
	.handler	= say_yes,
};

static int module_event(struct notifier_block *nb, unsigned long action, void *data)
{
	const struct module *mod = data;
	int ret;

	if (action != MODULE_STATE_COMING || strcmp(mod->name, "vmwgfx"))
		return NOTIFY_DONE;
	ret = register_kretprobe(&probe);
	if (ret)
		pr_err("%s: %d\n", probe.kp.symbol_name, ret);
	return NOTIFY_OK;
}

/* Behind the kernel's own, which make a module's functions known. */
static struct notifier_block module_notifier = {
	.notifier_call	= module_event,
	.priority	= -10,
};

static int __init pitchlock_init(void)
{
	return register_module_notifier(&module_notifier);
}
module_init(pitchlock_init);

MODULE_DESCRIPTION("Lets vmwgfx drive QEMU's vmware-svga, for tests");
MODULE_LICENSE("GPL");
