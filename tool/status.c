// SPDX-License-Identifier: GPL-2.0-only
/*
 * status: what needs attention now, what has happened, and an overview.
 */

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "command.h"
#include "message.h"
#include "output.h"
#include "stats.h"
#include "table.h"

#define VERSION_FILE	"/sys/module/gpu_dma_lock/version"

/* Told of each kind. */
#define TOLD_MAX	20

/* What is used to this part needs attention. */
#define NEARLY		0.8

enum topic {
	TOPIC_CAPACITY,
	TOPIC_WAITING,
	TOPIC_QUOTA,
	TOPIC_SHORT,
	TOPIC_UNPLACED,
	TOPICS,
};

static const char *const topic_names[TOPICS] = {
	"capacity", "waiting", "quota", "short", "unplaced",
};

struct finding {
	enum topic topic;
	char *text;
};

struct event {
	const char *key;
	uint64_t count;
	char *text;
};

struct agent {
	char *id, *called;
	bool bound;
};

struct status {
	struct finding *findings;
	size_t finding_count, finding_room;
	size_t told[TOPICS];
	struct event *events;
	size_t event_count, event_room;
	char version[64];
	struct stats stats;
	uint64_t agents;
	bool observing;
	struct agent **limited;		/* agents that have a limit, in their order */
	size_t limited_count, limited_room;
	void *by_id;			/* the same, by tsearch() */
	char *denied;			/* agents that have been over a limit */
	size_t denied_count;
	char *denied_last;
};

static char *plural(uint64_t n, const char *word)
{
	return text("%llu %s%s", (unsigned long long)n, word, n == 1 ? "" : "s");
}

static void find(struct status *s, enum topic of, char *what)
{
	if (++s->told[of] > TOLD_MAX) {
		free(what);
		return;
	}
	s->findings = grow(s->findings, &s->finding_room, s->finding_count + 1,
			   sizeof(*s->findings));
	s->findings[s->finding_count++] = (struct finding){ of, what };
}

static void tell(struct status *s, const char *key, uint64_t count, char *what)
{
	s->events = grow(s->events, &s->event_room, s->event_count + 1, sizeof(*s->events));
	s->events[s->event_count++] = (struct event){ key, count, what };
}

static bool is_nearly(const char *used, const char *limit, uint64_t *part, uint64_t *whole)
{
	return word_number(used, part) && word_number(limit, whole) && *part &&
	       *part >= *whole * NEARLY;
}

/* As "1M of 1.2M, 85 %". */
static char *share(uint64_t part, uint64_t whole)
{
	char a[WORD_SHORT], b[WORD_SHORT];

	return text("%s of %s, %.0f %%", word_human(a, part), word_human(b, whole),
		    whole ? part * 100.0 / whole : 100);
}

static void look_at_device(struct status *s, const struct table *t)
{
	uint64_t used, capacity;
	char *name, *how;

	if (!is_nearly(table_cell(t, "USED"), table_cell(t, "CAPACITY"), &used, &capacity))
		return;
	name = word_shown(table_cell(t, "NAME"));
	how = share(used, capacity);
	find(s, TOPIC_CAPACITY,
	     text("device %s (%s) is nearly full: %s", table_cell(t, "ID"), name, how));
	free(how);
	free(name);
}

static void look_at_agent(struct status *s, const struct table *t)
{
	uint64_t waiting = table_number(t, "WAITING");
	char *called, *locks;

	s->agents++;
	if (!waiting)
		return;
	called = agent_called(table_cell(t, "ID"), table_cell(t, "NAME"));
	locks = plural(waiting, "lock");
	find(s, TOPIC_WAITING,
	     text("agent %s waits for %s: gpu-dma-lock why %s", called, locks,
		  table_cell(t, "ID")));
	free(locks);
	free(called);
}

static int compare_agents(const void *a, const void *b)
{
	const struct agent *one = a, *other = b;

	return strcmp(one->id, other->id);
}

static void is_limited(struct status *s, const char *id, const char *called)
{
	struct agent *agent = make(1, sizeof(*agent)), **kept;

	agent->id = must(strdup(id));
	kept = must(tsearch(agent, &s->by_id, compare_agents));
	if (*kept != agent) {
		free(agent->id);
		free(agent);
		return;
	}
	agent->called = must(strdup(called));
	s->limited = grow(s->limited, &s->limited_room, s->limited_count + 1, sizeof(*s->limited));
	s->limited[s->limited_count++] = agent;
}

