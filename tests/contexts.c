// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts: every open DRM file is one of its opener's agent and of its device
 * until the last process has closed it; declared ones come, switch and go by
 * command.
 *
 * vm: --load --mem 512 --timeout 200
 */
#define _GNU_SOURCE
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "client.h"
#include "gem.h"
#include "life.h"
#include "swarm.h"

#define AGENT		5
#define ROUNDS		scaled(1000)
#define DECLARED_MAX	65536	/* GDL_CONTEXTS_MAX */
#define NONE		4000000000ULL

static __u64 vgem, virtio;

static long contexts_of(const char *column, __u64 value)
{
	struct swarm_table t;
	long n;

	swarm_load(&t, "contexts");
	n = swarm_count_u64(&t, column, value);
	swarm_unload(&t);
	return n;
}

/* One text cell of the context with that @key; @buf is "" when there is none. */
static const char *cell_of(const char *key, __u64 id, const char *column, char *buf, size_t size)
{
	struct swarm_table t;
	long row;

	swarm_load(&t, "contexts");
	row = swarm_find_u64(&t, 0, key, id);
	snprintf(buf, size, "%s", row < 0 ? "" : swarm_cell(&t, row, column));
	swarm_unload(&t);
	return buf;
}

static const char *state(__u64 id)
{
	static char buf[32];

	return cell_of("ID", id, "STATE", buf, sizeof(buf));
}

static bool none_of(const void *arg)
{
	return !contexts_of("PID", *(const pid_t *)arg);
}

static bool goes(pid_t pid)
{
	return swarm_wait(none_of, &pid, LIFE_SECONDS);
}

/* For clients */

static int card_fd = -1;

static long run_open(long is_vgem, long render)
{
	prctl(PR_SET_NAME, "opener");
	if (render)
		card_fd = open("/dev/dri/renderD128", O_RDWR | O_CLOEXEC);
	else
		card_fd = gem_open(is_vgem ? "vgem" : "virtio_gpu");
	return card_fd;
}

/* The open file @fd of process @pid */
static long run_take(long pid, long fd)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0);

	prctl(PR_SET_NAME, "user");
	card_fd = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	close(pidfd);
	return card_fd < 0 ? errno : 0;
}

static long run_create(long unused, long unused2)
{
	__u32 handle;
	int err = gem_create(card_fd, 4096, &handle);

	(void)unused;
	(void)unused2;
	return err ?: gem_destroy(card_fd, handle);
}

static long run_close(long fd, long unused)
{
	(void)unused;
	return close(fd);
}

static long run_dup(long fd, long unused)
{
	(void)unused;
	return dup(fd);
}

/* A child that has the file open as well, and only that. */
static long run_fork(long a, long b)
{
	pid_t child = fork();

	(void)a;
	(void)b;
	if (!child) {
		prctl(PR_SET_PDEATHSIG, 0);
		for (;;)
			pause();
	}
	return child;
}

static void test_open(bool is_vgem)
{
	const char *name = is_vgem ? "vgem" : "virtio_gpu";
	struct client c;
	char buf[64];
	long row_fd;

	client_start(&c);
	row_fd = client_call(&c, run_open, is_vgem, 0);
	is(contexts_of("PID", c.pid), 1, "%s: an open card is a context", name);
	is(swarm_get("contexts", "PID", c.pid, "DEVICE"), is_vgem ? vgem : virtio,
	   "open card: DEVICE");
	is(swarm_get("contexts", "PID", c.pid, "AGENT"), 0, "open card: AGENT");
	is_str(cell_of("PID", c.pid, "KIND", buf, sizeof(buf)), "drm", "open card: KIND");
	is_str(cell_of("PID", c.pid, "STATE", buf, sizeof(buf)), "open", "open card: STATE");
	is_str(cell_of("PID", c.pid, "COMM", buf, sizeof(buf)), "opener", "open card: COMM");
	is(swarm_get("contexts", "PID", c.pid, "SWITCHES"), 0, "open card: SWITCHES");
	is(swarm_get("devices", "ID", is_vgem ? vgem : virtio, "CONTEXTS"), 1,
	   "open card: the device has one context");
	client_call(&c, run_open, is_vgem, 0);
	is(contexts_of("PID", c.pid), 2, "%s: opened twice it is two", name);
	is(swarm_get("devices", "ID", is_vgem ? vgem : virtio, "CONTEXTS"), 2,
	   "open card: the device has two contexts");
	client_call(&c, run_close, row_fd, 0);
	is(contexts_of("PID", c.pid), 1, "%s: closed once it is one", name);
	client_stop(&c, 0);
	ok(goes(c.pid), "%s: a process that exits leaves none", name);
	is(swarm_get("devices", "ID", is_vgem ? vgem : virtio, "CONTEXTS"), 0,
	   "open card: the device has none then");
}

