// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bindings: who makes a buffer pays for it. A process's own binding counts, else
 * that of its nearest bound cgroup; both end with what they name, and end
 * nothing else.
 *
 * vm: --load --mem 512 --timeout 180
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "cgroup.h"
#include "client.h"
#include "source.h"
#include "totals.h"

#define SIZE		16384
#define DROP_SECONDS	60
#define V1_DIR		"/tmp/v1"

static int passing[2];	/* a socket that every client has both ends of */

/* Client: the agent that a new buffer of this process is charged to, or -1. */
static long whose(long source, long unused)
{
	struct swarm_table t;
	long row, agent = -1;

	(void)unused;
	if (source_make(source, SIZE))
		return -1;
	swarm_load(&t, "allocations");
	/* Ids rise: the last row is the newest. */
	for (row = 0; row < t.rows; row++)
		if (swarm_u64(&t, row, "PID") == (__u64)getpid())
			agent = swarm_u64(&t, row, "AGENT");
	swarm_unload(&t);
	source_drop(source);
	return agent;
}

static void is_agents(const struct client *c, long agent, const char *when)
{
	is(client_call(c, whose, SOURCE_VGEM, 0), agent, "agent %ld pays %s", agent, when);
}

struct expected {
	__u64 agent;
	__u64 bindings;
};

static bool has_bindings(const void *arg)
{
	const struct expected *e = arg;

	return swarm_get("agents", "ID", e->agent, "BINDINGS") == e->bindings;
}

static void bindings_are(__u64 agent, __u64 bindings, const char *when)
{
	struct expected e = { agent, bindings };

	if (!ok(swarm_wait(has_bindings, &e, DROP_SECONDS), "agent %llu has %llu bindings %s",
		agent, bindings, when))
		note("it has %llu", swarm_get("agents", "ID", agent, "BINDINGS"));
}

static void works(int err, const char *what)
{
	is_errno(err, 0, "%s", what);
}

static void test_cgroup(void)
{
	struct client c;

	client_start(&c);
	is_agents(&c, 0, "without any binding");
	cgroup_move("a", c.pid);
	works(swarm_cmd("bind 1 cgroup:a\n"), "cgroup: bind 1 cgroup:a");
	bindings_are(1, 1, "then");
	is_agents(&c, 1, "in a bound cgroup");
	cgroup_move("a/b/c", c.pid);
	is_agents(&c, 1, "two cgroups below it");
	works(swarm_cmd("bind 2 cgroup:/a/b\n"), "cgroup: bind 2 cgroup:/a/b");
	is_agents(&c, 2, "where a nearer one is bound");
	cgroup_move("a/b", c.pid);
	is_agents(&c, 2, "in that one");
	cgroup_move("a", c.pid);
	is_agents(&c, 1, "above it");
	cgroup_move("ab", c.pid);
	is_agents(&c, 0, "in a cgroup of a similar name");
	cgroup_move("a/b/c", c.pid);
	works(swarm_cmd("unbind 2 cgroup:a/b\n"), "cgroup: unbind 2 cgroup:a/b");
	is_agents(&c, 1, "where only one farther up is bound");
	works(swarm_cmd("bind 0 cgroup:a/b/c\n"), "cgroup: bind 0 cgroup:a/b/c");
	is_agents(&c, 0, "in a cgroup bound to it");
	works(swarm_cmd("unbind 0 cgroup:a/b/c\n"), "cgroup: unbind 0 cgroup:a/b/c");
	works(swarm_cmd("bind 3 cgroup:/\n"), "cgroup: bind 3 cgroup:/");
	is_agents(&c, 1, "where the root is bound farther up");
	cgroup_move("d", c.pid);
	is_agents(&c, 3, "where nothing but the root is bound");
	works(swarm_cmd("unbind 3 cgroup:/\n"), "cgroup: unbind 3 cgroup:/");
	works(swarm_cmd("unbind 1 cgroup:a\n"), "cgroup: unbind 1 cgroup:a");
	is_agents(&c, 0, "when all are unbound");
	bindings_are(1, 0, "then");
	bindings_are(2, 0, "then");
	client_stop(&c, 0);
}

static void *thread_whose(void *arg)
{
	*(long *)arg = whose(SOURCE_VGEM, 0);
	return NULL;
}

