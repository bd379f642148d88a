/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counting instructions: under -icount 1 ns of the guest's time is one.
 *
 * An operation is done in batches, and its cost is that of the median batch, so that
 * the kernel's own work that comes now and then is in no figure. What a row costs
 * is printed as tab-separated fields, which scripts/bench makes a table of.
 */
#ifndef TESTS_BENCH_H
#define TESTS_BENCH_H

#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>

#include "gem.h"
#include "perm.h"
#include "source.h"
#include "swarm.h"

#define BENCH_MODULE	PERM_TEST_DIR "bench.ko"
#define BENCH_EMPTY	"/proc/bench_empty"
#define BENCH_BATCHES	7

typedef void (*bench_fn)(long i);

static inline __u64 bench_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static inline int bench_compare(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return x < y ? -1 : x > y;
}

static inline __u64 bench_median(__u64 *n, int count)
{
	qsort(n, count, sizeof(*n), bench_compare);
	return n[count / 2];
}

/*
 * Does @op @count times in each of BENCH_BATCHES batches, with numbers that rise from
 * 0 over all of them. Returns the cost of one.
 */
static inline long bench_op(bench_fn op, long count)
{
	__u64 took[BENCH_BATCHES], begin;
	long i, n = 0;
	int batch;

	for (batch = 0; batch < BENCH_BATCHES; batch++) {
		begin = bench_now();
		for (i = 0; i < count; i++)
			op(n++);
		took[batch] = bench_now() - begin;
	}
	return (bench_median(took, BENCH_BATCHES) + count / 2) / count;
}

static inline void bench_row(const char *part, const char *name, const char *what, long size,
			     long value)
{
	printf("%s\t%s\t%s\t%ld\t%ld\n", part, name, what, size, value);
	fflush(stdout);
}

/* Inserts gpu_dma_lock with that policy, the probes placed or not. */
static inline void bench_insert(const char *params)
{
	int fd = open(PERM_MODULE, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_finit_module, fd, params, 0))
		bail("inserting %s %s", PERM_MODULE, params);
	close(fd);
}

static inline void bench_remove(const char *module)
{
	if (perm_delete(module))
		bail("removing %s", module);
}

/* Whether -icount is on: a loop takes as long again, to the nanosecond. */
static inline void bench_wants_icount(void)
{
	if (strcmp(getenv("BENCH_ICOUNT") ?: "1", "1"))
		bail("this needs --icount");
}

/* An operation on the buffers of a source */

static enum source_id bench_source;

static inline void bench_life(long i)
{
	int fd = -1, err = source_make(bench_source, 4096);

	(void)i;
	if (!err && bench_source < SOURCE_GEMS) {
		err = source_export(bench_source, &fd);
		close(fd);
	}
	if (err || source_drop(bench_source)) {
		errno = err;
		bail("a buffer of %s", source_names[bench_source]);
	}
}

#endif /* TESTS_BENCH_H */