static void test_shared(void)
{
	struct client c;
	long fd, twin;
	pid_t child;

	client_start(&c);
	fd = client_call(&c, run_open, 1, 0);
	twin = client_call(&c, run_dup, fd, 0);
	is(contexts_of("PID", c.pid), 1, "shared file: a duplicate is no new context");
	client_call(&c, run_close, fd, 0);
	is(contexts_of("PID", c.pid), 1, "shared file: the duplicate keeps it");
	child = client_call(&c, run_fork, 0, 0);
	is(life_rows("contexts"), 1, "shared file: a child's is no new context");
	client_call(&c, run_close, twin, 0);
	is(life_rows("contexts"), 1, "shared file: the child keeps it");
	kill(child, SIGKILL);
	ok(goes(c.pid), "shared file: it goes with the child");
	client_stop(&c, 0);

	client_start(&c);
	client_call(&c, run_open, 1, 0);
	client_call(&c, run_open, 0, 0);
	is(contexts_of("PID", c.pid), 2, "shared file: two cards are two contexts");
	client_stop(&c, SIGKILL);
	ok(goes(c.pid), "shared file: a process killed leaves none");
}

static void test_render_node(void)
{
	struct client c;

	client_start(&c);
	if (client_call(&c, run_open, 0, 1) < 0) {
		skip("no render node");
	} else {
		is(contexts_of("PID", c.pid), 1, "render node: an open render node is a context");
		client_call(&c, run_close, client_call(&c, run_dup, 0, 0), 0);
	}
	client_stop(&c, 0);
	ok(goes(c.pid), "render node: its context goes");
}

/* A server opens a file and passes it to a client, which works for another agent. */
static void test_passed_on(void)
{
	struct client server, user;
	char buf[64];
	__u64 id;
	long fd;
	int i;

	swarm_cmd("create_agent %d", AGENT);
	client_start(&server);
	client_start(&user);
	swarm_cmd("bind %d pid:%d", AGENT, user.pid);
	fd = client_call(&server, run_open, 1, 0);
	id = swarm_get("contexts", "PID", server.pid, "ID");
	is_errno(client_call(&user, run_take, server.pid, fd), 0,
		 "file passed on: an open file is passed on");
	is(swarm_get("contexts", "ID", id, "PID"), server.pid,
	   "file passed on: its context is the opener's");
	is_errno(client_call(&user, run_create, 0, 0), 0,
		 "file passed on: the other process makes a buffer by it");
	is(swarm_get("contexts", "ID", id, "PID"), user.pid,
	   "file passed on: from then on it is the context of that process");
	is(swarm_get("contexts", "ID", id, "AGENT"), AGENT,
	   "file passed on: the context is that process's agent's");
	is_str(cell_of("ID", id, "COMM", buf, sizeof(buf)), "user",
	       "file passed on: COMM is the name of that process");
	is(contexts_of("PID", server.pid), 0, "file passed on: the opener has none");
	for (i = 0; i < 100; i++) {
		client_call(&server, run_create, 0, 0);
		if ((pid_t)swarm_get("contexts", "ID", id, "PID") != server.pid)
			break;
		client_call(&user, run_create, 0, 0);
		if ((pid_t)swarm_get("contexts", "ID", id, "PID") != user.pid)
			break;
	}
	is(i, 100, "file passed on: the context follows each use");
	is(life_rows("contexts"), 1, "file passed on: there is one context all the time");
	client_stop(&server, 0);
	is(contexts_of("PID", user.pid), 1, "file passed on: the opener's end does not end it");
	is_errno(swarm_cmd("remove_agent %d", AGENT), 0, "file passed on: the agent is removed");
	is(swarm_get("contexts", "ID", id, "AGENT"), 0, "file passed on: its context is agent 0's");
	client_stop(&user, 0);
	ok(goes(user.pid), "file passed on: it goes with its last user");
}

static __u64 declare(__u64 agent, __u64 device)
{
	int fd = swarm_open("control", O_RDWR);
	char text[96], *result;
	size_t len;
	__u64 id = 0;

	snprintf(text, sizeof(text), "create_context %llu %llu\n", agent, device);
	if (write(fd, text, strlen(text)) > 0) {
		result = swarm_slurp(fd, 4096, &len);
		id = result ? swarm_result(result) : 0;
		free(result);
	}
	close(fd);
	return id;
}

