// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: rules [AGENTS]
 *
 * What a permission check costs, called in the kernel by tests/modules/perm_check.c
 * and as a command, with 1, 1,000 ... 65,536 rules of one agent, then with as many of
 * each of AGENTS agents; what rules cost to load and to read, and their memory.
 */
#define _GNU_SOURCE
#include "bench.h"

#define AGENTS		16
#define RULES		65536
#define STRIDE		0x2000ULL	/* a page granted, a page not: no rules join */
#define START		0x1000ULL
#define COUNT		2000

static const long sizes[] = { 1, 1000, 10000, RULES };

static int cost_fd;

static void measure(int agent, long rules, long all)
{
	double budget = all > 1 ? BUDGET_CHECK_MANY : BUDGET_CHECK;
	long i;

	bench_row("check in the kernel: granted", all,
		  bench_check(cost_fd, agent, START, rules, STRIDE, true), "instructions", budget);
	bench_row("check in the kernel: denied", all,
		  bench_check(cost_fd, agent, START + 0x1000, rules, STRIDE, false), "instructions",
		  budget);
	for (i = 0; i < COUNT; i++)
		snprintf(bench_lines[i], BENCH_LINE, "check %d %#llx rw\n", agent,
			 START + i * 25867 % rules * STRIDE);
	bench_row("control: check of an address", all, bench_commands(COUNT), "instructions",
		  BUDGET_NONE);
}

/* Of one agent */
static void by_size(void)
{
	long held = 0, size, rows;
	size_t i;
	__u64 begin;
	double cost;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		size = sizes[i];
		begin = bench_now();
		bench_grant(BENCH_AGENT, START + held * STRIDE, size - held, STRIDE);
		cost = (double)(bench_now() - begin) / (size - held);
		held = size;
		measure(BENCH_AGENT, size, size);
		/* The first rule makes its agent's table too. */
		if (size == 1)
			continue;
		bench_row("dma_permissions: writing a row", size, cost, "instructions",
			  BUDGET_NONE);
		cost = bench_read(SWARM_DIR "dma_permissions", &rows);
		bench_row("dma_permissions: a row", size, cost / rows, "instructions",
			  BUDGET_NONE);
	}
}

int main(int argc, char **argv)
{
	int agents = argc > 1 ? atoi(argv[1]) : AGENTS, agent;
	double bytes;

	if (perm_insert(BENCH_MODULE))
		bail("inserting " BENCH_MODULE);
	bench_insert("");
	if (perm_insert(PERM_TEST_DIR "perm_check.ko"))
		bail("inserting perm_check.ko");
	cost_fd = perm_debugfs("perm_check/cost");
	bench_lines = calloc(COUNT, sizeof(*bench_lines));
	bytes = bench_kmalloc();
	by_size();
	for (agent = BENCH_AGENT + 1; agent < BENCH_AGENT + agents; agent++)
		bench_grant(agent, START, RULES, STRIDE);
	bytes = bench_kmalloc() - bytes;
	bench_row("memory of a rule", (long)agents * RULES, bytes / agents / RULES, "bytes",
		  BUDGET_NONE);
	if (agents > 1)
		measure(BENCH_AGENT + agents / 2, RULES, (long)agents * RULES);
	close(cost_fd);
	bench_remove("perm_check");
	bench_remove("gpu_dma_lock");
	bench_remove("bench");
	return 0;
}