static long whose_in_thread(long a, long b)
{
	pthread_t thread;
	long agent = -1;

	(void)a;
	(void)b;
	if (!pthread_create(&thread, NULL, thread_whose, &agent))
		pthread_join(thread, NULL);
	return agent;
}

/* Client: what its own child is charged as. */
static long whose_in_child(long a, long b)
{
	int status;
	pid_t child;

	(void)a;
	(void)b;
	child = fork();
	if (!child) {
		/* A card of its own: the parent's handles are not for it. */
		memset(source_opened, 0, sizeof(source_opened));
		_exit(whose(SOURCE_VGEM, 0));
	}
	waitpid(child, &status, 0);
	return WEXITSTATUS(status);
}

static void test_pid(void)
{
	struct client c, other;

	client_start(&c);
	client_start(&other);
	cgroup_move("a", c.pid);
	cgroup_move("a", other.pid);
	works(swarm_cmd("bind 1 cgroup:a\n"), "process: bind 1 cgroup:a");
	works(swarm_cmd("bind 2 pid:%d\n", c.pid), "process: bind 2 pid:N");
	bindings_are(2, 1, "then");
	is_agents(&c, 2, "for a bound process in a bound cgroup");
	is_agents(&other, 1, "for its neighbour");
	is(client_call(&c, whose_in_thread, 0, 0), 2, "process: its threads are bound with it");
	is(client_call(&c, whose_in_child, 0, 0), 1, "process: its children are not");
	works(swarm_cmd("bind 0 pid:%d\n", other.pid), "process: bind 0 pid:N");
	is_agents(&other, 0, "for a process bound to it in a bound cgroup");
	cgroup_move("d", c.pid);
	is_agents(&c, 2, "wherever its process moves");
	is_errno(swarm_cmd("bind 1 pid:%d\n", c.pid), EEXIST, "process: a bound process is bound");
	is_errno(swarm_cmd("bind 2 pid:%d\n", c.pid), EEXIST, "process: also to the same agent");
	is_errno(swarm_cmd("unbind 1 pid:%d\n", c.pid), ENOENT,
		 "process: another agent cannot unbind it");
	is_agents(&c, 2, "still");
	works(swarm_cmd("unbind 2 pid:%d\n", c.pid), "process: unbind 2 pid:N");
	is_agents(&c, 0, "for a process not bound any more");
	is_errno(swarm_cmd("unbind 2 pid:%d\n", c.pid), ENOENT,
		 "process: which cannot be unbound again");
	works(swarm_cmd("unbind 1 cgroup:a\n"), "process: unbind 1 cgroup:a");
	bindings_are(2, 0, "then");
	client_stop(&c, 0);
	client_stop(&other, 0);
	bindings_are(0, 0, "when its process has exited");
}

static const struct {
	int err;
	const char *line;
} errors[] = {
	{ EINVAL, "bind" },
	{ EINVAL, "bind 1" },
	{ EINVAL, "bind 1 a" },
	{ EINVAL, "bind 1 cgroup" },
	{ EINVAL, "bind 1 cgroup:" },
	{ EINVAL, "bind 1 Cgroup:a" },
	{ EINVAL, "bind 1 cgroups:a" },
	{ EINVAL, "bind 1 cgroup:d a" },
	{ EINVAL, "bind 1 cgroup: d" },
	{ ENOENT, "bind x cgroup:d" },
	{ EINVAL, "bind +x cgroup:d" },
	{ EINVAL, "bind -1 cgroup:d" },
	{ EINVAL, "bind d/d 1" },
	{ EINVAL, "bind 1 pid:" },
	{ EINVAL, "bind 1 pid:x" },
	{ EINVAL, "bind 1 pid:-1" },
	{ EINVAL, "bind 1 pid:+1" },
	{ EINVAL, "bind 1 pid:1x" },
	{ EINVAL, "bind 1 pid:1K" },
	{ EINVAL, "bind 1 pid 1" },
	{ EINVAL, "bind 1 tid:1" },
	{ ERANGE, "bind 1 pid:18446744073709551616" },
	{ ERANGE, "bind 18446744073709551616 pid:1" },
	{ ENOENT, "bind 1 pid:0" },
	{ ENOENT, "bind 1 pid:4194305" },
	{ ENOENT, "bind 1 pid:4294967297" },
	{ ENOENT, "bind 1 pid:18446744073709551615" },
	{ ENOENT, "bind 99 pid:1" },
	{ ENOENT, "bind 99 cgroup:d" },
	{ ENOENT, "bind 1 cgroup:nowhere" },
	{ ENOENT, "bind 1 cgroup:d/nowhere" },
	{ ENOENT, "bind 1 cgroup:../d" },
	{ ENOENT, "bind 1 cgroup:/sys/fs/cgroup/d" },
	{ EEXIST, "bind 1 cgroup:a" },
	{ EEXIST, "bind 2 cgroup:a" },
	{ EEXIST, "bind 2 cgroup://a/" },
	{ ENOENT, "unbind 2 cgroup:a" },
	{ ENOENT, "unbind 99 cgroup:a" },
	{ ENOENT, "unbind 1 cgroup:d" },
	{ ENOENT, "unbind 1 cgroup:nowhere" },
	{ ENOENT, "unbind 1 pid:1" },
	{ ENOENT, "unbind 1 pid:0" },
	{ EINVAL, "unbind 1" },
	{ EINVAL, "unbind 1 cgroup:" },
	{ EINVAL, "unbind 1 cgroup:a b" },
	{ EINVAL, "unbind 1 pid:x" },
};

