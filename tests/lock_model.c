// SPDX-License-Identifier: GPL-2.0-only
/*
 * 1,000,000 random operations that close no cycle, and those between them that
 * would close one: a model in the test tells what each must return, which must wait,
 * and which must be granted by it. Half of the owners of locks are agents, by command, the
 * others open files of /dev/gpu_dma_lock.
 *
 * The model knows no graph. To tell whether a wait closes a cycle it plays on: who
 * waits for nothing lets go of all that it has, and what is first in a queue gets in
 * once nothing conflicts. If somebody is left waiting in the end, it does.
 *
 * Commands that have to wait run in threads. All threads are on one CPU, with fixed
 * priorities, that of the waiting ones above main()'s: so whenever main() runs, all
 * others have come as far as they can.
 *
 * vm: --load=observe=0 --mem 512 --timeout 600
 */
#define _GNU_SOURCE
#include <sched.h>
#include <semaphore.h>

#include "device.h"
#include "lock.h"

#define AGENTS		48	/* each a bit of a __u64; or an open file in its place */
#define OF_FILES	(AGENTS + 1)	/* the agent of all those open files */
#define BUFFERS		24
#define OPS		scaled(1000000)
#define LOOKS		100	/* at `locks` */
#define PATIENCE_MS	30000	/* of commands that need not wait: they shall fail, not hang */

/* What the model knows of a buffer. */
struct place {
	__u64 id;
	__u64 shared, exclusive;	/* who holds it */
	int queue[AGENTS];		/* who waits, the next first */
	int waiters;
};

/* An owner waits for one lock at a time, in a thread of its own. */
struct agent {
	int dev;			/* an open file that it is; -1: an agent */
	struct place *place;		/* that it waits for, or NULL */
	bool exclusive;
	int want;			/* the result that it must have got */
	pthread_t thread;
	sem_t go;
	int fd, err;
	bool ended;
};

static struct place places[BUFFERS];
static struct agent agents[AGENTS];
static __u64 waiting;			/* those agents who wait */
static int must_end[AGENTS], nr_must_end;	/* by the operation under way */
static atomic_int nr_ended;		/* since the last one */
static atomic_bool quit;
static int control;

static struct {
	long ops, granted, nowait, already, none, waited, granted_later, interrupted, deadlocks;
	long most_waiting;
	long wrong;
} tally;

static __u64 bit(int agent)
{
	return 1ULL << agent;
}

/* Whom a claim has to wait for, of those who hold the buffer. */
static __u64 conflicts(const struct place *p, int agent, bool exclusive)
{
	return (p->exclusive | (exclusive ? p->shared : 0)) & ~bit(agent);
}

static void set_held(struct place *p, int agent, bool exclusive)
{
	p->shared &= ~bit(agent);
	p->exclusive &= ~bit(agent);
	*(exclusive ? &p->exclusive : &p->shared) |= bit(agent);
}

static void queue_add(struct place *p, int agent, bool exclusive)
{
	int at = p->shared & bit(agent) ? 0 : p->waiters;

	memmove(&p->queue[at + 1], &p->queue[at], (p->waiters - at) * sizeof(*p->queue));
	p->queue[at] = agent;
	p->waiters++;
	agents[agent].place = p;
	agents[agent].exclusive = exclusive;
	waiting |= bit(agent);
}

static void queue_remove(struct place *p, int agent)
{
	int at = 0;

	while (p->queue[at] != agent)
		at++;
	p->waiters--;
	memmove(&p->queue[at], &p->queue[at + 1], (p->waiters - at) * sizeof(*p->queue));
	agents[agent].place = NULL;
	waiting &= ~bit(agent);
}

static void wait_ends(struct place *p, int agent, int err)
{
	queue_remove(p, agent);
	agents[agent].want = err;
	must_end[nr_must_end++] = agent;
}

/* After a change of what is held or queued. */
static void settle(struct place *p)
{
	int agent;

	while (p->waiters) {
		agent = p->queue[0];
		if (conflicts(p, agent, agents[agent].exclusive))
			return;
		wait_ends(p, agent, 0);
		set_held(p, agent, agents[agent].exclusive);
		tally.granted_later++;
	}
}

