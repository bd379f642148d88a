// SPDX-License-Identifier: GPL-2.0-only
/*
 * poll() on `stats`: it tells of a refusal, a loss and a lost binding within 100 ms, of
 * nothing at rest, once of many, and with epoll's edge triggering; until the file
 * is read. Ten thousand wait. The module goes while some do.
 *
 * vm: --load --mem 512 --timeout 300
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

#include "cgroup.h"
#include "lock.h"
#include "perm.h"

#define AGENT		7
#define REFUSALS	1000
#define POLLERS_MAX	10000
#define AT_REST_MS	300
/* In quick runs others are at work beside this. */
#define SOON_MS		(on_debug_kernel() || scaled(100) < 100 ? 1000 : 100)
#define TRIES		5	/* one of them as soon as that */
#define LONG_MS		30000
#define GONE_MS		2000	/* of a poll() that goes on when the module is gone */

static __u64 device;

static int stats_open(void)
{
	int fd = swarm_open("stats", O_RDONLY);

	if (fd < 0)
		bail("opening stats");
	return fd;
}

/* Read all of it, as a process does that is told that something was counted. */
static void stats_seen(int fd)
{
	char text[16384];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, text, sizeof(text), at)) > 0)
		at += n;
	if (n)
		bail("reading stats");
}

/* What poll() says of it. */
static int events_of(int fd, int timeout_ms)
{
	struct pollfd poller = { .fd = fd, .events = POLLPRI };

	if (poll(&poller, 1, timeout_ms) < 0)
		bail("poll");
	return poller.revents;
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void refuse(int n)
{
	__u64 id;

	while (n--)
		if (swarm_allocate(AGENT, 2 << 20, device, &id) != EDQUOT)
			bail("that should be refused");
}

/* A thread that waits, and how long ago it was woken. */
struct waiter {
	pthread_t thread;
	int fd, timeout_ms;
	int events;
	long woken;
};

static int wakes_told, wakes_quiet;	/* of those that check_wake() has seen */

static void *wait_thread(void *arg)
{
	struct waiter *w = arg;

	w->events = events_of(w->fd, w->timeout_ms);
	w->woken = now_ms();
	return NULL;
}

/* A kind of what is told, once. Returns how many ms later. */
static long check_wake(const char *what, void (*count)(void))
{
	struct waiter w = { .fd = stats_open(), .timeout_ms = LONG_MS };
	long counted;

	w.thread = lock_start(wait_thread, &w);
	usleep(100000);
	counted = now_ms();
	count();
	pthread_join(w.thread, NULL);
	if (w.events != POLLPRI)
		note("%s: events %#x", what, w.events);
	wakes_told += w.events == POLLPRI && events_of(w.fd, 0) == POLLPRI;
	stats_seen(w.fd);
	wakes_quiet += events_of(w.fd, AT_REST_MS) == 0;
	close(w.fd);
	return w.woken - counted;
}

/* The fastest of some tries, as the machine may be busy; no more after one that never came. */
static void check_wakes(const char *what, void (*count)(void))
{
	int tries = 0;
	long ms;

	wakes_told = 0;
	wakes_quiet = 0;
	do
		ms = check_wake(what, count);
	while (++tries < TRIES && ms > SOON_MS && ms < LONG_MS);
	is(wakes_told, tries, "%s: POLLPRI, as long as it is not read", what);
	if (!ok(ms <= SOON_MS, "%s: soon", what))
		note("%ld ms", ms);
	is(wakes_quiet, tries, "%s: not once it is read", what);
}

static void count_refusal(void)
{
	refuse(1);
}

static void count_denied_check(void)
{
	/* The check of a range says no. */
	if (swarm_cmd("check %d 0x1000 r", AGENT) != EACCES)
		bail("that should be denied");
}

static void count_lost_binding(void)
{
	if (cgroup_remove("alerts"))
		bail("removing a cgroup");
	/* For the next try. */
	if (cgroup_make("alerts"))
		bail("making a cgroup");
}

static void check_kinds(void)
{
	check_wakes("a refusal", count_refusal);
	check_wakes("a check that is denied", count_denied_check);
	if (cgroup_make("alerts") || swarm_cmd("bind %d cgroup:/alerts", AGENT))
		bail("binding a cgroup");
	check_wakes("a lost binding", count_lost_binding);
	cgroup_remove("alerts");
}

static void check_rest(void)
{
	int fd = stats_open(), other = stats_open();
	__u64 id = 0;

	is(events_of(fd, AT_REST_MS), 0, "nothing at rest");
	if (swarm_allocate(AGENT, 4096, device, &id) || swarm_cmd("free %llu", id) ||
	    !swarm_cmd("no such command"))
		bail("what nobody is to be told of");
	is(events_of(fd, AT_REST_MS), 0, "nothing of what succeeds, or is no command");
	refuse(1);
	is(events_of(fd, LONG_MS), POLLPRI, "a file that was never read tells since it was opened");
	stats_seen(fd);
	is(events_of(fd, 0), 0, "what is read is told no more");
	is(events_of(other, 0), POLLPRI, "but by another open file");
	if (swarm_cmd("reset_stats"))
		bail("reset_stats");
	is(events_of(fd, AT_REST_MS), 0, "a reset is no news");
	is(events_of(other, 0), POLLPRI, "and takes none");
	close(fd);
	close(other);
}

static struct pollfd readable(int fd)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN | POLLRDNORM | POLLPRI };

	if (poll(&poller, 1, LONG_MS) != 1)
		bail("poll");
	return poller;
}

