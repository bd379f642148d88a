/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Locks of buffers, and open files as their owners.
 * Included by gpu_dma_lock.h, which says what the letters of fields mean.
 */
#ifndef GDL_LOCK_H
#define GDL_LOCK_H

/* claim.c: holders of locks, and what waits for them */

enum gdl_lock_mode {
	GDL_LOCK_SHARED,
	GDL_LOCK_EXCLUSIVE,
	GDL_NR_LOCK_MODES,
	GDL_LOCK_NONE = GDL_NR_LOCK_MODES,
};

extern const char * const gdl_lock_mode_names[GDL_NR_LOCK_MODES];

/* What holds a buffer. */
enum gdl_hold {
	GDL_HOLD_LOCK,		/* by command or ioctl; an owner has one at most for an agent */
	GDL_HOLD_DMA,		/* a mapping of an attachment */
	GDL_NR_HOLDS,
};

/* The most claims that wait for one buffer. */
#define GDL_WAITERS_MAX		1024

struct gdl_attachment;
struct gdl_sleeper;

/* A holder of a lock, or a waiter for it. All but its identity is L. */
struct gdl_claim {
	struct rb_node by_order;		/* in holders or waiters of the lock */
	union {
		struct rb_node by_agent;	/* a holder: in held of the lock */
		struct list_head of_agent;	/* a waiter: in gdl_agent.lock_node */
	};
	struct list_head of_owner;		/* in holders or waiters of the owner */
	struct gdl_buffer_lock *lock;
	struct gdl_agent *agent;		/* by which DMA and mmap are judged */
	struct gdl_lock_owner *owner;		/* of a mapping: the agent's own */
	s64 order;				/* rises along holders, and waiters */
	struct gdl_attachment *attachment;	/* that is mapped; NULL: a lock */
	enum gdl_lock_mode mode;
	unsigned int mappings;			/* of that attachment, in this mode */
	struct gdl_sleeper *sleeper;		/* of a waiter, else NULL */
	struct list_head leased;		/* a holder: in gdl_leases, else empty */
	unsigned long lease;			/* jiffies that it may hold; 0: no limit */
	struct pid *pid;
	unsigned long since;			/* jiffies */
	char comm[TASK_COMM_LEN];
};

/*
 * The holders and waiters of one buffer; there is at least one of them. Agents can map
 * a buffer as often as they like, so nothing goes through its holders one by one. All of it
 * is L, but for the key.
 */
struct gdl_buffer_lock {
	struct rhash_head node;
	u64 buffer_id;				/* the key */
	u64 serial;				/* of all locks there were */
	struct rb_root holders;			/* by order */
	struct rb_root_cached waiters;		/* by order: the next one first */
	struct rb_root held[GDL_NR_HOLDS][GDL_NR_LOCK_MODES]; /* by agent, then owner */
	s64 last_order;				/* it rises from 0 */
	s64 first_returned;			/* falls from 0: of what was in an earlier queue */
	s64 first_upgrade;			/* falls from below all others */
	unsigned int nr_waiters;
	unsigned int nr_files;			/* holders that are open files */
	bool gone;				/* the buffer is: takes no claim any more */
	bool searched[GDL_NR_LOCK_MODES];	/* what such a claim waits for was visited */
	u64 search;				/* by that search of lock_graph.c */
	s64 searched_to;			/* so were waiters of a lower order */
};

/* A task that sleeps until its claim is granted or fails; on its stack. */
struct gdl_sleeper {
	struct completion done;
	bool finished;				/* L */
	int result;				/* L */
};

/* Where a waiter was in a queue that it has left, to come back there. */
struct gdl_lock_place {
	u64 serial;				/* of the lock; 0: nowhere */
	s64 order;
};

extern spinlock_t gdl_lock_lock;
extern struct list_head gdl_leases;
extern struct delayed_work gdl_lease_work;

struct gdl_claim *gdl_claim_alloc(struct gdl_agent *agent,
				  enum gdl_lock_mode mode, gfp_t gfp);
void gdl_claim_free(struct gdl_claim *c);
const struct gdl_claim *gdl_claim_from(const struct rb_root *claims, s64 order);
struct gdl_claim *gdl_claim_next(const struct gdl_claim *c);
void gdl_holder_add(struct gdl_buffer_lock *lock, struct gdl_claim *c);
void gdl_holder_drop(struct gdl_claim *c);
void gdl_holder_set_mode(struct gdl_claim *c, enum gdl_lock_mode mode);
void gdl_holder_hand_over(struct gdl_claim *c);
struct gdl_claim *gdl_holder_first(const struct gdl_buffer_lock *lock);
struct gdl_claim *gdl_holder_find(const struct gdl_buffer_lock *lock,
				  const struct gdl_lock_owner *owner,
				  const struct gdl_agent *agent);
struct gdl_claim *gdl_holder_of_agent(const struct gdl_buffer_lock *lock,
				      enum gdl_hold hold, const struct gdl_agent *agent);
struct gdl_claim *gdl_holder_from(const struct rb_root *held, u64 agent_id, u64 owner_id);
bool gdl_holder_excludes(const struct gdl_buffer_lock *lock, enum gdl_hold hold,
			 const struct gdl_agent *agent, enum gdl_lock_mode mode);
bool gdl_claim_conflicts(const struct gdl_buffer_lock *lock, const struct gdl_claim *c,
			 enum gdl_lock_mode mode);
