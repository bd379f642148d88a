// SPDX-License-Identifier: GPL-2.0-only
/*
 * metrics: the tables as OpenMetrics text, or as Prometheus has read it before.
 *
 * There is no series a buffer or a process. Names, cgroups and drivers are labels of series
 * called _info only, which a query joins by agent or device. Of what agents have on devices,
 * see quota_series.c, there are as many as leave the text under two megabytes.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "message.h"
#include "output.h"
#include "quota_series.h"
#include "roster.h"
#include "series.h"
#include "stats.h"
#include "table.h"
#include "word.h"

#define MODULE_VERSION	"/sys/module/gpu_dma_lock/version"

/* For who reads the file, as node_exporter. */
#define FILE_MODE	0644

/* Bytes that a text has at most, as long as agents alone do not take more, see room_left(). */
#define SIZE_MOST	2000000
#define SIZE_REST	4096	/* for the lines without series that are still to come */
#define QUOTAS_MIN	200000	/* for what agents have on devices */

#define LABELS_MAX	4
#define COUNT(array)	(sizeof(array) / sizeof(*(array)))

static void put_seconds(const struct writer *w, const char *ns)
{
	uint64_t number;
	char value[64];

	if (!word_number(ns, &number))
		return;
	snprintf(value, sizeof(value), "%" PRIu64 ".%09" PRIu64, number / 1000000000,
		 number % 1000000000);
	series_put(w, NULL, value);
}

static bool ends_with(const char *key, const char *end)
{
	size_t len = strlen(key), end_len = strlen(end);

	return len > end_len && !strcmp(key + len - end_len, end);
}

static bool is_hook(const char *key)
{
	return !strncmp(key, "hook_", 5);
}

/* Which of the metrics below a counter of stats is in; NULL: it is none of these. */
static const char *group_of(const char *key)
{
	static const char *const states[] = {
		"policy", "buffers", "charged_bytes", "totals_may_be_short",
	};
	size_t i;

	for (i = 0; i < COUNT(states); i++)
		if (!strcmp(key, states[i]))
			return NULL;
	if (is_hook(key) || ends_with(key, "_ns"))
		return NULL;
	if (ends_with(key, "_denied") || ends_with(key, "_audited") ||
	    ends_with(key, "_capped") || ends_with(key, "_outside"))
		return "refusals";
	if (ends_with(key, "_lost") || ends_with(key, "_stale") || ends_with(key, "_full") ||
	    !strcmp(key, "templates_failed") || !strcmp(key, "dma_segments_unchecked"))
		return "losses";
	return "events";
}

static void put_counters(struct writer *w, const struct stats *stats, const struct metric *metric)
{
	uint64_t number;
	size_t i;

	series_begin(w, metric);
	for (i = 0; i < stats->count; i++) {
		const struct stat_line *line = &stats->lines[i];
		const char *group = group_of(line->key);

		if (group && !strcmp(group, metric->name) && word_number(line->value, &number))
			series_put_number(w, (struct label[]){ { "event", line->key }, { 0 } },
					  number);
	}
}

/* Why a hook may be missing, and nothing is wrong. */
static bool is_missing(const char *state)
{
	static const char *const fine[] = {
		"none observe=0", "none drm.ko is not loaded", "none this kernel has no DRM",
		"none ttm.ko is not loaded", "none this kernel has no TTM",
		"none nvidia.ko is not loaded",
	};
	size_t i;

	for (i = 0; i < COUNT(fine); i++)
		if (!strcmp(state, fine[i]))
			return false;
	return !strcmp(state, "none") || !strncmp(state, "none ", 5);
}

static void put_hooks(struct writer *w, const struct stats *stats, const struct metric *metric,
		      const char *end)
{
	uint64_t number;
	size_t i;

	series_begin(w, metric);
	for (i = 0; i < stats->count; i++) {
		const struct stat_line *line = &stats->lines[i];
		char *hook;

		if (!is_hook(line->key) || !ends_with(line->key, end))
			continue;
		if (!strcmp(end, "_state"))
			number = is_missing(line->value);
		else if (!word_number(line->value, &number))
			continue;
		hook = must(strndup(line->key + 5, strlen(line->key) - 5 - strlen(end)));
		series_put_number(w, (struct label[]){ { "hook", hook }, { NULL, NULL } }, number);
		free(hook);
	}
}

