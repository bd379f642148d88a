/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Buffers, and what is behind them.
 * Included by gpu_dma_lock.h, which says what the letters of fields mean.
 */
#ifndef GDL_BUFFER_H
#define GDL_BUFFER_H

/* driver.c: what is to be known of DRM drivers */

bool gdl_driver_asked(const struct drm_device *drm);
bool gdl_driver_userptr(const struct drm_device *drm, bool system_only);
bool gdl_driver_refuses_init(const struct drm_device *drm);
bool gdl_driver_refuses_validate(const struct drm_device *drm);
bool gdl_driver_refuses_handle(const struct drm_device *drm);
bool gdl_driver_aliases(const struct drm_device *drm);
bool gdl_driver_vram(const struct drm_device *drm, unsigned int region);
bool gdl_driver_counts_bytes(const struct drm_device *drm);
const char *gdl_driver_region(const char *driver, unsigned int region);

/* prime.c: GEM objects and dma-bufs of one another */

struct gdl_import;

int gdl_prime_init(void);
void gdl_prime_exit(void);
const struct drm_gem_object *gdl_prime_object(const struct dma_buf_ops *ops,
					      const void *priv);
const void *gdl_prime_memory(const struct dma_buf_ops *ops, const void *priv);
bool gdl_prime_nvidia(const struct dma_buf_ops *ops);
void gdl_prime_forget(void);
struct gdl_import *gdl_import_begin(bool closing);
void gdl_import_end(struct gdl_import *import);
bool gdl_import_running(void);
bool gdl_close_running(void);

/* buffer_id.c: buffers by id */

struct gdl_buffer;

extern struct xarray gdl_buffers;

int gdl_id_init(void);
void gdl_id_exit(void);
int gdl_id_give(struct gdl_buffer *b);
void gdl_id_show(struct gdl_buffer *b);
bool gdl_id_take(struct gdl_buffer *b);
bool gdl_id_held(const struct gdl_buffer *b);
struct gdl_buffer *gdl_id_lookup(u64 id);
struct gdl_buffer *gdl_id_next(u64 id, bool locked);
u64 gdl_id_last(void);
struct gdl_buffer *gdl_buffer_lookup(u64 id);
struct gdl_buffer *gdl_buffer_next(u64 id);
bool gdl_buffer_set_locked(u64 id, bool locked);
struct gdl_buffer *gdl_buffer_set_permitted(u64 id);

/* region.c: where the memory of agents is */

bool gdl_regions_get(struct gdl_device_quota *dq);
void gdl_regions_move(const struct gdl_buffer *b, struct gdl_device_quota *to);
bool gdl_buffer_resource_add(struct gdl_buffer *b, unsigned int region);
void gdl_buffer_resource_del(u64 id, unsigned int region);
void gdl_regions_reset(const struct gdl_agent *agent);
const struct gdl_region *gdl_region_next(const struct gdl_device_quota *dq,
					 unsigned int *region);

/* memory.c: memory that is exported more than once */

extern spinlock_t gdl_memory_lock;

int gdl_memory_init(void);
void gdl_memory_exit(void);
bool gdl_memory_known(const void *address);
int gdl_memory_join(struct gdl_buffer *b, const void *address);
void gdl_memory_leave(struct gdl_buffer *b);

/* dma_track.c: buffers */

/* Of GEM objects, those that are charged to nobody have kinds of their own. */
enum gdl_kind {
	GDL_KIND_GEM,
	GDL_KIND_DMABUF,
	GDL_KIND_LEDGER,
	GDL_KIND_KERNEL,	/* what the kernel has made for itself */
	GDL_KIND_ALIAS,		/* memory that is counted elsewhere */
	GDL_KIND_USERPTR,	/* memory of the process itself */
	GDL_KIND_NVIDIA,	/* of nvidia.ko: a part of what is reported */
	GDL_KIND_REPORTED,	/* memory that something else knows the process to have */
	GDL_NR_KINDS,
};

/*
 * The kernel objects behind a buffer; its row stays until the last is gone.
 * None is a dma-buf that is being exported, of no GEM object, not shown yet.
 */
