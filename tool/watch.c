// SPDX-License-Identifier: GPL-2.0-only
/*
 * watch: what goes wrong, when it does.
 *
 * The module wakes who polls `stats` once something is counted that ought not to be. Before
 * it did, counters have to be read again and again.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "command.h"
#include "json.h"
#include "message.h"
#include "output.h"
#include "stats.h"
#include "table.h"
#include "word.h"

/* How often counters are read where nobody wakes. */
#define READ_MS		1000
/* A poller that comes while the module is removed is not told. */
#define LOOK_MS		60000

struct denied {
	uint64_t id, denied;
};

struct watch {
	bool json;
	uint64_t left;		/* events to come, UINT64_MAX: no end */
	int fd;			/* of stats */
	struct stats stats;
	struct denied *agents;	/* by their ids */
	size_t agent_count, agent_room;
};

static bool ends_with(const char *key, const char *end)
{
	size_t len = strlen(key), end_len = strlen(end);

	return len >= end_len && !strcmp(key + len - end_len, end);
}

/* What ought not to rise: that which poll() tells of. */
static bool is_trouble(const char *key)
{
	static const char *const ends[] = {
		"_lost", "_stale", "_denied", "_audited", "_capped", "_full", "_outside",
	};
	static const char *const keys[] = {
		"bindings_ended", "templates_failed", "locks_deadlocks",
	};
	size_t i;

	for (i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (ends_with(key, ends[i]))
			return true;
	for (i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (!strcmp(key, keys[i]))
			return true;
	return !strncmp(key, "hook_", 5) && ends_with(key, "_failed");
}

static void begin_event(const struct watch *w, struct json *j)
{
	struct timespec now;
	char time[32];
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	if (w->json) {
		json_init(j, stdout, 0);
		json_object(j, NULL);
		json_number(j, "time_ms", (uint64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
	} else if (localtime_r(&now.tv_sec, &tm)) {
		strftime(time, sizeof(time), "%FT%T%z", &tm);
		printf("%s ", time);
	}
}

static void end_event(struct watch *w, struct json *j, uint64_t rose, uint64_t value)
{
	if (w->json) {
		json_number(j, "rose", rose);
		json_number(j, "value", value);
		json_end(j);
	} else {
		printf(" +%" PRIu64 ", %" PRIu64 " in all\n", rose, value);
	}
	if (w->left != UINT64_MAX)
		w->left--;
}

/* By how much; a counter that was reset has risen from 0 on. */
static uint64_t rise(uint64_t before, uint64_t now)
{
	return now < before ? now : now - before;
}

static void tell_counter(struct watch *w, const char *key, uint64_t rose, uint64_t value)
{
	struct json j;

	begin_event(w, &j);
	if (w->json)
		json_string(&j, "counter", key);
	else
		fputs(key, stdout);
	end_event(w, &j, rose, value);
}

static void compare_counters(struct watch *w, const struct stats *now)
{
	size_t i;

	for (i = 0; i < now->count && w->left; i++) {
		const char *key = now->lines[i].key;
		uint64_t value, rose;

		if (!is_trouble(key) || !word_number(now->lines[i].value, &value))
			continue;
		rose = rise(stats_number(&w->stats, key), value);
		if (rose)
			tell_counter(w, key, rose, value);
	}
}

static int by_id(const void *a, const void *b)
{
	const struct denied *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static void tell_agent(struct watch *w, const struct table *t, uint64_t rose, uint64_t value)
{
	char *called = agent_called(table_cell(t, "ID"), table_cell(t, "NAME"));
	struct json j;

	begin_event(w, &j);
	if (w->json) {
		json_cell(&j, "agent", table_cell(t, "ID"), KIND_NUMBER);
		json_cell(&j, "name", table_cell(t, "NAME"), KIND_TEXT);
	} else {
		printf("agent %s denied", called);
	}
	end_event(w, &j, rose, value);
	free(called);
}

static void take_agent(struct watch *w, const struct table *t, bool tell, struct denied *before,
		       size_t count)
{
	struct denied now = { table_number(t, "ID"), table_number(t, "DENIED") };
	const struct denied *was = before ? bsearch(&now, before, count, sizeof(now), by_id) : NULL;
	uint64_t rose = rise(was ? was->denied : 0, now.denied);

	w->agents = grow(w->agents, &w->agent_room, w->agent_count + 1, sizeof(*w->agents));
	w->agents[w->agent_count++] = now;
	if (tell && rose && w->left)
		tell_agent(w, t, rose, now.denied);
}

/* Reads how often each agent was denied something, and tells of what is new. */
static int compare_agents(struct watch *w, bool tell)
{
	struct denied *before = w->agents;
	size_t count = w->agent_count;
	struct table t;
	int got;

	w->agents = NULL;
	w->agent_count = 0;
	w->agent_room = 0;
	got = table_open(&t, "agents");
	if (!got) {
		while ((got = table_next(&t)) > 0)
			take_agent(w, &t, tell, before, count);
		table_close(&t);
	}
	if (w->agent_count)
		qsort(w->agents, w->agent_count, sizeof(*w->agents), by_id);
	free(before);
	return got;
}

/* From its beginning, after which poll() tells of what is counted from then on. */
static int mark_as_read(const struct watch *w)
{
	char bytes[16384];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(w->fd, bytes, sizeof(bytes), at)) > 0)
		at += n;
	if (!n)
		return 0;
	say("%s/stats: %s", table_folder(), strerror(errno));
	return -1;
}

static int look(struct watch *w, bool tell)
{
	struct stats now;

	if (mark_as_read(w))
		return -1;
	if (stats_read(&now, "stats")) {
		stats_free(&now);
		return -1;
	}
	if (tell)
		compare_counters(w, &now);
	stats_free(&w->stats);
	w->stats = now;
	return compare_agents(w, tell) || output_flush() ? -1 : 0;
}

/* A file of /proc without a poll() of its own says that it can be written. */
static bool is_woken(const struct watch *w)
{
	struct pollfd poller = { .fd = w->fd, .events = POLLIN | POLLOUT };

	return poll(&poller, 1, 0) == 1 && !(poller.revents & POLLOUT);
}

static int wait_for_event(const struct watch *w, int timeout_ms)
{
	struct pollfd poller = { .fd = w->fd, .events = POLLPRI };

	if (poll(&poller, 1, timeout_ms) < 0 && errno != EINTR) {
		say("poll: %s", strerror(errno));
		return -1;
	}
	if (!(poller.revents & (POLLERR | POLLHUP)))
		return 0;
	say("the module gpu_dma_lock is being removed");
	return -1;
}

static int watch(struct watch *w)
{
	int timeout_ms;

	if (look(w, false))
		return EXIT_TROUBLE;
	/* Who may not see counters is not woken when they rise. */
	timeout_ms = is_woken(w) && w->stats.count > 1 ? LOOK_MS : READ_MS;
	while (w->left)
		if (wait_for_event(w, timeout_ms) || look(w, true))
			return EXIT_TROUBLE;
	return 0;
}

static int open_and_watch(struct watch *w)
{
	char *path = table_path("stats");
	int status = EXIT_TROUBLE;

	w->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (w->fd < 0) {
		say("%s: %s", path, strerror(errno));
	} else {
		status = watch(w);
		close(w->fd);
	}
	stats_free(&w->stats);
	free(w->agents);
	free(path);
	return status;
}

/**
 * watch_run() - the command watch
 * @command: its row
 * @argc: its arguments
 * @argv: likewise
 *
 * Return: an exit status.
 */
int watch_run(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'J' },
		{ "count", required_argument, NULL, 'n' },
		{ "once", no_argument, NULL, '1' },
		COMMAND_HELP_OPTION, { 0 },
	};
	struct watch w = { .left = UINT64_MAX };
	int option;

	while ((option = command_option(command, argc, argv, "Jn:", options)) != -1) {
		if (option == 'J')
			w.json = true;
		else if (option == '1')
			w.left = 1;
		else if (!word_number(optarg, &w.left) || !w.left)
			return command_usage(command, "-n wants a number from 1 on");
	}
	if (optind < argc)
		return command_usage(command, "no arguments but options");
	return need_module() ? EXIT_TROUBLE : open_and_watch(&w);
}
