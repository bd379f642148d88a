// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module is removed while 1,000 threads wait for locks: that takes no more
 * than a second of the guest's time, which is counted in instructions, and each
 * of them is told. It can be loaded again.
 *
 * vm: --gpu bochs --icount --append slab_nomerge --mem 1024 --timeout 400
 */
#define _GNU_SOURCE
#include "lock.h"
#include "perm.h"

#define WAITERS_MAX	1000
#define WAITERS		scaled(WAITERS_MAX)
#define BUFFERS		10	/* that they wait for */
#define LIMIT_MS	1000

static struct lock_call calls[WAITERS_MAX];
static __u64 buffers[BUFFERS];

/* Returns how long it took. */
static long delete_ms(int *err)
{
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	*err = perm_delete("gpu_dma_lock");
	clock_gettime(CLOCK_MONOTONIC, &to);
	return (to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000;
}

static void begin_waits(void)
{
	int i;

	lock_make_agents(BUFFERS + WAITERS);
	lock_make_buffers(buffers, BUFFERS);
	for (i = 0; i < BUFFERS; i++)
		if (swarm_cmd("lock %llu %d exclusive", buffers[i], i + 1))
			bail("locking buffer %d", i);
	for (i = 0; i < WAITERS; i++)
		lock_post(&calls[i], "lock %llu %d %s %s", buffers[i % BUFFERS],
			  BUFFERS + i + 1, i % 3 ? "exclusive" : "shared",
			  i % 2 ? "3600000" : "");
	ok(lock_await_waiters(WAITERS), "%d threads wait", WAITERS);
}

static void end_waits(void)
{
	int i, told = 0, err;

	for (i = 0; i < WAITERS; i++) {
		err = lock_result(&calls[i]);
		told += err == ENODEV;
		if (err != ENODEV && told == i)
			note("waiter %d: %s", i, strerror(err));
	}
	is(told, WAITERS, "every waiter gets ENODEV");
}

int main(void)
{
	long with, without;
	int err;

	if (perm_insert(PERM_MODULE))
		bail("inserting the module");
	without = delete_ms(&err);
	is_errno(err, 0, "the module goes in %ld ms without waiters", without);
	is_errno(perm_insert(PERM_MODULE), 0, "it comes back");
	begin_waits();
	with = delete_ms(&err);
	is_errno(err, 0, "it goes with %d waiters", WAITERS);
	ok(with < LIMIT_MS, "in %ld ms, which is under %d", with, LIMIT_MS);
	end_waits();
	ok(access("/proc/swarm", F_OK), "nothing of it is left in proc");
	is_errno(perm_insert(PERM_MODULE), 0, "it comes back");
	lock_none_left("then");
	is(swarm_stat("buffers"), 0, "nor a buffer");
	is_errno(swarm_cmd("create_agent 1"), 0, "it takes commands");
	delete_ms(&err);
	is_errno(err, 0, "and goes");
	return tap_done();
}
