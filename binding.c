// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bindings: which agent a process works for.
 *
 * A binding names a cgroup (v2), by its path, or a thread group, by its struct pid.
 *
 * That of a cgroup lasts: if the cgroup is removed, the binding waits, and a cgroup of
 * that path that comes is bound before any process can be in it. Both are told by the
 * kernel's tracepoints, see events_cgroup.c. What a template made goes with its cgroup
 * and its buffers, see template.c.
 *
 * That of a process is dropped when the process exits, which is told by the wait queue
 * that pidfds poll; that comes in atomic context, so the dropping is left to a work item.
 *
 * A binding has an id, only for readers to walk by.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cgroup.h>
#include <linux/kernfs.h>
#include <linux/limits.h>
#include <linux/mutex.h>
#include <linux/nsproxy.h>
#include <linux/pid.h>
#include <linux/ratelimit.h>
#include <linux/rhashtable.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "gpu_dma_lock.h"
#include "trace.h"

static const struct rhashtable_params process_params = {
	.key_len	= sizeof_field(struct gdl_binding, pid),
	.key_offset	= offsetof(struct gdl_binding, pid),
	.head_offset	= offsetof(struct gdl_binding, node),
	.automatic_shrinking = true,
};

static struct rhashtable processes;
static unsigned int nr_bindings;		/* M */
static DEFINE_XARRAY(bindings);			/* M, walked under RCU: by id */
static u64 last_id;					/* M */

static void drop_ended(struct work_struct *work);
static DECLARE_WORK(ended_work, drop_ended);

static struct gdl_binding *find_process(const struct pid *pid)
{
	return rhashtable_lookup(&processes, &pid, process_params);
}

/**
 * gdl_binding_free() - free a binding that nobody sees
 * @b: the binding
 *
 * Context: Any but hard interrupt.
 */
void gdl_binding_free(struct gdl_binding *b)
{
	put_pid(b->pid);
	kfree(b->cgroup.path);
	kfree(b);
}

static void binding_free_rcu(struct rcu_head *head)
{
	gdl_binding_free(container_of(head, struct gdl_binding, rcu));
}

/* Of a binding that no cgroup and no process leads to any more. */
static void end_locked(struct gdl_binding *b)
{
	lockdep_assert_held(&gdl_agent_mutex);
	xa_erase(&bindings, b->id);
	nr_bindings--;
	atomic64_dec(&b->agent->bindings);
	list_del(&b->of_agent);
	if (b->template) {
		list_del(&b->of_template);
		atomic_dec(&b->template->agents);
	}
	call_rcu(&b->rcu, binding_free_rcu);
}

/**
 * gdl_binding_drop() - end a binding
 * @b: the binding, with an id; freed after a grace period
 *
 * Context: May sleep. Caller holds gdl_agent_mutex.
 */
void gdl_binding_drop(struct gdl_binding *b)
{
	if (b->pid) {
		remove_wait_queue(&b->pid->wait_pidfd, &b->exit);
		rhashtable_remove_fast(&processes, &b->node, process_params);
	} else {
		gdl_cgroup_del(&b->cgroup);
	}
	end_locked(b);
}

/**
 * gdl_process_gone() - has a process ended?
 * @pid: its thread group
 *
 * Context: Any.
 * Return: Whether all its threads have exited; a zombie that waits to be reaped counts
 * as gone.
 */
bool gdl_process_gone(struct pid *pid)
{
	struct task_struct *task = get_pid_task(pid, PIDTYPE_TGID);
	bool gone;

	if (!task)
		return true;
	gone = READ_ONCE(task->exit_state) && thread_group_empty(task);
	put_task_struct(task);
	return gone;
}

/* A tracepoint does not tell of such a path whole. */
static bool is_too_long(const struct gdl_binding *b)
{
	return strlen(READ_ONCE(b->cgroup.path)->name) > GDL_CGROUP_PATH_MAX;
}

