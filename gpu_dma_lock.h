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
 * L: gdl_lock_lock (spinlock, buffer_lock.c); READ_ONCE() elsewhere.
 * P: perm_lock (spinlock, dma_perm.c); READ_ONCE() elsewhere.
 * E: written by the kernel's event on the object only; the object's own life
 *    cycle orders these events. Read by READ_ONCE().
 *
 * Lock ordering, outermost first:
 *
 *   gdl_session.mutex			one open file of /proc/swarm/gpu
 *     gdl_agent_mutex			gdl_agent_create() from a command
 *       gdl_device_lock		gdl_device_reap() from gdl_agent_reap()
 *       gdl_agent.lock			gdl_agent_device_quota() from hand_over()
 *       gdl_buffers.xa_lock		hand_over()
 *       gdl_lock_lock			gdl_lock_drop_agent() from remove_agent()
 *         gdl_buffers.xa_lock		gdl_buffer_set_locked()
 *       declared_mutex			gdl_context_hand_over() from remove_agent()
 *       perm_lock			gdl_perm_grant_buffer()
 *         gdl_buffers.xa_lock		gdl_buffer_set_permitted()
 *         gdl_agent.buffer_perms.xa_lock
 *       agents.xa_lock			gdl_agent_create()
 *       bindings.xa_lock		gdl_bind_cgroup()
 *
 * Probe handlers run with preemption disabled and take only the spinlocks, and
 * rhashtable's bucket locks. gdl_lock_lock and perm_lock are taken with soft
 * interrupts disabled, the bucket locks likewise, the other spinlocks with
 * interrupts disabled: an event in hard interrupt context is counted as failed, not
 * tracked.
 */
#ifndef GPU_DMA_LOCK_H
#define GPU_DMA_LOCK_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/dma-direction.h>
#include <linux/ftrace.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/rhashtable-types.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include "compat.h"

struct drm_device;
struct dma_buf;
struct dma_buf_attachment;
struct dma_buf_export_info;
struct dma_buf_ops;
struct drm_file;
struct drm_gem_object;
struct file;
struct sg_table;

/* A quota or capacity that is not limited; shown and written as "max". */
#define GDL_UNLIMITED	U64_MAX

/* The most bytes one counter is let grow to, so that sums cannot wrap. */
#define GDL_BYTES_MAX	((u64)S64_MAX)

/* stats.c: per-CPU counters */

enum gdl_stat {
	GDL_STAT_BUFFERS_CREATED,
	GDL_STAT_BUFFERS_FREED,
	GDL_STAT_BUFFERS_ADOPTED,
	GDL_STAT_BUFFERS_STALE,
	GDL_STAT_BUFFERS_LOST,
	GDL_STAT_ATTACHMENTS_STALE,
	GDL_STAT_ATTACHMENTS_LOST,
	GDL_STAT_CONTEXTS_STALE,
	GDL_STAT_CONTEXTS_LOST,
	GDL_STAT_DEVICES_LOST,
	GDL_STAT_EXPORTERS_FULL,
	GDL_STAT_LEDGER_ALLOCATED,
	GDL_STAT_LEDGER_FREED,
	GDL_STAT_QUOTA_DENIED,
	GDL_STAT_QUOTA_AUDITED,
	GDL_STAT_CAPACITY_DENIED,
	GDL_STAT_CAPACITY_AUDITED,
	GDL_STAT_LOCKS_ACQUIRED,
	GDL_STAT_LOCKS_CONTENDED,
	GDL_STAT_LOCKS_DEADLOCKS,
	GDL_STAT_LOCKS_TIMEOUTS,
	GDL_STAT_LOCKS_WAIT_NS,
	GDL_STAT_LOCKS_DENIED,
	GDL_STAT_LOCKS_AUDITED,
	GDL_STAT_LOCKS_LOST,
	GDL_STAT_DMA_CHECKS,
	GDL_STAT_DMA_CHECKS_DENIED,
	GDL_STAT_DMA_DENIED,
	GDL_STAT_DMA_AUDITED,
	GDL_STAT_DMA_SEGMENTS_OUTSIDE,
	GDL_STAT_DMA_SEGMENTS_UNCHECKED,
	GDL_STAT_COMMANDS,
	GDL_STAT_COMMANDS_FAILED,
	GDL_STAT_COMMANDS_FAILED_AT_CLOSE,
	GDL_NR_STATS,
};

