// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: parallel [CPUS]
 *
 * How often a second on all CPUs together: permission checks in the kernel, allocating
 * and freeing, and lives of real buffers on vgem, each process on a CPU of its own and
 * with an agent and a DRM file of its own. This is time, not instructions, so it
 * varies with the host's load, and more CPUs than the host has give nothing.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "bench.h"

#define CPUS_MAX	64
#define SECONDS		3
#define CHECKS		50000	/* of a turn */
#define CHECK_ADDR	0x1000000ULL

enum work { CHECK, LEDGER, LIFE, LIFE_WITHOUT, NR_WORKS };

static const char * const names[NR_WORKS] = {
	[CHECK]		= "parallel: checks in the kernel",
	[LEDGER]	= "parallel: allocate and free",
	[LIFE]		= "parallel: lives on vgem",
	[LIFE_WITHOUT]	= "parallel: lives on vgem without the module",
};

static int cpus;

/* Shared */
static struct {
	bool go, stop;
	int ready;
	struct {
		long done;
		char unshared[128 - sizeof(long)];
	} of[CPUS_MAX];
} *state;

static void allocate_and_free(int fd, int agent)
{
	char line[BENCH_LINE];
	ssize_t n;

	n = snprintf(line, sizeof(line), "allocate %d 4096 %llu\n", agent, bench_device);
	if (write(fd, line, n) != n)
		bail("allocating");
	n = read(fd, line, sizeof(line) - 1);
	if (n <= 0)
		bail("reading an id");
	line[n] = '\0';
	n = snprintf(line, sizeof(line), "free %llu\n", swarm_result(line));
	if (write(fd, line, n) != n)
		bail("freeing");
}

static void check(int fd, int agent)
{
	char line[BENCH_LINE];
	int len = snprintf(line, sizeof(line), "%d %llu 4096 %u %d", agent, CHECK_ADDR,
			   PERM_READ, CHECKS);

	if (write(fd, line, len) != len)
		bail("checking");
}

/* On one CPU, until it is to stop */
static void run(enum work work, int cpu)
{
	int agent = BENCH_AGENT + cpu, fd = -1;
	cpu_set_t set;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		bail("CPU %d", cpu);
	if (work == LEDGER)
		fd = swarm_open("control", O_RDWR);
	else if (work == CHECK)
		fd = open(PERM_DEBUGFS "perm_check/repeat", O_WRONLY | O_CLOEXEC);
	else if (!source_open(bench_source))
		bail("no vgem");
	__atomic_add_fetch(&state->ready, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&state->go, __ATOMIC_RELAXED))
		sched_yield();
	while (!__atomic_load_n(&state->stop, __ATOMIC_RELAXED)) {
		if (work == LEDGER)
			allocate_and_free(fd, agent);
		else if (work == CHECK)
			check(fd, agent);
		else
			bench_live(0);
		state->of[cpu].done += work == CHECK ? CHECKS : 1;
	}
	_exit(0);
}

static void measure(enum work work)
{
	__u64 begin, took;
	long done = 0;
	int cpu, status;

	memset(state, 0, sizeof(*state));
	for (cpu = 0; cpu < cpus; cpu++)
		if (!fork())
			run(work, cpu);
	while (__atomic_load_n(&state->ready, __ATOMIC_RELAXED) < cpus)
		usleep(1000);
	begin = bench_now();
	__atomic_store_n(&state->go, true, __ATOMIC_RELAXED);
	sleep(SECONDS);
	__atomic_store_n(&state->stop, true, __ATOMIC_RELAXED);
	took = bench_now() - begin;
	for (cpu = 0; cpu < cpus; cpu++) {
		wait(&status);
		if (status)
			bail("a process failed");
	}
	for (cpu = 0; cpu < cpus; cpu++)
		done += state->of[cpu].done;
	bench_row(names[work], cpus, done * 1e9 / took, "a second", BUDGET_NONE);
}

int main(int argc, char **argv)
{
	int cpu;

	cpus = argc > 1 ? atoi(argv[1]) : 1;
	if (cpus < 1 || cpus > CPUS_MAX)
		bail("%d CPUs", cpus);
	state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	bench_source = SOURCE_VGEM;
	measure(LIFE_WITHOUT);
	bench_insert("");
	if (perm_insert(PERM_TEST_DIR "perm_check.ko"))
		bail("inserting perm_check.ko");
	bench_find_device();
	for (cpu = 0; cpu < cpus; cpu++)
		bench_grant(BENCH_AGENT + cpu, CHECK_ADDR, 1, 0x1000);
	measure(LIFE);
	measure(LEDGER);
	measure(CHECK);
	return 0;
}