static void test_declared(void)
{
	__u64 a, b, c;
	char buf[64];

	swarm_cmd("create_agent %d", AGENT);
	a = declare(AGENT, vgem);
	b = declare(AGENT, vgem);
	c = declare(0, virtio);
	ok(a && b > a && c > b, "three declared contexts have ids: %llu %llu %llu", a, b, c);
	is(life_rows("contexts"), 3, "declared contexts: each has a row");
	is(swarm_get("contexts", "ID", a, "AGENT"), AGENT, "declared contexts: AGENT");
	is(swarm_get("contexts", "ID", a, "DEVICE"), vgem, "declared contexts: DEVICE");
	is(swarm_get("contexts", "ID", a, "PID"), getpid(), "declared contexts: PID");
	is_str(cell_of("ID", a, "KIND", buf, sizeof(buf)), "declared", "declared contexts: KIND");
	is_str(state(a), "idle", "declared contexts: one new is not active");
	is_errno(swarm_cmd("switch_context %llu %llu", vgem, a), 0,
		 "declared contexts: switch_context to one");
	is_str(state(a), "active", "declared contexts: that one is active");
	is_str(state(b), "idle", "declared contexts: another is idle");
	is_errno(swarm_cmd("switch_context %llu %llu", virtio, c), 0,
		 "declared contexts: switched on another device");
	is_str(state(a), "active", "declared contexts: one is active still on the first device");
	is_str(state(c), "active", "declared contexts: another is active on the other device");
	swarm_cmd("switch_context %llu %llu", vgem, b);
	is_str(state(a), "idle", "declared contexts: one switched away from is idle");
	is_str(state(b), "active", "declared contexts: one is active at a time");
	swarm_cmd("switch_context %llu %llu", vgem, b);
	swarm_cmd("switch_context %llu %llu", vgem, a);
	is(swarm_get("contexts", "ID", a, "SWITCHES"), 2,
	   "declared contexts: SWITCHES counts both times");
	is(swarm_get("contexts", "ID", b, "SWITCHES"), 1,
	   "declared contexts: SWITCHES does not count a switch to the active one");
	is(swarm_get("devices", "ID", vgem, "CONTEXTS"), 2,
	   "declared contexts: the device has two contexts");
	is_errno(swarm_cmd("destroy_context %llu", a), 0,
		 "declared contexts: the active one is destroyed");
	is_errno(swarm_cmd("destroy_context %llu", a), ENOENT,
		 "declared contexts: ENOENT when it is destroyed again");
	is_str(state(b), "idle", "declared contexts: no other one is active for that");
	ok(declare(0, vgem) > c, "declared contexts: no id is used twice");
	is_errno(swarm_cmd("destroy_context %llu", c), 0,
		 "declared contexts: agent 0's is destroyed");
}

static void test_errors(void)
{
	__u64 declared = declare(0, vgem), drm;
	int card = gem_open("vgem");

	drm = swarm_get("contexts", "PID", getpid(), "ID");
	if (drm == declared)
		drm = declared + 1;
	while (strcmp(state(drm), "open") && drm < declared + 64)
		drm++;
	is_errno(swarm_cmd("create_context %d %llu", 77, vgem), ENOENT,
		 "create_context: ENOENT without such an agent");
	is_errno(swarm_cmd("create_context 0 %llu", NONE), ENODEV,
		 "create_context: ENODEV without such a device");
	is_errno(swarm_cmd("create_context 0"), EINVAL,
		 "create_context: EINVAL for a word missing");
	is_errno(swarm_cmd("create_context 0 %llu 1", vgem), EINVAL,
		 "create_context: EINVAL for a word too many");
	is_errno(swarm_cmd("create_context 0 x"), EINVAL,
		 "create_context: EINVAL for what is no number");
	is_errno(swarm_cmd("create_context 0 -"), EINVAL,
		 "create_context: EINVAL for the row of no device");
	is_errno(swarm_cmd("switch_context %llu %llu", NONE, declared), ENODEV,
		 "switch_context: ENODEV without such a device");
	is_errno(swarm_cmd("switch_context %llu %llu", vgem, NONE), ENOENT,
		 "switch_context: ENOENT without such a context");
	is_errno(swarm_cmd("switch_context %llu %llu", virtio, declared), ENOENT,
		 "switch_context: ENOENT for another device's context");
	is_errno(swarm_cmd("switch_context %llu %llu", vgem, drm), EINVAL,
		 "switch_context: EINVAL for an open file");
	is_errno(swarm_cmd("switch_context %llu", vgem), EINVAL,
		 "switch_context: EINVAL for a word missing");
	is_errno(swarm_cmd("destroy_context %llu", drm), EINVAL,
		 "destroy_context: EINVAL for an open file");
	is_errno(swarm_cmd("destroy_context %llu", NONE), ENOENT,
		 "destroy_context: ENOENT without such a context");
	is_errno(swarm_cmd("destroy_context"), EINVAL,
		 "destroy_context: EINVAL for a word missing");
	is_str(state(drm), "open", "errors: the open file is as it was");
	is_str(state(declared), "idle", "errors: the declared context is as it was");
	is_errno(swarm_cmd("destroy_context %llu", declared), 0,
		 "errors: the declared context is destroyed");
	close(card);
	is_str(state(drm), "", "errors: the open file's goes when it is closed");
}

