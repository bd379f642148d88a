// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks of buffers: every pair of what is held and what is asked, by the same owner and
 * another, that fails at once, times out or blocks, of agents by command, and of one that is
 * an open file of /dev/gpu_dma_lock; what the tables and counters say; the order of the
 * queue; what is malformed.
 *
 * vm: --load --mem 512 --timeout 300
 */
#define _GNU_SOURCE
#include "lock.h"

enum mode { NONE, SHARED, EXCLUSIVE };

static const char * const modes[] = { "-", "shared", "exclusive" };

/* Agent 1 asks; EAGAIN means that it has to wait for agent 2. */
static const struct pair {
	enum mode own, other, asked;
	int err;
} pairs[] = {
	{ NONE, NONE, SHARED, 0 },
	{ NONE, NONE, EXCLUSIVE, 0 },
	{ SHARED, NONE, SHARED, EALREADY },
	{ SHARED, NONE, EXCLUSIVE, 0 },
	{ EXCLUSIVE, NONE, SHARED, 0 },
	{ EXCLUSIVE, NONE, EXCLUSIVE, EALREADY },
	{ NONE, SHARED, SHARED, 0 },
	{ NONE, SHARED, EXCLUSIVE, EAGAIN },
	{ NONE, EXCLUSIVE, SHARED, EAGAIN },
	{ NONE, EXCLUSIVE, EXCLUSIVE, EAGAIN },
	{ SHARED, SHARED, SHARED, EALREADY },
	{ SHARED, SHARED, EXCLUSIVE, EAGAIN },
};

static __u64 buffer;
static int file = -1, of_file = -1; /* an open file, and the agent that it locks for */

/* An ioctl that must not wait has the timeout 0, which a command spells otherwise. */
static int file_take(enum mode mode, const char *how)
{
	return device_lock(file, buffer, mode == EXCLUSIVE,
			   !*how ? GPU_DMA_LOCK_FOREVER : *how == 'n' ? 0 : atoi(how));
}

static int take(int agent, enum mode mode, const char *how)
{
	if (agent == of_file)
		return file_take(mode, how);
	return swarm_cmd("lock %llu %d %s %s", buffer, agent, modes[mode], how);
}

static int give(int agent)
{
	if (agent == of_file)
		return device_unlock(file, buffer);
	return swarm_cmd("unlock %llu %d", buffer, agent);
}

static void post(struct lock_call *call, int agent, enum mode mode)
{
	if (agent == of_file)
		lock_post_file(call, file, buffer, mode == EXCLUSIVE);
	else
		lock_post(call, "lock %llu %d %s", buffer, agent, modes[mode]);
}

/* What `locks` says that @agent holds. */
static enum mode held_by(__u64 agent)
{
	enum mode mode = NONE;
	struct swarm_table t;
	long row = -1;

	swarm_load(&t, "locks");
	while ((row = swarm_find_u64(&t, row + 1, "AGENT", agent)) >= 0) {
		if (strcmp(swarm_cell(&t, row, "STATE"), "held"))
			continue;
		mode = strcmp(swarm_cell(&t, row, "MODE"), "shared") ? EXCLUSIVE : SHARED;
	}
	swarm_unload(&t);
	return mode;
}

static bool lock_column_is(enum mode mode)
{
	struct swarm_table t;
	bool pass;

	swarm_load(&t, "allocations");
	pass = !strcmp(swarm_cell(&t, swarm_find_u64(&t, 0, "ID", buffer), "LOCK"), modes[mode]);
	swarm_unload(&t);
	return pass;
}

/* What every table has to say while agents 1 and 2 hold the buffer so. */
static void check_held(enum mode own, enum mode other, const char *name)
{
	ok(held_by(1) == own && held_by(2) == other, "%s: locks: agent 1 %s, agent 2 %s", name,
	   modes[own], modes[other]);
	is(swarm_get("agents", "ID", 1, "LOCKS"), own != NONE, "%s: LOCKS of agent 1", name);
	is(swarm_get("agents", "ID", 2, "LOCKS"), other != NONE, "%s: LOCKS of agent 2", name);
	ok(lock_column_is(own > other ? own : other), "%s: LOCK", name);
}

