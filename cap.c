// SPDX-License-Identifier: GPL-2.0-only
/*
 * Caps: how many rows an agent may have, and so how much memory of the kernel's to keep
 * track of what it has can take.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/build_bug.h>

#include "gpu_dma_lock.h"

/* What an entry in both a tree and a hash table takes. */
#define ENTRY_BYTES	32

unsigned int gdl_cap_max[GDL_NR_CAPS] = {
	[GDL_CAP_BUFFERS]	= 262144,
	[GDL_CAP_ATTACHMENTS]	= 65536,
	[GDL_CAP_CONTEXTS]	= 65536,
	[GDL_CAP_MAPPINGS]	= 131072,
};

static const enum gdl_stat capped[GDL_NR_CAPS] = {
	[GDL_CAP_BUFFERS]	= GDL_STAT_BUFFERS_CAPPED,
	[GDL_CAP_ATTACHMENTS]	= GDL_STAT_ATTACHMENTS_CAPPED,
	[GDL_CAP_CONTEXTS]	= GDL_STAT_CONTEXTS_CAPPED,
	[GDL_CAP_MAPPINGS]	= GDL_STAT_MAPPINGS_CAPPED,
};

/**
 * gdl_cap_passed() - an agent that has as many rows as it may is to get one more
 * @agent: the agent; agent 0, which gets what removed agents leave, has no caps
 * @cap: rows of which kind
 * @enforce: refuse it; else it is only counted
 *
 * Context: Any.
 * Return: 0, or -EDQUOT: it is refused.
 */
int gdl_cap_passed(struct gdl_agent *agent, enum gdl_cap cap, bool enforce)
{
	if (agent == &gdl_host || (!enforce && gdl_policy_is_off()))
		return 0;
	atomic64_inc(&agent->refused);
	gdl_stat_inc(capped[cap]);
	return enforce ? -EDQUOT : 0;
}

/**
 * gdl_cap_tracking() - how much memory an agent's rows take
 * @agent: the agent
 *
 * Context: Any. @agent must stay.
 * Return: Bytes, GDL_ROW_BYTES for each row.
 */
u64 gdl_cap_tracking(const struct gdl_agent *agent)
{
	u64 rows = atomic64_read(&agent->buffers) + READ_ONCE(agent->nr_attachments) +
		   READ_ONCE(agent->nr_contexts) + READ_ONCE(agent->mappings);

	BUILD_BUG_ON(sizeof(struct gdl_buffer) + ENTRY_BYTES > GDL_ROW_BYTES);
	BUILD_BUG_ON(sizeof(struct gdl_attachment) + ENTRY_BYTES > GDL_ROW_BYTES);
	BUILD_BUG_ON(sizeof(struct gdl_context) + ENTRY_BYTES > GDL_ROW_BYTES);
	BUILD_BUG_ON(sizeof(struct gdl_claim) > GDL_ROW_BYTES);
	return rows * GDL_ROW_BYTES;
}
