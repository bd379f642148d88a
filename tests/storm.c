// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything at once on four CPUs: clients make, export and import real buffers; agents
 * come, are charged and go; the policy flips; every file is read in pieces of 1 byte, 7
 * bytes and 64 KiB, with seeks; CPUs go and come back; and all of them but those of the
 * CPUs are killed now and then. Afterwards nothing is left and the totals add up.
 *
 * vm: --load --smp 4 --mem 1024 --timeout 300
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "gem.h"
#include "life.h"
#include "lock.h"

#define SECONDS		(5 + scaled(85))
#define BUFFERS		16	/* of a client at a time */
#define AGENTS		8
#define PIECE_MAX	65536
#define READS_MAX	300	/* of one open file */
#define POLICY_US	20000
#define CPU_US		100000
#define KILL_US		50000
#define WAIT_SECONDS	60

typedef void (*worker_fn)(int number, __u64 *state);

static const char * const files[] = { "stats", "devices", "agents", "quotas", "allocations",
	"attachments", "locks", "contexts", "dma_permissions", "control" };
static __u64 device;

#define NR_FILES	(sizeof(files) / sizeof(*files))

struct held {
	__u32 handle, imported;
	int fd;
};

static void drop(const int *cards, struct held *h, int exporter)
{
	if (h->imported)
		gem_destroy(cards[!exporter], h->imported);
	if (h->fd > 0)
		close(h->fd);
	if (h->handle)
		gem_destroy(cards[exporter], h->handle);
	memset(h, 0, sizeof(*h));
}

/* On 5.10 no card here has a DMA mask: the kernel warns where an import is mapped. */
static bool cards_import(void)
{
	struct utsname name;

	return !uname(&name) && strncmp(name.release, "5.", 2);
}

/* One card exports, the other imports. */
static void make_buffers(int number, __u64 *state)
{
	struct held held[BUFFERS] = { };
	int cards[2] = { gem_open("vgem"), gem_open("virtio_gpu") };
	int exporter = number % 2;
	bool imports = cards_import();
	struct held *h;

	for (;;) {
		h = &held[lock_random(state, BUFFERS)];
		drop(cards, h, exporter);
		if (gem_create(cards[exporter], 4096 << lock_random(state, 4), &h->handle))
			continue;
		if (lock_random(state, 4) &&
		    !gem_export(cards[exporter], h->handle, &h->fd) && imports)
			gem_import(cards[!exporter], h->fd, &h->imported);
	}
}

static void change_agents(int number, __u64 *state)
{
	int agent = 1 + lock_random(state, AGENTS), i;

	(void)number;
	for (;;) {
		swarm_cmd("create_agent %d 64K", agent);
		swarm_cmd("bind %d pid:%d", agent, getppid() + 1 + lock_random(state, 40));
		for (i = 0; i < 10; i++)
			swarm_cmd("allocate %d 4096 %llu", agent, device);
		if (lock_random(state, 2))
			swarm_cmd("remove_agent %d", agent);
		agent = 1 + lock_random(state, AGENTS);
	}
}

static void flip_policy(int number, __u64 *state)
{
	static const char * const policies[] = { "off", "audit", "enforce" };

	(void)number;
	for (;;) {
		swarm_cmd("policy %s", policies[lock_random(state, 3)]);
		usleep(POLICY_US);
	}
}

static void read_pieces(const char *file, size_t piece, __u64 *state)
{
	int fd = swarm_open(file, O_RDONLY), i;
	static char text[PIECE_MAX];

	for (i = 0; i < READS_MAX; i++) {
		if (read(fd, text, piece) <= 0)
			break;
		if (!lock_random(state, 50))
			lseek(fd, lock_random(state, 4096), SEEK_SET);
		if (!lock_random(state, 50) && pread(fd, text, piece, lock_random(state, 4096)) < 0)
			break;
	}
	close(fd);
}

