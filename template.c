// SPDX-License-Identifier: GPL-2.0-only
/*
 * Templates: a new cgroup whose path matches a pattern becomes an agent of its own, bound
 * to it, with the template's quota. Such an agent goes when its cgroup is gone and it
 * holds nothing.
 *
 * A cgroup is told by a tracepoint, before anybody can be in it. Memory cannot be had
 * there, so a pool of agents, each with a binding, is made ahead; where it is empty
 * the kernel is asked all the same, if it can be, and where that fails the cgroup is
 * looked for again by a work item. The same work item lets the new agents be found by
 * their ids: until then they are only charged.
 *
 * An agent whose cgroup is gone, but not all it holds, is there still for the next cgroup
 * of that path: a tenant that removes and makes its own cgroup does not get a second quota.
 *
 * Below a cgroup that a template has taken, or is about to take, no other is taken: `*`
 * matches a `/` too, and a tenant may make cgroups below its own.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cgroup.h>
#include <linux/glob.h>
#include <linux/kernfs.h>
#include <linux/limits.h>
#include <linux/mutex.h>
#include <linux/ratelimit.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "gpu_dma_lock.h"
#include "trace.h"

/* So many cgroups can be made until the work item comes to make more agents. */
#define POOL_SIZE	64

/* So many agents are removed in one grace period. */
#define REMOVED_AT_ONCE	64

/* So many are let be found by their ids until a command may come between. */
#define PUBLISHED_AT_ONCE	64

#define LOOK_AGAIN	(HZ / 2)

/* A task that looks through all cgroups lets others run after so many. */
#define CGROUPS_AT_ONCE	256

/* Deeper down each path is too long: a name has a byte at least, and a `/`. */
#define LEVELS		(GDL_CGROUP_PATH_MAX / 2)

/* A binding of the same path may come and go while an agent is made. */
#define MAKE_TRIES	8

static LIST_HEAD(templates);		/* M, walked under RCU: the longest first */
static LIST_HEAD(removed);		/* M: templates that agents are left of */
static unsigned int nr_templates;	/* M */
static u64 last_id;			/* M */

static DEFINE_RAW_SPINLOCK(pool_lock);
static LIST_HEAD(pool);			/* T: of gdl_binding.of_template */
static LIST_HEAD(fresh);		/* T: used, but not found by their ids yet */
static unsigned int nr_pool;		/* T, READ_ONCE() elsewhere */
static u64 last_agent = GDL_TEMPLATE_IDS;	/* T */
static LIST_HEAD(made);			/* M */

/* A cgroup did not become an agent, but may later. */
static bool missed;
/* Nothing is queued any more. */
static bool stopping;

static void work(struct work_struct *work);
static DECLARE_WORK(template_work, work);
static void look_again(struct work_struct *work);
static DECLARE_DELAYED_WORK(again_work, look_again);

static void pool_put(struct gdl_binding *b)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&pool_lock, flags);
	list_add(&b->of_template, &pool);
	WRITE_ONCE(nr_pool, nr_pool + 1);
	raw_spin_unlock_irqrestore(&pool_lock, flags);
}

static struct gdl_binding *pool_take(void)
{
	struct gdl_binding *b;
	unsigned long flags;

	raw_spin_lock_irqsave(&pool_lock, flags);
	b = list_first_entry_or_null(&pool, struct gdl_binding, of_template);
	if (b) {
		list_del(&b->of_template);
		WRITE_ONCE(nr_pool, nr_pool - 1);
	}
	raw_spin_unlock_irqrestore(&pool_lock, flags);
	return b;
}

/* An agent, and a binding for it. */
static struct gdl_binding *prepare(gfp_t gfp)
{
	struct gdl_agent *agent = gdl_agent_alloc(0, GDL_UNLIMITED, gfp);
	struct gdl_binding *b;

	if (!agent)
		return NULL;
	b = gdl_binding_alloc_cgroup(agent, GDL_CGROUP_PATH_MAX, gfp);
	if (!b)
		gdl_agent_free(agent);
	return b;
}

static void unprepare(struct gdl_binding *b)
{
	gdl_agent_free(b->agent);
	gdl_binding_free(b);
}

