// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fairness: while readers loop so that there is always one, a writer gets in
 * within one turn of each reader present before it, and everybody in the order
 * in which it came.
 *
 * vm: --load=observe=0 --smp 4 --mem 512 --timeout 400
 */
#define _GNU_SOURCE
#include <sched.h>

#include "lock.h"

#define READERS		4
#define WRITER		(READERS + 1)
#define ROUNDS		scaled(30)	/* step by step */
#define TURNS		scaled(500)	/* of the writer, while readers loop freely */
#define QUEUE		12

static __u64 buffer;

static int take(int agent, const char *mode)
{
	return swarm_cmd("lock %llu %d %s", buffer, agent, mode);
}

static int give(int agent)
{
	return swarm_cmd("unlock %llu %d", buffer, agent);
}

/*
 * Step by step: the readers are present, the writer comes, each reader ends its
 * turn and asks for the next. Returns how many readers got that before the writer.
 */
static int round_of(__u64 *random, int *late)
{
	struct lock_call readers[READERS], writer;
	int order[READERS], i, j, overtook = 0;

	for (i = 0; i < READERS; i++) {
		j = lock_random(random, i + 1);
		order[i] = order[j];
		order[j] = i;
		if (take(i + 1, "shared"))
			bail("reader %d finds no place", i + 1);
	}
	lock_post(&writer, "lock %llu %d exclusive", buffer, WRITER);
	lock_await_waiters(1);
	for (i = 0; i < READERS; i++) {
		give(order[i] + 1);
		lock_post(&readers[i], "lock %llu %d shared", buffer, order[i] + 1);
		/* With the last turn the writer is no waiter any more. */
		lock_await_waiters(i + 2 - (i == READERS - 1));
		overtook += lock_has_ended(&readers[i]);
	}
	*late += !!lock_result(&writer);
	for (i = 0; i < READERS; i++)
		overtook += lock_has_ended(&readers[i]);
	give(WRITER);
	for (i = 0; i < READERS; i++) {
		*late += !!lock_result(&readers[i]);
		give(order[i] + 1);
	}
	return overtook;
}

static void test_rounds(__u64 *random)
{
	int i, overtook = 0, late = 0;

	for (i = 0; i < ROUNDS && !overtook && !late; i++)
		overtook += round_of(random, &late);
	is(i, ROUNDS, "step by step: %d rounds of 4 readers and a writer", ROUNDS);
	is(overtook, 0, "step by step: no reader gets a second turn before the writer");
	is(late, 0,
	   "step by step: the writer is granted when the last reader ends its turn, then they are");
	lock_none_left("after the rounds");
}

struct reader {
	pthread_t thread;
	int agent, err;
	atomic_long turns;
};

static atomic_bool stop;

/* Holds for a while, so that the readers' turns overlap. */
static void *reader(void *arg)
{
	struct timespec pause = { .tv_nsec = 1000000 };
	int fd = swarm_open("control", O_WRONLY);
	struct reader *r = arg;

	while (!stop && !r->err) {
		r->err = lock_run(fd, "lock %llu %d shared", buffer, r->agent);
		atomic_fetch_add(&r->turns, 1);
		nanosleep(&pause, NULL);
		if (!r->err)
			r->err = lock_run(fd, "unlock %llu %d", buffer, r->agent);
	}
	close(fd);
	return NULL;
}

/*
 * Readers loop without regard to the writer. Once it is seen to wait, each of
 * them has at most one turn more to count: one that it was given before, and had
 * not counted yet.
 */
static void test_free(void)
{
	static struct reader readers[READERS];
	long seen[READERS], overtook = 0, waits = 0, errors = 0, most = 0, turn, more;
	time_t start = time(NULL);
	struct lock_call writer;
	int i;

	for (i = 0; i < READERS; i++) {
		readers[i].agent = i + 1;
		readers[i].thread = lock_start(reader, &readers[i]);
	}
	for (turn = 0; turn < TURNS && !errors; turn++) {
		lock_post(&writer, "lock %llu %d exclusive", buffer, WRITER);
		while (!lock_has_ended(&writer) && !swarm_get("agents", "ID", WRITER, "WAITING"))
			sched_yield();
		for (i = 0; i < READERS; i++)
			seen[i] = readers[i].turns;
		waits += !lock_has_ended(&writer);
		errors += !!lock_result(&writer);
		for (i = 0; i < READERS; i++) {
			more = readers[i].turns - seen[i];
			most = more > most ? more : most;
			/* While the writer has it nobody gets a turn. */
			overtook += more > 1;
		}
		errors += !!give(WRITER);
	}
	stop = true;
	for (i = 0; i < READERS; i++) {
		pthread_join(readers[i].thread, NULL);
		errors += !!readers[i].err;
		note("reader %d had %ld turns", i + 1, readers[i].turns);
	}
	note("%ld turns of the writer, seen to wait in %ld, in %ld s", turn, waits,
	     time(NULL) - start);
	is(turn, TURNS, "readers in loops: the writer has %d turns while 4 readers loop", TURNS);
	ok_in_full(waits > 20, "readers in loops: it was seen to wait for them");
	is(overtook, 0,
	   "readers in loops: no reader had more than one turn meanwhile (at most %ld)", most);
	is(errors, 0, "readers in loops: nobody was refused");
	lock_none_left("after the loops");
}

/* A queue of readers and writers: who was granted when. */
static struct arrival {
	pthread_t thread;
	int agent, place;
	bool exclusive;
	int err;
} arrivals[QUEUE];

static atomic_int granted;

static void *arrive(void *arg)
{
	int fd = swarm_open("control", O_WRONLY);
	struct arrival *a = arg;

	a->err = lock_run(fd, "lock %llu %d %s", buffer, a->agent,
			  a->exclusive ? "exclusive" : "shared");
	a->place = atomic_fetch_add(&granted, 1);
	if (!a->err)
		a->err = lock_run(fd, "unlock %llu %d", buffer, a->agent);
	close(fd);
	return NULL;
}

/* Whether all of earlier groups of readers, and earlier writers, came before. */
static int disorder(void)
{
	int i, j, wrong = 0;

	for (i = 0; i < QUEUE; i++)
		for (j = 0; j < i; j++)
			if (arrivals[i].exclusive || arrivals[j].exclusive)
				wrong += arrivals[j].place > arrivals[i].place;
	return wrong;
}

static void test_queue(__u64 *random)
{
	int i, round, wrong = 0, errors = 0;

	for (round = 0; round < 10; round++) {
		granted = 0;
		take(QUEUE + 1, "exclusive");
		for (i = 0; i < QUEUE; i++) {
			arrivals[i] = (struct arrival){
				.agent = i + 1,
				.exclusive = !lock_random(random, 3),
			};
			arrivals[i].thread = lock_start(arrive, &arrivals[i]);
			lock_await_waiters(i + 1);
		}
		give(QUEUE + 1);
		for (i = 0; i < QUEUE; i++) {
			pthread_join(arrivals[i].thread, NULL);
			errors += !!arrivals[i].err;
		}
		wrong += disorder();
	}
	is(errors, 0, "queue: readers and writers in a queue are all granted");
	is(wrong, 0, "queue: each after those that came before, unless both read");
	lock_none_left("after the queues");
}

int main(void)
{
	__u64 seed = lock_seed();

	lock_make_agents(QUEUE + 1);
	lock_make_buffers(&buffer, 1);
	test_rounds(&seed);
	test_free();
	test_queue(&seed);
	lock_free_buffers(&buffer, 1);
	return tap_done();
}