static void test_errors(void)
{
	size_t i;

	works(swarm_cmd("bind 1 cgroup:a\n"), "errors: bind 1 cgroup:a");
	for (i = 0; i < sizeof(errors) / sizeof(*errors); i++)
		is_errno(swarm_cmd("%s\n", errors[i].line), errors[i].err, "%s", errors[i].line);
	ok(swarm_cmd("bind 1 cgroup:a/cgroup.procs\n"),
	   "errors: a file of a cgroup cannot be bound");
	bindings_are(1, 1, "after all the errors");
	bindings_are(2, 0, "after all the errors");
	works(swarm_cmd("unbind 1 cgroup://a//\n"), "errors: unbind 1 cgroup://a//");
}

/* What the end of a binding must leave as it is: @holder has a buffer of agent 1. */
static void nothing_else_ended(const struct client *holder, const char *when)
{
	is(swarm_get("agents", "ID", 1, "QUOTA"), 1 << 30, "agent 1 keeps its quota %s", when);
	is(swarm_get("agents", "ID", 1, "USED"), SIZE, "and its buffer");
	is_agents(holder, 1, "for its other process");
	bindings_are(1, 1, "left");
	totals_add_up(when);
}

/* Whether the binding of a cgroup waits; -1 if there is none. */
static int waits(const char *name)
{
	char *text = swarm_read("bindings"), *row, want[64];
	int waiting = -1;

	snprintf(want, sizeof(want), " cgroup:/%s ", name);
	row = strstr(text, want);
	if (row)
		waiting = !strncmp(row + strlen(want), "waiting", 7);
	free(text);
	return waiting;
}

static void test_cgroup_removed(const struct client *holder)
{
	struct client c;

	client_start(&c);
	cgroup_make("e");
	cgroup_move("e", c.pid);
	works(swarm_cmd("bind 1 cgroup:e\n"), "removed cgroup: bind 1 cgroup:e");
	bindings_are(1, 2, "with a cgroup");
	is_agents(&c, 1, "in it");
	cgroup_move("", c.pid);
	is_errno(cgroup_remove("e"), 0, "removed cgroup: the cgroup is removed");
	is(waits("e"), 1, "removed cgroup: its binding waits");
	works(swarm_cmd("unbind 1 cgroup:e\n"), "removed cgroup: and can be undone");
	nothing_else_ended(holder, "when a bound cgroup is gone");
	is_errno(swarm_cmd("unbind 1 cgroup:e\n"), ENOENT,
		 "removed cgroup: the removed cgroup is not bound");
	cgroup_make("e");
	cgroup_move("e", c.pid);
	is_agents(&c, 0, "in a new cgroup of that name");
	works(swarm_cmd("bind 2 cgroup:e\n"),
	      "removed cgroup: the new one can be bound to another agent");
	is_agents(&c, 2, "then");
	works(swarm_cmd("unbind 2 cgroup:e\n"), "removed cgroup: and unbound");
	client_stop(&c, 0);
	cgroup_remove("e");
}

