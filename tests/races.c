// SPDX-License-Identifier: GPL-2.0-only
/*
 * Agents come and go, limits change and buffers are allocated, freed, made and
 * exported by several processes at once, with readers of every file: the totals
 * add up whenever all rest.
 *
 * vm: --load --mem 512 --timeout 180
 */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gem.h"
#include "swarm.h"

#define AGENTS		8
#define QUOTA		65536
#define ROUNDS		3
#define ROUND_SECONDS	scaled(5)
#define RECENT		64
#define GONE_SECONDS	60

static __u64 device;

/* Any command may fail here: what is asked for may have gone. */
static void commander(void)
{
	__u64 recent[RECENT] = { 0 }, id;
	int agent, i = 0;

	for (;;) {
		agent = 1 + random() % AGENTS;
		switch (random() % 16) {
		case 0:
			swarm_cmd("remove_agent %d\n", agent);
			break;
		case 1:
			swarm_cmd("create_agent %d %d\n", agent, QUOTA);
			break;
		case 2:
			swarm_cmd("set_quota %d %ld\n", agent, random() % QUOTA + 1);
			break;
		case 3:
			swarm_cmd("set_quota %d %ld %llu\n", agent, random() % QUOTA + 1, device);
			break;
		case 4:
			swarm_cmd("set_capacity %llu %d\n", device, QUOTA * 2);
			break;
		case 5 ... 10:
			id = 0;
			swarm_allocate(agent, 1 + random() % 8192, device, &id);
			i = (i + 1) % RECENT;
			if (id)
				recent[i] = id;
			break;
		default:
			swarm_cmd("free %llu\n", recent[random() % RECENT]);
		}
	}
}

static void client(void)
{
	int card = gem_open("vgem"), fd = -1, n, i;
	__u32 handle[8];

	for (;;) {
		n = random() % 8;
		for (i = 0; i < n; i++) {
			if (gem_create(card, 4096 * (1 + random() % 4), &handle[i]))
				_exit(1);
			if (random() % 2 && !gem_export(card, handle[i], &fd))
				close(fd);
		}
		while (n--)
			gem_destroy(card, handle[n]);
	}
}

/* Every line whole, no id twice: ids are listed in rising order. */
static void reader(void)
{
	static const char * const files[] = { "agents", "devices", "quotas", "stats" };
	struct swarm_table t;
	size_t i;
	long row;

	for (;;) {
		swarm_load(&t, "allocations");
		if (t.ragged)
			_exit(2);
		for (row = 1; row < t.rows; row++)
			if (swarm_u64(&t, row, "ID") <= swarm_u64(&t, row - 1, "ID"))
				_exit(3);
		swarm_unload(&t);
		for (i = 0; i < sizeof(files) / sizeof(*files); i++) {
			swarm_load(&t, files[i]);
			if (t.ragged && strcmp(files[i], "stats"))
				_exit(4);
			swarm_unload(&t);
		}
	}
}

static pid_t start(void (*work)(void), int seed)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	srandom(seed);
	work();
	_exit(5);
}

/* Exit status of a process that should have worked until it was killed; 0 if it did. */
static int stop(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

static bool host_is_empty(const void *arg)
{
	(void)arg;
	return swarm_get("agents", "ID", 0, "USED") == 0;
}

static bool has_raced(const void *arg)
{
	(void)arg;
	return swarm_stat("ledger_allocated") > 0 && swarm_stat("quota_denied") > 0;
}

static void one_round(int round)
{
	void (* const work[])(void) = { commander, commander, commander, client, client, reader };
	pid_t pid[sizeof(work) / sizeof(*work)];
	int bad = 0;
	size_t i;

	for (i = 0; i < sizeof(work) / sizeof(*work); i++)
		pid[i] = start(work[i], round * 100 + i);
	sleep(ROUND_SECONDS);
	swarm_wait(has_raced, NULL, GONE_SECONDS);
	for (i = 0; i < sizeof(work) / sizeof(*work); i++)
		bad |= stop(pid[i]);
	is(bad, 0, "round %d: nobody saw a wrong table", round);
	ok(swarm_wait(host_is_empty, NULL, GONE_SECONDS), "round %d: real buffers are gone", round);
	swarm_add_up("at rest");
}

int main(void)
{
	int round, agent;

	device = swarm_device(NULL);
	if (device == SWARM_NONE)
		bail("no device");
	for (round = 1; round <= ROUNDS; round++)
		one_round(round);
	note("%lld allocated, %lld refused by a quota, %lld by a capacity, %lld buffers in all",
	     swarm_stat("ledger_allocated"), swarm_stat("quota_denied"),
	     swarm_stat("capacity_denied"), swarm_stat("buffers_created"));
	ok(has_raced(NULL), "there was something to race for");
	for (agent = 1; agent <= AGENTS; agent++)
		swarm_cmd("remove_agent %d\n", agent);
	is(swarm_stat("buffers"), 0, "no buffer is left");
	is(swarm_stat("charged_bytes"), 0, "no byte is charged");
	is(swarm_stat("buffers_created"), swarm_stat("buffers_freed"), "all created are freed");
	swarm_add_up("at the end");
	return tap_done();
}