static void check_waiting(const struct pair *pair, const char *name)
{
	struct swarm_table t;
	long row;

	is(swarm_get("agents", "ID", 1, "WAITING"), 1, "%s: WAITING", name);
	swarm_load(&t, "locks");
	row = swarm_find(&t, 0, "STATE", "waiting");
	is(row, t.rows - 1, "%s: the waiter is the last row", name);
	is(swarm_u64(&t, row, "BUFFER"), buffer, "%s: BUFFER", name);
	is_str(swarm_cell(&t, row, "KIND"), of_file == 1 ? "file" : "lock", "%s: KIND", name);
	is_str(swarm_cell(&t, row, "MODE"), modes[pair->asked], "%s: MODE", name);
	is(swarm_u64(&t, row, "AGENT"), 1, "%s: AGENT", name);
	is(swarm_u64(&t, row, "PID"), getpid(), "%s: PID", name);
	is_str(swarm_cell(&t, row, "COMM"), "lock_table", "%s: COMM", name);
	ok(swarm_u64(&t, row, "AGE_MS") < 60000, "%s: AGE_MS", name);
	is_str(swarm_cell(&t, row, "BLOCKED_BY"), "2", "%s: BLOCKED_BY", name);
	is_str(swarm_cell(&t, 0, "BLOCKED_BY"), "-", "%s: no holder is blocked", name);
	is(t.ragged, 0, "%s: no ragged line", name);
	swarm_unload(&t);
	check_held(pair->own, pair->other, name);
	is_errno(swarm_cmd("free %llu", buffer), EBUSY, "%s: it cannot be freed", name);
}

static void begin(const struct pair *pair)
{
	if ((pair->own && take(1, pair->own, "nowait")) ||
	    (pair->other && take(2, pair->other, "nowait")))
		bail("no pair %s, %s", modes[pair->own], modes[pair->other]);
}

static void end(const char *name)
{
	give(1);
	give(2);
	lock_none_left(name);
}

static void test_pair(const struct pair *pair)
{
	enum mode after = pair->err ? pair->own : pair->asked;
	bool waits = pair->err == EAGAIN;
	struct lock_call call;
	char name[96];

	snprintf(name, sizeof(name), "%s%s, other%s %s, asks %s", of_file == 1 ? "file: " : "",
		 modes[pair->own], of_file == 2 ? " file" : "", modes[pair->other],
		 modes[pair->asked]);
	begin(pair);
	is_errno(take(1, pair->asked, "nowait"), pair->err, "%s: nowait", name);
	check_held(after, pair->other, name);
	end(name);
	begin(pair);
	is_errno(take(1, pair->asked, "30"), waits ? ETIMEDOUT : pair->err, "%s: 30 ms", name);
	check_held(after, pair->other, name);
	end(name);
	begin(pair);
	is_errno(take(1, pair->asked, waits ? "1" : ""), waits ? ETIMEDOUT : pair->err,
		 "%s: %s", name, waits ? "1 ms" : "blocking");
	if (waits) {
		post(&call, 1, pair->asked);
		ok(lock_await_waiters(1), "%s: waits", name);
		check_waiting(pair, name);
		is_errno(give(2), 0, "%s: agent 2 unlocks", name);
		is_errno(lock_result(&call), 0, "%s: granted", name);
		check_held(pair->asked, NONE, name);
		is(swarm_get("agents", "ID", 1, "WAITING"), 0, "%s: WAITING", name);
	}
	end(name);
}