/* Makes and removes v1 cgroups until one has the id @inode, or a higher one. */
static bool reach_v1_id(unsigned long inode)
{
	struct stat st = { 0 };

	while (st.st_ino < inode) {
		if (mkdir(V1_DIR "/x", 0755) || stat(V1_DIR "/x", &st) || rmdir(V1_DIR "/x"))
			bail("no v1 cgroup");
	}
	return st.st_ino == inode;
}

/*
 * Cgroups of other hierarchies have ids of their own, which may be the same: ids
 * are given to their files too, so they rise by the number of these.
 */
static void test_v1_cgroup_removed(const struct client *holder)
{
	bool same = false;
	int tries;

	mkdir(V1_DIR, 0755);
	if (mount("none", V1_DIR, "cgroup", 0, "none,name=test")) {
		skip("this kernel has no cgroup v1");
		return;
	}
	for (tries = 0; tries < 50 && !same; tries++) {
		if (cgroup_make("e") || swarm_cmd("bind 1 cgroup:e\n"))
			bail("binding a cgroup");
		same = reach_v1_id(cgroup_inode("e"));
		if (!same && (cgroup_remove("e") || swarm_cmd("unbind 1 cgroup:e\n")))
			bail("unbinding a cgroup");
	}
	if (same)
		is(waits("e"), 0, "a v1 cgroup of the same id is removed: it is bound still");
	else
		skip("no v1 cgroup got the id of a v2 cgroup");
	cgroup_remove("e");
	swarm_cmd("unbind 1 cgroup:e\n");
	umount(V1_DIR);
	nothing_else_ended(holder, "when a v1 cgroup is gone");
}

static void ends_by(const struct client *holder, int sig, const char *how)
{
	struct client c;

	client_start(&c);
	works(swarm_cmd("bind 1 pid:%d\n", c.pid), "end of a process: bind 1 pid:N");
	bindings_are(1, 2, "with a process");
	is_agents(&c, 1, "for it");
	client_stop(&c, sig);
	nothing_else_ended(holder, how);
}

static void test_zombie(const struct client *holder)
{
	struct client c;
	siginfo_t info;

	client_start(&c);
	works(swarm_cmd("bind 1 pid:%d\n", c.pid), "zombie: bind 1 pid:N");
	bindings_are(1, 2, "with a process");
	kill(c.pid, SIGKILL);
	if (waitid(P_PID, c.pid, &info, WEXITED | WNOWAIT))
		bail("waitid");
	nothing_else_ended(holder, "when a bound process is a zombie");
	is_errno(swarm_cmd("bind 1 pid:%d\n", c.pid), ENOENT, "zombie: a zombie cannot be bound");
	client_stop(&c, SIGKILL);
	bindings_are(1, 1, "when it is reaped");
}

static int thread_told[2], thread_tells[2];

/* The thread that stays when its leader has exited. */
static void *stay(void *unused)
{
	long agent;
	char byte;

	(void)unused;
	while (read(thread_told[0], &byte, 1) == 1) {
		agent = whose(SOURCE_VGEM, 0);
		if (write(thread_tells[1], &agent, sizeof(agent)) < 0)
			break;
	}
	_exit(0);
}

static long leave_leader(long a, long b)
{
	pthread_t thread;

	(void)a;
	(void)b;
	close(thread_told[1]);
	if (pthread_create(&thread, NULL, stay, NULL))
		return -1;
	/* Not pthread_exit(), which a static program has no unwinder for. */
	syscall(SYS_exit, 0);
	return 0;
}

static bool leader_is_zombie(const void *arg)
{
	const struct client *c = arg;
	char path[64], line[256], *state = NULL;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", c->pid);
	f = fopen(path, "r");
	if (f && fgets(line, sizeof(line), f))
		state = strrchr(line, ')');
	if (f)
		fclose(f);
	return state && state[2] == 'Z';
}