#define GDL_LIVE_GEM	BIT(0)
#define GDL_LIVE_DMABUF	BIT(1)
#define GDL_LIVE_LEDGER	BIT(2)
#define GDL_LIVE_P2P	BIT(3)	/* nvidia.ko's page table */

struct gdl_buffer {
	union {
		struct {			/* of a real one */
			struct rhash_head node;	/* rhashtable's */
			union {
				struct llist_node of_ended;	/* once it has ended */
				/* C: of p2p.c, which ends otherwise: in its process */
				u64 address;
			};
		};
		struct hlist_node of_ledger;	/* X: in gdl_ledger.buffers */
		unsigned long reported;	/* a report's: jiffies, the last; READ_ONCE() */
	};
	const void *object;			/* C: the key: a GEM object or dma-buf */
	u64 id;					/* C */
	u64 size;				/* C: bytes; of a report's: X */
	struct gdl_device_quota *dq;		/* X: agent and device it is charged to */
	struct hlist_node of_dq;		/* X: in gdl_device_quota.held */
	const void *dmabuf;			/* E: the exported dma-buf, or NULL */
	unsigned long inode;			/* E: of dmabuf, as in fdinfo */
	dma_addr_t dma_addr;			/* E: of the last mapping, or 0 */
	struct pid *pid;			/* C: creator's thread group */
	unsigned long created;			/* C: jiffies */
	atomic_t live;				/* A: GDL_LIVE_* */
	atomic_t attachments;			/* A */
	u8 kind;				/* E: enum gdl_kind */
	u8 exporter;				/* E: see gdl_exporter_name() */
	bool claimed;				/* E: charged before it is initialised */
	bool overrun;				/* E: charged over a limit to be enforced */
	bool charged;				/* X: else nobody is charged for it */
	bool unsettled;				/* X: may become a tenant's */
	bool late;				/* E: unsettled, and not new any more */
	bool adopted;				/* C: older than it was first seen */
	bool locked;				/* X: there is a gdl_buffer_lock */
	bool permitted;				/* X: perms may have some */
	bool ended;				/* E: is to be removed, and not found any more */
	u8 lock_mode;				/* L: of its holders, GDL_LOCK_NONE: none */
	struct hlist_head perms;		/* P: gdl_buffer_perm.of_buffer */
	struct gdl_id_chunk *chunk;		/* X: where its id is; NULL: taken back */
	struct gdl_buffer *next_removed;	/* X */
	union {
		/* C once it is found: of memory.c, or NULL */
		struct gdl_memory_export *export;
		/* C: of the ledger: the open file that it ends with, or NULL */
		struct gdl_ledger *ledger;
	};
	u8 nr_resources;			/* X: TTM's, in all regions */
	u8 resources[GDL_NR_REGIONS];		/* X: each of size bytes */
	char comm[TASK_COMM_LEN];		/* C: creator's */
};

/* No GEM object's size: the argument that lets its initialisation fail. */
#define GDL_GEM_SIZE_REFUSED	((u64)PAGE_MASK)

extern const char * const gdl_kind_names[GDL_NR_KINDS];

extern bool gdl_debug;			/* parameter */

int gdl_buffer_init(void);
void gdl_buffer_exit(void);
struct gdl_buffer *gdl_buffer_create(enum gdl_kind kind,
				     struct gdl_device *device, u64 size,
				     struct task_struct *task, bool enforce);
void gdl_buffer_unsettle(struct gdl_buffer *b);
bool gdl_buffers_unsettled(void);
int gdl_buffer_settle(struct gdl_buffer *b, enum gdl_kind kind,
		      struct task_struct *task, bool enforce);
bool gdl_buffer_set_object(struct gdl_buffer *b, const void *object);
struct gdl_buffer *gdl_buffer_of_object(const void *object);
void gdl_buffer_object_gone(struct gdl_buffer *b, int live);
void gdl_buffer_object_gone_atomic(struct gdl_buffer *b, int live);
bool gdl_buffer_remove(struct gdl_buffer *b);
bool gdl_buffer_remove_from(struct gdl_buffer *b, const struct gdl_device_quota *dq);
void gdl_buffers_remove_ended(void);
struct gdl_buffer *gdl_buffer_alloc(enum gdl_kind kind, u64 size, struct task_struct *task,
				    gfp_t gfp);