static void test_pairs(void)
{
	size_t i;

	for (i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		test_pair(&pairs[i]);
}

/* The same, where agent @agent is an open file, of a process that is bound to it. */
static void test_pairs_with_file(int agent)
{
	__u64 agents_buffer = buffer;

	if (swarm_cmd("bind %d pid:%d", agent, getpid()) ||
	    swarm_allocate(agent, 4096, swarm_device(NULL), &buffer))
		bail("a buffer for an open file");
	file = device_open();
	of_file = agent;
	test_pairs();
	of_file = -1;
	close(file);
	swarm_cmd("unbind %d pid:%d", agent, getpid());
	lock_free_buffers(&buffer, 1);
	buffer = agents_buffer;
}

static void test_two_upgraders(void)
{
	long long deadlocks = swarm_stat("locks_deadlocks");
	struct lock_call call;

	take(1, SHARED, "");
	take(2, SHARED, "");
	lock_post(&call, "lock %llu 1 exclusive", buffer);
	lock_await_waiters(1);
	is_errno(take(2, EXCLUSIVE, ""), EDEADLK,
		 "two upgrades: of two upgraders the second gets EDEADLK");
	is(swarm_stat("locks_deadlocks") - deadlocks, 1, "two upgrades: it is counted");
	ok(held_by(1) == SHARED && held_by(2) == SHARED, "two upgrades: both keep what they had");
	is_errno(take(1, EXCLUSIVE, "nowait"), EAGAIN,
		 "two upgrades: the first is no other upgrader to itself");
	is_errno(give(1), 0, "two upgrades: the first unlocks while it waits");
	is(lock_rows("waiting"), 1, "two upgrades: and waits on");
	is_errno(give(2), 0, "two upgrades: the second unlocks");
	is_errno(lock_result(&call), 0, "two upgrades: the first is granted");
	check_held(EXCLUSIVE, NONE, "upgraded");
	end("after two upgraders");
}

/* From exclusive to shared at once, which lets waiting readers in. */
static void test_downgrade(void)
{
	struct lock_call reader, writer;

	take(1, EXCLUSIVE, "");
	lock_post(&reader, "lock %llu 2 shared", buffer);
	lock_await_waiters(1);
	lock_post(&writer, "lock %llu 3 exclusive", buffer);
	lock_await_waiters(2);
	is_errno(take(1, SHARED, "nowait"), 0,
		 "from exclusive to shared: a holder goes down to shared");
	is_errno(lock_result(&reader), 0,
		 "from exclusive to shared: the reader that waited is granted");
	check_held(SHARED, SHARED, "gone down");
	is(lock_rows("waiting"), 1, "from exclusive to shared: the writer waits on");
	give(1);
	give(2);
	is_errno(lock_result(&writer), 0, "from exclusive to shared: until both are gone");
	give(3);
	end("after going down");
}

/* Two processes of one agent wait: what the first gets the second has already. */
static void test_same_agent_twice(void)
{
	struct lock_call calls[2];
	int i, errs = 0;

	take(2, EXCLUSIVE, "");
	for (i = 0; i < 2; i++) {
		lock_post(&calls[i], "lock %llu 1 shared", buffer);
		lock_await_waiters(i + 1);
	}
	is(swarm_get("agents", "ID", 1, "WAITING"), 2,
	   "two waits of one agent: an agent waits twice");
	give(2);
	for (i = 0; i < 2; i++)
		errs += lock_result(&calls[i]);
	is_errno(errs, EALREADY, "two waits of one agent: one gets it, the other has it already");
	end("after one agent waited twice");
}

/* Whether row @row is of that agent in that state, blocked by those. */
static bool row_is(const struct swarm_table *t, long row, const char *state, __u64 agent,
		   const char *blockers)
{
	if (row < t->rows && !strcmp(swarm_cell(t, row, "STATE"), state) &&
	    swarm_u64(t, row, "AGENT") == agent &&
	    !strcmp(swarm_cell(t, row, "BLOCKED_BY"), blockers))
		return true;
	note("row %ld is not %s by agent %llu, blocked by %s", row, state, agent, blockers);
	return false;
}

static void check_queue(void)
{
	struct swarm_table t;
	bool pass = true;

	swarm_load(&t, "locks");
	is(t.rows, 6, "queue: a row a holder and a waiter");
	pass &= row_is(&t, 0, "held", 1, "-");
	pass &= row_is(&t, 1, "held", 2, "-");
	pass &= row_is(&t, 2, "waiting", 1, "2");
	pass &= row_is(&t, 3, "waiting", 3, "1,2");
	pass &= row_is(&t, 4, "waiting", 4, "1,3");
	pass &= row_is(&t, 5, "waiting", 5, "1,2,3,4");
	ok(pass, "queue: holders first, then waiters as they are queued, the upgrade first");
	swarm_unload(&t);
}

/* By single bytes the same rows come, except for the column AGE_MS. */
static void check_by_bytes(void)
{
	struct swarm_table whole, bytes;
	long row, same = 0;
	int i;

	swarm_load(&whole, "locks");
	swarm_parse(&bytes, swarm_read_by("locks", 1));
	for (row = 0; row < whole.rows && row < bytes.rows; row++)
		for (i = 0; i < whole.columns; i++)
			same += i == swarm_column(&whole, "AGE_MS") ||
				!strcmp(whole.cell[(row + 1) * whole.columns + i],
					bytes.cell[(row + 1) * whole.columns + i]);
	is(bytes.rows, whole.rows, "read by single bytes: as many rows");
	is(same, whole.rows * whole.columns, "queue: with the same cells");
	swarm_unload(&whole);
	swarm_unload(&bytes);
}

/* Agents 1 and 2 hold; 3 to 5 queue up, then 1 wants to upgrade. */
static void test_queue(void)
{
	static const struct {
		int agent;
		enum mode mode;
	} waiters[] = { { 3, EXCLUSIVE }, { 4, SHARED }, { 5, EXCLUSIVE }, { 1, EXCLUSIVE } };
	static const int grants[] = { 3, 0, 1, 2 };	/* places in waiters */
	struct lock_call calls[4];
	int i, agent = 2;

	take(1, SHARED, "");
	take(2, SHARED, "");
	for (i = 0; i < 4; i++) {
		lock_post(&calls[i], "lock %llu %d %s", buffer, waiters[i].agent,
			  modes[waiters[i].mode]);
		lock_await_waiters(i + 1);
	}
	is_errno(take(4, EXCLUSIVE, "nowait"), EAGAIN, "queue: nobody overtakes the queue");
	check_queue();
	check_by_bytes();
	for (i = 0; i < 4; i++) {
		give(agent);
		agent = waiters[grants[i]].agent;
		is_errno(lock_result(&calls[grants[i]]), 0,
			 "queue: then agent %d is granted", agent);
		ok(held_by(agent) == waiters[grants[i]].mode, "queue: as it asked");
		is(lock_rows("waiting"), 3 - i, "queue: the others wait on");
	}
	give(agent);
	lock_none_left("after the queue");
}

static void test_malformed(void)
{
	static const struct {
		const char *fmt;
		int err;
	} commands[] = {
		{ "lock", EINVAL },
		{ "lock %llu", EINVAL },
		{ "lock %llu 1", EINVAL },
		{ "lock %llu 1 read", EINVAL },
		{ "lock %llu 1 Shared", EINVAL },
		{ "lock %llu 1 shared later", EINVAL },
		{ "lock %llu 1 shared -1", EINVAL },
		{ "lock %llu 1 shared 1.5", EINVAL },
		{ "lock %llu 1 shared 10 10", EINVAL },
		{ "lock %llu x shared", ENOENT },
		{ "lock %llu +x shared", EINVAL },
		{ "lock x%llu 1 shared", EINVAL },
		{ "lock %llu 99999999999999999999 shared", ERANGE },
		{ "lock %llu 1 shared 99999999999999999999", ERANGE },
		{ "lock %llu 77 shared", ENOENT },
		{ "lock %llu777 1 shared", ENOENT },
		{ "unlock %llu", EINVAL },
		{ "unlock %llu 1 1", EINVAL },
		{ "unlock %llu 1", ENOENT },
		{ "unlock %llu 77", ENOENT },
		{ "unlock %llu777 1", ENOENT },
	};
	char text[128];
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		snprintf(text, sizeof(text), commands[i].fmt, buffer);
		is_errno(swarm_cmd("%s", text), commands[i].err, "%s", text);
	}
	lock_none_left("by malformed commands");
}