static bool pool_fill(void)
{
	struct gdl_binding *b;

	while (READ_ONCE(nr_pool) < POOL_SIZE) {
		b = prepare(GFP_KERNEL);
		if (!b)
			return false;
		pool_put(b);
	}
	return true;
}

static void pool_empty(void)
{
	struct gdl_binding *b;

	while ((b = pool_take()))
		unprepare(b);
}

/* A cheap look, as each new cgroup is compared with all patterns. */
static bool begins_otherwise(const struct gdl_template *t, const char *path)
{
	return t->literal > 1 && t->pattern[1] != path[1];
}

static bool matches(const struct gdl_template *t, const char *path)
{
	return !strncmp(t->pattern, path, t->literal) && glob_match(t->pattern, path);
}

static struct gdl_template *match(const char *path)
{
	struct gdl_template *t;

	list_for_each_entry_rcu(t, &templates, list)
		if (!begins_otherwise(t, path) && matches(t, path))
			return t;
	return NULL;
}

/* On PREEMPT_RT there is none for what cannot sleep. */
static struct gdl_binding *take_or_prepare(void)
{
	struct gdl_binding *b = pool_take();

	if (!b && !IS_ENABLED(CONFIG_PREEMPT_RT))
		b = prepare(GFP_ATOMIC | __GFP_NOWARN);
	return b;
}

static void add_fresh(struct gdl_binding *b)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&pool_lock, flags);
	list_add_tail(&b->of_template, &fresh);
	raw_spin_unlock_irqrestore(&pool_lock, flags);
}

static struct gdl_binding *take_fresh(void)
{
	struct gdl_binding *b;
	unsigned long flags;

	raw_spin_lock_irqsave(&pool_lock, flags);
	b = list_first_entry_or_null(&fresh, struct gdl_binding, of_template);
	if (b)
		list_del(&b->of_template);
	raw_spin_unlock_irqrestore(&pool_lock, flags);
	return b;
}

static u64 next_agent_id(void)
{
	unsigned long flags;
	u64 id;

	raw_spin_lock_irqsave(&pool_lock, flags);
	id = last_agent++;
	raw_spin_unlock_irqrestore(&pool_lock, flags);
	return id;
}

/* For an agent that is in no table. */
static struct gdl_binding *reserve(void)
{
	struct gdl_binding *b;

	if (READ_ONCE(last_agent) >= 2 * GDL_TEMPLATE_IDS || !gdl_agent_reserve())
		return ERR_PTR(-ENOSPC);
	b = take_or_prepare();
	if (b)
		return b;
	gdl_agent_unreserve();
	return ERR_PTR(-ENOMEM);
}

static void unreserve(struct gdl_binding *b)
{
	pool_put(b);
	gdl_agent_unreserve();
}

/*
 * Whether a cgroup is below one that a template has taken, or that @t would take if it
 * were not bound: a tenant can make cgroups below its own, and would get more quotas.
 */
static bool is_taken_above(const struct gdl_template *t, struct cgroup *cgrp)
{
	struct gdl_cgroup *c;

	while ((cgrp = cgroup_parent(cgrp))) {
		c = gdl_cgroup_find(cgroup_id(cgrp));
		if (c && (container_of(c, struct gdl_binding, cgroup)->template ||
			  matches(t, READ_ONCE(c->path)->name)))
			return true;
	}
	return false;
}

/* Whether a template would take a cgroup that is not bound, at @path, if it were made now. */
static bool would_be_taken(struct cgroup *cgrp, const char *path)
{
	struct gdl_template *t;

	if (gdl_cgroup_find(cgroup_id(cgrp)))
		return false;
	t = match(path);
	return t && !is_taken_above(t, cgrp);
}

/*
 * Whether a cgroup is below one that a template is about to take: the template is new, the
 * cgroup above was missed, or its agent was removed. @path is cut meanwhile.
 */
static bool is_below_taken(struct cgroup *cgrp, char *path)
{
	char *end = path + strlen(path);
	bool is = false;

	while (!is && (cgrp = cgroup_parent(cgrp))) {
		while (end > path && *--end != '/')
			;
		/* The root is not taken. */
		if (end == path)
			break;
		*end = '\0';
		is = would_be_taken(cgrp, path);
		*end = '/';
	}
	return is;
}

