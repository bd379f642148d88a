/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What agents may DMA to.
 * Included by gpu_dma_lock.h, which says what the letters of fields mean.
 */
#ifndef GDL_PERM_H
#define GDL_PERM_H

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
bool gdl_perm_segment_outside(const struct gdl_buffer *b, u64 start, u64 size,
			      enum dma_data_direction direction);
int gdl_perm_refuse(const struct gdl_buffer *b, struct gdl_agent *agent, const char *use,
		    bool enforce);
void gdl_perm_drop_agent(struct gdl_agent *agent);
void gdl_perm_buffer_gone(struct gdl_buffer *b);
int gdl_perm_next(struct gdl_perm_row *row);
void gdl_perm_exit(void);

#endif /* GDL_PERM_H */
