/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An attack: a tenant without privilege, the attacker, does what it can in a cgroup of
 * its own, which is bound to an agent with a quota. Another tenant, the victim, does its
 * work beside it, and must get what it got alone.
 */
#ifndef TESTS_ATTACKS_ATTACK_H
#define TESTS_ATTACKS_ATTACK_H

#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "cgroup.h"
#include "client.h"
#include "gem.h"
#include "life.h"
#include "swarm.h"

#define ATTACKER		1
#define VICTIM			2
#define ATTACKER_CGROUP		"attacker"
#define VICTIM_CGROUP		"victim"
#define NOBODY			65534
#define VICTIM_USER		65533	/* the same one could simply be traced */
#define ATTACK_PAGE		4096
#define ATTACK_LIMIT		(16 * ATTACK_PAGE)	/* of the attacker */
#define VICTIM_LIMIT		(64 * ATTACK_PAGE)
#define VICTIM_SHARED		(8 * ATTACK_PAGE)
#define VICTIM_SIZE		(4 * ATTACK_PAGE)
#define ATTACK_STACK		(64 * 1024)

static struct client attacker, victim;

static inline void attack_works(int err, const char *what)
{
	is_errno(err, 0, "%s", what);
}

/* For clients: gives up all privileges. */
static inline long attack_become(long user, long unused)
{
	(void)unused;
	if (setgroups(0, NULL) || setresgid(user, user, user) || setresuid(user, user, user))
		return errno;
	/* The kernel forgets both where the user changes. */
	return prctl(PR_SET_PDEATHSIG, SIGKILL) || prctl(PR_SET_DUMPABLE, 1) ? errno : 0;
}

static inline void attack_start(struct client *c, const char *cgroup, long user)
{
	client_start(c);
	if (cgroup_move(cgroup, c->pid) || client_call(c, attack_become, user, 0))
		bail("starting a tenant in %s", cgroup);
}

static inline void attack_thread(pthread_t *thread, void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, ATTACK_STACK);
	if (pthread_create(thread, &attr, run, arg))
		bail("making a thread");
	pthread_attr_destroy(&attr);
}

/* The attacker's threads: attack_run_all() begins them, attack_end_all() ends them. */

#define ATTACK_THREADS		1500

static pthread_t attack_threads[ATTACK_THREADS];
static int attack_running;
static bool attack_ended;
static long attack_calls;	/* that they have made */

static inline bool attack_over(void)
{
	return __atomic_load_n(&attack_ended, __ATOMIC_RELAXED);
}

static inline void attack_set_over(bool over)
{
	__atomic_store_n(&attack_ended, over, __ATOMIC_RELAXED);
}

static inline void attack_count(long calls)
{
	__atomic_add_fetch(&attack_calls, calls, __ATOMIC_RELAXED);
}

static inline void attack_run_all(void *(*run)(void *), long threads)
{
	attack_set_over(false);
	attack_calls = 0;
	for (attack_running = 0; attack_running < threads; attack_running++)
		attack_thread(&attack_threads[attack_running], run, NULL);
}

/* Returns how many calls they made. */
static inline long attack_end_all(long unused, long unused_too)
{
	(void)unused;
	(void)unused_too;
	attack_set_over(true);
	while (attack_running)
		pthread_join(attack_threads[--attack_running], NULL);
	return attack_calls;
}

/* The victim's work */

static int victim_gpu = -1, victim_card = -1, victim_fd = -1;

static inline long victim_open(long unused, long unused_too)
{
	(void)unused;
	(void)unused_too;
	victim_card = gem_open("vgem");
	return victim_card < 0 ? ENODEV : 0;
}

/* For the victim: makes what it shares with itself, from one GPU to another. */
static inline long victim_begin(long unused, long unused_too)
{
	__u32 handle;
	int err;

	victim_gpu = gem_open("virtio_gpu");
	err = victim_gpu < 0 ? ENODEV : victim_open(unused, unused_too);
	if (!err)
		err = gem_create(victim_gpu, VICTIM_SHARED, &handle);
	if (!err)
		err = gem_export(victim_gpu, handle, &victim_fd);
	return err;
}

