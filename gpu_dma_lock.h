/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gpu_dma_lock: internal types and the functions of each file.
 *
 * What protects a field is named by a letter behind it:
 *
 * C: constant from before the object is published until it is freed.
 * A: atomic.
 * M: written under gdl_agent_mutex, read under it or by READ_ONCE().
 * D: gdl_device_lock (spinlock, device.c).
 * Q: list changed under gdl_agent.lock, walked under RCU.
 * X: written under the xa_lock of gdl_buffers, read under it or under RCU by
 *    READ_ONCE().
 * G: cgroup_lock (raw spinlock, cgroup.c).
 * T: pool_lock (raw spinlock, template.c).
 * L: gdl_lock_lock (spinlock, claim.c); READ_ONCE() elsewhere.
 * P: perm_lock (spinlock, dma_perm.c); READ_ONCE() elsewhere.
 * I: the xa_lock of attachments (attachment.c); READ_ONCE() elsewhere.
 * U: the xa_lock of contexts (context.c); READ_ONCE() elsewhere.
 * E: written by the kernel's event on the object only; the object's own life
 *    cycle orders these events. Read by READ_ONCE().
 * None: only the task that has made it has it, or what is said above the structure.
 *
 * Lock ordering, outermost first:
 *
 *   p2p_lock				gdl_p2p_gone()
 *     gdl_lock_lock			gdl_attachment_remove(); all that it is outside of
 *   gdl_session.mutex			one open file of /proc/swarm/gpu
 *     report_mutex			gdl_report()
 *       gdl_agent.lock			gdl_agent_device_quota() from publish()
 *       gdl_buffers.xa_lock		set_size()
 *       exited_lock			take_exited()
 *     gdl_agent_mutex			gdl_agent_create() from a command
 *       gdl_device_lock		gdl_device_reap() from gdl_agent_reap()
 *       gdl_agent.lock			gdl_agent_device_quota() from hand_over()
 *       gdl_buffers.xa_lock		gdl_buffer_move()
 *       gdl_lock_lock			gdl_lock_drop_agent() from gdl_agents_remove()
 *         gdl_buffers.xa_lock		gdl_buffer_set_locked()
 *       declared_mutex			gdl_context_hand_over() from gdl_agents_remove()
 *       perm_lock			gdl_perm_grant_buffer()
 *         gdl_buffers.xa_lock		gdl_buffer_set_permitted()
 *         gdl_agent.buffer_perms.xa_lock
 *       gdl_memory_lock		gdl_memory_leave() from gdl_buffer_hand_over()
 *         gdl_buffers.xa_lock		inherit()
 *       agents.xa_lock			gdl_agent_create()
 *       bindings.xa_lock		gdl_bind_cgroup()
 *       cgroup_lock			gdl_bind_cgroup()
 *       pool_lock			publish_some()
 *
 * The kernel's cgroup_mutex is outside cgroup_lock and pool_lock, and inside
 * gdl_agent_mutex: cgroup_get_from_path() takes it in attach_present().
 *
 * The wrappers of hooked functions run in their callers' context, and take only the
 * spinlocks, and rhashtable's bucket locks. gdl_lock_lock and perm_lock are taken with
 * soft interrupts disabled, the bucket locks likewise, the other spinlocks with
 * interrupts disabled: of an event in hard interrupt context, or with interrupts off,
 * only a note is taken. See gdl_buffer_object_gone_atomic(). So what says of its context
 * "any but hard interrupt" is not for a caller with interrupts off, either.
 */
#ifndef GPU_DMA_LOCK_H
#define GPU_DMA_LOCK_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/completion.h>
#include <linux/dma-direction.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/proc_fs.h>
#include <linux/rbtree.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/rhashtable-types.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include "binding.h"
#include "compat.h"
#include "hook.h"

struct device;
struct drm_device;
struct dma_buf;
struct dma_buf_attachment;
struct dma_buf_export_info;
struct dma_buf_ops;
struct drm_file;
struct drm_gem_object;
struct file;
struct nvidia_p2p_page_table;
struct poll_table_struct;
struct seq_file;
struct sg_table;

/* A quota or capacity that is not limited; shown and written as "max". */
#define GDL_UNLIMITED	U64_MAX

/*
 * The most bytes one counter is let grow to. What cannot be refused may pass it, and has
 * as much again before the counter wraps.
 */
#define GDL_BYTES_MAX	BIT_ULL(62)

/*
 * The name of the process that @task is a thread of. Context: any; caller holds
 * rcu_read_lock(), or @task is the current one.
 */
static inline const char *gdl_process_name(const struct task_struct *task)
{
	return task->group_leader->comm;
}

#include "stats.h"
#include "agent.h"
#include "buffer.h"
#include "lock.h"
#include "perm.h"
#include "importer.h"
#include "proc.h"

/* hotplug.c: GPUs come and go */

int gdl_hotplug_init(void);
void gdl_hotplug_exit(void);
void gdl_hotplug_drm_gone(const struct drm_device *drm);

/* adopt.c: what was there before the module was loaded */

void gdl_adopt_devices(void);
void gdl_adopt_open_files(void);

/* agent_remove.c: the end of agents */

void gdl_agents_remove(struct gdl_agent **agents, unsigned int nr);
int gdl_agent_remove(u64 id);

/* hook.c and events_*.c: see hook.h, events.h */

/* observer.c: where and when hooks are placed */

int gdl_observer_init(bool on, enum gdl_hook_mode mode);
void gdl_observer_exit(void);

#endif /* GPU_DMA_LOCK_H */
