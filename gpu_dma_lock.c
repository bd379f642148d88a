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

static int __init gdl_init(void)
{
	int first_policy, mode, visible, ret;

	ret = parse_params(&first_policy, &mode, &visible);
	if (ret)
		return ret;
	gdl_reader_init(visible);
	ret = gdl_alert_init();
	if (ret)
		return ret;
	ret = gdl_agent_init();
	if (ret)
		goto out_alert;
	ret = gdl_binding_init();
	if (ret)
		goto out_agent;
	ret = gdl_prime_init();
	if (ret)
		goto out_binding;
	gdl_lock_files_init();
	ret = gdl_lock_init();
	if (ret)
		goto out_prime;
	ret = gdl_buffer_init();
	if (ret)
		goto out_lock;
	ret = gdl_report_init();
	if (ret)
		goto out_buffer;
	ret = gdl_resource_init();
	if (ret)
		goto out_report;
	ret = gdl_attachment_init();
	if (ret)
		goto out_resource;
	ret = gdl_context_init();
	if (ret)
		goto out_attachment;
	ret = gdl_hotplug_init();
	if (ret)
		goto out_context;
	gdl_policy_init(first_policy);
	ret = gdl_observer_init(observe, mode);
	if (ret)
		goto out_hotplug;
	ret = gdl_cgroup_events_init();
	if (ret)
		goto out_observer;
	ret = gdl_proc_init();
	if (ret)
		goto out_cgroup_events;
	ret = gdl_chardev_init();
	if (ret)
		goto out_proc;
	pr_info("loaded, %s, policy %s\n", observe ? "observing" : "ledger only",
		gdl_policy_names[first_policy]);
	return 0;

out_proc:
	gdl_lock_stop();
	gdl_alert_stop();
	gdl_proc_exit();
	/* Commands may have made some by then. */
	gdl_perm_exit();
out_cgroup_events:
	gdl_cgroup_events_exit();
out_observer:
	gdl_observer_exit();
out_hotplug:
	gdl_hotplug_exit();
	gdl_device_exit();
out_context:
	gdl_context_exit();
out_attachment:
	gdl_attachment_exit();
out_resource:
	gdl_resource_exit();
out_report:
	gdl_report_exit();
out_buffer:
	gdl_buffer_drop_all();
	gdl_buffer_exit();
out_lock:
	gdl_lock_exit();
out_prime:
	gdl_prime_exit();
out_binding:
	gdl_binding_exit();
	gdl_template_exit();
out_agent:
	gdl_agent_exit();
out_alert:
	gdl_alert_exit();
	return ret;
}
module_init(gdl_init);

static void __exit gdl_exit(void)
{
	/* Nobody has it open, or the module would not go. */
	gdl_chardev_exit();
	/* Or commands that wait for a lock would not end. */
	gdl_lock_stop();
	gdl_alert_stop();
	gdl_proc_exit();
	gdl_cgroup_events_exit();
	gdl_observer_exit();
	gdl_hotplug_exit();
	gdl_device_exit();
	gdl_context_exit();
	gdl_attachment_exit();
	gdl_resource_exit();
	gdl_report_exit();
	gdl_buffer_drop_all();
	gdl_buffer_exit();
	gdl_perm_exit();
	gdl_lock_files_exit();
	gdl_lock_exit();
	gdl_prime_exit();
	gdl_binding_exit();
	gdl_template_exit();
	gdl_agent_exit();
	gdl_alert_exit();
	pr_info("unloaded\n");
}
module_exit(gdl_exit);

MODULE_DESCRIPTION("Tracks, limits and locks GPU DMA buffers; see /proc/swarm/gpu");
MODULE_AUTHOR("The gpu_dma_lock developers");
MODULE_LICENSE("GPL");
MODULE_VERSION("1.0.0");