/* Play on: does nobody wait in the end? */
static bool all_get_on(void)
{
	__u64 left = waiting, before;
	int first[BUFFERS] = { 0 }, b, agent;

	do {
		before = left;
		for (b = 0; b < BUFFERS; b++) {
			const struct place *p = &places[b];

			for (; first[b] < p->waiters; first[b]++) {
				agent = p->queue[first[b]];
				if (conflicts(p, agent, agents[agent].exclusive) & left)
					break;
				left &= ~bit(agent);
			}
		}
	} while (left && left != before);
	return !left;
}

/*
 * What it means for the model that an agent who does not wait asks for a lock: 0,
 * -EALREADY, -EDEADLK; or -EAGAIN: it waits now.
 */
static int model_lock(struct place *p, int agent, bool exclusive)
{
	bool held = (p->shared | p->exclusive) & bit(agent);

	if ((exclusive ? p->exclusive : p->shared) & bit(agent))
		return -EALREADY;
	if (!conflicts(p, agent, exclusive) && (held || !p->waiters)) {
		set_held(p, agent, exclusive);
		settle(p);
		return 0;
	}
	queue_add(p, agent, exclusive);
	if (all_get_on())
		return -EAGAIN;
	queue_remove(p, agent);
	return -EDEADLK;
}

static void wrong(const char *what, int agent, const struct place *p, int got, int want)
{
	if (!tally.wrong++)
		note("operation %ld: %s, agent %d, buffer %llu: got %d (%s), want %d (%s)",
		     tally.ops, what, agent + 1, p->id, got, strerror(got), want, strerror(want));
}

/* Have those and only those waits ended that the model ended? */
static void check_ended(const struct place *p)
{
	int i;

	if (nr_ended != nr_must_end)
		wrong("waits that end", -1, p, nr_ended, nr_must_end);
	for (i = 0; i < nr_must_end; i++) {
		const struct agent *a = &agents[must_end[i]];

		if (!a->ended)
			wrong("a wait that must end", must_end[i], p, EBUSY, a->want);
		else if (a->err != a->want)
			wrong("the end of a wait", must_end[i], p, a->err, a->want);
	}
	nr_must_end = 0;
	nr_ended = 0;
}

static const char *mode_name(bool exclusive)
{
	return exclusive ? "exclusive" : "shared";
}

/* @timeout_ms: GPU_DMA_LOCK_FOREVER, 0, or so long */
static int run_lock(int fd, int agent, const struct place *p, bool exclusive, int timeout_ms)
{
	const struct agent *a = &agents[agent];

	if (a->dev >= 0)
		return device_lock(a->dev, p->id, exclusive, timeout_ms);
	if (timeout_ms > 0)
		return lock_run(fd, "lock %llu %d %s %d", p->id, agent + 1, mode_name(exclusive),
				timeout_ms);
	return lock_run(fd, "lock %llu %d %s%s", p->id, agent + 1, mode_name(exclusive),
			timeout_ms ? "" : " nowait");
}

static int run_unlock(int agent, const struct place *p)
{
	const struct agent *a = &agents[agent];

	if (a->dev >= 0)
		return device_unlock(a->dev, p->id);
	return lock_run(control, "unlock %llu %d", p->id, agent + 1);
}

static void *wait_in_thread(void *arg)
{
	struct agent *a = arg;
	struct gpu_dma_lock_self self;

	for (;;) {
		while (sem_wait(&a->go))
			;
		if (quit)
			return NULL;
		a->err = run_lock(a->fd, a - agents, a->place, a->exclusive, GPU_DMA_LOCK_FOREVER);
		/* An open file keeps its place for the same call; another gives it up. */
		if (a->err == EINTR && a->dev >= 0)
			device_self(a->dev, &self);
		a->ended = true;
		nr_ended++;
	}
}

/* It must wait: so the thread comes back here without an end. */
static void do_wait(struct place *p, int agent)
{
	struct agent *a = &agents[agent];
	int others = __builtin_popcountll(waiting);

	a->ended = false;
	sem_post(&a->go);
	if (a->ended)
		wrong("a lock that must wait", agent, p, a->err, EAGAIN);
	tally.waited++;
	tally.most_waiting = others > tally.most_waiting ? others : tally.most_waiting;
}

