// SPDX-License-Identifier: GPL-2.0-only
/*
 * Agents are made, removed, bound, unbound and limited, cgroups and processes
 * come and go and the policy changes while buffers of both kinds are charged:
 * the totals add up whenever all rest, and whatever an agent had at its removal
 * is agent 0's or gone.
 *
 * vm: --load --smp 4 --mem 1024 --timeout 240
 * vm: --load --mem 1024 --timeout 240
 */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <sys/mman.h>

#include "cgroup.h"
#include "perm.h"
#include "source.h"
#include "totals.h"
#include "client.h"

#define AGENTS		6
#define CGROUPS		4
#define CLIENTS		5
#define COMMANDERS	3
#define WORKERS		(CLIENTS + COMMANDERS)
#define QUOTA		262144
#define MOST		16	/* buffers that one client has at a time */
#define RECENT		32
#define ROUNDS		scaled(2)
#define ROUND_SECONDS	scaled(7)
#define GONE_SECONDS	60

struct shared {
	atomic_bool stop;
	atomic_llong made;
	atomic_llong done[4];	/* commands that worked: bind, unbind, remove, allocate */
	atomic_int pid[CLIENTS];
};

static struct shared *shared;
static struct client workers[WORKERS];
static __u64 device;

static void cgroup_name(char *name, size_t size, int i)
{
	/* Each is inside the one before it. */
	snprintf(name, size, "%.*s", 2 * i + 1, "a/b/c/d");
}

/* A cgroup or a process to bind; a number tells which. */
static void target(char *text, size_t size, long n)
{
	char name[16];

	if (n % 2) {
		snprintf(text, size, "pid:%d", shared->pid[n / 2 % CLIENTS]);
	} else {
		cgroup_name(name, sizeof(name), n / 2 % CGROUPS);
		snprintf(text, size, "cgroup:%s", name);
	}
}

static void count(int what, int err)
{
	if (!err)
		atomic_fetch_add(&shared->done[what], 1);
}

/* Any command may fail here: what it names may have gone. */
static void command_once(void)
{
	static const char * const policies[] = { "off", "audit", "audit", "enforce" };
	long agent = 1 + random() % AGENTS, n = random();
	static __u64 recent[RECENT];
	__u64 *id = &recent[random() % RECENT];
	char text[64];

	target(text, sizeof(text), random());
	switch (n % 32) {
	case 0 ... 3:
		count(2, swarm_cmd("remove_agent %ld\n", agent));
		break;
	case 4 ... 7:
		swarm_cmd("create_agent %ld %d\n", agent, QUOTA);
		break;
	case 8 ... 13:
		count(0, swarm_cmd("bind %ld %s\n", agent, text));
		break;
	case 14 ... 17:
		/* Whose it is, if anybody's */
		for (agent = 1; agent <= AGENTS; agent++)
			count(1, swarm_cmd("unbind %ld %s\n", agent, text));
		break;
	case 18:
		swarm_cmd("set_quota %ld %ld\n", agent, n % QUOTA);
		break;
	case 19:
		swarm_cmd("set_quota %ld %ld %llu\n", agent, n % QUOTA, device);
		break;
	case 20:
		if (random() % 16 == 0)
			swarm_cmd("policy %s\n", policies[random() % 4]);
		break;
	case 21 ... 26:
		count(3, swarm_allocate(agent, 1 + n % 8192, device, id));
		break;
	default:
		swarm_cmd("free %llu\n", *id);
	}
}

/* Client: one that gives commands. */
static long command(long seed, long unused)
{
	(void)unused;
	srandom(seed);
	while (!atomic_load(&shared->stop))
		command_once();
	return 0;
}

static void make_or_drop(void)
{
	enum source_id source = random() % 2 ? SOURCE_VGEM : SOURCE_VIRTIO;
	int fd = -1;

	if (source_stacks[source].count >= MOST || random() % 2) {
		source_drop(source);
		return;
	}
	if (source_make(source, 4096L << random() % 3))
		return;
	atomic_fetch_add(&shared->made, 1);
	if (random() % 2 && !source_export(source, &fd))
		close(fd);
}