static void test_leader_first(const struct client *holder)
{
	struct client c, other;
	long agent = -1;

	if (pipe(thread_told) || pipe(thread_tells))
		bail("pipe");
	client_start(&c);
	works(swarm_cmd("bind 1 pid:%d\n", c.pid), "leader first: bind 1 pid:N");
	client_post(&c, leave_leader, 0, 0);
	ok(swarm_wait(leader_is_zombie, &c, DROP_SECONDS),
	   "leader first: a bound process's leader exits");
	/* Bindings are looked through when another bound process is gone. */
	client_start(&other);
	works(swarm_cmd("bind 1 pid:%d\n", other.pid), "leader first: bind 1 pid:N");
	client_stop(&other, SIGKILL);
	usleep(300000);
	bindings_are(1, 2, "while another of its threads lives");
	if (write(thread_told[1], "", 1) != 1 ||
	    read(thread_tells[0], &agent, sizeof(agent)) != sizeof(agent))
		bail("the thread died");
	is(agent, 1, "leader first: its buffers are agent 1's");
	close(thread_told[1]);
	nothing_else_ended(holder, "when the last thread has exited");
	client_stop(&c, SIGKILL);
	close(thread_told[0]);
	close(thread_tells[0]);
	close(thread_tells[1]);
}

/* Another program in the same process: this one, as told by its argument. */
static void *exec_self(void *unused)
{
	char fd[16];

	(void)unused;
	snprintf(fd, sizeof(fd), "%d", thread_tells[1]);
	fcntl(thread_tells[1], F_SETFD, 0);
	execl("/proc/self/exe", "bindings", "whose", fd, NULL);
	_exit(1);
}

static long exec_in_thread(long a, long b)
{
	pthread_t thread;

	(void)a;
	(void)b;
	if (pthread_create(&thread, NULL, exec_self, NULL))
		return -1;
	pause();
	return 0;
}

static void test_exec(const struct client *holder)
{
	struct client c;
	long agent = -1;

	if (pipe(thread_tells))
		bail("pipe");
	client_start(&c);
	works(swarm_cmd("bind 1 pid:%d\n", c.pid), "exec: bind 1 pid:N");
	client_post(&c, exec_in_thread, 0, 0);
	if (read(thread_tells[0], &agent, sizeof(agent)) != sizeof(agent))
		bail("no program was executed");
	is(agent, 1, "exec: a process stays bound when one of its threads executes a program");
	bindings_are(1, 2, "then");
	client_stop(&c, SIGKILL);
	close(thread_tells[0]);
	close(thread_tells[1]);
	nothing_else_ended(holder, "when the executed program has ended");
}

static void set_next_pid(pid_t pid)
{
	FILE *f = fopen("/proc/sys/kernel/ns_last_pid", "w");

	if (!f)
		return;
	fprintf(f, "%d", pid - 1);
	fclose(f);
}

static void test_pid_reused(void)
{
	struct client c, again;
	int tries;

	client_start(&c);
	works(swarm_cmd("bind 2 pid:%d\n", c.pid), "bind 2 pid:N");
	client_stop(&c, SIGKILL);
	for (tries = 0; tries < 20; tries++) {
		set_next_pid(c.pid);
		client_start(&again);
		if (again.pid == c.pid)
			break;
		client_stop(&again, 0);
	}
	if (tries == 20) {
		skip("no process got the pid of another");
		return;
	}
	is_agents(&again, 0, "for a new process with the pid of a bound one");
	bindings_are(2, 0, "then");
	client_stop(&again, 0);
}

static void test_gone(void)
{
	struct client holder;

	swarm_cmd("set_quota 1 1G\n");
	client_start(&holder);
	works(swarm_cmd("bind 1 pid:%d\n", holder.pid), "bind 1 pid:N");
	works(client_call(&holder, source_do_make, SOURCE_VGEM, SIZE), "agent 1 has a buffer");
	test_cgroup_removed(&holder);
	test_v1_cgroup_removed(&holder);
	ends_by(&holder, 0, "when a bound process has exited");
	ends_by(&holder, SIGKILL, "when a bound process was killed");
	test_zombie(&holder);
	test_leader_first(&holder);
	test_exec(&holder);
	test_pid_reused();
	client_stop(&holder, 0);
	bindings_are(1, 0, "at last");
}

/* Client: makes a buffer and sends its dma-buf away. */
static long send_buffer(long source, long unused)
{
	int fd = -1, err;

	(void)unused;
	err = source_make(source, SIZE);
	if (!err)
		err = source_export(source, &fd);
	if (err)
		return err;
	err = client_send_fd(passing[0], fd);
	close(fd);
	return err;
}