static bool has_ended(const struct gdl_binding *b)
{
	if (b->pid)
		return gdl_process_gone(b->pid);
	return !READ_ONCE(b->cgroup.id) && is_too_long(b);
}

static void drop_ended(struct work_struct *work)
{
	struct gdl_binding *b;
	unsigned long id;

	mutex_lock(&gdl_agent_mutex);
	xa_for_each(&bindings, id, b) {
		if (has_ended(b))
			gdl_binding_drop(b);
		cond_resched();
	}
	mutex_unlock(&gdl_agent_mutex);
}

static int gdl_process_exit(struct wait_queue_entry *wait, unsigned int mode,
			    int sync, void *key)
{
	schedule_work(&ended_work);
	return 0;
}

static struct gdl_binding *binding_alloc(enum gdl_binding_kind kind,
					 struct gdl_agent *agent, gfp_t gfp)
{
	struct gdl_binding *b = kzalloc(sizeof(*b), gfp);

	if (!b)
		return NULL;
	b->kind = kind;
	b->agent = agent;
	init_waitqueue_func_entry(&b->exit, gdl_process_exit);
	return b;
}

/**
 * gdl_binding_alloc_cgroup() - make a binding of a cgroup
 * @agent: whose it is
 * @path_len: bytes of the longest path it may get, without the 0 at its end
 * @gfp: how to allocate it
 *
 * Context: As @gfp allows.
 * Return: The binding, whose path is not set; or NULL.
 */
struct gdl_binding *gdl_binding_alloc_cgroup(struct gdl_agent *agent, size_t path_len,
					     gfp_t gfp)
{
	struct gdl_binding *b = binding_alloc(GDL_BINDING_CGROUP, agent, gfp);

	if (!b)
		return NULL;
	b->cgroup.path = gdl_cgroup_path_alloc(path_len, gfp);
	if (b->cgroup.path)
		return b;
	kfree(b);
	return NULL;
}

/**
 * gdl_binding_publish() - give a binding its id
 * @b: the binding, which is found already
 *
 * Context: May sleep. Caller holds gdl_agent_mutex.
 * Return: 0 or -ENOMEM.
 */
int gdl_binding_publish(struct gdl_binding *b)
{
	int ret = xa_reserve(&bindings, last_id + 1, GFP_KERNEL);

	lockdep_assert_held(&gdl_agent_mutex);
	if (ret)
		return ret;
	b->id = last_id + 1;
	WRITE_ONCE(last_id, b->id);
	xa_store(&bindings, b->id, b, 0);
	nr_bindings++;
	atomic64_inc(&b->agent->bindings);
	list_add_tail(&b->of_agent, &b->agent->bound);
	return 0;
}

static int find_by(struct gdl_binding *b)
{
	if (!b->pid)
		return gdl_cgroup_add(&b->cgroup);
	return rhashtable_lookup_insert_fast(&processes, &b->node, process_params);
}

/* Put @b into the tables; it is found from here on. */
static int insert_locked(struct gdl_binding *b)
{
	int ret;

	lockdep_assert_held(&gdl_agent_mutex);
	if (nr_bindings >= GDL_BINDINGS_MAX)
		return -ENOSPC;
	ret = xa_reserve(&bindings, last_id + 1, GFP_KERNEL);
	if (ret)
		return ret;
	ret = find_by(b);
	if (ret) {
		xa_release(&bindings, last_id + 1);
		return ret;
	}
	if (b->pid)
		add_wait_queue(&b->pid->wait_pidfd, &b->exit);
	return gdl_binding_publish(b);
}

/* A line that its writer's end completes is run when the writer's namespaces are gone. */
static struct cgroup *find_cgroup(const char *path)
{
	return current->nsproxy ? cgroup_get_from_path(path) : ERR_PTR(-ENOENT);
}

