// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: life SOURCE...
 *
 * What the life of a real buffer of each SOURCE that this kernel has, see source.h, costs:
 * create, export, close, destroy, as the mean of many: without the module, with it under
 * each policy, and with probes that do nothing on the functions that the module was seen
 * to probe on the way: all of a kind, or each of the kind that the module needs there. The
 * latter are the floor: nobody can watch such a life by kprobes for less. A plain hash
 * table of the GEM objects beside them is what anybody would add. What does not make a GEM
 * object is not exported.
 */
#define _GNU_SOURCE
#include "bench.h"

#define FUNCTIONS_MAX	32
#define COUNT		4000

enum kind {
	BASE,
	UNOBSERVED,
	AUDIT,
	ENFORCE,
	FTRACE,
	KPROBE,
	KRETPROBE,
	NEEDED,
	TABLE,
	NR_KINDS,
};

static const char * const names[NR_KINDS] = {
	[BASE]		= "without the module",
	[UNOBSERVED]	= "observe=0",
	[AUDIT]		= "policy audit",
	[ENFORCE]	= "policy enforce",
	[FTRACE]	= "empty ftrace_ops",
	[KPROBE]	= "empty kprobes",
	[KRETPROBE]	= "empty kretprobes",
	[NEEDED]	= "its probes, empty",
	[TABLE]		= "its probes, plain table",
};

static const char * const params[NR_KINDS] = {
	[UNOBSERVED]	= "observe=0",
	[AUDIT]		= "policy=audit",
	[ENFORCE]	= "policy=enforce",
};

static const char * const probes[NR_KINDS] = {
	[FTRACE]	= "ftrace",
	[KPROBE]	= "kprobe",
	[KRETPROBE]	= "kretprobe",
	[NEEDED]	= "kprobe",
	[TABLE]		= "kprobe",
};

/* The functions of a life whose return the module must see. */
static const char * const returns[] = { "dma_buf_export", "drm_gem_object_init" };

static char functions[FUNCTIONS_MAX][64];
static int nr_functions;

/* Functions whose probes are hit at least once in a life. */
static void find_functions(void)
{
	char *text, *line, *next, *end;
	long long hits;

	bench_insert("");
	bench_op(bench_live, BENCH_LIFE_WARM_UP);
	text = swarm_read("stats");
	nr_functions = 0;
	for (line = strtok_r(text, "\n", &next); line; line = strtok_r(NULL, "\n", &next)) {
		end = strstr(line, "_hits ");
		if (strncmp(line, "probe_", 6) || !end || nr_functions == FUNCTIONS_MAX ||
		    sscanf(end, "_hits %lld", &hits) != 1 || hits < BENCH_LIFE_WARM_UP)
			continue;
		snprintf(functions[nr_functions++], sizeof(*functions), "%.*s",
			 (int)(end - line - 6), line + 6);
	}
	free(text);
	bench_remove("gpu_dma_lock");
}

static void place(int fd, const char *kind, const char *function)
{
	char line[96];
	int len = snprintf(line, sizeof(line), "%s %s", kind, function);

	if (write(fd, line, len) != len)
		bail("placing a probe: %s", line);
}

static bool is_one_of(const char *word, const char * const *words, size_t nr)
{
	while (nr--)
		if (!strcmp(word, words[nr]))
			return true;
	return false;
}

/* A source that is mistyped would be one that this kernel has not. */
static void check_sources(const char * const *sources, int nr)
{
	if (!nr)
		bail("usage: life SOURCE...");
	while (nr--)
		if (!is_one_of(sources[nr], source_names, NR_SOURCES))
			bail("no source %s", sources[nr]);
}

static const char *probe_for(enum kind kind, const char *function)
{
	if (kind < NEEDED)
		return probes[kind];
	if (is_one_of(function, returns, sizeof(returns) / sizeof(*returns)))
		return "kretprobe";
	if (kind == TABLE && !strcmp(function, "drm_gem_private_object_init"))
		return "make";
	if (kind == TABLE && !strcmp(function, "drm_gem_object_release"))
		return "drop";
	return probes[kind];
}

/* With probes on all of the functions. */
static double probed(enum kind kind)
{
	int fd = open("/sys/kernel/debug/bench/probes", O_WRONLY | O_CLOEXEC), i;
	double cost;

	for (i = 0; i < nr_functions; i++)
		place(fd, probe_for(kind, functions[i]), functions[i]);
	cost = bench_life(COUNT);
	place(fd, "none", "");
	close(fd);
	return cost;
}

static double measure(enum kind kind)
{
	if (params[kind])
		return bench_life_under(params[kind], COUNT);
	return probes[kind] ? probed(kind) : bench_life(COUNT);
}

/* Sizes: of probes, how many functions they are on. */
static void lives(void)
{
	double cost, base = 0;
	const char *source = source_names[bench_source];
	char what[96];
	int kind, size;

	if (bench_source == SOURCE_HEAP)
		source = "a dma-heap";
	find_functions();
	for (kind = 0; kind < NR_KINDS; kind++) {
		if (kind == TABLE && bench_source >= SOURCE_GEMS)
			continue;
		cost = measure(kind);
		snprintf(what, sizeof(what), "life on %s, %s", source, names[kind]);
		size = probes[kind] ? nr_functions : 1;
		bench_row(what, size, cost, "instructions", BUDGET_NONE);
		if (kind == BASE) {
			base = cost;
			continue;
		}
		strcat(what, ", over none");
		bench_row(what, size, 100 * (cost - base) / base, "%",
			  kind == AUDIT && bench_source == SOURCE_VGEM ? BUDGET_LIFE_PERCENT :
									 BUDGET_NONE);
	}
}

int main(int argc, char **argv)
{
	const char * const *sources = (const char * const *)argv + 1;

	check_sources(sources, argc - 1);
	if (perm_insert(BENCH_MODULE))
		bail("inserting " BENCH_MODULE);
	for (bench_source = 0; bench_source < NR_SOURCES; bench_source++)
		if (is_one_of(source_names[bench_source], sources, argc - 1) &&
		    source_open(bench_source))
			lives();
	bench_remove("bench");
	return 0;
}