enum gdl_probe_id {
	GDL_PROBE_CANARY,
	GDL_PROBE_DMA_BUF_EXPORT,
	GDL_PROBE_DMA_BUF_RELEASE,
	GDL_PROBE_ATTACH,
	GDL_PROBE_DETACH,
	GDL_PROBE_MAP,
	GDL_PROBE_UNMAP,
	GDL_PROBE_PIN,
	GDL_PROBE_UNPIN,
	GDL_PROBE_MMAP_FILE,
	GDL_PROBE_MMAP,
	GDL_PROBE_GEM_OBJECT_INIT,
	GDL_PROBE_GEM_INIT,
	GDL_PROBE_GEM_FREE,
	GDL_PROBE_GEM_RELEASE,
	GDL_PROBE_GEM_IMPORT,
	GDL_PROBE_FILE_ALLOC,
	GDL_PROBE_FILE_FREE,
	GDL_PROBE_FILE_RELEASE,
	GDL_PROBE_FILE_RELEASE_NOGLOBAL,
	GDL_PROBE_DRM_UNREGISTER,
	GDL_NR_PROBES,
};

struct gdl_stats {
	u64 count[GDL_NR_STATS];
	u64 probe_hits[GDL_NR_PROBES];
	u64 probe_failed[GDL_NR_PROBES];
};

DECLARE_PER_CPU(struct gdl_stats, gdl_stats);

#define gdl_stat_inc(stat)		this_cpu_inc(gdl_stats.count[stat])
#define gdl_stat_add(stat, n)		this_cpu_add(gdl_stats.count[stat], n)
#define gdl_stat_probe_hit(probe)	this_cpu_inc(gdl_stats.probe_hits[probe])
#define gdl_stat_probe_failed(probe)	this_cpu_inc(gdl_stats.probe_failed[probe])

const char *gdl_stat_name(enum gdl_stat stat);
void gdl_stats_read(struct gdl_stats *sum);
void gdl_stats_reset(void);
bool gdl_stats_lossy(void);

/* device.c: GPUs */

/* Bytes held against a limit. */
struct gdl_quota {
	atomic64_t used;			/* A: bytes */
	atomic64_t peak;			/* A: bytes */
	atomic64_t denied;			/* A: charges over the limit */
	u64 limit;				/* A: bytes or GDL_UNLIMITED */
};

#define GDL_DEVICE_NAME_LEN	32

struct gdl_device {
	struct list_head list;			/* D, walked under RCU */
	u64 id;					/* C */
	struct gdl_quota capacity;
	atomic64_t buffers;			/* A */
	atomic64_t contexts;			/* A */
	u64 active_context;			/* declared_mutex: its id, or 0 */
	u64 bar_size;				/* C: largest prefetchable BAR, or 0 */
	const void *parent;			/* D: struct device, NULL once gone */
	const void *drm;			/* D: last drm_device seen, or NULL */
	bool pci;				/* C: found by the PCI scan */
	bool gone;				/* D: takes no new buffers */
	bool reapable;				/* M: gone since a grace period */
	refcount_t refs;			/* A: the list's, quotas' and contexts' */
	struct rcu_head rcu;
	char name[GDL_DEVICE_NAME_LEN];		/* C */
	char bus[16];				/* C */
	char driver[GDL_DEVICE_NAME_LEN];	/* D */
};

/* Owns the buffers of no GPU: udmabuf, dma-heaps, unknown exporters. */
extern struct gdl_device gdl_no_device;

int gdl_device_init(void (*gone)(void));
void gdl_device_exit(void);
struct gdl_device *gdl_device_lookup(u64 id);
struct gdl_device *gdl_device_next(u64 id);
struct gdl_device *gdl_device_of_drm(const struct drm_device *drm);
int gdl_device_set_capacity(u64 id, u64 limit);
void gdl_device_drm_gone(const struct drm_device *drm);
void gdl_device_driver(struct gdl_device *device, char *buf);
bool gdl_device_get(struct gdl_device *device);
void gdl_device_put(struct gdl_device *device);
void gdl_device_reap_begin(void);
void gdl_device_reap(void);

