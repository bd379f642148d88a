// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of NVIDIA's driver that another driver has, by stand-ins for both: a row of
 * allocations and one of attachments from when they are handed out until they are given
 * back, revoked, or the driver leaves; charged to nobody; refused where rules or caps say so.
 * Its dma-bufs. The driver comes and goes, and so does the module.
 *
 * vm: --load --smp 2 --mem 512 --timeout 300
 */
#define _GNU_SOURCE
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "cgroup.h"
#include "client.h"
#include "modules/nvidia_peer.h"
#include "swarm.h"

#define A		20
#define B		21
#define MIB		1048576ULL
#define PAGE		65536ULL
#define GPU		0x3000000000ULL
#define NVIDIA_NONE_HELD	(~0ULL)
#define NR_HOOKS	8
#define RACES		3000
#define SECONDS		60
#define GETS		30	/* where one allocation in five fails */
#define CAP_PARAM	"/sys/module/gpu_dma_lock/parameters/agent_attachments_max"

static int peer = -1;

/* Quiet ones do not say that they have let go of what was revoked. */
static int ask(unsigned long cmd, __u64 address, __u64 length, bool persistent, bool quiet)
{
	struct nvidia_peer_ask a = {
		.address = address, .length = length, .persistent = persistent, .quiet = quiet,
	};

	return ioctl(peer, cmd, &a) < 0 ? errno : 0;
}

static int get(__u64 address, __u64 length)
{
	return ask(NVIDIA_PEER_GET, address, length, false, false);
}

static int put(__u64 address)
{
	return ask(NVIDIA_PEER_PUT, address, 0, false, false);
}

static int map(__u64 address)
{
	return ask(NVIDIA_PEER_MAP, address, 0, false, false);
}

static int unmap(__u64 address)
{
	return ask(NVIDIA_PEER_UNMAP, address, 0, false, false);
}

static int cuda_free(__u64 address)
{
	return ask(NVIDIA_PEER_REVOKE, address, 0, false, false);
}

/* In clients */

static long run_join(long agent, long unused)
{
	(void)unused;
	return cgroup_set(agent == A ? "nvidia-a" : "nvidia-b", "cgroup.procs", "0");
}

static long run_get(long address, long length)
{
	return get(address, length);
}

static long run_put(long address, long unused)
{
	(void)unused;
	return put(address);
}

static long run_map(long address, long unused)
{
	(void)unused;
	return map(address);
}

/* Where several use one address, each has a token. */
static int ask_as(unsigned long cmd, __u64 address, __u32 token, bool late)
{
	struct nvidia_peer_ask a = {
		.address = address, .length = PAGE, .token = token, .late = late,
	};

	return ioctl(peer, cmd, &a) < 0 ? errno : 0;
}

static long run_get_as(long address, long token)
{
	return ask_as(NVIDIA_PEER_GET, address, token, false);
}

static long run_put_late(long address, long token)
{
	return ask_as(NVIDIA_PEER_PUT, address, token, true);
}

static long run_put_as(long address, long token)
{
	return ask_as(NVIDIA_PEER_PUT, address, token, false);
}

static long rows_of_kind(void)
{
	struct swarm_table t;
	long row, rows = 0;

	swarm_load(&t, "allocations");
	for (row = 0; row < t.rows; row++)
		rows += !strcmp(swarm_cell(&t, row, "KIND"), "nvidia");
	swarm_unload(&t);
	return rows;
}

static long attachments(void)
{
	struct swarm_table t;
	long rows;

	swarm_load(&t, "attachments");
	rows = t.rows;
	swarm_unload(&t);
	return rows;
}

