// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deadlocks: cycles of up to 1,000 agents, each of which is refused once and
 * resolved; and random operations that close no cycle, of which none is refused.
 * What is right is told by a model in the test.
 *
 * vm: --load=observe=0 --mem 1024 --timeout 900
 */
#define _GNU_SOURCE
#include <sched.h>

#include "lock.h"

#define AGENTS		1000
#define CHAIN		40	/* agents of which each waits for the next */
#define TABLE		16	/* buffers of the model */
#define MODEL_OPS	scaled(200000)
#define WORKERS		12
#define PLACES		128	/* buffers of the workers */
#define ORDERED_OPS	scaled(1000000)
#define BATCH		8
#define HOLD_AGAIN	8	/* one in so many holds on while others run */

struct link {
	struct lock_call call;
	struct cycle *cycle;
	int place;
};

struct cycle {
	int n;
	const __u64 *buffer;
	atomic_int refused, granted, other;
	struct link links[AGENTS];
};

static struct cycle cycle;
static __u64 buffers[AGENTS];

/* Agent i + 1 has buffer i, and wants the next; it lets go of what it got. */
static void *want_next(void *arg)
{
	struct link *link = arg;
	struct cycle *c = link->cycle;
	__u64 next = c->buffer[(link->place + 1) % c->n];
	int agent = link->place + 1;
	int err = lock_run(link->call.fd, "lock %llu %d exclusive", next, agent);

	if (err == EDEADLK)
		atomic_fetch_add(&c->refused, 1);
	else if (!err)
		atomic_fetch_add(&c->granted, 1);
	else
		atomic_fetch_add(&c->other, 1);
	if (!err)
		lock_run(link->call.fd, "unlock %llu %d", next, agent);
	lock_run(link->call.fd, "unlock %llu %d", c->buffer[link->place], agent);
	return NULL;
}

static void cycle_begin(int n)
{
	int i, fd = swarm_open("control", O_WRONLY);

	cycle.n = n;
	cycle.buffer = buffers;
	cycle.refused = 0;
	cycle.granted = 0;
	cycle.other = 0;
	for (i = 0; i < n; i++) {
		if (lock_run(fd, "lock %llu %d exclusive nowait", buffers[i], i + 1))
			bail("agent %d cannot have its own buffer", i + 1);
		cycle.links[i].cycle = &cycle;
		cycle.links[i].place = i;
		cycle.links[i].call.fd = swarm_open("control", O_WRONLY);
		if (cycle.links[i].call.fd < 0)
			bail("opening control");
	}
	close(fd);
}

static bool cycle_is_over(const void *arg)
{
	const struct cycle *c = arg;

	return c->refused + c->granted + c->other == c->n;
}

static void cycle_end(const char *how)
{
	int i;

	if (!swarm_wait(cycle_is_over, &cycle, LOCK_SECONDS * 2))
		bail("%d agents %s: %d refused, %d granted, the others wait", cycle.n, how,
		     cycle.refused, cycle.granted);
	for (i = 0; i < cycle.n; i++) {
		pthread_join(cycle.links[i].call.thread, NULL);
		close(cycle.links[i].call.fd);
	}
	is(cycle.refused, 1, "%d agents %s: exactly one EDEADLK", cycle.n, how);
	is(cycle.granted, cycle.n - 1, "%d agents %s: the others are granted", cycle.n, how);
	is(cycle.other, 0, "%d agents %s: no other error", cycle.n, how);
	lock_none_left("after a cycle");
}

/* All at once; whoever comes last is refused. */
static void test_at_once(int n)
{
	long long deadlocks = swarm_stat("locks_deadlocks");
	int i;

	cycle_begin(n);
	for (i = 0; i < n; i++)
		cycle.links[i].call.thread = lock_start(want_next, &cycle.links[i]);
	cycle_end("at once");
	is(swarm_stat("locks_deadlocks") - deadlocks, 1, "%d agents: it is counted", n);
}

/* All but one wait; then that one is refused. */
static void test_last(int n)
{
	int i, last = n / 2;

	cycle_begin(n);
	for (i = 0; i < n; i++)
		if (i != last)
			cycle.links[i].call.thread = lock_start(want_next, &cycle.links[i]);
	ok(lock_await_waiters(n - 1), "%d agents: all but one wait", n);
	is(cycle.refused, 0, "%d agents: none is refused so far", n);
	cycle.links[last].call.thread = lock_start(want_next, &cycle.links[last]);
	cycle_end("one by one");
}

/*
 * Agent 1 holds a shared, 2 wants it exclusively; 3, who holds b, waits behind 2
 * only; so 1 must not wait for b.
 */
