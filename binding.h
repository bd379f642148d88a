/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bindings: which agent a process works for, and the cgroups that they name. Letters
 * behind fields are those of gpu_dma_lock.h.
 */
#ifndef GDL_BINDING_H
#define GDL_BINDING_H

#include <linux/list.h>
#include <linux/list_nulls.h>
#include <linux/rcupdate.h>
#include <linux/rhashtable-types.h>
#include <linux/types.h>
#include <linux/wait.h>

struct cgroup;
struct gdl_agent;
struct gdl_template;
struct pid;
struct pid_namespace;
struct task_struct;

/* cgroup.c: cgroups by path, and by id while they are there */

/* The longest path that is followed; the kernel's tracepoints cut it at 1,023 bytes. */
#define GDL_CGROUP_PATH_MAX	1000
/* So much of a path goes into the log. */
#define GDL_LOGGED_PATH		256

struct gdl_cgroup_path {
	struct rcu_head rcu;
	char name[];				/* C: from the root of the hierarchy */
};

/* A cgroup that is named by its path: it may go, and another may come there. */
struct gdl_cgroup {
	struct hlist_node by_path;		/* G, walked under RCU */
	struct hlist_nulls_node by_id;		/* G, walked under RCU */
	u64 id;					/* G: of the one that is there, or 0 */
	bool named;				/* G: it is found by its path */
	struct gdl_cgroup_path *path;		/* G, read under RCU by READ_ONCE() */
};

extern unsigned int gdl_nr_cgroups;

struct gdl_cgroup_path *gdl_cgroup_path_alloc(size_t len, gfp_t gfp);
int gdl_cgroup_add(struct gdl_cgroup *c);
void gdl_cgroup_del(struct gdl_cgroup *c);
bool gdl_cgroup_del_absent(struct gdl_cgroup *c, bool (*may_go)(const struct gdl_cgroup *c));
bool gdl_cgroup_attach(struct gdl_cgroup *c, u64 id, bool only_absent);
bool gdl_cgroup_detach(struct gdl_cgroup *c, u64 id);
void gdl_cgroup_shorten(struct gdl_cgroup *c);
struct gdl_cgroup *gdl_cgroup_find(u64 id);
struct gdl_cgroup *gdl_cgroup_find_path(const char *path);
void gdl_cgroup_init(void);

/* binding.c: which agent a process works for */

/* The most bindings there can be. */
#define GDL_BINDINGS_MAX	65536

enum gdl_binding_kind {
	GDL_BINDING_PID,
	GDL_BINDING_CGROUP,
};

struct gdl_binding {
	u64 id;					/* C: rises with time */
	enum gdl_binding_kind kind;		/* C */
	struct gdl_agent *agent;		/* C */
	struct rhash_head node;			/* rhashtable's: processes by pid */
	struct pid *pid;			/* C: with a reference, or NULL */
	struct wait_queue_entry exit;		/* in pid->wait_pidfd */
	struct gdl_cgroup cgroup;
	struct gdl_template *template;		/* C: that it was made by, or NULL */
	struct list_head of_template;		/* T while it is not published, then M */
	struct list_head of_agent;		/* M: in gdl_agent.bound, while it has an id */
	struct rcu_head rcu;
};

/* Cgroups whose path is like that become agents of their own. */
struct gdl_template {
	struct list_head list;			/* M, walked under RCU */
	u64 id;					/* C: rises with time */
	u64 limit;				/* M, READ_ONCE() elsewhere: bytes, of each */
	size_t len;				/* C: of the pattern */
	size_t literal;				/* C: bytes before its first special one */
	atomic_t agents;			/* A: that it has made, and that are there */
	char pattern[];				/* C */
};

struct gdl_binding_row {
	u64 id;
	u64 agent_id;
	bool is_cgroup;				/* else a process */
	bool bound;				/* else its cgroup is not there */
	pid_t pid;
	char *path;				/* of PATH_MAX bytes */
};

int gdl_binding_init(void);
void gdl_binding_exit(void);
int gdl_bind_cgroup(u64 agent_id, const char *path, bool later);
int gdl_bind_pid(u64 agent_id, u64 nr);
int gdl_unbind_cgroup(u64 agent_id, const char *path);
int gdl_unbind_pid(u64 agent_id, u64 nr);
struct gdl_binding *gdl_binding_alloc_cgroup(struct gdl_agent *agent, size_t path_len,
					     gfp_t gfp);
void gdl_binding_free(struct gdl_binding *b);
int gdl_binding_publish(struct gdl_binding *b);
void gdl_binding_drop(struct gdl_binding *b);
void gdl_binding_drop_agent(const struct gdl_agent *agent);
bool gdl_binding_cgroup_made(struct cgroup *cgrp, const char *path);
bool gdl_binding_cgroup_gone(struct cgroup *cgrp);
struct gdl_agent *gdl_agent_of(struct task_struct *task);
struct pid *gdl_thread_group_get(u64 nr);
bool gdl_process_gone(struct pid *pid);
bool gdl_cgroup_namespace_is_root(void);
u64 gdl_binding_last_id(void);
bool gdl_binding_next(struct gdl_binding_row *row, struct pid_namespace *ns);

/* template.c: agents for cgroups that come */

/* The most templates there can be. */
#define GDL_TEMPLATES_MAX	1024

int gdl_template_set(const char *pattern, u64 limit);
int gdl_template_remove(const char *pattern);
void gdl_template_cgroup_made(struct cgroup *cgrp, const char *path);
void gdl_template_cgroup_gone(void);
const struct gdl_template *gdl_template_next(u64 id);
u64 gdl_template_last_id(void);
void gdl_template_stop(void);
void gdl_template_exit(void);

#endif /* GDL_BINDING_H */