/* The root of the caller's cgroup namespace. */
static struct cgroup *namespace_root(void)
{
	return current->nsproxy->cgroup_ns->root_cset->dfl_cgrp;
}

/**
 * gdl_cgroup_namespace_is_root() - does the current process see all cgroups?
 *
 * Context: Process context.
 * Return: Whether the root of its cgroup namespace is the hierarchy's.
 */
bool gdl_cgroup_namespace_is_root(void)
{
	return current->nsproxy && !cgroup_parent(namespace_root());
}

/* Its path from the root of the hierarchy, into @path of PATH_MAX bytes. */
static int path_of(const struct cgroup *cgrp, char *path)
{
	int len = kernfs_path_from_node(cgrp->kn, NULL, path, PATH_MAX);

	/* One that fills the room has been cut. */
	return len > 0 && len < PATH_MAX - 1 ? 0 : -ENAMETOOLONG;
}

static bool is_dots(const char *name, size_t len)
{
	return name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'));
}

/* Append @more to the path @to, of PATH_MAX bytes, which may end as "/". */
static int append_path(char *to, const char *more, size_t longest)
{
	size_t n, len = strlen(to);

	if (to[len - 1] == '/')
		len--;
	for (more += strspn(more, "/"); *more; more += strspn(more, "/")) {
		n = strcspn(more, "/");
		if (is_dots(more, n))
			return -EINVAL;
		if (n > NAME_MAX || len + 1 + n > longest)
			return -ENAMETOOLONG;
		to[len++] = '/';
		memcpy(to + len, more, n);
		len += n;
		more += n;
	}
	strscpy(to + len, len ? "" : "/", PATH_MAX - len);
	return 0;
}

/* Two paths of PATH_MAX bytes. */
struct paths {
	char absolute[PATH_MAX];		/* from the root of the hierarchy */
	char found[PATH_MAX];
};

/*
 * The cgroup at p->absolute. Before 6.1, and some stable kernels later, the kernel looks
 * a path up from the root of the hierarchy, whatever the caller's namespace: so it is
 * looked whether it is the one.
 */
static struct cgroup *find_at(const char *path, struct paths *p)
{
	struct cgroup *cgrp = find_cgroup(path);

	if (IS_ERR(cgrp) && PTR_ERR(cgrp) != -ENOENT)
		return cgrp;
	if (!IS_ERR(cgrp)) {
		if (!path_of(cgrp, p->found) && !strcmp(p->found, p->absolute))
			return cgrp;
		cgroup_put(cgrp);
	}
	cgrp = find_cgroup(p->absolute);
	if (IS_ERR(cgrp) || (!path_of(cgrp, p->found) && !strcmp(p->found, p->absolute)))
		return cgrp;
	cgroup_put(cgrp);
	return ERR_PTR(-ENOENT);
}

/*
 * Make @path of the caller's namespace one from the root of the hierarchy. With @later,
 * there need be no cgroup yet.
 */
static int resolve(const char *path, bool later, struct paths *p)
{
	struct cgroup *cgrp;
	int ret;

	if (!current->nsproxy)
		return -ENOENT;
	ret = path_of(namespace_root(), p->absolute);
	if (!ret)
		ret = append_path(p->absolute, path,
				  later ? GDL_CGROUP_PATH_MAX : PATH_MAX - 2);
	if (ret)
		return ret == -EINVAL && !later ? -ENOENT : ret;
	cgrp = find_at(path, p);
	if (!IS_ERR(cgrp))
		cgroup_put(cgrp);
	ret = PTR_ERR_OR_ZERO(cgrp);
	return ret == -ENOENT && later ? 0 : ret;
}

/* If a cgroup is there that came before @b was found, it is bound. */
static void attach_present(struct gdl_binding *b, const char *path, struct paths *p)
{
	struct cgroup *cgrp = find_at(path, p);

	if (IS_ERR(cgrp))
		return;
	gdl_cgroup_attach(&b->cgroup, cgroup_id(cgrp), true);
	/* A cgroup goes offline before rmdir is traced: one of the two is seen. */
	smp_mb();
	if (!(READ_ONCE(cgrp->self.flags) & CSS_ONLINE))
		gdl_cgroup_detach(&b->cgroup, cgroup_id(cgrp));
	cgroup_put(cgrp);
}

