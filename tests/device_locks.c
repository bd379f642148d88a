// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks of open files and of agents together: cycles of 2 to 1,000 owners, each found by
 * whoever closes it; files that are closed meanwhile; and waits that are stopped, frozen,
 * traced or interrupted, which hold nobody up meanwhile, and keep their place and their
 * deadline.
 *
 * vm: --load --mem 1024 --timeout 300
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

#include "cgroup.h"
#include "client.h"
#include "device.h"
#include "lock.h"

#define OWNERS_MAX	1000
#define CGROUP		"device_locks"
#define AGENT		1
#define FIRST_AGENT	10	/* of those that lock by command */
#define LATE_MS		8000	/* a deadline that passes while its process does not run */
#define SOON_MS		60000	/* for what is there at once, on a machine that is not busy */

static __u64 device, ids[OWNERS_MAX];

/* An owner of locks: an open file, or an agent */
struct owner {
	pthread_t thread;
	int fd;			/* -1: by command */
	int nr;
	__u64 held, wanted;
	int err;
};

static struct owner owners[OWNERS_MAX];

/* With the processes that wait */
static struct {
	atomic_int first_turn;	/* the first that was granted the lock, or 0 */
	atomic_int signals;	/* that were handled */
} *shared;

static int owner_lock(const struct owner *o, __u64 id, const char *how)
{
	if (o->fd >= 0)
		return device_lock(o->fd, id, true, *how ? 0 : -1);
	return swarm_cmd("lock %llu %d exclusive %s", id, FIRST_AGENT + o->nr, how);
}

static int owner_unlock(const struct owner *o, __u64 id)
{
	if (o->fd >= 0)
		return device_unlock(o->fd, id);
	return swarm_cmd("unlock %llu %d", id, FIRST_AGENT + o->nr);
}

/* Waits for what the next one holds, then gives both back. */
static void *owner_thread(void *arg)
{
	struct owner *o = arg;

	o->err = owner_lock(o, o->wanted, "") ?: owner_unlock(o, o->wanted) ?:
		 owner_unlock(o, o->held);
	return NULL;
}

/* @files: every how many is an open file */
static void check_cycle(int n, int files)
{
	struct owner *last = &owners[n - 1];
	int i, failed = 0;

	for (i = 0; i < n; i++) {
		owners[i] = (struct owner){
			.fd = i % files ? -1 : device_open(), .nr = i,
			.held = ids[i], .wanted = ids[(i + 1) % n],
		};
		if (owner_lock(&owners[i], ids[i], "nowait"))
			bail("locking a buffer for owner %d", i);
	}
	for (i = 0; i < n - 1; i++)
		owners[i].thread = lock_start(owner_thread, &owners[i]);
	ok(lock_await_waiters(n - 1), "%d owners, one in %d a file: all but one wait", n, files);
	is_errno(owner_lock(last, last->wanted, ""), EDEADLK,
		 "%d owners: the last would do so for ever", n);
	is_errno(owner_unlock(last, last->held), 0, "%d owners: it gives up", n);
	for (i = 0; i < n - 1; i++) {
		pthread_join(owners[i].thread, NULL);
		failed += !!owners[i].err;
	}
	is(failed, 0, "%d owners: all others have had both", n);
	for (i = 0; i < n; i++)
		if (owners[i].fd >= 0)
			close(owners[i].fd);
	lock_none_left("of a cycle");
}

static void check_cycles(void)
{
	static const int sizes[] = { 2, 3, 50, OWNERS_MAX };
	unsigned int i;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		check_cycle(sizes[i], 1);
		check_cycle(sizes[i], 2);
		check_cycle(sizes[i], 3);
	}
}

static void count_signal(int sig)
{
	(void)sig;
	atomic_fetch_add(&shared->signals, 1);
}

