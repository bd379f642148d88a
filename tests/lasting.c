// SPDX-License-Identifier: GPL-2.0-only
/*
 * A binding of a cgroup lasts: who removes and makes a cgroup again, as a restarted
 * service does, or a tenant that was given its own, is bound all the time, and so is who
 * is cloned into the cgroup at once. No buffer is agent 0's, and no limit is passed.
 *
 * vm: --load --smp 4 --mem 768 --timeout 400
 */
#define _GNU_SOURCE
#include <grp.h>
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
#define LIMIT		(16 * SIZE)
#define TRIES		40
#define RESTARTS	scaled(2000)
#define NOBODY		65534

static void works(int err, const char *what)
{
	is_errno(err, 0, "%s", what);
}

static void state_is(const char *want, const char *when)
{
	char state[64] = "none";
	char *text = swarm_read("bindings"), *row = strstr(text, "cgroup:/jobs/x ");

	if (row)
		sscanf(row, "%*s %63s", state);
	is_str(state, want, when);
	free(text);
}

/* In a new process in the cgroup, from its first instruction on. */
static pid_t clone_into(int cgroup)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = cgroup,
	};

	return syscall(SYS_clone3, &args, sizeof(args));
}

/* Makes more buffers than are allowed; returns how many it got. */
static int grab(void)
{
	int n = 0, i;

	memset(source_opened, 0, sizeof(source_opened));
	if (!source_open(SOURCE_VGEM))
		return 255;
	for (i = 0; i < TRIES; i++)
		n += !source_make(SOURCE_VGEM, SIZE);
	return n;
}