/* agent.c: tenants, their quotas, charge and uncharge */

/* The most agents there can be, agent 0 included. */
#define GDL_AGENTS_MAX	65536

/* Ranges of addresses; see dma_range.c. */
struct gdl_ranges {
	struct gdl_range_index __rcu *index;	/* M, read under RCU; NULL: none */
	u64 nr;					/* M */
};

struct gdl_agent {
	/* What a DMA check reads is apart from what charges and locks write. */
	struct rhash_head node;			/* rhashtable's */
	u64 id;					/* C */
	struct gdl_ranges ranges;		/* that it may DMA to */

	struct gdl_quota quota ____cacheline_aligned_in_smp;
	atomic64_t buffers;			/* A */
	atomic64_t bindings;			/* A */
	spinlock_t lock;
	struct hlist_head device_quotas;	/* Q */
	atomic64_t locks;			/* A: locks held */
	atomic64_t waiting;			/* A: locks waited for */
	struct list_head lock_waiters;		/* L: gdl_claim.of_agent */
	struct list_head lock_todo;		/* L: of a search in lock_graph.c */
	u64 lock_search;			/* L: the last search that found it */
	struct xarray buffer_perms;		/* P, walked under RCU: by buffer id */
	u64 nr_buffer_perms;			/* P */
	struct rcu_head rcu;
};

/* An agent's quota on one device, and what it holds there. */
struct gdl_device_quota {
	struct hlist_node node;			/* Q */
	struct gdl_agent *agent;		/* C */
	struct gdl_device *device;		/* C, with a reference */
	struct gdl_quota quota;
	struct rcu_head rcu;
};

extern struct gdl_agent gdl_host;
extern struct mutex gdl_agent_mutex;

/* What happens to real operations that a rule forbids. */
enum gdl_policy {
	GDL_POLICY_OFF,		/* the rules are not looked at */
	GDL_POLICY_AUDIT,	/* it goes on, is counted and traced */
	GDL_POLICY_ENFORCE,	/* it is refused */
	GDL_NR_POLICIES,
};

extern const char * const gdl_policy_names[GDL_NR_POLICIES];

enum gdl_policy gdl_policy_get(void);
void gdl_policy_set(enum gdl_policy to);

int gdl_agent_init(void);
void gdl_agent_exit(void);
void gdl_agent_reap(void);
struct gdl_agent *gdl_agent_lookup(u64 id);
struct gdl_agent *gdl_agent_lookup_rcu(u64 id);
struct gdl_agent *gdl_agent_next(u64 id);
struct gdl_agent *gdl_agent_lookup_or_create(u64 id);
int gdl_agent_create(u64 id, u64 limit);
int gdl_agent_remove_begin(u64 id, struct gdl_agent **agent);
void gdl_agent_remove_end(struct gdl_agent *agent);
int gdl_agent_set_quota(u64 id, u64 limit);
int gdl_agent_set_device_quota(u64 id, u64 limit, u64 device_id);
struct gdl_device_quota *gdl_agent_device_quota(struct gdl_agent *agent,
						struct gdl_device *device,
						gfp_t gfp);
struct gdl_device_quota *gdl_agent_next_device_quota(struct gdl_agent *agent,
						     u64 device_id);
int gdl_try_charge(struct gdl_device_quota *dq, u64 size);
bool gdl_charge(struct gdl_device_quota *dq, u64 size);
void gdl_charge_move(struct gdl_device_quota *from, struct gdl_device_quota *to,
		     u64 size);
int gdl_charge_overrun(struct gdl_device_quota *dq, u64 size);
void gdl_uncharge(struct gdl_device_quota *dq, u64 size);

/* binding.c: which agent a process works for */

/* The most bindings there can be. */
#define GDL_BINDINGS_MAX	65536

struct gdl_binding_row {
	u64 id;
	u64 agent_id;
	bool is_cgroup;				/* else a process */
	pid_t pid;
	char *path;				/* of PATH_MAX bytes */
};

