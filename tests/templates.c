// SPDX-License-Identifier: GPL-2.0-only
/*
 * Templates: cgroups that come become agents, before anybody can be in them. 1,000 are
 * made and removed on all CPUs, each with a process that is cloned into it and makes a
 * buffer at once: none is agent 0's, and no agent is left. Paths are those that container
 * engines, systemd and Slurm give their cgroups.
 *
 * vm: --load --smp 4 --mem 1024 --timeout 400
 */
#define _GNU_SOURCE
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "cgroup.h"
#include "source.h"
#include "swarm.h"
#include "totals.h"

#define SIZE		4096
#define LIMIT		(4 * SIZE)
#define FIRST_ID	0x100000000ULL
#define CGROUPS		scaled(1000)
#define MAKERS		4
#define TRIES		8
#define GONE_SECONDS	60
#define RACES		(2 + scaled(20))
#define BESIDE		200	/* cgroups that a look at all meets before the others */

static void works(int err, const char *what)
{
	is_errno(err, 0, "%s", what);
}

static bool gone(const void *arg)
{
	(void)arg;
	return swarm_get("agents", "ID", 0, "ID") == 0 && !strstr(swarm_read("agents"), "\n4294");
}

static void none_left(const char *when)
{
	ok(swarm_wait(gone, NULL, GONE_SECONDS), "no agent of a template is left %s", when);
}

/* The agent that @path is bound to, 0 if none. */
static __u64 agent_at(const char *path)
{
	char *text = swarm_read("bindings"), *line, *next, what[512], want[512];
	__u64 agent = 0, found = 0;

	snprintf(want, sizeof(want), "cgroup:%s", path);
	for (line = strtok_r(text, "\n", &next); line; line = strtok_r(NULL, "\n", &next))
		if (sscanf(line, "%llu %511s", &agent, what) == 2 && !strcmp(what, want))
			found = agent;
	free(text);
	return found;
}

static bool is_agent(const void *arg)
{
	return agent_at(arg) >= FIRST_ID;
}

static void make_all(const char *path)
{
	char part[240];
	const char *slash;

	for (slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s",
			 (int)(slash ? slash - path : (long)strlen(path)), path);
		cgroup_make(part);
		if (!slash)
			return;
	}
}

static void remove_all(const char *path)
{
	char part[240];

	snprintf(part, sizeof(part), "%s", path);
	do {
		cgroup_try_remove(part);
		*strrchr(part, '/') = '\0';
	} while (part[0]);
}

static pid_t clone_into(const char *name)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };
	char path[512];
	pid_t pid;

	snprintf(path, sizeof(path), CGROUP_ROOT "%s", name);
	args.cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid)
		close(args.cgroup);
	return pid;
}

static int grab(int tries)
{
	int n = 0;

	memset(source_opened, 0, sizeof(source_opened));
	if (!source_open(SOURCE_VGEM))
		return 255;
	while (tries--)
		n += !source_make(SOURCE_VGEM, SIZE);
	return n;
}

