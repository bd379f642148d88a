// SPDX-License-Identifier: GPL-2.0-only
/* gpu_dma_lock: who holds which GPU DMA buffer. Parameters, init and exit. */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/string.h>

#include "events.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

static bool observe = true;
module_param(observe, bool, 0444);
MODULE_PARM_DESC(observe, "1: hook the kernel's functions and track real buffers; 0: ledger only");

static char *hook = "auto";
module_param(hook, charp, 0444);
MODULE_PARM_DESC(hook, "How calls come to the hooks: direct (ftrace direct calls), divert (IPMODIFY), or auto: direct, and divert where that cannot be");

static char *policy = "audit";
module_param(policy, charp, 0444);
MODULE_PARM_DESC(policy, "What happens to real operations that a rule forbids, to begin with: off, audit or enforce");

static char *visibility = "all";
module_param(visibility, charp, 0444);
MODULE_PARM_DESC(visibility, "Which rows of the files are for readers without CAP_SYS_ADMIN: all, or own: those of their own agent");

module_param_named(agent_buffers_max, gdl_cap_max[GDL_CAP_BUFFERS], uint, 0644);
MODULE_PARM_DESC(agent_buffers_max, "The most buffers that an agent may have, real and ledger; agent 0 has no such limits");

module_param_named(agent_attachments_max, gdl_cap_max[GDL_CAP_ATTACHMENTS], uint, 0644);
MODULE_PARM_DESC(agent_attachments_max, "The most attachments that an agent may have");

module_param_named(agent_contexts_max, gdl_cap_max[GDL_CAP_CONTEXTS], uint, 0644);
MODULE_PARM_DESC(agent_contexts_max, "The most contexts that an agent may have: open DRM files and declared ones");

module_param_named(agent_mappings_max, gdl_cap_max[GDL_CAP_MAPPINGS], uint, 0644);
MODULE_PARM_DESC(agent_mappings_max, "The most live mappings for DMA that an agent may have");

module_param_named(tenant_lock_ms, gdl_tenant_lock_ms, uint, 0644);
MODULE_PARM_DESC(tenant_lock_ms, "How long one agent's locks by /dev/gpu_dma_lock may make another wait, of buffers that are not its own; 0: it gets none");

module_param_named(report_timeout, gdl_report_timeout, uint, 0644);
MODULE_PARM_DESC(report_timeout, "After how many seconds a report that was not made again is shown as stale; 0: never");

module_param_named(debug, gdl_debug, bool, 0644);
MODULE_PARM_DESC(debug, "1: log every event, rate limited");

/* The numbers of the words of parameters; -EINVAL if one is none of its words. */
static int __init parse_params(int *first_policy, int *mode, int *visible)
{
	*first_policy = gdl_policy_parse(policy);
	if (*first_policy < 0) {
		pr_err("policy: off, audit or enforce\n");
		return -EINVAL;
	}
	*mode = match_string(gdl_hook_mode_names, GDL_NR_HOOK_MODES, hook);
	if (*mode < 0) {
		pr_err("hook: auto, direct or divert\n");
		return -EINVAL;
	}
	*visible = match_string(gdl_visibility_names, GDL_NR_VISIBILITIES, visibility);
	if (*visible < 0) {
		pr_err("visibility: all or own\n");
		return -EINVAL;
	}
	return 0;
}

static int lock_init(void)
{
	gdl_lock_file_init();
	return gdl_lock_table_init();
}

static void lock_exit(void)
{
	gdl_lock_file_exit();
	gdl_lock_table_exit();
}

static void buffer_exit(void)
{
	gdl_buffer_drop_all();
	gdl_buffer_exit();
	gdl_perm_exit();
}

static void agent_exit(void)
{
	gdl_template_exit();
	gdl_agent_exit();
}

static void hotplug_exit(void)
{
	gdl_hotplug_exit();
	gdl_device_exit();
}

static int hook_mode;

static int observer_init(void)
{
	return gdl_observer_init(observe, hook_mode);
}

/* Commands that wait for a lock, and polls, would not end: they are told first. */
static void proc_exit(void)
{
	gdl_lock_stop();
	gdl_alert_stop();
	gdl_proc_exit();
}

/* What begins in this order, and ends in the reverse one. */
static const struct step {
	int (*init)(void);
	void (*exit)(void);
} steps[] = {
	{ gdl_alert_init, gdl_alert_exit },
	{ gdl_agent_init, agent_exit },
	{ gdl_binding_init, gdl_binding_exit },
	{ gdl_prime_init, gdl_prime_exit },
	{ lock_init, lock_exit },
	{ gdl_buffer_init, buffer_exit },
	{ gdl_report_init, gdl_report_exit },
	{ gdl_resource_init, gdl_resource_exit },
	{ gdl_attachment_init, gdl_attachment_exit },
	{ gdl_context_init, gdl_context_exit },
	{ gdl_hotplug_init, hotplug_exit },
	{ observer_init, gdl_observer_exit },
	{ gdl_cgroup_events_init, gdl_cgroup_events_exit },
	{ gdl_proc_init, proc_exit },
	/* The last, and the first to go: nobody has it open, or the module would not go. */
	{ gdl_chardev_init, gdl_chardev_exit },
};

/* End those that have begun, the last one first. */
static void end_steps(unsigned int begun)
{
	while (begun--)
		steps[begun].exit();
}

static int __init gdl_init(void)
{
	int first_policy, visible, ret;
	unsigned int i;

	ret = parse_params(&first_policy, &hook_mode, &visible);
	if (ret)
		return ret;
	gdl_reader_init(visible);
	gdl_policy_init(first_policy);
	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		ret = steps[i].init();
		if (ret) {
			end_steps(i);
			return ret;
		}
	}
	pr_info("loaded, %s, policy %s\n", observe ? "observing" : "ledger only",
		gdl_policy_names[first_policy]);
	return 0;
}
module_init(gdl_init);

static void __exit gdl_exit(void)
{
	end_steps(ARRAY_SIZE(steps));
	pr_info("unloaded\n");
}
module_exit(gdl_exit);

MODULE_DESCRIPTION("Tracks, limits and locks GPU DMA buffers; see /proc/swarm/gpu");
MODULE_AUTHOR("The gpu_dma_lock developers");
MODULE_LICENSE("GPL");
MODULE_VERSION("1.0.0");