/* What a process that is cloned into the cgroup gets; -1 if there was none. */
static int grab_in(const char *name)
{
	char path[128];
	int dir, status;
	pid_t pid;

	snprintf(path, sizeof(path), CGROUP_ROOT "/%s", name);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid = clone_into(dir);
	if (!pid)
		_exit(grab());
	close(dir);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static void test_states(void)
{
	long long ended = swarm_stat("bindings_ended"), renewed = swarm_stat("bindings_renewed");

	is_errno(swarm_cmd("bind 1 cgroup:/jobs/x\n"), ENOENT,
		 "binding for later: there is no cgroup");
	is_errno(swarm_cmd("bind 1 pid:1 later\n"), EINVAL,
		 "binding for later: a process cannot come later");
	is_errno(swarm_cmd("bind 1 cgroup:/jobs/x soon\n"), EINVAL,
		 "binding for later: soon is no word");
	is_errno(swarm_cmd("bind 1 cgroup:/jobs/../x later\n"), EINVAL,
		 "binding for later: there is no ..");
	works(swarm_cmd("bind 1 cgroup:jobs//x/ later\n"), "binding for later: bind it for later");
	state_is("waiting", "it waits");
	is_errno(swarm_cmd("bind 2 cgroup:/jobs/x later\n"), EEXIST,
		 "binding for later: it is bound");
	works(swarm_cmd("bind 1 cgroup:/jobs/x later\n"),
	      "binding for later: to this agent, which may be said again");
	works(cgroup_make("jobs") ?: cgroup_make("jobs/x"), "binding for later: make it");
	state_is("bound", "it is bound at once");
	is(grab_in("jobs/x"), LIMIT / SIZE, "binding for later: the limit holds there");
	works(cgroup_remove("jobs/x"), "binding for later: remove it");
	state_is("waiting", "it waits again");
	is(swarm_stat("bindings_ended") - ended, 1, "binding for later: that is counted");
	is(swarm_stat("bindings_renewed") - renewed, 1, "binding for later: as its coming is");
	is_errno(swarm_cmd("unbind 2 cgroup:/jobs/x\n"), ENOENT,
		 "binding for later: it is not agent 2's");
	works(swarm_cmd("unbind 1 cgroup:/jobs/x\n"), "binding for later: unbind what waits");
	state_is("none", "it is gone");
	works(cgroup_make("jobs/x"), "binding for later: make the cgroup again");
	is(grab_in("jobs/x"), TRIES, "binding for later: it is nobody's");
	works(swarm_cmd("bind 1 cgroup:/jobs/x later\n"),
	      "binding for later: later is no matter where it is there");
	state_is("bound", "it is bound");
	works(cgroup_remove("jobs/x"), "binding for later: remove it");
}

/* As a service manager does it, at its fastest. */
static void test_restarts(void)
{
	long long other = swarm_get("agents", "ID", 0, "BUFFERS");
	int i, n, wrong = 0;

	for (i = 0; i < RESTARTS; i++) {
		if (cgroup_make("jobs/x"))
			bail("making a cgroup");
		n = i % 20 ? LIMIT / SIZE : grab_in("jobs/x");
		wrong += n != LIMIT / SIZE;
		if (cgroup_remove("jobs/x"))
			bail("removing a cgroup");
	}
	is(wrong, 0, "restarts: the limit holds after each of %d restarts", RESTARTS);
	is(swarm_get("agents", "ID", 0, "BUFFERS"), other, "restarts: nothing became agent 0's");
	state_is("waiting", "the binding is there still");
}

/* Becomes a tenant in its own cgroup, which it may do with what it likes. */
static bool become_nobody(void)
{
	return !cgroup_move("jobs/x/in", getpid()) && !setgroups(0, NULL) &&
	       !setresgid(NOBODY, NOBODY, NOBODY) && !setresuid(NOBODY, NOBODY, NOBODY);
}

/* Makes a cgroup, goes there, and removes the one that it comes from. */
static bool move_on(char *from, int step)
{
	char to[64];

	snprintf(to, sizeof(to), "jobs/x/%d", step);
	if (cgroup_make(to) || cgroup_move(to, getpid()) || cgroup_remove(from))
		return false;
	memcpy(from, to, sizeof(to));
	return true;
}

/* Makes buffers, and keeps them, in cgroups that it makes anew; returns how many. */
static int shed(void)
{
	char here[64] = "jobs/x/in";
	int n = 0, i;

	memset(source_opened, 0, sizeof(source_opened));
	if (!become_nobody() || !source_open(SOURCE_VGEM))
		return 255;
	for (i = 0; i < TRIES; i++) {
		n += !source_make(SOURCE_VGEM, SIZE);
		if (!move_on(here, i))
			return 254;
	}
	return n;
}

static void give_to_nobody(const char *name)
{
	static const char * const files[] = { "", "/cgroup.procs", "/cgroup.threads",
					      "/cgroup.subtree_control" };
	char path[128];
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(*files); i++) {
		snprintf(path, sizeof(path), CGROUP_ROOT "/%s%s", name, files[i]);
		if (chown(path, NOBODY, NOBODY))
			bail("chown %s", path);
	}
}

static void test_tenant(void)
{
	char last[64];
	int status;
	pid_t pid;

	works(cgroup_make("jobs/x") ?: cgroup_make("jobs/x/in"),
	      "tenant in its own cgroup: make a tenant's cgroup");
	give_to_nobody("jobs/x");
	give_to_nobody("jobs/x/in");
	pid = fork();
	if (!pid)
		_exit(shed());
	waitpid(pid, &status, 0);
	is(WEXITSTATUS(status), LIMIT / SIZE,
	   "tenant in its own cgroup: a process that moves from cgroup to cgroup gets its limit");
	snprintf(last, sizeof(last), "jobs/x/%d", TRIES - 1);
	works(cgroup_remove(last) ?: cgroup_remove("jobs/x"),
	      "tenant in its own cgroup: its cgroups go");
}

int main(void)
{
	if (system("chmod 666 /dev/dri/*"))
		bail("chmod");
	works(swarm_cmd("create_agent 1 %d\ncreate_agent 2\npolicy enforce\n", LIMIT),
	      "make agents");
	test_states();
	test_restarts();
	test_tenant();
	works(swarm_cmd("remove_agent 1\n"), "remove the agent");
	state_is("none", "its binding goes with it");
	cgroup_remove("jobs");
	totals_add_up("at the end");
	return tap_done();
}
