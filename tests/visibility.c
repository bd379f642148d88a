// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a reader sees: under visibility=own, without CAP_SYS_ADMIN, it has the rows of its
 * own agent and `self`, in every file; no PID or COMM is shown that its /proc hides; and
 * no cgroup outside its cgroup namespace.
 *
 * vm: --load=visibility=own --mem 512 --timeout 200
 */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "cgroup.h"
#include "client.h"
#include "gem.h"
#include "swarm.h"

#define NOBODY	65534

static const struct {
	const char *file;
	const char *column;	/* that names the agent */
} tables[] = {
	{ "agents", "ID" }, { "quotas", "AGENT" }, { "bindings", "AGENT" },
	{ "regions", "AGENT" }, { "allocations", "AGENT" }, { "attachments", "AGENT" },
	{ "locks", "AGENT" }, { "contexts", "AGENT" },
};

#define NR_TABLES	(sizeof(tables) / sizeof(*tables))

static const __u64 agents[] = { 5, 7 };
static __u64 device;

/* For clients */

static int vgem = -1, virtio = -1, dmabuf = -1, kept = -1;

static long run_make(long agent, long unused)
{
	__u32 handle, imported;
	char name[16];

	(void)unused;
	snprintf(name, sizeof(name), "tenant%ld", agent);
	prctl(PR_SET_NAME, name);
	vgem = gem_open("vgem");
	virtio = gem_open("virtio_gpu");
	return vgem < 0 || virtio < 0 || gem_create(virtio, 65536, &handle) ||
	       gem_export(virtio, handle, &dmabuf) || gem_import(vgem, dmabuf, &imported);
}

static long run_nobody(long dumpable, long unused)
{
	(void)unused;
	return setgid(NOBODY) || setuid(NOBODY) || prctl(PR_SET_DUMPABLE, dumpable);
}

/* Namespaces of its own, as an unprivileged container has them. */
static long run_unshare(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	return unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP |
		       CLONE_NEWUTS | CLONE_NEWNET) ? errno : 0;
}

/* Another /proc, in a mount namespace of its own. */
static long run_mount(long hidepid, long unused)
{
	char options[32];

	(void)unused;
	snprintf(options, sizeof(options), "hidepid=%ld", hidepid);
	return unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	       mount("proc", "/proc", "proc", 0, options) ? errno : 0;
}

static long run_dumpable(long dumpable, long unused)
{
	(void)unused;
	return prctl(PR_SET_DUMPABLE, dumpable);
}

static long run_enter(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	return unshare(CLONE_NEWCGROUP) ? errno : 0;
}

static const char * const kept_files[] = { "allocations", "self", "stats" };

/* Opens one of kept_files and reads @bytes of it. */
static long run_keep(long file, long bytes)
{
	char text[64];

	kept = swarm_open(kept_files[file], O_RDONLY);
	return read(kept, text, bytes) == bytes ? kept : -1;
}

/* Rows of that table: of @agent, or of others for -1. */
static long run_count(long table, long agent)
{
	struct swarm_table t;
	long own, rows;

	swarm_load(&t, tables[table].file);
	own = swarm_count_u64(&t, tables[table].column, agent < 0 ? ~agent : agent);
	rows = t.rows;
	swarm_unload(&t);
	return agent < 0 ? rows - own : own;
}

/* Lines of dma_permissions that are of others than @agent; -1 without one of its own. */
static long run_perms(long agent, long unused)
{
	char *text = swarm_read("dma_permissions"), *line, *p, want[16];
	long other = 0, own = 0;

	(void)unused;
	snprintf(want, sizeof(want), "%ld:", agent);
	for (line = strtok_r(text, "\n", &p); line; line = strtok_r(NULL, "\n", &p)) {
		if (strncmp(line, want, strlen(want)))
			other++;
		else
			own++;
	}
	free(text);
	return agent && !own ? -1 : other;
}

