// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bindings: which agent a process works for.
 *
 * A binding names a cgroup (v2), by its id, or a thread group, by its struct
 * pid. It is dropped when either goes away: a cgroup's removal is told by the
 * tracepoint cgroup_rmdir, a process's exit by the wait queue that pidfds poll.
 * Both come in atomic context, so the dropping is left to a work item; until it
 * runs the binding matches nobody.
 *
 * A binding has an id, only for readers to walk by. It holds references to what
 * it names until no reader can see it: a removed cgroup keeps its path so long.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cgroup.h>
#include <linux/kernfs.h>
#include <linux/limits.h>
#include <linux/mutex.h>
#include <linux/nsproxy.h>
#include <linux/pid.h>
#include <linux/rhashtable.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "gpu_dma_lock.h"

enum binding_kind {
	BINDING_PID,
	BINDING_CGROUP,
	NR_BINDING_KINDS,
};

struct binding {
	struct rhash_head node;			/* rhashtable's */
	u64 key;				/* C: cgroup id, or address of pid */
	u64 id;					/* C: rises with time */
	enum binding_kind kind;			/* C */
	struct gdl_agent *agent;		/* C */
	bool gone;				/* E: the cgroup was removed */
	struct cgroup *cgroup;			/* C: with a reference, or NULL */
	struct pid *pid;			/* C: with a reference, or NULL */
	struct wait_queue_entry exit;		/* in pid->wait_pidfd */
	struct rcu_head rcu;
};

static const struct rhashtable_params binding_params = {
	.key_len	= sizeof_field(struct binding, key),
	.key_offset	= offsetof(struct binding, key),
	.head_offset	= offsetof(struct binding, node),
	.automatic_shrinking = true,
};

static struct rhashtable tables[NR_BINDING_KINDS];
static unsigned int nr_bindings[NR_BINDING_KINDS];	/* M */
static DEFINE_XARRAY(bindings);			/* M, walked under RCU: by id */
static u64 last_id;					/* M */
static struct tracepoint *rmdir_tracepoint;

static void drop_gone(struct work_struct *work);
static DECLARE_WORK(gone_work, drop_gone);

static struct binding *binding_find(enum binding_kind kind, u64 key)
{
	return rhashtable_lookup(&tables[kind], &key, binding_params);
}

/* Free a binding that nobody sees. */
static void binding_free(struct binding *b)
{
	if (b->cgroup)
		cgroup_put(b->cgroup);
	put_pid(b->pid);
	kfree(b);
}

static void binding_free_rcu(struct rcu_head *head)
{
	binding_free(container_of(head, struct binding, rcu));
}

static void drop_locked(struct binding *b)
{
	lockdep_assert_held(&gdl_agent_mutex);
	if (b->pid)
		remove_wait_queue(&b->pid->wait_pidfd, &b->exit);
	rhashtable_remove_fast(&tables[b->kind], &b->node, binding_params);
	xa_erase(&bindings, b->id);
	WRITE_ONCE(nr_bindings[b->kind], nr_bindings[b->kind] - 1);
	atomic64_dec(&b->agent->bindings);
	call_rcu(&b->rcu, binding_free_rcu);
}

/* All threads have exited; a zombie that waits to be reaped counts as gone. */
static bool process_gone(struct pid *pid)
{
	struct task_struct *task = get_pid_task(pid, PIDTYPE_TGID);
	bool gone;

	if (!task)
		return true;
	gone = READ_ONCE(task->exit_state) && thread_group_empty(task);
	put_task_struct(task);
	return gone;
}

static void drop_gone(struct work_struct *work)
{
	struct binding *b;
	unsigned long id;

	mutex_lock(&gdl_agent_mutex);
	xa_for_each(&bindings, id, b)
		if (READ_ONCE(b->gone) || (b->pid && process_gone(b->pid)))
			drop_locked(b);
	mutex_unlock(&gdl_agent_mutex);
}

static int gdl_process_exit(struct wait_queue_entry *wait, unsigned int mode,
			    int sync, void *key)
{
	schedule_work(&gone_work);
	return 0;
}

/* TP_PROTO(struct cgroup *cgrp, const char *path) */
static void gdl_cgroup_rmdir(void *data, struct cgroup *cgrp, const char *path)
{
	struct binding *b;

	/* Ids are unique in one hierarchy only, and bound are those of v2. */
	if (cgrp->root != &cgrp_dfl_root)
		return;
	rcu_read_lock();
	b = binding_find(BINDING_CGROUP, cgroup_id(cgrp));
	if (b) {
		WRITE_ONCE(b->gone, true);
		schedule_work(&gone_work);
	}
	rcu_read_unlock();
}

