// SPDX-License-Identifier: GPL-2.0-only
/*
 * Caps: an agent that has as many buffers, attachments or contexts as it may is refused
 * one more under enforce, counted under audit, and others go on. What their rows take is
 * shown.
 *
 * vm: --load --mem 512 --timeout 200
 */
#define _GNU_SOURCE
#include <sys/syscall.h>

#include "cgroup.h"
#include "client.h"
#include "gem.h"
#include "life.h"
#include "swarm.h"

#define AGENT		5
#define OTHER		6
#define CAP		20
#define MANY		1000000
#define ROW_BYTES	256
#define SIZE		4096
#define GONE_SECONDS	60

static const char * const kinds[] = { "buffers", "attachments", "contexts" };

static struct client client;	/* of agent AGENT */
static struct client other;	/* of agent OTHER */
static char vgem_path[32];

static void set_cap(const char *kind, unsigned int max)
{
	char path[96], text[16];
	int fd;

	snprintf(path, sizeof(path), "/sys/module/gpu_dma_lock/parameters/agent_%s_max", kind);
	snprintf(text, sizeof(text), "%u", max);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		bail("writing %s", path);
	close(fd);
}

static long long capped(const char *kind)
{
	char key[48];

	snprintf(key, sizeof(key), "%s_capped", kind);
	return swarm_stat(key);
}

/* For clients: what is made is counted, and kept until do_drop(). */

static int cards[2 * CAP + 2], nr_cards, card = -1, source = -1, dmabuf = -1;
static __u32 handles[2 * CAP + 2];
static int nr_handles;
static __u32 source_handle;

static int make_context(void)
{
	int fd = open(vgem_path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errno;
	cards[nr_cards++] = fd;
	return 0;
}

static int make_buffer(void)
{
	__u32 handle;
	int err = gem_create(card, SIZE, &handle);

	if (!err)
		handles[nr_handles++] = handle;
	return err;
}

/* Of one buffer, by an open file more. */
static int make_attachment(void)
{
	int err = make_context();
	__u32 handle;

	if (err)
		return err;
	err = gem_import(cards[nr_cards - 1], dmabuf, &handle);
	if (err)
		close(cards[--nr_cards]);
	return err;
}

/* One of each kind, or an error number. */
static long do_make(long kind, long unused)
{
	(void)unused;
	switch (kind) {
	case 0:
		return make_buffer();
	case 1:
		return make_attachment();
	default:
		return make_context();
	}
}

/* What one of each kind needs. */
static long do_begin(long kind, long unused)
{
	int err = 0;

	(void)unused;
	if (kind == 0)
		card = open(vgem_path, O_RDWR | O_CLOEXEC);
	if (kind == 1) {
		source = gem_open("virtio_gpu");
		err = gem_create(source, SIZE, &source_handle);
		if (!err)
			err = gem_export(source, source_handle, &dmabuf);
	}
	return err;
}

static long do_drop(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	while (nr_handles)
		gem_destroy(card, handles[--nr_handles]);
	while (nr_cards)
		close(cards[--nr_cards]);
	return 0;
}

static long do_drop_one(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	if (nr_handles)
		return gem_destroy(card, handles[--nr_handles]);
	return close(cards[--nr_cards]);
}

static long do_end(long unused, long unused2)
{
	do_drop(unused, unused2);
	close(card);
	close(source);
	close(dmabuf);
	card = -1;
	source = -1;
	dmabuf = -1;
	return 0;
}

/* The first file that process @pid has opened here, as long as it is open there. */
static long do_take(long pid, long fd)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0);

	card = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	close(pidfd);
	return card < 0 ? errno : 0;
}

static long do_fd(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	return cards[0];
}

static long do_move(long in, long unused)
{
	(void)unused;
	return cgroup_move(in ? "caps" : "", getpid());
}

/* How many of a kind the client can make, and with which error it ends. */
static long make_all(const struct client *c, long kind, long most, long *err)
{
	long n;

	for (n = 0; n < most; n++) {
		*err = client_call(c, do_make, kind, 0);
		if (*err)
			return n;
	}
	*err = 0;
	return n;
}

/* Rows of locks that are mappings */
static __u64 mappings_of(__u64 agent)
{
	struct swarm_table t;
	__u64 mappings = 0;
	long row;

	swarm_load(&t, "locks");
	for (row = 0; row < t.rows; row++)
		mappings += swarm_u64(&t, row, "AGENT") == agent &&
			    !strcmp(swarm_cell(&t, row, "KIND"), "dma");
	swarm_unload(&t);
	return mappings;
}

