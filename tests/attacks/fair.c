// SPDX-License-Identifier: GPL-2.0-only
/*
 * Floods by one tenant, of refused buffers, of traced events, of lines in the log, of
 * reads, leave the victim at least half of its rounds a second. Each tenant has a CPU
 * to itself, and what is compared with is an attacker that only spins: so what the victim
 * loses it has waited for the module. The best slice of time counts of each, and where
 * that is not enough all is measured anew, since the machine below does other things too.
 *
 * vm: --load --mem 512 --timeout 200
 */
#define _GNU_SOURCE
#include <sched.h>
#include <time.h>

#include "flood.h"

#define THREADS		2
#define SLICE_NS	200000000LL
#define SLICES		(3 + scaled(20))
#define TRIES		10
#define SHARE_MIN	0.5

static long pin(long cpu, long unused)
{
	cpu_set_t set;

	(void)unused;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? errno : 0;
}

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* For the victim: returns how many rounds a second it has made, -1 if one failed. */
static long work(long ns, long unused)
{
	long long begin = now(), end = begin;
	long rounds = 0;

	(void)unused;
	for (; end - begin < ns; end = now()) {
		if (victim_round())
			return -1;
		rounds++;
	}
	return rounds * 1000000000LL / (end - begin);
}

static long slice(int nr)
{
	long rate;

	client_call(&attacker, flood_begin, nr, THREADS);
	rate = client_call(&victim, work, SLICE_NS, 0);
	client_call(&attacker, attack_end_all, 0, 0);
	if (rate < 0)
		bail("the victim's work fails beside %s", floods[nr].name);
	return rate;
}

static bool is_fair(long beside, long alone)
{
	return beside >= alone * SHARE_MIN;
}

/* The best slices of a short while, in which the machine below is much the same. */
static void measure(int nr, long *alone, long *beside)
{
	int i, slices = SLICES;
	long rate;

	*alone = 1;
	*beside = 0;
	for (i = 0; i < slices; i++) {
		rate = slice(0);
		*alone = rate > *alone ? rate : *alone;
		rate = slice(nr);
		*beside = rate > *beside ? rate : *beside;
	}
}

static void test_flood(int nr)
{
	long alone = 1, beside = 0;
	int tries;

	flood_set_up(&floods[nr]);
	for (tries = 0; tries < TRIES && !is_fair(beside, alone); tries++)
		measure(nr, &alone, &beside);
	flood_set_up(&floods[0]);
	ok(is_fair(beside, alone), "beside %s the victim has %ld %% of its speed",
	   floods[nr].name, beside * 100 / alone);
	note("%ld and %ld rounds a second", beside, alone);
}

int main(void)
{
	int i;

	attack_begin();
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		bail("there is one CPU only");
	attack_works(client_call(&victim, pin, 0, 0), "the victim has a CPU");
	attack_works(client_call(&attacker, pin, 1, 0), "the attacker has the other");
	attack_works(client_call(&attacker, flood_open, 0, 0), "and a GPU");
	for (i = 1; i < NR_FLOODS; i++)
		test_flood(i);
	attack_beside(10, "at last");
	attack_end();
	return tap_done();
}
