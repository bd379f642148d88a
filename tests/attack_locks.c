// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many holders of a buffer, and many waiters for it: `locks` is read in as many
 * instructions a row as if there were few, each read() in a bounded number, by nobody;
 * a further lock costs no more; the search for deadlocks grows as the queue does, no
 * faster; and a queue has no more than 1,024 waiters.
 *
 * vm: --gpu bochs --icount --append slab_nomerge --mem 1024 --timeout 400
 */
#define _GNU_SOURCE
#include <sys/resource.h>

#include "bench.h"
#include "client.h"
#include "lock.h"

#define NOBODY		65534
#define FEW		500	/* holders */
#define MANY_MAX	10000
#define MANY_MIN	4000
#define MOST		1.5	/* of what a row, a read, a lock costs with few */
#define CHUNK		4096
#define TRIES		200
#define SEARCHES	20
#define SHORT		250	/* a queue */
#define LONG		1000
#define MOST_LONGER	6	/* of what a search takes in a queue of four times the length */
#define WAITERS_MAX	1024
#define FILES		4096

static struct client client;	/* nobody, who reads */
static __u64 shared, queue, held_by_last, held_by_target, other;
static struct lock_call waiters[WAITERS_MAX + 1];
static int nr_waiters;
static int control;

static int many(void)
{
	int n = scaled(MANY_MAX);

	return n < MANY_MIN ? MANY_MIN : n;
}

/* In the client: */
struct reading {
	long rows, all, longest;
};

static struct reading reading;

static void read_locks(void)
{
	int fd = swarm_open("locks", O_RDONLY);
	static char text[CHUNK];
	__u64 begin;
	long took;
	ssize_t n, i;

	memset(&reading, 0, sizeof(reading));
	for (;;) {
		begin = bench_now();
		n = read(fd, text, sizeof(text));
		took = bench_now() - begin;
		if (n <= 0)
			break;
		reading.all += took;
		if (took > reading.longest)
			reading.longest = took;
		for (i = 0; i < n; i++)
			reading.rows += text[i] == '\n';
	}
	close(fd);
}

static long do_become(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	return setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY) ? errno : 0;
}

/* The second time, so that nothing is new. */
static long do_read(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	read_locks();
	read_locks();
	return reading.rows;
}

static long do_tell_all(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	return reading.all;
}

static long do_tell_longest(long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	return reading.longest;
}

static struct reading read_by_nobody(void)
{
	struct reading r = {
		.rows = client_call(&client, do_read, 0, 0),
		.all = client_call(&client, do_tell_all, 0, 0),
		.longest = client_call(&client, do_tell_longest, 0, 0),
	};

	return r;
}

static void run(const char *fmt, __u64 buffer, int agent)
{
	char line[96];
	int err;

	snprintf(line, sizeof(line), fmt, buffer, agent);
	err = lock_run(control, "%s", line);
	if (!err)
		return;
	errno = err;
	bail("%s", line);
}

/* Agents @from to @to hold the buffer. */
static void hold(int from, int to)
{
	int i;

	for (i = from; i <= to; i++)
		run("lock %llu %d shared", shared, i);
}

/* By an agent in the middle of those that hold it. */
static void lock_again(long unused)
{
	(void)unused;
	run("unlock %llu %d", shared, FEW / 2);
	run("lock %llu %d shared", shared, FEW / 2);
}

static void within(double now, double then, double most, const char *what)
{
	note("%s: %.0f instructions, before %.0f", what, now, then);
	ok(now <= then * most, "%s: at most %g times that", what, most);
}

static void test_holders(void)
{
	struct reading few, lots;
	double lock;

	hold(1, FEW);
	few = read_by_nobody();
	is(few.rows, FEW + 1, "%d holders: as many rows", FEW);
	lock = bench_op(lock_again, TRIES);
	hold(FEW + 1, many());
	lots = read_by_nobody();
	is(lots.rows, many() + 1, "%d holders: as many rows", many());
	within((double)lots.all / lots.rows, (double)few.all / few.rows, MOST, "a row of locks");
	within(lots.longest, few.longest, MOST, "the longest read() of it");
	within(bench_op(lock_again, TRIES), lock, MOST, "a lock, and its end");
}

static void post(const char *fmt, __u64 buffer, int agent)
{
	struct lock_call *call = &waiters[nr_waiters++];
	char line[64];

	snprintf(line, sizeof(line), fmt, buffer, agent);
	lock_post(call, "%s", line);
}

