// SPDX-License-Identifier: GPL-2.0-only
/*
 * why: what was refused to an agent, and why.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "cgroup.h"
#include "command.h"
#include "message.h"
#include "output.h"
#include "roster.h"
#include "section.h"
#include "stats.h"
#include "table.h"
#include "trace.h"
#include "word.h"

#define COUNT(array)	(sizeof(array) / sizeof(*(array)))

#define NAME_LETTERS	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:@-"

static const struct counter {
	const char *key, *meaning;
} counters[] = {
	{ "quota_denied", "over a quota, refused" },
	{ "quota_audited", "over a quota, let pass" },
	{ "capacity_denied", "over a capacity of a device, refused" },
	{ "capacity_audited", "over a capacity of a device, let pass" },
	{ "locks_denied", "against a lock of another agent, refused" },
	{ "locks_audited", "against a lock of another agent, let pass" },
	{ "locks_deadlocks", "locks not granted: a cycle of waiters" },
	{ "locks_timeouts", "locks not granted in time" },
	{ "dma_denied", "a buffer of another agent without permission, refused" },
	{ "dma_audited", "a buffer of another agent without permission, let pass" },
	{ "dma_checks_denied", "checks answered no" },
	{ "dma_segments_outside", "mapped segments outside the ranges" },
	{ "commands_failed", "commands that returned an error" },
};

static bool is_agent(const struct table *t, const void *id)
{
	return table_is(t, strcmp(t->name, "agents") ? "AGENT" : "ID", id);
}

static bool is_waiter(const struct table *t, const void *id)
{
	return is_agent(t, id) && table_is(t, "STATE", "waiting");
}

static bool is_lock_holder(const struct table *t, const void *id)
{
	return is_agent(t, id) && !table_is(t, "STATE", "waiting");
}

static bool is_counter(const struct table *t, const void *id)
{
	size_t i;

	(void)id;
	for (i = 0; i < COUNT(counters); i++)
		if (table_is(t, "KEY", counters[i].key))
			return table_number(t, "VALUE");
	return false;
}

static void print_nothing(const struct table *t, const void *id)
{
	(void)t;
	(void)id;
}

static void print_binding(const struct table *t, const void *id)
{
	(void)id;
	fputs("  ", stdout);
	section_print(t, "BINDING");
	printf(", %s\n", table_cell(t, "STATE"));
}

static void print_quota(const struct table *t, const void *id)
{
	char *limit = word_sized(table_cell(t, "LIMIT"), KIND_LIMIT);
	char used[WORD_SHORT], peak[WORD_SHORT];
	char *device = table_is(t, "DEVICE", "all") ? text("all") :
		       text("device %s", table_cell(t, "DEVICE"));
	uint64_t denied = table_number(t, "DENIED"), most;

	(void)id;
	printf("  %-10s uses %s of %s", device, word_human(used, table_number(t, "USED")), limit);
	if (word_number(table_cell(t, "LIMIT"), &most))
		printf(" (%.0f %%)", most ? table_number(t, "USED") * 100.0 / most :
		       table_number(t, "USED") ? 100.0 : 0);
	printf(", at most %s so far, over it %" PRIu64 " time%s\n",
	       word_human(peak, table_number(t, "PEAK")), denied, denied == 1 ? "" : "s");
	free(device);
	free(limit);
}

static void print_lock(const struct table *t, const void *id)
{
	const char *blockers = table_cell(t, "BLOCKED_BY");
	char age[WORD_SHORT];

	(void)id;
	printf("  buffer %s, %s%s, ", table_cell(t, "BUFFER"), table_cell(t, "MODE"),
	       table_is(t, "KIND", "dma") ? " by a mapping for DMA" : "");
	section_print(t, "COMM");
	printf(", pid %s, since %s", table_cell(t, "PID"), word_age(age, table_cell(t, "AGE_MS")));
	if (table_is(t, "STATE", "waiting"))
		printf(", behind agent%s %s", strchr(blockers, ',') ? "s" : "", blockers);
	putchar('\n');
}

static const struct section sections[] = {
	{ "quotas", "quota", is_agent, print_quota },
	{ "locks", "locks it waits for", is_waiter, print_lock },
	{ "locks", "locks it holds", is_lock_holder, print_lock },
};

static const struct section rows[] = {
	{ "agents", NULL, is_agent, print_nothing },
	{ "bindings", NULL, is_agent, print_nothing },
	{ "quotas", NULL, is_agent, print_nothing },
	{ "locks", NULL, is_agent, print_nothing },
	{ "dma_permissions", NULL, is_agent, print_nothing },
	{ "stats", NULL, is_counter, print_nothing },
};

static const struct section bindings = { "bindings", "bindings", is_agent, print_binding };

static void print_policy(const char *policy)
{
	printf(", policy %s: %s\n", policy, !strcmp(policy, "enforce") ?
	       "what is over a limit is refused" : !strcmp(policy, "audit") ?
	       "real buffers over a limit are only counted" :
	       "limits are not looked at, but for ledger buffers");
}

static void print_count(uint64_t n, const char *what, const char *end)
{
	printf("%" PRIu64 " %s%s%s", n, what, n == 1 ? "" : "s", end);
}

static int print_permissions(const char *id)
{
	uint64_t ranges = 0, buffers = 0;
	struct table t;
	int got;

	if (table_open(&t, "dma_permissions"))
		return -1;
	while ((got = table_next(&t)) > 0) {
		if (!table_is(&t, "AGENT", id))
			continue;
		if (table_is(&t, "BUFFER", "-"))
			ranges++;
		else
			buffers++;
	}
	table_close(&t);
	fputs("permissions\n  ", stdout);
	print_count(ranges, "range", ", ");
	print_count(buffers, "buffer", " of others\n");
	return got;
}

static void print_counters(const struct stats *stats)
{
	const char *title = "counters of all agents since reset_stats";
	bool any = false;
	size_t i;

	for (i = 0; i < COUNT(counters); i++) {
		uint64_t number = stats_number(stats, counters[i].key);

		if (!number)
			continue;
		if (!any)
			puts(title);
		any = true;
		printf("  %-21s %" PRIu64 " (%s)\n", counters[i].key, number, counters[i].meaning);
	}
	if (!any)
		printf("%s: none\n", title);
}

static int print_head(const char *id, const struct stats *stats)
{
	struct roster roster;
	char *called;

	if (roster_read(&roster)) {
		roster_free(&roster);
		return -1;
	}
	called = roster_called(&roster, id);
	printf("agent %s", called);
	print_policy(stats_text(stats, "policy"));
	free(called);
	roster_free(&roster);
	return 0;
}

static int print_all(const char *id, const struct stats *stats)
{
	size_t i;

	if (print_head(id, stats) || section_show(&bindings, NULL, id, NULL))
		return -1;
	for (i = 0; i < COUNT(sections); i++)
		if (section_show(&sections[i], NULL, id, NULL))
			return -1;
	if (print_permissions(id))
		return -1;
	print_counters(stats);
	return trace_show(NULL, id);
}

static int why_for_people(const char *id)
{
	struct stats stats;
	int status = stats_read(&stats, "stats");

	if (!status)
		status = print_all(id, &stats);
	stats_free(&stats);
	return status;
}

static int why_in_rows(const struct output_options *options, const char *id)
{
	struct output *o = output_new(options);
	int status = 0;
	size_t i;

	for (i = 0; i < COUNT(rows) && !status; i++)
		status = section_show(&rows[i], o, id, NULL);
	if (!status)
		status = trace_show(o, id);
	return output_free(o) || status ? -1 : 0;
}

/* Sentences say by which binding; rows are those of the agent alone. */
static int agent_of_cgroup(const char *word, bool in_rows, char **id)
{
	char *whole = text("%s%s", *word == '/' ? "cgroup:" : "", word), *path = cgroup_path(whole);
	const struct roster_binding *binding;
	struct roster roster;
	char *shown;
	int status;

	free(whole);
	if (!path) {
		say("%s is no path of a cgroup", word);
		return 0;
	}
	status = roster_read(&roster);
	if (!status) {
		binding = roster_of_cgroup(&roster, path);
		*id = must(strdup(binding ? binding->agent : "0"));
		shown = word_shown(binding ? binding->binding : "no binding");
		if (!in_rows)
			printf("cgroup %s: by %s%s\n", word + (*word == '/' ? 0 : 7), shown,
			       binding && binding->waits ? ", which waits for it" : "");
		free(shown);
	}
	roster_free(&roster);
	free(path);
	return status;
}

