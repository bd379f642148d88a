/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tasks asleep in hooked functions, for as long as the test wants: by the buffers of
 * tests/modules/sleeper.c.
 */
#ifndef TESTS_SLEEP_H
#define TESTS_SLEEP_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "modules/sleeper.h"
#include "perm.h"

#define SLEEP_ALL	((1U << NR_SLEEPER_OPS) - 1)
#define SLEEP_SECONDS	120	/* for all to be asleep, however busy the host is */
#define SLEEP_STACK	32768

static const char * const sleep_functions[NR_SLEEPER_OPS] = {
	[SLEEPER_IN_ATTACH]	= "dma_buf_dynamic_attach",
	[SLEEPER_IN_MAP]	= "dma_buf_map_attachment",
	[SLEEPER_IN_UNMAP]	= "dma_buf_unmap_attachment",
	[SLEEPER_IN_DETACH]	= "dma_buf_detach",
	[SLEEPER_IN_MMAP]	= "dma_buf_mmap_internal",
	[SLEEPER_IN_RELEASE]	= "dma_buf_release",
};

/* Inserts the module. No task sleeps yet. */
static inline void sleep_set_up(void)
{
	struct rlimit files = { .rlim_cur = 1 << 14, .rlim_max = 1 << 14 };

	if (perm_insert(PERM_TEST_DIR "sleeper.ko"))
		bail("inserting sleeper.ko");
	if (setrlimit(RLIMIT_NOFILE, &files))
		bail("raising the limit of open files");
}

static inline void sleep_tear_down(void)
{
	if (perm_delete("sleeper"))
		bail("removing sleeper.ko");
}

/* A task that calls one of these operations, a bit each, sleeps; one asleep in another goes on. */
static inline void sleep_in(unsigned int ops)
{
	int fd = open(PERM_DEBUGFS "sleeper/sleep", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || dprintf(fd, "%u", ops) < 0)
		bail("writing to the sleepers");
	close(fd);
}

/* The number in a file of debugfs. */
static inline int sleep_number(const char *file)
{
	char path[64], text[16] = "";
	int fd;

	snprintf(path, sizeof(path), PERM_DEBUGFS "%s", file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		bail("reading %s", file);
	close(fd);
	return atoi(text);
}

static inline int sleep_count(void)
{
	return sleep_number("sleeper/asleep");
}

static inline bool sleep_count_is(const void *arg)
{
	return sleep_count() == *(const int *)arg;
}

/* Until so many are asleep. */
static inline bool sleep_wait(int count)
{
	if (swarm_wait(sleep_count_is, &count, SLEEP_SECONDS))
		return true;
	note("%d are asleep, want %d", sleep_count(), count);
	return false;
}

static inline int sleep_open(void)
{
	int fd = open("/dev/sleeper", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		bail("opening /dev/sleeper");
	return fd;
}

static inline int sleep_export(int device)
{
	int fd = ioctl(device, SLEEPER_EXPORT);

	if (fd < 0)
		bail("exporting a buffer that sleeps");
	return fd;
}

struct sleep_task {
	enum sleeper_op op;
	pid_t pid;		/* of the thread, or of the process for mmap() */
	pthread_t thread;
	int device, fd;
	int err;		/* of the operation, when it has ended */
};

static inline int sleep_act(const struct sleep_task *t)
{
	switch (t->op) {
	case SLEEPER_IN_ATTACH:
		return ioctl(t->device, SLEEPER_ATTACH, t->fd) ? errno : 0;
	case SLEEPER_IN_MAP:
		return ioctl(t->device, SLEEPER_MAP) ? errno : 0;
	case SLEEPER_IN_UNMAP:
		return ioctl(t->device, SLEEPER_UNMAP) ? errno : 0;
	case SLEEPER_IN_DETACH:
		return ioctl(t->device, SLEEPER_DETACH) ? errno : 0;
	case SLEEPER_IN_MMAP:
		return mmap(NULL, SLEEPER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, t->fd,
			    0) == MAP_FAILED ? errno : 0;
	default:
		return close(t->fd) ? errno : 0;
	}
}

static inline void *sleep_thread(void *arg)
{
	struct sleep_task *t = arg;

	__atomic_store_n(&t->pid, gettid(), __ATOMIC_RELEASE);
	t->err = sleep_act(t);
	return NULL;
}

static inline void sleep_create_thread(pthread_t *thread, void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, SLEEP_STACK);
	if (pthread_create(thread, &attr, run, arg))
		bail("making a thread");
	pthread_attr_destroy(&attr);
}

/*
 * A task asleep in mmap() holds the lock of its memory, which other threads would need. It
 * has no other open files, so that they are closed when the test closes them.
 */
static inline void sleep_fork(struct sleep_task *t)
{
	t->pid = fork();
	if (t->pid < 0)
		bail("fork");
	if (t->pid)
		return;
	close_range(3, ~0U, 0);
	t->device = sleep_open();
	t->fd = sleep_export(t->device);
	_exit(sleep_act(t));
}

/* All that comes before the operation of @t. */
static inline void sleep_prepare(struct sleep_task *t)
{
	int err = 0;

	t->device = sleep_open();
	t->fd = sleep_export(t->device);
	if (t->op == SLEEPER_IN_MAP || t->op == SLEEPER_IN_UNMAP || t->op == SLEEPER_IN_DETACH)
		err = ioctl(t->device, SLEEPER_ATTACH, t->fd);
	if (!err && t->op == SLEEPER_IN_UNMAP)
		err = ioctl(t->device, SLEEPER_MAP);
	if (err)
		bail("attaching to a buffer that sleeps");
}

/* So many tasks, each of which falls asleep in its operation. Returns whether they do. */
static inline bool sleep_begin_all(struct sleep_task *tasks, int count)
{
	int i, forked = 0;

	sleep_in(1U << SLEEPER_IN_MMAP);
	for (i = 0; i < count; i++) {
		if (tasks[i].op != SLEEPER_IN_MMAP)
			continue;
		sleep_fork(&tasks[i]);
		forked++;
	}
	if (!sleep_wait(forked))
		return false;
	for (i = 0; i < count; i++)
		if (tasks[i].op != SLEEPER_IN_MMAP)
			sleep_prepare(&tasks[i]);
	sleep_in(SLEEP_ALL);
	for (i = 0; i < count; i++)
		if (tasks[i].op != SLEEPER_IN_MMAP)
			sleep_create_thread(&tasks[i].thread, sleep_thread, &tasks[i]);
	return sleep_wait(count);
}

/* The operation has ended or will; nothing of it is left. Returns its error number. */
static inline int sleep_end(struct sleep_task *t)
{
	int status;

	if (t->op == SLEEPER_IN_MMAP) {
		if (waitpid(t->pid, &status, 0) != t->pid)
			bail("waitpid");
		return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	}
	pthread_join(t->thread, NULL);
	close(t->device);
	if (t->op != SLEEPER_IN_RELEASE)
		close(t->fd);
	return t->err;
}

#endif /* TESTS_SLEEP_H */