static void was_denied(struct status *s, const char *id, const char *called)
{
	char *longer;

	if (s->denied_last && !strcmp(s->denied_last, id))
		return;
	free(s->denied_last);
	s->denied_last = must(strdup(id));
	if (++s->denied_count > TOLD_MAX)
		return;
	longer = text("%s %s", s->denied ? s->denied : "", called);
	free(s->denied);
	s->denied = longer;
}

/* The rows of an agent follow each other. */
static void look_at_quota(struct status *s, const struct table *t)
{
	const char *id = table_cell(t, "AGENT"), *device = table_cell(t, "DEVICE");
	char *called = agent_called(id, table_cell(t, "NAME")), *how;
	bool all = !strcmp(device, "all");
	uint64_t used, limit;

	if (table_number(t, "DENIED"))
		was_denied(s, id, called);
	if (!table_is(t, "LIMIT", "max") && strcmp(id, "0"))
		is_limited(s, id, called);
	if (is_nearly(table_cell(t, "USED"), table_cell(t, "LIMIT"), &used, &limit)) {
		how = share(used, limit);
		find(s, TOPIC_QUOTA,
		     text("agent %s is near its quota%s%s: %s", called,
			  all ? "" : " on device ", all ? "" : device, how));
		free(how);
	}
	free(called);
}

static void look_at_binding(struct status *s, const struct table *t)
{
	struct agent key = { .id = (char *)table_cell(t, "AGENT") }, **found;

	found = table_is(t, "STATE", "bound") ? tfind(&key, &s->by_id, compare_agents) : NULL;
	if (found)
		(*found)->bound = true;
}

static bool ends_in(const char *word, const char *end)
{
	size_t len = strlen(word), end_len = strlen(end);

	return len > end_len && !strcmp(word + len - end_len, end);
}

/* The state of a hook: "none observe=0", or another reason. */
static void look_at_hook(struct status *s, const char *key, const char *state)
{
	static const char *const harmless[] = {
		"drm.ko is not loaded", "this kernel has no DRM", "ttm.ko is not loaded",
		"this kernel has no TTM", "nvidia.ko is not loaded",
	};
	const char *why = state + strlen("none");
	size_t i;

	if (strncmp(state, "none", 4) || (*why && *why != ' '))
		return;
	why += *why == ' ';
	if (!strcmp(why, "observe=0")) {
		s->observing = false;
		return;
	}
	for (i = 0; i < sizeof(harmless) / sizeof(*harmless); i++)
		if (!strcmp(why, harmless[i]))
			return;
	find(s, TOPIC_UNPLACED,
	     text("a hook is not placed, %.*s: %s",
		  (int)(strlen(key) - strlen("hook_") - strlen("_state")),
		  key + strlen("hook_"), why));
}

static void look_at_stats(struct status *s)
{
	size_t i;

	s->observing = true;
	if (stats_number(&s->stats, "totals_may_be_short"))
		find(s, TOPIC_SHORT,
		     text("totals may be short: something was lost since the module was loaded"));
	for (i = 0; i < s->stats.count; i++) {
		const char *key = s->stats.lines[i].key, *value = s->stats.lines[i].value;
		uint64_t count;

		if (!strncmp(key, "hook_", 5) && ends_in(key, "_state"))
			look_at_hook(s, key, value);
		if ((ends_in(key, "_lost") || ends_in(key, "_failed") || ends_in(key, "_stale")) &&
		    strcmp(key, "commands_failed") && word_number(value, &count) && count)
			tell(s, key, count, text("events were not tracked: %s %s", key, value));
	}
}

/* Counters of what was refused or let pass, in words. */
static const struct counter {
	const char *key, *what;
	bool names_agents;
} counters[] = {
	{ "quota_denied", "charges over a quota were refused", true },
	{ "quota_audited", "charges over a quota were let pass", true },
	{ "capacity_denied", "charges over a capacity were refused", false },
	{ "capacity_audited", "charges over a capacity were let pass", false },
	{ "buffers_capped",
	  "buffers were made by agents that had as many as they may, or refused", false },
	{ "attachments_capped",
	  "attachments were made by agents that had as many as they may, or refused", false },
	{ "contexts_capped",
	  "contexts were made by agents that had as many as they may, or refused", false },
	{ "mappings_capped",
	  "mappings were made by agents that had as many as they may, or refused", false },
	{ "untracked_denied", "calls were refused, as they could not be tracked", false },
	{ "locks_denied", "uses of a buffer that another agent had locked were refused", false },
	{ "locks_audited", "uses of a buffer that another agent had locked were let pass", false },
	{ "dma_denied", "uses of another agent's buffer without permission were refused", false },
	{ "dma_audited", "uses of another agent's buffer without permission were let pass", false },
	{ "dma_checks_denied", "checks of a permission were answered no", false },
	{ "dma_segments_outside", "mapped segments were outside their agent's ranges", false },
};

