/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Agents, devices, quotas.
 * Included by gpu_dma_lock.h, which says what the letters of fields mean.
 */
#ifndef GDL_AGENT_H
#define GDL_AGENT_H

/* device.c: GPUs */

/* Bytes held against a limit. */
struct gdl_quota {
	atomic64_t used;			/* A: bytes */
	atomic64_t peak;			/* A: bytes */
	atomic64_t denied;			/* A: charges over the limit */
	u64 limit;				/* READ_ONCE(): bytes or GDL_UNLIMITED */
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
	u64 vram_size;				/* as TTM has it, or 0; READ_ONCE() */
	const void *parent;			/* D: struct device, NULL once gone */
	const void *drm;			/* D: last drm_device seen, or NULL */
	const void *drm_parent;			/* D: the struct device that has it */
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

void gdl_device_exit(void);
struct gdl_device *gdl_device_alloc(const struct device *parent, gfp_t gfp);
struct gdl_device *gdl_device_publish(struct gdl_device *device);
struct gdl_device *gdl_device_lookup(u64 id);
struct gdl_device *gdl_device_next(u64 id);
struct gdl_device *gdl_device_of_drm(const struct drm_device *drm);
int gdl_device_set_capacity(u64 id, u64 limit);
void gdl_device_set_vram(const struct drm_device *drm, u64 size);
void gdl_device_set_pci_driver(const struct device *parent, const char *name);
void gdl_device_driver_gone(const struct device *parent);
bool gdl_device_mark_parent_gone(const struct device *parent);
bool gdl_device_mark_drm_gone(const struct drm_device *drm);
void gdl_device_driver(struct gdl_device *device, char *buf);
bool gdl_device_get(struct gdl_device *device);
void gdl_device_put(struct gdl_device *device);
void gdl_device_reap_begin(void);
void gdl_device_reap(void);

/* agent.c: tenants, and their quotas on devices */

/* The most agents there can be, agent 0 included. */
#define GDL_AGENTS_MAX	65536

/* What one may say that it has: more than there is, and all together no more than is counted. */
#define GDL_AGENT_BYTES_MAX	(GDL_BYTES_MAX / GDL_AGENTS_MAX)
/* A task that looks for rows lets others run once it has looked at so many agents. */
#define GDL_AGENTS_AT_ONCE	1024
/* From here on, so many ids are for agents that templates make. */
#define GDL_TEMPLATE_IDS	BIT_ULL(32)

static inline bool gdl_id_is_template(u64 agent_id)
{
	return agent_id >= GDL_TEMPLATE_IDS && agent_id < 2 * GDL_TEMPLATE_IDS;
}

/* Ranges of addresses; see dma_range.c. */
struct gdl_ranges {
	struct gdl_range_index __rcu *index;	/* M, read under RCU; NULL: none */
	u64 nr;					/* M */
};

struct gdl_agent_name;

/* What waits, as the search for deadlocks sees it. */
struct gdl_lock_node {
	struct list_head waiters;		/* L: its claims */
	struct list_head todo;			/* L: of a search in lock_graph.c */
	u64 search;				/* L: the last search that found it */
	bool of_agent;				/* C: by gdl_claim.of_agent, else of_owner */
};

/*
 * Whose a lock is: an agent's, by command, or an open file's. Locks of two owners exclude
 * each other, also of the same agent.
 */
struct gdl_lock_owner {
	u64 id;					/* C: 0: an agent, else an open file */
	struct gdl_lock_node node;		/* by gdl_claim.of_owner */
	struct list_head holders;		/* L: gdl_claim.of_owner */
	unsigned int claims;			/* L: that hold or wait */
	bool mixed;				/* L: it has held for more than one agent */
};

static inline void gdl_lock_node_init(struct gdl_lock_node *node, bool of_agent)
{
	INIT_LIST_HEAD(&node->waiters);
	node->of_agent = of_agent;
}

static inline void gdl_lock_owner_init(struct gdl_lock_owner *owner, u64 id)
{
	owner->id = id;
	gdl_lock_node_init(&owner->node, false);
	INIT_LIST_HEAD(&owner->holders);
}

struct gdl_agent {
	/* What a DMA check reads is apart from what charges and locks write. */
	struct rhash_head node;			/* rhashtable's */
	u64 id;					/* C */
	struct gdl_ranges ranges;		/* that it may DMA to */

