// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clients of two agents, in two cgroups, on two GPUs: each row and each total
 * says who holds what. A process that moves is charged to its new agent from
 * then on; what it made before stays where it is.
 *
 * vm: --load --mem 512 --timeout 120 --append kmemleak=on
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/prctl.h>

#include "cgroup.h"
#include "client.h"
#include "source.h"
#include "totals.h"

#define SIZE		16384
#define GONE_SECONDS	60

static const char * const cgroups[] = { NULL, "one", "two" };

static __u64 device_of(enum source_id source)
{
	return swarm_device(source_names[source]);
}

static void works(int err, const char *what)
{
	is_errno(err, 0, "%s", what);
}

/* One cell of the quotas row of an agent on a device, 0 without such a row. */
static __u64 quota_of(__u64 agent, __u64 device, const char *column)
{
	struct swarm_table t;
	__u64 value = 0;
	long row = -1;

	swarm_load(&t, "quotas");
	while ((row = swarm_find_u64(&t, row + 1, "AGENT", agent)) >= 0)
		if (strtoull(swarm_cell(&t, row, "DEVICE"), NULL, 0) == device &&
		    *swarm_cell(&t, row, "DEVICE") != 'a' && *swarm_cell(&t, row, "DEVICE") != '-')
			value = swarm_u64(&t, row, column);
	swarm_unload(&t);
	return value;
}

/* How many rows of @pid say @agent and the device of @source, and its size. */
static long rows_of(pid_t pid, __u64 agent, enum source_id source)
{
	__u64 device = device_of(source);
	struct swarm_table t;
	long row = -1, n = 0;

	swarm_load(&t, "allocations");
	while ((row = swarm_find_u64(&t, row + 1, "PID", pid)) >= 0)
		n += swarm_u64(&t, row, "AGENT") == agent &&
		     swarm_u64(&t, row, "DEVICE") == device &&
		     swarm_u64(&t, row, "SIZE") == SIZE &&
		     !strcmp(swarm_cell(&t, row, "KIND"), "gem") &&
		     !strcmp(swarm_cell(&t, row, "COMM"), "attribution");
	swarm_unload(&t);
	return n;
}

static void has_rows(const struct client *c, long count, __u64 agent, enum source_id source)
{
	is(rows_of(c->pid, agent, source), count, "%ld of its rows say agent %llu and %s", count,
	   agent, source_names[source]);
}

static void agent_has(__u64 agent, long buffers, const char *when)
{
	is(swarm_get("agents", "ID", agent, "BUFFERS"), buffers, "agent %llu has %ld buffers %s",
	   agent, buffers, when);
	is(swarm_get("agents", "ID", agent, "USED"), buffers * SIZE, "and their bytes");
}

static void agent_has_on(__u64 agent, enum source_id source, long buffers)
{
	is(quota_of(agent, device_of(source), "USED"), buffers * SIZE,
	   "quotas: agent %llu has %ld of them on %s", agent, buffers, source_names[source]);
}

static void device_has(enum source_id source, long buffers)
{
	__u64 device = device_of(source);

	is(swarm_get("devices", "ID", device, "BUFFERS"), buffers, "%s has %ld buffers",
	   source_names[source], buffers);
	is(swarm_get("devices", "ID", device, "USED"), buffers * SIZE, "and their bytes");
}

static void make(const struct client *c, enum source_id source, int count)
{
	int err = 0;

	while (count-- && !err)
		err = client_call(c, source_do_make, source, SIZE);
	if (err)
		bail("%s makes no buffer: %s", source_names[source], strerror(err));
}

/* A client in the cgroup of @agent; 0 stands for the root. */
static void start_in(struct client *c, int agent)
{
	client_start(c);
	if (agent && cgroup_move(cgroups[agent], c->pid))
		bail("moving a client");
}

