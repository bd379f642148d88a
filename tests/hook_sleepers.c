// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tasks asleep within hooked functions. None is missed, however many there are: each
 * call of 2,000 that sleep at once is counted, and what it does is seen. And the module
 * can be removed from under them: that ends when the last has gone on, not before.
 *
 * vm: --gpu none --mem 1024 --timeout 300
 */
#define _GNU_SOURCE
#include <signal.h>

#include "life.h"
#include "sleep.h"

#define IN_FLIGHT_MAX	2000
#define IN_FLIGHT_MIN	600	/* more than the 512 that kretprobes had room for */
#define SLEEPERS	204	/* as many of each operation */
#define REMOVALS	5	/* by each way of hooking */
#define PATIENCE_MS	500	/* that it is seen to wait */
#define REMOVAL_SECONDS	60

static const char * const modes[] = { "hook=auto", "hook=divert" };

static pthread_t threads[IN_FLIGHT_MAX];
static struct sleep_task tasks[SLEEPERS];

/* What a life does, in this order. */
static const struct stage {
	enum sleeper_op op;
	bool attached, mapped;	/* as the tables have it while it sleeps */
} stages[] = {
	{ SLEEPER_IN_ATTACH, false, false },
	{ SLEEPER_IN_MAP, true, true },
	{ SLEEPER_IN_UNMAP, true, false },
	{ SLEEPER_IN_DETACH, false, false },
	{ SLEEPER_IN_RELEASE, false, false },
};

#define NR_STAGES	(sizeof(stages) / sizeof(*stages))

static int in_flight(void)
{
	int n = scaled(IN_FLIGHT_MAX);

	return n > IN_FLIGHT_MIN ? n : IN_FLIGHT_MIN;
}

/* A buffer's whole life, which sleeps where it is told to. Returns an error, or NULL. */
static void *live(void *unused)
{
	int device = open("/dev/sleeper", O_RDWR | O_CLOEXEC), fd, err;

	(void)unused;
	if (device < 0)
		return strerror(errno);
	fd = ioctl(device, SLEEPER_EXPORT);
	err = fd < 0 || ioctl(device, SLEEPER_ATTACH, fd) || ioctl(device, SLEEPER_MAP) ||
	      ioctl(device, SLEEPER_UNMAP) || ioctl(device, SLEEPER_DETACH) || close(fd);
	err = err ? errno : 0;
	close(device);
	return err ? strerror(err) : NULL;
}

static __u64 mapped(void)
{
	struct swarm_table t;
	__u64 sum;

	swarm_load(&t, "attachments");
	sum = swarm_sum(&t, "MAPPED");
	swarm_unload(&t);
	return sum;
}

static void check_stage(const char *mode, const struct stage *s, int n)
{
	const char *function = sleep_functions[s->op];
	int buffers = s->op == SLEEPER_IN_RELEASE ? 0 : n;
	int attachments = s->attached ? n : 0, mappings = s->mapped ? n : 0;
	char key[64];

	if (!ok(sleep_wait(n), "%s, %s: %d tasks are asleep in it", mode, function, n))
		bail("no use to go on");
	snprintf(key, sizeof(key), "hook_%s_hits", function);
	is(swarm_stat(key), n, "%s, %s: each call was seen", mode, function);
	is(life_rows("attachments"), attachments, "%s, %s: there are %d attachments", mode,
	   function, attachments);
	is(mapped(), mappings, "%s, %s: there are %d mappings", mode, function, mappings);
	is(life_rows("allocations"), buffers, "%s, %s: there are %d buffers", mode, function,
	   buffers);
}

static void check_in_flight(const char *mode)
{
	int n = in_flight(), i, failed = 0;
	unsigned int bits = SLEEP_ALL;
	char when[32];
	void *err;

	sleep_in(bits);
	for (i = 0; i < n; i++)
		sleep_create_thread(&threads[i], live, NULL);
	for (i = 0; i < (int)NR_STAGES; i++) {
		check_stage(mode, &stages[i], n);
		bits &= ~(1U << stages[i].op);
		sleep_in(bits);
	}
	for (i = 0; i < n; i++) {
		pthread_join(threads[i], &err);
		if (err && !failed++)
			note("a life: %s", (char *)err);
	}
	is(failed, 0, "%s: all lives went well", mode);
	is(swarm_stat("buffers_created"), n, "%s: each buffer was seen", mode);
	is(swarm_stat("buffers_freed"), n, "%s: and its end", mode);
	snprintf(when, sizeof(when), "with %s", mode);
	life_nothing_left(0, when);
}

static pid_t begin_removal(void)
{
	pid_t pid = fork();

	if (pid < 0)
		bail("fork");
	if (!pid)
		_exit(perm_delete("gpu_dma_lock"));
	return pid;
}

static bool removal_waits(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) == 0;
}

static bool removal_ends(const void *arg)
{
	int status;

	return waitpid(*(const pid_t *)arg, &status, WNOHANG) > 0 && WIFEXITED(status) &&
	       !WEXITSTATUS(status);
}

/* Some are killed, some go on, the others after them. */
static int end_sleepers(pid_t removal, bool *early)
{
	int i, failed = 0, err;

	for (i = 0; i < SLEEPERS; i++)
		if (tasks[i].op == SLEEPER_IN_MMAP)
			kill(tasks[i].pid, SIGKILL);
	sleep_in(1U << SLEEPER_IN_DETACH | 1U << SLEEPER_IN_UNMAP);
	usleep(PATIENCE_MS * 1000);
	*early = !removal_waits(removal);
	sleep_in(0);
	for (i = 0; i < SLEEPERS; i++) {
		err = sleep_end(&tasks[i]);
		failed += err != (tasks[i].op == SLEEPER_IN_MMAP ? EINTR : 0);
	}
	return failed;
}

static bool export_works(void)
{
	int device = sleep_open(), fd = ioctl(device, SLEEPER_EXPORT);

	close(fd);
	close(device);
	return fd >= 0;
}

static void remove_under_sleepers(const char *mode)
{
	bool begun, waited, early, ended;
	pid_t removal;
	int i, failed;

	for (i = 0; i < SLEEPERS; i++)
		tasks[i].op = i % NR_SLEEPER_OPS;
	begun = sleep_begin_all(tasks, SLEEPERS);
	ok(begun, "%s: %d tasks are asleep in %d functions", mode, SLEEPERS, NR_SLEEPER_OPS);
	removal = begin_removal();
	usleep(PATIENCE_MS * 1000);
	waited = removal_waits(removal);
	sleep_in(SLEEP_ALL & ~(1U << SLEEPER_IN_RELEASE));
	ok(export_works(), "%s: meanwhile others are not held up", mode);
	failed = end_sleepers(removal, &early);
	ok(waited && !early, "%s: the module waits for the last of them", mode);
	ended = swarm_wait(removal_ends, &removal, REMOVAL_SECONDS);
	ok(ended, "%s: and goes then", mode);
	if (!ended)
		bail("the module is stuck");
	is(failed, 0, "%s: all have ended as they should", mode);
}

int main(void)
{
	unsigned int i;
	int removals;

	sleep_set_up();
	for (i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		is_errno(perm_insert_with(PERM_MODULE, modes[i]), 0, "%s: inserted", modes[i]);
		check_in_flight(modes[i]);
		remove_under_sleepers(modes[i]);
		for (removals = scaled(REMOVALS); removals > 1; removals--) {
			if (perm_insert_with(PERM_MODULE, modes[i]))
				bail("inserting the module");
			remove_under_sleepers(modes[i]);
		}
	}
	sleep_tear_down();
	return tap_done();
}