static void move_about(void)
{
	long n = random();
	char name[16];

	cgroup_name(name, sizeof(name), random() % CGROUPS);
	switch (n % 64) {
	case 0 ... 3:
		cgroup_make(name);
		cgroup_move(name, getpid());
		break;
	case 4:
		cgroup_move("", getpid());
		break;
	case 5:
		cgroup_try_remove(name);
		break;
	case 6:
		usleep(1000);
		break;
	}
}

/* Client: one that has buffers and moves from cgroup to cgroup. */
static long hold(long seed, long unused)
{
	(void)unused;
	srandom(seed);
	while (!atomic_load(&shared->stop)) {
		make_or_drop();
		move_about();
	}
	return 0;
}

static void start_worker(int i, int seed)
{
	client_start(&workers[i]);
	if (i < CLIENTS)
		atomic_store(&shared->pid[i], workers[i].pid);
	client_post(&workers[i], i < CLIENTS ? hold : command, seed + i, 0);
}

/* All race; now and then one of the holders is killed and another begins. */
static void race(int round)
{
	time_t end = time(NULL) + ROUND_SECONDS;
	int i, seed = round * 1000;

	atomic_store(&shared->stop, false);
	for (i = 0; i < WORKERS; i++)
		start_worker(i, seed);
	for (i = 0; time(NULL) < end; i = (i + 1) % CLIENTS) {
		usleep(200000);
		client_stop(&workers[i], SIGKILL);
		start_worker(i, seed += WORKERS);
	}
	atomic_store(&shared->stop, true);
	for (i = 0; i < WORKERS; i++)
		client_result(&workers[i]);
}

/* What the rows of @agent say, or with -1 all: the bytes of real buffers, and of the ledger. */
static void sum_rows(long agent, __u64 *real, __u64 *ledger)
{
	struct swarm_table t;
	long row;

	*real = 0;
	*ledger = 0;
	swarm_load(&t, "allocations");
	for (row = 0; row < t.rows; row++) {
		if (agent >= 0 && swarm_u64(&t, row, "AGENT") != (__u64)agent)
			continue;
		if (strcmp(swarm_cell(&t, row, "KIND"), "ledger"))
			*real += swarm_u64(&t, row, "SIZE");
		else
			*ledger += swarm_u64(&t, row, "SIZE");
	}
	swarm_unload(&t);
}

/* Whether what an agent has at its removal is agent 0's, or gone. */
static bool remove_one(long agent)
{
	__u64 before, after, unused, real, ledger, has, host;
	bool removed;

	swarm_rest();
	sum_rows(-1, &before, &unused);
	sum_rows(agent, &real, &ledger);
	has = swarm_get("agents", "ID", agent, "USED");
	host = swarm_get("agents", "ID", 0, "USED");
	note("agent %ld: %llu bytes real, %llu ledger", agent, real, ledger);
	removed = !swarm_cmd("remove_agent %ld\n", agent);
	host = swarm_get("agents", "ID", 0, "USED") - host;
	sum_rows(-1, &after, &unused);
	if (after != before) {
		note("a driver has freed a buffer meanwhile");
		return removed;
	}
	return removed && has == real + ledger && host == real;
}

/* At rest, with what the holders have: each agent is removed, one by one. */
static void remove_agents(void)
{
	struct swarm_table t;
	bool pass = true;
	long agent;

	for (agent = 1; agent <= AGENTS; agent++)
		if (swarm_has("agents", "ID", agent))
			pass &= remove_one(agent);
	ok(pass, "agents removed at rest leave their real buffers to agent 0");
	swarm_load(&t, "allocations");
	ok(swarm_find(&t, 0, "KIND", "ledger") < 0, "and no ledger buffer");
	is(swarm_count_u64(&t, "AGENT", 0), t.rows, "all buffers are agent 0's");
	swarm_unload(&t);
	is(swarm_get("agents", "ID", 0, "BINDINGS"), 0, "nothing is bound");
}