/* The only row of the kind in allocations; its id. */
static __u64 only_row(__u64 agent, __u64 size, const char *what)
{
	struct swarm_table t;
	__u64 id = 0;
	long row;

	swarm_load(&t, "allocations");
	row = swarm_find(&t, 0, "KIND", "nvidia");
	if (row >= 0 && swarm_find(&t, row + 1, "KIND", "nvidia") < 0 &&
	    swarm_u64(&t, row, "AGENT") == agent && swarm_u64(&t, row, "SIZE") == size)
		id = swarm_u64(&t, row, "ID");
	swarm_unload(&t);
	ok(id, "%s: there is one row, of agent %llu, of %llu bytes", what, agent, size);
	return id;
}

static void check_attachment(__u64 id, __u64 agent, const char *importer, __u64 mapped,
			     const char *what)
{
	struct swarm_table t;
	long row;

	swarm_load(&t, "attachments");
	row = swarm_find_u64(&t, 0, "BUFFER", id);
	ok(row >= 0 && swarm_find_u64(&t, row + 1, "BUFFER", id) < 0, "%s: one attachment", what);
	if (row >= 0) {
		if (importer)
			is_str(swarm_cell(&t, row, "IMPORTER_DEVICE"), importer, "%s: of it", what);
		else
			ok(strchr(swarm_cell(&t, row, "IMPORTER_DEVICE"), ':'),
			   "%s: of a device on PCI", what);
		is(swarm_u64(&t, row, "AGENT"), agent, "%s: by agent %llu", what, agent);
		is(swarm_u64(&t, row, "MAPPED"), mapped, "%s: MAPPED", what);
		is(swarm_u64(&t, row, "PINNED"), 1, "%s: pinned", what);
		is(swarm_u64(&t, row, "P2P"), 1, "%s: peer to peer", what);
	}
	swarm_unload(&t);
}

static void none_left(const char *what)
{
	ok(!rows_of_kind() && !attachments(), "%s: no row is left", what);
}

static long hooks(const char *state)
{
	char *text = swarm_read("stats"), *line, *save;
	long nr = 0;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (!strncmp(line, "hook_nv", 7) && strstr(line, "_state ") &&
		    !strncmp(strstr(line, "_state ") + 7, state, strlen(state)))
			nr++;
	free(text);
	return nr;
}

static void drivers_come(void)
{
	if (system("insmod /tests/modules/nvidia.ko && insmod /tests/modules/nvidia_peer.ko"))
		bail("the drivers");
	peer = open("/dev/nvidia_peer", O_RDWR | O_CLOEXEC);
	if (peer < 0)
		bail("/dev/nvidia_peer");
}

static void drivers_go(void)
{
	close(peer);
	if (system("rmmod nvidia_peer && rmmod nvidia"))
		bail("rmmod");
}

static void test_pages(bool persistent)
{
	const char *what = persistent ? "persistent pages" : "pages";
	__u64 id;

	is_errno(ask(NVIDIA_PEER_GET, 0, MIB, persistent, false), 0, "%s", what);
	id = only_row(0, MIB, what);
	check_attachment(id, 0, "nvidia_peer", 0, what);
	is(swarm_get("agents", "ID", 0, "USED"), 0, "%s: are charged to nobody", what);
	is_errno(map(0), 0, "%s: mapped", what);
	check_attachment(id, 0, NULL, 1, "mapped");
	is_errno(unmap(0), 0, "%s: unmapped", what);
	check_attachment(id, 0, NULL, 0, "unmapped");
	is_errno(map(0), 0, "%s: mapped again", what);
	is_errno(put(0), 0, "%s: given back, as they are", what);
	none_left(what);
}

static void test_failures(void)
{
	is_errno(get(1, MIB), EINVAL, "what the driver refuses");
	none_left("refused");
	is_errno(get(0, PAGE), 0, "pages");
	is_errno(put(0), 0, "and their end");
	is_errno(cuda_free(0), ENOENT, "nothing to revoke");
	none_left("nothing");
}