static long run_stats(long unused, long unused2)
{
	char *text = swarm_read("stats");
	long lines = 0, i;

	(void)unused;
	(void)unused2;
	for (i = 0; text[i]; i++)
		lines += text[i] == '\n';
	if (strncmp(text, "policy ", 7))
		lines = -1;
	free(text);
	return lines;
}

/* Of `devices`: rows, or the USED of one, when nothing else is told. */
static long run_devices(long id, long unused)
{
	struct swarm_table t;
	long row, result;

	(void)unused;
	swarm_load(&t, "devices");
	result = t.rows;
	for (row = 0; row < t.rows; row++)
		if (strcmp(swarm_cell(&t, row, "BUFFERS"), "-") ||
		    strcmp(swarm_cell(&t, row, "CONTEXTS"), "-"))
			result = -1;
	row = id < 0 ? -1 : swarm_find_u64(&t, 0, "ID", id);
	if (row >= 0 && result >= 0)
		result = swarm_u64(&t, row, "USED");
	swarm_unload(&t);
	return result;
}

/* The value of a key of `self`: agent 0, limit 1, used 2, peak 3, denied 4; of a device. */
static long run_self(long key, long device_id)
{
	static const char * const keys[] = { "agent", "limit", "used", "peak", "denied" };
	char *text = swarm_read("self"), *line, *p, want[32];
	long result = -1;

	if (device_id >= 0)
		snprintf(want, sizeof(want), "device %ld ", device_id);
	else
		snprintf(want, sizeof(want), "%s ", keys[key]);
	for (line = strtok_r(text, "\n", &p); line; line = strtok_r(NULL, "\n", &p)) {
		if (strncmp(line, want, strlen(want)))
			continue;
		line += strlen(want);
		for (; device_id >= 0 && key > 1; key--)
			line += strcspn(line, " ") + 1;
		result = strncmp(line, "max", 3) ? strtol(line, NULL, 10) : 0;
	}
	free(text);
	return result;
}

/* Bits: 1, a PID is shown; 2, a COMM is; -1 without a row. */
static long run_process(long table, long unused)
{
	struct swarm_table t;
	long row, result = 0;

	(void)unused;
	swarm_load(&t, tables[table].file);
	if (!t.rows)
		result = -1;
	for (row = 0; row < t.rows; row++) {
		result |= strcmp(swarm_cell(&t, row, "PID"), "-") ? 1 : 0;
		result |= strcmp(swarm_cell(&t, row, "COMM"), "-") ? 2 : 0;
	}
	swarm_unload(&t);
	return result;
}

static long run_binding(long want_hidden, long unused)
{
	struct swarm_table t;
	bool hidden;

	(void)unused;
	swarm_load(&t, "bindings");
	hidden = t.rows == 1 && !strcmp(swarm_cell(&t, 0, "BINDING"), "cgroup:-");
	swarm_unload(&t);
	return hidden == want_hidden;
}

/* For the test */

static const char *cgroup_of(__u64 agent)
{
	static char name[16];

	snprintf(name, sizeof(name), "tenant%llu", agent);
	return name;
}

static void start_in(struct client *c, const char *cgroup)
{
	client_start(c);
	if (cgroup && cgroup_move(cgroup, c->pid))
		bail("moving a client into %s", cgroup);
}

/* A process of the agent that makes it all, and ledger memory, a lock, a rule, a context. */
static void make_tenant(__u64 agent, struct client *maker)
{
	__u64 id = 0;

	if (swarm_cmd("create_agent %llu 1M\n", agent) || cgroup_make(cgroup_of(agent)) ||
	    swarm_cmd("bind %llu cgroup:/%s\n", agent, cgroup_of(agent)))
		bail("agent %llu", agent);
	start_in(maker, cgroup_of(agent));
	if (client_call(maker, run_make, agent, 0))
		bail("buffers of agent %llu", agent);
	if (swarm_allocate(agent, 4096 * agent, device, &id) ||
	    swarm_cmd("lock %llu %llu exclusive\n", id, agent) ||
	    swarm_cmd("grant %llu 0x%llx000 r\n", agent, agent) ||
	    swarm_cmd("create_context %llu %llu\n", agent, device))
		bail("what agent %llu has", agent);
}