static int bind_cgroup(struct gdl_agent *agent, const char *path, struct paths *p)
{
	size_t len = strlen(p->absolute);
	struct gdl_binding *b;
	int ret;

	if (!agent)
		return -ENOENT;
	b = gdl_binding_alloc_cgroup(agent, len, GFP_KERNEL_ACCOUNT);
	if (!b)
		return -ENOMEM;
	memcpy(b->cgroup.path->name, p->absolute, len + 1);
	ret = insert_locked(b);
	if (ret)
		gdl_binding_free(b);
	else
		attach_present(b, path, p);
	return ret;
}

static struct gdl_binding *find_path(const char *path)
{
	struct gdl_cgroup *c = gdl_cgroup_find_path(path);

	return c ? container_of(c, struct gdl_binding, cgroup) : NULL;
}

static bool is_bound_to(u64 agent_id, const char *path)
{
	struct gdl_binding *b;
	bool is;

	rcu_read_lock();
	b = find_path(path);
	is = b && b->id && b->agent->id == agent_id;
	rcu_read_unlock();
	return is;
}

/**
 * gdl_bind_cgroup() - let a cgroup, and those below it, work for an agent
 * @agent_id: the agent's id
 * @path: of a cgroup v2, relative to the root of the caller's cgroup namespace
 * @later: it need not be there yet, and may be bound to that agent already
 *
 * The binding stays when the cgroup goes, and is of the next one of that path; but it goes
 * with a cgroup whose path has more than GDL_CGROUP_PATH_MAX bytes.
 *
 * Context: May sleep. Takes and releases gdl_agent_mutex.
 * Return: 0, -ENOENT no such agent or cgroup, -ENOTDIR not a cgroup, -EINVAL no path,
 * -ENAMETOOLONG it has more than PATH_MAX - 2 bytes, or with @later more than
 * GDL_CGROUP_PATH_MAX, -EEXIST it is bound already, -ENOSPC with GDL_BINDINGS_MAX
 * bindings, -ENOMEM.
 */
int gdl_bind_cgroup(u64 agent_id, const char *path, bool later)
{
	struct paths *p = kmalloc(sizeof(*p), GFP_KERNEL);
	int ret;

	if (!p)
		return -ENOMEM;
	ret = resolve(path, later, p);
	if (!ret) {
		mutex_lock(&gdl_agent_mutex);
		if (!later || !is_bound_to(agent_id, p->absolute))
			ret = bind_cgroup(gdl_agent_lookup_locked(agent_id), path, p);
		mutex_unlock(&gdl_agent_mutex);
	}
	kfree(p);
	return ret;
}

static int bind_pid(struct gdl_agent *agent, struct pid *pid)
{
	struct gdl_binding *b;
	int ret;

	if (!agent)
		return -ENOENT;
	b = binding_alloc(GDL_BINDING_PID, agent, GFP_KERNEL_ACCOUNT);
	if (!b)
		return -ENOMEM;
	b->pid = get_pid(pid);
	ret = insert_locked(b);
	if (ret) {
		gdl_binding_free(b);
		return ret;
	}
	/* An exit before the wait queue was joined has woken nobody. */
	if (!gdl_process_gone(pid))
		return 0;
	gdl_binding_drop(b);
	return -ENOENT;
}

/**
 * gdl_thread_group_get() - find a process
 * @nr: a process or thread in the caller's pid namespace
 *
 * Context: Process context.
 * Return: The thread group that it is in, with a reference, or NULL.
 */