int gdl_binding_init(void);
void gdl_binding_exit(void);
int gdl_bind_cgroup(u64 agent_id, const char *path);
int gdl_bind_pid(u64 agent_id, u64 nr);
int gdl_unbind_cgroup(u64 agent_id, const char *path);
int gdl_unbind_pid(u64 agent_id, u64 nr);
void gdl_binding_drop_agent(const struct gdl_agent *agent);
struct gdl_agent *gdl_agent_of(struct task_struct *task);
u64 gdl_binding_last_id(void);
bool gdl_binding_next(struct gdl_binding_row *row, struct pid_namespace *ns);

/* prime.c: GEM objects and dma-bufs of one another */

struct gdl_import;

int gdl_prime_init(void);
void gdl_prime_exit(void);
const struct drm_gem_object *gdl_prime_object(const struct dma_buf_ops *ops,
					      const void *priv);
void gdl_prime_forget(void);
struct gdl_import *gdl_import_begin(void);
void gdl_import_end(struct gdl_import *import);
bool gdl_import_running(void);

/* buffer_id.c: buffers by id */

struct gdl_buffer;

extern struct xarray gdl_buffers;

int gdl_id_init(void);
void gdl_id_exit(void);
int gdl_id_give(struct gdl_buffer *b);
void gdl_id_show(struct gdl_buffer *b);
bool gdl_id_take(struct gdl_buffer *b);
bool gdl_id_held(const struct gdl_buffer *b);
void gdl_id_mark_locked(struct gdl_buffer *b, bool locked);
struct gdl_buffer *gdl_id_find(u64 id);
struct gdl_buffer *gdl_id_next(u64 id, bool locked);
u64 gdl_id_last(void);

/* dma_track.c: buffers */

enum gdl_kind {
	GDL_KIND_GEM,
	GDL_KIND_DMABUF,
	GDL_KIND_LEDGER,
	GDL_NR_KINDS,
};

/*
 * The kernel objects behind a buffer; its row stays until the last is gone.
 * None is a claim made at the entry of dma_buf_export, not shown yet.
 */
#define GDL_LIVE_GEM	BIT(0)
#define GDL_LIVE_DMABUF	BIT(1)
#define GDL_LIVE_LEDGER	BIT(2)

struct gdl_buffer {
	struct rhash_head node;			/* rhashtable's */
	const void *object;			/* C: the key: a GEM object or dma-buf */
	u64 id;					/* C */
	u64 size;				/* C: bytes */
	struct gdl_device_quota *dq;		/* X: agent and device it is charged to */
	const void *dmabuf;			/* E: the exported dma-buf, or NULL */
	unsigned long inode;			/* E: of dmabuf, as in fdinfo */
	dma_addr_t dma_addr;			/* E: of the last mapping, or 0 */
	struct pid *pid;			/* C: creator's thread group */
	unsigned long created;			/* C: jiffies */
	atomic_t live;				/* A: GDL_LIVE_* */
	atomic_t attachments;			/* A */
	u8 kind;				/* C: enum gdl_kind */
	u8 exporter;				/* E: see gdl_exporter_name() */
	bool claimed;				/* E: charged before it is initialised */
	bool overrun;				/* E: charged over a limit to be enforced */
	bool adopted;				/* C: older than it was first seen */
	bool locked;				/* X: there is a gdl_buffer_lock */
	bool permitted;				/* X: perms may have some */
	u8 lock_mode;				/* L: of its holders, GDL_LOCK_NONE: none */
	struct hlist_head perms;		/* P: gdl_buffer_perm.of_buffer */
	struct gdl_id_chunk *chunk;		/* C: where its id is */
	struct gdl_buffer *next_removed;	/* X */
	char comm[TASK_COMM_LEN];		/* C: creator's */
};

/* No GEM object's size: the argument that lets its initialisation fail. */
#define GDL_GEM_SIZE_REFUSED	((u64)PAGE_MASK)

extern const char * const gdl_kind_names[GDL_NR_KINDS];

int gdl_buffer_init(void (*locked_gone)(u64 id),
		    void (*permitted_gone)(struct gdl_buffer *b));
void gdl_buffer_exit(void);
struct gdl_buffer *gdl_buffer_create(enum gdl_kind kind,
				     struct gdl_device *device, u64 size,
				     struct task_struct *task, bool enforce);
