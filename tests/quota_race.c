// SPDX-License-Identifier: GPL-2.0-only
/*
 * Eight processes of one agent race at its limit: it is never passed, and nothing
 * is left when they are killed. Then the policy changes all the time while they
 * race: each refusal is counted once, and the totals add up whenever all rest.
 *
 * vm: --load --smp 4 --mem 1024 --timeout 400
 * vm: --load --mem 1024 --timeout 400
 */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <sys/mman.h>

#include "cgroup.h"
#include "source.h"
#include "totals.h"
#include "client.h"

#define CLIENTS		8
#define QUOTA		1048576
#define MOST		24	/* buffers that one client has at a time */
#define SECONDS		scaled(10)
#define CHANGES		scaled(1000)
#define CHANGE_MICROSECONDS 2000
#define CLOSE_SECONDS	60
#define GONE_SECONDS	30

struct shared {
	atomic_bool stop;
	atomic_bool pause;	/* after each operation */
	atomic_llong made;
	atomic_llong refused;
	atomic_llong failed;	/* for another reason than a quota */
};

static struct shared *shared;
static struct client clients[CLIENTS];

static bool may_go_on(void)
{
	return !atomic_load(&shared->stop);
}

/* One made while the policy became enforce may be over the limit: it is refused here. */
static void export_last(enum source_id source)
{
	int fd = -1, err = source_export(source, &fd);

	if (!err)
		close(fd);
	else
		atomic_fetch_add(err == EDQUOT ? &shared->refused : &shared->failed, 1);
}

static void make_one(enum source_id source)
{
	int err = source_make(source, 4096L << random() % 5);

	if (err == EDQUOT) {
		atomic_fetch_add(&shared->refused, 1);
		return;
	}
	atomic_fetch_add(err ? &shared->failed : &shared->made, 1);
	if (!err && source < SOURCE_GEMS && random() % 4 == 0)
		export_last(source);
}

/* Client: makes and frees buffers until told to stop; goes on holding some. */
static long race(long seed, long unused)
{
	static const enum source_id sources[] = {
		SOURCE_VGEM, SOURCE_VIRTIO, SOURCE_VGEM, SOURCE_UDMABUF, SOURCE_HEAP,
	};
	enum source_id source;

	(void)unused;
	srandom(seed);
	while (may_go_on()) {
		source = sources[random() % 5];
		if (!source_open(source))
			source = SOURCE_VGEM;
		if (source_stacks[source].count < MOST && random() % 3)
			make_one(source);
		else
			source_drop(source);
		if (atomic_load(&shared->pause))
			usleep(1);
	}
	return 0;
}

static long hold_nothing(long a, long b)
{
	enum source_id source;

	(void)a;
	(void)b;
	for (source = 0; source < NR_SOURCES; source++)
		source_do_drop_all(source, 0);
	return 0;
}

static __u64 agent_1(const char *column)
{
	return swarm_get("agents", "ID", 1, column);
}

static void start_race(int seed)
{
	int i;

	memset(shared, 0, sizeof(*shared));
	for (i = 0; i < CLIENTS; i++) {
		client_start(&clients[i]);
		if (cgroup_move("racers", clients[i].pid))
			bail("moving a client");
		client_post(&clients[i], race, seed + i, 0);
	}
}

static void stop_race(void)
{
	int i;

	atomic_store(&shared->stop, true);
	for (i = 0; i < CLIENTS; i++)
		client_result(&clients[i]);
}

static bool nothing_used(const void *arg)
{
	(void)arg;
	return agent_1("USED") == 0 && agent_1("BUFFERS") == 0 && !swarm_stat("buffers") &&
	       !swarm_stat("charged_bytes");
}

static void nothing_left(const char *when)
{
	ok(swarm_wait(nothing_used, NULL, GONE_SECONDS), "agent 1 has nothing %s", when);
	is(swarm_stat("buffers"), 0, "there is no buffer %s", when);
	is(swarm_stat("charged_bytes"), 0, "no byte is charged %s", when);
	is(swarm_stat("buffers_lost") + swarm_stat("buffers_stale"), 0, "none was lost");
	totals_add_up(when);
}

/* Ends it in the middle of what it does. */
static void kill_race(void)
{
	int i;

	for (i = 0; i < CLIENTS; i++)
		kill(clients[i].pid, SIGKILL);
	for (i = 0; i < CLIENTS; i++)
		client_stop(&clients[i], SIGKILL);
}

static bool close_to_quota(void)
{
	return agent_1("PEAK") > QUOTA - 65536;
}

static bool has_raced(void)
{
	return close_to_quota() && shared->made > 100 && shared->refused > 100;
}

/*
 * Looks at what is used until the time is up, and there was a race for the limit: a slow
 * machine takes its time. Returns the most.
 */
