// SPDX-License-Identifier: GPL-2.0-only
/*
 * The removal of agents, in two phases. An agent is taken out of the tables and its
 * bindings are dropped; after a grace period each task that had found it has published the
 * buffer that it charged to it, and none finds it any more. Then it is emptied: what
 * the kernel holds for it becomes agent 0's. After another grace period no uncharge that
 * saw the agent through a buffer is at it still, and it is freed.
 */

#include <linux/mutex.h>
#include <linux/rcupdate.h>

#include "gpu_dma_lock.h"

static void empty(struct gdl_agent *agent)
{
	gdl_lock_drop_agent(agent);
	gdl_perm_drop_agent(agent);
	/* Nobody charges to it any more. */
	if (atomic64_read(&agent->buffers))
		gdl_buffer_hand_over(agent);
	gdl_attachment_hand_over(agent);
	gdl_context_hand_over(agent);
}

/**
 * gdl_agents_remove() - remove agents
 * @agents: those, none of them agent 0
 * @nr: how many
 *
 * Their ledger buffers and declared contexts are freed, their locks, rules and bindings
 * dropped; what the kernel holds for them becomes agent 0's.
 *
 * Context: May sleep. Caller holds gdl_agent_mutex.
 */
void gdl_agents_remove(struct gdl_agent **agents, unsigned int nr)
{
	unsigned int i;

	lockdep_assert_held(&gdl_agent_mutex);
	for (i = 0; i < nr; i++) {
		gdl_agent_hide(agents[i]);
		gdl_agent_unreserve();
		/* Not one that is hidden to be published again: it is found by its cgroup. */
		WRITE_ONCE(agents[i]->removed, true);
		gdl_binding_drop_agent(agents[i]);
	}
	synchronize_rcu();
	for (i = 0; i < nr; i++)
		empty(agents[i]);
	synchronize_rcu();
	for (i = 0; i < nr; i++)
		gdl_agent_free(agents[i]);
}

/**
 * gdl_agent_remove() - remove an agent
 * @id: its id
 *
 * As gdl_agents_remove() does.
 *
 * Context: May sleep. Takes and releases gdl_agent_mutex.
 * Return: 0, -ENOENT, -EINVAL for agent 0, which always exists.
 */
int gdl_agent_remove(u64 id)
{
	struct gdl_agent *agent;

	if (id == gdl_host.id)
		return -EINVAL;
	mutex_lock(&gdl_agent_mutex);
	agent = gdl_agent_lookup_locked(id);
	if (agent)
		gdl_agents_remove(&agent, 1);
	mutex_unlock(&gdl_agent_mutex);
	return agent ? 0 : -ENOENT;
}