static void test_own(__u64 agent)
{
	struct client reader;
	size_t i;

	start_in(&reader, cgroup_of(agent));
	is_errno(client_call(&reader, run_nobody, 1, 0), 0, "agent %llu: a reader is nobody",
		 agent);
	is_errno(client_call(&reader, run_unshare, 0, 0), 0, "in namespaces of its own");
	for (i = 0; i < NR_TABLES; i++) {
		is(client_call(&reader, run_count, i, ~(long)agent), 0, "%s has no row of others",
		   tables[i].file);
		/* No region: vgem and virtio-gpu are not of TTM. */
		ok(client_call(&reader, run_count, i, agent) > 0 ||
		   !strcmp(tables[i].file, "regions"), "%s has its own", tables[i].file);
	}
	is(client_call(&reader, run_perms, agent, 0), 0, "dma_permissions has its own rules only");
	is(client_call(&reader, run_stats, 0, 0), 1, "stats has the policy only");
	is(client_call(&reader, run_devices, device, 0),
	   client_call(&reader, run_self, 2, device), "devices has what it uses itself, as self");
	is(client_call(&reader, run_self, 0, -1), agent, "self: the agent");
	is(client_call(&reader, run_self, 1, -1), 1 << 20, "self: its limit");
	is(client_call(&reader, run_self, 2, -1), swarm_get("agents", "ID", agent, "USED"),
	   "self: used, as root sees it");
	ok(client_call(&reader, run_self, 3, -1) >= 65536, "self: peak");
	is(client_call(&reader, run_self, 4, -1), 0, "self: denied");
	client_stop(&reader, 0);
}

static void test_unbound(void)
{
	struct client reader;
	size_t i;

	start_in(&reader, NULL);
	is_errno(client_call(&reader, run_nobody, 1, 0), 0, "agent 0: a reader is nobody");
	for (i = 0; i < NR_TABLES; i++)
		is(client_call(&reader, run_count, i, -1) + client_call(&reader, run_count, i, 0),
		   0, "%s is empty", tables[i].file);
	is(client_call(&reader, run_perms, 0, 0), 0, "dma_permissions is empty");
	is(client_call(&reader, run_devices, -1, 0), 0, "devices is empty");
	is(client_call(&reader, run_stats, 0, 0), 1, "stats has the policy only");
	is(client_call(&reader, run_self, 0, -1), 0, "self: agent 0");
	client_stop(&reader, 0);
}

static void test_root(void)
{
	struct client reader;
	size_t i;

	start_in(&reader, cgroup_of(5));
	for (i = 0; i < NR_TABLES; i++)
		ok(client_call(&reader, run_count, i, 7) > 0 || !strcmp(tables[i].file, "regions"),
		   "root sees agent 7 in %s", tables[i].file);
	ok(client_call(&reader, run_stats, 0, 0) > 50, "and all of stats");
	is(client_call(&reader, run_self, 0, -1), 5, "self is the agent that it works for");
	client_stop(&reader, 0);
}

/* Client: goes on reading that. */
static long run_read_kept(long unused, long unused2)
{
	char text[64];
	ssize_t len = read(kept, text, sizeof(text));

	(void)unused;
	(void)unused2;
	return len < 0 ? -errno : len;
}

