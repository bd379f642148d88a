/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counting instructions: under -icount 1 ns of the guest's time is one.
 *
 * A cost is the mean of so many operations that the kernel's own work that comes now
 * and then, timer interrupts and what RCU has put off, has its fair share in it. What
 * is found is printed as rows of tab-separated fields: what, size (how many there are
 * of it), value, unit, budget or `-`; scripts/bench makes a table of them.
 */
#ifndef TESTS_BENCH_H
#define TESTS_BENCH_H

#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>

#include "gem.h"
#include "perm.h"
#include "source.h"
#include "swarm.h"

#define BENCH_MODULE	PERM_TEST_DIR "bench.ko"
#define BENCH_EMPTY	"/proc/bench_empty"
#define BENCH_AGENT	1
#define BENCH_SETTLE_SECONDS	20

/* The budgets of the design. */
#define BUDGET_LIFE_PERCENT	8
#define BUDGET_ROW		2000
#define BUDGET_AGENTS		300000
#define BUDGET_COMMAND		1500
#define BUDGET_RESERVE		1000
#define BUDGET_RELEASE		1000
#define BUDGET_CHECK		200
#define BUDGET_CHECK_MANY	400
#define BUDGET_CGROUP		3000
#define BUDGET_BYTES		256
#define BUDGET_GROWTH		1.2
#define BUDGET_NONE		0

typedef void (*bench_fn)(long i);

static inline __u64 bench_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static inline void bench_row(const char *what, long size, double value, const char *unit,
			     double budget)
{
	char most[32] = "-";

	if (budget)
		snprintf(most, sizeof(most), "%g", budget);
	printf("row\t%s\t%ld\t%.*f\t%s\t%s\n", what, size, value < 100 ? 2 : 0, value, unit, most);
	fflush(stdout);
}

static inline int bench_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static inline double bench_median(double *n, int count)
{
	qsort(n, count, sizeof(*n), bench_compare);
	return n[count / 2];
}

/* What each of @op(0) to @op(@count - 1) costs. */
static inline double bench_op(bench_fn op, long count)
{
	__u64 begin = bench_now();
	long i;

	for (i = 0; i < count; i++)
		op(i);
	return (double)(bench_now() - begin) / count;
}

/* Inserts gpu_dma_lock with these parameters. */
static inline void bench_insert(const char *params)
{
	if (perm_insert_with(PERM_MODULE, params))
		bail("inserting " PERM_MODULE " %s", params);
}

static inline void bench_remove(const char *module)
{
	if (perm_delete(module))
		bail("removing %s", module);
}

/* The life of a real buffer */

#define BENCH_LIFE_SIZE		4096
/* The module's coming and going empties slabs; it takes so long until they are full again. */
#define BENCH_LIFE_WARM_UP	4000

static enum source_id bench_source;

static inline void bench_live(long i)
{
	int fd = -1, err = source_make(bench_source, BENCH_LIFE_SIZE);

	(void)i;
	if (!err && bench_source < SOURCE_GEMS) {
		err = source_export(bench_source, &fd);
		close(fd);
	}
	if (!err)
		err = source_drop(bench_source);
	if (err) {
		errno = err;
		bail("a buffer of %s", source_names[bench_source]);
	}
}

/*
 * What virtio-gpu does waits for the host, whose time is none of ours: there, ns in
 * which a CPU ran any task. It is counted when a task stops running.
 */