static bool is_cgroup(const char *word)
{
	return *word == '/' || !strncmp(word, "cgroup:", 7);
}

/* Leaves NULL in *id if there is none. Returns -1 if that could not be found out. */
static int find_agent(const char *word, bool in_rows, char **id)
{
	char *bytes = must(strdup(word)), *escaped;
	int status;

	/* A path may be given as it is, or as it is shown. */
	escaped = *word == '/' ? word_escape(bytes, word_unescape(bytes, word)) :
		  must(strdup(word));
	status = agent_find(escaped, id);
	free(bytes);
	free(escaped);
	if (!status && !*id && is_cgroup(word))
		return agent_of_cgroup(word, in_rows, id);
	if (!status && !*id)
		say("there is no agent %s", word);
	return status;
}

static int why(const struct output_options *options, const char *word)
{
	bool in_rows = !output_is_default(options);
	char *id = NULL;
	int status, end;

	if (find_agent(word, in_rows, &id))
		return EXIT_TROUBLE;
	if (!id)
		return EXIT_PROBLEM;
	status = in_rows ? why_in_rows(options, id) : why_for_people(id);
	free(id);
	end = output_flush();
	return status ? EXIT_TROUBLE : end;
}

static bool has_meaning(const char *word)
{
	return *word && (is_cgroup(word) || !word[strspn(word, NAME_LETTERS)]);
}

/**
 * why_run() - the command why
 * @command: its row
 * @argc: its arguments
 * @argv: likewise
 *
 * Return: an exit status.
 */
int why_run(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		OUTPUT_LONG_OPTIONS, OUTPUT_LONG_COLUMNS, COMMAND_HELP_OPTION, { 0 },
	};
	struct output_options output = { .several = true };
	int option;

	while ((option = command_option(command, argc, argv,
					OUTPUT_SHORT_OPTIONS OUTPUT_SHORT_COLUMNS, options)) != -1)
		output_option(&output, option, optarg);
	if (optind + 1 != argc)
		return command_usage(command, "%s", optind < argc ? "one agent" : "which agent?");
	if (!has_meaning(argv[optind]))
		return command_usage(command, "\"%s\" is no agent's id or name, and no cgroup",
				     argv[optind]);
	return need_module() ? EXIT_TROUBLE : why(&output, argv[optind]);
}