/* Agent 5 has a declared context from test_declared(). */
static void test_remove_agent(void)
{
	struct client c;
	long fd;

	client_start(&c);
	is_errno(swarm_cmd("bind %d pid:%d", AGENT, c.pid), 0,
		 "remove_agent: a process of agent %d", AGENT);
	fd = client_call(&c, run_open, 1, 0);
	is(swarm_get("contexts", "PID", c.pid, "AGENT"), AGENT,
	   "remove_agent: its file is the agent's");
	is(contexts_of("AGENT", AGENT), 2, "remove_agent: the agent has two contexts");
	is_errno(swarm_cmd("remove_agent %d", AGENT), 0, "remove_agent: the agent is removed");
	is(contexts_of("AGENT", AGENT), 0, "remove_agent: the agent has no contexts then");
	is(contexts_of("PID", c.pid), 1, "remove_agent: the file is still open");
	is(swarm_get("contexts", "PID", c.pid, "AGENT"), 0, "remove_agent: the file is agent 0's");
	swarm_cmd("create_agent %d", AGENT);
	is(contexts_of("AGENT", AGENT), 0, "remove_agent: a new agent of that id has none");
	is(swarm_get("contexts", "PID", c.pid, "AGENT"), 0,
	   "remove_agent: the file stays agent 0's");
	client_call(&c, run_close, fd, 0);
	is(contexts_of("PID", c.pid), 0, "remove_agent: the file's context goes when it is closed");
	client_stop(&c, 0);
	swarm_cmd("remove_agent %d", AGENT);
}

/* Lines of create_context, as many in a write as it takes. */
static long declare_many(__u64 agent, long count, int *err)
{
	char text[32], *all;
	int fd = swarm_open("control", O_WRONLY);
	long done = 0, len, n;

	len = snprintf(text, sizeof(text), "create_context %llu %llu\n", agent, vgem);
	all = malloc(len * count + 1);
	for (n = 0; n < count; n++)
		memcpy(all + n * len, text, len);
	*err = 0;
	while (done < count) {
		n = write(fd, all + done * len, (count - done) * len);
		if (n <= 0) {
			*err = errno;
			break;
		}
		done += n / len;
	}
	free(all);
	close(fd);
	return done;
}

static void test_cap(void)
{
	long had = life_rows("contexts"), done;
	int err;

	swarm_cmd("create_agent 9");
	done = declare_many(9, DECLARED_MAX + 1, &err);
	is(done, DECLARED_MAX - had,
	   "as many as can be: there can be %d declared contexts", DECLARED_MAX);
	is_errno(err, ENOSPC, "as many as can be: ENOSPC for one more");
	is(life_rows("contexts"), DECLARED_MAX, "as many as can be: all have rows");
	is(swarm_get("devices", "ID", vgem, "CONTEXTS"), DECLARED_MAX,
	   "as many as can be: the device has them");
	is_errno(swarm_cmd("remove_agent 9"), 0, "as many as can be: their agent goes");
	is(life_rows("contexts"), had, "as many as can be: they go with their agent");
	ok(declare(0, vgem), "as many as can be: there is room again");
}

static void test_rounds(void)
{
	int i, fd;

	for (i = 0; i < ROUNDS; i++) {
		fd = open(i & 1 ? "/dev/dri/card0" : "/dev/dri/card1", O_RDWR);
		if (fd < 0)
			bail("opening a card");
		close(fd);
	}
	is(contexts_of("PID", getpid()), 0, "%d rounds of open and close leave nothing", ROUNDS);
}

static void destroy_all(void)
{
	struct swarm_table t;
	long row;

	swarm_load(&t, "contexts");
	for (row = 0; row < t.rows; row++)
		swarm_cmd("destroy_context %llu", swarm_u64(&t, row, "ID"));
	swarm_unload(&t);
}

int main(void)
{
	vgem = swarm_device("vgem");
	virtio = swarm_device("virtio_gpu");
	ok(vgem != SWARM_NONE && virtio != SWARM_NONE,
	   "vgem and virtio_gpu are listed before they are used");
	if (vgem == SWARM_NONE || virtio == SWARM_NONE)
		bail("no vgem or virtio_gpu");
	life_nothing_left(0, "at the beginning");
	test_open(true);
	test_open(false);
	test_shared();
	test_render_node();
	test_passed_on();
	test_rounds();
	life_nothing_left(0, "of files");
	test_declared();
	test_errors();
	test_remove_agent();
	destroy_all();
	test_cap();
	destroy_all();
	life_nothing_left(0, "at the end");
	is(swarm_get("devices", "ID", vgem, "CONTEXTS"), 0, "nor by the devices' rows");
	swarm_add_up("at the end");
	return tap_done();
}
