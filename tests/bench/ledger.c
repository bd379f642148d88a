// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: ledger [MOST]
 *
 * What commands and files cost with 1, 1,000, 10,000 ... MOST ledger buffers, and with
 * 1, 100, 10,000 agents; the memory they take.
 */
#define _GNU_SOURCE
#include "bench.h"

#define MOST		1000000
#define COUNT		2000

#define CONTROL		"control: "

static const long sizes[] = { 1, 1000, 10000, 100000, 1000000 };

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

static double read_row(const char *file, long size)
{
	char path[64], what[64];
	long rows;
	double cost;

	snprintf(path, sizeof(path), SWARM_DIR "%s", file);
	bench_read(path, &rows);
	cost = bench_read(path, &rows);
	snprintf(what, sizeof(what), "%s: a row", file);
	row(what, size, cost / (rows - 1), strcmp(file, "allocations") ? BUDGET_NONE : BUDGET_ROW);
	return cost / (rows - 1);
}

static void measure(long size, struct bench_costs *cost, double *reading)
{
	*cost = bench_ledger(COUNT);
	row(CONTROL "allocate", size, cost->allocate, BUDGET_COMMAND);
	row(CONTROL "free", size, cost->free, BUDGET_COMMAND);
	row(CONTROL "lock", size, cost->lock, BUDGET_NONE);
	row(CONTROL "unlock", size, cost->unlock, BUDGET_NONE);
	row(CONTROL "check of a buffer", size, cost->check, BUDGET_NONE);
	*reading = size > 1 ? read_row("allocations", size) : 0;
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

int main(int argc, char **argv)
{
	long most = argc > 1 ? atol(argv[1]) : MOST;

	if (perm_insert(BENCH_MODULE))
		bail("inserting " BENCH_MODULE);
	bench_insert("");
	bench_find_device();
	bench_lines = calloc(COUNT, sizeof(*bench_lines));
	if (swarm_cmd("create_agent %d\n", BENCH_AGENT))
		bail("creating an agent");
	strcpy(bench_lines[0], "\n");
	by_size(most);
	bench_remove("gpu_dma_lock");
	bench_remove("bench");
	return 0;
}
