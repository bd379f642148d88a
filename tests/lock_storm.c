// SPDX-License-Identifier: GPL-2.0-only
/*
 * 64 agents lock and unlock 1,000,000 times on 4 CPUs. Counters in shared memory
 * that nothing but the locks protects tell of every exclusive holder that was not
 * alone; a lost wake-up would leave somebody waiting.
 *
 * vm: --load=observe=0 --smp 4 --mem 512 --timeout 900
 */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lock.h"

#define AGENTS		64
#define BUFFERS		256
#define HOT		2	/* buffers that everybody wants, at one time in HOT_TURN */
#define HOT_TURN	16
#define OPS		scaled(1000000)
#define HOLD_AGAIN	16	/* one in so many holds on while others run */

/* What a lock protects. Atomic are loads and stores, not the steps between them. */
struct place {
	atomic_long count;		/* changed by exclusive holders only */
	atomic_int writer;
	atomic_int readers;
};

struct agent {
	long locks, unlocks, exclusive[BUFFERS];
	long refused;			/* nowait and timeouts */
	long intruders;			/* seen by a holder */
	int error;
	bool finished;
};

static struct {
	struct place places[BUFFERS];
	struct agent agents[AGENTS + 1];
} *shared;

static __u64 buffers[BUFFERS];

static void hold(struct agent *me, int id, int b, bool write, __u64 *random)
{
	struct place *p = &shared->places[b];
	bool stay = !lock_random(random, HOLD_AGAIN);
	long count = p->count;

	if (!write)
		atomic_fetch_add(&p->readers, 1);
	me->intruders += p->writer || (write && p->readers);
	if (write)
		p->writer = id;
	if (stay)
		sched_yield();
	me->intruders += p->count != count || p->writer != (write ? id : 0);
	if (write) {
		me->intruders += p->readers;
		p->count = count + 1;
		p->writer = 0;
		me->exclusive[b]++;
	} else {
		atomic_fetch_sub(&p->readers, 1);
	}
}

/* Some never wait, some not long, most for ever. */
static const char *patience(__u64 *random)
{
	switch (lock_random(random, 20)) {
	case 0:
		return "nowait";
	case 1:
		return "5";
	default:
		return "";
	}
}

static bool refused(int err)
{
	return err == EAGAIN || err == ETIMEDOUT;
}

static void run(int id, __u64 random)
{
	struct agent *me = &shared->agents[id];
	int fd = swarm_open("control", O_WRONLY), err = 0, b;
	bool exclusive;

	if (fd < 0)
		err = errno;
	while (!err && me->locks + me->unlocks < OPS / AGENTS) {
		b = lock_random(&random, lock_random(&random, HOT_TURN) ? BUFFERS : HOT);
		exclusive = lock_random(&random, 3);
		err = lock_run(fd, "lock %llu %d %s %s", buffers[b], id,
			       exclusive ? "exclusive" : "shared", patience(&random));
		me->locks++;
		if (refused(err)) {
			me->refused++;
			err = 0;
			continue;
		}
		if (err)
			break;
		hold(me, id, b, exclusive, &random);
		err = lock_run(fd, "unlock %llu %d", buffers[b], id);
		me->unlocks++;
	}
	me->error = err;
	me->finished = !err;
	_exit(0);
}

static void wait_for_all(const pid_t *pids)
{
	int id, status;

	for (id = 1; id <= AGENTS; id++)
		if (waitpid(pids[id], &status, 0) != pids[id])
			bail("waiting for agent %d", id);
}

static void check(void)
{
	long ops = 0, unfinished = 0, intruders = 0, off = 0, waits = 0;
	long exclusive[BUFFERS] = { 0 };
	int id, b;

	for (id = 1; id <= AGENTS; id++) {
		const struct agent *a = &shared->agents[id];

		ops += a->locks + a->unlocks;
		unfinished += !a->finished;
		intruders += a->intruders;
		waits += a->refused;
		if (a->error)
			note("agent %d: %s", id, strerror(a->error));
		for (b = 0; b < BUFFERS; b++)
			exclusive[b] += a->exclusive[b];
	}
	note("%ld operations, %ld locks refused by nowait or timeout", ops, waits);
	is(unfinished, 0, "every agent comes to its end without an error");
	ok(ops >= OPS - AGENTS, "after about %d operations", OPS);
	is(intruders, 0, "no exclusive holder met another, no shared one a writer");
	for (b = 0; b < BUFFERS; b++)
		off += labs(shared->places[b].count - exclusive[b]);
	is(off, 0, "every exclusive holder's count was kept");
	ok_in_full(waits > 0, "some were refused by nowait or timeout");
	ok_in_full(swarm_stat("locks_contended") > OPS / 100, "many had to wait: %lld",
		   swarm_stat("locks_contended"));
}

int main(void)
{
	time_t start = time(NULL);
	pid_t pids[AGENTS + 1];
	__u64 seed = lock_seed();
	int id;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED)
		bail("mmap");
	lock_make_agents(AGENTS);
	lock_make_buffers(buffers, BUFFERS);
	for (id = 1; id <= AGENTS; id++) {
		pids[id] = fork();
		if (pids[id] < 0)
			bail("fork");
		if (!pids[id])
			run(id, seed + id * 7919);
	}
	wait_for_all(pids);
	note("%ld s", time(NULL) - start);
	check();
	is(swarm_stat("locks_deadlocks"), 0, "no deadlock was seen");
	lock_none_left("at the end");
	lock_free_buffers(buffers, BUFFERS);
	return tap_done();
}
