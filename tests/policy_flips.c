// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy flips 1,000 times between audit and enforce while others make buffers. It
 * cannot fail, takes no time, and holds from the moment that the write returns: the very
 * next buffer over a quota is refused, or passes.
 *
 * vm: --load --mem 512 --timeout 200
 */
#define _GNU_SOURCE
#include "client.h"
#include "gem.h"
#include "life.h"

#define FLIPS		1000
#define FLIPS_MIN	100
#define MAKERS		2
#define SIZE		4096
#define MEDIAN_US	10000	/* a hook takes the kernel ten times as long */
#define WAIT_SECONDS	60
#define AGENT		1

static long times_us[FLIPS];

static int flips(void)
{
	return scaled(FLIPS) > FLIPS_MIN ? scaled(FLIPS) : FLIPS_MIN;
}

/* Buffers of no limit, made and exported until told to end; returns how many failed. */
static long make_buffers(long fd, long unused)
{
	int card = gem_open("vgem"), dmabuf = -1, flags = fcntl(fd, F_GETFL);
	long failed = 0;
	__u32 handle;
	char byte;

	(void)unused;
	if (card < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return -1;
	while (read(fd, &byte, 1) < 0) {
		if (gem_create(card, SIZE, &handle)) {
			failed++;
			continue;
		}
		if (gem_export(card, handle, &dmabuf))
			failed++;
		else
			close(dmabuf);
		gem_destroy(card, handle);
	}
	close(card);
	return failed;
}

/* Sets the policy, and then makes a buffer over the quota. Returns what came of that. */
static int flip(const char *policy, int control, int card, long *us, int *unwritten)
{
	struct timespec from, to;
	__u32 handle;
	ssize_t n;
	int err;

	clock_gettime(CLOCK_MONOTONIC, &from);
	n = write(control, policy, strlen(policy));
	clock_gettime(CLOCK_MONOTONIC, &to);
	*unwritten += n != (ssize_t)strlen(policy);
	*us = (to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000;
	err = gem_create(card, SIZE, &handle);
	if (!err)
		gem_destroy(card, handle);
	return err;
}

static int compare(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return (x > y) - (x < y);
}

static bool more_are_made(const void *before)
{
	/* This process has made fewer. */
	return swarm_stat("buffers_created") > *(const long long *)before + MAKERS;
}

/* One check: buffers of others are made from now on. */
static void others_work(const char *when)
{
	long long before = swarm_stat("buffers_created");

	ok(swarm_wait(more_are_made, &before, WAIT_SECONDS), "others make buffers %s", when);
}

static void check_flips(int control, int card)
{
	int i, n = flips(), unwritten = 0, passed = 0, refused = 0;
	long audit_us;

	others_work("before the policy flips");
	for (i = 0; i < n; i++) {
		if (i == n / 2)
			others_work("between two flips");
		passed += flip("policy enforce\n", control, card, &times_us[i], &unwritten) !=
			  EDQUOT;
		refused += flip("policy audit\n", control, card, &audit_us, &unwritten) != 0;
	}
	is(unwritten, 0, "each of %d changes of the policy is taken", 2 * n);
	is(passed, 0, "under enforce the next buffer over the quota is refused");
	is(refused, 0, "under audit the next buffer over the quota passes");
	qsort(times_us, n, sizeof(*times_us), compare);
	ok(times_us[n / 2] < MEDIAN_US, "to begin to enforce takes less than %d us", MEDIAN_US);
	note("%ld us, at most %ld us", times_us[n / 2], times_us[n - 1]);
	is(swarm_stat("quota_denied"), n, "each refusal is counted");
	is(swarm_stat("quota_audited"), n, "each that passed is counted");
}

/* How the hooks are placed. The caller frees it. */
static char *hooks(void)
{
	char *text = swarm_read("stats"), *out = strdup(""), *line, *next, *more;

	for (line = strtok_r(text, "\n", &next); line; line = strtok_r(NULL, "\n", &next)) {
		if (strncmp(line, "hook_", 5) || !strstr(line, "_state "))
			continue;
		if (asprintf(&more, "%s%s\n", out, line) < 0)
			bail("asprintf");
		free(out);
		out = more;
	}
	free(text);
	return out;
}

int main(void)
{
	int i, card, control = swarm_open("control", O_WRONLY), ends[2];
	struct client makers[MAKERS];
	char *before = hooks(), *after;
	long contexts = life_rows("contexts");

	if (pipe2(ends, O_CLOEXEC))
		bail("pipe");
	for (i = 0; i < MAKERS; i++) {
		client_start(&makers[i]);
		client_post(&makers[i], make_buffers, ends[0], 0);
	}
	if (swarm_cmd("create_agent %d 0\nbind %d pid:%d\n", AGENT, AGENT, getpid()))
		bail("making an agent");
	card = gem_open("vgem");
	if (card < 0 || control < 0)
		bail("opening vgem and control");
	check_flips(control, card);
	if (write(ends[1], "xx", MAKERS) != MAKERS)
		bail("ending the makers");
	for (i = 0; i < MAKERS; i++) {
		is(client_result(&makers[i]), 0, "a process without a limit is never refused");
		client_stop(&makers[i], 0);
	}
	close(card);
	after = hooks();
	is_str(after, before, "the hooks are as they were");
	life_nothing_left(contexts, "after all flips");
	return tap_done();
}
