/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Attachments and contexts: what uses buffers and devices.
 * Included by gpu_dma_lock.h, which says what the letters of fields mean.
 */
#ifndef GDL_IMPORTER_H
#define GDL_IMPORTER_H

/* attachment.c: devices that import a buffer */

#define GDL_NR_DIRECTIONS	DMA_NONE

struct gdl_attachment {
	struct rhash_head node;			/* rhashtable's */
	const void *attach;			/* C: the key: a dma_buf_attachment, or as @added */
	u64 id;					/* C */
	u64 buffer_id;				/* C */
	struct gdl_agent *agent;		/* I: importer's; agent 0 once it is removed */
	struct hlist_node of_agent;		/* I: in gdl_agent.attachments */
	struct pid *pid;			/* C: importer's thread group */
	unsigned long created;			/* C: jiffies */
	atomic_t mapped[GDL_NR_DIRECTIONS];	/* A: by enum dma_data_direction */
	atomic_t pinned;			/* A */
	struct gdl_claim *holds[GDL_NR_LOCK_MODES]; /* L: of what is mapped, or NULL */
	bool detached;				/* L: takes no mapping any more */
	bool peer2peer;				/* C */
	bool adopted;				/* C: what was mapped before is unknown */
	bool added;				/* C: of p2p.c, which knows it by a page table */
	struct rcu_head rcu;
	char comm[TASK_COMM_LEN];		/* C: importer's */
	char importer[GDL_DEVICE_NAME_LEN];	/* C */
};

extern const char * const gdl_direction_names[GDL_NR_DIRECTIONS];

int gdl_attachment_init(void);
void gdl_attachment_exit(void);
int gdl_attachment_create(const struct dma_buf_attachment *attach);
void gdl_attachment_adopt(const struct dma_buf_attachment *attach,
			  struct task_struct *task);
void gdl_attachment_remove(const void *attach);
int gdl_attachment_check(const struct dma_buf *dmabuf, bool enforce);
int gdl_attachment_check_mmap(const struct dma_buf *dmabuf, bool write,
			      bool enforce);
int gdl_attachment_map_begin(const struct dma_buf_attachment *attach,
			     enum dma_data_direction direction, bool enforce);
void gdl_attachment_map_end(const void *attach,
			    const struct sg_table *sgt,
			    enum dma_data_direction direction);
void gdl_attachment_unmap(const void *attach,
			  enum dma_data_direction direction);
void gdl_attachment_pin(const struct dma_buf_attachment *attach);
void gdl_attachment_unpin(const struct dma_buf_attachment *attach);
u64 gdl_attachment_last_id(void);
struct gdl_attachment *gdl_attachment_next(u64 id);
void gdl_attachment_hand_over(struct gdl_agent *agent);
int gdl_attachment_check_cap(bool enforce);
int gdl_attachment_add(struct gdl_buffer *b, const void *key, const char *importer);
int gdl_attachment_map_begin_added(struct gdl_buffer *b, const void *key,
				   const char *importer, bool enforce);
void gdl_attachment_drop_added(void);

/* p2p.c: pages of nvidia.ko that other drivers have */

struct gdl_buffer *gdl_p2p_get_begin(u64 address, u64 size, bool enforce);
int gdl_p2p_get_end(struct gdl_buffer *b, const void *table, const char *importer);
void gdl_p2p_get_failed(struct gdl_buffer *b);
void gdl_p2p_put(const void *table, u64 address);
void gdl_p2p_gone(const void *table);
void gdl_p2p_revoke(const void *table);
int gdl_p2p_map_begin(const struct nvidia_p2p_page_table *table, const char *peer,
		      bool enforce);
void gdl_p2p_map_end(const void *table);
void gdl_p2p_unmap(const void *table);
void gdl_p2p_drop_all(void);

/* context.c: agents' use of devices */

/* The most declared contexts there can be. */
#define GDL_CONTEXTS_MAX	65536

/* What has opened or declared it, or uses a DRM file that was passed on. */
struct gdl_context_user {
	struct gdl_agent *agent;		/* agent 0 once it is removed; under RCU */
	struct pid *pid;			/* the thread group, with a reference */
	char comm[TASK_COMM_LEN];
};

struct gdl_context {
	struct rhash_head node;			/* rhashtable's */
	const void *file;			/* C: the key: a drm_file; NULL: declared */
	u64 id;					/* C */
	struct gdl_context_user user;		/* U */
	struct hlist_node of_agent;		/* U: in gdl_agent.contexts */
	u64 switches;				/* declared_mutex: times made active */
	struct gdl_device *device;		/* C, with a reference */
	unsigned long created;			/* C: jiffies */
	bool adopted;				/* C: older than it was first seen */
	struct rcu_head rcu;
};

int gdl_context_init(void);
void gdl_context_exit(void);
int gdl_context_open(const struct drm_file *file);
int gdl_context_check(bool enforce);
void gdl_context_adopt(const struct drm_file *file, struct task_struct *task);
void gdl_context_use(const struct drm_file *file);
void gdl_context_user(struct gdl_context *c, struct gdl_context_user *user);
void gdl_context_close(const struct drm_file *file);
int gdl_context_declare(u64 agent_id, u64 device_id, u64 *id);
int gdl_context_destroy(u64 id);
int gdl_context_switch(u64 device_id, u64 id);
void gdl_context_hand_over(struct gdl_agent *agent);
void gdl_context_device_gone(void);
u64 gdl_context_last_id(void);
struct gdl_context *gdl_context_next(u64 id);
const char *gdl_context_state(const struct gdl_context *c);

#endif /* GDL_IMPORTER_H */
