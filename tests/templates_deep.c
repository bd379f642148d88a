// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tenant that nests its cgroups does not make others wait: to look through all cgroups
 * for those of a new template takes about as many instructions where they are deep as
 * where they lie side by side.
 *
 * vm: -k 6.1 -k 6.12 --gpu none --icount --append slab_nomerge --mem 512 --timeout 300
 */
#define _GNU_SOURCE
#include "bench.h"
#include "cgroup.h"

#define CGROUPS		600
#define TURNS		3
#define MOST		12

static __u64 cpu_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* Of a template that no cgroup matches. */
static double look_at_all(void)
{
	double costs[TURNS];
	__u64 begin;
	int i;

	bench_insert("");
	for (i = 0; i < TURNS; i++) {
		begin = cpu_now();
		if (swarm_cmd("template /none/* 1G\n"))
			bail("a template");
		costs[i] = cpu_now() - begin;
		if (swarm_cmd("remove_template /none/*\n"))
			bail("removing it");
	}
	bench_remove("gpu_dma_lock");
	return bench_median(costs, TURNS);
}

static void enter(void)
{
	if (chdir(CGROUP_ROOT))
		bail("chdir " CGROUP_ROOT);
}

static double side_by_side(void)
{
	char name[16];
	double cost;
	int i;

	enter();
	for (i = 0; i < CGROUPS; i++) {
		snprintf(name, sizeof(name), "%d", i);
		if (mkdir(name, 0755))
			bail("a cgroup");
	}
	cost = look_at_all();
	for (i = 0; i < CGROUPS; i++) {
		snprintf(name, sizeof(name), "%d", i);
		rmdir(name);
	}
	return cost;
}

static double nested(void)
{
	double cost;
	int i;

	enter();
	for (i = 0; i < CGROUPS; i++)
		if (mkdir("n", 0755) || chdir("n"))
			bail("a cgroup in another");
	cost = look_at_all();
	for (i = 0; i < CGROUPS; i++)
		if (chdir("..") || rmdir("n"))
			bail("removing it");
	return cost;
}

int main(void)
{
	double flat, deep;

	if (on_debug_kernel())
		skip_all("this kernel's checks count as the module's instructions");
	flat = side_by_side();
	deep = nested();
	note("a template, with %d cgroups side by side: %.0f, nested: %.0f", CGROUPS, flat, deep);
	ok(deep < flat * MOST, "nested they take at most %d times as much", MOST);
	if (chdir("/"))
		bail("chdir");
	return tap_done();
}
