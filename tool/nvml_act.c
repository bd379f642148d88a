// SPDX-License-Identifier: GPL-2.0-only
/*
 * Acts: what happens to an agent whose processes on NVIDIA's GPUs are over its quota.
 *
 * The module cannot refuse them memory. So the whole of an agent is frozen or killed, by the
 * cgroups that are bound to it, and nothing else: never agent 0, nor a cgroup in which anything is
 * of somebody else. What cannot be judged any more, as the module has gone, is thawed.
 *
 * Only what NVML has just said makes that happen. A row that it did not tell of again, as its GPU
 * is lost, keeps an agent frozen, and no more.
 */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent.h"
#include "cgroup.h"
#include "message.h"
#include "nvml_act.h"
#include "nvml_frozen.h"
#include "roster.h"
#include "stats.h"
#include "table.h"
#include "word.h"

/* A kill cannot be taken back: not on what NVML says once. */
#define KILL_ROUNDS	2

/* An agent, and the limit that it is over. */
struct over {
	char *agent, *called;
	char *device;		/* "all", or its id */
	uint64_t used, limit;
	uint64_t doubted;	/* of used: reported, and not by this reading */
	bool reported;		/* what is told of NVML's GPUs is part of it */
	bool written;		/* by this reading */
	bool fresh;		/* it is over by that alone */
	unsigned int rounds;	/* how often that was so, of readings in a row */
	bool told;		/* what is done, and what is not */
	bool left;		/* somebody has thawed it */
};

struct overs {
	const struct nvml_report *report;	/* the reading that has just come, or NULL */
	struct over *list;
	size_t count, room;
};

struct nvml_act {
	enum nvml_action action;
	bool enforce;		/* the policy, at the last round */
	struct nvml_frozen frozen;
	struct overs overs;
};

/**
 * nvml_act_new() - begin to act, as the only nvml
 * @action: what is done
 *
 * What an earlier nvml has left frozen is thawed.
 *
 * Return: to be given to nvml_act_free(); NULL if there cannot be one, which has been said.
 */
struct nvml_act *nvml_act_new(enum nvml_action action)
{
	struct nvml_act *a = make(1, sizeof(*a));

	a->action = action;
	if (!nvml_frozen_open(&a->frozen))
		return a;
	free(a);
	return NULL;
}

static void free_over(struct over *o)
{
	free(o->agent);
	free(o->called);
	free(o->device);
}

static void free_overs(struct overs *overs)
{
	while (overs->count)
		free_over(&overs->list[--overs->count]);
	free(overs->list);
	*overs = (struct overs){ 0 };
}

/**
 * nvml_act_free() - act no more: what is frozen is thawed
 * @a: what nvml_act_new() returned
 *
 * Return: 0; or -1 if something is frozen still, which has been said.
 */
int nvml_act_free(struct nvml_act *a)
{
	int failed = nvml_thaw(&a->frozen, NULL);

	nvml_frozen_close(&a->frozen);
	free_overs(&a->overs);
	free(a);
	return failed;
}

/* A row of quotas. */
static void take_quota(struct overs *overs, const struct table *t)
{
	const char *agent = table_cell(t, "AGENT");
	uint64_t used, limit;

	if (!strcmp(agent, "0") || !word_number(table_cell(t, "USED"), &used) ||
	    !word_number(table_cell(t, "LIMIT"), &limit) || used <= limit)
		return;
	overs->list = grow(overs->list, &overs->room, overs->count + 1, sizeof(*overs->list));
	overs->list[overs->count++] = (struct over){
		.agent = must(strdup(agent)),
		.called = agent_called(agent, table_cell(t, "NAME")),
		.device = must(strdup(table_cell(t, "DEVICE"))),
		.used = used,
		.limit = limit,
	};
}

/* Whether the reading that has just come wrote this row. */
static bool is_written(const struct overs *overs, const struct table *t)
{
	return overs->report && table_is(t, "KIND", "reported") &&
	       nvml_report_wrote(overs->report, table_cell(t, "DEVICE"), table_number(t, "PID"));
}

/* A row of allocations. */
static void take_row(struct overs *overs, const struct table *t)
{
	bool written;
	size_t i;

	if (!table_is(t, "KIND", "reported") && !table_is(t, "KIND", "stale"))
		return;
	written = is_written(overs, t);
	for (i = 0; i < overs->count; i++) {
		struct over *o = &overs->list[i];

		if (!table_is(t, "AGENT", o->agent) ||
		    (strcmp(o->device, "all") && !table_is(t, "DEVICE", o->device)))
			continue;
		o->reported = true;
		if (written)
			o->written = true;
		else
			o->doubted += table_number(t, "SIZE");
	}
}