/*
 * Make @cgrp, at @path, an agent: 0, also if one above it is to be one; -EEXIST if it has a
 * binding by now; or -ENOMEM, -ENOSPC or -ENAMETOOLONG.
 */
static int make(struct gdl_template *t, struct cgroup *cgrp, const char *path)
{
	size_t len = strlen(path);
	struct gdl_binding *b;

	if (len > GDL_CGROUP_PATH_MAX)
		return -ENAMETOOLONG;
	b = reserve();
	if (IS_ERR(b))
		return PTR_ERR(b);
	memcpy(b->cgroup.path->name, path, len + 1);
	/*
	 * Nobody else has that copy of the path yet. An ancestor that was bound meanwhile is no
	 * more about to be taken: the caller has looked too early for it.
	 */
	if (is_below_taken(cgrp, b->cgroup.path->name) || is_taken_above(t, cgrp)) {
		unreserve(b);
		return 0;
	}
	b->template = t;
	b->agent->id = next_agent_id();
	b->agent->quota.limit = READ_ONCE(t->limit);
	if (gdl_cgroup_add(&b->cgroup)) {
		unreserve(b);
		return -EEXIST;
	}
	atomic_inc(&t->agents);
	/* Unless a newer cgroup of that path has come meanwhile. */
	gdl_cgroup_attach(&b->cgroup, cgroup_id(cgrp), true);
	trace_gdl_binding(b, "bound");
	/* Last: what is no cgroup's, and found by the work item, is removed. */
	add_fresh(b);
	return 0;
}

static const char *why(int error)
{
	switch (error) {
	case -ENAMETOOLONG:
		return "its path is too long";
	case -ENOSPC:
		return "there are too many agents";
	default:
		return "no memory";
	}
}

/* It is looked for again, unless that cannot help. */
static void failed(const char *path, int error)
{
	if (error != -ENAMETOOLONG)
		WRITE_ONCE(missed, true);
	gdl_stat_inc(GDL_STAT_TEMPLATES_FAILED);
	trace_gdl_template_failed(path, why(error));
	pr_warn_ratelimited("cgroup %*pE did not become an agent: %s\n",
			    (int)strnlen(path, GDL_LOGGED_PATH), path, why(error));
}

/* What is queued here is waited for by gdl_template_stop(). */
static void queue_work_item(void)
{
	if (!READ_ONCE(stopping))
		schedule_work(&template_work);
}

/**
 * gdl_template_cgroup_made() - a cgroup was made, and nobody can be in it yet
 * @cgrp: the cgroup, which is not bound
 * @path: its path from the root of the hierarchy
 *
 * Context: Any. Caller holds rcu_read_lock().
 */
void gdl_template_cgroup_made(struct cgroup *cgrp, const char *path)
{
	struct gdl_template *t = match(path);
	unsigned int tries = 0;
	int ret;

	if (!t || is_taken_above(t, cgrp))
		return;
	do {
		ret = make(t, cgrp, path);
		/* A binding of that path is there, or was until now. */
		if (ret == -EEXIST && gdl_binding_cgroup_made(cgrp, path))
			ret = 0;
	} while (ret == -EEXIST && ++tries < MAKE_TRIES);
	if (ret)
		failed(path, ret);
	queue_work_item();
}

/**
 * gdl_template_cgroup_gone() - the cgroup of an agent that a template made is gone
 *
 * Context: Any.
 */
void gdl_template_cgroup_gone(void)
{
	queue_work_item();
}

/* One that is not shown yet will be told of, or fails. */
static bool is_there(const struct cgroup *cgrp)
{
	return READ_ONCE(cgrp->self.flags) & CSS_ONLINE &&
	       READ_ONCE(cgrp->kn->flags) & KERNFS_ACTIVATED;
}

/* A walk over all cgroups, parents first. */
struct scan {
	unsigned int looked;		/* at so many since others could run */
	int skip;			/* those of a higher level are passed over */
	u16 len[LEVELS + 1];		/* at each level, of the path of the last */
	char path[GDL_CGROUP_PATH_MAX + NAME_MAX + 2]; /* of the last */
};

/*
 * Make s->path that of @cgrp: that of its parent, and its name. The kernel makes a whole
 * path in a time that rises with the square of its depth, which is for tenants to choose.
 */