static void tell_counter(struct status *s, const struct counter *counter)
{
	uint64_t count = stats_number(&s->stats, counter->key);
	char *more = NULL, *agents = NULL;

	if (!count)
		return;
	if (s->denied_count > TOLD_MAX)
		more = text(" and %zu more", s->denied_count - TOLD_MAX);
	if (counter->names_agents)
		agents = text("; agents with such:%s%s", s->denied ? s->denied : " none now",
			      more ? more : "");
	tell(s, counter->key, count, text("%llu %s%s", (unsigned long long)count, counter->what,
					  agents ? agents : ""));
	free(agents);
	free(more);
}

static int look_at(struct status *s, const char *name,
		   void (*look)(struct status *s, const struct table *t))
{
	struct table t;
	int got;

	if (table_open(&t, name))
		return -1;
	while ((got = table_next(&t)) > 0)
		look(s, &t);
	table_close(&t);
	return got;
}

static void read_version(struct status *s)
{
	FILE *file = fopen(VERSION_FILE, "re");

	if (!file || !fgets(s->version, sizeof(s->version), file))
		snprintf(s->version, sizeof(s->version), "unknown");
	s->version[strcspn(s->version, "\n")] = '\0';
	if (file)
		fclose(file);
}

static int look(struct status *s)
{
	size_t i;

	read_version(s);
	if (stats_read(&s->stats, "stats") || look_at(s, "devices", look_at_device) ||
	    look_at(s, "agents", look_at_agent) || look_at(s, "quotas", look_at_quota) ||
	    look_at(s, "bindings", look_at_binding))
		return EXIT_TROUBLE;
	look_at_stats(s);
	for (i = 0; i < sizeof(counters) / sizeof(*counters); i++)
		tell_counter(s, &counters[i]);
	return 0;
}

static const struct output_column device_columns[] = {
	{ "ID", KIND_NUMBER, false },
	{ "NAME", KIND_TEXT, false },
	{ "DRIVER", KIND_TEXT, false },
	{ "USED", KIND_SIZE, false },
	{ "CAPACITY", KIND_CAPACITY, false },
	{ "BUFFERS", KIND_NUMBER, false },
};

#define DEVICE_COLUMNS	(sizeof(device_columns) / sizeof(*device_columns))

static int print_devices(struct output *o)
{
	const char *cells[DEVICE_COLUMNS];
	struct table t;
	int got;
	size_t i;

	if (table_open(&t, "devices"))
		return EXIT_TROUBLE;
	output_begin(o, "devices", device_columns, DEVICE_COLUMNS);
	while ((got = table_next(&t)) > 0) {
		for (i = 0; i < DEVICE_COLUMNS; i++)
			cells[i] = table_cell(&t, device_columns[i].name);
		if (!table_is(&t, "ID", "-") || table_number(&t, "BUFFERS"))
			output_row(o, cells);
	}
	output_end(o);
	table_close(&t);
	return got < 0 ? EXIT_TROUBLE : 0;
}

static void print_findings(const struct status *s)
{
	size_t more = 0, i;
	char *things;

	for (i = 0; i < TOPICS; i++)
		more += s->told[i] > TOLD_MAX;
	things = plural(s->finding_count + more, "thing");
	if (s->finding_count)
		printf("%s to look at:\n", things);
	else
		puts("nothing needs attention");
	free(things);
	for (i = 0; i < s->finding_count; i++)
		printf("  %s\n", s->findings[i].text);
	for (i = 0; i < TOPICS; i++)
		if (s->told[i] > TOLD_MAX)
			printf("  ... and %zu more like this: %s\n", s->told[i] - TOLD_MAX,
			       topic_names[i]);
}

static void print_events(const struct status *s)
{
	size_t i;

	if (!s->event_count)
		return;
	puts("\nsince the last reset_stats:");
	for (i = 0; i < s->event_count; i++)
		printf("  %s\n", s->events[i].text);
}