bool gdl_buffer_set_object(struct gdl_buffer *b, const void *object);
struct gdl_buffer *gdl_buffer_of_object(const void *object);
void gdl_buffer_object_gone(struct gdl_buffer *b, int live);
bool gdl_buffer_remove(struct gdl_buffer *b);
struct gdl_buffer *gdl_buffer_lookup(u64 id);
struct gdl_buffer *gdl_buffer_next(u64 id);
bool gdl_buffer_set_locked(u64 id, bool locked);
struct gdl_buffer *gdl_buffer_set_permitted(u64 id);
int gdl_buffer_allocate(u64 agent_id, u64 size, u64 device_id, u64 *id);
int gdl_buffer_free(u64 id);
void gdl_buffer_hand_over(const struct gdl_agent *agent);
void gdl_buffer_drop_gem(void);

/* object.c: the GEM objects and dma-bufs behind buffers */

const char *gdl_exporter_name(u8 exporter);
int gdl_gem_claim(const struct drm_device *drm,
		  const struct drm_gem_object *gem, u64 size);
bool gdl_gem_init(const struct drm_device *drm,
		  const struct drm_gem_object *gem, u64 size);
void gdl_gem_release(const struct drm_gem_object *gem);
void gdl_gem_failed(const struct drm_gem_object *gem);
int gdl_dmabuf_export_begin(const struct dma_buf_export_info *info, bool enforce,
			    u64 *claim);
bool gdl_dmabuf_export_end(const struct dma_buf *dmabuf, u64 claim);
void gdl_dmabuf_export_failed(u64 claim);
struct gdl_buffer *gdl_buffer_of_dmabuf(const struct dma_buf *dmabuf);
bool gdl_dmabuf_adopt(const struct dma_buf *dmabuf, struct task_struct *task);
void gdl_dmabuf_release(const struct dma_buf *dmabuf);

/* buffer_lock.c: shared and exclusive locks */

enum gdl_lock_mode {
	GDL_LOCK_SHARED,
	GDL_LOCK_EXCLUSIVE,
	GDL_NR_LOCK_MODES,
	GDL_LOCK_NONE = GDL_NR_LOCK_MODES,
};

extern const char * const gdl_lock_mode_names[GDL_NR_LOCK_MODES];

struct gdl_sleeper;

/* A holder of a lock, or a waiter for it. */
struct gdl_claim {
	struct list_head list;			/* in holders or waiters of the lock */
	struct list_head of_agent;		/* a waiter: in gdl_agent.lock_waiters */
	struct gdl_buffer_lock *lock;
	struct gdl_agent *agent;
	enum gdl_lock_mode mode;
	s64 order;				/* rises along holders, and waiters */
	u64 attachment_id;			/* of a DMA mapping, 0: of a lock */
	unsigned int mappings;			/* of that attachment, in this mode */
	struct gdl_sleeper *sleeper;		/* of a waiter, else NULL */
	struct pid *pid;
	unsigned long since;			/* jiffies */
	char comm[TASK_COMM_LEN];
};

/* The holders and waiters of one buffer; there is at least one of them. */
struct gdl_buffer_lock {
	struct rhash_head node;
	u64 buffer_id;				/* the key */
	struct list_head holders;
	struct list_head waiters;
	s64 last_order;
};

extern spinlock_t gdl_lock_lock;

int gdl_lock_init(void);
void gdl_lock_stop(void);
void gdl_lock_exit(void);
int gdl_lock(u64 buffer_id, u64 agent_id, enum gdl_lock_mode mode, bool nowait,
	     u64 timeout_ms);
int gdl_unlock(u64 buffer_id, u64 agent_id);
int gdl_lock_free_buffer(u64 buffer_id);
void gdl_lock_buffer_gone(u64 buffer_id);
void gdl_lock_drop_agent(const struct gdl_agent *agent);
u64 gdl_lock_longest_wait(void);
void gdl_lock_reset_longest_wait(void);
struct gdl_buffer_lock *gdl_lock_find(u64 buffer_id);
struct gdl_buffer_lock *gdl_lock_get(u64 buffer_id, gfp_t gfp, int *error);
void gdl_lock_put(struct gdl_buffer_lock *lock);
void gdl_lock_settle(struct gdl_buffer_lock *lock);
struct gdl_claim *gdl_claim_alloc(struct gdl_agent *agent,
				  enum gdl_lock_mode mode, gfp_t gfp);