/* Signals end them, also those that were posted last. */
static void end_waiters(void)
{
	int i, interrupted = 0;

	for (i = 0; i < nr_waiters; i++)
		pthread_kill(waiters[i].thread, SIGUSR1);
	for (i = 0; i < nr_waiters; i++)
		interrupted += lock_result(&waiters[i]) == EINTR;
	is(interrupted, nr_waiters, "%d waiters are interrupted", nr_waiters);
	nr_waiters = 0;
}

/* The agents of the search; 1 to LONG are in the queue. */
#define HOLDER	(LONG + 1)
#define LAST	(LONG + 2)
#define TARGET	(LONG + 3)

static void search(long unused)
{
	int err = lock_run(control, "lock %llu %d shared", held_by_last, TARGET);

	(void)unused;
	if (err != EDEADLK) {
		errno = err;
		bail("no deadlock");
	}
}

/*
 * The target waits for the last in a queue of @n, and that for all before, of which the
 * last waits for the target too: so that is found after all others have been looked at.
 */
static double search_queue(int n)
{
	double cost;
	int i;

	for (i = 1; i <= n; i++)
		post("lock %llu %d exclusive", queue, i);
	if (!lock_await_waiters(n))
		bail("no queue");
	post("lock %llu %d exclusive", queue, LAST);
	post("lock %llu %d exclusive", held_by_target, n);
	if (!lock_await_waiters(n + 2))
		bail("no cycle");
	cost = bench_op(search, SEARCHES);
	end_waiters();
	return cost;
}

static void test_search(void)
{
	double cost;

	run("lock %llu %d exclusive", queue, HOLDER);
	run("lock %llu %d exclusive", held_by_last, LAST);
	run("lock %llu %d exclusive", held_by_target, TARGET);
	cost = search_queue(SHORT);
	within(search_queue(LONG), cost, MOST_LONGER, "a deadlock through a queue of 1,000");
}

static void test_cap(void)
{
	struct lock_call call;
	int i;

	for (i = 0; i < WAITERS_MAX; i++)
		post("lock %llu %d exclusive", queue, 1 + i % LONG);
	ok(lock_await_waiters(WAITERS_MAX), "%d waiters", WAITERS_MAX);
	is(swarm_stat("waiters_capped"), 0, "none is counted");
	is_errno(swarm_cmd("lock %llu %d shared", queue, TARGET), ENOSPC, "one more is refused");
	is(swarm_stat("waiters_capped"), 1, "and counted");
	is_errno(swarm_cmd("lock %llu %d shared nowait", queue, TARGET), EAGAIN,
		 "EAGAIN for one that does not wait");
	run("lock %llu %d exclusive", other, LAST);
	lock_post(&call, "lock %llu %d shared", other, TARGET);
	ok(lock_await_waiters(WAITERS_MAX + 1), "another buffer has its own queue");
	run("unlock %llu %d", other, LAST);
	is_errno(lock_result(&call), 0, "the lock that waits there is granted");
	run("unlock %llu %d", other, TARGET);
	end_waiters();
}

int main(void)
{
	const struct rlimit files = { FILES, FILES };
	__u64 *buffers[] = { &shared, &queue, &held_by_last, &held_by_target, &other };
	size_t i;

	if (on_debug_kernel())
		skip_all("this kernel's checks count as the module's instructions");
	if (setrlimit(RLIMIT_NOFILE, &files))
		bail("setrlimit");
	bench_insert("");
	lock_make_agents(many());
	for (i = 0; i < sizeof(buffers) / sizeof(*buffers); i++)
		lock_make_buffers(buffers[i], 1);
	control = swarm_open("control", O_WRONLY);
	client_start(&client);
	is_errno(client_call(&client, do_become, 0, 0), 0, "nobody reads");
	test_holders();
	for (i = 1; i <= (size_t)many(); i++)
		run("unlock %llu %d", shared, i);
	lock_none_left("of many holders");
	test_search();
	test_cap();
	run("unlock %llu %d", queue, HOLDER);
	run("unlock %llu %d", held_by_last, LAST);
	run("unlock %llu %d", held_by_target, TARGET);
	lock_none_left("at the end");
	client_stop(&client, 0);
	close(control);
	bench_remove("gpu_dma_lock");
	return tap_done();
}