/* Put @b into the tables; it is found from here on. */
static int insert_locked(struct binding *b)
{
	int ret;

	lockdep_assert_held(&gdl_agent_mutex);
	if (nr_bindings[BINDING_PID] + nr_bindings[BINDING_CGROUP] >=
	    GDL_BINDINGS_MAX)
		return -ENOSPC;
	b->id = last_id + 1;
	ret = xa_reserve(&bindings, b->id, GFP_KERNEL);
	if (ret)
		return ret;
	ret = rhashtable_lookup_insert_fast(&tables[b->kind], &b->node,
					    binding_params);
	if (ret) {
		xa_release(&bindings, b->id);
		return ret;
	}
	if (b->pid)
		add_wait_queue(&b->pid->wait_pidfd, &b->exit);
	WRITE_ONCE(last_id, b->id);
	xa_store(&bindings, b->id, b, 0);
	WRITE_ONCE(nr_bindings[b->kind], nr_bindings[b->kind] + 1);
	atomic64_inc(&b->agent->bindings);
	return 0;
}

static struct binding *binding_alloc(enum binding_kind kind, u64 key,
				     struct gdl_agent *agent)
{
	struct binding *b = kzalloc(sizeof(*b), GFP_KERNEL_ACCOUNT);

	if (!b)
		return NULL;
	b->kind = kind;
	b->key = key;
	b->agent = agent;
	init_waitqueue_func_entry(&b->exit, gdl_process_exit);
	return b;
}

static int bind_cgroup(struct gdl_agent *agent, struct cgroup *cgrp)
{
	struct binding *b = binding_alloc(BINDING_CGROUP, cgroup_id(cgrp),
					  agent);
	int ret;

	if (!b)
		return -ENOMEM;
	cgroup_get(cgrp);
	b->cgroup = cgrp;
	ret = insert_locked(b);
	if (ret) {
		binding_free(b);
		return ret;
	}
	/* A cgroup goes offline before rmdir is traced: one of the two is seen. */
	smp_mb();
	if (READ_ONCE(cgrp->self.flags) & CSS_ONLINE)
		return 0;
	drop_locked(b);
	return -ENOENT;
}

static int bind_pid(struct gdl_agent *agent, struct pid *pid)
{
	struct binding *b = binding_alloc(BINDING_PID, (uintptr_t)pid, agent);
	int ret;

	if (!b)
		return -ENOMEM;
	b->pid = get_pid(pid);
	ret = insert_locked(b);
	if (ret) {
		binding_free(b);
		return ret;
	}
	/* An exit before the wait queue was joined has woken nobody. */
	if (!process_gone(pid))
		return 0;
	drop_locked(b);
	return -ENOENT;
}

/* The thread group that process or thread @nr of the caller's namespace is in. */
static struct pid *get_thread_group(u64 nr)
{
	struct task_struct *task = NULL;
	struct pid *pid = NULL;

	rcu_read_lock();
	if (nr <= PID_MAX_LIMIT)
		task = pid_task(find_vpid(nr), PIDTYPE_PID);
	if (task)
		pid = get_pid(task_tgid(task));
	rcu_read_unlock();
	return pid;
}

static int bind_locked(struct gdl_agent *agent, struct cgroup *cgrp,
		       struct pid *pid)
{
	if (!agent)
		return -ENOENT;
	return cgrp ? bind_cgroup(agent, cgrp) : bind_pid(agent, pid);
}

/* A line that its writer's end completes is run when the writer's namespaces are gone. */
static struct cgroup *find_cgroup(const char *path)
{
	return current->nsproxy ? cgroup_get_from_path(path) : ERR_PTR(-ENOENT);
}

/**
 * gdl_bind_cgroup() - let a cgroup, and those below it, work for an agent
 * @agent_id: the agent's id
 * @path: of a cgroup v2, relative to the root of the caller's cgroup namespace
 *
 * Context: May sleep. Takes and releases gdl_agent_mutex.
 * Return: 0, -ENOENT no such agent or cgroup, -ENOTDIR not a cgroup, -EEXIST it
 * is bound already, -ENOSPC with GDL_BINDINGS_MAX bindings, -ENOMEM.
 */