static void read_files(int number, __u64 *state)
{
	static const size_t pieces[] = { 1, 7, PIECE_MAX };

	for (;;)
		read_pieces(files[lock_random(state, NR_FILES)], pieces[number % 3], state);
}

/* Returns whether the CPU could be switched. */
static bool switch_cpu(int cpu, bool online)
{
	char path[64];
	int fd;
	bool done;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	done = fd >= 0 && write(fd, online ? "1" : "0", 1) == 1;
	close(fd);
	return done;
}

static void switch_cpus(int number, __u64 *state)
{
	int cpu;

	(void)number;
	for (;;) {
		cpu = 1 + lock_random(state, 3);
		switch_cpu(cpu, false);
		usleep(CPU_US);
		switch_cpu(cpu, true);
	}
}

static const worker_fn workers[] = {
	make_buffers, make_buffers, make_buffers, make_buffers, change_agents, change_agents,
	flip_policy, read_files, read_files, read_files, switch_cpus,
};

#define NR_WORKERS	((int)(sizeof(workers) / sizeof(*workers)))

static pid_t start(int number, __u64 seed)
{
	pid_t pid = fork();

	if (pid < 0)
		bail("fork");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	workers[number](number, &seed);
	_exit(1);
}

static void stop(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid)
		bail("waitpid");
}

/* Returns how many were killed. */
static int rage(__u64 *state)
{
	time_t end = time(NULL) + SECONDS, last = end + WAIT_SECONDS;
	pid_t pids[NR_WORKERS];
	int i, killed = 0;

	for (i = 0; i < NR_WORKERS; i++)
		pids[i] = start(i, lock_random(state, ~0U) | 1);
	while (time(NULL) < end ||
	       ((!killed || !swarm_stat("buffers_created")) && time(NULL) < last)) {
		usleep(KILL_US);
		i = lock_random(state, NR_WORKERS);
		if (workers[i] == switch_cpus)
			continue;
		stop(pids[i]);
		pids[i] = start(i, lock_random(state, ~0U) | 1);
		killed++;
	}
	for (i = 0; i < NR_WORKERS; i++)
		stop(pids[i]);
	return killed;
}

static bool no_row(const void *file)
{
	return !life_rows(file);
}

static bool none_charged(const void *unused)
{
	(void)unused;
	return !swarm_stat("charged_bytes");
}

int main(void)
{
	__u64 state = lock_seed();
	int i, killed, hotplug, card = gem_open("virtio_gpu");

	device = swarm_device("virtio_gpu");
	if (card < 0 || device == SWARM_NONE)
		bail("no virtio_gpu");
	close(card);
	hotplug = switch_cpu(1, false) && switch_cpu(1, true);
	ok(hotplug, "CPUs can go and come back");
	killed = rage(&state);
	for (i = 1; i < 4; i++)
		switch_cpu(i, true);
	note("%d processes killed, %lld buffers, %lld refused, %lld commands", killed,
	     swarm_stat("buffers_created"), swarm_stat("quota_denied"), swarm_stat("commands"));
	ok(killed > 0, "processes were killed");
	ok(swarm_stat("buffers_created") > 0, "real buffers were made");
	swarm_add_up("after the storm");
	is_errno(swarm_cmd("policy audit"), 0, "the policy is audit");
	for (i = 1; i <= AGENTS; i++)
		swarm_cmd("remove_agent %d", i);
	ok(swarm_wait(no_row, "allocations", WAIT_SECONDS), "no buffer is left");
	ok(swarm_wait(no_row, "attachments", WAIT_SECONDS), "no attachment is left");
	ok(swarm_wait(no_row, "contexts", WAIT_SECONDS), "no context is left");
	ok(swarm_wait(none_charged, NULL, WAIT_SECONDS), "nothing is charged");
	is(swarm_stat("buffers_lost") + swarm_stat("attachments_lost"), 0, "nothing was lost");
	return tap_done();
}