bool gdl_claim_conflicts(const struct gdl_claim *holder,
			 const struct gdl_agent *agent, enum gdl_lock_mode mode);
void gdl_holder_add(struct gdl_buffer_lock *lock, struct gdl_claim *c);
void gdl_holder_drop(struct gdl_claim *c);

/* lock_graph.c: who waits for whom */

/* The most agents that a row names as blocking it. */
#define GDL_LOCK_ROW_BLOCKERS	16

struct gdl_lock_row {
	u64 buffer_id;
	s64 order;
	s64 last_order;				/* of this buffer, when it was come to */
	u64 agent_id;
	pid_t pid;
	unsigned long since;			/* jiffies */
	enum gdl_lock_mode mode;
	bool waiting;
	bool dma;
	bool more_blockers;
	unsigned int nr_blockers;
	u64 blockers[GDL_LOCK_ROW_BLOCKERS];
	char comm[TASK_COMM_LEN];
};

bool gdl_lock_closes_cycle(const struct gdl_claim *c);
bool gdl_lock_next(struct gdl_lock_row *row, struct pid_namespace *ns);

/* dma_hold.c: DMA mappings as holders */

int gdl_lock_check(u64 buffer_id, const struct gdl_agent *agent,
		   enum gdl_lock_mode mode, const char *use, bool enforce);
int gdl_lock_dma_begin(u64 buffer_id, u64 attachment_id, struct gdl_agent *agent,
		       enum gdl_lock_mode mode, bool enforce);
void gdl_lock_dma_end(u64 buffer_id, u64 attachment_id, enum gdl_lock_mode mode,
		      bool all);

/* dma_range.c: sets of address ranges */

struct gdl_range {
	u64 start, last;
	unsigned int mode;			/* GPU_DMA_LOCK_* */
};

bool gdl_ranges_allow(const struct gdl_ranges *ranges, u64 start, u64 last,
		      unsigned int mode);
bool gdl_ranges_next(const struct gdl_ranges *ranges, u64 addr,
		     struct gdl_range *found);
bool gdl_ranges_empty(const struct gdl_ranges *ranges);
int gdl_ranges_store(struct gdl_ranges *ranges, const struct gdl_range *new, u64 max);
void gdl_ranges_clear(struct gdl_ranges *ranges);

/* dma_perm.c: what an agent may DMA to; see gpu_dma_lock_check.h too */

/* The most ranges and permissions on buffers that an agent can have. */
#define GDL_PERMS_MAX	1048576

/* A rule of the file dma_permissions. */
struct gdl_perm_row {
	bool buffer;				/* on buffer @start, else on a range */
	u64 agent_id;
	u64 start, last;
	unsigned int mode;			/* GPU_DMA_LOCK_* */
};

int gdl_perm_grant_range(u64 agent_id, u64 start, u64 last, unsigned int mode,
			 bool create);
int gdl_perm_revoke_range(u64 agent_id, u64 start, u64 last);
int gdl_perm_grant_buffer(u64 agent_id, u64 buffer_id, unsigned int mode,
			  bool create);
int gdl_perm_revoke_buffer(u64 agent_id, u64 buffer_id);
int gdl_perm_revoke_all(u64 agent_id);
int gdl_perm_check_buffer(u64 agent_id, u64 buffer_id, unsigned int mode);
int gdl_perm_check_attach(const struct gdl_buffer *b, struct gdl_agent *agent,
			  bool enforce);
int gdl_perm_check_map(const struct gdl_buffer *b, struct gdl_agent *agent,
		       enum dma_data_direction direction, bool enforce);
void gdl_perm_audit_mapping(const struct gdl_buffer *b,
			    const struct sg_table *sgt,
			    enum dma_data_direction direction);
void gdl_perm_drop_agent(struct gdl_agent *agent);
void gdl_perm_buffer_gone(struct gdl_buffer *b);
bool gdl_perm_next(struct gdl_perm_row *row);
void gdl_perm_exit(void);

/* attachment.c: devices that import a buffer */

#define GDL_NR_DIRECTIONS	DMA_NONE

