// SPDX-License-Identifier: GPL-2.0-only
/*
 * 100,000 waiters of 100 tenants, each a thread with an open file of /dev/gpu_dma_lock: what
 * another locks takes as many instructions as before, so does its buffer's life, and a row
 * of `locks`. All are gone when the tenants are killed.
 *
 * vm: -k 6.1 --gpu virtio --icount --append slab_nomerge --mem 5120 --timeout 600
 */
#define _GNU_SOURCE
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "bench.h"
#include "lock.h"

#define WAITERS_MAX	100000
#define WAITERS_MIN	2000
#define A_TENANT	1000	/* waiters; it may have 1,024 */
#define TENANTS		(WAITERS_MAX / A_TENANT)
#define FEW		200
#define VICTIM		1
#define FIRST		2	/* tenant */
#define NOBODY		65534
#define TRIES		200
#define LIVES		50
#define MOST		1.5	/* of what it costs beside few */
#define SPARE		(2 * TENANTS)

static struct {
	pid_t pid;
	int commands;
	long sent;
	__u64 buffer;
} tenants[TENANTS];
static __u64 own;
static int control;

static void set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		bail("writing %s", path);
	close(fd);
}

static void *wait_for_lock(void *id)
{
	device_lock(device_open(), *(__u64 *)id, true, GPU_DMA_LOCK_FOREVER);
	return NULL;
}

/* A tenant: so many threads more as it is told. */
static void tenant(int commands, __u64 *id)
{
	int held = device_open();
	long more;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
		bail("being nobody");
	if (device_lock(held, *id, true, 0))
		bail("locking");
	while (read(commands, &more, sizeof(more)) == sizeof(more))
		for (; more; more--)
			lock_start(wait_for_lock, id);
	pause();
}

static void victim_locks(long unused)
{
	(void)unused;
	if (lock_run(control, "lock %llu %d exclusive nowait", own, VICTIM) ||
	    lock_run(control, "unlock %llu %d", own, VICTIM))
		bail("the victim's lock");
}

struct costs {
	double lock, life, row;
};

static struct costs measure(void)
{
	struct costs c;
	long rows;

	bench_op(victim_locks, TRIES);
	c.lock = bench_op(victim_locks, TRIES);
	c.life = bench_life(LIVES);
	bench_read(SWARM_DIR "locks", &rows);
	c.row = bench_read(SWARM_DIR "locks", &rows) / rows;
	return c;
}

static void within(double now, double then, const char *what)
{
	note("%s: %.0f instructions, before %.0f", what, now, then);
	ok(now <= then * MOST, "%s: at most %g times that", what, MOST);
}

/* Do so many wait? */
static bool all_wait(const void *n)
{
	struct swarm_table t;
	long row, waiting = 0;

	swarm_load(&t, "agents");
	for (row = 0; row < t.rows; row++)
		waiting += swarm_u64(&t, row, "WAITING");
	swarm_unload(&t);
	return waiting == *(const long *)n;
}

/* One tenant after the other gets its thousand, until there are @n. */
static void send(long n)
{
	long want, more;
	int i;

	for (i = 0; i < TENANTS; i++) {
		want = n - i * A_TENANT > A_TENANT ? A_TENANT : n - i * A_TENANT;
		more = want - tenants[i].sent;
		if (want <= 0 || !more)
			continue;
		if (write(tenants[i].commands, &more, sizeof(more)) != sizeof(more))
			bail("telling a tenant");
		tenants[i].sent = want;
	}
	ok(swarm_wait(all_wait, &n, 400), "%ld waiters", n);
}

static void set_limits(long waiters)
{
	struct rlimit files = { waiters + SPARE, waiters + SPARE };
	struct rlimit tasks = { RLIM_INFINITY, RLIM_INFINITY };

	set("/proc/sys/kernel/threads-max", "200000");
	set("/proc/sys/kernel/pid_max", "400000");
	set("/proc/sys/vm/max_map_count", "1000000");
	if (setrlimit(RLIMIT_NOFILE, &files) || setrlimit(RLIMIT_NPROC, &tasks))
		bail("limits");
}

static void start_tenant(int i)
{
	int wire[2];
	pid_t pid;

	if (swarm_allocate(FIRST + i, 4096, bench_device, &tenants[i].buffer) || pipe(wire))
		bail("tenant %d", i);
	pid = fork();
	if (!pid) {
		close(wire[1]);
		if (swarm_cmd("bind %d pid:%d", FIRST + i, getpid()))
			bail("binding a tenant");
		tenant(wire[0], &tenants[i].buffer);
	}
	close(wire[0]);
	tenants[i].pid = pid;
	tenants[i].commands = wire[1];
}

int main(void)
{
	long waiters = scaled(WAITERS_MAX);
	struct costs few, many;
	int i;

	if (on_debug_kernel())
		skip_all("this kernel's checks count as the module's instructions");
	waiters = waiters < WAITERS_MIN ? WAITERS_MIN : waiters;
	bench_source = SOURCE_VGEM;
	if (!source_open(bench_source))
		skip_all("no vgem");
	bench_insert("");
	set_limits(waiters);
	lock_make_agents(FIRST + TENANTS);
	control = swarm_open("control", O_WRONLY);
	bench_find_device();
	if (swarm_allocate(VICTIM, 4096, bench_device, &own))
		bail("allocating");
	for (i = 0; i < TENANTS; i++)
		start_tenant(i);
	send(FEW);
	few = measure();
	send(waiters);
	many = measure();
	within(many.lock, few.lock, "another's lock, and its end");
	within(many.life, few.life, "the life of another's buffer");
	within(many.row, few.row, "a row of locks");
	for (i = 0; i < TENANTS; i++)
		kill(tenants[i].pid, SIGKILL);
	while (wait(NULL) > 0)
		;
	lock_none_left("of the tenants");
	close(control);
	bench_remove("gpu_dma_lock");
	return tap_done();
}