static int read_rows(struct overs *overs, const char *name,
		     void (*take)(struct overs *overs, const struct table *t))
{
	struct table t;
	int got;

	if (table_open(&t, name))
		return -1;
	while ((got = table_next(&t)) > 0)
		take(overs, &t);
	table_close(&t);
	return got;
}

static struct over *find_over(const struct overs *overs, const char *agent)
{
	size_t i;

	for (i = 0; i < overs->count; i++)
		if (!strcmp(overs->list[i].agent, agent))
			return &overs->list[i];
	return NULL;
}

/* Of those that a report is part of, each agent once. */
static void keep_reported(struct overs *overs)
{
	size_t count = overs->count, i;

	overs->count = 0;
	for (i = 0; i < count; i++) {
		struct over o = overs->list[i], *other = find_over(overs, o.agent);

		o.fresh = o.written && o.used > o.limit + o.doubted;
		if (o.reported && !other) {
			overs->list[overs->count++] = o;
			continue;
		}
		if (other)
			other->fresh |= o.fresh;
		free_over(&o);
	}
}

/* Agents that are over a limit now. Returns 0; or -1, and what is wrong has been said. */
static int read_overs(struct overs *overs, const struct nvml_report *report)
{
	*overs = (struct overs){ .report = report };
	if (read_rows(overs, "quotas", take_quota) ||
	    (overs->count && read_rows(overs, "allocations", take_row))) {
		free_overs(overs);
		return -1;
	}
	overs->report = NULL;
	keep_reported(overs);
	return 0;
}

static void say_begins(const struct over *o)
{
	char used[WORD_SHORT], limit[WORD_SHORT];
	bool all = !strcmp(o->device, "all");

	say("nvml: agent %s is over its quota%s%s: %s of %s", o->called, all ? "" : " on device ",
	    all ? "" : o->device, word_human(used, o->used), word_human(limit, o->limit));
}

/* What is known of those that were over before. */
static void compare_overs(struct nvml_act *a, struct overs *now, bool reading)
{
	size_t i;

	for (i = 0; i < now->count; i++) {
		struct over *o = &now->list[i];
		const struct over *was = find_over(&a->overs, o->agent);

		if (was) {
			/* Between readings nothing is known anew. */
			o->rounds = reading && !o->fresh ? 0 : was->rounds;
			o->told = was->told;
			o->left = was->left;
		} else {
			say_begins(o);
		}
	}
	for (i = 0; i < a->overs.count; i++) {
		const struct over *o = &a->overs.list[i];

		if (!find_over(now, o->agent))
			say("nvml: agent %s is not over its quota any more", o->called);
	}
	free_overs(&a->overs);
	a->overs = *now;
}

/* Why a cgroup must not be touched, as a process may be in it, to be given to free(). */
static char *why_not_with(const char *pid, const char *called, const char *path)
{
	char *of = cgroup_of_process(pid), *why = NULL;

	if (!of)
		why = text("it is not known where %s is: %s", called, strerror(errno));
	else if (cgroup_is_within(of, path))
		why = text("%s is in it", called);
	free(of);
	return why;
}

/* Likewise one that is bound, and may have ended. */
static char *why_not_bound(const struct roster *r, const struct roster_binding *b,
			   const char *path)
{
	bool process = !strncmp(b->binding, "pid:", 4);
	char *of = process ? cgroup_of_process(b->binding + 4) : cgroup_path(b->binding);
	int error = process ? errno : EINVAL;
	char *why = NULL, *called;

	if (of && cgroup_is_within(of, path)) {
		called = roster_called(r, b->agent);
		why = text("%s in it is of agent %s", b->binding, called);
		free(called);
	} else if (!of && error != ENOENT && error != ESRCH) {
		why = text("it is not known where %s is: %s", b->binding, strerror(error));
	}
	free(of);
	return why;
}

/* Why a cgroup must not be touched, to be given to free(); NULL if it may be. */
static char *why_not(const struct roster *r, const char *agent, const char *path)
{
	char *why;
	size_t i;

	if (!strcmp(path, "/"))
		return text("it is the root");
	why = why_not_with("self", "gpu-dma-lock itself", path);
	if (!why)
		why = why_not_with("1", "process 1", path);
	for (i = 0; i < r->binding_count && !why; i++)
		if (!r->bindings[i].waits && strcmp(r->bindings[i].agent, agent))
			why = why_not_bound(r, &r->bindings[i], path);
	return why;
}