struct gdl_attachment {
	struct rhash_head node;			/* rhashtable's */
	const void *attach;			/* C: the key: a dma_buf_attachment */
	u64 id;					/* C */
	u64 buffer_id;				/* C */
	u64 agent_id;				/* importer's; 0 once it is removed */
	struct pid *pid;			/* C: importer's thread group */
	unsigned long created;			/* C: jiffies */
	atomic_t mapped[GDL_NR_DIRECTIONS];	/* A: by enum dma_data_direction */
	atomic_t pinned;			/* A */
	bool peer2peer;				/* C */
	bool adopted;				/* C: what was mapped before is unknown */
	struct rcu_head rcu;
	char comm[TASK_COMM_LEN];		/* C: importer's */
	char importer[GDL_DEVICE_NAME_LEN];	/* C */
};

extern const char * const gdl_direction_names[GDL_NR_DIRECTIONS];

int gdl_attachment_init(void);
void gdl_attachment_exit(void);
bool gdl_attachment_create(const struct dma_buf_attachment *attach);
void gdl_attachment_adopt(const struct dma_buf_attachment *attach,
			  struct task_struct *task);
void gdl_attachment_remove(const struct dma_buf_attachment *attach);
int gdl_attachment_check(const struct dma_buf *dmabuf, bool enforce);
int gdl_attachment_check_mmap(const struct dma_buf *dmabuf, bool write,
			      bool enforce);
int gdl_attachment_map_begin(const struct dma_buf_attachment *attach,
			     enum dma_data_direction direction, bool enforce);
void gdl_attachment_map_end(const struct dma_buf_attachment *attach,
			    const struct sg_table *sgt,
			    enum dma_data_direction direction);
void gdl_attachment_unmap(const struct dma_buf_attachment *attach,
			  enum dma_data_direction direction);
void gdl_attachment_pin(const struct dma_buf_attachment *attach);
void gdl_attachment_unpin(const struct dma_buf_attachment *attach);
u64 gdl_attachment_last_id(void);
struct gdl_attachment *gdl_attachment_next(u64 id);
void gdl_attachment_hand_over(u64 agent_id);

/* context.c: agents' use of devices */

/* The most declared contexts there can be. */
#define GDL_CONTEXTS_MAX	65536

struct gdl_context {
	struct rhash_head node;			/* rhashtable's */
	const void *file;			/* C: the key: a drm_file; NULL: declared */
	u64 id;					/* C */
	u64 agent_id;				/* 0 once it is removed */
	u64 switches;				/* declared_mutex: times made active */
	struct gdl_device *device;		/* C, with a reference */
	struct pid *pid;			/* C: opener's thread group */
	unsigned long created;			/* C: jiffies */
	bool adopted;				/* C: older than it was first seen */
	struct rcu_head rcu;
	char comm[TASK_COMM_LEN];		/* C: opener's */
};

int gdl_context_init(void);
void gdl_context_exit(void);
bool gdl_context_open(const struct drm_file *file);
void gdl_context_adopt(const struct drm_file *file, struct task_struct *task);
void gdl_context_close(const struct drm_file *file);
int gdl_context_declare(u64 agent_id, u64 device_id, u64 *id);
int gdl_context_destroy(u64 id);
int gdl_context_switch(u64 device_id, u64 id);
void gdl_context_hand_over(u64 agent_id);
void gdl_context_device_gone(void);
u64 gdl_context_last_id(void);
struct gdl_context *gdl_context_next(u64 id);
const char *gdl_context_state(const struct gdl_context *c);

/* adopt.c: what was open before the module was loaded */

void gdl_adopt_open_files(void);

/* refuse.c: kernel functions that return an error without running */

struct gdl_refusal {
	int (*decide)(struct pt_regs *regs);	/* C: 0 or the error */
	enum gdl_probe_id probe;		/* C: on the same function */
	unsigned long address;			/* under policy_mutex: its ftrace site */
};

int gdl_refusal_arm(struct gdl_refusal *refusals);
void gdl_refusal_disarm(void);
void gdl_refusal_exit(void);

/* event.c: kernel events, handed to the files above */