/* A process that waits for a lock, and tells how that ended, by its exit status. */
static pid_t wait_in_process(__s64 timeout_ms, int sig, int flags)
{
	struct sigaction action = { .sa_handler = count_signal, .sa_flags = flags };
	pid_t pid = fork();
	int fd, err;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sig)
		sigaction(sig, &action, NULL);
	fd = device_open();
	err = device_lock(fd, ids[0], true, timeout_ms);
	if (!err && !atomic_load(&shared->first_turn))
		atomic_store(&shared->first_turn, getpid());
	_exit(err);
}

static int exit_of(pid_t pid)
{
	int status;

	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static bool has_row(const char *state, pid_t pid)
{
	struct swarm_table t;
	bool found = false;
	long row = -1;

	swarm_load(&t, "locks");
	while ((row = swarm_find(&t, row + 1, "STATE", state)) >= 0)
		found |= swarm_u64(&t, row, "PID") == (__u64)pid;
	swarm_unload(&t);
	return found;
}

static bool waits(const void *pid)
{
	return has_row("waiting", *(const pid_t *)pid);
}

static bool waits_not(const void *pid)
{
	return !waits(pid);
}

static bool was_signalled(const void *unused)
{
	(void)unused;
	return atomic_load(&shared->signals) > 0;
}

static void do_stop(pid_t pid)
{
	kill(pid, SIGSTOP);
}

static void do_continue(pid_t pid)
{
	kill(pid, SIGCONT);
}

static void do_freeze(pid_t pid)
{
	if (cgroup_make(CGROUP "/ice") || cgroup_move(CGROUP "/ice", pid) ||
	    cgroup_set(CGROUP "/ice", "cgroup.freeze", "1"))
		bail("freezing");
}

static void do_thaw(pid_t pid)
{
	cgroup_set(CGROUP "/ice", "cgroup.freeze", "0");
	cgroup_move(CGROUP, pid);
	cgroup_remove(CGROUP "/ice");
}

static void do_trace(pid_t pid)
{
	if (ptrace(PTRACE_SEIZE, pid, 0, 0) || ptrace(PTRACE_INTERRUPT, pid, 0, 0) ||
	    waitpid(pid, NULL, 0) != pid)
		bail("tracing");
}

static void do_detach(pid_t pid)
{
	ptrace(PTRACE_DETACH, pid, 0, 0);
}

static const struct pause {
	const char *name;
	void (*begin)(pid_t pid);
	void (*end)(pid_t pid);
} pauses[] = {
	{ "stopped", do_stop, do_continue },
	{ "frozen", do_freeze, do_thaw },
	{ "traced", do_trace, do_detach },
};

static void check_pause(const struct pause *pause)
{
	pid_t first, second, late;
	int fd = device_open();
	struct timespec from, to;

	device_lock(fd, ids[0], true, 0);
	first = wait_in_process(-1, 0, 0);
	lock_await_waiters(1);
	second = wait_in_process(-1, 0, 0);
	lock_await_waiters(2);
	pause->begin(first);
	ok(lock_await_waiters(1), "%s: it is in the queue no more", pause->name);
	pause->end(first);
	ok(lock_await_waiters(2), "%s: it comes back", pause->name);
	atomic_store(&shared->first_turn, 0);
	device_unlock(fd, ids[0]);
	is_errno(exit_of(first), 0, "%s: it is granted", pause->name);
	is_errno(exit_of(second), 0, "%s: so is the next", pause->name);
	is(atomic_load(&shared->first_turn), first, "%s: to its place, before what came later",
	   pause->name);
	device_lock(fd, ids[0], true, 0);
	first = wait_in_process(-1, 0, 0);
	lock_await_waiters(1);
	second = wait_in_process(-1, 0, 0);
	lock_await_waiters(2);
	pause->begin(first);
	lock_await_waiters(1);
	device_unlock(fd, ids[0]);
	is_errno(exit_of(second), 0, "%s: it holds nobody up", pause->name);
	pause->end(first);
	is_errno(exit_of(first), 0, "%s: and has it in the end", pause->name);
	device_lock(fd, ids[0], true, 0);
	late = wait_in_process(LATE_MS, 0, 0);
	lock_await_waiters(1);
	pause->begin(late);
	usleep(LATE_MS * 1000 + 500000);
	clock_gettime(CLOCK_MONOTONIC, &from);
	pause->end(late);
	is_errno(exit_of(late), ETIMEDOUT, "%s: its deadline passes", pause->name);
	clock_gettime(CLOCK_MONOTONIC, &to);
	ok(to.tv_sec - from.tv_sec < LATE_MS / 1000 - 1, "%s: it does not begin again",
	   pause->name);
	close(fd);
}

static void check_order(void)
{
	int fd = device_open();
	pid_t first, second;

	device_lock(fd, ids[0], true, 0);
	first = wait_in_process(-1, SIGUSR1, SA_RESTART);
	lock_await_waiters(1);
	second = wait_in_process(-1, 0, 0);
	lock_await_waiters(2);
	atomic_store(&shared->signals, 0);
	kill(first, SIGUSR1);
	ok(swarm_wait(was_signalled, NULL, LOCK_SECONDS) &&
	   swarm_wait(waits, &first, LOCK_SECONDS), "SA_RESTART: a signal is handled in a wait");
	kill(second, SIGSTOP);
	swarm_wait(waits_not, &second, LOCK_SECONDS);
	device_unlock(fd, ids[0]);
	is_errno(exit_of(first), 0, "SA_RESTART: the wait goes on");
	device_lock(fd, ids[0], true, 0);
	kill(second, SIGKILL);
	is(exit_of(second), -SIGKILL, "a wait and signals: a stopped one can be killed");
	first = wait_in_process(-1, SIGUSR1, 0);
	lock_await_waiters(1);
	kill(first, SIGUSR1);
	is_errno(exit_of(first), EINTR, "a wait and signals: without SA_RESTART it has ended");
	first = wait_in_process(-1, 0, 0);
	lock_await_waiters(1);
	kill(first, SIGKILL);
	is(exit_of(first), -SIGKILL, "a wait and signals: a fatal signal ends it");
	ok(lock_await_waiters(0), "a wait and signals: and nobody waits");
	close(fd);
	lock_none_left("of waits");
}

/* A wait that comes back finds an upgrade that has begun meanwhile: it is behind that. */
static void check_upgrade(void)
{
	int fd = device_open(), upgrading = device_open();
	pid_t waiter, upgrade;

	device_lock(fd, ids[0], false, 0);
	device_lock(upgrading, ids[0], false, 0);
	waiter = wait_in_process(-1, 0, 0);
	lock_await_waiters(1);
	kill(waiter, SIGSTOP);
	lock_await_waiters(0);
	upgrade = fork();
	if (!upgrade)
		_exit(device_lock(upgrading, ids[0], true, SOON_MS));
	lock_await_waiters(1);
	kill(waiter, SIGCONT);
	ok(lock_await_waiters(2), "upgrade: an upgrade, and a wait that comes back");
	device_unlock(fd, ids[0]);
	is_errno(exit_of(upgrade), 0, "upgrade: the upgrade is granted");
	device_unlock(upgrading, ids[0]);
	is_errno(exit_of(waiter), 0, "upgrade: and then the other");
	close(fd);
	close(upgrading);
	lock_none_left("of an upgrade");
}

/* A writer queued before: readers that come later do not overtake it. */
static void check_fair(void)
{
	int fd = device_open(), reader = device_open();
	pid_t writer;

	device_lock(fd, ids[0], false, 0);
	writer = wait_in_process(-1, 0, 0);
	lock_await_waiters(1);
	is_errno(device_lock(reader, ids[0], false, 0), EAGAIN,
		 "queue: no reader overtakes a writer");
	device_unlock(fd, ids[0]);
	is_errno(exit_of(writer), 0, "queue: which has its turn");
	is_errno(device_lock(reader, ids[0], false, SOON_MS), 0, "queue: and then the reader");
	is_errno(device_lock(fd, ids[0], false, 0), 0, "queue: two readers");
	writer = fork();
	if (!writer)
		_exit(device_lock(fd, ids[0], true, -1));
	lock_await_waiters(1);
	is_errno(device_lock(reader, ids[0], true, -1), EDEADLK, "queue: the second that upgrades");
	device_unlock(reader, ids[0]);
	is_errno(exit_of(writer), 0, "queue: the first does");
	ok(has_row("held", writer) || lock_rows("held") == 1, "queue: the open file has it");
	close(fd);
	close(reader);
	lock_none_left("of upgrades");
}

/* A file that is closed while a thread waits by it lives until that call ends. */
static void check_close(void)
{
	struct sigaction action = { .sa_handler = lock_interrupted };
	int holder = device_open(), waiter = device_open();
	struct lock_call call;

	device_lock(holder, ids[0], true, 0);
	lock_post_file(&call, waiter, ids[0], true);
	lock_await_waiters(1);
	close(waiter);
	is(lock_rows("waiting"), 1, "a file is closed: its call waits on");
	device_unlock(holder, ids[0]);
	is_errno(lock_result(&call), 0, "a file is closed: its call is granted the lock");
	lock_none_left("of a file that was closed: its lock has ended with the call");
	device_lock(holder, ids[0], true, 0);
	waiter = device_open();
	lock_post_file(&call, waiter, ids[0], true);
	lock_await_waiters(1);
	close(waiter);
	sigaction(SIGUSR1, &action, NULL);
	pthread_kill(call.thread, SIGUSR1);
	is_errno(lock_result(&call), EINTR, "a file is closed: a signal ends its call");
	is(lock_rows("waiting"), 0, "a file is closed: its place is gone");
	close(holder);
	lock_none_left("of a file that was closed, and interrupted");
}

static int set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, value, strlen(value)) < 0)
		err = errno;
	close(fd);
	return err;
}