/* How many of so many buffers a process gets that is cloned into a cgroup; -1: none was. */
static int grab_in(const char *name, int tries)
{
	pid_t pid = clone_into(name);
	int status;

	if (!pid)
		_exit(grab(tries));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* Real paths, and the pattern that takes each; those with none stay the host's. */
static const struct {
	const char *pattern;
	const char *path;
	const char *at;		/* the cgroup that becomes an agent, NULL: none */
} fixtures[] = {
	{ "/kubepods.slice/*-pod*.slice",
	  "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod7d.slice/cri-0a1b.scope",
	  "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod7d.slice" },
	{ "/system.slice/docker-*.scope", "/system.slice/docker-4f5e6d.scope",
	  "/system.slice/docker-4f5e6d.scope" },
	{ "/machine.slice/libpod-*.scope", "/machine.slice/libpod-99aa.scope/container",
	  "/machine.slice/libpod-99aa.scope" },
	{ "/user.slice/user-*.slice", "/user.slice/user-1000.slice/user@1000.service/app.slice",
	  "/user.slice/user-1000.slice" },
	{ "/system.slice/slurmstepd.scope/job_*/step_[0-9]*",
	  "/system.slice/slurmstepd.scope/job_17/step_0/user/task_0",
	  "/system.slice/slurmstepd.scope/job_17/step_0" },
	{ "/system.slice/slurmstepd.scope/job_*/step_[0-9]*",
	  "/system.slice/slurmstepd.scope/job_18/step_batch/user", NULL },
	{ "/user.slice/user-*.slice", "/system.slice/ssh.service", NULL },
};

static void test_fixture(const char *pattern, const char *path, const char *at, bool before)
{
	const char *when = before ? "was there before" : "comes";

	if (before)
		make_all(path);
	works(swarm_cmd("template %s %d\n", pattern, LIMIT), pattern);
	if (!before)
		make_all(path);
	if (at)
		ok(swarm_wait(is_agent, at, GONE_SECONDS), "%s, which %s, is an agent", at, when);
	is(grab_in(path, TRIES), at ? LIMIT / SIZE : TRIES, "its limit holds at %s", path);
	works(swarm_cmd("remove_template %s\n", pattern), "remove the template");
	remove_all(path);
	none_left("then");
}

static void test_errors(void)
{
	is_errno(swarm_cmd("template\n"), EINVAL, "a template needs a pattern");
	is_errno(swarm_cmd("template jobs/x\n"), EINVAL, "which begins with a /");
	is_errno(swarm_cmd("template /t 1G x\n"), EINVAL, "and no more words");
	is_errno(swarm_cmd("template /t 1X\n"), EINVAL, "and a quota");
	is_errno(swarm_cmd("remove_template /t\n"), ENOENT, "none is there to remove");
	is_errno(swarm_cmd("create_agent 4294967296\n"), EINVAL, "ids of templates are theirs");
	is_errno(swarm_cmd("set_quota 4294967296 1G\n"), EINVAL, "also in set_quota");
	works(swarm_cmd("create_agent 8589934592\nremove_agent 8589934592\n"), "others are not");
	is_str(swarm_read("templates"), "PATTERN QUOTA AGENTS\n", "there are no templates");
}

static void test_rules(void)
{
	works(swarm_cmd("template /t/* 1M\ntemplate /t/big* 2M\ntemplate /t/* 3M\n"),
	      "the same pattern again changes its quota");
	is_str(swarm_read("templates"), "PATTERN QUOTA AGENTS\n/t/* 3145728 0\n/t/big* 2097152 0\n",
	       "they are listed as made");
	make_all("/t/bigger/below");
	make_all("/t/small");
	ok(swarm_wait(is_agent, "/t/small", GONE_SECONDS), "a cgroup is an agent");
	ok(swarm_wait(is_agent, "/t/bigger", GONE_SECONDS), "and another");
	is(swarm_get("agents", "ID", agent_at("/t/small"), "QUOTA"), 3 << 20,
	   "by the one that matches");
	is(swarm_get("agents", "ID", agent_at("/t/bigger"), "QUOTA"), 2 << 20,
	   "the longer pattern wins");
	is(agent_at("/t/bigger/below"), 0, "below an agent of a template is no other");
	works(swarm_cmd("create_agent 5\nbind 5 cgroup:/t/bigger/below\n"), "but one can be bound");
	is(agent_at("/t/bigger/below"), 5, "to another agent");
	works(swarm_cmd("bind 5 cgroup:/t/own later\n"), "a binding waits");
	make_all("/t/own");
	is(agent_at("/t/own"), 5, "it comes before a template");
	works(swarm_cmd("remove_agent 5\n"), "remove it");
	remove_all("/t/own");
	remove_all("/t/small");
	works(swarm_cmd("remove_template /t/*\nremove_template /t/big*\n"), "remove the templates");
	ok(agent_at("/t/bigger") >= FIRST_ID, "their agents stay");
	remove_all("/t/bigger/below");
	none_left("when their cgroups are gone");
}

/* A tenant that makes its cgroup anew, and has passed on what it holds. */
static void test_shed(void)
{
	__u64 first;
	pid_t pid;
	int ready[2];
	char c;

	works(swarm_cmd("template /t/* %d\n", LIMIT), "a template");
	make_all("/t/one");
	ok(swarm_wait(is_agent, "/t/one", GONE_SECONDS), "an agent");
	first = agent_at("/t/one");
	if (pipe(ready))
		bail("pipe");
	pid = clone_into("/t/one");
	if (!pid) {
		c = grab(TRIES);
		if (write(ready[1], &c, 1) != 1)
			_exit(1);
		pause();
	}
	if (read(ready[0], &c, 1) != 1)
		bail("read");
	is(c, LIMIT / SIZE, "it has what it may");
	cgroup_move("", pid);
	works(cgroup_remove("t/one") | cgroup_make("t/one"), "its cgroup is made anew");
	is(agent_at("/t/one"), first, "it is the same agent");
	is(grab_in("/t/one", TRIES), 0, "and gets no more");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	remove_all("/t/one");
	none_left("when its buffers are gone");
	works(swarm_cmd("remove_template /t/*\n"), "remove the template");
}

/* How many rows of bindings are of cgroups below @path. */
static int rows_below(const char *path)
{
	char *text = swarm_read("bindings"), *at = text, want[256];
	int n = 0;

	snprintf(want, sizeof(want), "cgroup:%s/", path);
	for (; (at = strstr(at, want)); at++)
		n++;
	free(text);
	return n;
}

/* Whose agent was removed is not passed over: what is below it is not taken instead. */
static void test_below(void)
{
	works(swarm_cmd("template /jobs/job_* %d\n", LIMIT), "a template");
	make_all("/jobs/job_1");
	ok(swarm_wait(is_agent, "/jobs/job_1", GONE_SECONDS), "an agent");
	works(swarm_cmd("remove_agent /jobs/job_1\n"), "remove it, but not its cgroup");
	make_all("/jobs/job_1/job_2");
	works(swarm_cmd("template /jobs/job_* %d\n", LIMIT), "the template again");
	ok(swarm_wait(is_agent, "/jobs/job_1", GONE_SECONDS), "the cgroup is an agent again");
	is(rows_below("/jobs/job_1"), 0, "one below, made while it was not, is no other");
	is(grab_in("/jobs/job_1/job_2", TRIES), LIMIT / SIZE, "it has the one limit");
	works(swarm_cmd("remove_template /jobs/job_*\n"), "remove the template");
	remove_all("/jobs/job_1/job_2");
	none_left("below one whose agent was removed");
}

static void make_below(const char *path)
{
	char name[64];
	int i;

	for (i = 0;; i++) {
		snprintf(name, sizeof(name), "%s/%d", path, i % BESIDE);
		cgroup_make(name);
		if (i >= BESIDE / 2) {
			snprintf(name, sizeof(name), "%s/%d", path, (i - BESIDE / 2) % BESIDE);
			cgroup_try_remove(name);
		}
	}
}

static void change_beside(int (*change)(const char *name))
{
	char name[64];
	int i;

	for (i = 0; i < BESIDE; i++) {
		snprintf(name, sizeof(name), "/beside-%d", i);
		change(name);
	}
}

/* A template that comes while a tenant makes cgroups below one that it is about to take. */
static int race_below(void)
{
	char name[64];
	pid_t pid;
	int i, n;

	cgroup_make("/race");
	cgroup_make("/race/x");
	pid = fork();
	if (!pid)
		make_below("/race/x");
	usleep(20000);
	if (swarm_cmd("template /race/* %d\n", LIMIT))
		bail("a template");
	usleep(20000);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (!swarm_wait(is_agent, "/race/x", GONE_SECONDS))
		bail("no agent");
	n = rows_below("/race/x");
	if (swarm_cmd("remove_template /race/*\n"))
		bail("removing it");
	for (i = 0; i < BESIDE; i++) {
		snprintf(name, sizeof(name), "/race/x/%d", i);
		cgroup_try_remove(name);
	}
	remove_all("/race/x");
	swarm_wait(gone, NULL, GONE_SECONDS);
	return n;
}

static void test_race_below(void)
{
	int i, n = 0;

	change_beside(cgroup_make);
	for (i = 0; i < RACES; i++)
		n += race_below();
	is(n, 0, "none below one that is about to be taken is taken before it");
	change_beside(cgroup_try_remove);
	none_left("below one that a template took");
}

static int make_many(int maker)
{
	char name[64];
	int i, wrong = 0;

	for (i = 0; i < CGROUPS / MAKERS; i++) {
		snprintf(name, sizeof(name), "/many/%d-%d", maker, i);
		if (cgroup_make(name))
			return 255;
		wrong += grab_in(name, LIMIT / SIZE + 1) != LIMIT / SIZE;
		if (cgroup_remove(name))
			return 254;
	}
	return wrong > 200 ? 200 : wrong;
}

static void test_many(void)
{
	int maker, status, wrong = 0;
	long long failed = swarm_stat("templates_failed");

	works(swarm_cmd("template /many/* %d\n", LIMIT), "a template");
	cgroup_make("many");
	for (maker = 0; maker < MAKERS; maker++)
		if (!fork())
			_exit(make_many(maker));
	for (maker = 0; maker < MAKERS; maker++) {
		wait(&status);
		wrong += WEXITSTATUS(status);
	}
	is(wrong, 0, "the limit holds in each of %d cgroups", CGROUPS);
	is(swarm_stat("templates_failed") - failed, 0, "no cgroup was missed");
	none_left("of many");
	works(swarm_cmd("remove_template /many/*\n"), "remove the template");
	cgroup_remove("many");
}

int main(void)
{
	size_t i;

	works(swarm_cmd("policy enforce\n"), "enforce");
	test_errors();
	test_rules();
	for (i = 0; i < sizeof(fixtures) / sizeof(*fixtures); i++) {
		test_fixture(fixtures[i].pattern, fixtures[i].path, fixtures[i].at, false);
		test_fixture(fixtures[i].pattern, fixtures[i].path, fixtures[i].at, true);
	}
	test_shed();
	test_below();
	test_race_below();
	test_many();
	is(swarm_get("agents", "ID", 0, "DENIED"), 0, "nothing was refused to agent 0");
	totals_add_up("at the end");
	return tap_done();
}