static bool extend_path(struct scan *s, struct cgroup *cgrp)
{
	u16 len = s->len[cgrp->level - 1];
	char *end = s->path + len;

	if (kernfs_path_from_node(cgrp->kn, cgroup_parent(cgrp)->kn, end,
				  sizeof(s->path) - len) <= 0)
		return false;
	len += strlen(end);
	if (cgrp->level <= LEVELS)
		s->len[cgrp->level] = len;
	return true;
}

/* As if it were made now. Return whether those below it need not be looked at. */
static bool take(struct cgroup *cgrp, const char *path)
{
	struct gdl_template *t = match(path);
	int ret;

	if (!t || is_taken_above(t, cgrp))
		return false;
	ret = make(t, cgrp, path);
	if (ret == -EEXIST)
		return false;
	if (ret) {
		failed(path, ret);
		return true;
	}
	/* A cgroup goes offline before rmdir is traced: one of the two is seen. */
	smp_mb();
	if (!(READ_ONCE(cgrp->self.flags) & CSS_ONLINE))
		gdl_binding_cgroup_gone(cgrp);
	return true;
}

/* A cgroup that is there. Return as take(): so it is where their paths are too long, too. */
static bool scan_one(struct scan *s, struct cgroup *cgrp)
{
	struct gdl_cgroup *c;
	bool taken;

	if (!cgroup_parent(cgrp)) {
		s->len[0] = 0;
		return false;
	}
	/* What comes below it from here on is told of. */
	if (!is_there(cgrp) || !extend_path(s, cgrp))
		return true;
	c = gdl_cgroup_find(cgroup_id(cgrp));
	if (c)
		taken = container_of(c, struct gdl_binding, cgroup)->template;
	else
		taken = take(cgrp, s->path);
	return taken || strlen(s->path) > GDL_CGROUP_PATH_MAX;
}

/* Stay at @css, but let go of RCU for as long as it takes to fill the pool. */
static void let_others_run(struct scan *s, struct cgroup_subsys_state *css)
{
	if ((s->looked++ < CGROUPS_AT_ONCE && READ_ONCE(nr_pool)) || !css_tryget(css))
		return;
	rcu_read_unlock();
	pool_fill();
	cond_resched();
	rcu_read_lock();
	css_put(css);
	s->looked = 0;
}

static void scan(struct scan *s)
{
	struct cgroup_subsys_state *css;
	struct cgroup *cgrp;

	s->looked = 0;
	s->skip = INT_MAX;
	rcu_read_lock();
	css_for_each_descendant_pre(css, &cgrp_dfl_root.cgrp.self) {
		let_others_run(s, css);
		cgrp = container_of(css, struct cgroup, self);
		if (cgrp->level <= s->skip)
			s->skip = scan_one(s, cgrp) ? cgrp->level : INT_MAX;
	}
	rcu_read_unlock();
}

static void scan_for_missed(void)
{
	struct scan *s = kmalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return;
	WRITE_ONCE(missed, false);
	scan(s);
	kfree(s);
}

/*
 * Let @b and its agent be found by their ids, and that by its cgroup's path. Where
 * that name is taken, it has none.
 */
static int publish(struct gdl_binding *b)
{
	int ret = gdl_agent_set_name(b->agent, b->cgroup.path->name);

	if (ret && ret != -EEXIST)
		return ret;
	ret = gdl_agent_add(b->agent);
	if (ret) {
		gdl_agent_drop_name(b->agent);
		return ret;
	}
	ret = gdl_binding_publish(b);
	if (ret) {
		gdl_agent_hide(b->agent);
		return ret;
	}
	gdl_cgroup_shorten(&b->cgroup);
	return 0;
}

/*
 * Publish some that are fresh. Return whether some are left for want of memory. With @more
 * there may be others: it is to be called again.
 */
static bool publish_some(bool *more)
{
	struct gdl_binding *b;
	unsigned int nr;

	for (nr = 0; nr < PUBLISHED_AT_ONCE; nr++) {
		b = take_fresh();
		*more = b;
		if (!b)
			return false;
		if (publish(b)) {
			add_fresh(b);
			*more = false;
			return true;
		}
		list_add_tail(&b->of_template, &made);
	}
	return false;
}