/*
 * The kernel freezes all tasks, as it does for suspend, and goes no further.
 * A wait ends for that, and the kernel starts the call anew when the task runs.
 */
static void check_suspend(void)
{
	int fd = device_open();
	pid_t waiter;

	if (set("/sys/power/pm_test", "freezer")) {
		skip("this kernel has no test of suspend");
		close(fd);
		return;
	}
	set("/sys/module/suspend/parameters/pm_test_delay", "1");
	device_lock(fd, ids[0], true, 0);
	waiter = wait_in_process(-1, 0, 0);
	lock_await_waiters(1);
	is_errno(set("/sys/power/state", "freeze"), 0, "suspend: all tasks are frozen, and thawed");
	ok(lock_await_waiters(1), "suspend: the waiter waits on, or anew");
	device_unlock(fd, ids[0]);
	is_errno(exit_of(waiter), 0, "suspend: and is granted the lock");
	set("/sys/power/pm_test", "none");
	close(fd);
	lock_none_left("of suspend");
}

int main(void)
{
	struct rlimit files = { 4096, 4096 };
	unsigned int i;

	setrlimit(RLIMIT_NOFILE, &files);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	device = swarm_device(NULL);
	lock_make_agents(FIRST_AGENT + OWNERS_MAX);
	if (cgroup_make(CGROUP) || swarm_cmd("bind %d cgroup:/" CGROUP, AGENT) ||
	    cgroup_move(CGROUP, getpid()))
		bail("a cgroup of its own");
	for (i = 0; i < OWNERS_MAX; i++)
		if (swarm_allocate(AGENT, 4096, device, &ids[i]))
			bail("allocating a buffer");
	check_fair();
	check_close();
	check_suspend();
	check_order();
	check_upgrade();
	for (i = 0; i < sizeof(pauses) / sizeof(*pauses); i++)
		check_pause(&pauses[i]);
	check_cycles();
	cgroup_move("", getpid());
	cgroup_remove(CGROUP);
	return tap_done();
}