static void test_stats(void)
{
	struct timespec pause = { .tv_nsec = 100000000 };
	struct lock_call call;

	swarm_cmd("reset_stats");
	is(swarm_stat("locks_acquired"), 0, "stats: locks_acquired begins at 0");
	is(swarm_stat("locks_wait_longest_ns"), 0, "stats: locks_wait_longest_ns too");
	take(2, EXCLUSIVE, "");
	take(1, SHARED, "nowait");
	take(1, SHARED, "30");
	is(swarm_stat("locks_timeouts"), 1, "stats: locks_timeouts");
	ok(swarm_stat("locks_wait_total_ns") >= 20000000, "stats: locks_wait_total_ns");
	lock_post(&call, "lock %llu 1 shared", buffer);
	lock_await_waiters(1);
	swarm_wait(lock_is_asleep, &call, LOCK_SECONDS);
	nanosleep(&pause, NULL);
	give(2);
	lock_result(&call);
	is(swarm_stat("locks_acquired"), 2, "stats: locks_acquired");
	is(swarm_stat("locks_contended"), 3, "stats: locks_contended");
	is(swarm_stat("locks_deadlocks"), 0, "stats: locks_deadlocks");
	is(swarm_stat("locks_timeouts"), 1, "stats: locks_timeouts of the timed out only");
	ok(swarm_stat("locks_wait_longest_ns") >= 100000000, "stats: locks_wait_longest_ns");
	ok(swarm_stat("locks_wait_total_ns") >= swarm_stat("locks_wait_longest_ns") + 20000000,
	   "stats: locks_wait_total_ns is of all waits");
	end("after the counters");
}