static void test_through_queue(void)
{
	struct lock_call second, third;

	swarm_cmd("lock %llu 1 shared", buffers[0]);
	swarm_cmd("lock %llu 3 exclusive", buffers[1]);
	lock_post(&second, "lock %llu 2 exclusive", buffers[0]);
	lock_await_waiters(1);
	lock_post(&third, "lock %llu 3 shared", buffers[0]);
	lock_await_waiters(2);
	is_errno(swarm_cmd("lock %llu 1 shared", buffers[1]), EDEADLK,
		 "a cycle through the queue is one");
	is_errno(swarm_cmd("lock %llu 4 shared 0", buffers[1]), ETIMEDOUT, "not for agent 4");
	swarm_cmd("unlock %llu 1", buffers[0]);
	is_errno(lock_result(&second), 0, "the second is granted");
	is_errno(swarm_cmd("lock %llu 1 shared 0", buffers[1]), ETIMEDOUT,
		 "agent 1 might wait then");
	swarm_cmd("unlock %llu 2", buffers[0]);
	is_errno(lock_result(&third), 0, "then the third");
	swarm_cmd("unlock %llu 3\nunlock %llu 3\n", buffers[0], buffers[1]);
	lock_none_left("after the queue");
}

/*
 * The model: agents 1 to CHAIN, of which each but the last waits for the next all
 * the time; and what they hold of TABLE buffers, on which nobody stays waiting.
 */
static char model[TABLE][CHAIN + 1];	/* 0, 's' or 'x' */

/* What asking for @mode must return: 0, EALREADY, EDEADLK, or EAGAIN: it waits. */
static int model_expect(int b, int agent, char mode)
{
	int other, err = model[b][agent] == mode ? EALREADY : 0;

	if (err || model[b][agent] == 'x')
		return err;
	for (other = 1; other <= CHAIN && err != EDEADLK; other++) {
		if (other == agent || !model[b][other] ||
		    (model[b][other] != 'x' && mode != 'x'))
			continue;
		/* Who is before @agent in the chain waits for it in the end. */
		err = other < agent ? EDEADLK : EAGAIN;
	}
	return err;
}

struct tally {
	long ops, wrong, refused, waited;
};

static void model_lock(int fd, int b, int agent, __u64 *random, struct tally *tally)
{
	char mode = lock_random(random, 3) ? 's' : 'x';
	int want = model_expect(b, agent, mode), got;
	/* To time out takes a tick, so few do. */
	bool nowait = want == EAGAIN && lock_random(random, 4);

	got = lock_run(fd, "lock %llu %d %s %s", buffers[b], agent,
		       mode == 's' ? "shared" : "exclusive", nowait ? "nowait" : "0");
	if (want == EAGAIN && !nowait) {
		want = ETIMEDOUT;
		tally->waited++;
	}
	if (!want)
		model[b][agent] = mode;
	tally->refused += want == EDEADLK;
	tally->ops += want != EDEADLK;
	if (got == want)
		return;
	if (!tally->wrong++)
		note("agent %d, buffer %d, %c: got %d (%s), want %d", agent, b, mode, got,
		     strerror(got), want);
}

static void model_unlock(int fd, int b, int agent, struct tally *tally)
{
	int want = model[b][agent] ? 0 : ENOENT;
	int got = lock_run(fd, "unlock %llu %d", buffers[b], agent);

	model[b][agent] = 0;
	tally->ops++;
	if (got == want)
		return;
	if (!tally->wrong++)
		note("agent %d, buffer %d, unlock: got %d (%s)", agent, b, got, strerror(got));
}

/* Whether `locks` says of the buffers of the model what it says. */
static bool model_agrees(void)
{
	struct swarm_table t;
	long held = 0, same = 0;
	int b, agent;
	long row;

	swarm_load(&t, "locks");
	for (b = 0; b < TABLE; b++)
		for (agent = 1; agent <= CHAIN; agent++)
			held += !!model[b][agent];
	for (row = 0; row < t.rows; row++)
		for (b = 0; b < TABLE; b++)
			if (swarm_u64(&t, row, "BUFFER") == buffers[b])
				same += model[b][swarm_u64(&t, row, "AGENT")] ==
					(*swarm_cell(&t, row, "MODE") == 's' ? 's' : 'x') ? 1 : -1;
	swarm_unload(&t);
	return held == same;
}

static void test_model(__u64 seed)
{
	static struct lock_call calls[CHAIN];
	int i, b, agent, fd = swarm_open("control", O_WRONLY);
	struct tally tally = { 0 };
	time_t start = time(NULL);

	/* Buffer TABLE + i is what agent i waits for; the next agent has it. */
	for (i = 1; i < CHAIN; i++)
		if (lock_run(fd, "lock %llu %d exclusive", buffers[TABLE + i], i + 1))
			bail("beginning the chain");
	for (i = 1; i < CHAIN; i++)
		lock_post(&calls[i], "lock %llu %d shared", buffers[TABLE + i], i);
	ok(lock_await_waiters(CHAIN - 1), "%d agents wait in a chain", CHAIN - 1);
	while (tally.ops < MODEL_OPS && !tally.wrong) {
		b = lock_random(&seed, TABLE);
		agent = 1 + lock_random(&seed, CHAIN);
		if (lock_random(&seed, 3))
			model_unlock(fd, b, agent, &tally);
		else
			model_lock(fd, b, agent, &seed, &tally);
	}
	note("%ld operations and %ld deadlocks, %ld waited, in %ld s", tally.ops, tally.refused,
	     tally.waited, time(NULL) - start);
	is(tally.wrong, 0, "the results are those of the model");
	ok(tally.refused > 0 && tally.waited > 0, "with deadlocks and with waits among them");
	ok(model_agrees(), "and so is what is held");
	for (b = 0; b < TABLE; b++)
		for (agent = 1; agent <= CHAIN; agent++)
			if (model[b][agent])
				lock_run(fd, "unlock %llu %d", buffers[b], agent);
	for (i = CHAIN - 1; i > 0; i--) {
		lock_run(fd, "unlock %llu %d", buffers[TABLE + i], i + 1);
		is_errno(lock_result(&calls[i]), 0, "agent %d in the chain is granted", i);
		lock_run(fd, "unlock %llu %d", buffers[TABLE + i], i);
	}
	close(fd);
	lock_none_left("after the model");
}