/* Whether the agent of such a cgroup holds nothing, and nothing else is bound to it. */
static bool holds_nothing(const struct gdl_cgroup *c)
{
	const struct gdl_agent *agent = container_of(c, struct gdl_binding, cgroup)->agent;

	return !atomic64_read(&agent->buffers) &&
	       !READ_ONCE(agent->nr_attachments) &&
	       !READ_ONCE(agent->nr_contexts) &&
	       atomic64_read(&agent->bindings) == 1;
}

/*
 * Whether its agent can go. What it holds is looked at again under the lock: else a cgroup
 * could come and go in between, and leave a buffer behind.
 */
static bool has_ended(struct gdl_binding *b)
{
	return holds_nothing(&b->cgroup) &&
	       gdl_cgroup_del_absent(&b->cgroup, holds_nothing);
}

/*
 * Remove agents that have ended. Return whether some have not, but will. With @more there
 * may be others: it is to be called again, and goes on where it was.
 */
static bool remove_some(bool *more)
{
	struct gdl_agent *agents[REMOVED_AT_ONCE];
	struct gdl_binding *b, *next;
	unsigned int nr = 0;
	bool left = false;

	list_for_each_entry_safe(b, next, &made, of_template) {
		if (nr == REMOVED_AT_ONCE) {
			list_rotate_to_front(&b->of_template, &made);
			break;
		}
		cond_resched();
		if (READ_ONCE(b->cgroup.id))
			continue;
		if (!has_ended(b)) {
			left = true;
			continue;
		}
		agents[nr++] = b->agent;
		gdl_binding_drop(b);
	}
	if (nr)
		gdl_agents_remove(agents, nr);
	*more = nr == REMOVED_AT_ONCE;
	return left;
}

/* Free the removed templates that no agent is left of. */
static void free_removed(void)
{
	struct gdl_template *t, *next;

	lockdep_assert_held(&gdl_agent_mutex);
	list_for_each_entry_safe(t, next, &removed, list)
		if (!atomic_read(&t->agents)) {
			list_del(&t->list);
			kfree(t);
		}
}

static void work(struct work_struct *work)
{
	bool unpublished, left, more, any;

	/* Commands may come between: a tenant's cgroups may be many. */
	do {
		mutex_lock(&gdl_agent_mutex);
		unpublished = publish_some(&more);
		mutex_unlock(&gdl_agent_mutex);
	} while (more);
	do {
		mutex_lock(&gdl_agent_mutex);
		left = unpublished | remove_some(&more);
		free_removed();
		any = nr_templates;
		mutex_unlock(&gdl_agent_mutex);
	} while (more);
	if (any && pool_fill() && READ_ONCE(missed)) {
		scan_for_missed();
		/* What was found is fresh. */
		left = true;
	}
	if ((left || (any && READ_ONCE(missed))) && !READ_ONCE(stopping))
		schedule_delayed_work(&again_work, LOOK_AGAIN);
}

static void look_again(struct work_struct *work)
{
	queue_work_item();
}

static struct gdl_template *find(const char *pattern)
{
	struct gdl_template *t;

	lockdep_assert_held(&gdl_agent_mutex);
	list_for_each_entry(t, &templates, list)
		if (!strcmp(t->pattern, pattern))
			return t;
	return NULL;
}

static struct gdl_template *template_alloc(const char *pattern, u64 limit)
{
	size_t len = strlen(pattern);
	struct gdl_template *t = kzalloc(struct_size(t, pattern, len + 1),
					 GFP_KERNEL_ACCOUNT);

	if (!t)
		return NULL;
	memcpy(t->pattern, pattern, len + 1);
	t->len = len;
	t->literal = strcspn(pattern, "*?[\\");
	t->limit = limit;
	return t;
}

/* The longest comes first; of the same length, that which sorts first. */
static void insert_locked(struct gdl_template *new)
{
	struct gdl_template *t;
	struct list_head *before = &templates;

	lockdep_assert_held(&gdl_agent_mutex);
	list_for_each_entry(t, &templates, list) {
		if (t->len < new->len ||
		    (t->len == new->len && strcmp(t->pattern, new->pattern) > 0))
			break;
		before = &t->list;
	}
	new->id = ++last_id;
	list_add_rcu(&new->list, before);
	nr_templates++;
}