int gdl_bind_cgroup(u64 agent_id, const char *path)
{
	struct cgroup *cgrp = find_cgroup(path);
	int ret;

	if (IS_ERR(cgrp))
		return PTR_ERR(cgrp);
	mutex_lock(&gdl_agent_mutex);
	ret = bind_locked(gdl_agent_lookup(agent_id), cgrp, NULL);
	mutex_unlock(&gdl_agent_mutex);
	cgroup_put(cgrp);
	return ret;
}

/**
 * gdl_bind_pid() - let a process work for an agent
 * @agent_id: the agent's id
 * @nr: a process in the caller's pid namespace, or one of its threads
 *
 * Context: May sleep. Takes and releases gdl_agent_mutex.
 * Return: 0, -ENOENT no such agent or process, -EEXIST it is bound already,
 * -ENOSPC with GDL_BINDINGS_MAX bindings, -ENOMEM.
 */
int gdl_bind_pid(u64 agent_id, u64 nr)
{
	struct pid *pid = get_thread_group(nr);
	int ret;

	if (!pid)
		return -ENOENT;
	mutex_lock(&gdl_agent_mutex);
	ret = bind_locked(gdl_agent_lookup(agent_id), NULL, pid);
	mutex_unlock(&gdl_agent_mutex);
	put_pid(pid);
	return ret;
}

static int unbind(u64 agent_id, enum binding_kind kind, u64 key)
{
	struct binding *b;
	int ret = -ENOENT;

	mutex_lock(&gdl_agent_mutex);
	rcu_read_lock();
	b = binding_find(kind, key);
	rcu_read_unlock();
	if (b && b->agent->id == agent_id) {
		drop_locked(b);
		ret = 0;
	}
	mutex_unlock(&gdl_agent_mutex);
	return ret;
}

/**
 * gdl_unbind_cgroup() - undo gdl_bind_cgroup()
 * @agent_id: the agent's id
 * @path: as given to gdl_bind_cgroup()
 *
 * Context: May sleep. Takes and releases gdl_agent_mutex.
 * Return: 0, -ENOENT no such cgroup, or it is not bound to that agent,
 * -ENOTDIR.
 */
int gdl_unbind_cgroup(u64 agent_id, const char *path)
{
	struct cgroup *cgrp = find_cgroup(path);
	u64 id;

	if (IS_ERR(cgrp))
		return PTR_ERR(cgrp);
	id = cgroup_id(cgrp);
	cgroup_put(cgrp);
	return unbind(agent_id, BINDING_CGROUP, id);
}

/**
 * gdl_unbind_pid() - undo gdl_bind_pid()
 * @agent_id: the agent's id
 * @nr: as given to gdl_bind_pid()
 *
 * Context: May sleep. Takes and releases gdl_agent_mutex.
 * Return: 0, -ENOENT no such process, or it is not bound to that agent.
 */
int gdl_unbind_pid(u64 agent_id, u64 nr)
{
	struct pid *pid = get_thread_group(nr);
	int ret;

	if (!pid)
		return -ENOENT;
	ret = unbind(agent_id, BINDING_PID, (uintptr_t)pid);
	put_pid(pid);
	return ret;
}

/**
 * gdl_binding_drop_agent() - drop the bindings of an agent that is removed
 * @agent: the agent
 *
 * Context: May sleep. Caller holds gdl_agent_mutex.
 */
void gdl_binding_drop_agent(const struct gdl_agent *agent)
{
	struct binding *b;
	unsigned long id;

	if (!atomic64_read(&agent->bindings))
		return;
	xa_for_each(&bindings, id, b)
		if (b->agent == agent)
			drop_locked(b);
}

static struct gdl_agent *agent_of_cgroup(struct cgroup *cgrp)
{
	struct binding *b;

	for (; cgrp; cgrp = cgroup_parent(cgrp)) {
		b = binding_find(BINDING_CGROUP, cgroup_id(cgrp));
		if (b)
			return b->agent;
	}
	return NULL;
}

/**
 * gdl_agent_of() - the agent that a process works for
 * @task: the current one, or one whose reference the caller holds
 *
 * Context: Any. Caller holds rcu_read_lock().
 * Return: The agent its thread group is bound to, else the one that the nearest
 * bound ancestor of its cgroup is bound to, else agent 0.
 */