static void test_signal(void)
{
	struct sigaction action = { .sa_handler = lock_interrupted, .sa_flags = SA_RESTART };
	struct lock_call call;

	take(2, EXCLUSIVE, "");
	lock_post(&call, "lock %llu 1 shared", buffer);
	sigaction(SIGUSR1, &action, NULL);
	lock_await_waiters(1);
	pthread_kill(call.thread, SIGUSR1);
	is_errno(lock_result(&call), EINTR, "signal: a signal ends the wait, also with SA_RESTART");
	is(lock_rows("waiting"), 0, "signal: nobody waits any more");
	is_errno(give(1), ENOENT, "signal: agent 1 has no lock");
	end("after a signal");
}

int main(void)
{
	lock_make_agents(5);
	lock_make_buffers(&buffer, 1);
	test_pairs();
	test_pairs_with_file(1);
	test_pairs_with_file(2);
	test_downgrade();
	test_two_upgraders();
	test_same_agent_twice();
	test_queue();
	test_malformed();
	test_stats();
	test_signal();
	take(0, SHARED, "");
	is_errno(swarm_cmd("free %llu", buffer), EBUSY, "a locked buffer cannot be freed");
	is_errno(give(0), 0, "agent 0 has locks too");
	is_errno(swarm_cmd("free %llu", buffer), 0, "unlocked it can");
	is_errno(take(1, SHARED, ""), ENOENT, "one that was freed cannot be locked");
	lock_none_left("at the end");
	return tap_done();
}