static bool nothing_left(const void *arg)
{
	(void)arg;
	return swarm_stat("buffers") == 0 && swarm_stat("charged_bytes") == 0;
}

static void one_round(int round)
{
	char name[16];
	int i;

	race(round);
	totals_add_up("at rest");
	remove_agents();
	totals_add_up("without the agents");
	for (i = 0; i < WORKERS; i++)
		client_stop(&workers[i], round % 2 ? SIGKILL : 0);
	ok(swarm_wait(nothing_left, NULL, GONE_SECONDS), "round %d: all buffers are gone", round);
	is(swarm_stat("charged_bytes"), 0, "round %d: nothing is charged", round);
	is(swarm_stat("buffers_created"), swarm_stat("buffers_freed"),
	   "round %d: all created are freed", round);
	totals_add_up("without any buffer");
	for (i = CGROUPS - 1; i >= 0; i--) {
		cgroup_name(name, sizeof(name), i);
		cgroup_remove(name);
	}
}

#define SLOW_AGENT	50
#define SLOW_CALLS	"/sys/module/delay/parameters/calls"
#define SLOW_SECONDS	60

static bool is_slow(const void *unused)
{
	int fd = open(SLOW_CALLS, O_RDONLY | O_CLOEXEC);
	char byte = '0';

	(void)unused;
	if (fd < 0 || read(fd, &byte, 1) != 1)
		bail("reading from delay.ko");
	close(fd);
	return byte != '0';
}

/*
 * An agent is removed between the moment that it is found and that at which what is
 * charged to it can be seen: it is emptied after that only.
 */
static void test_slow_charge(void)
{
	struct client c;
	char params[32];

	client_start(&c);
	snprintf(params, sizeof(params), "pid=%d", c.pid);
	if (swarm_cmd("policy audit\ncreate_agent %d\nbind %d pid:%d\n", SLOW_AGENT, SLOW_AGENT,
		      c.pid) ||
	    !client_call(&c, source_is_there, SOURCE_VGEM, 0) ||
	    perm_insert_with(PERM_TEST_DIR "delay.ko", params))
		bail("making a slow client");
	client_post(&c, source_do_make, SOURCE_VGEM, 4096);
	ok(swarm_wait(is_slow, NULL, SLOW_SECONDS), "a charge has begun");
	is_errno(swarm_cmd("remove_agent %d", SLOW_AGENT), 0, "meanwhile its agent is removed");
	is_errno(client_result(&c), 0, "the charge ends");
	if (perm_delete("delay"))
		bail("removing delay.ko");
	is(swarm_get("agents", "ID", 0, "USED"), 4096, "and is agent 0's");
	totals_add_up("after a slow charge");
	client_stop(&c, 0);
	ok(swarm_wait(nothing_left, NULL, GONE_SECONDS), "the slow client's buffer is gone");
}

int main(void)
{
	int round;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	device = swarm_device(NULL);
	if (shared == MAP_FAILED || device == SWARM_NONE)
		bail("no memory to share or no device");
	test_slow_charge();
	for (round = 1; round <= ROUNDS; round++)
		one_round(round);
	note("%lld real buffers; %lld bindings, %lld undone, %lld agents removed, %lld allocated",
	     (long long)shared->made, (long long)shared->done[0], (long long)shared->done[1],
	     (long long)shared->done[2], (long long)shared->done[3]);
	ok_in_full(shared->made > 100 && shared->done[0] > 10 && shared->done[1] > 0 &&
		   shared->done[2] > 5 && shared->done[3] > 10, "there was a race");
	is(swarm_stat("buffers_lost") + swarm_stat("buffers_stale"), 0, "no buffer was lost");
	return tap_done();
}