	struct gdl_quota quota ____cacheline_aligned_in_smp;
	atomic64_t buffers;			/* A */
	atomic64_t bindings;			/* A */
	atomic64_t refused;			/* A: what was refused it, or let pass */
	spinlock_t lock;
	struct hlist_head device_quotas;	/* Q */
	atomic64_t locks;			/* A: locks held */
	atomic64_t waiting;			/* A: locks waited for */
	u64 mappings;				/* L: holders that are DMA mappings */
	struct gdl_lock_owner own;		/* of the locks that it has by command */
	struct gdl_lock_node lock_node;		/* by gdl_claim.of_agent: of all its owners */
	struct xarray buffer_perms;		/* P, walked under RCU: by buffer id */
	u64 nr_buffer_perms;			/* P */
	struct gdl_agent_name __rcu *name;	/* M, read under RCU; NULL: none */
	bool removed;				/* M, READ_ONCE(): nobody finds it any more */
	struct list_head bound;			/* M: gdl_binding.of_agent */
	struct hlist_head attachments;		/* I: gdl_attachment.of_agent */
	u64 nr_attachments;			/* I */
	struct hlist_head contexts;		/* U: gdl_context.of_agent */
	u64 nr_contexts;			/* U */
	struct rcu_head rcu;
};

/* TTM's types of memory, at most; what each is called differs by driver. */
#define GDL_NR_REGIONS		9

/* What an agent's buffers hold in one region of a device. */
struct gdl_region {
	u64 used;				/* X: bytes */
	u64 peak;				/* X: bytes */
	u64 buffers;				/* X */
};

/* An agent's quota on one device, and what it holds there. */
struct gdl_device_quota {
	struct hlist_node node;			/* Q */
	struct gdl_agent *agent;		/* C */
	struct gdl_device *device;		/* C, with a reference */
	struct gdl_quota quota;
	struct hlist_head held;			/* X: gdl_buffer.of_dq */
	struct gdl_region *regions;		/* set once; NULL: nothing known yet */
	struct rcu_head rcu;
};

extern struct gdl_agent gdl_host;
extern struct mutex gdl_agent_mutex;

/* agent_name.c: what they are called */

int gdl_agent_names_init(void);
void gdl_agent_names_exit(void);
int gdl_agent_set_name(struct gdl_agent *agent, const char *text);
void gdl_agent_drop_name(struct gdl_agent *agent);
const char *gdl_agent_name(const struct gdl_agent *agent);
int gdl_agent_find_name(const char *text, u64 *id);

int gdl_agent_init(void);
void gdl_agent_exit(void);
void gdl_agent_reap(void);
struct gdl_agent *gdl_agent_lookup(u64 id);
struct gdl_agent *gdl_agent_lookup_locked(u64 id);
struct gdl_agent *gdl_agent_next(u64 id);
struct gdl_agent *gdl_agent_lookup_or_create(u64 id);
struct gdl_agent *gdl_agent_alloc(u64 id, u64 limit, gfp_t gfp);
bool gdl_agent_reserve(void);
void gdl_agent_unreserve(void);
int gdl_agent_add(struct gdl_agent *agent);
void gdl_agent_hide(struct gdl_agent *agent);
void gdl_agent_free(struct gdl_agent *agent);
int gdl_agent_create(u64 id, u64 limit, const char *name);
int gdl_agent_rename(u64 id, const char *name);
int gdl_agent_set_quota(u64 id, u64 limit);
int gdl_agent_set_device_quota(u64 id, u64 limit, u64 device_id);
struct gdl_device_quota *gdl_agent_device_quota(struct gdl_agent *agent,
						struct gdl_device *device,
						gfp_t gfp);
struct gdl_device_quota *gdl_agent_next_device_quota(struct gdl_agent *agent,
						     u64 device_id);

/* cap.c: how many rows an agent may have */

enum gdl_cap {
	GDL_CAP_BUFFERS,
	GDL_CAP_ATTACHMENTS,
	GDL_CAP_CONTEXTS,
	GDL_CAP_MAPPINGS,
	GDL_NR_CAPS,
};

/* What a row takes of memory, at most, is counted with. */
#define GDL_ROW_BYTES	256

/* The parameters agent_*_max; READ_ONCE() */
extern unsigned int gdl_cap_max[GDL_NR_CAPS];

int gdl_cap_passed(struct gdl_agent *agent, enum gdl_cap cap, bool enforce);
u64 gdl_cap_tracking(const struct gdl_agent *agent);

/*
 * May an agent that has @rows of a kind get one more? 0, or as gdl_cap_passed(). Those
 * that ask at the same time may all get one. Context: any.
 */
static inline int gdl_cap_check(struct gdl_agent *agent, u64 rows, enum gdl_cap cap,
				bool enforce)
{
	if (likely(rows < READ_ONCE(gdl_cap_max[cap])))
		return 0;
	return gdl_cap_passed(agent, cap, enforce);
}

/* quota.c: charge and uncharge */

int gdl_try_charge(struct gdl_device_quota *dq, u64 size, u64 most);
bool gdl_charge(struct gdl_device_quota *dq, u64 size);
void gdl_charge_move(struct gdl_device_quota *from, struct gdl_device_quota *to,
		     u64 size);
void gdl_charge_grow(struct gdl_device_quota *dq, u64 bytes);
void gdl_charge_shrink(struct gdl_device_quota *dq, u64 bytes);
int gdl_charge_overrun(struct gdl_device_quota *dq, u64 size);
void gdl_uncharge(struct gdl_device_quota *dq, u64 size);
void gdl_agent_reset(struct gdl_agent *agent);

#endif /* GDL_AGENT_H */
