// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads of tests/modules/perm_storm.c check on 4 CPUs while writers split, join,
 * grant and revoke ranges around what they check: what is always granted is never
 * refused, what is never granted is never allowed. Thousands of other rules below
 * and above come and go too, so that the index is long and its blocks split and go.
 *
 * vm: --load --smp 4 --mem 512 --timeout 300
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "lock.h"
#include "perm.h"

#define AGENT		"7"
#define SECONDS		scaled(35)
#define CHECKS_MIN	(1000ULL * SECONDS)
#define CHECKS_SECONDS	60	/* that a slow machine may take longer for them */
#define TEST_MODULE	PERM_TEST_DIR "perm_storm.ko"
#define CROWD		4096	/* rules below, and as many above */

static __u64 state;
static atomic_bool *time_is_up;	/* shared with the writers */

static unsigned int below(unsigned int n)
{
	return lock_random(&state, n);
}

/* A revocation of what is not granted is no error here. */
static void change(int fd, const char *rule)
{
	int err = perm_rule(fd, "%s", rule);

	if (err && err != ENOENT)
		_exit(err);
}

static __printf(2, 3)
void rule(int fd, const char *fmt, ...)
{
	char text[96];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	change(fd, text);
}

static const char *any_mode(void)
{
	static const char * const modes[] = { "r", "w", "rw", "-" };

	return modes[below(4)];
}

/* 0x100000-0x10ffff stays rw; 0xf0000 to 0x11ffff around it changes. */
static void churn_joined(int fd)
{
	unsigned int from = below(0x10000), to = from + below(0x10000 - from);

	switch (below(4)) {
	case 0:
		rule(fd, AGENT ":%#x-%#x:%s", 0xf0000 + from, 0xf0000 + to, any_mode());
		break;
	case 1:
		rule(fd, AGENT ":%#x-%#x:%s", 0x110000 + from, 0x110000 + to, any_mode());
		break;
	case 2:
		rule(fd, AGENT ":%#x-%#x:rw", 0xf0000 + from, 0x110000 + to);
		break;
	default:
		rule(fd, AGENT ":%#x-%#x:rw", 0x100000 + from, 0x100000 + to);
	}
}

/* 0x200000-0x20ffff stays r at least, its page at 0x208000 is never more. */
static void churn_modes(int fd)
{
	unsigned int from = below(0x7000), to = from + below(0x7000 - from);
	unsigned int half = below(2) ? 0x200000 : 0x209000;

	if (below(4))
		rule(fd, AGENT ":%#x-%#x:%s", half + from, half + to, below(2) ? "r" : "rw");
	else
		rule(fd, AGENT ":%#x-%#x:r", 0x200000 + from, 0x209000 + to);
}

/* The first page stays r at least, the last one w. */
static void churn_ends(int fd)
{
	unsigned int from = below(0x1000), to = from + below(0x1000 - from);

	if (below(2))
		rule(fd, AGENT ":%#x-%#x:%s", from, to, below(2) ? "r" : "rw");
	else
		rule(fd, AGENT ":0x%llx-0x%llx:%s", ~0ULL - 0xfff + from, ~0ULL - 0xfff + to,
		     below(2) ? "w" : "rw");
}

static void churn_crowd(int fd)
{
	__u64 base = below(2) ? 0x10000 : 0x1000000;
	unsigned int from = below(CROWD), n = below(16) ? 1 : below(64);

	rule(fd, AGENT ":%#llx+%u:%s", base + from * 64ULL, n * 64 + 32, any_mode());
}

static void (*const writers[])(int fd) = {
	churn_joined, churn_modes, churn_ends, churn_crowd,
};

#define NR_WRITERS	((int)(sizeof(writers) / sizeof(*writers)))

/* The child ends with 0 when its time is up, else with the error of a rule. */
static pid_t start_writer(int i)
{
	pid_t child = fork();
	long turns = 0;
	int fd;

	if (child < 0)
		bail("fork");
	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	state += i * 0x9e3779b97f4a7c15ULL;
	fd = swarm_open("dma_permissions", O_WRONLY);
	while (!atomic_load(time_is_up)) {
		writers[i](fd);
		turns++;
	}
	note("writer %d: %ld changes", i, turns);
	_exit(0);
}

static void grant_what_stays(void)
{
	int fd = swarm_open("dma_permissions", O_WRONLY), i;

	change(fd, AGENT ":0x100000-0x10ffff:rw");
	change(fd, AGENT ":0x200000-0x20ffff:r");
	change(fd, AGENT ":0-0xfff:r");
	change(fd, AGENT ":0xfffffffffffff000-0xffffffffffffffff:w");
	for (i = 0; i < CROWD; i++) {
		rule(fd, AGENT ":%#x+32:rw", 0x10000 + i * 64);
		rule(fd, AGENT ":%#x+32:rw", 0x1000000 + i * 64);
	}
	close(fd);
}

static bool read_counts(unsigned long long *checks, unsigned long long *refused,
			unsigned long long *allowed)
{
	FILE *f = fopen(PERM_DEBUGFS "perm_storm", "r");
	bool read = f && fscanf(f, "%llu %llu %llu", checks, refused, allowed) == 3;

	if (f)
		fclose(f);
	return read;
}

static bool were_made(const void *unused)
{
	unsigned long long checks, refused, allowed;

	(void)unused;
	if (!read_counts(&checks, &refused, &allowed))
		bail("reading the counts");
	return checks > CHECKS_MIN;
}

static long rules_there(void)
{
	char *text = swarm_read("dma_permissions"), *p;
	long n = 0;

	for (p = text; *p; p++)
		n += *p == '\n';
	free(text);
	return n;
}

int main(void)
{
	unsigned long long checks, refused, allowed;
	pid_t child[NR_WRITERS];
	int status, i;

	state = lock_seed();
	time_is_up = mmap(NULL, sizeof(*time_is_up), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (time_is_up == MAP_FAILED)
		bail("no memory to share");
	grant_what_stays();
	note("%ld rules", rules_there());
	is_errno(perm_insert(TEST_MODULE), 0, "threads check on all CPUs");
	for (i = 0; i < NR_WRITERS; i++)
		child[i] = start_writer(i);
	sleep(SECONDS);
	swarm_wait(were_made, NULL, CHECKS_SECONDS);
	atomic_store(time_is_up, true);
	for (i = 0; i < NR_WRITERS; i++) {
		waitpid(child[i], &status, 0);
		is(status, 0, "writer %d had no error in %d s", i, SECONDS);
	}
	if (!read_counts(&checks, &refused, &allowed))
		bail("reading the counts");
	note("%ld rules at the end", rules_there());
	ok(checks > CHECKS_MIN, "%llu checks were made", checks);
	is(refused, 0, "none was refused that must be granted");
	is(allowed, 0, "none was granted that must be refused");
	ok(rules_there() > 1000, "there are still many rules");
	is_errno(perm_delete("perm_storm"), 0, "the threads end");
	is_errno(swarm_cmd("remove_agent " AGENT), 0, "the agent is removed");
	is(rules_there(), 0, "with all its rules");
	return tap_done();
}