struct gdl_agent *gdl_agent_of(struct task_struct *task)
{
	struct gdl_agent *agent = NULL;
	struct binding *b;

	if (READ_ONCE(nr_bindings[BINDING_PID])) {
		b = binding_find(BINDING_PID, (uintptr_t)task_tgid(task));
		if (b)
			return b->agent;
	}
	if (READ_ONCE(nr_bindings[BINDING_CGROUP]))
		agent = agent_of_cgroup(task_dfl_cgroup(task));
	return agent ?: &gdl_host;
}

/**
 * gdl_binding_last_id() - the highest id given away so far
 *
 * Context: Any.
 * Return: The id, 0 before the first.
 */
u64 gdl_binding_last_id(void)
{
	return READ_ONCE(last_id);
}

/* As bind takes it: relative to the root of the current cgroup namespace. */
static bool cgroup_path_of(struct cgroup *cgrp, char *path, size_t size)
{
	struct cgroup *root = current->nsproxy->cgroup_ns->root_cset->dfl_cgrp;
	int len = kernfs_path_from_node(cgrp->kn, root->kn, path, size);

	/* One that fills the room has been cut. */
	return len > 0 && len < size - 1;
}

/**
 * gdl_binding_next() - walk the bindings in the order of their ids
 * @row: receives the first binding from @row->id on; its path is
 * "" for a process, and for a cgroup whose path is longer than PATH_MAX
 * @ns: the pid namespace that @row->pid is of, 0 for a process not in it
 *
 * The binding of a removed cgroup is left out.
 *
 * Context: Caller holds rcu_read_lock(). Does not sleep.
 * Return: False if there is none.
 */
bool gdl_binding_next(struct gdl_binding_row *row, struct pid_namespace *ns)
{
	unsigned long id = row->id;
	struct binding *b;

	b = xa_find(&bindings, &id, ULONG_MAX, XA_PRESENT);
	while (b && READ_ONCE(b->gone))
		b = xa_find_after(&bindings, &id, ULONG_MAX, XA_PRESENT);
	if (!b)
		return false;
	row->id = b->id;
	row->agent_id = b->agent->id;
	row->is_cgroup = b->kind == BINDING_CGROUP;
	row->pid = pid_nr_ns(b->pid, ns);
	if (!row->is_cgroup || !cgroup_path_of(b->cgroup, row->path, PATH_MAX))
		row->path[0] = '\0';
	return true;
}

static void find_rmdir(struct tracepoint *tp, void *data)
{
	if (!strcmp(tp->name, "cgroup_rmdir"))
		rmdir_tracepoint = tp;
}

/**
 * gdl_binding_init() - make the tables, follow the removal of cgroups
 *
 * Context: May sleep.
 * Return: 0, -ENOMEM, -ENOENT if the kernel has no tracepoint cgroup_rmdir, or
 * what registering for it returned.
 */
int gdl_binding_init(void)
{
	int ret;

	for_each_kernel_tracepoint(find_rmdir, NULL);
	if (!rmdir_tracepoint)
		return -ENOENT;
	ret = rhashtable_init(&tables[BINDING_PID], &binding_params);
	if (ret)
		return ret;
	ret = rhashtable_init(&tables[BINDING_CGROUP], &binding_params);
	if (ret)
		goto out_pid;
	ret = tracepoint_probe_register(rmdir_tracepoint, gdl_cgroup_rmdir,
					NULL);
	if (!ret)
		return 0;
	rhashtable_destroy(&tables[BINDING_CGROUP]);
out_pid:
	rhashtable_destroy(&tables[BINDING_PID]);
	return ret;
}

/**
 * gdl_binding_exit() - drop all bindings
 *
 * Context: May sleep. No command may come any more.
 */
void gdl_binding_exit(void)
{
	struct binding *b;
	unsigned long id;

	tracepoint_probe_unregister(rmdir_tracepoint, gdl_cgroup_rmdir, NULL);
	tracepoint_synchronize_unregister();
	mutex_lock(&gdl_agent_mutex);
	xa_for_each(&bindings, id, b)
		drop_locked(b);
	mutex_unlock(&gdl_agent_mutex);
	cancel_work_sync(&gone_work);
	rcu_barrier();
	xa_destroy(&bindings);
	rhashtable_destroy(&tables[BINDING_CGROUP]);
	rhashtable_destroy(&tables[BINDING_PID]);
}
