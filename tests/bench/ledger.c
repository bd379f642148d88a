// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: ledger [MOST [AGENTS]]
 *
 * What commands, files and calls within the kernel cost: with 1, 1,000, 10,000 ... MOST
 * ledger buffers, then with 1, 100 ... AGENTS agents that hold 10,000 of them; the memory
 * of a buffer, of the ledger and of vgem. A command's cost is that of a write of one line,
 * less that of the same write to a file that does nothing with it.
 */
#define _GNU_SOURCE
#include "bench.h"

#define MOST		1000000
#define COUNT		2000
#define MOST_AGENTS	10000
#define OF_AGENTS	10000	/* buffers of all agents */
#define GEMS		20000

#define CONTROL		"control: "
#define CALLS_MODULE	PERM_TEST_DIR "calls.ko"
#define CALLS		6

static const long sizes[] = { 1, 1000, 10000, 100000, 1000000 };
static const int agents[] = { 1, 100, 10000 };

/* Bytes of whole pages for slabs, large kmalloc() and vmalloc(). */
static double all_memory(void)
{
	unsigned long long kb;
	double bytes = 0;
	char line[512];
	FILE *f = fopen("/proc/meminfo", "r");

	if (!f)
		bail("opening meminfo");
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Slab: %llu kB", &kb) == 1 ||
		    sscanf(line, "VmallocUsed: %llu kB", &kb) == 1)
			bytes += 1024.0 * kb;
	fclose(f);
	return bytes;
}

static void row(const char *what, long size, double value, double budget)
{
	bench_row(what, size, value, "instructions", budget);
}

static double read_row(const char *file, long size, double budget)
{
	char path[64], what[64];
	long rows;
	double cost;

	snprintf(path, sizeof(path), SWARM_DIR "%s", file);
	bench_read(path, &rows);
	cost = bench_read(path, &rows) / rows;
	snprintf(what, sizeof(what), "%s: a row", file);
	row(what, size, cost, budget);
	return cost;
}

static void measure(long size, struct bench_costs *cost, double *reading)
{
	*cost = bench_ledger(COUNT);
	row(CONTROL "allocate", size, cost->allocate, BUDGET_COMMAND);
	row(CONTROL "free", size, cost->free, BUDGET_COMMAND);
	row(CONTROL "lock", size, cost->lock, BUDGET_NONE);
	row(CONTROL "unlock", size, cost->unlock, BUDGET_NONE);
	row(CONTROL "check of a buffer", size, cost->check, BUDGET_NONE);
	*reading = size > 1 ? read_row("allocations", size, BUDGET_ROW) : 0;
}

/* See tests/modules/calls.c. */
static void calls(long size)
{
	char name[32], what[64];
	long long ns;
	FILE *f = fopen("/sys/kernel/debug/gpu_dma_lock_calls", "r");
	int nr = 0;

	if (!f)
		bail("opening gpu_dma_lock_calls");
	for (; fscanf(f, "%31s %lld", name, &ns) == 2; nr++) {
		snprintf(what, sizeof(what), "in the kernel: %s", name);
		row(what, size, ns, BUDGET_NONE);
	}
	fclose(f);
	if (nr != CALLS)
		bail("only %d of them succeeded", nr);
	sleep(BENCH_SETTLE_SECONDS);
}

static void growth(const char *what, long size, double now, double then)
{
	bench_row(what, size, now / then, "times 1,000", BUDGET_GROWTH);
}

static void by_size(long most)
{
	struct bench_costs first = { 0 }, cost;
	double reading, first_reading = 0;
	double slabs, all;
	long held = 0, size;
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes) && sizes[i] <= most; i++) {
		size = sizes[i];
		slabs = bench_slabs();
		all = all_memory();
		bench_fill(size - held, 1);
		slabs = bench_slabs() - slabs;
		all = all_memory() - all;
		if (size >= 10000) {
			bench_row("memory of a ledger buffer, objects", size,
				  slabs / (size - held), "bytes", BUDGET_BYTES);
			bench_row("memory of a ledger buffer, pages", size,
				  all / (size - held), "bytes", BUDGET_BYTES);
		}
		held = size;
		measure(size, &cost, &reading);
		calls(size);
		if (size == 1000) {
			first = cost;
			first_reading = reading;
		}
		if (size <= 1000)
			continue;
		growth(CONTROL "allocate, growth", size, cost.allocate, first.allocate);
		growth(CONTROL "free, growth", size, cost.free, first.free);
		growth(CONTROL "lock, growth", size, cost.lock, first.lock);
		growth(CONTROL "check of a buffer, growth", size, cost.check, first.check);
		growth("allocations: a row, growth", size, reading, first_reading);
	}
}