struct pid *gdl_thread_group_get(u64 nr)
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
	struct pid *pid = gdl_thread_group_get(nr);
	int ret;

	if (!pid)
		return -ENOENT;
	mutex_lock(&gdl_agent_mutex);
	ret = bind_pid(gdl_agent_lookup_locked(agent_id), pid);
	mutex_unlock(&gdl_agent_mutex);
	put_pid(pid);
	return ret;
}

static int unbind(u64 agent_id, struct gdl_binding *b)
{
	lockdep_assert_held(&gdl_agent_mutex);
	/* One without an id is a template's, and new. */
	if (!b || !b->id || b->agent->id != agent_id)
		return -ENOENT;
	if (b->template)
		return -EINVAL;
	gdl_binding_drop(b);
	return 0;
}

/**
 * gdl_unbind_cgroup() - undo gdl_bind_cgroup()
 * @agent_id: the agent's id
 * @path: as given to gdl_bind_cgroup()
 *
 * Context: May sleep. Takes and releases gdl_agent_mutex.
 * Return: 0, -ENOENT it is not bound to that agent, -EINVAL a template has bound it, or
 * no path, -ENOTDIR or -ENAMETOOLONG as gdl_bind_cgroup(), -ENOMEM.
 */
int gdl_unbind_cgroup(u64 agent_id, const char *path)
{
	struct paths *p = kmalloc(sizeof(*p), GFP_KERNEL);
	struct gdl_binding *b;
	int ret;

	if (!p)
		return -ENOMEM;
	ret = resolve(path, true, p);
	/* The path of one that is there may be longer. */
	if (ret == -ENAMETOOLONG && !resolve(path, false, p))
		ret = 0;
	if (!ret) {
		mutex_lock(&gdl_agent_mutex);
		rcu_read_lock();
		b = find_path(p->absolute);
		rcu_read_unlock();
		/* The mutex keeps what has an id. */
		ret = unbind(agent_id, b);
		mutex_unlock(&gdl_agent_mutex);
	}
	kfree(p);
	return ret;
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
	struct pid *pid = gdl_thread_group_get(nr);
	struct gdl_binding *b;
	int ret;

	if (!pid)
		return -ENOENT;
	mutex_lock(&gdl_agent_mutex);
	rcu_read_lock();
	b = find_process(pid);
	rcu_read_unlock();
	ret = unbind(agent_id, b);
	mutex_unlock(&gdl_agent_mutex);
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
	struct gdl_binding *b, *next;

	list_for_each_entry_safe(b, next, &agent->bound, of_agent)
		gdl_binding_drop(b);
}

/**
 * gdl_binding_cgroup_made() - a cgroup was made, and nobody can be in it yet
 * @cgrp: the cgroup
 * @path: its path from the root of the hierarchy
 *
 * Context: Any. Caller holds rcu_read_lock(). Does not sleep, allocates nothing.
 * Return: Whether its path is bound.
 */
bool gdl_binding_cgroup_made(struct cgroup *cgrp, const char *path)
{
	struct gdl_binding *b = find_path(path);

	/* A longer one may have been cut. */
	if (!b || strlen(path) > GDL_CGROUP_PATH_MAX)
		return false;
	if (gdl_cgroup_attach(&b->cgroup, cgroup_id(cgrp), false)) {
		gdl_stat_inc(GDL_STAT_BINDINGS_RENEWED);
		trace_gdl_binding(b, "bound");
	}
	/* Not so if it is just being dropped. */
	return READ_ONCE(b->cgroup.id) == cgroup_id(cgrp);
}

/**
 * gdl_binding_cgroup_gone() - a cgroup was removed
 * @cgrp: the cgroup
 *
 * Context: As gdl_binding_cgroup_made().
 * Return: Whether it had a binding that a template has made.
 */
