// SPDX-License-Identifier: GPL-2.0-only
/*
 * What ends a wait, at the moment of the grant: a timeout, a signal, the end of
 * the agent, of the process or of the buffer. Either the waiter was told that it
 * has the lock, and has it, or it was told that it has not, and has it not.
 *
 * vm: --load --smp 4 --mem 512 --timeout 900
 */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "gem.h"
#include "lock.h"

#define ROUNDS		scaled(400)
#define SLOW_ROUNDS	scaled(60)	/* with grace periods in them */
#define TIMEOUT_MS	20
#define MORE		10	/* times as many rounds, until there was one of each */
#define SLOW_STEPS	20	/* of an aim; then they become larger */

static __u64 buffer;

static int give(int agent)
{
	return swarm_cmd("unlock %llu %d", buffer, agent);
}

/* The mode in which `locks` says that @agent holds the buffer: 's', 'x' or 0. */
static char held_by(__u64 agent)
{
	struct swarm_table t;
	char mode = 0;
	long row = -1;

	swarm_load(&t, "locks");
	while ((row = swarm_find_u64(&t, row + 1, "AGENT", agent)) >= 0)
		if (!strcmp(swarm_cell(&t, row, "STATE"), "held"))
			mode = *swarm_cell(&t, row, "MODE") == 's' ? 's' : 'x';
	swarm_unload(&t);
	return mode;
}

/*
 * A delay before the unlock, longer after a grant and shorter after none, so that
 * both happen. The more often one comes after the other, the larger the steps: how long
 * anything takes is up to the machine.
 */
struct aim {
	long us, step;
	long granted, refused, wrong;
	int in_row;
	bool last;
};

/* Busy, as a sleep ends at a tick of the clock. */
static void delay(long us)
{
	struct timespec from, now;

	clock_gettime(CLOCK_MONOTONIC, &from);
	do {
		sched_yield();
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - from.tv_sec) * 1000000 + (now.tv_nsec - from.tv_nsec) / 1000 < us);
}

static void aim_at(struct aim *aim, bool granted)
{
	long step = aim->step << (aim->in_row < SLOW_STEPS ? 0 :
				  aim->in_row > 8 * SLOW_STEPS ? 8 : aim->in_row / SLOW_STEPS);

	aim->in_row = granted == aim->last ? aim->in_row + 1 : 0;
	aim->last = granted;
	aim->us += granted ? step : -step;
	if (aim->us < 0)
		aim->us = 0;
}

/* Round @i is to be, of @rounds, or of more until both have happened. */
static bool goes_on(const struct aim *aim, int i, int rounds)
{
	if (aim->wrong)
		return false;
	return i < rounds || (scaled(100) >= 100 && i < MORE * rounds &&
			      !(aim->granted && aim->refused));
}

static void report(const struct aim *aim, const char *what, int rounds)
{
	is(aim->wrong, 0, "%s: %d rounds, what waiters were told is so", what, rounds);
	ok_in_full(aim->granted > 0 && aim->refused > 0, "%s: granted %ld times, refused %ld",
		   what, aim->granted, aim->refused);
	lock_none_left("after the races");
}

/* One more waiter of agent 2 got @err: is it so? @before: what it held before. */
static void judge(struct aim *aim, int err, int refusal, char before)
{
	char mode = held_by(2);

	aim->granted += !err;
	aim->refused += err == refusal;
	if ((err && err != refusal) || mode != (err ? before : 'x')) {
		note("told %d (%s), but holds %c", err, strerror(err), mode ?: '-');
		aim->wrong++;
	}
	if (give(2) != (mode ? 0 : ENOENT))
		aim->wrong++;
	if (lock_rows("held") || lock_rows("waiting"))
		aim->wrong++;
}

/* Agent 1 unlocks about when the wait of agent 2 is over. */
static void test_timeout(void)
{
	struct aim aim = { .us = TIMEOUT_MS * 1000, .step = 500 };
	struct lock_call waiter;
	int i, err;

	for (i = 0; goes_on(&aim, i, ROUNDS); i++) {
		swarm_cmd("lock %llu 1 exclusive", buffer);
		lock_post(&waiter, "lock %llu 2 exclusive %d", buffer, TIMEOUT_MS);
		delay(aim.us);
		give(1);
		err = lock_result(&waiter);
		aim_at(&aim, !err);
		judge(&aim, err, ETIMEDOUT, 0);
	}
	report(&aim, "a timeout", ROUNDS);
}

