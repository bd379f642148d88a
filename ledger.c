// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ledger: buffers of memory that the kernel does not see, as told by commands and
 * ioctls. They are charged as real ones are, and refused at any limit.
 *
 * One may be of an open file, and end with it. The file's list and the buffer's place in it
 * are changed under the lock of gdl_buffers, with its id, so whatever frees it, it is off the
 * list when it is gone.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "gpu_dma_lock.h"
#include "trace.h"

/**
 * gdl_ledger_init() - an open file can have ledger buffers from here on
 * @ledger: its list
 * @max: how many
 *
 * Context: Any.
 */
void gdl_ledger_init(struct gdl_ledger *ledger, unsigned int max)
{
	INIT_HLIST_HEAD(&ledger->buffers);
	ledger->nr = 0;
	ledger->max = max;
}

static struct gdl_buffer *first_of(const struct gdl_ledger *ledger)
{
	struct gdl_buffer *b;

	xa_lock_irq(&gdl_buffers);
	b = hlist_entry_safe(ledger->buffers.first, struct gdl_buffer, of_ledger);
	xa_unlock_irq(&gdl_buffers);
	return b;
}

/* Give @b back, found under rcu_read_lock(): 0, -ENOENT somebody else did it, -EINVAL. */
static int ledger_remove(struct gdl_buffer *b)
{
	if (b->kind != GDL_KIND_LEDGER)
		return -EINVAL;
	return gdl_buffer_remove(b) ? 0 : -ENOENT;
}

/**
 * gdl_ledger_exit() - the file is being closed: free its buffers
 * @ledger: its list, which nobody adds to any more
 *
 * Context: May sleep.
 */
void gdl_ledger_exit(struct gdl_ledger *ledger)
{
	struct gdl_buffer *b;

	do {
		rcu_read_lock();
		b = first_of(ledger);
		if (b)
			ledger_remove(b);
		rcu_read_unlock();
		cond_resched();
	} while (b);
}

/* Charge @b, to an agent that may have @most, and make it visible. */
static int publish(struct gdl_buffer *b, struct gdl_agent *agent, u64 device_id, u64 most)
{
	struct gdl_device *device = gdl_device_lookup(device_id);
	int ret;

	if (!agent)
		return -ENOENT;
	if (!device)
		return -ENODEV;
	ret = gdl_cap_check(agent, atomic64_read(&agent->buffers), GDL_CAP_BUFFERS, true);
	if (ret)
		return ret;
	b->dq = gdl_agent_device_quota(agent, device, GFP_NOWAIT);
	if (!b->dq)
		return -ENOMEM;
	b->charged = true;
	ret = gdl_try_charge(b->dq, b->size, most);
	if (ret)
		return ret;
	atomic_set(&b->live, GDL_LIVE_LEDGER);
	ret = gdl_buffer_insert(b);
	if (ret) {
		gdl_uncharge(b->dq, b->size);
		return ret;
	}
	trace_gdl_buffer_create(b, b->dq);
	return 0;
}

/*
 * For the agent of that id, or, where it is NULL, for the current process's: then the memory
 * is charged to its memory cgroup, since agent 0, which any process may work for, has no cap.
 */
static int allocate(const u64 *agent_id, u64 size, u64 device_id, struct gdl_ledger *ledger,
		    u64 *id)
{
	struct gdl_buffer *b;
	struct gdl_agent *agent;
	int ret;

	/* One too many leaves no trace in a peak. gdl_buffer_insert() looks again. */
	if (ledger && READ_ONCE(ledger->nr) >= ledger->max)
		return -ENOSPC;
	b = gdl_buffer_alloc(GDL_KIND_LEDGER, size, current,
			     agent_id ? GFP_KERNEL : GFP_KERNEL_ACCOUNT);
	if (!b)
		return -ENOMEM;
	b->ledger = ledger;
	rcu_read_lock();
	agent = agent_id ? gdl_agent_lookup(*agent_id) : gdl_agent_of(current);
	ret = publish(b, agent, device_id, agent_id ? GDL_BYTES_MAX : GDL_AGENT_BYTES_MAX);
	/* Somebody else may free it from here on. */
	*id = b->id;
	rcu_read_unlock();
	if (ret) {
		gdl_buffer_discard(b);
		return ret;
	}
	gdl_stat_inc(GDL_STAT_LEDGER_ALLOCATED);
	gdl_stat_inc(GDL_STAT_BUFFERS_CREATED);
	return 0;
}

/**
 * gdl_ledger_allocate() - account for memory that the kernel cannot see
 * @agent_id: which agent has it
 * @size: bytes, not 0
 * @device_id: where it is
 * @ledger: of the open file that it ends with; or NULL
 * @id: receives the id of the new buffer
 *
 * Context: May sleep.
 * Return: 0, -ENOENT no such agent, -ENODEV no such device, -EDQUOT over the
 * agent's quota, or it has as many buffers as it may, -ENOSPC over the device's
 * capacity, or the file has as many as it may, -ENOMEM.
 */
int gdl_ledger_allocate(u64 agent_id, u64 size, u64 device_id, struct gdl_ledger *ledger, u64 *id)
{
	return allocate(&agent_id, size, device_id, ledger, id);
}

/**
 * gdl_ledger_reserve() - likewise, for the current process's agent
 * @size: bytes, not 0
 * @device_id: where it is
 * @ledger: of the open file that it ends with
 * @id: receives the id of the new buffer
 *
 * Context: May sleep.
 * Return: As gdl_ledger_allocate().
 */
int gdl_ledger_reserve(u64 size, u64 device_id, struct gdl_ledger *ledger, u64 *id)
{
	return allocate(NULL, size, device_id, ledger, id);
}

/**
 * gdl_ledger_has() - is a buffer of an open file?
 * @ledger: the file's list
 * @id: the buffer's id
 *
 * Context: Any.
 * Return: Whether there is such a buffer, and it ends with that file.
 */
bool gdl_ledger_has(const struct gdl_ledger *ledger, u64 id)
{
	const struct gdl_buffer *b;
	bool has;

	rcu_read_lock();
	b = gdl_buffer_lookup(id);
	has = b && b->kind == GDL_KIND_LEDGER && b->ledger == ledger;
	rcu_read_unlock();
	return has;
}

/**
 * gdl_ledger_free() - free a ledger buffer that nobody has locked
 * @id: the buffer's id
 * @ledger: of the open file that it must be of; NULL: of any, or none
 *
 * Context: Process context. Does not sleep.
 * Return: 0, -ENOENT there is none, -EBUSY it is locked, -EINVAL it is a real one: the
 * kernel frees that.
 */
int gdl_ledger_free(u64 id, const struct gdl_ledger *ledger)
{
	struct gdl_buffer *b;
	int ret = -ENOENT;

	rcu_read_lock();
	b = gdl_buffer_lookup(id);
	if (b && ledger && (b->kind != GDL_KIND_LEDGER || b->ledger != ledger))
		b = NULL;
	spin_lock_bh(&gdl_lock_lock);
	/* It changes under gdl_lock_lock only, as long as the buffer has its id. */
	if (b)
		ret = READ_ONCE(b->locked) ? -EBUSY : ledger_remove(b);
	spin_unlock_bh(&gdl_lock_lock);
	rcu_read_unlock();
	return ret;
}