static void test_side_by_side(void)
{
	struct client c[2];
	int i;

	start_in(&c[0], 1);
	start_in(&c[1], 2);
	make(&c[0], SOURCE_VGEM, 3);
	make(&c[1], SOURCE_VGEM, 5);
	make(&c[0], SOURCE_VIRTIO, 2);
	make(&c[1], SOURCE_VIRTIO, 1);
	has_rows(&c[0], 3, 1, SOURCE_VGEM);
	has_rows(&c[0], 2, 1, SOURCE_VIRTIO);
	has_rows(&c[1], 5, 2, SOURCE_VGEM);
	has_rows(&c[1], 1, 2, SOURCE_VIRTIO);
	agent_has(1, 5, "on both GPUs");
	agent_has(2, 6, "on both GPUs");
	agent_has(0, 0, "on both GPUs");
	agent_has_on(1, SOURCE_VGEM, 3);
	agent_has_on(1, SOURCE_VIRTIO, 2);
	agent_has_on(2, SOURCE_VGEM, 5);
	agent_has_on(2, SOURCE_VIRTIO, 1);
	device_has(SOURCE_VGEM, 8);
	device_has(SOURCE_VIRTIO, 3);
	is(swarm_get("agents", "ID", 1, "PEAK"), 5 * SIZE,
	   "two agents: agent 1's peak is what it has");
	is(swarm_get("agents", "ID", 2, "PEAK"), 6 * SIZE, "two agents: so is agent 2's");
	totals_add_up("with two agents");
	for (i = 0; i < 2; i++)
		works(client_call(&c[i], source_do_drop_all, SOURCE_VGEM, 0),
		      "two agents: a client frees its vgem buffers");
	agent_has(1, 2, "on one GPU");
	agent_has(2, 1, "on one GPU");
	is(swarm_get("agents", "ID", 2, "PEAK"), 6 * SIZE, "two agents: agent 2's peak stays");
	device_has(SOURCE_VGEM, 0);
	totals_add_up("with one GPU");
	client_stop(&c[0], SIGKILL);
	client_stop(&c[1], 0);
}

static bool all_gone(const void *arg)
{
	(void)arg;
	return swarm_stat("buffers") == 0;
}

static void nothing_left(const char *when)
{
	ok(swarm_wait(all_gone, NULL, GONE_SECONDS), "all buffers are gone %s", when);
	totals_add_up(when);
}

static void test_moved(enum source_id source)
{
	struct client c;

	start_in(&c, 1);
	make(&c, source, 2);
	cgroup_move(cgroups[2], c.pid);
	agent_has(1, 2, "when its process has moved on");
	agent_has(2, 0, "by that");
	make(&c, source, 3);
	has_rows(&c, 2, 1, source);
	has_rows(&c, 3, 2, source);
	agent_has(2, 3, "made since");
	agent_has(1, 2, "made before");
	totals_add_up("with a process that moved");
	cgroup_move("", c.pid);
	make(&c, source, 1);
	has_rows(&c, 1, 0, source);
	agent_has(0, 1, "made since it left both");
	works(client_call(&c, source_do_drop, source, 6),
	      "moved process: it frees them all, where it is now");
	nothing_left("when a process that moved has freed all");
	client_stop(&c, 0);
}

/* Binding and unbinding changes who pays for what comes, not for what is there. */
static void test_rebound(enum source_id source)
{
	struct client c;

	start_in(&c, 1);
	make(&c, source, 1);
	works(swarm_cmd("unbind 1 cgroup:one\nbind 2 cgroup:one\n"),
	      "bound otherwise: agent 2 gets the cgroup");
	make(&c, source, 1);
	works(swarm_cmd("bind 0 pid:%d\n", c.pid), "bound otherwise: agent 0 gets the process");
	make(&c, source, 1);
	works(swarm_cmd("unbind 2 cgroup:one\nbind 1 cgroup:one\n"),
	      "bound otherwise: agent 1 gets it back");
	has_rows(&c, 1, 1, source);
	has_rows(&c, 1, 2, source);
	has_rows(&c, 1, 0, source);
	totals_add_up("with a cgroup bound otherwise");
	client_stop(&c, SIGKILL);
	nothing_left("when the client was killed");
}

/* remove_agent: real buffers become agent 0's, with their charge; ledger ones go. */
static void test_removed(void)
{
	__u64 vgem = device_of(SOURCE_VGEM), id = 0;
	struct client c, other;

	swarm_cmd("create_agent 3 1M\n");
	start_in(&c, 0);
	start_in(&other, 0);
	works(swarm_cmd("bind 3 pid:%d\nset_quota 3 512K %llu\n", c.pid, vgem),
	      "remove_agent: agent 3");
	make(&c, SOURCE_VGEM, 4);
	make(&c, SOURCE_VIRTIO, 3);
	make(&other, SOURCE_VGEM, 1);
	works(swarm_allocate(3, 4 * SIZE, vgem, &id), "remove_agent: agent 3 has a ledger buffer");
	agent_has(0, 1, "to begin with");
	is(quota_of(3, vgem, "USED"), 8 * SIZE, "remove_agent: agent 3 has real and ledger memory");
	is(quota_of(3, vgem, "LIMIT"), 512 * 1024, "remove_agent: agent 3 has a limit on vgem");
	totals_add_up("before agent 3 is removed");
	works(swarm_cmd("remove_agent 3\n"), "remove_agent: remove_agent 3");
	ok(!swarm_has("agents", "ID", 3), "remove_agent: agents has no agent 3");
	ok(!swarm_has("quotas", "AGENT", 3), "remove_agent: nor has quotas");
	ok(!swarm_has("allocations", "AGENT", 3), "remove_agent: nor has allocations");
	ok(!swarm_has("allocations", "ID", id), "remove_agent: its ledger buffer is gone");
	has_rows(&c, 4, 0, SOURCE_VGEM);
	has_rows(&c, 3, 0, SOURCE_VIRTIO);
	agent_has(0, 8, "of its own and of agent 3");
	device_has(SOURCE_VGEM, 5);
	device_has(SOURCE_VIRTIO, 3);
	totals_add_up("after it");
	make(&c, SOURCE_VGEM, 1);
	agent_has(0, 9, "with one more of the process that was bound");
	swarm_cmd("create_agent 3 1M\n");
	is(swarm_get("agents", "ID", 3, "USED"), 0, "remove_agent: a new agent 3 has nothing");
	is(swarm_get("agents", "ID", 3, "PEAK"), 0, "remove_agent: nor had it");
	swarm_cmd("remove_agent 3\n");
	client_stop(&c, 0);
	client_stop(&other, SIGKILL);
	nothing_left("when the clients have ended");
}