static __u64 watch(int seconds, long *looks)
{
	time_t end = time(NULL) + seconds, last = end + CLOSE_SECONDS;
	__u64 used, most = 0;

	for (*looks = 0; time(NULL) < end || (!has_raced() && time(NULL) < last); ++*looks) {
		used = agent_1("USED");
		if (used > most)
			most = used;
	}
	return most;
}

static void test_enforced(int seconds)
{
	__u64 most;
	long looks;

	/* A new agent has a new peak. */
	swarm_cmd("remove_agent 1\n");
	if (swarm_cmd("create_agent 1 %d\nbind 1 cgroup:racers\npolicy enforce\n", QUOTA))
		bail("making an agent");
	start_race(1);
	most = watch(seconds, &looks);
	ok(most <= QUOTA, "used, looked at %ld times, is never over the quota: %llu", looks, most);
	kill_race();
	ok(agent_1("PEAK") <= QUOTA, "the peak, %llu, is not either", agent_1("PEAK"));
	ok(close_to_quota(), "but close to it");
	note("%lld buffers made, %lld refused", (long long)shared->made,
	     (long long)shared->refused);
	ok(shared->made > 100 && shared->refused > 100, "there was a race for the limit");
	is(shared->failed, 0, "nothing failed for another reason");
	nothing_left("when all were killed");
}

static bool all_make(const void *unused)
{
	(void)unused;
	return shared->made > CLIENTS && shared->refused > 0;
}

/* The refusals that clients saw are those that are counted. */
static void test_counted(void)
{
	long long before = swarm_stat("quota_denied"), audited = swarm_stat("quota_audited");
	__u64 denied = agent_1("DENIED");

	start_race(100);
	sleep(2);
	ok(swarm_wait(all_make, NULL, CLOSE_SECONDS), "clients make buffers and are refused some");
	stop_race();
	is(swarm_stat("quota_denied") - before, shared->refused, "each refusal is counted once");
	is(agent_1("DENIED") - denied, shared->refused, "for the agent as well");
	is(swarm_stat("quota_audited") - audited, 0, "none is a would-be one");
	ok(agent_1("USED") > 0, "clients that pause hold buffers");
	totals_add_up("while they do");
	kill_race();
	nothing_left("when those were killed");
}

/* Enforce is one change in 20, which yet makes each policy follow each other. */
static const char *next_policy(void)
{
	long n = random() % 20;

	return n == 0 ? "enforce" : n % 2 ? "audit" : "off";
}

/* Until there was a refusal, and one that would have been, or it takes too long. */
static bool go_on(time_t last, long long denied, long long audited)
{
	return time(NULL) < last && (swarm_stat("quota_denied") == denied ||
				     swarm_stat("quota_audited") == audited);
}

/* As often as is asked for, and until both were seen. */
static void change_policies(long long denied, long long audited)
{
	time_t last = time(NULL) + CLOSE_SECONDS;
	int i, changes = CHANGES, err = 0;
	struct timespec from, to;

	srandom(1);
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (i = 0; !err && (i < changes || go_on(last, denied, audited)); i++) {
		err = swarm_cmd("policy %s\n", next_policy());
		usleep(CHANGE_MICROSECONDS);
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	is_errno(err, 0, "the policy changes %d times", i);
	note("in %ld s", to.tv_sec - from.tv_sec);
}

static void test_changing(void)
{
	long long before = swarm_stat("quota_denied"), audited = swarm_stat("quota_audited");
	__u64 denied = agent_1("DENIED");
	int i;

	start_race(200);
	atomic_store(&shared->pause, true);
	change_policies(before, audited);
	swarm_cmd("policy audit\n");
	stop_race();
	before = swarm_stat("quota_denied") - before;
	audited = swarm_stat("quota_audited") - audited;
	denied = agent_1("DENIED") - denied;
	note("%lld buffers made, %lld refused, %lld would have been", (long long)shared->made,
	     before, audited);
	is(before, shared->refused, "each refusal is counted once");
	is(denied, before + audited, "the agent's are those and the would-be ones");
	ok(audited <= shared->made, "no more would have been refused than were made");
	ok(before > 0 && audited > 0, "some were refused, and some would have been");
	is(shared->failed, 0, "nothing failed for another reason");
	totals_add_up("after all the changes");
	swarm_cmd("policy enforce\n");
	for (i = 0; i < CLIENTS; i++)
		client_call(&clients[i], hold_nothing, 0, 0);
	nothing_left("when all was freed");
	kill_race();
}

int main(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED || cgroup_make("racers"))
		bail("no memory to share or no cgroup");
	test_enforced(SECONDS);
	test_counted();
	test_changing();
	test_enforced(2);
	is(cgroup_remove("racers"), 0, "the cgroup can be removed");
	totals_add_up("at the end");
	return tap_done();
}