static bool rows_are_tracked(void)
{
	struct swarm_table t;
	bool right = true;
	long row;

	swarm_load(&t, "agents");
	for (row = 0; row < t.rows; row++)
		right &= swarm_u64(&t, row, "TRACKING") ==
			 ROW_BYTES * (swarm_u64(&t, row, "BUFFERS") +
				      swarm_u64(&t, row, "ATTACHMENTS") +
				      swarm_u64(&t, row, "CONTEXTS") +
				      mappings_of(swarm_u64(&t, row, "ID")));
	right &= swarm_sum(&t, "ATTACHMENTS") == (__u64)life_rows("attachments");
	right &= swarm_sum(&t, "CONTEXTS") == (__u64)life_rows("contexts");
	right &= swarm_sum(&t, "BUFFERS") == (__u64)life_rows("allocations");
	swarm_unload(&t);
	return right;
}

static void set_policy(const char *to)
{
	if (swarm_cmd("policy %s", to))
		bail("policy %s", to);
}

static const char *column_of(long kind)
{
	static const char * const columns[] = { "BUFFERS", "ATTACHMENTS", "CONTEXTS" };

	return columns[kind];
}

static void test_kind(long kind)
{
	const char *name = kinds[kind];
	long long before = capped(name);
	struct client host;
	long had, err;

	client_call(&client, do_begin, kind, 0);
	client_call(&other, do_begin, kind, 0);
	had = swarm_get("agents", "ID", AGENT, column_of(kind));
	set_cap(name, CAP);
	set_policy("enforce");
	is(make_all(&client, kind, CAP + 1, &err), CAP - had, "enforce: %d %s at most", CAP, name);
	is_errno(err, EDQUOT, "the next is refused");
	is(swarm_get("agents", "ID", AGENT, column_of(kind)), CAP, "it has %d", CAP);
	is(capped(name) - before, 1, "%s_capped counts it", name);
	is(swarm_get("agents", "ID", AGENT, "DENIED"), 0, "as no charge over a quota");
	is_errno(client_call(&other, do_make, kind, 0), 0, "another agent goes on");
	client_call(&client, do_drop_one, 0, 0);
	is_errno(client_call(&client, do_make, kind, 0), 0, "one goes, one can come");
	ok(rows_are_tracked(), "TRACKING is what the rows take, which are all an agent's");

	set_policy("audit");
	is_errno(client_call(&client, do_make, kind, 0), 0, "audit: one more is let pass");
	is(capped(name) - before, 2, "and counted");
	set_policy("off");
	is_errno(client_call(&client, do_make, kind, 0), 0, "off: another one");
	is(capped(name) - before, 2, "is not counted");
	set_policy("enforce");

	client_start(&host);
	client_call(&host, do_begin, kind, 0);
	is(make_all(&host, kind, CAP + 1, &err), CAP + 1, "agent 0 has no cap");
	client_stop(&host, 0);

	client_call(&client, do_end, 0, 0);
	client_call(&other, do_end, 0, 0);
	set_cap(name, MANY);
	set_policy("audit");
	life_nothing_left(0, "of what had a cap");
	ok(rows_are_tracked(), "nor is it tracked");
}

/* By commands, whatever the policy. */
static void test_commands(void)
{
	__u64 device = swarm_device("vgem"), id = 0;
	int fd = swarm_open("control", O_RDWR);
	char line[64], *result;
	size_t len;
	int err;

	set_cap("buffers", 1);
	set_cap("contexts", 1);
	is_errno(swarm_allocate(AGENT, SIZE, device, &id), 0, "allocate: one buffer");
	snprintf(line, sizeof(line), "allocate %d 4096 %llu\n", AGENT, device);
	err = write(fd, line, strlen(line)) < 0 ? errno : 0;
	is_errno(err, EDQUOT, "caps of commands: EDQUOT for two of an agent that may have one");
	result = swarm_slurp(fd, 4096, &len);
	is_str(result, "-EDQUOT agent 5 has 1 buffers already\n",
	       "caps of commands: the result says why");
	free(result);
	is_errno(swarm_cmd("free %llu", id), 0, "caps of commands: the buffer is freed");
	is_errno(swarm_cmd("create_context %d %llu", AGENT, device), 0,
		 "caps of commands: one declared context");
	is_errno(swarm_cmd("create_context %d %llu", AGENT, device), EDQUOT,
		 "caps of commands: EDQUOT for two declared contexts");
	is_errno(swarm_cmd("create_context 0 %llu", device), 0,
		 "caps of commands: agent 0 may have more contexts");
	is_errno(swarm_cmd("remove_agent %d", AGENT), 0, "caps of commands: the agent goes");
	swarm_cmd("create_agent %d", AGENT);
	swarm_cmd("bind %d pid:%d", AGENT, client.pid);
	set_cap("buffers", MANY);
	set_cap("contexts", MANY);
	id = swarm_get("contexts", "AGENT", 0, "ID");
	is_errno(swarm_cmd("destroy_context %llu", id), 0,
		 "caps of commands: the context of agent 0 is destroyed");
	close(fd);
}