static void put_policy(struct writer *w, const char *policy)
{
	static const struct metric metric = {
		"policy", GAUGE, NULL, "1 for the policy that is set.",
	};
	static const char *const policies[] = { "off", "audit", "enforce" };
	size_t i;

	series_begin(w, &metric);
	for (i = 0; i < COUNT(policies); i++)
		series_put_number(w, (struct label[]){ { "policy", policies[i] }, { NULL, NULL } },
				  !strcmp(policy, policies[i]));
}

static void put_version(struct writer *w)
{
	static const struct metric metric = {
		"module", INFO, NULL, "The module that is loaded.",
	};
	FILE *file = fopen(MODULE_VERSION, "re");
	char version[64] = "";

	if (file && fgets(version, sizeof(version), file))
		version[strcspn(version, "\n")] = '\0';
	if (file)
		fclose(file);
	series_begin(w, &metric);
	series_put_number(w, (struct label[]){ { "version", version }, { NULL, NULL } }, 1);
}

static void put_stat(struct writer *w, const struct stats *stats, const char *key,
		     const struct metric *metric)
{
	uint64_t number;

	if (!word_number(stats_text(stats, key), &number))
		return;
	series_begin(w, metric);
	series_put_number(w, NULL, number);
}

static void put_waits(struct writer *w, const struct stats *stats)
{
	static const struct metric total = {
		"locks_wait_seconds", COUNTER, "seconds", "Time that locks were waited for.",
	};
	static const struct metric longest = {
		"locks_wait_longest_seconds", GAUGE, "seconds",
		"The longest time that a lock was waited for.",
	};

	series_begin(w, &total);
	put_seconds(w, stats_text(stats, "locks_wait_total_ns"));
	series_begin(w, &longest);
	put_seconds(w, stats_text(stats, "locks_wait_longest_ns"));
}

static void put_stats(struct writer *w, const struct stats *stats)
{
	static const struct metric buffers = { "buffers", GAUGE, NULL, "Buffers that are there." };
	static const struct metric charged = {
		"charged_bytes", GAUGE, "bytes", "Bytes of the buffers that are charged.",
	};
	static const struct metric is_short = {
		"totals_may_be_short", GAUGE, NULL,
		"1 once something was lost since the module was loaded.",
	};
	static const struct metric groups[] = {
		{ "refusals", COUNTER, NULL, "What was refused, or let pass over a limit." },
		{ "losses", COUNTER, NULL, "What the module could not follow." },
		{ "events", COUNTER, NULL, "What else the module has counted." },
	};
	static const struct metric hooks[] = {
		{ "hook_missing", GAUGE, NULL, "1 where a hook is not placed that should be." },
		{ "hook_calls", COUNTER, NULL, "Calls of the functions that are hooked." },
		{ "hook_failures", COUNTER, NULL, "Calls that were not tracked, and passed." },
	};
	static const char *const ends[] = { "_state", "_hits", "_failed" };
	size_t i;

	put_version(w);
	put_policy(w, stats_text(stats, "policy"));
	put_stat(w, stats, "buffers", &buffers);
	put_stat(w, stats, "charged_bytes", &charged);
	put_stat(w, stats, "totals_may_be_short", &is_short);
	for (i = 0; i < COUNT(groups); i++)
		put_counters(w, stats, &groups[i]);
	put_waits(w, stats);
	for (i = 0; i < COUNT(hooks); i++)
		put_hooks(w, stats, &hooks[i], ends[i]);
}

/* A column of a table, as a metric whose labels are other columns of it. */
struct column_metric {
	struct metric metric;
	const char *table, *column;
	struct label labels[LABELS_MAX];	/* word: the name of the column */
};

#define AGENT_LABELS	{ { "agent", "ID" } }
#define DEVICE_LABELS	{ { "device", "ID" } }