static inline __u64 bench_busy(void)
{
	unsigned long long ns, all = 0;
	char line[512];
	FILE *f;

	usleep(1);
	f = fopen("/proc/schedstat", "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "cpu%*u %*u %*u %*u %*u %*u %*u %llu", &ns) == 1)
			all += ns;
	if (!f || !all)
		bail("reading schedstat");
	fclose(f);
	return all;
}

static inline double bench_life(long count)
{
	__u64 begin;

	bench_op(bench_live, BENCH_LIFE_WARM_UP);
	if (bench_source != SOURCE_VIRTIO)
		return bench_op(bench_live, count);
	begin = bench_busy();
	bench_op(bench_live, count);
	return (double)(bench_busy() - begin) / count;
}

/* The same with the module inserted for it. */
static inline double bench_life_under(const char *params, long count)
{
	double cost;

	bench_insert(params);
	cost = bench_life(count);
	bench_remove("gpu_dma_lock");
	return cost;
}

/* Commands, one a write */

#define BENCH_LINE	64

static int bench_fd;		/* an open file to write to */
static char (*bench_lines)[BENCH_LINE];

static inline void bench_write(long i)
{
	size_t len = strlen(bench_lines[i]);

	if (write(bench_fd, bench_lines[i], len) != (ssize_t)len)
		bail("writing %s", bench_lines[i]);
}

/* What the lines cost written to @path. */
static inline double bench_writes(const char *path, long count)
{
	double cost;

	bench_fd = open(path, O_WRONLY | O_CLOEXEC);
	if (bench_fd < 0)
		bail("opening %s", path);
	cost = bench_op(bench_write, count);
	close(bench_fd);
	return cost;
}

/* What the write of a line costs to a file that does nothing with it. */
static inline double bench_floor(long count)
{
	return bench_writes(BENCH_EMPTY, count);
}

/*
 * What the lines cost as commands; the same written to a file that does nothing with
 * them is taken off.
 */
static inline double bench_commands(long count)
{
	double floor = bench_floor(count);

	return bench_writes(SWARM_DIR "control", count) - floor;
}

/* The ledger */

static __u64 bench_device;

static inline void bench_find_device(void)
{
	bench_device = swarm_device(NULL);
	if (bench_device == SWARM_NONE)
		bail("no device");
}

/* Writes @text whole, however much of it a write takes. */
static inline void bench_write_all(int fd, const char *text, size_t len)
{
	ssize_t n;

	while (len) {
		n = write(fd, text, len);
		if (n <= 0)
			bail("writing");
		text += n;
		len -= n;
	}
}

/* Allocates @count buffers, by turns to @agents agents. */
static inline void bench_fill(long count, int agents)
{
	int fd = swarm_open("control", O_WRONLY);
	size_t size = 0;
	char *text = NULL;
	FILE *f;
	long i;

	f = open_memstream(&text, &size);
	for (i = 0; i < count; i++)
		fprintf(f, "allocate %ld 4096 %llu\n", BENCH_AGENT + i % agents, bench_device);
	fclose(f);
	bench_write_all(fd, text, size);
	free(text);
	close(fd);
}

/* Allocates one more buffer. Returns its id: ids rise by one. */
static inline __u64 bench_last_id(void)
{
	__u64 id = 0;

	if (swarm_allocate(BENCH_AGENT, 4096, bench_device, &id))
		bail("allocating");
	return id;
}

/* Finds the ids, from @id on, of @count buffers: numbers may be left out. */
static inline void bench_find_ids(__u64 id, __u64 *ids, long count)
{
	int fd = swarm_open("control", O_WRONLY);
	long found = 0;
	char line[BENCH_LINE];
	int len;

	while (found < count) {
		len = snprintf(line, sizeof(line), "check %d buf=%llu rw\n", BENCH_AGENT, id);
		if (write(fd, line, len) == len)
			ids[found++] = id;
		else if (errno != ENOENT)
			bail("%s", line);
		id++;
	}
	close(fd);
}

struct bench_costs {
	double allocate, free, lock, unlock, check;
};

/* Commands on ledger buffers, @count of each kind; what is allocated is freed. */
static inline struct bench_costs bench_ledger(long count)
{
	struct bench_costs cost;
	__u64 *ids = calloc(count, sizeof(*ids)), id = bench_last_id();
	long i;

	for (i = 0; i < count; i++)
		snprintf(bench_lines[i], BENCH_LINE, "allocate %d 4096 %llu\n", BENCH_AGENT,
			 bench_device);
	cost.allocate = bench_commands(count);
	bench_find_ids(id + 1, ids, count);
	for (i = 0; i < count; i++)
		snprintf(bench_lines[i], BENCH_LINE, "lock %llu %d exclusive\n", ids[i],
			 BENCH_AGENT);
	cost.lock = bench_commands(count);
	for (i = 0; i < count; i++)
		snprintf(bench_lines[i], BENCH_LINE, "unlock %llu %d\n", ids[i], BENCH_AGENT);
	cost.unlock = bench_commands(count);
	for (i = 0; i < count; i++)
		snprintf(bench_lines[i], BENCH_LINE, "check %d buf=%llu rw\n", BENCH_AGENT, ids[i]);
	cost.check = bench_commands(count);
	for (i = 0; i < count; i++)
		snprintf(bench_lines[i], BENCH_LINE, "free %llu\n", ids[i]);
	cost.free = bench_commands(count);
	free(ids);
	if (swarm_cmd("free %llu\n", id))
		bail("freeing");
	return cost;
}

/* Checks in the kernel, by perm_check.ko */

/*
 * What each of many calls of gpu_dma_lock_check() costs, less a call of an empty
 * function. @fd: perm_check/cost in debugfs. The calls ask for @count pages by turns,
 * @stride apart from @addr on; all must be granted, or none.
 */
static inline double bench_check(int fd, int agent, __u64 addr, __u64 count, __u64 stride,
				 bool granted)
{
	unsigned long long calls, ns, empty, denied;
	char text[160];

	snprintf(text, sizeof(text), "%d %llu 4096 %u %llu %llu", agent, addr,
		 PERM_READ | PERM_WRITE, count, stride);
	if (write(fd, text, strlen(text)) < 0)
		bail("measuring");
	perm_read(fd, text, sizeof(text));
	if (sscanf(text, "%llu %llu %llu %llu", &calls, &ns, &empty, &denied) != 4)
		bail("the test module says '%s'", text);
	if (denied != (granted ? 0 : calls))
		bail("%llu of %llu were denied", denied, calls);
	return (double)(ns - empty) / calls;
}

/* Grants @agent @count pages, @stride apart from @addr on. */
static inline void bench_grant(int agent, __u64 addr, __u64 count, __u64 stride)
{
	int fd = swarm_open("dma_permissions", O_WRONLY);
	size_t size = 0;
	char *text = NULL;
	FILE *f = open_memstream(&text, &size);
	__u64 i;

	for (i = 0; i < count; i++)
		fprintf(f, "%d:%#llx+0x1000:rw\n", agent, addr + i * stride);
	fclose(f);
	bench_write_all(fd, text, size);
	free(text);
	close(fd);
}

/* Memory */

/* Bytes of all that is allocated by kmalloc(), once what was freed is gone. */
static inline double bench_kmalloc(void)
{
	unsigned long long active, size;
	double bytes = 0;
	char line[512];
	FILE *f;

	sleep(BENCH_SETTLE_SECONDS);
	f = fopen("/proc/slabinfo", "r");
	if (!f)
		bail("opening slabinfo");
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "kmalloc-%*s %llu %*u %llu", &active, &size) == 2)
			bytes += active * size;
	fclose(f);
	return bytes;
}

/* Bytes in all slabs: of objects, given away or not. */
static inline double bench_slabs(void)
{
	unsigned long long all, size;
	double bytes = 0;
	char line[512];
	FILE *f = fopen("/proc/slabinfo", "r");

	if (!f)
		bail("opening slabinfo");
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %*u %llu %llu", &all, &size) == 2)
			bytes += all * size;
	fclose(f);
	return bytes;
}

/* Reading */

/* What reading a file as a whole costs; @rows is set to how many lines it has. */
static inline double bench_read(const char *path, long *rows)
{
	static char text[1 << 16];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	__u64 begin = bench_now(), took;
	ssize_t n, i;

	*rows = 0;
	for (;;) {
		n = read(fd, text, sizeof(text));
		if (n <= 0)
			break;
		took = bench_now();
		for (i = 0; i < n; i++)
			*rows += text[i] == '\n';
		begin += bench_now() - took;
	}
	took = bench_now() - begin;
	if (n < 0)
		bail("reading %s", path);
	close(fd);
	return took;
}

#endif /* TESTS_BENCH_H */
