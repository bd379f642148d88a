// SPDX-License-Identifier: GPL-2.0-only
/*
 * As fair.c, in instructions: whatever flood there is beside it, a round of the victim's
 * takes as many as alone, but for a tenth, in which the kernel's interrupts have room,
 * which come to whoever runs. Counted under -icount, so how busy the host is makes no
 * difference.
 *
 * vm: -k 6.1 -k 6.12 --load --gpu bochs --icount --append slab_nomerge --mem 512 --timeout 200
 */
#define _GNU_SOURCE
#include <time.h>

#include "flood.h"

#define ROUNDS		(300 + scaled(3000))
#define LATITUDE	1.1

/* For the victim: instructions that so many rounds take it, -1 if one fails. */
static long work(long rounds, long unused)
{
	struct timespec begin, end;
	long i;

	(void)unused;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	for (i = 0; i < rounds; i++)
		if (victim_make())
			return -1;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	return (end.tv_sec - begin.tv_sec) * 1000000000L + end.tv_nsec - begin.tv_nsec;
}

static double cost_beside(int nr)
{
	long rounds = ROUNDS, ns;

	client_call(&attacker, flood_begin, nr, 1);
	ns = client_call(&victim, work, rounds, 0);
	client_call(&attacker, attack_end_all, 0, 0);
	if (ns < 0)
		bail("the victim's work fails beside %s", floods[nr].name);
	return (double)ns / rounds;
}

static void test_flood(int nr)
{
	double alone, beside;

	flood_set_up(&floods[nr]);
	alone = cost_beside(0);
	beside = cost_beside(nr);
	flood_set_up(&floods[0]);
	ok(beside <= alone * LATITUDE, "beside %s a round takes %.0f instructions, alone %.0f",
	   floods[nr].name, beside, alone);
}

int main(void)
{
	int i;

	attack_tenants();
	attack_works(client_call(&victim, victim_open, 0, 0), "the victim begins");
	attack_works(client_call(&attacker, flood_open, 0, 0), "so does the attacker");
	cost_beside(0);
	for (i = 1; i < NR_FLOODS; i++)
		test_flood(i);
	attack_end();
	return tap_done();
}