/* Watched by a kretprobe if it has a return handler, else by a kprobe. */
struct gdl_event {
	const char *symbol;
	bool in_drm;				/* drm.ko's */
	bool ends;				/* what other events begin: placed first */
	kprobe_pre_handler_t enter;
	kretprobe_handler_t begin, end;
	size_t data_size;			/* of what begin leaves for end */
};

extern const struct gdl_event gdl_events[GDL_NR_PROBES];
#define GDL_NR_REFUSALS	5

extern struct gdl_refusal gdl_refusals[GDL_NR_REFUSALS + 1];

bool gdl_event_canary(void);
void gdl_event_drop_decisions(void);

/* probe.c: placing the probes */

struct gdl_probe_status {
	const char *symbol;
	const char *reason;			/* why it is not armed, or NULL */
	u64 missed;				/* since the last reset */
	bool armed;
};

int gdl_probe_init(bool observe, enum gdl_policy policy);
void gdl_probe_exit(void);
int gdl_probe_set_policy(enum gdl_policy policy);
void gdl_probe_status(enum gdl_probe_id id, struct gdl_probe_status *status);
bool gdl_probe_canary(void);
bool gdl_probe_lossy(void);
void gdl_probe_reset_missed(void);

/* command.c: the grammar of the writable files */

#define GDL_WORDS_MAX	6		/* in a line */

/* Between a command and who gave it. */
struct gdl_reply {
	bool may_wait;				/* for a lock; else that fails at once */
	s64 id;					/* that he is to be told, or 0 */
};

/* Run the words of one line. */
typedef int (*gdl_line_fn)(struct gdl_reply *reply, int argc, char **argv);

int gdl_command_control(struct gdl_reply *reply, int argc, char **argv);
int gdl_command_quota(struct gdl_reply *reply, int argc, char **argv);
int gdl_command_perm(struct gdl_reply *reply, int argc, char **argv);
size_t gdl_command_usage(char *text, size_t size);

/* session.c: open files that commands are written to */

struct gdl_session;

struct gdl_session *gdl_session_open(struct file *file, gdl_line_fn run);
void gdl_session_close(struct gdl_session *session);
ssize_t gdl_session_write(struct gdl_session *session, const char __user *buf,
			  size_t count);
ssize_t gdl_session_read(struct gdl_session *session, char __user *buf,
			 size_t count);

/* table.c: the rows of /proc/swarm/gpu */

struct gdl_table;

/* Where a reader of a table is. */
struct gdl_cursor {
	const struct gdl_table *table;
	struct gdl_session *session;	/* of a file that can be written, else NULL */
	u64 id;				/* of the current row */
	u64 last_id;			/* rows made since the read began are left out */
	bool end;
	bool device_rows;		/* quotas: past the row "all" of agent id */
	u64 device_id;			/* quotas: of the current row */
	struct gdl_device_quota *dq;	/* quotas: the current row's, or NULL */
	struct gdl_lock_row lock_row;	/* locks: the current row */
	struct gdl_perm_row perm_row;	/* dma_permissions: the current row */
	struct gdl_binding_row binding_row; /* bindings: the current row */
	struct pid_namespace *pid_ns;	/* that this /proc was mounted for */
	bool show_addresses;
	char room[];			/* of table->room bytes */
};

struct gdl_table {
	const char *name;
	const char *header;
	u64 (*last_id)(void);			/* NULL: ids do not rise with time */
	void *(*find)(struct gdl_cursor *cursor); /* the row at the cursor, or after */
	void (*advance)(struct gdl_cursor *cursor);
	void (*show)(struct seq_file *m, struct gdl_cursor *cursor, void *row);
	gdl_line_fn write;			/* NULL: it cannot be written */
	size_t room;				/* of a row that needs more */
};

#define GDL_NR_TABLES	9

extern const struct gdl_table gdl_tables[GDL_NR_TABLES];

/* proc.c: /proc/swarm/gpu */

int gdl_proc_init(void);
void gdl_proc_exit(void);

/* gpu_dma_lock.c: parameters */

extern bool gdl_debug;

#define gdl_dbg(fmt, ...)						\
do {									\
	if (unlikely(READ_ONCE(gdl_debug)))				\
		pr_info_ratelimited(fmt, ##__VA_ARGS__);		\
} while (0)

#endif /* GPU_DMA_LOCK_H */
