// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: life SOURCE...
 *
 * What the life of a real buffer of each SOURCE that this kernel has, see source.h, costs:
 * create, export, close, destroy, as the mean of many: without the module, with it under
 * each policy, with its hooks alone, which do nothing, and with a BPF user that tracks
 * the objects of each process, see peer.bpf.c. What does not make a GEM object is not
 * exported.
 *
 * Each is compared with a life without anything that is measured just before it: when a
 * module has come and gone for the first time, whichever it was, a life takes 1.5 % more
 * from there on.
 */
#define _GNU_SOURCE
#include "bench.h"
#include "peer.h"

#define COUNT		4000

/* The first lives of a machine are dearer, until its slabs have come to rest. */
#define WARM_UP		12000
#define PEER_PROGRAM	"/bench/peer"
#define PEER_PROGRAMS	4	/* it attaches so many */

enum kind {
	UNOBSERVED,
	AUDIT,
	ENFORCE,
	EMPTY,
	PEER,
	NR_KINDS,
};

static const char * const names[NR_KINDS] = {
	[UNOBSERVED]	= "observe=0",
	[AUDIT]		= "policy audit",
	[ENFORCE]	= "policy enforce",
	[EMPTY]		= "its hooks, empty",
	[PEER]		= "BPF peer",
};

static const char * const params[NR_KINDS] = {
	[UNOBSERVED]	= "observe=0",
	[AUDIT]		= "policy=audit",
	[ENFORCE]	= "policy=enforce",
};

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

/* With the module's hooks, which do nothing. */
static double hooked(void)
{
	double cost;

	if (perm_insert("/tests/modules/empty_hooks.ko"))
		bail("inserting empty_hooks.ko");
	cost = bench_life(COUNT);
	bench_remove("empty_hooks");
	return cost;
}

/* A peer that has lost sight of what it is measured by would be cheap. */
static void check_peer(struct peer *peer)
{
	bool gem = bench_source < SOURCE_GEMS;
	unsigned long long objects, exports;
	int fd = -1, err;

	err = source_make(bench_source, BENCH_LIFE_SIZE);
	if (!err && gem)
		err = source_export(bench_source, &fd);
	peer_totals(peer, getpid(), &objects, &exports);
	if (err || objects != gem * BENCH_LIFE_SIZE || exports != BENCH_LIFE_SIZE)
		bail("the BPF peer sees %llu and %llu bytes", objects, exports);
	close(fd);
	err = source_drop(bench_source);
	if (err)
		bail("dropping a buffer");
}

static double peered(void)
{
	struct peer peer;
	double cost;

	if (!peer_start(&peer, PEER_PROGRAM, NULL))
		bail("a kernel without BTF");
	cost = bench_life(COUNT);
	check_peer(&peer);
	return cost;
}

static double measure(enum kind kind)
{
	switch (kind) {
	case PEER:
		return peered();
	case EMPTY:
		return hooked();
	default:
		return params[kind] ? bench_life_under(params[kind], COUNT) : bench_life(COUNT);
	}
}

/* How much more than @base it costs: of vgem, the design has a budget for that. */
static void compare(const char *what, enum kind kind, double cost, double base)
{
	bool budget = (kind == AUDIT || kind == ENFORCE) && bench_source == SOURCE_VGEM;
	int size = kind == PEER ? PEER_PROGRAMS : 1;
	char over[128];

	snprintf(over, sizeof(over), "%s, over none", what);
	bench_row(what, size, cost, "instructions", BUDGET_NONE);
	bench_row(over, size, 100 * (cost - base) / base, "%",
		  budget ? BUDGET_LIFE_PERCENT : BUDGET_NONE);
}

static void lives(void)
{
	const char *source = source_names[bench_source];
	char what[96];
	double base;
	int kind;

	if (bench_source == SOURCE_HEAP)
		source = "a dma-heap";
	bench_op(bench_live, WARM_UP);
	for (kind = 0; kind < NR_KINDS; kind++) {
		base = bench_life(COUNT);
		if (kind == AUDIT) {
			snprintf(what, sizeof(what), "life on %s, without the module", source);
			bench_row(what, 1, base, "instructions", BUDGET_NONE);
		}
		snprintf(what, sizeof(what), "life on %s, %s", source, names[kind]);
		compare(what, kind, measure(kind), base);
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