static const struct column_metric columns[] = {
	{ { "device", INFO, NULL, "What a device is." }, "devices", NULL,
	  { { "device", "ID" }, { "name", "NAME" }, { "driver", "DRIVER" } } },
	{ { "device_capacity_bytes", GAUGE, "bytes", "What set_capacity said, or its memory." },
	  "devices", "CAPACITY", DEVICE_LABELS },
	{ { "device_used_bytes", GAUGE, "bytes", "Bytes of all buffers on a device." },
	  "devices", "USED", DEVICE_LABELS },
	{ { "device_buffers", GAUGE, NULL, "Buffers on a device." },
	  "devices", "BUFFERS", DEVICE_LABELS },
	{ { "device_contexts", GAUGE, NULL, "Open DRM files and declared contexts." },
	  "devices", "CONTEXTS", DEVICE_LABELS },
	{ { "agent_buffers", GAUGE, NULL, "Buffers of an agent." },
	  "agents", "BUFFERS", AGENT_LABELS },
	{ { "agent_used_bytes", GAUGE, "bytes", "Bytes of those that are charged to it." },
	  "agents", "USED", AGENT_LABELS },
	{ { "agent_peak_bytes", GAUGE, "bytes", "The most that it had, since reset_agent." },
	  "agents", "PEAK", AGENT_LABELS },
	{ { "agent_quota_bytes", GAUGE, "bytes", "Its limit in all; no series: none." },
	  "agents", "QUOTA", AGENT_LABELS },
	{ { "agent_locks", GAUGE, NULL, "Locks that it holds." },
	  "agents", "LOCKS", AGENT_LABELS },
	{ { "agent_locks_waiting", GAUGE, NULL, "Locks that it waits for." },
	  "agents", "WAITING", AGENT_LABELS },
	{ { "agent_denied", COUNTER, NULL, "Charges over its limit in all." },
	  "agents", "DENIED", AGENT_LABELS },
	{ { "agent_attachments", GAUGE, NULL, "Imports of an agent." },
	  "agents", "ATTACHMENTS", AGENT_LABELS },
	{ { "agent_contexts", GAUGE, NULL, "Open DRM files and declared contexts of an agent." },
	  "agents", "CONTEXTS", AGENT_LABELS },
	{ { "agent_tracking_bytes", GAUGE, "bytes", "Memory of the kernel that its rows take." },
	  "agents", "TRACKING", AGENT_LABELS },
};

static void put_row(const struct writer *w, const struct table *t, const struct column_metric *m)
{
	struct label labels[LABELS_MAX + 1] = { 0 };
	const char *value = m->column ? table_cell(t, m->column) : "1";
	const char *colon = strrchr(value, ':');
	uint64_t number;
	size_t i;

	/* vram:BYTES, bar:BYTES */
	if (!word_number(colon ? colon + 1 : value, &number))
		return;
	for (i = 0; i < LABELS_MAX && m->labels[i].name; i++) {
		labels[i].name = m->labels[i].name;
		labels[i].word = table_cell(t, m->labels[i].word);
		if (!strcmp(labels[i].name, "device"))
			labels[i].word = series_device(labels[i].word);
	}
	series_put_number(w, labels, number);
}

static int put_column(struct writer *w, const struct column_metric *m)
{
	struct table t;
	int got;

	if (table_open(&t, m->table))
		return -1;
	series_begin(w, &m->metric);
	while ((got = table_next(&t)) > 0)
		put_row(w, &t, m);
	table_close(&t);
	return got;
}

/* Numbers by one or two labels, summed over what else tells rows apart. */
struct sums {
	struct sum {
		char *key, *region;	/* region: empty if there is but one label */
		uint64_t number;
	} *list;
	size_t count, room;
};

static void add_sum(struct sums *sums, const char *key, const char *region, uint64_t number)
{
	sums->list = grow(sums->list, &sums->room, sums->count + 1, sizeof(*sums->list));
	sums->list[sums->count++] = (struct sum){
		must(strdup(key)), must(strdup(region)), number,
	};
}

static int by_labels(const void *a, const void *b)
{
	const struct sum *x = a, *y = b;
	int order = strverscmp(x->key, y->key);

	return order ? order : strcmp(x->region, y->region);
}

