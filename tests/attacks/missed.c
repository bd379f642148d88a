// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attacks by very many calls at once, which a hook with room for some only would miss:
 * threads that import on one DRM file, all but one of which wait for its lock; and
 * threads that hardly get a CPU (SCHED_IDLE), parked wherever they are in a refused
 * function. No call is missed, no tenant holds a byte over its quota, and the victim
 * is charged as if alone.
 *
 * vm: --load --mem 1024 --timeout 300
 */
#define _GNU_SOURCE
#include <sched.h>

#include "attack.h"

#define THREADS_MIN	600	/* more than the 512 that kretprobes had room for */
#define ROUNDS		(5 + scaled(250))
#define HOGS		2
#define KEEP_MAX	(2 * ATTACK_LIMIT / ATTACK_PAGE)

static long threads(void)
{
	long n = scaled(ATTACK_THREADS);

	return n > THREADS_MIN ? n : THREADS_MIN;
}

static long long hits(const char *function)
{
	char key[64];

	snprintf(key, sizeof(key), "hook_%s_hits", function);
	return swarm_stat(key);
}

/* For the attacker */

static int card = -1, gpu = -1, shared = -1;

static void *import_all_the_time(void *unused)
{
	__u32 handle = 0;
	long n = 0;

	(void)unused;
	do {
		/* Now and then the next one makes an attachment again. */
		if (!gem_import(card, shared, &handle) && n % 16 == 15)
			gem_destroy(card, handle);
		n++;
	} while (!attack_over());
	attack_count(n);
	return NULL;
}

static long import_begin(long nr, long unused)
{
	__u32 handle;
	int err;

	(void)unused;
	card = gem_open("vgem");
	gpu = gem_open("virtio_gpu");
	err = gem_create(gpu, ATTACK_PAGE, &handle);
	if (!err)
		err = gem_export(gpu, handle, &shared);
	if (!err)
		attack_run_all(import_all_the_time, nr);
	return err;
}

static long close_all(long unused, long unused_too)
{
	(void)unused;
	(void)unused_too;
	close(shared);
	close(card);
	close(gpu);
	shared = -1;
	card = -1;
	gpu = -1;
	return 0;
}

static void test_imports(void)
{
	long long before = hits("drm_gem_prime_fd_to_handle");
	long calls, rounds = ROUNDS;

	attack_works(client_call(&attacker, import_begin, threads(), 0), "threads import");
	attack_beside(rounds, "beside importers of one file");
	calls = client_call(&attacker, attack_end_all, 0, 0);
	is(hits("drm_gem_prime_fd_to_handle") - before, calls + rounds,
	   "%ld threads: each of %ld imports was seen", threads(), calls);
	is(attack_has("PEAK"), ATTACK_PAGE, "the attacker was charged its one buffer");
	ok(life_lossless(), "no event of any kind was missed");
	client_call(&attacker, close_all, 0, 0);
	attack_gone("beside importers of one file");
}

static void be_idle(void)
{
	const struct sched_param param = { };

	if (sched_setscheduler(0, SCHED_IDLE, &param))
		bail("SCHED_IDLE");
}

static void *make_and_drop(void *unused)
{
	__u32 handle;
	long n = 0;

	(void)unused;
	be_idle();
	do {
		if (!gem_create(card, ATTACK_PAGE, &handle))
			gem_destroy(card, handle);
		n++;
	} while (!attack_over());
	attack_count(n);
	return NULL;
}

static long made;	/* pages that the attacker got and holds, by its own count */

static void *make_and_keep(void *unused)
{
	__u32 handle;
	long n = 0;

	(void)unused;
	be_idle();
	/* Where nothing is refused, that is enough. */
	while (n < KEEP_MAX && !gem_create(card, ATTACK_PAGE, &handle)) {
		__atomic_add_fetch(&made, 1, __ATOMIC_RELAXED);
		n++;
	}
	attack_count(n + (n < KEEP_MAX));
	return NULL;
}

static void *hog(void *unused)
{
	(void)unused;
	while (!attack_over())
		;
	return NULL;
}

static pthread_t hogs[HOGS];

/* Threads that do not give up the CPU go first, so that the others are parked. */
static long park_begin(long nr, long keep)
{
	int i;

	card = gem_open("vgem");
	made = 0;
	attack_set_over(false);
	for (i = 0; i < HOGS; i++)
		attack_thread(&hogs[i], hog, NULL);
	attack_run_all(keep ? make_and_keep : make_and_drop, nr);
	return card < 0 ? ENODEV : 0;
}

static long park_end(long unused, long unused_too)
{
	long calls = attack_end_all(unused, unused_too);
	int i;

	for (i = 0; i < HOGS; i++)
		pthread_join(hogs[i], NULL);
	return calls;
}

static long made_by_own_count(long unused, long unused_too)
{
	(void)unused;
	(void)unused_too;
	return made;
}

static void test_parked(bool keep)
{
	const char *what = keep ? "beside parked threads that keep" :
				  "beside parked threads that make and drop";
	long long before = hits("drm_gem_object_init");
	long calls, rounds = ROUNDS;

	attack_works(swarm_cmd("reset_agent %d\n", ATTACKER), "count from here on");
	attack_works(client_call(&attacker, park_begin, threads(), keep), what);
	attack_beside(rounds, what);
	if (keep)
		sleep(1 + scaled(5));
	calls = client_call(&attacker, park_end, 0, 0);
	is(hits("drm_gem_object_init") - before, calls + rounds,
	   "%ld threads: each of %ld tries was seen", threads(), calls);
	ok(attack_has("PEAK") <= ATTACK_LIMIT, "%llu bytes were the most, of %d",
	   attack_has("PEAK"), ATTACK_LIMIT);
	if (keep)
		is(client_call(&attacker, made_by_own_count, 0, 0), ATTACK_LIMIT / ATTACK_PAGE,
		   "the attacker has got its quota, to the byte");
	ok(life_lossless(), "%s: no event was missed", what);
	client_call(&attacker, close_all, 0, 0);
	attack_gone(what);
}

int main(void)
{
	attack_begin();
	test_imports();
	test_parked(false);
	test_parked(true);
	attack_end();
	return tap_done();
}