static void test_passed_file(const char *file, long index, long bytes)
{
	struct client reader;
	int fd, pidfd;
	char text[64];

	start_in(&reader, cgroup_of(5));
	client_call(&reader, run_nobody, 1, 0);
	fd = client_call(&reader, run_keep, index, bytes);
	pidfd = syscall(SYS_pidfd_open, reader.pid, 0);
	fd = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	ok(fd >= 0, "%s, of which nobody of agent 5 has read %ld bytes, is passed on", file, bytes);
	ok(read(fd, text, sizeof(text)) < 0 && errno == EACCES, "%s: agent 0 may not read it",
	   file);
	ok(client_call(&reader, run_read_kept, 0, 0) > 0, "%s: its opener may go on", file);
	close(pidfd);
	close(fd);
	client_stop(&reader, 0);
}

/* An open file is for its opener's agent, also what seq_file has of it in its buffer. */
static void test_passed_on(void)
{
	size_t i;

	for (i = 0; i < sizeof(kept_files) / sizeof(*kept_files); i++) {
		test_passed_file(kept_files[i], i, 0);
		test_passed_file(kept_files[i], i, 4);
	}
}

static void test_cgroup_namespace(void)
{
	struct client reader;

	if (cgroup_make("tenant5/inner"))
		bail("a cgroup");
	start_in(&reader, "tenant5/inner");
	ok(client_call(&reader, run_nobody, 1, 0) == 0, "a reader below the bound cgroup");
	ok(client_call(&reader, run_binding, false, 0), "sees the path of the bound one");
	client_stop(&reader, 0);
	start_in(&reader, "tenant5/inner");
	is_errno(client_call(&reader, run_enter, 0, 0), 0, "in a cgroup namespace of its own");
	client_call(&reader, run_nobody, 1, 0);
	ok(client_call(&reader, run_binding, true, 0), "the bound cgroup, which is outside, is -");
	client_stop(&reader, 0);
	cgroup_remove("tenant5/inner");
}

/* @seen: bits as of run_process() */
static void test_hidepid(long hidepid, long seen, const char *who)
{
	struct client reader;
	size_t i;

	start_in(&reader, cgroup_of(5));
	is_errno(client_call(&reader, run_mount, hidepid, 0), 0, "a /proc with hidepid=%ld",
		 hidepid);
	for (i = 0; i < NR_TABLES; i++)
		if (!strcmp(tables[i].file, "allocations") || !strcmp(tables[i].file, "contexts") ||
		    !strcmp(tables[i].file, "attachments") || !strcmp(tables[i].file, "locks"))
			is(client_call(&reader, run_process, i, 0), 3, "%s: root sees PID and COMM",
			   tables[i].file);
	client_call(&reader, run_nobody, 1, 0);
	for (i = 0; i < NR_TABLES; i++)
		if (!strcmp(tables[i].file, "attachments"))
			is(client_call(&reader, run_process, i, 0), seen,
			   "%s: of %s nobody sees what /proc shows", tables[i].file, who);
	client_stop(&reader, 0);
}

static void test_processes(struct client *maker)
{
	test_hidepid(0, 3, "root's process");
	test_hidepid(1, 1, "root's process");
	test_hidepid(2, 0, "root's process");
	client_call(maker, run_nobody, 1, 0);
	test_hidepid(1, 3, "its own user's process");
	test_hidepid(2, 3, "its own user's process");
	client_call(maker, run_dumpable, 0, 0);
	test_hidepid(1, 1, "one that is not to be dumped");
	test_hidepid(2, 0, "one that is not to be dumped");
	client_call(maker, run_dumpable, 1, 0);
}

int main(void)
{
	struct client maker[2];
	size_t i;

	device = swarm_device(NULL);
	for (i = 0; i < 2; i++)
		make_tenant(agents[i], &maker[i]);
	for (i = 0; i < 2; i++)
		test_own(agents[i]);
	test_unbound();
	test_root();
	test_passed_on();
	test_cgroup_namespace();
	test_processes(&maker[0]);
	for (i = 0; i < 2; i++) {
		client_stop(&maker[i], SIGKILL);
		swarm_cmd("remove_agent %llu\n", agents[i]);
		cgroup_remove(cgroup_of(agents[i]));
	}
	return tap_done();
}
