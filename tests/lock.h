/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Locks of buffers: commands that block run in threads of their own, each with
 * an open file of its own, as writes to one file wait for each other.
 */
#ifndef TESTS_LOCK_H
#define TESTS_LOCK_H

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "device.h"
#include "swarm.h"

#define LOCK_STACK	(64 * 1024)
#define LOCK_SECONDS	60	/* for what happens at once unless something is wrong */

/* A command that may block, or the ioctl LOCK. */
struct lock_call {
	pthread_t thread;
	atomic_int tid;		/* of the thread, or 0: it has not begun */
	int fd;
	char command[96];	/* of the ioctl: what it does, for notes */
	int dev;		/* an open /dev/gpu_dma_lock, or -1 */
	__u64 id;
	bool exclusive;
	int err;		/* valid once ended */
	atomic_bool ended;
};

/* Writes one command to an open control file. Returns 0 or an error number. */
static inline __printf(2, 3)
int lock_run(int fd, const char *fmt, ...)
{
	char text[128];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text) - 1, fmt, ap);
	va_end(ap);
	text[len++] = '\n';
	return write(fd, text, len) < 0 ? errno : 0;
}

static inline void *lock_thread(void *arg)
{
	struct lock_call *call = arg;

	atomic_store(&call->tid, gettid());
	if (call->dev >= 0)
		call->err = device_lock(call->dev, call->id, call->exclusive,
					GPU_DMA_LOCK_FOREVER);
	else
		call->err = lock_run(call->fd, "%s", call->command);
	atomic_store(&call->ended, true);
	return NULL;
}

static inline void lock_interrupted(int sig)
{
	(void)sig;
}

static inline pthread_t lock_start(void *(*run)(void *arg), void *arg)
{
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, LOCK_STACK);
	err = pthread_create(&thread, &attr, run, arg);
	if (err) {
		errno = err;
		bail("starting a thread");
	}
	pthread_attr_destroy(&attr);
	return thread;
}

/* Lets a thread run the command. */
static inline __printf(2, 3)
void lock_post(struct lock_call *call, const char *fmt, ...)
{
	struct sigaction action = { .sa_handler = lock_interrupted };
	va_list ap;

	sigaction(SIGUSR1, &action, NULL);
	va_start(ap, fmt);
	vsnprintf(call->command, sizeof(call->command), fmt, ap);
	va_end(ap);
	call->fd = swarm_open("control", O_WRONLY);
	if (call->fd < 0)
		bail("opening control");
	call->dev = -1;
	call->tid = 0;
	call->ended = false;
	call->thread = lock_start(lock_thread, call);
}

/* As lock_post(), by ioctl. */
static inline void lock_post_file(struct lock_call *call, int dev, __u64 id, bool exclusive)
{
	*call = (struct lock_call){
		.fd = -1, .command = "LOCK", .dev = dev, .id = id, .exclusive = exclusive,
	};
	call->thread = lock_start(lock_thread, call);
}

static inline bool lock_has_ended(const void *arg)
{
	const struct lock_call *call = arg;

	return atomic_load(&call->ended);
}

/* Its error number, 0 for success. One that does not end is interrupted. */
static inline int lock_result(struct lock_call *call)
{
	while (!swarm_wait(lock_has_ended, call, LOCK_SECONDS)) {
		note("does not end: %s", call->command);
		pthread_kill(call->thread, SIGUSR1);
	}
	pthread_join(call->thread, NULL);
	close(call->fd);
	return call->err;
}

/*
 * Whether its thread sleeps: one that waits for a lock has a row a moment before it does, and
 * the wait is counted from the moment that it sleeps.
 */
static inline bool lock_is_asleep(const void *arg)
{
	const struct lock_call *call = arg;
	char path[64], stat[256] = "";
	const char *state;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", atomic_load(&call->tid));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	state = read(fd, stat, sizeof(stat) - 1) > 0 ? strrchr(stat, ')') : NULL;
	close(fd);
	return state && state[2] == 'S';
}

/* How many rows of `locks` say that STATE. */
static inline long lock_rows(const char *state)
{
	struct swarm_table t;
	long row = -1, n = 0;

	swarm_load(&t, "locks");
	while ((row = swarm_find(&t, row + 1, "STATE", state)) >= 0)
		n++;
	swarm_unload(&t);
	return n;
}

static inline bool lock_are_waiting(const void *arg)
{
	return lock_rows("waiting") == *(const long *)arg;
}

/* True as soon as that many wait. */
static inline bool lock_await_waiters(long n)
{
	if (swarm_wait(lock_are_waiting, &n, LOCK_SECONDS))
		return true;
	note("%ld wait, not %ld", lock_rows("waiting"), n);
	return false;
}

/* One check: nobody holds a lock or waits for one. */
static inline void lock_none_left(const char *when)
{
	struct swarm_table agents;
	bool pass;

	swarm_load(&agents, "agents");
	pass = !lock_rows("held") && !lock_rows("waiting") &&
	       !swarm_sum(&agents, "LOCKS") && !swarm_sum(&agents, "WAITING");
	if (!pass)
		note("held %ld, waiting %ld, LOCKS %llu, WAITING %llu", lock_rows("held"),
		     lock_rows("waiting"), swarm_sum(&agents, "LOCKS"),
		     swarm_sum(&agents, "WAITING"));
	swarm_unload(&agents);
	ok(pass, "no lock is left %s", when);
}

static inline bool lock_none_are(const void *unused)
{
	(void)unused;
	return !lock_rows("held") && !lock_rows("waiting");
}

/* As lock_none_left(), of a buffer that ends in a driver's work item. */
static inline void lock_await_none(const char *when)
{
	swarm_wait(lock_none_are, NULL, LOCK_SECONDS);
	lock_none_left(when);
}

/* Creates agents from 1 to @n; those there already are left alone. */
static inline void lock_make_agents(int n)
{
	int fd = swarm_open("control", O_WRONLY), agent;

	if (fd < 0)
		bail("opening control");
	for (agent = 1; agent <= n; agent++) {
		int err = lock_run(fd, "create_agent %d", agent);

		if (err && err != EEXIST)
			bail("creating agent %d: %d", agent, err);
	}
	close(fd);
}

/* Ledger buffers of agent 0. */
static inline void lock_make_buffers(__u64 *id, int n)
{
	__u64 device = swarm_device(NULL);
	int i;

	for (i = 0; i < n; i++)
		if (swarm_allocate(0, 4096, device, &id[i]))
			bail("allocating buffer %d", i);
}

static inline void lock_free_buffers(const __u64 *id, int n)
{
	int i, err;

	for (i = 0; i < n; i++) {
		err = swarm_cmd("free %llu", id[i]);
		if (err)
			bail("freeing buffer %llu: %d", id[i], err);
	}
}

/* A small generator of its own: the same numbers from a seed on every machine. */
static inline unsigned int lock_random(__u64 *state, unsigned int below)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (*state >> 16) % below;
}

/* From the clock, and printed, so that a failure can be repeated. */
static inline __u64 lock_seed(void)
{
	const char *given = getenv("SEED");
	struct timespec now;
	__u64 seed;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = given ? strtoull(given, NULL, 0) : (now.tv_sec * 1000000007ULL) ^ now.tv_nsec;
	note("seed %llu", seed);
	return seed | 1;
}

#endif /* TESTS_LOCK_H */