struct unlocker {
	pthread_t thread;
	long us;
	atomic_bool go;
	int fd;
};

static void *unlock_at(void *arg)
{
	struct unlocker *u = arg;

	while (!u->go)
		sched_yield();
	delay(u->us);
	lock_run(u->fd, "unlock %llu 1", buffer);
	return NULL;
}

static void unlocker_begin(struct unlocker *u, long us)
{
	*u = (struct unlocker){ .us = us, .fd = swarm_open("control", O_WRONLY) };
	if (u->fd < 0)
		bail("opening control");
	u->thread = lock_start(unlock_at, u);
}

static void unlocker_end(struct unlocker *u)
{
	pthread_join(u->thread, NULL);
	close(u->fd);
}

/* @before: what agent 2 holds while it waits: nothing, or shared */
static void test_signal(char before)
{
	struct aim aim = { .us = 100, .step = 5 };
	struct lock_call waiter;
	struct unlocker u;
	int i, err;

	for (i = 0; goes_on(&aim, i, ROUNDS); i++) {
		swarm_cmd("lock %llu 1 %s", buffer, before ? "shared" : "exclusive");
		if (before)
			swarm_cmd("lock %llu 2 shared", buffer);
		lock_post(&waiter, "lock %llu 2 exclusive", buffer);
		lock_await_waiters(1);
		unlocker_begin(&u, aim.us);
		u.go = true;
		delay(100);
		pthread_kill(waiter.thread, SIGUSR1);
		err = lock_result(&waiter);
		unlocker_end(&u);
		aim_at(&aim, !err);
		judge(&aim, err, EINTR, before);
	}
	report(&aim, before ? "a signal while upgrading" : "a signal", ROUNDS);
}

/* Agent 2 goes; agent 3, behind it, gets the lock in any case. */
static void test_remove(void)
{
	struct aim aim = { .us = 3000, .step = 500 };
	struct lock_call second, third;
	struct unlocker u;
	int i, err;

	for (i = 0; goes_on(&aim, i, SLOW_ROUNDS); i++) {
		swarm_cmd("lock %llu 1 exclusive", buffer);
		lock_post(&second, "lock %llu 2 exclusive", buffer);
		lock_await_waiters(1);
		lock_post(&third, "lock %llu 3 exclusive", buffer);
		lock_await_waiters(2);
		unlocker_begin(&u, aim.us);
		u.go = true;
		if (swarm_cmd("remove_agent 2"))
			aim.wrong++;
		err = lock_result(&second);
		unlocker_end(&u);
		aim.granted += !err;
		aim.refused += err == ENOENT;
		aim.wrong += err && err != ENOENT;
		aim_at(&aim, !err);
		if (lock_result(&third) || held_by(2) || held_by(3) != 'x')
			aim.wrong++;
		give(3);
		swarm_cmd("create_agent 2");
	}
	report(&aim, "the end of the agent", SLOW_ROUNDS);
}

/* An agent that is told that it has the lock loses it when it is removed. */
static void test_remove_holder(void)
{
	struct lock_call waiter;

	swarm_cmd("lock %llu 2 exclusive", buffer);
	lock_post(&waiter, "lock %llu 3 shared", buffer);
	lock_await_waiters(1);
	is_errno(swarm_cmd("remove_agent 2"), 0, "holder removed: a holder is removed");
	is_errno(lock_result(&waiter), 0, "holder removed: the lock that waited for it is granted");
	is_errno(give(2), ENOENT, "holder removed: the holder has nothing");
	give(3);
	swarm_cmd("create_agent 2");
	lock_none_left("after a holder was removed");
}

static pid_t wait_in_process(void)
{
	pid_t pid = fork();

	if (pid < 0)
		bail("fork");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	_exit(swarm_cmd("lock %llu 2 exclusive", buffer));
}

