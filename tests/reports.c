// SPDX-License-Identifier: GPL-2.0-only
/*
 * `report`: a row a process and device, of the agent that the process works for at the
 * report; it ends with the process, however that ends and not before its last thread, or
 * with the open file that reported last. Over a limit it is charged and counted. By ioctl
 * too, for who opened as root. Many rows, exits while others report, remove_agent; unloading.
 *
 * vm: --load --smp 2 --mem 4096 --timeout 400
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "cgroup.h"
#include "client.h"
#include "device.h"
#include "swarm.h"

#define A		20
#define B		21
#define MIB		1048576ULL
#define QUOTA		(8 * MIB)
#define SECONDS		60
#define NOBODY		65534
#define TIMEOUT_PARAM	"/sys/module/gpu_dma_lock/parameters/report_timeout"
#define MANY		10000
#define RACES		4000

static __u64 device;

/* What the row of a report says. */
struct row {
	__u64 id, agent, size, pid;
	char kind[16], comm[32];
};

static bool find_row(pid_t pid, struct row *row)
{
	struct swarm_table t;
	bool found;
	long at;

	swarm_load(&t, "allocations");
	at = swarm_find_u64(&t, 0, "PID", pid);
	found = at >= 0;
	if (found) {
		row->id = swarm_u64(&t, at, "ID");
		row->agent = swarm_u64(&t, at, "AGENT");
		row->size = swarm_u64(&t, at, "SIZE");
		row->pid = pid;
		snprintf(row->kind, sizeof(row->kind), "%s", swarm_cell(&t, at, "KIND"));
		snprintf(row->comm, sizeof(row->comm), "%s", swarm_cell(&t, at, "COMM"));
	}
	swarm_unload(&t);
	return found;
}

static bool is_gone(const void *pid)
{
	struct row row;

	return !find_row(*(const pid_t *)pid, &row);
}

/* Where one has stayed, the others need not be waited for as long. */
static bool goes(pid_t pid)
{
	static int seconds = SECONDS;
	bool gone = swarm_wait(is_gone, &pid, seconds);

	if (!gone)
		seconds = 1;
	return gone;
}

static __u64 used(__u64 agent)
{
	return swarm_get("agents", "ID", agent, "USED");
}

static bool has_none(const void *agent)
{
	return !used(*(const __u64 *)agent);
}

/* A row goes a moment before its charge. */
static bool uncharged(__u64 agent)
{
	bool none = swarm_wait(has_none, &agent, SECONDS);

	if (!none)
		note("agent %llu has %llu", agent, used(agent));
	return none;
}

static long rows_of_reports(void)
{
	struct swarm_table t;
	long row, rows = 0;

	swarm_load(&t, "allocations");
	for (row = 0; row < t.rows; row++)
		rows += !strcmp(swarm_cell(&t, row, "KIND"), "reported") ||
			!strcmp(swarm_cell(&t, row, "KIND"), "stale");
	swarm_unload(&t);
	return rows;
}

static int tell(pid_t pid, __u64 bytes)
{
	return swarm_cmd("report %d %llu %llu\n", pid, device, bytes);
}

/* Writes to an open file, and returns what it says: an id, or 0. */
static __u64 say_to(int fd, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	size_t len;
	char *result;
	__u64 id;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return 0;
	result = swarm_slurp(fd, 4096, &len);
	id = result ? swarm_result(result) : 0;
	free(result);
	return id;
}

static int session_open(void)
{
	int fd = swarm_open("control", O_RDWR);

	if (fd < 0 || write(fd, "session\n", 8) != 8)
		bail("a session");
	return fd;
}

/* In clients */

static pid_t second_thread;

static void *run_second(void *unused)
{
	(void)unused;
	__atomic_store_n(&second_thread, syscall(SYS_gettid), __ATOMIC_RELEASE);
	for (;;)
		pause();
	return NULL;
}

static long run_gettid(long unused, long unused2)
{
	pthread_t thread;

	(void)unused;
	(void)unused2;
	if (pthread_create(&thread, NULL, run_second, NULL))
		return -1;
	while (!__atomic_load_n(&second_thread, __ATOMIC_ACQUIRE))
		usleep(1000);
	return second_thread;
}