static void print_unbound(const struct status *s)
{
	const char *before = "limited, but nobody can be theirs now, since nothing is bound: ";
	bool any = false;
	size_t i;

	for (i = 0; i < s->limited_count; i++) {
		if (s->limited[i]->bound)
			continue;
		printf("%s%s", any ? ", " : before, s->limited[i]->called);
		any = true;
	}
	if (any)
		putchar('\n');
}

static void print_overview(const struct status *s)
{
	char *agents = plural(s->agents, "agent"), bytes[WORD_SHORT];
	char *buffers = plural(stats_number(&s->stats, "buffers"), "buffer");

	printf("\ngpu_dma_lock %s, policy %s%s\n", s->version, stats_text(&s->stats, "policy"),
	       s->observing ? ", observing" : ", ledger only");
	printf("%s, %s, %s\n", agents, buffers,
	       word_human(bytes, stats_number(&s->stats, "charged_bytes")));
	free(buffers);
	free(agents);
	print_unbound(s);
	putchar('\n');
}

static void json_overview(const struct status *s, struct json *j)
{
	json_string(j, "version", s->version);
	json_cell(j, "policy", stats_text(&s->stats, "policy"), KIND_TEXT);
	json_bool(j, "observing", s->observing);
	json_number(j, "agents", s->agents);
	json_number(j, "buffers", stats_number(&s->stats, "buffers"));
	json_number(j, "charged_bytes", stats_number(&s->stats, "charged_bytes"));
}

static void json_findings(const struct status *s, struct json *j)
{
	size_t i;

	json_bool(j, "needs_attention", s->finding_count);
	json_array(j, "attention");
	for (i = 0; i < s->finding_count; i++) {
		json_object(j, NULL);
		json_string(j, "topic", topic_names[s->findings[i].topic]);
		json_string(j, "text", s->findings[i].text);
		json_end(j);
	}
	json_end(j);
	json_array(j, "history");
	for (i = 0; i < s->event_count; i++) {
		json_object(j, NULL);
		json_string(j, "key", s->events[i].key);
		json_number(j, "count", s->events[i].count);
		json_string(j, "text", s->events[i].text);
		json_end(j);
	}
	json_end(j);
	json_array(j, "unbound");
	for (i = 0; i < s->limited_count; i++)
		if (!s->limited[i]->bound)
			json_cell(j, NULL, s->limited[i]->id, KIND_NUMBER);
	json_end(j);
}

static int print(const struct status *s, const struct output_options *options)
{
	struct output *o = output_new(options);
	struct json *j = output_json(o);
	int status, end;

	if (j) {
		json_findings(s, j);
		json_overview(s, j);
	} else {
		print_findings(s);
		print_events(s);
		print_overview(s);
	}
	status = print_devices(o);
	end = output_free(o);
	return status ? status : end;
}

static void keep(void *data)
{
	(void)data;
}

static void forget(struct status *s)
{
	size_t i;

	for (i = 0; i < s->finding_count; i++)
		free(s->findings[i].text);
	for (i = 0; i < s->event_count; i++)
		free(s->events[i].text);
	tdestroy(s->by_id, keep);
	for (i = 0; i < s->limited_count; i++) {
		free(s->limited[i]->id);
		free(s->limited[i]->called);
		free(s->limited[i]);
	}
	free(s->findings);
	free(s->events);
	free(s->limited);
	free(s->denied);
	free(s->denied_last);
	stats_free(&s->stats);
}

/**
 * status_run() - the command status
 * @command: its row
 * @argc: its arguments
 * @argv: likewise
 *
 * Return: an exit status: EXIT_PROBLEM if something needs attention now. What has happened, as
 * refusals, does not count.
 */
int status_run(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'J' }, { "bytes", no_argument, NULL, 'b' },
		COMMAND_HELP_OPTION, { 0 },
	};
	struct output_options output = { 0 };
	struct status s = { 0 };
	int option, status;

	while ((option = command_option(command, argc, argv, "Jb", options)) != -1)
		output_option(&output, option, optarg);
	if (optind < argc)
		return command_usage(command, "no arguments but options");
	if (need_module())
		return EXIT_TROUBLE;
	status = look(&s);
	if (!status)
		status = print(&s, &output);
	if (!status && s.finding_count)
		status = EXIT_PROBLEM;
	forget(&s);
	return status;
}
