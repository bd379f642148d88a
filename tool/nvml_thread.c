// SPDX-License-Identifier: GPL-2.0-only
/*
 * The thread that asks NVML, so that a call that does not return stops nobody else.
 *
 * It has a table of open files of its own. A call that never returns would keep the whole
 * process's files open after its end, and with them the session in which rows are reported.
 */

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "message.h"
#include "nvml_thread.h"

/* How long the library may take to close. */
#define STOP_SECONDS	2

enum state {
	STARTING,
	IDLE,
	ASKED,
	ANSWERED,
	STOPPING,
};

struct nvml_thread {
	pthread_t thread;
	pthread_mutex_t mutex;		/* of state */
	pthread_cond_t changed;
	enum state state;
	int fd;				/* can be read once there is an answer */
	struct nvml_library *library;	/* the thread's */
	struct nvml_reading reading;	/* the thread's while ASKED */
};

static void set_state(struct nvml_thread *t, enum state state)
{
	pthread_mutex_lock(&t->mutex);
	t->state = state;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->mutex);
}

/* Waits while it is this one, and returns the next. */
static enum state wait_while(struct nvml_thread *t, enum state state)
{
	enum state next;

	pthread_mutex_lock(&t->mutex);
	while (t->state == state)
		pthread_cond_wait(&t->changed, &t->mutex);
	next = t->state;
	pthread_mutex_unlock(&t->mutex);
	return next;
}

static void answer(struct nvml_thread *t)
{
	uint64_t one = 1;

	nvml_library_read(t->library, &t->reading);
	set_state(t, ANSWERED);
	while (write(t->fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void *run(void *argument)
{
	struct nvml_thread *t = argument;
	enum state state = IDLE;

	if (unshare(CLONE_FILES))
		say("nvml: unshare: %s", strerror(errno));
	set_state(t, IDLE);
	while (state != STOPPING) {
		if (state == ASKED)
			answer(t);
		state = wait_while(t, state == ASKED ? ANSWERED : IDLE);
	}
	nvml_library_free(t->library);
	return NULL;
}

/**
 * nvml_thread_start() - start the thread
 * @paths: as of nvml_library_new()
 *
 * What is opened after this returns is not the thread's.
 *
 * Return: the thread, to be given to nvml_thread_stop(); NULL if there can be none, which has been
 * said.
 */
struct nvml_thread *nvml_thread_start(const char *const *paths)
{
	struct nvml_thread *t = make(1, sizeof(*t));
	int error;

	pthread_mutex_init(&t->mutex, NULL);
	pthread_cond_init(&t->changed, NULL);
	t->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	t->library = nvml_library_new(paths);
	error = t->fd < 0 ? errno : pthread_create(&t->thread, NULL, run, t);
	if (!error) {
		wait_while(t, STARTING);
		return t;
	}
	say("nvml: no thread: %s", strerror(error));
	nvml_library_free(t->library);
	if (t->fd >= 0)
		close(t->fd);
	free(t);
	return NULL;
}

/**
 * nvml_thread_fd() - what to poll
 * @t: the thread
 *
 * Return: a descriptor that can be read once there is an answer.
 */
int nvml_thread_fd(const struct nvml_thread *t)
{
	return t->fd;
}

/**
 * nvml_thread_ask() - have NVML asked
 * @t: the thread, which is not to be asked again before its answer is taken
 */
void nvml_thread_ask(struct nvml_thread *t)
{
	set_state(t, ASKED);
}

/**
 * nvml_thread_take() - take the answer
 * @t: the thread
 * @r: receives it, to be given to nvml_reading_free()
 *
 * Return: false if there is none yet.
 */
bool nvml_thread_take(struct nvml_thread *t, struct nvml_reading *r)
{
	uint64_t count;
	bool answered;

	if (read(t->fd, &count, sizeof(count)) != sizeof(count))
		return false;
	pthread_mutex_lock(&t->mutex);
	answered = t->state == ANSWERED;
	if (answered) {
		*r = t->reading;
		t->state = IDLE;
		pthread_cond_broadcast(&t->changed);
	}
	pthread_mutex_unlock(&t->mutex);
	return answered;
}

/**
 * nvml_thread_stop() - end the thread, and close the library
 * @t: the thread, which was asked nothing, or whose answer was taken
 *
 * Return: false if it is in NVML still: then it goes on, until the process ends.
 */
bool nvml_thread_stop(struct nvml_thread *t)
{
	struct nvml_reading reading;
	struct timespec until;
	bool asked;

	if (nvml_thread_take(t, &reading))
		nvml_reading_free(&reading);
	pthread_mutex_lock(&t->mutex);
	asked = t->state == ASKED || t->state == ANSWERED;
	if (!asked)
		t->state = STOPPING;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->mutex);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += STOP_SECONDS;
	if (asked || pthread_timedjoin_np(t->thread, NULL, &until))
		return false;
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->mutex);
	close(t->fd);
	free(t);
	return true;
}