static long run_join_cgroup(long which, long unused)
{
	(void)unused;
	return cgroup_set(which == A ? "reports-a" : "reports-b", "cgroup.procs", "0");
}

static void test_row(void)
{
	struct client c;
	struct row row;
	__u64 id;
	int fd = swarm_open("control", O_RDWR);

	client_start(&c);
	is_errno(client_call(&c, run_join_cgroup, A, 0), 0, "a process of agent %d", A);
	id = say_to(fd, "report %d %llu 4M\n", c.pid, device);
	ok(id, "report prints an id");
	ok(find_row(c.pid, &row), "there is a row");
	is(row.id, id, "of that id");
	is(row.agent, A, "of its agent");
	is(row.size, 4 * MIB, "of the size");
	is_str(row.kind, "reported", "of the kind");
	is_str(row.comm, "reports", "with the name of the process");
	is(used(A), 4 * MIB, "charged to that agent");
	is(say_to(fd, "report %d %llu 6M\n", c.pid, device), id, "the next report is the same row");
	is(used(A), 6 * MIB, "and charged as it says: more");
	is(say_to(fd, "report %d %llu 1M\n", c.pid, device), id, "likewise");
	is(used(A), MIB, "less");
	is(swarm_get("agents", "ID", A, "PEAK"), 6 * MIB, "PEAK remembers");
	is_errno(swarm_cmd("free %llu\n", id), EINVAL, "it is no ledger buffer to be freed");
	is(say_to(fd, "report %d %llu 0\n", c.pid, device), 0, "0 bytes print no id");
	ok(goes(c.pid), "and take it away");
	ok(uncharged(A), "with its charge");
	is_errno(tell(c.pid, 0), 0, "what has none may be said to have none");
	swarm_add_up("after one row");
	client_stop(&c, 0);
	close(fd);
}

static void test_moves(void)
{
	__u64 denied = swarm_get("agents", "ID", B, "DENIED"), id;
	struct client c;
	struct row row;

	client_start(&c);
	is_errno(tell(c.pid, 3 * MIB), 0, "a process of nobody's");
	ok(find_row(c.pid, &row) && row.agent == 0, "is agent 0's");
	id = row.id;
	is_errno(client_call(&c, run_join_cgroup, A, 0), 0, "it works for agent %d from now on", A);
	ok(find_row(c.pid, &row) && row.agent == 0, "which is not known before it is reported");
	is_errno(tell(c.pid, 5 * MIB), 0, "reported");
	ok(find_row(c.pid, &row) && row.agent == A && row.size == 5 * MIB, "it is its agent's");
	is(row.id, id, "the same row");
	is(used(A), 5 * MIB, "it is charged");
	is(used(0), 0, "agent 0 is no more");
	is_errno(client_call(&c, run_join_cgroup, B, 0), 0, "another cgroup");
	is_errno(tell(c.pid, 5 * MIB), 0, "the same size, over the quota of agent %d", B);
	is(used(B), 5 * MIB, "is charged to agent %d", B);
	is(used(A), 0, "and no more to agent %d", A);
	is(swarm_get("agents", "ID", B, "DENIED"), denied, "to move is no charge that is denied");
	swarm_cmd("reset_agent %d", A);
	is_errno(swarm_cmd("bind %d pid:%d\n", A, c.pid), 0, "a binding of the process");
	is_errno(tell(c.pid, 2 * MIB), 0, "reported, with less");
	is(swarm_get("agents", "ID", A, "PEAK"), 2 * MIB, "the agent had no more than that");
	ok(find_row(c.pid, &row) && row.agent == A, "comes before that of its cgroup");
	swarm_add_up("after moves");
	client_stop(&c, SIGKILL);
	ok(goes(c.pid), "killed, it has no row");
	ok(uncharged(A), "and no charge");
}