/* Client: takes a dma-buf, and imports it where @source can. */
static long receive_buffer(long source, long unused)
{
	int fd = client_receive_fd(passing[1]);
	__u32 handle;

	(void)unused;
	if (!source_open(source))
		return -1;
	return gem_import(source_stacks[source].device, fd, &handle);
}

static void test_passing(void)
{
	struct client from, to;

	client_start(&from);
	client_start(&to);
	works(swarm_cmd("bind 1 pid:%d\nbind 2 pid:%d\n", from.pid, to.pid),
	      "passed on: bind two processes");
	is_errno(client_call(&from, send_buffer, SOURCE_VGEM, 0), 0,
		 "passed on: agent 1 sends a dma-buf");
	is_errno(client_call(&to, receive_buffer, SOURCE_VGEM, 0), 0,
		 "passed on: agent 2 imports it");
	is(swarm_get("agents", "ID", 1, "USED"), SIZE, "passed on: agent 1 still pays");
	is(swarm_get("agents", "ID", 2, "USED"), 0, "passed on: agent 2 does not");
	client_stop(&from, SIGKILL);
	bindings_are(1, 0, "when the sender is gone");
	is(swarm_get("agents", "ID", 1, "USED"), SIZE,
	   "passed on: agent 1 pays for what agent 2 holds");
	is(swarm_get("agents", "ID", 2, "USED"), 0, "passed on: agent 2 does not");
	totals_add_up("with a buffer passed on");
	client_stop(&to, SIGKILL);
	bindings_are(2, 0, "when the receiver is gone");
	is(swarm_get("agents", "ID", 1, "USED"), 0, "passed on: then nobody pays");
}

static void test_remove_agent(void)
{
	struct client inside, bound;

	client_start(&inside);
	client_start(&bound);
	cgroup_move("a", inside.pid);
	swarm_cmd("create_agent 4\n");
	works(swarm_cmd("bind 4 cgroup:a\nbind 4 cgroup:d\nbind 4 pid:%d\n", bound.pid),
	      "remove_agent: three bindings");
	bindings_are(4, 3, "then");
	is_agents(&inside, 4, "in the cgroup");
	is_agents(&bound, 4, "for the process");
	works(swarm_cmd("remove_agent 4\n"), "remove_agent: remove_agent 4");
	is_agents(&inside, 0, "in the cgroup without agent 4");
	is_agents(&bound, 0, "for the process without it");
	swarm_cmd("create_agent 4\n");
	bindings_are(4, 0, "when it is made again");
	is_agents(&inside, 0, "still");
	works(swarm_cmd("bind 2 cgroup:a\nbind 2 pid:%d\n", bound.pid),
	      "remove_agent: what was bound can be bound to another");
	is_agents(&inside, 2, "in the cgroup");
	is_agents(&bound, 2, "for the process");
	works(swarm_cmd("unbind 2 cgroup:a\n"), "remove_agent: unbind 2 cgroup:a");
	client_stop(&inside, 0);
	client_stop(&bound, 0);
	bindings_are(2, 0, "at last");
}

/* Run by test_exec(): tells whose the buffers of this process are. */
static int tell_whose(const char *fd)
{
	long agent = whose(SOURCE_VGEM, 0);

	if (write(atoi(fd), &agent, sizeof(agent)) != sizeof(agent))
		return 1;
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	static const char * const cgroups[] = { "a", "a/b", "a/b/c", "ab", "d" };
	size_t i;

	if (argc > 2)
		return tell_whose(argv[2]);
	for (i = 0; i < sizeof(cgroups) / sizeof(*cgroups); i++)
		if (cgroup_make(cgroups[i]))
			bail("making cgroup %s", cgroups[i]);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, passing))
		bail("socketpair");
	swarm_cmd("create_agent 1\ncreate_agent 2\ncreate_agent 3\n");
	test_cgroup();
	test_pid();
	test_errors();
	test_gone();
	test_passing();
	test_remove_agent();
	is(swarm_stat("buffers"), 0, "no buffer is left");
	totals_add_up("at the end");
	return tap_done();
}