static void test_revocation(bool quiet)
{
	const char *what = quiet ? "revoked in silence" : "revoked";

	is_errno(ask(NVIDIA_PEER_GET, 4 * PAGE, PAGE, false, quiet), 0, "pages to be %s", what);
	is_errno(map(4 * PAGE), 0, "mapped");
	only_row(0, PAGE, what);
	is_errno(cuda_free(4 * PAGE), 0, "%s", what);
	none_left(what);
	is_errno(put(4 * PAGE), 0, "given back after that");
	none_left(what);
}

static void test_agents(void)
{
	long long denied, audited;
	struct client a, b;
	__u64 id;

	client_start(&a);
	client_start(&b);
	if (client_call(&a, run_join, A, 0) || client_call(&b, run_join, B, 0))
		bail("cgroups");
	is_errno(client_call(&a, run_get, 0, MIB), 0, "pages of a process of agent %d", A);
	id = only_row(A, MIB, "of an agent");
	check_attachment(id, A, "nvidia_peer", 0, "of an agent");
	is(swarm_get("agents", "ID", A, "USED"), 0, "not charged");

	audited = swarm_stat("dma_audited");
	is_errno(client_call(&b, run_map, 0, 0), 0, "under audit another agent may map them");
	is(swarm_stat("dma_audited"), audited + 1, "which is counted");
	is_errno(unmap(0), 0, "unmapped");
	if (swarm_cmd("policy enforce\n"))
		bail("enforce");
	denied = swarm_stat("dma_denied");
	is_errno(client_call(&b, run_map, 0, 0), EACCES, "under enforce it may not");
	is(swarm_stat("dma_denied"), denied + 1, "which is counted");
	is_errno(swarm_cmd("grant %d buf=%llu rw\n", B, id), 0, "but with a rule");
	is_errno(client_call(&b, run_map, 0, 0), 0, "it may");
	check_attachment(id, B, NULL, 1, "mapped by another");
	is_errno(unmap(0), 0, "unmapped");

	is_errno(swarm_cmd("grant %d 0x%llx+64K rw\n", A, GPU), 0, "a rule for the first page");
	is_errno(client_call(&a, run_map, 0, 0), EACCES, "makes the others forbidden");
	is(swarm_stat("dma_denied"), denied + 2, "which is counted");
	if (swarm_cmd("policy audit\n"))
		bail("audit");
	is_errno(client_call(&a, run_map, 0, 0), 0, "under audit it is only counted");
	is_errno(unmap(0), 0, "unmapped");
	if (swarm_cmd("policy enforce\n"))
		bail("enforce");
	is_errno(swarm_cmd("grant %d 0x%llx+960K rw\n", A, GPU + PAGE), 0, "a rule for the others");
	is_errno(client_call(&a, run_map, 0, 0), 0, "and all may be mapped");
	client_stop(&a, SIGKILL);
	only_row(A, MIB, "whose process has ended");
	is_errno(put(0), 0, "it is the driver that has them");
	none_left("given back");

	client_start(&a);
	if (client_call(&a, run_join, A, 0) || system("echo 0 >" CAP_PARAM))
		bail("a cap");
	is_errno(client_call(&a, run_get, 0, MIB), EDQUOT, "who may have no attachment gets none");
	if (system("echo 65536 >" CAP_PARAM) || swarm_cmd("policy audit\nrevoke %d\n", A))
		bail("as it was");
	none_left("refused");
	client_stop(&a, 0);
	client_stop(&b, 0);
}

static void set_param(const char *name, __u64 value)
{
	char text[96];

	snprintf(text, sizeof(text), "echo %llu >/sys/module/nvidia/parameters/%s", value, name);
	if (system(text))
		bail("the parameter %s", name);
}

/* Until somebody is inside the driver, waiting for pages. */
static void wait_for_waiter(void)
{
	int tries;

	for (tries = 0; tries < SECONDS * 100; tries++) {
		if (!system("test $(cat /sys/module/nvidia/parameters/waiting) = 1"))
			return;
		usleep(10000);
	}
	bail("nobody waits for pages");
}