static int set_locked(const char *pattern, u64 limit)
{
	struct gdl_template *t = find(pattern);

	if (t) {
		WRITE_ONCE(t->limit, limit);
		return 0;
	}
	if (nr_templates >= GDL_TEMPLATES_MAX)
		return -ENOSPC;
	if (!pool_fill())
		return -ENOMEM;
	t = template_alloc(pattern, limit);
	if (!t)
		return -ENOMEM;
	insert_locked(t);
	return 0;
}

/**
 * gdl_template_set() - let cgroups become agents
 * @pattern: of their paths from the root of the hierarchy, for glob_match()
 * @limit: the quota of each, in bytes, or GDL_UNLIMITED; of a template that is there
 *	already, that of the agents it makes from here on
 *
 * Cgroups that are there are taken too.
 *
 * Context: May sleep. Takes and releases gdl_agent_mutex.
 * Return: 0, -EINVAL @pattern begins neither with a `/` nor with a `*`,
 * -ENOSPC with GDL_TEMPLATES_MAX templates, -ENOMEM.
 */
int gdl_template_set(const char *pattern, u64 limit)
{
	struct scan *s;
	int ret;

	if (pattern[0] != '/' && pattern[0] != '*')
		return -EINVAL;
	s = kmalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	mutex_lock(&gdl_agent_mutex);
	ret = set_locked(pattern, limit);
	mutex_unlock(&gdl_agent_mutex);
	if (!ret)
		scan(s);
	kfree(s);
	queue_work_item();
	return ret;
}

/**
 * gdl_template_remove() - make no more agents
 * @pattern: of the template
 *
 * The agents that it has made stay as long as their cgroups.
 *
 * Context: May sleep. Takes and releases gdl_agent_mutex.
 * Return: 0, -ENOENT no such template.
 */
int gdl_template_remove(const char *pattern)
{
	struct gdl_template *t;
	bool last = false;

	mutex_lock(&gdl_agent_mutex);
	t = find(pattern);
	if (t) {
		list_del_rcu(&t->list);
		last = !--nr_templates;
		/* A task that has found it has counted its agent. */
		synchronize_rcu();
		list_add(&t->list, &removed);
		free_removed();
		if (last)
			pool_empty();
	}
	mutex_unlock(&gdl_agent_mutex);
	return t ? 0 : -ENOENT;
}

/**
 * gdl_template_next() - walk the templates in the order of their ids
 * @id: the lowest id wanted
 *
 * Context: Caller holds rcu_read_lock().
 * Return: The first template from @id on, or NULL.
 */
const struct gdl_template *gdl_template_next(u64 id)
{
	const struct gdl_template *t, *next = NULL;

	list_for_each_entry_rcu(t, &templates, list)
		if (t->id >= id && (!next || t->id < next->id))
			next = t;
	return next;
}

/**
 * gdl_template_last_id() - the highest id given away so far
 *
 * Context: Any.
 * Return: The id, 0 before the first.
 */
u64 gdl_template_last_id(void)
{
	return READ_ONCE(last_id);
}

/**
 * gdl_template_stop() - let no agents come and go any more
 *
 * Context: May sleep. No command and no event of a cgroup may come any more.
 */
void gdl_template_stop(void)
{
	WRITE_ONCE(stopping, true);
	/* What looked before may queue the other once more. */
	cancel_work_sync(&template_work);
	cancel_delayed_work_sync(&again_work);
	cancel_work_sync(&template_work);
}

static void free_all(struct list_head *list)
{
	struct gdl_template *t, *next;

	list_for_each_entry_safe(t, next, list, list)
		kfree(t);
}

/**
 * gdl_template_exit() - forget all templates
 *
 * Nothing may be charged any more; all bindings are dropped.
 *
 * Context: May sleep.
 */
void gdl_template_exit(void)
{
	struct gdl_binding *b, *next;

	list_for_each_entry_safe(b, next, &fresh, of_template) {
		gdl_cgroup_del(&b->cgroup);
		unprepare(b);
	}
	pool_empty();
	free_all(&templates);
	free_all(&removed);
}