static void do_lock(struct place *p, int agent, __u64 *random)
{
	bool exclusive = lock_random(random, 2), nowait = !lock_random(random, 8);
	int got, want = -model_lock(p, agent, exclusive);

	if (want == EAGAIN && !nowait) {
		do_wait(p, agent);
		return;
	}
	if (want == EAGAIN)
		queue_remove(p, agent);
	else if (want == EDEADLK)
		nowait = false;
	got = run_lock(control, agent, p, exclusive, nowait ? 0 : PATIENCE_MS);
	if (got != want)
		wrong(exclusive ? "lock exclusive" : "lock shared", agent, p, got, want);
	tally.granted += !want;
	tally.nowait += want == EAGAIN;
	tally.already += want == EALREADY;
	tally.deadlocks += want == EDEADLK;
	tally.ops -= want == EDEADLK;
}

static void do_unlock(struct place *p, int agent)
{
	int got, want = (p->shared | p->exclusive) & bit(agent) ? 0 : ENOENT;

	p->shared &= ~bit(agent);
	p->exclusive &= ~bit(agent);
	settle(p);
	got = run_unlock(agent, p);
	if (got != want)
		wrong("unlock", agent, p, got, want);
	tally.none += want == ENOENT;
}

static void do_interrupt(struct place *p, int agent)
{
	wait_ends(p, agent, EINTR);
	settle(p);
	pthread_kill(agents[agent].thread, SIGUSR1);
	tally.interrupted++;
}

/* One of the agents in @set, if any; else any. */
static int choose(__u64 set, __u64 *random)
{
	int agent = lock_random(random, AGENTS), i;

	for (i = 0; set && i < AGENTS && !(set & bit(agent)); i++)
		agent = (agent + 1) % AGENTS;
	return agent;
}

/* Those who wait keep what they have, mostly; else cycles would be rare. */
static void do_one(__u64 *random)
{
	struct place *p = &places[lock_random(random, BUFFERS)];
	__u64 holders = p->shared | p->exclusive, others = holders & ~waiting;
	int what = lock_random(random, 64), agent;

	if (what == 0 && waiting) {
		agent = choose(waiting, random);
		p = agents[agent].place;
		do_interrupt(p, agent);
	} else if (what == 1) {
		do_unlock(p, lock_random(random, AGENTS));
	} else if (what == 2) {
		do_unlock(p, choose(holders, random));
	} else if (what < 28 && others) {
		do_unlock(p, choose(others, random));
	} else {
		do_lock(p, choose(~waiting & (bit(AGENTS) - 1), random), random);
	}
	tally.ops++;
	check_ended(p);
}

/* Is row @row one of @p, in that state? */
static bool row_is_of(const struct swarm_table *t, long row, const struct place *p,
		      const char *state)
{
	return row < t->rows && swarm_u64(t, row, "BUFFER") == p->id &&
	       !strcmp(swarm_cell(t, row, "STATE"), state);
}

/* Is row @row what @agent must have? Of open files, any looks like the others. */
static bool row_is(const struct swarm_table *t, long row, int agent, bool exclusive)
{
	bool file = agents[agent].dev >= 0;

	return swarm_u64(t, row, "AGENT") == (file ? OF_FILES : (__u64)agent + 1) &&
	       !strcmp(swarm_cell(t, row, "KIND"), file ? "file" : "lock") &&
	       !strcmp(swarm_cell(t, row, "MODE"), mode_name(exclusive));
}

/* Of the holders in @left, the one that row @row can be of; or -1. */
static int row_holder(const struct swarm_table *t, long row, const struct place *p, __u64 left)
{
	int i;

	for (i = 0; i < AGENTS; i++)
		if (left & bit(i) && row_is(t, row, i, p->exclusive & bit(i)))
			return i;
	return -1;
}

/* Whether `locks` has what the model has: holders in any order, then the queue. */
static bool table_agrees(void)
{
	struct swarm_table t;
	bool pass = true;
	long row = 0;
	int b, i;

	swarm_load(&t, "locks");
	for (b = 0; b < BUFFERS; b++) {
		const struct place *p = &places[b];
		__u64 left = p->shared | p->exclusive;

		for (; row_is_of(&t, row, p, "held"); row++) {
			i = row_holder(&t, row, p, left);
			pass &= i >= 0;
			left &= i >= 0 ? ~bit(i) : left;
		}
		pass &= !left;
		for (i = 0; i < p->waiters; i++, row++)
			pass &= row_is_of(&t, row, p, "waiting") &&
				row_is(&t, row, p->queue[i], agents[p->queue[i]].exclusive);
	}
	pass &= row == t.rows;
	swarm_unload(&t);
	return pass;
}