/* While others are on their way, a page table is where one was that was revoked. */
static void test_reuse(void)
{
	struct client slow, b;

	client_start(&slow);
	client_start(&b);
	if (client_call(&b, run_join, B, 0))
		bail("cgroups");
	set_param("reuse", 1);
	set_param("held", 32 * PAGE);
	client_post(&slow, run_get, 32 * PAGE, PAGE);
	wait_for_waiter();
	is_errno(get(4 * PAGE, PAGE), 0, "pages while others are on their way");
	only_row(0, PAGE, "meanwhile");
	is_errno(cuda_free(4 * PAGE), 0, "revoked");
	is_errno(put(4 * PAGE), 0, "given back");
	none_left("revoked meanwhile");
	is_errno(get(4 * PAGE, PAGE), 0, "pages, whose page table is where those' was");
	only_row(0, PAGE, "an address again");
	if (swarm_cmd("policy enforce\n"))
		bail("enforce");
	is_errno(client_call(&b, run_map, 4 * PAGE, 0), EACCES, "their mapping is judged");
	if (swarm_cmd("policy audit\n"))
		bail("audit");
	is_errno(put(4 * PAGE), 0, "given back");
	set_param("held", NVIDIA_NONE_HELD);
	is_errno(client_result(&slow), 0, "the others are there");
	only_row(0, PAGE, "the others");
	is_errno(client_call(&slow, run_put, 32 * PAGE, 0), 0, "given back");
	none_left("an address again");
	set_param("reuse", 0);
	client_stop(&slow, 0);
	client_stop(&b, 0);
}

/* Who gives revoked pages back too late does not end those that have their page table now. */
static void check_late_put(struct client *x, struct client *y, __u64 address, const char *what)
{
	is_errno(client_call(x, run_get_as, 4 * PAGE, 1), 0, "%s: pages", what);
	is_errno(cuda_free(4 * PAGE), 0, "%s: revoked", what);
	none_left(what);
	is_errno(client_call(y, run_get_as, address, 2), 0, "%s: pages of another", what);
	is_errno(client_call(x, run_put_late, 4 * PAGE, 1), 0, "%s: given back", what);
	check_attachment(only_row(0, PAGE, what), 0, "nvidia_peer", 0, what);
}

static void test_late_put(void)
{
	struct client x, y;

	client_start(&x);
	client_start(&y);
	set_param("reuse", 1);
	check_late_put(&x, &y, 6 * PAGE, "late");
	is_errno(client_call(&y, run_put_as, 6 * PAGE, 2), 0, "late: the others too");
	none_left("late");
	check_late_put(&x, &y, 4 * PAGE, "late, at the same address");
	client_stop(&y, SIGKILL);
	is_errno(client_call(&x, run_put_as, 4 * PAGE, 2), 0, "whose process has ended");
	none_left("late, at the same address");
	set_param("reuse", 0);
	client_stop(&x, 0);
}