/* A file that is used by an agent which may have no more stays where it was. */
static void test_passed_on(void)
{
	long fd;

	set_policy("enforce");
	client_call(&other, do_make, 2, 0);
	fd = client_call(&other, do_fd, 0, 0);
	client_call(&client, do_take, other.pid, fd);
	set_cap("contexts", 0);
	is_errno(client_call(&client, do_make, 0, 0), 0,
		 "cap and a file passed on: a file of another agent is used");
	is(swarm_get("agents", "ID", AGENT, "CONTEXTS"), 0,
	   "cap and a file passed on: its context is not that of an agent that may have none");
	is(swarm_get("agents", "ID", OTHER, "CONTEXTS"), 1,
	   "cap and a file passed on: it stays the other agent's");
	set_cap("contexts", MANY);
	is_errno(client_call(&client, do_make, 0, 0), 0,
		 "cap and a file passed on: it is used again");
	is(swarm_get("agents", "ID", AGENT, "CONTEXTS"), 1,
	   "cap and a file passed on: its context is the agent's that may have one");
	is(swarm_get("agents", "ID", OTHER, "CONTEXTS"), 0,
	   "cap and a file passed on: the other agent has none then");
	client_call(&client, do_end, 0, 0);
	client_call(&other, do_end, 0, 0);
	set_policy("audit");
	life_nothing_left(0, "of a file that was passed on");
}

static bool agents_are(const void *count)
{
	return life_rows("agents") == *(const long *)count;
}

/* A tenant that makes cgroups and leaves open files behind gets no second cap. */
static void test_template(void)
{
	const long without = 3, with = 4;

	is_errno(swarm_cmd("template /caps"), 0, "cap and a template: a template");
	is_errno(cgroup_make("caps"), 0, "cap and a template: a cgroup comes");
	client_stop(&other, 0);
	client_start(&other);
	is_errno(client_call(&other, do_move, 1, 0), 0, "cap and a template: a process in it");
	is_errno(client_call(&other, do_make, 2, 0), 0,
		 "cap and a template: the process has a file open");
	is_errno(client_call(&other, do_move, 0, 0), 0,
		 "cap and a template: the process leaves the cgroup");
	is_errno(cgroup_remove("caps"), 0, "cap and a template: the cgroup goes");
	swarm_wait(agents_are, &with, GONE_SECONDS);
	sleep(2);
	is(life_rows("agents"), with, "cap and a template: the agent of the cgroup stays");
	is(swarm_get("contexts", "PID", other.pid, "AGENT"), 1ULL << 32,
	   "cap and a template: the file is that agent's");
	client_call(&other, do_drop, 0, 0);
	ok(swarm_wait(agents_are, &without, GONE_SECONDS),
	   "cap and a template: the agent goes with the file");
	is_errno(swarm_cmd("remove_template /caps"), 0,
		 "cap and a template: the template is removed");
}

static void find_vgem(void)
{
	int fd = gem_open("vgem");
	char link[32];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, vgem_path, sizeof(vgem_path) - 1);
	if (fd < 0 || len < 0)
		bail("no vgem");
	close(fd);
}

int main(void)
{
	long kind;

	find_vgem();
	client_start(&client);
	client_start(&other);
	swarm_cmd("create_agent %d", AGENT);
	swarm_cmd("create_agent %d", OTHER);
	swarm_cmd("bind %d pid:%d", AGENT, client.pid);
	swarm_cmd("bind %d pid:%d", OTHER, other.pid);
	for (kind = 0; kind < 3; kind++)
		test_kind(kind);
	test_commands();
	test_passed_on();
	test_template();
	client_stop(&other, 0);
	client_stop(&client, 0);
	life_nothing_left(0, "at the end");
	return tap_done();
}