/* Says what is done to a binding, or why it is not, once while its agent is over its quota. */
static void tell(const struct over *o, const char *binding, const char *what, const char *why)
{
	char *shown = word_shown(binding);

	if (!o->told)
		say("nvml: agent %s: %s %s%s%s", o->called, shown, what, why ? ": " : "",
		    why ? why : "");
	free(shown);
}

static void tell_error(const struct over *o, const char *binding, const char *what, int error)
{
	if (error)
		tell(o, binding, what, strerror(error));
}

static void freeze_cgroup(struct nvml_act *a, const struct over *o, const char *binding,
			  const char *path, int folder)
{
	char *shown = word_shown(binding);
	int error = nvml_freeze(&a->frozen, o->agent, path, folder);

	if (!error)
		say("nvml: agent %s: %s is frozen", o->called, shown);
	else if (error == EALREADY)
		tell(o, binding, "was frozen by somebody else", NULL);
	else
		tell_error(o, binding, "cannot be frozen", error);
	free(shown);
}

static void kill_cgroup(const struct over *o, const char *binding, int folder)
{
	int error = cgroup_write(folder, "cgroup.kill", "1");

	if (error)
		tell_error(o, binding, "cannot be killed", error);
	else
		tell(o, binding, "is killed", NULL);
}

static bool is_bound(const struct roster *r, const char *agent, const char *path)
{
	bool bound = false;
	size_t i;

	for (i = 0; i < r->binding_count && !bound; i++) {
		const struct roster_binding *b = &r->bindings[i];
		char *of = cgroup_path(b->binding);

		bound = of && !b->waits && !strcmp(of, path) && !strcmp(b->agent, agent);
		free(of);
	}
	return bound;
}

/* As why_not(), of a cgroup that has been opened: if its path is bound still, it is that one, or
 * has gone.
 */
static char *why_not_now(const char *agent, const char *path)
{
	struct roster again;
	char *why;

	if (roster_read(&again))
		why = text("what is bound cannot be read");
	else if (!is_bound(&again, agent, path))
		why = text("it is not bound any more");
	else
		why = why_not(&again, agent, path);
	roster_free(&again);
	return why;
}

/* By its folder, so that it is not another one that comes to have its path. */
static void act_on_folder(struct nvml_act *a, const struct over *o, const char *binding,
			  const char *path)
{
	bool freeze = a->action == NVML_FREEZE;
	int folder = cgroup_open(path);
	char *why;

	if (folder < 0) {
		tell_error(o, binding, freeze ? "cannot be frozen" : "cannot be killed", errno);
		return;
	}
	why = why_not_now(o->agent, path);
	if (why)
		tell(o, binding, freeze ? "is not frozen" : "is not killed", why);
	else if (freeze)
		freeze_cgroup(a, o, binding, path, folder);
	else
		kill_cgroup(o, binding, folder);
	free(why);
	close(folder);
}

/* A process is bound as long as it is there, so if it is after it was opened, it is this one. */
static int kill_bound(const struct over *o, const char *pid)
{
	int fd = syscall(SYS_pidfd_open, atoi(pid), 0), error = fd < 0 ? errno : 0;
	const struct roster_binding *b;
	struct roster again;

	if (error)
		return error;
	b = roster_read(&again) ? NULL : roster_of_pid(&again, pid);
	if (!b || strcmp(b->agent, o->agent))
		error = ESRCH;
	else if (syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0))
		error = errno;
	roster_free(&again);
	close(fd);
	return error;
}

static void act_on_process(const struct nvml_act *a, const struct over *o, const char *binding,
			   bool really)
{
	const char *pid = binding + 4;
	int error;

	if (a->action == NVML_FREEZE) {
		tell(o, binding, "is not frozen", "that needs a cgroup");
	} else if (atoi(pid) <= 1 || atoi(pid) == getpid()) {
		tell(o, binding, "is not killed", "it is not a tenant's");
	} else if (!really) {
		tell(o, binding, "would be killed under enforce", NULL);
	} else {
		error = kill_bound(o, pid);
		if (!error)
			tell(o, binding, "is killed", NULL);
		else if (error != ESRCH)
			tell_error(o, binding, "cannot be killed", error);
	}
}

static void act_on_cgroup(struct nvml_act *a, const struct roster *r, const struct over *o,
			  const char *binding, bool really)
{
	bool freeze = a->action == NVML_FREEZE;
	char *path = cgroup_path(binding), *why;

	if (!path || !strcmp(binding, "cgroup:-")) {
		tell(o, binding, freeze ? "is not frozen" : "is not killed",
		     "it is of another cgroup namespace");
		free(path);
		return;
	}
	why = why_not(r, o->agent, path);
	if (why)
		tell(o, binding, freeze ? "is not frozen" : "is not killed", why);
	else if (!really)
		tell(o, binding, freeze ? "would be frozen under enforce" :
		     "would be killed under enforce", NULL);
	else if (!freeze || !nvml_is_frozen(&a->frozen, path))
		act_on_folder(a, o, binding, path);
	free(why);
	free(path);
}