/* Who maps pages is judged, whoever has mapped them before. */
static void test_mapped_by_others(void)
{
	struct client a, b;
	__u64 id;

	client_start(&a);
	client_start(&b);
	if (client_call(&a, run_join, A, 0) || client_call(&b, run_join, B, 0) ||
	    swarm_cmd("policy enforce\n"))
		bail("cgroups");
	is_errno(client_call(&a, run_get, 0, PAGE), 0, "pages of agent %d", A);
	id = only_row(A, PAGE, "of an agent");
	is_errno(client_call(&b, run_map, 0, 0), EACCES, "that another may not map");
	check_attachment(id, A, "nvidia_peer", 0, "refused before");
	is_errno(client_call(&a, run_map, 0, 0), 0, "it maps them itself");
	is_errno(client_call(&b, run_map, 0, 0), EACCES, "they are mapped, and another may not");
	check_attachment(id, A, NULL, 1, "refused meanwhile");
	is_errno(unmap(0), 0, "unmapped");
	is_errno(client_call(&b, run_map, 0, 0), EACCES, "for the same device another may not");
	check_attachment(id, A, NULL, 0, "refused after that");
	if (swarm_cmd("grant %d buf=%llu rw\n", B, id))
		bail("grant");
	is_errno(swarm_cmd("lock %llu %d exclusive nowait\n", id, A), 0, "it locks them");
	is_errno(client_call(&b, run_map, 0, 0), EBUSY, "with a rule another may not either");
	check_attachment(id, A, NULL, 0, "locked");
	is_errno(swarm_cmd("unlock %llu %d\n", id, A), 0, "it does not any more");
	is_errno(client_call(&b, run_map, 0, 0), 0, "and another may");
	check_attachment(id, B, NULL, 1, "allowed");
	is_errno(swarm_cmd("lock %llu %d exclusive nowait\n", id, A), EAGAIN,
		 "which holds them");
	is_errno(unmap(0), 0, "unmapped");
	if (swarm_cmd("policy audit\n"))
		bail("audit");
	is_errno(client_call(&a, run_put, 0, 0), 0, "given back");
	none_left("mapped by others");
	client_stop(&a, 0);
	client_stop(&b, 0);
}

/* Memory that is short for a moment loses no pages. */
static void test_no_memory(void)
{
	int missed = 0, err = 0, i;
	long long lost;
	struct client c;
	char text[96];

	client_start(&c);
	snprintf(text, sizeof(text), "insmod /tests/modules/failslab.ko pid=%d every=5", c.pid);
	if (system(text)) {
		skip("no allocation can be let fail here");
		goto out;
	}
	lost = swarm_stat("buffers_lost");
	for (i = 0; i < GETS && !err; i++) {
		err = client_call(&c, run_get, 4 * PAGE, PAGE);
		missed += rows_of_kind() != 1 || attachments() != 1;
		err = err ?: client_call(&c, run_put, 4 * PAGE, 0);
	}
	is_errno(err, 0, "%d times pages, where memory is short", GETS);
	is(missed, 0, "each time there is a row");
	is(swarm_stat("buffers_lost"), lost, "none is lost");
	none_left("given back");
	if (system("rmmod failslab"))
		bail("rmmod");
out:
	client_stop(&c, 0);
}

static void test_export(void)
{
	struct nvidia_peer_ask a = { .length = 2 * MIB };
	struct swarm_table t;
	long row;
	int fd;

	fd = ioctl(peer, NVIDIA_PEER_EXPORT, &a);
	ok(fd >= 0, "a dma-buf");
	only_row(0, 2 * MIB, "a dma-buf");
	swarm_load(&t, "allocations");
	row = swarm_find(&t, 0, "KIND", "nvidia");
	is_str(row < 0 ? "" : swarm_cell(&t, row, "EXPORTER"), "nvidia", "its exporter");
	swarm_unload(&t);
	is(swarm_get("agents", "ID", 0, "USED"), 0, "it is charged to nobody");
	close(fd);
	none_left("closed");
}

static void test_race(void)
{
	int rounds = scaled(RACES), i, err = 0, got;
	pid_t revoker;

	fflush(stdout);
	revoker = fork();
	if (!revoker) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			cuda_free(8 * PAGE);
	}
	for (i = 0; i < rounds && !err; i++) {
		got = get(8 * PAGE, PAGE);
		err = got ?: put(8 * PAGE);
	}
	is(err, 0, "%d times pages are got while they are revoked", rounds);
	kill(revoker, SIGKILL);
	waitpid(revoker, NULL, 0);
	none_left("after the race");
	swarm_add_up("after the race");
}