static void test_ends(void)
{
	struct client c;
	struct row row;
	int status;
	long tid;

	client_start(&c);
	tid = client_call(&c, run_gettid, 0, 0);
	is_errno(swarm_cmd("report %ld %llu 1M\n", tid, device), 0, "a process with two threads");
	ok(find_row(c.pid, &row), "has a row");
	ok(tid != c.pid, "though the second was named");
	client_stop(&c, SIGKILL);
	ok(goes(c.pid), "it goes with both");
	client_start(&c);
	is_errno(tell(c.pid, MIB), 0, "another");
	client_stop(&c, 0);
	ok(goes(c.pid), "an exit ends it");

	c.pid = fork();
	if (!c.pid)
		_exit(0);
	/* It stays a zombie. */
	waitid(P_PID, c.pid, NULL, WEXITED | WNOWAIT);
	is_errno(tell(c.pid, MIB), ESRCH, "a zombie has no memory");
	ok(is_gone(&c.pid), "and gets no row");
	waitpid(c.pid, &status, 0);
	is_errno(tell(c.pid, MIB), ESRCH, "likewise who is reaped");
}

/* A process whose first thread exits, and whose second waits for a byte. */
static void *wait_for_byte(void *fd)
{
	char byte;

	_exit(read((int)(long)fd, &byte, 1) != 1);
}

static bool is_zombie(const void *pid)
{
	char path[64], text[256] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", *(const pid_t *)pid);
	f = fopen(path, "r");
	if (!f || !fgets(text, sizeof(text), f))
		bail("%s", path);
	fclose(f);
	return strstr(text, ") Z ");
}