bool gdl_claim_same(const struct gdl_claim *a, const struct gdl_claim *b);
void gdl_waiter_add(struct gdl_buffer_lock *lock, struct gdl_claim *c, bool upgrade);
void gdl_waiter_add_at(struct gdl_buffer_lock *lock, struct gdl_claim *c,
		       const struct gdl_lock_place *place);
bool gdl_waiter_upgrades(const struct gdl_claim *c);
void gdl_waiter_leave(struct gdl_claim *c);
struct gdl_claim *gdl_waiter_first(const struct gdl_buffer_lock *lock);

/* lock_table.c: the locks, by buffer */

int gdl_lock_table_init(void);
void gdl_lock_table_exit(void);
struct gdl_buffer_lock *gdl_lock_table_find(u64 buffer_id);
struct gdl_buffer_lock *gdl_lock_table_get(u64 buffer_id, gfp_t gfp, int *error);
void gdl_lock_table_put(struct gdl_buffer_lock *lock);

/* lock_graph.c: what waits for what */

/* The most agents that a row names as blocking it. */
#define GDL_LOCK_ROW_BLOCKERS	16

struct gdl_lock_row {
	u64 buffer_id;
	s64 order;
	s64 last_order;				/* of this buffer, when it was come to */
	u64 agent_id;
	struct pid *pid;			/* with a reference */
	unsigned long since;			/* jiffies */
	enum gdl_lock_mode mode;
	const char *kind;
	bool waiting;
	bool more_blockers;
	unsigned int nr_blockers;
	u64 blockers[GDL_LOCK_ROW_BLOCKERS];
	char comm[TASK_COMM_LEN];
};

bool gdl_lock_graph_closes_cycle(const struct gdl_claim *c);
bool gdl_lock_graph_next(struct gdl_lock_row *row);

/* buffer_lock.c: shared and exclusive locks */

void gdl_lock_stop(void);
int gdl_lock_begin(struct gdl_claim *c, u64 buffer_id, struct gdl_sleeper *sleeper,
		   const struct gdl_lock_place *place);
int gdl_lock_wait(struct gdl_claim *c, struct gdl_sleeper *sleeper, unsigned long timeout,
		  struct gdl_lock_place *place);
int gdl_lock(u64 buffer_id, u64 agent_id, struct gdl_lock_owner *owner,
	     enum gdl_lock_mode mode, bool nowait, u64 timeout_ms);
int gdl_unlock(u64 buffer_id, u64 agent_id, const struct gdl_lock_owner *owner);
void gdl_lock_buffer_gone(u64 buffer_id);
void gdl_lock_drop_agent(struct gdl_agent *agent);
u64 gdl_lock_longest_wait(void);
void gdl_lock_reset_longest_wait(void);
void gdl_lock_settle(struct gdl_buffer_lock *lock);

/* dma_hold.c: DMA mappings as holders */

int gdl_dma_hold_check(u64 buffer_id, struct gdl_agent *agent,
		       enum gdl_lock_mode mode, const char *use, bool enforce);
int gdl_dma_hold_begin(struct gdl_attachment *a, struct gdl_agent *agent,
		       enum gdl_lock_mode mode, bool enforce);
void gdl_dma_hold_end(struct gdl_attachment *a, enum gdl_lock_mode mode);
void gdl_dma_hold_detach(struct gdl_attachment *a);

/* holdings.c: what an open file has */

/* So much one open /dev/gpu_dma_lock can have of buffers, and of locks. */
#define GDL_FILE_ENTRIES_MAX	4096

struct gdl_holdings {
	struct gdl_lock_owner owner;		/* of its locks */
	struct gdl_ledger ledger;
	struct xarray contexts;			/* its declared contexts, by id */
	struct list_head reports;		/* report.c's */
};

struct gdl_holdings *gdl_holdings_alloc(unsigned int max);
void gdl_holdings_free(struct gdl_holdings *h);
int gdl_holdings_add_context(struct gdl_holdings *h, u64 id);
void gdl_holdings_del_context(struct gdl_holdings *h, u64 id);

/* lock_file.c: locks of open files */

extern unsigned int gdl_tenant_lock_ms;		/* READ_ONCE() */

/* Of an open file: waits that were interrupted. */
struct gdl_kept_waits {
	spinlock_t lock;			/* protects the list */
	struct list_head list;
	unsigned int nr;			/* of them; READ_ONCE() elsewhere */
};

/* What an open file asks for. */
struct gdl_lock_ask {
	u64 buffer_id;
	bool in_hand;				/* by a dma-buf, or reserved by this file */
	enum gdl_lock_mode mode;
	s64 timeout_ms;				/* 0: do not wait; negative: for ever */
	struct gdl_lock_owner *owner;		/* of the file's locks */
	struct gdl_kept_waits *waits;
	u64 *lease_ms;				/* receives how long it lasts; U64_MAX: no end */
};

void gdl_kept_waits_init(struct gdl_kept_waits *waits);
void gdl_kept_waits_exit(struct gdl_kept_waits *waits);
void gdl_kept_waits_forget(struct gdl_kept_waits *waits);
int gdl_lock_file_lock(const struct gdl_lock_ask *ask);
int gdl_lock_file_unlock(const struct gdl_lock_owner *owner, u64 buffer_id);
void gdl_lock_file_init(void);
void gdl_lock_file_exit(void);

#endif /* GDL_LOCK_H */
