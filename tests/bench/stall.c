// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: stall [BUFFERS]
 *
 * How long one process keeps another waiting while it reads `allocations`, with so many
 * rows. A creator of real-time priority wakes up every ms to allocate a buffer; its
 * stall is the time from when it was to wake up until the buffer was allocated, on
 * the only CPU that it has to take from a process that spins, or reads.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "bench.h"

#define BUFFERS		1000000
#define PERIOD_NS	1000000
#define STALLS		1000

/* Shared: what the creator has seen */
static struct seen {
	long count;
	double stall[STALLS];
} *seen;

static void sleep_until(__u64 ns)
{
	struct timespec when = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL);
}

static void create_periodically(void)
{
	struct sched_param priority = { .sched_priority = 1 };
	int fd = swarm_open("control", O_WRONLY);
	__u64 at = bench_now();
	char line[BENCH_LINE];
	int len;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (fd < 0 || sched_setscheduler(0, SCHED_FIFO, &priority))
		_exit(1);
	len = snprintf(line, sizeof(line), "allocate %d 4096 %llu\n", BENCH_AGENT, bench_device);
	while (seen->count < STALLS) {
		at += PERIOD_NS;
		sleep_until(at);
		if (write(fd, line, len) != len)
			_exit(2);
		seen->stall[seen->count] = bench_now() - at;
		__atomic_store_n(&seen->count, seen->count + 1, __ATOMIC_RELEASE);
	}
	_exit(0);
}

static bool creating(void)
{
	return __atomic_load_n(&seen->count, __ATOMIC_ACQUIRE) < STALLS;
}

/* Reads a table once, or while there is a creator; returns how long the longest read took. */
static double longest_read(bool beside)
{
	static char text[1 << 16];
	__u64 begin, took, longest = 0;
	ssize_t n;
	int fd;

	do {
		fd = swarm_open("allocations", O_RDONLY);
		do {
			begin = bench_now();
			n = read(fd, text, sizeof(text));
			took = bench_now() - begin;
			if (took > longest)
				longest = took;
		} while (n > 0 && (!beside || creating()));
		close(fd);
		if (n < 0)
			bail("reading allocations");
	} while (beside && creating());
	return longest;
}

static void row(const char *what, long size, double value)
{
	bench_row(what, size, value, "instructions", BUDGET_NONE);
}

static void stalls(const char *what, long size, bool reading)
{
	char text[128];
	double longest = 0;
	int status;
	pid_t pid;

	seen->count = 0;
	pid = fork();
	if (!pid)
		create_periodically();
	if (reading)
		longest = longest_read(true);
	else
		while (creating())
			;
	waitpid(pid, &status, 0);
	if (status)
		bail("the creator failed");
	snprintf(text, sizeof(text), "stall of a creator, median, %s", what);
	row(text, size, bench_median(seen->stall, STALLS));
	snprintf(text, sizeof(text), "stall of a creator, longest, %s", what);
	row(text, size, seen->stall[STALLS - 1]);
	if (reading)
		row("allocations: longest read(), beside a creator", size, longest);
}

int main(int argc, char **argv)
{
	long size = argc > 1 ? atol(argv[1]) : BUFFERS;

	bench_insert("");
	bench_find_device();
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(seen, 0, sizeof(*seen));
	if (swarm_cmd("create_agent %d\n", BENCH_AGENT))
		bail("creating an agent");
	bench_fill(size, 1);
	row("allocations: longest read(), alone", size, longest_read(false));
	stalls("beside a process that spins", size, false);
	stalls("while allocations is read", size, true);
	return 0;
}