static void test_driver_goes(void)
{
	long long buffers = swarm_stat("buffers_stale"), rows = swarm_stat("attachments_stale");

	is_errno(get(0, MIB), 0, "pages");
	is_errno(map(0), 0, "mapped");
	drivers_go();
	none_left("who had them has left without a word");
	is(swarm_stat("buffers_stale"), buffers + 1, "which is counted: its buffer");
	is(swarm_stat("attachments_stale"), rows + 1, "and its attachment");
	is(hooks("none nvidia.ko is not loaded"), NR_HOOKS, "no hook is placed, and tells");
	drivers_come();
	is(hooks("none"), 0, "the driver comes again: all are");
	test_pages(false);
}

static void test_module_goes(void)
{
	int module;

	is_errno(get(0, MIB), 0, "pages");
	is_errno(map(0), 0, "mapped");
	is_errno(ask(NVIDIA_PEER_GET, 16 * PAGE * 16, PAGE, false, false), 0, "and others");
	is_errno(syscall(SYS_delete_module, "gpu_dma_lock", 0) ? errno : 0, 0, "the module goes");
	is_errno(cuda_free(16 * PAGE * 16), 0, "they are revoked");
	module = open("/gpu_dma_lock.ko", O_RDONLY | O_CLOEXEC);
	is_errno(syscall(SYS_finit_module, module, "", 0) ? errno : 0, 0, "it comes");
	close(module);
	is(hooks("none"), 0, "with hooks in the driver that is there");
	none_left("what is older is not seen");
	is_errno(unmap(0), 0, "unmapped");
	is_errno(put(0), 0, "given back");
	is_errno(put(16 * PAGE * 16), 0, "likewise");
	none_left("given back");
	test_pages(false);
}

static bool is_coming(const void *arg)
{
	char state[16] = "";
	FILE *f = fopen("/sys/module/nvidia/initstate", "re");

	(void)arg;
	if (f && !fgets(state, sizeof(state), f))
		state[0] = '\0';
	if (f)
		fclose(f);
	return !strcmp(state, "coming\n");
}

/* A driver that is being initialised is neither there yet nor about to come. */
static void test_module_comes_between(void)
{
	int module = open("/gpu_dma_lock.ko", O_RDONLY | O_CLOEXEC), status = 0;
	pid_t pid;

	drivers_go();
	is_errno(syscall(SYS_delete_module, "gpu_dma_lock", 0) ? errno : 0, 0,
		 "the module goes before a driver comes");
	pid = fork();
	if (!pid)
		_exit(!!system("insmod /tests/modules/nvidia.ko init_ms=3000"));
	ok(swarm_wait(is_coming, NULL, 60), "a driver begins to look for its GPUs");
	is_errno(syscall(SYS_finit_module, module, "", 0) ? errno : 0, 0,
		 "the module comes meanwhile");
	close(module);
	waitpid(pid, &status, 0);
	is(status, 0, "the driver has found its GPUs");
	is(hooks("none"), 0, "the driver is hooked though it was first");
	if (system("insmod /tests/modules/nvidia_peer.ko"))
		bail("inserting the peer");
}

int main(void)
{
	is(hooks("none nvidia.ko is not loaded"), NR_HOOKS, "without it there are no hooks");
	drivers_come();
	is(hooks("none"), 0, "with it, all are placed");
	if (cgroup_make("nvidia-a") || cgroup_make("nvidia-b"))
		bail("cgroups");
	if (swarm_cmd("create_agent %d\ncreate_agent %d\nbind %d cgroup:/nvidia-a\n"
		      "bind %d cgroup:/nvidia-b\n", A, B, A, B))
		bail("agents");
	test_pages(false);
	test_pages(true);
	test_failures();
	test_revocation(false);
	test_revocation(true);
	test_agents();
	test_reuse();
	test_late_put();
	test_mapped_by_others();
	test_no_memory();
	test_export();
	test_race();
	test_driver_goes();
	test_module_goes();
	test_module_comes_between();
	drivers_go();
	cgroup_remove("nvidia-a");
	cgroup_remove("nvidia-b");
	return tap_done();
}