static void put_sums(struct writer *w, struct sums *sums, const char *label)
{
	size_t i, next;

	if (sums->count)
		qsort(sums->list, sums->count, sizeof(*sums->list), by_labels);
	for (i = 0; i < sums->count; i = next) {
		struct sum *sum = &sums->list[i];
		struct label labels[] = {
			{ label, sum->key }, { *sum->region ? "region" : NULL, sum->region },
			{ NULL, NULL },
		};

		for (next = i + 1; next < sums->count && !by_labels(sum, &sums->list[next]); next++)
			sum->number += sums->list[next].number;
		series_put_number(w, labels, sum->number);
	}
}

static void free_sums(struct sums *sums)
{
	while (sums->count--) {
		free(sums->list[sums->count].key);
		free(sums->list[sums->count].region);
	}
	free(sums->list);
}

static int put_region(struct writer *w, const struct metric *metric, const char *label,
		      const char *column)
{
	struct sums sums = { 0 };
	struct table t;
	int got;

	if (table_open(&t, "regions"))
		return -1;
	while ((got = table_next(&t)) > 0)
		add_sum(&sums, series_device(table_cell(&t, column)), table_cell(&t, "REGION"),
			table_number(&t, "USED"));
	table_close(&t);
	series_begin(w, metric);
	put_sums(w, &sums, label);
	free_sums(&sums);
	return got;
}

/* Patterns that differ only in what is no UTF-8 have the same label. */
static int put_templates(struct writer *w)
{
	static const struct metric metric = {
		"template_agents", GAUGE, NULL, "Agents that a template has made.",
	};
	struct sums sums = { 0 };
	struct table t;
	char *pattern;
	int got;

	if (table_open(&t, "templates"))
		return -1;
	while ((got = table_next(&t)) > 0) {
		pattern = series_word(table_cell(&t, "PATTERN"));
		add_sum(&sums, pattern, "", table_number(&t, "AGENTS"));
		free(pattern);
	}
	table_close(&t);
	series_begin(w, &metric);
	put_sums(w, &sums, "pattern");
	free_sums(&sums);
	return got;
}

/* The first cgroup of an agent, and how many of its bindings are so. */
struct bound {
	const char *cgroup;
	uint64_t bound, waiting;
};

static int by_agent(const void *a, const void *b)
{
	const struct roster_binding *x = a, *y = b;

	return strcmp(x->agent, y->agent);
}

/* So that the first one stays the same from one file to the next. */
static int by_agent_and_binding(const void *a, const void *b)
{
	const struct roster_binding *x = a, *y = b;
	int order = by_agent(a, b);

	return order ? order : strcmp(x->binding, y->binding);
}

static struct bound bound_to(const struct roster *r, const char *agent)
{
	struct roster_binding key = { .agent = (char *)agent }, *end, *at;
	struct bound b = { .cgroup = "-" };

	if (!r->binding_count)
		return b;
	at = bsearch(&key, r->bindings, r->binding_count, sizeof(key), by_agent);
	end = r->bindings + r->binding_count;
	while (at && at > r->bindings && !by_agent(at - 1, &key))
		at--;
	for (; at && at < end && !by_agent(at, &key); at++) {
		b.bound += !at->waits;
		b.waiting += at->waits;
		if (word_is_unknown(b.cgroup) && !strncmp(at->binding, "cgroup:", 7))
			b.cgroup = at->binding + 7;
	}
	return b;
}

static void put_agents(struct writer *w, const struct roster *r)
{
	static const struct metric info = {
		"agent", INFO, NULL, "The name of an agent, and the first cgroup bound to it.",
	};
	static const struct metric bindings = {
		"agent_bindings", GAUGE, NULL, "Cgroups and processes bound to an agent.",
	};
	size_t i;

	series_begin(w, &info);
	for (i = 0; i < r->agent_count; i++)
		series_put_number(w, (struct label[]){
			   { "agent", r->agents[i].id }, { "name", r->agents[i].name },
			   { "cgroup", bound_to(r, r->agents[i].id).cgroup }, { NULL, NULL } }, 1);
	series_begin(w, &bindings);
	for (i = 0; i < r->agent_count; i++) {
		struct bound b = bound_to(r, r->agents[i].id);
		struct label labels[] = {
			{ "agent", r->agents[i].id }, { "state", "bound" }, { NULL, NULL },
		};

		series_put_number(w, labels, b.bound);
		labels[1].word = "waiting";
		series_put_number(w, labels, b.waiting);
	}
}

