// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attack: very many tasks sleep within hooked functions. Commands do not wait for them, and
 * what a policy says counts at once. Removing the module waits, and says why.
 *
 * vm: --gpu none --mem 1024 --timeout 300
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/wait.h>

#include "sleep.h"

#define SLEEPERS	1500
#define SLEEPERS_MIN	600	/* more than the 512 that kretprobes had room for */
#define TRIES		20
#define ROUNDS		5
#define LIMIT_MS	100
#define TELL_SECONDS	60	/* until the log has why it waits */

static struct sleep_task *tasks;
static int nr_tasks;

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

/* The fastest of some tries: the host may be busy. */
static void is_fast(const char *line, const char *undo)
{
	double least = 1e9, ms;
	int i, err = 0;

	for (i = 0; i < TRIES && !err && least > LIMIT_MS; i++) {
		ms = now_ms();
		err = swarm_cmd("%s\n", line);
		ms = now_ms() - ms;
		if (ms < least)
			least = ms;
		if (!err && *undo)
			err = swarm_cmd("%s\n", undo);
	}
	is_errno(err, 0, "%s", line);
	ok(least <= LIMIT_MS, "%s: within %d ms", line, LIMIT_MS);
	note("%.1f ms", least);
}

static void test_commands(void)
{
	is_fast("create_agent 7 0", "remove_agent 7");
	is_fast("set_quota 0 1G", "set_quota 0 max");
	is_fast("reset_stats", "");
	is_fast("policy audit", "policy enforce");
	is_fast("policy enforce", "policy off");
	is_fast("policy off", "policy audit");
	if (swarm_cmd("create_agent 7 0\ncreate_agent 8\n"))
		bail("agents");
	is_fast("grant 8 0x1000+0x1000 rw", "revoke 8");
	is_fast("template /none/* 1M", "remove_template /none/*");
	is_fast("bind 8 cgroup:/none later", "unbind 8 cgroup:/none");
}

/* Of an agent that may have nothing. Returns 0 or an error number. */
static int try_export(void)
{
	int device, fd, status;
	pid_t pid = fork();

	if (!pid) {
		if (swarm_cmd("bind 7 pid:%d\n", getpid()))
			_exit(EINVAL);
		device = open("/dev/sleeper", O_RDWR | O_CLOEXEC);
		fd = device < 0 ? -1 : ioctl(device, SLEEPER_EXPORT);
		_exit(fd < 0 ? errno : 0);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void test_at_once(void)
{
	int i, wrong = 0;

	for (i = 0; i < ROUNDS; i++) {
		wrong += !!swarm_cmd("policy enforce\n");
		wrong += try_export() != EDQUOT;
		wrong += !!swarm_cmd("policy audit\n");
		wrong += !!try_export();
	}
	is(wrong, 0, "what a policy says counts for the next operation");
}

static bool has_ended(const void *arg)
{
	siginfo_t info = { };

	waitid(P_PID, *(const pid_t *)arg, &info, WEXITED | WNOHANG | WNOWAIT);
	return info.si_pid;
}

/* Of the kernel's log; @arg is open for it. */
static bool says_why(const void *arg)
{
	char line[8192] = "";

	while (read(*(const int *)arg, line, sizeof(line) - 1) > 0) {
		if (strstr(line, "waiting for") && strstr(line, "hooked functions"))
			return true;
		memset(line, 0, sizeof(line));
	}
	return false;
}

static void test_removal(void)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC), failed = 0, i, status;
	pid_t pid;

	if (log < 0 || lseek(log, 0, SEEK_END))
		bail("the kernel's log");
	pid = fork();
	if (!pid)
		_exit(perm_delete("gpu_dma_lock"));
	ok(swarm_wait(says_why, &log, TELL_SECONDS), "the log says why the removal waits");
	ok(!has_ended(&pid), "it does");
	sleep_in(0);
	for (i = 0; i < nr_tasks; i++)
		failed += !!sleep_end(&tasks[i]);
	is(failed, 0, "all go on");
	ok(swarm_wait(has_ended, &pid, SLEEP_SECONDS), "the removal ends then");
	waitpid(pid, &status, 0);
	is_errno(WEXITSTATUS(status), 0, "well");
	close(log);
}

int main(void)
{
	int i;

	sleep_set_up();
	if (perm_insert_with(PERM_MODULE, "policy=audit"))
		bail("inserting the module");
	nr_tasks = scaled(SLEEPERS) > SLEEPERS_MIN ? scaled(SLEEPERS) : SLEEPERS_MIN;
	tasks = calloc(nr_tasks, sizeof(*tasks));
	/* A process for each that sleeps in mmap() is more than it takes. */
	for (i = 0; i < nr_tasks; i++)
		tasks[i].op = i & 1 ? SLEEPER_IN_ATTACH : SLEEPER_IN_MAP;
	ok(sleep_begin_all(tasks, nr_tasks), "%d tasks are asleep", nr_tasks);
	/* So that what is tried below does not sleep. */
	sleep_in(1U << SLEEPER_IN_ATTACH | 1U << SLEEPER_IN_MAP);
	test_commands();
	test_at_once();
	test_removal();
	sleep_tear_down();
	return tap_done();
}
