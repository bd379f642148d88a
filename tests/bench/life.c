// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: life COUNT
 *
 * What the life of a real buffer costs: create, export, close, destroy, COUNT of
 * them a batch: without the module, with it under each policy, and with probes that
 * do nothing on the functions that the module was seen to probe on the way.
 */
#include "bench.h"

#define FUNCTIONS_MAX	32

static const char * const kinds[] = { "ftrace", "kprobe", "kretprobe" };

static char functions[FUNCTIONS_MAX][64];
static int nr_functions;
static long count;

/* Functions whose probes are hit by what goes on now, at least once in a life. */
static void note_functions(void)
{
	char *text, *line, *next, *end;
	long long hits;

	if (swarm_cmd("reset_stats\n"))
		bail("reset_stats");
	bench_op(bench_life, count);
	text = swarm_read("stats");
	nr_functions = 0;
	for (line = strtok_r(text, "\n", &next); line; line = strtok_r(NULL, "\n", &next)) {
		if (strncmp(line, "probe_", 6) || nr_functions == FUNCTIONS_MAX)
			continue;
		end = strstr(line, "_hits ");
		if (!end || sscanf(end, "_hits %lld", &hits) != 1 || hits < count)
			continue;
		snprintf(functions[nr_functions++], sizeof(*functions), "%.*s",
			 (int)(end - line - 6), line + 6);
	}
	free(text);
}

static void place(int fd, const char *kind, const char *function)
{
	char line[96];
	int len = snprintf(line, sizeof(line), "%s %s", kind, function);

	if (write(fd, line, len) != len)
		bail("placing a probe: %s", line);
}

/* The cost with empty probes of that kind on all of the functions. */
static long probed(const char *kind)
{
	int fd = open("/sys/kernel/debug/bench/probes", O_WRONLY | O_CLOEXEC), i;
	long cost;

	for (i = 0; i < nr_functions; i++)
		place(fd, kind, functions[i]);
	bench_op(bench_life, count);
	cost = bench_op(bench_life, count);
	place(fd, "none", "");
	close(fd);
	return cost;
}

static long with_module(const char *params)
{
	long cost;

	bench_insert(params);
	bench_op(bench_life, count);
	cost = bench_op(bench_life, count);
	if (strcmp(params, "observe=0"))
		note_functions();
	bench_remove("gpu_dma_lock");
	return cost;
}

static void life(const char *name)
{
	long base;
	size_t i;

	bench_op(bench_life, count);
	base = bench_op(bench_life, count);
	bench_row("life", name, "without the module", 1, base);
	bench_row("life", name, "observe=0", 1, with_module("observe=0"));
	bench_row("life", name, "policy enforce", 1, with_module("policy=enforce"));
	bench_row("life", name, "policy audit", 1, with_module("policy=audit"));
	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		bench_row("life", name, kinds[i], nr_functions, probed(kinds[i]));
}

int main(int argc, char **argv)
{
	count = argc > 1 ? atol(argv[1]) : 500;
	if (perm_insert(BENCH_MODULE))
		bail("inserting " BENCH_MODULE);
	for (bench_source = 0; bench_source < SOURCE_VIVID; bench_source++)
		if (bench_source != SOURCE_BOCHS && source_open(bench_source))
			life(source_names[bench_source]);
	return 0;
}
