/* SPDX-License-Identifier: GPL-2.0-only */
/* What the wrappers of hooked functions share. */
#ifndef GDL_EVENTS_H
#define GDL_EVENTS_H

#include <linux/compiler.h>
#include <linux/errno.h>

#include "gpu_dma_lock.h"
#include "hook.h"

/* How often an event is tried again for which memory was short. */
#define GDL_EVENT_TRIES		8

extern const struct gdl_hook gdl_dmabuf_hooks[];
extern const unsigned int gdl_nr_dmabuf_hooks;
extern const struct gdl_hook gdl_drm_hooks[];
extern const unsigned int gdl_nr_drm_hooks;
extern const struct gdl_hook gdl_ttm_hooks[];
extern const unsigned int gdl_nr_ttm_hooks;
extern const struct gdl_hook gdl_nvidia_hooks[];
extern const unsigned int gdl_nr_nvidia_hooks;

int gdl_cgroup_events_init(void);
void gdl_cgroup_events_exit(void);

/* Each wrapper begins with it: until gdl_hook_end() the module stays. */
static __always_inline void gdl_hook_begin(enum gdl_hook_id id)
{
	this_cpu_inc(gdl_stats.hook_hits[id]);
}

static __always_inline void gdl_hook_end(void)
{
	/* Not a jump to the function, which would leave the count at once. */
	barrier();
	this_cpu_inc(gdl_stats.hook_calls_ended);
}

/*
 * The tables are changed under RCU, where memory is not waited for. Where it was
 * short, an event that may sleep waits for some and is tried again.
 */
static __always_inline bool again(int ret, unsigned int *tries)
{
	return unlikely(ret == -ENOMEM) && (*tries)++ < GDL_EVENT_TRIES &&
	       gdl_reclaim();
}

/* It could not be tracked: there was no memory, or it is larger than anything can be. */
static __always_inline bool untracked(int ret)
{
	return unlikely(ret == -ENOMEM || ret == -EFBIG);
}

/* What cannot be refused passes if it could not be tracked, and is counted. */
static __always_inline bool lost(int ret, enum gdl_hook_id id, enum gdl_stat stat)
{
	if (!untracked(ret))
		return false;
	gdl_stat_hook_failed(id);
	gdl_stat_lost(stat);
	return true;
}

/*
 * What can be refused is so if it could not be tracked, where the policy is to be
 * enforced: else a tenant that lets memory run short has no limit. Returns what to refuse with.
 */
static __always_inline int verdict(int ret, enum gdl_hook_id id, enum gdl_stat stat)
{
	if (untracked(ret) && gdl_policy_enforces()) {
		gdl_stat_inc(GDL_STAT_UNTRACKED_DENIED);
		return ret;
	}
	return lost(ret, id, stat) ? 0 : ret;
}

#endif /* GDL_EVENTS_H */