/* A process that is killed leaves no waiter; granted before, its agent has it. */
static void test_kill(void)
{
	struct aim aim = { .us = 100, .step = 10 };
	struct unlocker u;
	int i, status;
	char mode;
	pid_t pid;

	for (i = 0; goes_on(&aim, i, ROUNDS / 2); i++) {
		swarm_cmd("lock %llu 1 exclusive", buffer);
		pid = wait_in_process();
		lock_await_waiters(1);
		unlocker_begin(&u, aim.us);
		u.go = true;
		delay(100);
		kill(pid, SIGKILL);
		if (waitpid(pid, &status, 0) != pid)
			bail("waitpid");
		unlocker_end(&u);
		mode = held_by(2);
		aim.granted += mode == 'x';
		aim.refused += !mode;
		/* A process that ended by itself was told. */
		if (lock_rows("waiting") || (WIFEXITED(status) && mode != 'x'))
			aim.wrong++;
		aim_at(&aim, mode);
		if (give(2) != (mode ? 0 : ENOENT))
			aim.wrong++;
	}
	report(&aim, "SIGKILL", ROUNDS / 2);
}

/* The id of the only real buffer */
static __u64 real_buffer(void)
{
	struct swarm_table t;
	__u64 id = 0;
	long row;

	swarm_load(&t, "allocations");
	row = swarm_find(&t, 0, "KIND", "gem");
	if (row < 0)
		bail("no real buffer");
	id = swarm_u64(&t, row, "ID");
	swarm_unload(&t);
	return id;
}

/* A buffer is freed when agent 1 has it locked, and others wait. */
static void test_freed(int card)
{
	struct lock_call waiters[4];
	__u64 ledger = buffer;
	__u32 handle;
	int i;

	if (gem_create(card, 4096, &handle))
		bail("creating a buffer");
	buffer = real_buffer();
	is_errno(swarm_cmd("lock %llu 1 shared", buffer), 0,
		 "real buffer freed: a real buffer is locked");
	for (i = 0; i < 4; i++) {
		lock_post(&waiters[i], "lock %llu %d exclusive %s", buffer, i + 1,
			  i % 2 ? "600000" : "");
		/* The first upgrades: no other agent has it, so it is granted. */
		if (i)
			lock_await_waiters(i);
		else
			is_errno(lock_result(&waiters[0]), 0,
				 "real buffer freed: agent 1 upgrades its lock");
	}
	is_errno(gem_destroy(card, handle), 0, "real buffer freed: the buffer is freed");
	for (i = 1; i < 4; i++)
		is_errno(lock_result(&waiters[i]), ENOENT,
			 "real buffer freed: waiter %d gets ENOENT", i);
	is_errno(give(1), ENOENT, "real buffer freed: there is nothing to unlock");
	lock_none_left("after a buffer was freed");
	buffer = ledger;
}

static void test_freed_at_grant(int card)
{
	struct aim aim = { .us = 50, .step = 5 };
	struct lock_call waiter;
	__u64 ledger = buffer;
	struct unlocker u;
	__u32 handle;
	int i, err;

	for (i = 0; goes_on(&aim, i, ROUNDS); i++) {
		if (gem_create(card, 4096, &handle))
			bail("creating a buffer");
		buffer = real_buffer();
		swarm_cmd("lock %llu 1 exclusive", buffer);
		lock_post(&waiter, "lock %llu 2 exclusive", buffer);
		lock_await_waiters(1);
		unlocker_begin(&u, aim.us);
		u.go = true;
		delay(50);
		gem_destroy(card, handle);
		err = lock_result(&waiter);
		unlocker_end(&u);
		aim.granted += !err;
		aim.refused += err == ENOENT;
		aim.wrong += err && err != ENOENT;
		aim_at(&aim, !err);
		if (lock_rows("held") || lock_rows("waiting") || give(2) != ENOENT)
			aim.wrong++;
	}
	report(&aim, "the end of the buffer", ROUNDS);
	buffer = ledger;
}

int main(void)
{
	int card = gem_open("vgem");

	if (card < 0)
		bail("no vgem");
	lock_make_agents(4);
	lock_make_buffers(&buffer, 1);
	test_timeout();
	test_signal(0);
	test_signal('s');
	test_remove();
	test_remove_holder();
	test_kill();
	test_freed(card);
	test_freed_at_grant(card);
	lock_free_buffers(&buffer, 1);
	return tap_done();
}
