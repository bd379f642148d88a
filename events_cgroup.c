// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of cgroups (v2): they are made, before anybody can be in them, and removed, when
 * nobody is any more. Told by the kernel's tracepoints, which name the path too.
 *
 * The handlers are called with preemption disabled, on PREEMPT_RT too: they allocate no
 * memory there, and take raw spinlocks only.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cgroup.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

#include "events.h"

static struct tracepoint *mkdir_tracepoint, *rmdir_tracepoint;

/* TP_PROTO(struct cgroup *cgrp, const char *path) */
static void gdl_cgroup_mkdir(void *data, struct cgroup *cgrp, const char *path)
{
	/* Ids are unique in one hierarchy only, and bound are those of v2. */
	if (cgrp->root != &cgrp_dfl_root)
		return;
	rcu_read_lock();
	if (!gdl_binding_cgroup_made(cgrp, path))
		gdl_template_cgroup_made(cgrp, path);
	rcu_read_unlock();
}

/* Likewise */
static void gdl_cgroup_rmdir(void *data, struct cgroup *cgrp, const char *path)
{
	if (cgrp->root != &cgrp_dfl_root)
		return;
	rcu_read_lock();
	if (gdl_binding_cgroup_gone(cgrp))
		gdl_template_cgroup_gone();
	rcu_read_unlock();
}

static void find_tracepoint(struct tracepoint *tp, void *data)
{
	if (!strcmp(tp->name, "cgroup_mkdir"))
		mkdir_tracepoint = tp;
	if (!strcmp(tp->name, "cgroup_rmdir"))
		rmdir_tracepoint = tp;
}

/**
 * gdl_cgroup_events_init() - begin to follow cgroups
 *
 * Context: May sleep.
 * Return: 0, -ENOENT if the kernel has no such tracepoints, or what registering for
 * them returned.
 */
int gdl_cgroup_events_init(void)
{
	int ret;

	for_each_kernel_tracepoint(find_tracepoint, NULL);
	if (!mkdir_tracepoint || !rmdir_tracepoint)
		return -ENOENT;
	ret = tracepoint_probe_register(rmdir_tracepoint, gdl_cgroup_rmdir, NULL);
	if (ret)
		return ret;
	ret = tracepoint_probe_register(mkdir_tracepoint, gdl_cgroup_mkdir, NULL);
	if (!ret)
		return 0;
	tracepoint_probe_unregister(rmdir_tracepoint, gdl_cgroup_rmdir, NULL);
	tracepoint_synchronize_unregister();
	return ret;
}

/**
 * gdl_cgroup_events_exit() - follow cgroups no more
 *
 * Context: May sleep.
 */
void gdl_cgroup_events_exit(void)
{
	tracepoint_probe_unregister(mkdir_tracepoint, gdl_cgroup_mkdir, NULL);
	tracepoint_probe_unregister(rmdir_tracepoint, gdl_cgroup_rmdir, NULL);
	tracepoint_synchronize_unregister();
	gdl_template_stop();
}
