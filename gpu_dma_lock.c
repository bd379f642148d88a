// SPDX-License-Identifier: GPL-2.0-only
/* gpu_dma_lock: who holds which GPU DMA buffer. Parameters, init and exit. */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/string.h>

#include "gpu_dma_lock.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

static bool observe = true;
module_param(observe, bool, 0444);
MODULE_PARM_DESC(observe, "1: place the probes and track real buffers; 0: ledger only");

static char *policy = "audit";
module_param(policy, charp, 0444);
MODULE_PARM_DESC(policy, "What happens to real operations that a rule forbids, to begin with: off, audit or enforce");

bool gdl_debug;
module_param_named(debug, gdl_debug, bool, 0644);
MODULE_PARM_DESC(debug, "1: log every event, rate limited");

static int __init gdl_init(void)
{
	int first_policy, ret;

	first_policy = match_string(gdl_policy_names, GDL_NR_POLICIES, policy);
	if (first_policy < 0) {
		pr_err("policy: off, audit or enforce\n");
		return -EINVAL;
	}
	ret = gdl_agent_init();
	if (ret)
		return ret;
	ret = gdl_binding_init();
	if (ret)
		goto out_agent;
	ret = gdl_prime_init();
	if (ret)
		goto out_binding;
	ret = gdl_lock_init();
	if (ret)
		goto out_prime;
	ret = gdl_buffer_init(gdl_lock_buffer_gone, gdl_perm_buffer_gone);
	if (ret)
		goto out_lock;
	ret = gdl_attachment_init();
	if (ret)
		goto out_buffer;
	ret = gdl_context_init();
	if (ret)
		goto out_attachment;
	ret = gdl_device_init(gdl_context_device_gone);
	if (ret)
		goto out_context;
	ret = gdl_probe_init(observe, first_policy);
	if (ret)
		goto out_device;
	ret = gdl_proc_init();
	if (ret)
		goto out_probe;
	pr_info("loaded, %s, policy %s\n", observe ? "observing" : "ledger only",
		gdl_policy_names[first_policy]);
	return 0;

out_probe:
	gdl_probe_exit();
out_device:
	gdl_device_exit();
out_context:
	gdl_context_exit();
out_attachment:
	gdl_attachment_exit();
out_buffer:
	gdl_buffer_exit();
out_lock:
	gdl_lock_exit();
out_prime:
	gdl_prime_exit();
out_binding:
	gdl_binding_exit();
out_agent:
	gdl_agent_exit();
	return ret;
}
module_init(gdl_init);

static void __exit gdl_exit(void)
{
	/* First, or commands that wait for a lock would not end. */
	gdl_lock_stop();
	gdl_proc_exit();
	gdl_probe_exit();
	gdl_device_exit();
	gdl_context_exit();
	gdl_attachment_exit();
	gdl_buffer_exit();
	gdl_perm_exit();
	gdl_lock_exit();
	gdl_prime_exit();
	gdl_binding_exit();
	gdl_agent_exit();
	pr_info("unloaded\n");
}
module_exit(gdl_exit);

MODULE_DESCRIPTION("Tracks, limits and locks GPU DMA buffers; see /proc/swarm/gpu");
MODULE_AUTHOR("The gpu_dma_lock developers");
MODULE_LICENSE("GPL");
MODULE_VERSION("1.0.0");