static void on_one_cpu(int priority)
{
	struct sched_param param = { .sched_priority = priority };
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) ||
	    sched_setscheduler(0, SCHED_FIFO, &param))
		bail("a fixed priority");
}

static void begin(void)
{
	struct sigaction action = { .sa_handler = lock_interrupted };
	__u64 device = swarm_device(NULL);
	int i;

	sigaction(SIGUSR1, &action, NULL);
	lock_make_agents(OF_FILES);
	if (swarm_cmd("bind %d pid:%d", OF_FILES, getpid()))
		bail("binding the test");
	for (i = 0; i < BUFFERS; i++)
		if (swarm_allocate(OF_FILES, 4096, device, &places[i].id))
			bail("allocating buffer %d", i);
	control = swarm_open("control", O_WRONLY);
	/* Threads begin with the priority of who starts them. */
	on_one_cpu(2);
	for (i = 0; i < AGENTS; i++) {
		agents[i].fd = swarm_open("control", O_WRONLY);
		if (agents[i].fd < 0)
			bail("opening control");
		agents[i].dev = i % 2 ? device_open() : -1;
		sem_init(&agents[i].go, 0, 0);
		agents[i].thread = lock_start(wait_in_thread, &agents[i]);
	}
	on_one_cpu(1);
}

/* Everybody who does not wait lets go, until nobody has anything. */
static void drain(void)
{
	int b, agent, left;

	do {
		left = 0;
		for (b = 0; b < BUFFERS; b++)
			for (agent = 0; agent < AGENTS; agent++) {
				struct place *p = &places[b];

				if (!((p->shared | p->exclusive) & ~waiting & bit(agent)))
					continue;
				do_unlock(p, agent);
				check_ended(p);
				left++;
			}
	} while (left && !tally.wrong);
}

/* Also after a failure, when anybody may wait. */
static void end(void)
{
	int i, b;

	quit = true;
	for (i = 0; i < AGENTS; i++) {
		sem_post(&agents[i].go);
		pthread_kill(agents[i].thread, SIGUSR1);
		pthread_join(agents[i].thread, NULL);
		close(agents[i].fd);
	}
	for (b = 0; b < BUFFERS; b++)
		for (i = 0; tally.wrong && i < AGENTS; i++)
			run_unlock(i, &places[b]);
	for (i = 1; i < AGENTS; i += 2)
		close(agents[i].dev);
	close(control);
}

int main(void)
{
	__u64 seed = lock_seed();
	time_t start = time(NULL);
	long looks = 0, agreed = 0;
	int i;

	begin();
	while (tally.ops < OPS && !tally.wrong) {
		do_one(&seed);
		if (tally.ops / (OPS / LOOKS) > looks) {
			looks++;
			agreed += table_agrees();
		}
	}
	note("%ld operations in %ld s, and %ld that would have closed a cycle", tally.ops,
	     time(NULL) - start, tally.deadlocks);
	note("%ld granted at once, %ld waited, at most %ld at a time, %ld of them interrupted",
	     tally.granted, tally.waited, tally.most_waiting, tally.interrupted);
	note("%ld EAGAIN, %ld EALREADY, %ld not held", tally.nowait, tally.already, tally.none);
	is(tally.wrong, 0, "the results are those of the model");
	is(tally.ops, OPS, "of so many operations without a cycle");
	is(agreed, LOOKS, "and `locks` is as the model, each time");
	ok(tally.waited > OPS / 10, "many had to wait");
	ok(tally.deadlocks > OPS / 100, "many others would have closed a cycle");
	is(swarm_stat("locks_deadlocks"), tally.deadlocks, "stats has as many");
	drain();
	is(waiting, 0, "everybody is granted in the end");
	is(tally.wrong, 0, "as the model says");
	end();
	lock_none_left("at the end");
	for (i = 0; i < BUFFERS; i++)
		lock_free_buffers(&places[i].id, 1);
	return tap_done();
}