static void check_readable(void)
{
	int fd = stats_open();

	is(readable(fd).revents, POLLIN | POLLRDNORM, "it can be read at any time");
	close(fd);
}

static int edge_open(int fd)
{
	struct epoll_event event = { .events = EPOLLPRI | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		bail("epoll");
	return epoll;
}

/* How many come, the first within @timeout_ms, and the others within AT_REST_MS. */
static int edges(int epoll, int timeout_ms)
{
	struct epoll_event event;
	int n = 0;

	while (epoll_wait(epoll, &event, 1, n ? AT_REST_MS : timeout_ms) == 1)
		n++;
	return n;
}

static void check_edges(void)
{
	int fd = stats_open(), epoll = edge_open(fd), n;

	is(edges(epoll, AT_REST_MS), 0, "edges: none at rest");
	refuse(1);
	is(edges(epoll, LONG_MS), 1, "edges: one of a refusal");
	refuse(1);
	is(edges(epoll, LONG_MS), 1, "edges: another of the next, also if it was not read");
	stats_seen(fd);
	is(edges(epoll, AT_REST_MS), 0, "edges: none once it is read");
	refuse(REFUSALS);
	n = edges(epoll, LONG_MS);
	ok(n >= 1, "edges: of %d refusals", REFUSALS);
	close(epoll);
	close(fd);
}

struct coalesce {
	int fd, epoll;
	int wakes;
	atomic_bool over;
};

static void *coalesce_thread(void *arg)
{
	struct coalesce *c = arg;
	struct epoll_event event;

	while (!atomic_load(&c->over)) {
		if (epoll_wait(c->epoll, &event, 1, 10) != 1)
			continue;
		c->wakes++;
		stats_seen(c->fd);
	}
	return NULL;
}

/* Whether all of it was read, by the thread that reads when it is told. */
static bool is_seen(const void *fd)
{
	return !events_of(*(const int *)fd, 0);
}

static void check_coalesce(void)
{
	struct coalesce c = { .fd = stats_open() };
	long begun = now_ms(), took;
	pthread_t thread;
	__u64 before = swarm_stat("quota_denied");
	bool seen;

	c.epoll = edge_open(c.fd);
	thread = lock_start(coalesce_thread, &c);
	refuse(REFUSALS);
	took = now_ms() - begun;
	seen = swarm_wait(is_seen, &c.fd, LOCK_SECONDS);
	usleep(200000);
	atomic_store(&c.over, true);
	pthread_join(thread, NULL);
	is(swarm_stat("quota_denied") - before, REFUSALS, "%d refusals are counted", REFUSALS);
	/* One in 20 ms, and two at its ends. */
	if (!ok(c.wakes >= 1 && c.wakes <= took / 20 + 12, "they need no %d wakes", REFUSALS))
		note("%d wakes in %ld ms", c.wakes, took);
	ok(seen, "the last of them was told");
	close(c.epoll);
	close(c.fd);
}

static void check_many(void)
{
	struct rlimit files = { POLLERS_MAX + 100, POLLERS_MAX + 100 };
	int n = scaled(POLLERS_MAX), epoll = epoll_create1(EPOLL_CLOEXEC), i, told = 0;
	int *fds = calloc(n, sizeof(*fds));
	struct epoll_event event = { .events = EPOLLPRI }, found[256];
	long begun;

	setrlimit(RLIMIT_NOFILE, &files);
	for (i = 0; i < n; i++) {
		fds[i] = stats_open();
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event))
			bail("epoll_ctl");
	}
	begun = now_ms();
	refuse(1);
	ok(epoll_wait(epoll, found, 1, LONG_MS) == 1, "%d wait, and are told", n);
	note("after %ld ms", now_ms() - begun);
	for (i = 0; i < n; i++)
		told += events_of(fds[i], 0) == POLLPRI;
	is(told, n, "all of them");
	for (i = 0; i < n; i++)
		close(fds[i]);
	close(epoll);
	free(fds);
}

/* Closes its files when the module is gone. */
static void check_unload(void)
{
	struct waiter w = { .fd = stats_open(), .timeout_ms = GONE_MS };
	int fd = stats_open(), epoll = edge_open(fd);

	w.thread = lock_start(wait_thread, &w);
	usleep(100000);
	is_errno(perm_delete("gpu_dma_lock"), 0, "the module goes while some wait");
	pthread_kill(w.thread, SIGCONT);
	pthread_join(w.thread, NULL);
	edges(epoll, 0);
	close(fd);
	close(w.fd);
	close(epoll);
	ok(true, "and their files are closed after that");
	if (perm_insert("/gpu_dma_lock.ko"))
		bail("inserting the module again");
}

int main(void)
{
	device = swarm_device(NULL);
	lock_make_agents(1);
	if (swarm_cmd("create_agent %d 1M", AGENT))
		bail("creating an agent");
	check_readable();
	check_rest();
	check_kinds();
	check_edges();
	check_coalesce();
	check_many();
	swarm_cmd("remove_agent %d", AGENT);
	check_unload();
	return tap_done();
}