void gdl_buffer_discard(struct gdl_buffer *b);
int gdl_buffer_insert(struct gdl_buffer *b);
bool gdl_buffer_move(struct gdl_buffer *b, struct gdl_device_quota *to);

/* buffer_drop.c: the buffers of what leaves */

void gdl_buffer_hand_over(struct gdl_agent *agent);
void gdl_buffer_drop_gem(void);
void gdl_buffer_drop_p2p(void);
void gdl_buffer_drop_all(void);

/* ledger.c: memory that the kernel does not see */

/* The ledger buffers of an open file. */
struct gdl_ledger {
	struct hlist_head buffers;		/* X */
	unsigned int nr, max;			/* X */
};

void gdl_ledger_init(struct gdl_ledger *ledger, unsigned int max);
void gdl_ledger_exit(struct gdl_ledger *ledger);
int gdl_ledger_allocate(u64 agent_id, u64 size, u64 device_id, struct gdl_ledger *ledger,
			u64 *id);
int gdl_ledger_reserve(u64 size, u64 device_id, struct gdl_ledger *ledger, u64 *id);
bool gdl_ledger_has(const struct gdl_ledger *ledger, u64 id);
int gdl_ledger_free(u64 id, const struct gdl_ledger *ledger);

/* report.c: what is reported of processes */

extern unsigned int gdl_report_timeout;		/* READ_ONCE() */

int gdl_report_init(void);
void gdl_report_exit(void);
int gdl_report(struct list_head *owner, u64 nr, u64 device_id, u64 bytes, u64 *id);
void gdl_reports_drop(struct list_head *owner);
bool gdl_report_is_stale(const struct gdl_buffer *b);

/* exporter.c: the names of exporters */

const char *gdl_exporter_name(u8 exporter);
void gdl_exporters_forget(void);
u8 gdl_exporter_of(const struct gdl_buffer *b, const char *name);

/* object.c: the GEM objects and dma-bufs behind buffers */

/* An export that has begun. */
struct gdl_export {
	struct gdl_buffer *buffer;	/* stays until it has ended; NULL: not tracked */
	bool created;			/* for it: there is no GEM object */
	bool again;			/* there is another dma-buf of it already */
};

struct gdl_buffer *gdl_gem_lookup(const void *gem);
struct gdl_buffer *gdl_gem_claim(const struct drm_device *drm,
				 const struct drm_gem_object *gem, u64 size,
				 bool enforce);
void gdl_gem_claim_end(struct gdl_buffer *b);
bool gdl_gem_asked_for(const struct drm_device *drm);
bool gdl_gem_is_claimed(const struct drm_gem_object *gem, u64 size);
int gdl_gem_init(const struct drm_device *drm,
		 const struct drm_gem_object *gem, u64 size);
void gdl_gem_missed(const struct drm_device *drm, const struct drm_gem_object *gem);
bool gdl_gems_unsettled(void);
int gdl_gem_validate(const struct drm_gem_object *gem, enum gdl_kind kind,
		     bool system_only, bool enforce);
int gdl_gem_handle(const struct drm_gem_object *gem, bool enforce);
void gdl_gem_release(const struct drm_gem_object *gem);
void gdl_gem_release_atomic(const struct drm_gem_object *gem);
void gdl_gem_failed(const struct drm_gem_object *gem);
int gdl_dmabuf_export_begin(const struct dma_buf_export_info *info, bool enforce,
			    struct gdl_export *export);
int gdl_dmabuf_export_end(const struct dma_buf *dmabuf,
			  const struct gdl_export *export);
void gdl_dmabuf_export_failed(const struct gdl_export *export);
struct gdl_buffer *gdl_buffer_of_dmabuf(const struct dma_buf *dmabuf);
int gdl_dmabuf_adopt(const struct dma_buf *dmabuf, struct task_struct *task);
void gdl_dmabuf_release(const struct dma_buf *dmabuf);

/* resource.c: TTM's resources, which say where buffers are */

int gdl_resource_init(void);
void gdl_resource_exit(void);
int gdl_resource_begin(const struct drm_gem_object *gem, const void *resource,
		       unsigned int region);
void gdl_resource_end(const void *resource);

#endif /* GDL_BUFFER_H */