bool gdl_binding_cgroup_gone(struct cgroup *cgrp)
{
	struct gdl_cgroup *c = gdl_cgroup_find(cgroup_id(cgrp));
	struct gdl_binding *b;
	const char *path;

	if (!c || !gdl_cgroup_detach(c, cgroup_id(cgrp)))
		return false;
	b = container_of(c, struct gdl_binding, cgroup);
	gdl_stat_inc(GDL_STAT_BINDINGS_ENDED);
	trace_gdl_binding(b, "waiting");
	if (b->template)
		return true;
	if (is_too_long(b)) {
		schedule_work(&ended_work);
		return false;
	}
	path = READ_ONCE(c->path)->name;
	pr_notice_ratelimited("agent %llu: cgroup %*pE is gone, its binding waits\n",
			      b->agent->id, (int)strnlen(path, GDL_LOGGED_PATH), path);
	return false;
}

/* That of the nearest of a cgroup and its ancestors that has one. */
static struct gdl_binding *find_nearest(struct cgroup *cgrp)
{
	struct gdl_cgroup *c;

	for (; cgrp; cgrp = cgroup_parent(cgrp)) {
		c = gdl_cgroup_find(cgroup_id(cgrp));
		if (c)
			return container_of(c, struct gdl_binding, cgroup);
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
	struct gdl_binding *b = NULL;

	if (atomic_read(&processes.nelems))
		b = find_process(task_tgid(task));
	if (!b && READ_ONCE(gdl_nr_cgroups))
		b = find_nearest(task_dfl_cgroup(task));
	return b ? b->agent : &gdl_host;
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

/* As bind takes it, relative to the reader's cgroup namespace; "" for one outside. */
static void show_path(const struct gdl_binding *b, char *path)
{
	const char *name = READ_ONCE(b->cgroup.path)->name;
	size_t len;

	if (path_of(namespace_root(), path))
		goto out;
	len = strlen(path);
	if (path[len - 1] == '/')
		len--;
	if (strncmp(name, path, len) || (name[len] && name[len] != '/'))
		goto out;
	strscpy(path, name[len] ? name + len : "/", PATH_MAX);
	return;
out:
	path[0] = '\0';
}

/**
 * gdl_binding_next() - walk the bindings in the order of their ids
 * @row: receives the first binding from @row->id on; its path is
 * "" for a process, and for a cgroup outside of the reader's cgroup namespace
 * @ns: the pid namespace that @row->pid is of, 0 for a process not in it
 *
 * Context: Caller holds rcu_read_lock(). Does not sleep.
 * Return: False if there is none.
 */
bool gdl_binding_next(struct gdl_binding_row *row, struct pid_namespace *ns)
{
	unsigned long id = row->id;
	struct gdl_binding *b;

	b = xa_find(&bindings, &id, ULONG_MAX, XA_PRESENT);
	if (!b)
		return false;
	row->id = b->id;
	row->agent_id = b->agent->id;
	row->is_cgroup = b->kind == GDL_BINDING_CGROUP;
	row->bound = !row->is_cgroup || READ_ONCE(b->cgroup.id);
	row->pid = pid_nr_ns(b->pid, ns);
	row->path[0] = '\0';
	if (row->is_cgroup)
		show_path(b, row->path);
	return true;
}

/**
 * gdl_binding_init() - make the tables
 *
 * Context: May sleep.
 * Return: 0 or -ENOMEM.
 */
int gdl_binding_init(void)
{
	gdl_cgroup_init();
	return rhashtable_init(&processes, &process_params);
}

/**
 * gdl_binding_exit() - drop all bindings
 *
 * Context: May sleep. No command and no event may come any more.
 */
void gdl_binding_exit(void)
{
	struct gdl_binding *b;
	unsigned long id;

	mutex_lock(&gdl_agent_mutex);
	xa_for_each(&bindings, id, b)
		gdl_binding_drop(b);
	mutex_unlock(&gdl_agent_mutex);
	cancel_work_sync(&ended_work);
	rcu_barrier();
	xa_destroy(&bindings);
	rhashtable_destroy(&processes);
}