static void test_leader(void)
{
	struct row row;
	pthread_t thread;
	char text[16];
	int pipe_fd[2];
	pid_t pid;

	if (pipe2(pipe_fd, O_CLOEXEC))
		bail("pipe2");
	pid = fork();
	if (!pid) {
		close(pipe_fd[1]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (pthread_create(&thread, NULL, wait_for_byte, (void *)(long)pipe_fd[0]))
			_exit(1);
		syscall(SYS_exit, 0);
	}
	is_errno(tell(pid, MIB), 0, "a process");
	ok(swarm_wait(is_zombie, &pid, SECONDS), "whose first thread exits");
	is_errno(tell(pid, 2 * MIB), 0, "is reported still");
	/* Whatever its exit has set off has run by now. */
	usleep(200000);
	ok(find_row(pid, &row) && row.size == 2 * MIB, "its row stays");
	snprintf(text, sizeof(text), "%d", pid);
	if (cgroup_set("reports-a", "cgroup.procs", text))
		bail("moving a process");
	is_errno(tell(pid, 2 * MIB), 0, "what is left of it moves, and is reported");
	ok(find_row(pid, &row) && row.agent == A, "for the agent that it works for now");
	if (write(pipe_fd[1], "x", 1) != 1)
		bail("write");
	waitid(P_PID, pid, NULL, WEXITED | WNOWAIT);
	ok(goes(pid), "until the last one does");
	waitpid(pid, NULL, 0);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

/* What can be refused leaves room for what cannot: sums do not wrap. */
static void test_most(void)
{
	__u64 most = 1ULL << 62, id;
	struct client c;

	client_start(&c);
	is_errno(tell(c.pid, 1ULL << 46), 0, "as much as can be reported");
	is_errno(tell(c.pid, (1ULL << 46) + 1), EFBIG, "and more");
	is_errno(swarm_allocate(0, most, device, &id), EDQUOT, "beside that 2^62 are too many");
	is_errno(swarm_allocate(0, most - (1ULL << 46), device, &id), 0, "what is left of them");
	is_errno(tell(c.pid, MIB), 0, "it is less now");
	is_errno(tell(c.pid, 1ULL << 46), 0, "and more again");
	is(used(0), most, "all is counted");
	is_errno(swarm_cmd("free %llu", id), 0, "and freed");
	client_stop(&c, SIGKILL);
	ok(goes(c.pid), "a process with the most ends");
	ok(uncharged(0), "nothing is left of it");
}

static void test_session(void)
{
	int first, second;
	struct client c;
	struct row row;
	__u64 id;

	/* First: it is not to have these files open too. */
	client_start(&c);
	first = session_open();
	second = session_open();
	id = say_to(first, "report %d %llu 1M\n", c.pid, device);
	ok(id, "a session reports");
	is(say_to(second, "report %d %llu 2M\n", c.pid, device), id, "another one, the same row");
	close(first);
	ok(find_row(c.pid, &row) && row.size == 2 * MIB, "the first ends: it is the last one's");
	close(second);
	ok(is_gone(&c.pid), "which ends, and the row with it");
	first = session_open();
	ok(say_to(first, "report %d %llu 1M\n", c.pid, device), "a session");
	is_errno(tell(c.pid, 3 * MIB), 0, "and then a file that is none");
	close(first);
	ok(find_row(c.pid, &row), "lasts");
	client_stop(&c, SIGKILL);
	ok(goes(c.pid), "until its end");
	swarm_add_up("after sessions");
}

static void test_ioctl(void)
{
	struct gpu_dma_lock_report arg = { .size = sizeof(arg), .flags = 1 };
	struct client c;
	struct row row;
	__u64 id = 0, again = 0;
	int dev, other_dev;

	client_start(&c);
	dev = device_open();
	is_errno(device_report(dev, c.pid, device, MIB, &id), 0, "the ioctl");
	ok(find_row(c.pid, &row) && row.id == id, "tells the id");
	is_errno(device_report(dev, c.pid, device, 2 * MIB, &again), 0, "again");
	is(again, id, "likewise");
	is_errno(device_report(dev, 0, device, MIB, &again), ESRCH, "process 0");
	is_errno(device_report(dev, -1, device, MIB, &again), ESRCH, "a negative one");
	is_errno(device_report(dev, c.pid, 4711, MIB, &again), ENODEV, "no such device");
	is_errno(device_report(dev, c.pid, device, 1ULL << 47, &again), EFBIG, "too much");
	is_errno(ioctl(dev, GPU_DMA_LOCK_IOC_REPORT, &arg) ? errno : 0, EINVAL, "flags");
	arg.flags = 0;
	arg.reserved = 1;
	is_errno(ioctl(dev, GPU_DMA_LOCK_IOC_REPORT, &arg) ? errno : 0, EINVAL, "reserved");
	if (setresgid(-1, NOBODY, -1) || setresuid(-1, NOBODY, 0))
		bail("nobody");
	is_errno(device_report(dev, c.pid, device, MIB, &again), 0, "who opened it as root may");
	other_dev = device_open();
	is_errno(device_report(other_dev, c.pid, device, MIB, &again), EPERM, "others may not");
	if (setresuid(-1, 0, 0) || setresgid(-1, 0, 0))
		bail("root");
	close(other_dev);
	ok(find_row(c.pid, &row), "that takes nothing away");
	close(dev);
	ok(is_gone(&c.pid), "it ends with the open file");
	client_stop(&c, 0);
}

static void test_over(void)
{
	__u64 denied = swarm_get("agents", "ID", B, "DENIED");
	long long audited = swarm_stat("quota_audited"), full = swarm_stat("capacity_audited");
	struct pollfd alert = { .fd = swarm_open("stats", O_RDONLY), .events = POLLPRI };
	struct client c;
	char *text;
	size_t len;

	if (swarm_cmd("set_quota %d %llu\npolicy enforce\n", B, QUOTA))
		bail("a quota");
	text = swarm_slurp(alert.fd, 65536, &len);
	free(text);
	client_start(&c);
	client_call(&c, run_join_cgroup, B, 0);
	is_errno(tell(c.pid, QUOTA), 0, "as much as the quota");
	is(swarm_get("agents", "ID", B, "DENIED"), denied, "is not denied");
	is_errno(tell(c.pid, QUOTA + 1), 0, "one byte more is not refused");
	is(used(B), QUOTA + 1, "it is charged");
	is(swarm_get("agents", "ID", B, "DENIED"), denied + 1, "and counted, DENIED");
	is(swarm_stat("quota_audited"), audited + 1, "and quota_audited");
	is(poll(&alert, 1, SECONDS * 1000), 1, "and who polls is told");
	ok(alert.revents & POLLPRI, "by POLLPRI");
	is_errno(tell(c.pid, QUOTA + 1), 0, "the same again");
	is(swarm_get("agents", "ID", B, "DENIED"), denied + 1, "asks for no more");
	is_errno(swarm_cmd("allocate %d 1 %llu\n", B, device), EDQUOT, "what can be refused is");
	if (swarm_cmd("set_quota %d max\nset_capacity %llu 4M\n", B, device))
		bail("a capacity");
	is_errno(tell(c.pid, QUOTA + 2), 0, "over the capacity");
	is(swarm_stat("capacity_audited"), full + 1, "likewise");
	if (swarm_cmd("policy off\nset_quota %d 1\n", B))
		bail("policy off");
	is_errno(tell(c.pid, QUOTA + 3), 0, "with the policy off");
	is(swarm_stat("quota_audited"), audited + 1, "nothing is counted");
	if (swarm_cmd("set_capacity %llu max\nset_quota %d max\npolicy audit\n", device, B))
		bail("as it was");
	client_stop(&c, SIGKILL);
	ok(goes(c.pid), "it is gone");
	ok(uncharged(B), "all is given back");
	close(alert.fd);
}

static void set_timeout(const char *text)
{
	int fd = open(TIMEOUT_PARAM, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		bail(TIMEOUT_PARAM);
	close(fd);
}

static bool is_stale(const void *pid)
{
	struct row row;

	return find_row(*(const pid_t *)pid, &row) && !strcmp(row.kind, "stale");
}

static void test_stale(void)
{
	struct client c;

	client_start(&c);
	is_errno(tell(c.pid, MIB), 0, "a report");
	ok(!is_stale(&c.pid), "is not stale at once");
	set_timeout("1");
	ok(swarm_wait(is_stale, &c.pid, SECONDS), "but when it was not made again");
	is(used(0), MIB, "it stays charged");
	set_timeout("0");
	ok(!is_stale(&c.pid), "it never is, if that is asked for");
	set_timeout("1");
	ok(is_stale(&c.pid), "else it is");
	set_timeout("1000");
	is_errno(tell(c.pid, MIB), 0, "made again");
	ok(!is_stale(&c.pid), "it is not");
	set_timeout("10");
	client_stop(&c, 0);
	ok(goes(c.pid), "it goes");
}

static void test_removal(void)
{
	long long ended = swarm_stat("reports_ended");
	struct client c;
	struct row row;
	__u64 id;

	if (swarm_cmd("create_agent 30\n"))
		bail("an agent");
	client_start(&c);
	is_errno(swarm_cmd("bind 30 pid:%d\n", c.pid), 0, "a process of agent 30");
	is_errno(tell(c.pid, MIB), 0, "is reported");
	find_row(c.pid, &row);
	id = row.id;
	is_errno(swarm_cmd("remove_agent 30\n"), 0, "the agent is removed");
	ok(is_gone(&c.pid), "and its row, as ledger buffers are");
	is(swarm_stat("reports_ended"), ended + 1, "that is counted");
	is_errno(tell(c.pid, MIB), 0, "reported again");
	ok(find_row(c.pid, &row) && row.agent == 0 && row.id != id, "it is a new row, agent 0's");
	client_stop(&c, 0);
	ok(goes(c.pid), "it goes");
}

static bool no_reports(const void *unused)
{
	(void)unused;
	return !rows_of_reports();
}

static void test_many(void)
{
	int nr = scaled(on_debug_kernel() ? MANY / 10 : MANY), i, fd = session_open(), failed = 0;
	pid_t *pids = calloc(nr, sizeof(*pids));
	int gate[2];
	char byte;

	if (!pids || pipe2(gate, O_CLOEXEC))
		bail("%d processes", nr);
	fflush(stdout);
	for (i = 0; i < nr; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			bail("fork");
		if (!pids[i]) {
			close(gate[1]);
			_exit(read(gate[0], &byte, 1));
		}
	}
	for (i = 0; i < nr; i++)
		failed += !say_to(fd, "report %d %llu 1M\n", pids[i], device);
	is(failed, 0, "%d processes are reported", nr);
	is(rows_of_reports(), nr, "each has a row");
	is(used(0), nr * MIB, "all are charged");
	for (i = 0; i < nr / 2; i++)
		kill(pids[i], SIGKILL);
	close(gate[1]);
	for (i = 0; i < nr; i++)
		waitpid(pids[i], NULL, 0);
	ok(swarm_wait(no_reports, NULL, SECONDS), "all exit, no row is left");
	ok(uncharged(0), "and no charge");
	close(gate[0]);
	close(fd);
	free(pids);
}

/* Processes that last no longer than it takes to report them, which another one does. */
static void test_race(void)
{
	int rounds = scaled(RACES), i, to[2], fd, status, odd = 0;
	pid_t pid, reporter;
	bool in_session;

	if (pipe2(to, O_CLOEXEC))
		bail("pipe2");
	fflush(stdout);
	reporter = fork();
	if (!reporter) {
		close(to[1]);
		in_session = false;
		fd = session_open();
		while (read(to[0], &pid, sizeof(pid)) == sizeof(pid)) {
			in_session = !in_session;
			if (in_session)
				say_to(fd, "report %d %llu 1M\n", pid, device);
			else
				tell(pid, 2 * MIB);
			status = tell(pid, MIB);
			odd += status && status != ESRCH;
		}
		_exit(odd != 0);
	}
	close(to[0]);
	for (i = 0; i < rounds; i++) {
		pid = fork();
		if (!pid)
			_exit(0);
		if (pid < 0 || write(to[1], &pid, sizeof(pid)) != sizeof(pid))
			bail("round %d", i);
		waitpid(pid, NULL, 0);
	}
	close(to[1]);
	waitpid(reporter, &status, 0);
	is(status, 0, "%d exits race with reports: each is taken, or ESRCH", rounds);
	ok(swarm_wait(no_reports, NULL, SECONDS), "no row is left");
	ok(uncharged(0), "and no charge");
	swarm_add_up("after the race");
}

/* Agents that are removed while their processes are reported, and moved to and fro. */
static void test_removal_race(void)
{
	int rounds = scaled(RACES / 4), i, status, odd = 0, err;
	struct client c;
	pid_t reporter;

	client_start(&c);
	fflush(stdout);
	reporter = fork();
	if (!reporter) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (i = 0;; i++) {
			err = tell(c.pid, (i % 8 + 1) * MIB);
			if (err)
				_exit(err);
		}
	}
	for (i = 0; i < rounds; i++)
		odd += swarm_cmd("create_agent 31 1M\nbind 31 pid:%d\n", c.pid) ||
		       swarm_cmd("remove_agent 31\n");
	is(odd, 0, "an agent comes and goes %d times", rounds);
	kill(reporter, SIGKILL);
	waitpid(reporter, &status, 0);
	ok(WIFSIGNALED(status), "its process is reported all the while");
	swarm_add_up("after that");
	client_stop(&c, SIGKILL);
	ok(goes(c.pid), "no row is left");
	ok(uncharged(0), "and no charge");
}

/* It goes with rows whose processes go on, and comes without. */
static void test_unload(void)
{
	int fd = session_open(), module;
	struct client c, lasting;

	client_start(&c);
	client_start(&lasting);
	ok(say_to(fd, "report %d %llu 1M\n", c.pid, device), "a row of a session");
	is_errno(tell(lasting.pid, MIB), 0, "and one that is none's");
	is_errno(syscall(SYS_delete_module, "gpu_dma_lock", 0) ? errno : 0, 0, "the module goes");
	client_stop(&c, SIGKILL);
	close(fd);
	module = open("/gpu_dma_lock.ko", O_RDONLY | O_CLOEXEC);
	is_errno(syscall(SYS_finit_module, module, "", 0) ? errno : 0, 0, "and comes");
	close(module);
	is(rows_of_reports(), 0, "without rows");
	is_errno(tell(lasting.pid, MIB), 0, "it takes reports");
	client_stop(&lasting, 0);
	ok(goes(lasting.pid), "and sees exits");
}

int main(void)
{
	device = swarm_device(NULL);
	if (device == SWARM_NONE)
		bail("no device");
	if (cgroup_make("reports-a") || cgroup_make("reports-b"))
		bail("cgroups");
	if (swarm_cmd("create_agent %d\ncreate_agent %d 4M\n"
		      "bind %d cgroup:/reports-a\nbind %d cgroup:/reports-b\n", A, B, A, B))
		bail("agents");
	test_row();
	test_moves();
	test_ends();
	test_leader();
	test_most();
	test_session();
	test_ioctl();
	test_over();
	test_stale();
	test_removal();
	test_many();
	test_race();
	test_removal_race();
	test_unload();
	cgroup_remove("reports-a");
	cgroup_remove("reports-b");
	return tap_done();
}
