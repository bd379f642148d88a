// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: pollers [POLLERS]
 *
 * What it costs that POLLERS open files of /dev/gpu_dma_lock are polled by one epoll: a
 * refusal, of so many that wakes are among them, with one and with all; each poller at
 * its wake, which the refusals of 20 ms share, and each that is polled after it.
 */
#define _GNU_SOURCE
#include <sys/epoll.h>
#include <sys/resource.h>

#include "bench.h"
#include "device.h"

#define POLLERS		10000
#define REFUSALS	100000	/* some 100 ms */
#define SPARE		64	/* files that are no pollers */

static int refused, epoll;

static void refuse(long i)
{
	__u64 id;

	(void)i;
	if (device_reserve(refused, bench_device, 4096, &id) != EDQUOT)
		bail("a refusal");
}

static void add_poller(long i)
{
	struct epoll_event event = { .events = EPOLLPRI | EPOLLET, .data.u64 = i };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, device_open(), &event))
		bail("adding a poller");
}

/* Those that are ready, until there are none. */
static void poll_all(struct epoll_event *events, int pollers)
{
	__u64 begin = bench_now();
	int n, ready = 0;

	do {
		n = epoll_wait(epoll, events, pollers, 0);
		ready += n;
	} while (n > 0);
	if (ready != pollers)
		bail("%d of %d pollers are ready", ready, pollers);
	bench_row("pollers: one that is ready", pollers, (double)(bench_now() - begin) / pollers,
		  "instructions", BUDGET_NONE);
}

int main(int argc, char **argv)
{
	int pollers = argc > 1 ? atoi(argv[1]) : POLLERS;
	struct rlimit files = { pollers + SPARE, pollers + SPARE };
	struct epoll_event *events = calloc(pollers, sizeof(*events));

	if (!events || setrlimit(RLIMIT_NOFILE, &files))
		bail("%d files", pollers);
	bench_insert("");
	bench_find_device();
	if (swarm_cmd("create_agent %d 0", BENCH_AGENT) ||
	    swarm_cmd("bind %d pid:%d", BENCH_AGENT, getpid()))
		bail("an agent with nothing");
	refused = device_open();
	epoll = epoll_create1(EPOLL_CLOEXEC);
	add_poller(0);
	bench_row("pollers: a refusal", 1, bench_op(refuse, REFUSALS), "instructions", BUDGET_NONE);
	bench_row("pollers: opening and adding one", pollers, bench_op(add_poller, pollers - 1),
		  "instructions", BUDGET_NONE);
	bench_row("pollers: a refusal", pollers, bench_op(refuse, REFUSALS), "instructions",
		  BUDGET_NONE);
	poll_all(events, pollers);
	return 0;
}