static void act_on(struct nvml_act *a, const struct roster *r, struct over *o, bool really)
{
	size_t i;

	o->rounds++;
	if (a->action == NVML_KILL && o->rounds < KILL_ROUNDS)
		return;
	if (nvml_was_thawed(&a->frozen, o->agent)) {
		o->left = true;
		say("nvml: agent %s was thawed by somebody else, and is left so", o->called);
	}
	for (i = 0; i < r->binding_count && !o->left; i++) {
		const struct roster_binding *b = &r->bindings[i];

		if (strcmp(b->agent, o->agent) || b->waits)
			continue;
		if (!strncmp(b->binding, "pid:", 4))
			act_on_process(a, o, b->binding, really);
		else
			act_on_cgroup(a, r, o, b->binding, really);
	}
	o->told = true;
}

/* Whether a cgroup may not be frozen any more. */
static bool must_thaw(const struct roster *r, const struct frozen_cgroup *c)
{
	char *why = NULL;
	bool must_not = !c->agent || !is_bound(r, c->agent, c->path) ||
			(why = why_not(r, c->agent, c->path));

	free(why);
	return must_not;
}

/* Also while NVML says nothing. */
static void thaw_others(struct nvml_act *a, const struct roster *r)
{
	size_t i;

	/* From the end, as the last one takes the place of one that goes. */
	for (i = a->frozen.count; i--;)
		if (must_thaw(r, &a->frozen.list[i]))
			nvml_thaw_cgroup(&a->frozen, a->frozen.list[i].path);
}

/* Those of agents that are not over a quota any more, until it can be done. */
static void thaw_within(struct nvml_act *a)
{
	size_t i;

	for (i = a->frozen.count; i--;) {
		const struct frozen_cgroup *c = &a->frozen.list[i];

		if (!c->agent || !find_over(&a->overs, c->agent))
			nvml_thaw_cgroup(&a->frozen, c->path);
	}
}

static void act_on_all(struct nvml_act *a, bool fresh)
{
	struct roster r;
	size_t i;

	if (!roster_read(&r)) {
		thaw_others(a, &r);
		for (i = 0; i < a->overs.count && fresh; i++)
			if (a->overs.list[i].fresh)
				act_on(a, &r, &a->overs.list[i], a->enforce);
	}
	roster_free(&r);
}

/* The policy; to be given to free(). "off" if there is none, as there is no module. */
static char *read_policy(void)
{
	struct stats stats = { 0 };
	char *policy;

	policy = must(strdup(table_is_there("self") && !stats_read(&stats, "self") ?
			     stats_text(&stats, "policy") : "off"));
	stats_free(&stats);
	return policy;
}

/* What is done is another thing then, and told anew. */
static void take_policy(struct nvml_act *a, bool enforce)
{
	size_t i;

	for (i = 0; i < a->overs.count && enforce != a->enforce; i++)
		a->overs.list[i].told = false;
	a->enforce = enforce;
	/* Under another policy nobody is held. */
	if (!enforce)
		nvml_thaw(&a->frozen, NULL);
}

/**
 * nvml_act_doubt() - what was said before may be so no more: nobody is killed for it
 * @a: what nvml_act_new() returned
 */
void nvml_act_doubt(struct nvml_act *a)
{
	size_t i;

	for (i = 0; i < a->overs.count; i++)
		a->overs.list[i].rounds = 0;
}

/**
 * nvml_act_round() - look who is over its quota, and act on it
 * @a: what nvml_act_new() returned
 * @fresh: what the reading that has just come reported; NULL if there is none, whereupon nobody is
 *	frozen or killed, but thawed
 */
void nvml_act_round(struct nvml_act *a, const struct nvml_report *fresh)
{
	bool known = true, act = fresh && a->action != NVML_LOG;
	char *policy = read_policy();
	struct overs now = { 0 };

	take_policy(a, !strcmp(policy, "enforce"));
	if (!strcmp(policy, "off") || !table_is_there("quotas"))
		free_overs(&a->overs);
	else if (read_overs(&now, fresh))
		known = false;
	else
		compare_overs(a, &now, fresh);
	if (!known)
		nvml_act_doubt(a);
	thaw_within(a);
	if (a->frozen.count || (act && a->overs.count))
		act_on_all(a, act && known);
	free(policy);
}
