// SPDX-License-Identifier: GPL-2.0-only
/*
 * What permissions cost: instructions per check with 1 rule, and with 65,536 rules
 * of each of 16 agents; the time to load these, and the memory they take. Counted
 * under -icount, where 1 ns of the guest's time is one instruction.
 *
 * The limits are the design's budgets, and a tenth: what the kernel's own functions
 * take differs among kernels.
 *
 * vm: --load --gpu bochs --icount --append slab_nomerge --mem 1024 --timeout 600
 */
#define _GNU_SOURCE
#include "bench.h"

#define AGENTS		scaled(16)
#define RULES		65536
#define STRIDE		0x2000ULL	/* a page granted, a page not: no rules join */
#define TEST_MODULE	PERM_TEST_DIR "perm_check.ko"

#define LATITUDE	1.1

static void within(double n, double budget, const char *what)
{
	note("%s: %.0f instructions, budget %g", what, n, budget);
	ok(n <= budget * LATITUDE, "%s: at most %g", what, budget * LATITUDE);
}

int main(void)
{
	__u64 begin, took = 0;
	double bytes;
	int fd, agent;

	if (on_debug_kernel())
		skip_all("this kernel's checks count as the module's instructions");
	if (perm_insert(TEST_MODULE))
		bail("inserting the test module");
	fd = perm_debugfs("perm_check/cost");
	swarm_write("dma_permissions", "1:0x1000+0x1000:rw\n");
	within(bench_check(fd, 1, 0x1000, 1, STRIDE, true), BUDGET_CHECK, "1 rule, granted");
	within(bench_check(fd, 1, 0x3000, 1, STRIDE, false), BUDGET_CHECK, "1 rule, denied");

	bytes = bench_kmalloc();
	for (agent = 1; agent <= AGENTS; agent++) {
		begin = bench_now();
		bench_grant(agent, 0x1000, RULES, STRIDE);
		took += bench_now() - begin;
	}
	bytes = bench_kmalloc() - bytes;
	note("%d rules are loaded in %llu ms, %llu instructions each", AGENTS * RULES,
	     took / 1000000, took / (AGENTS * RULES));
	note("%.1f bytes a rule", bytes / (AGENTS * RULES));
	/* With one agent, what slabs have in reserve counts too. */
	ok(bytes / (AGENTS * RULES) <= (AGENTS > 1 ? 32 : 40),
	   "they take at most %d bytes each", AGENTS > 1 ? 32 : 40);
	within(bench_check(fd, 1, 0x1000, RULES, STRIDE, true), BUDGET_CHECK_MANY,
	       "65,536 rules, granted");
	within(bench_check(fd, AGENTS / 2 + 1, 0x1000, RULES, STRIDE, true), BUDGET_CHECK_MANY,
	       "another agent, granted");
	within(bench_check(fd, AGENTS / 2 + 1, 0x2000, RULES, STRIDE, false), BUDGET_CHECK_MANY,
	       "65,536 rules, denied");
	close(fd);
	for (agent = 1; agent <= AGENTS; agent++)
		if (swarm_cmd("remove_agent %d", agent))
			bail("removing agent %d", agent);
	is_errno(perm_delete("perm_check"), 0, "the test module is removed");
	return tap_done();
}