static int put_all_agents(struct writer *w)
{
	struct roster roster;
	int status = roster_read(&roster);

	if (roster.binding_count)
		qsort(roster.bindings, roster.binding_count, sizeof(*roster.bindings),
		      by_agent_and_binding);
	if (!status)
		put_agents(w, &roster);
	roster_free(&roster);
	return status;
}

static int put_regions(struct writer *w)
{
	static const struct metric of_device = {
		"device_region_bytes", GAUGE, "bytes", "Bytes in a region of a device's memory.",
	};
	static const struct metric of_agent = {
		"agent_region_bytes", GAUGE, "bytes", "Bytes of an agent in such regions.",
	};

	return put_region(w, &of_device, "device", "DEVICE") ||
	       put_region(w, &of_agent, "agent", "AGENT") ? -1 : 0;
}

/* What is left of the size that all of it is to have. */
static size_t room_left(FILE *file)
{
	size_t size = ftello(file) + SIZE_REST;

	return size + QUOTAS_MIN < SIZE_MOST ? SIZE_MOST - size : QUOTAS_MIN;
}

static int put_tables(struct writer *w)
{
	struct stats stats;
	size_t i;
	int status = stats_read(&stats, "stats");

	if (!status)
		put_stats(w, &stats);
	stats_free(&stats);
	if (!status)
		status = put_all_agents(w);
	for (i = 0; i < COUNT(columns) && !status; i++)
		status = put_column(w, &columns[i]);
	if (status || put_templates(w) || put_regions(w) || quota_series_put(w, room_left(w->file)))
		return -1;
	fputs("# EOF\n", w->file);
	return 0;
}

/* In memory first, where its size is known, and nothing is shown of what fails. */
static int put_all(struct writer *w)
{
	FILE *file = w->file;
	char *bytes;
	size_t size;
	int status;

	w->file = must(open_memstream(&bytes, &size));
	status = put_tables(w);
	if (fclose(w->file) && !status)
		status = trouble("%s", strerror(errno));
	if (!status)
		fwrite_unlocked(bytes, 1, size, file);
	free(bytes);
	w->file = file;
	return status;
}

static int not_written(const char *path)
{
	return trouble("%s: %s", path, strerror(errno));
}

/* Whole, or not at all: on the disk before it has its name. */
static int write_file(struct writer *w, const char *new, const char *path)
{
	int status = put_all(w) ? EXIT_TROUBLE : 0;
	bool written;

	written = !fflush(w->file) && !ferror(w->file) && !fsync(fileno(w->file)) &&
		  !fchmod(fileno(w->file), FILE_MODE);
	if (!written && !status)
		status = not_written(new);
	fclose(w->file);
	if (!status && rename(new, path))
		status = not_written(path);
	if (status)
		unlink(new);
	return status;
}

/* Beside FILE, by a name that no collector reads. */
static int write_to(struct writer *w, const char *path)
{
	struct stat st;
	char *new;
	int fd, status;

	if (!lstat(path, &st) && !S_ISREG(st.st_mode))
		return trouble("%s: not a regular file", path);
	new = text("%s.XXXXXX", path);
	fd = mkstemp(new);
	w->file = fd < 0 ? NULL : fdopen(fd, "w");
	status = w->file ? write_file(w, new, path) : not_written(new);
	free(new);
	return status;
}

/**
 * metrics_run() - the command metrics
 * @command: its row
 * @argc: its arguments
 * @argv: likewise
 *
 * Return: an exit status.
 */
int metrics_run(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "textfile", no_argument, NULL, 't' },
		COMMAND_HELP_OPTION, { 0 },
	};
	struct writer w = { .file = stdout };
	const char *path = NULL;
	int option, status;

	while ((option = command_option(command, argc, argv, "o:t", options)) != -1) {
		if (option == 'o')
			path = optarg;
		else
			w.classic = true;
	}
	if (optind < argc)
		return command_usage(command, "no arguments but options");
	if (need_module())
		return EXIT_TROUBLE;
	if (path)
		return write_to(&w, path);
	status = put_all(&w) ? EXIT_TROUBLE : 0;
	return output_flush() || status ? EXIT_TROUBLE : 0;
}