/* Makes a buffer, exports it, and drops it. */
static inline int victim_make(void)
{
	__u32 handle;
	int fd = -1, err;

	err = gem_create(victim_card, VICTIM_SIZE, &handle);
	if (err)
		return err;
	err = gem_export(victim_card, handle, &fd);
	close(fd);
	gem_destroy(victim_card, handle);
	return err;
}

/* And imports the other one. */
static inline int victim_round(void)
{
	__u32 imported = 0;
	int err = victim_make();

	if (!err)
		err = gem_import(victim_card, victim_fd, &imported);
	return err ? err : gem_destroy(victim_card, imported);
}

/* For the victim: returns how many of @rounds failed. */
static inline long victim_rounds(long rounds, long unused)
{
	long failed = 0;

	(void)unused;
	while (rounds--)
		failed += !!victim_round();
	return failed;
}

/* What the victim got, and what it was charged. */
struct attack_outcome {
	long failed;
	__u64 used, peak, denied, buffers;
};

static inline struct attack_outcome attack_outcome(long rounds)
{
	struct attack_outcome o;

	if (swarm_cmd("reset_agent %d\n", VICTIM))
		bail("resetting the victim's counts");
	o.failed = client_call(&victim, victim_rounds, rounds, 0);
	o.used = swarm_get("agents", "ID", VICTIM, "USED");
	o.peak = swarm_get("agents", "ID", VICTIM, "PEAK");
	o.denied = swarm_get("agents", "ID", VICTIM, "DENIED");
	o.buffers = swarm_get("agents", "ID", VICTIM, "BUFFERS");
	return o;
}

/* Four checks: the victim's work beside @what has the outcome that it has alone. */
static inline void attack_beside(long rounds, const char *what)
{
	const struct attack_outcome alone = {
		.used = VICTIM_SHARED,
		.peak = VICTIM_SHARED + VICTIM_SIZE,
		.buffers = 1,
	};
	struct attack_outcome beside = attack_outcome(rounds);

	is(beside.failed, alone.failed, "%s: nothing of the victim's fails", what);
	is(beside.used, alone.used, "%s: it is charged as if alone", what);
	is(beside.peak, alone.peak, "%s: nor was it charged more", what);
	ok(beside.denied == alone.denied && beside.buffers == alone.buffers,
	   "%s: it has the buffers that it has alone, and was denied none", what);
}

/* Both tenants, and the policy enforce. */
static inline void attack_tenants(void)
{
	if (system("chmod 666 /dev/dri/*"))
		bail("chmod");
	if (cgroup_make(ATTACKER_CGROUP) || cgroup_make(VICTIM_CGROUP))
		bail("making cgroups");
	attack_works(swarm_cmd("create_agent %d %d\nbind %d cgroup:%s\n", ATTACKER, ATTACK_LIMIT,
			       ATTACKER, ATTACKER_CGROUP), "an agent for the attacker");
	attack_works(swarm_cmd("create_agent %d %d\nbind %d cgroup:%s\npolicy enforce\n", VICTIM,
			       VICTIM_LIMIT, VICTIM, VICTIM_CGROUP), "another for the victim");
	attack_start(&attacker, ATTACKER_CGROUP, NOBODY);
	attack_start(&victim, VICTIM_CGROUP, VICTIM_USER);
}

/* These, and the victim has done some work. */
static inline void attack_begin(void)
{
	attack_tenants();
	attack_works(client_call(&victim, victim_begin, 0, 0), "the victim begins");
	attack_beside(10, "alone");
}

/* Nothing of either is left. */
static inline void attack_end(void)
{
	client_stop(&attacker, SIGKILL);
	client_stop(&victim, 0);
	life_nothing_left(0, "at the end");
	swarm_add_up("at the end");
}

static inline __u64 attack_has(const char *column)
{
	return swarm_get("agents", "ID", ATTACKER, column);
}

static inline bool attack_has_nothing(const void *unused)
{
	(void)unused;
	return !attack_has("BUFFERS") && !attack_has("USED");
}

/* One check: all that the attacker had is gone, or will be soon. */
static inline void attack_gone(const char *what)
{
	bool gone = swarm_wait(attack_has_nothing, NULL, LIFE_SECONDS);

	ok(gone, "%s: nothing of it is left", what);
	if (!gone)
		note("%llu bytes in %llu buffers", attack_has("USED"), attack_has("BUFFERS"));
}

#endif /* TESTS_ATTACKS_ATTACK_H */