static void *make_in_thread(void *err)
{
	prctl(PR_SET_NAME, "another name");
	*(long *)err = source_make(SOURCE_VGEM, 4096);
	return NULL;
}

/* Client: makes a buffer in a thread that has a name of its own. */
static long make_by_thread(long a, long b)
{
	pthread_t thread;
	long err = -1;

	(void)a;
	(void)b;
	if (!source_open(SOURCE_VGEM) || pthread_create(&thread, NULL, make_in_thread, &err))
		return -1;
	pthread_join(thread, NULL);
	return err;
}

/* PID and COMM are those of the process, whichever thread makes the buffer. */
static void test_thread(void)
{
	struct swarm_table t;
	struct client c;
	char comm[32];
	long row;

	start_in(&c, 2);
	is(client_call(&c, make_by_thread, 0, 0), 0, "thread: a thread makes a buffer");
	if (prctl(PR_GET_NAME, comm))
		bail("prctl");
	swarm_load(&t, "allocations");
	row = swarm_find_u64(&t, 0, "PID", c.pid);
	ok(row >= 0, "thread: its process has a row");
	if (row >= 0)
		is_str(swarm_cell(&t, row, "COMM"), comm, "thread: and its name is shown");
	swarm_unload(&t);
	client_stop(&c, SIGKILL);
	nothing_left("when the client was killed");
}

/* A buffer of no GPU belongs to its agent and to the device row `-`. */
static void test_no_gpu(enum source_id source)
{
	struct swarm_table t;
	struct client c;
	long row;

	start_in(&c, 2);
	if (!client_call(&c, source_is_there, source, 0)) {
		skip("no %s on this kernel", source_names[source]);
		client_stop(&c, 0);
		return;
	}
	make(&c, source, 2);
	swarm_load(&t, "allocations");
	is(swarm_count_u64(&t, "PID", c.pid), 2, "%s: two rows", source_names[source]);
	for (row = 0; row < t.rows; row++) {
		is(swarm_u64(&t, row, "AGENT"), 2, "no GPU: of agent 2");
		is_str(swarm_cell(&t, row, "DEVICE"), "-", "no GPU: on no device");
		is_str(swarm_cell(&t, row, "KIND"), "dmabuf", "no GPU: of kind dmabuf");
		ok(swarm_u64(&t, row, "SIZE") > 0, "no GPU: with a size");
		ok(swarm_u64(&t, row, "INODE") > 0, "no GPU: with an inode");
		note("%s: EXPORTER %s", source_names[source], swarm_cell(&t, row, "EXPORTER"));
	}
	is(swarm_get("agents", "ID", 2, "USED"), swarm_sum(&t, "SIZE"), "no GPU: agent 2 pays");
	swarm_unload(&t);
	totals_add_up("with buffers of no GPU");
	client_stop(&c, SIGKILL);
	nothing_left("when the client was killed");
}

int main(void)
{
	int i;

	if (system("modprobe -q vivid"))
		note("no vivid");
	for (i = 1; i <= 2; i++) {
		if (cgroup_make(cgroups[i]))
			bail("making cgroup %s", cgroups[i]);
		works(swarm_cmd("create_agent %d\nbind %d cgroup:%s\n", i, i, cgroups[i]),
		      "an agent with a cgroup");
		is(swarm_get("agents", "ID", i, "BINDINGS"), 1, "it has one binding");
	}
	test_side_by_side();
	nothing_left("when two clients have ended");
	for (i = 0; i < SOURCE_BOCHS; i++) {
		test_moved(i);
		test_rebound(i);
	}
	test_thread();
	test_removed();
	for (i = SOURCE_GEMS; i < NR_SOURCES; i++)
		test_no_gpu(i);
	return tap_done();
}