/* Who has a place: readers in units, a writer in thousands. */
static atomic_int places[PLACES];

struct worker {
	pthread_t thread;
	__u64 random;
	int agent, wrong, error;
};

static bool place_enter(int place, bool write)
{
	int before = atomic_fetch_add(&places[place], write ? 1000 : 1);

	return write ? !before : before < 1000;
}

static atomic_long ordered_ops;		/* locks and unlocks done */

/* Locks several places in rising order, all in one write, and gives them back. */
static void work(struct worker *w, int fd)
{
	bool write_mode[BATCH];
	int chosen[BATCH], n = 1 + lock_random(&w->random, BATCH), i, place = -1;
	char text[2 * BATCH * 48];
	ssize_t len = 0, done;

	for (i = 0; i < n; i++) {
		place += 1 + lock_random(&w->random, PLACES / BATCH);
		chosen[i] = place;
		write_mode[i] = !lock_random(&w->random, 3);
		len += sprintf(text + len, "lock %llu %d %s\n", buffers[place], w->agent,
			       write_mode[i] ? "exclusive" : "shared");
	}
	done = write(fd, text, len);
	if (done != len) {
		w->error = done < 0 ? errno : EIO;
		return;
	}
	for (i = 0; i < n; i++)
		w->wrong += !place_enter(chosen[i], write_mode[i]);
	/* So that others meet it, on however many CPUs they run. */
	if (!lock_random(&w->random, HOLD_AGAIN))
		sched_yield();
	for (i = 0, len = 0; i < n; i++) {
		atomic_fetch_sub(&places[chosen[i]], write_mode[i] ? 1000 : 1);
		len += sprintf(text + len, "unlock %llu %d\n", buffers[chosen[i]], w->agent);
	}
	done = write(fd, text, len);
	if (done != len)
		w->error = done < 0 ? errno : EIO;
	atomic_fetch_add(&ordered_ops, 2 * n);
}

static void *worker(void *arg)
{
	struct worker *w = arg;
	int fd = swarm_open("control", O_WRONLY);

	while (atomic_load(&ordered_ops) < ORDERED_OPS && !w->error && !w->wrong)
		work(w, fd);
	close(fd);
	return NULL;
}

/* Locks taken in one order close no cycle. */
static void test_ordered(__u64 seed)
{
	static struct worker workers[WORKERS];
	long long acquired, contended;
	time_t start = time(NULL);
	int i, wrong = 0, errors = 0;

	swarm_cmd("reset_stats");
	for (i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){ .agent = i + 1, .random = seed + i * 7919 };
		workers[i].thread = lock_start(worker, &workers[i]);
	}
	for (i = 0; i < WORKERS; i++) {
		pthread_join(workers[i].thread, NULL);
		wrong += workers[i].wrong;
		errors += !!workers[i].error;
		if (workers[i].error)
			note("agent %d: %s", i + 1, strerror(workers[i].error));
	}
	acquired = swarm_stat("locks_acquired");
	contended = swarm_stat("locks_contended");
	note("%lld locks and as many unlocks, %lld of them contended, in %ld s", acquired,
	     contended, time(NULL) - start);
	is(errors, 0, "locks in one order: none is refused");
	is(wrong, 0, "no agent has what another agent excludes");
	is(swarm_stat("locks_deadlocks"), 0, "stats says so too");
	is(acquired * 2, atomic_load(&ordered_ops), "stats counts each lock");
	ok(acquired * 2 >= ORDERED_OPS, "there were %d operations at least", ORDERED_OPS);
	ok_in_full(contended > ORDERED_OPS / 1000, "many had to wait");
	lock_none_left("after locks in one order");
}

int main(void)
{
	static const int sizes[] = { 2, 3, 50, 1000 };
	__u64 seed = lock_seed();
	size_t i;

	lock_make_agents(AGENTS);
	lock_make_buffers(buffers, AGENTS);
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		test_at_once(sizes[i]);
		test_last(sizes[i]);
	}
	test_through_queue();
	test_model(seed);
	test_ordered(seed);
	lock_free_buffers(buffers, AGENTS);
	return tap_done();
}