/* Other files: as a whole, and of locks and contexts a row, with so many */
static void files(void)
{
	static const char * const names[] = { "stats", "devices", "control" };
	__u64 id = bench_last_id(), *ids = calloc(COUNT, sizeof(*ids));
	char path[64], what[64];
	long rows;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), SWARM_DIR "%s", names[i]);
		bench_read(path, &rows);
		snprintf(what, sizeof(what), "%s: all of it", names[i]);
		row(what, rows, bench_read(path, &rows), BUDGET_NONE);
	}
	bench_fill(COUNT, 1);
	bench_find_ids(id + 1, ids, COUNT);
	for (i = 0; i < COUNT; i++)
		if (swarm_cmd("lock %llu %d shared\ncreate_context %d %llu\n", ids[i], BENCH_AGENT,
			      BENCH_AGENT, bench_device))
			bail("locks and contexts");
	read_row("locks", COUNT, BUDGET_NONE);
	read_row("contexts", COUNT, BUDGET_NONE);
	free(ids);
}

/* Of as many agents; those before, agent 1 at first, go with their buffers. */
static void by_agents(int most)
{
	int nr = 1, i, j;
	double cost;
	long rows;
	__u64 begin;

	for (i = 0; i < (int)(sizeof(agents) / sizeof(*agents)) && agents[i] <= most; i++) {
		for (j = 0; j < nr; j++)
			if (swarm_cmd("remove_agent %d\n", BENCH_AGENT + j))
				bail("removing agents");
		nr = agents[i];
		begin = bench_now();
		for (j = 0; j < nr; j++)
			if (swarm_cmd("create_agent %d\n", BENCH_AGENT + j))
				bail("creating agents");
		row("agents: creating one", nr, (double)(bench_now() - begin) / nr, BUDGET_NONE);
		bench_fill(OF_AGENTS, nr);
		bench_read(SWARM_DIR "agents", &rows);
		cost = bench_read(SWARM_DIR "agents", &rows);
		row("agents: totals of 10,000 buffers", nr, cost,
		    nr == 100 ? BUDGET_AGENTS : BUDGET_NONE);
		read_row("quotas", nr, BUDGET_NONE);
		cost = bench_ledger(COUNT).allocate;
		row("control: allocate, by agents", nr, cost, BUDGET_NONE);
	}
}

static void insert_calls(void)
{
	char params[64];

	snprintf(params, sizeof(params), "agent=%d device=%llu", BENCH_AGENT, bench_device);
	if (perm_insert_with(CALLS_MODULE, params))
		bail("inserting " CALLS_MODULE " %s", params);
}

static void shrink_slabs(void)
{
	int err = system("for f in /sys/kernel/slab/*/shrink; do echo 1 >$f; done");

	sleep(BENCH_SETTLE_SECONDS);
	if (err)
		bail("shrinking slabs");
}

/* Bytes that GEM objects of vgem take. */
static double gem_bytes(void)
{
	int card = gem_open(source_names[SOURCE_VGEM]), i;
	double bytes;
	__u32 handle;

	if (card < 0)
		bail("no vgem");
	shrink_slabs();
	bytes = all_memory();
	for (i = 0; i < GEMS; i++)
		if (gem_create(card, 4096, &handle))
			bail("creating GEM objects");
	bytes = all_memory() - bytes;
	close(card);
	return bytes;
}

/* What real buffers take more with the module than without, hash table included. */
static void real_memory(void)
{
	double bytes = gem_bytes();

	bench_remove("gpu_dma_lock");
	bytes -= gem_bytes();
	bench_insert("");
	bench_row("memory of a real buffer, pages", GEMS, bytes / GEMS, "bytes", BUDGET_BYTES);
}

int main(int argc, char **argv)
{
	if (perm_insert(BENCH_MODULE))
		bail("inserting " BENCH_MODULE);
	bench_insert("");
	bench_find_device();
	bench_lines = calloc(COUNT, sizeof(*bench_lines));
	real_memory();
	if (swarm_cmd("create_agent %d\n", BENCH_AGENT))
		bail("creating an agent");
	insert_calls();
	by_size(argc > 1 ? atol(argv[1]) : MOST);
	if (swarm_cmd("remove_agent %d\ncreate_agent %d\n", BENCH_AGENT, BENCH_AGENT))
		bail("removing the agent");
	/* The lines are those of the last measuring. */
	row("an empty write to a file of proc", 1, bench_floor(COUNT), BUDGET_NONE);
	files();
	by_agents(argc > 2 ? atoi(argv[2]) : MOST_AGENTS);
	bench_remove("calls");
	bench_remove("gpu_dma_lock");
	bench_remove("bench");
	return 0;
}
