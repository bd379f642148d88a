// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's trace: what it has of refusals.
 */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "message.h"
#include "trace.h"
#include "word.h"

/* So many of the last refusals are shown. */
#define SHOWN	10

static const char *const events[] = {
	"gdl_charge_denied", "gdl_lock_denied", "gdl_dma_denied", "gdl_check_denied",
};

#define EVENTS	(sizeof(events) / sizeof(*events))

/* Where tracefs is: the value of GPU_DMA_LOCK_TRACEFS, or where it always is. */
static const char *folder(void)
{
	const char *given = getenv("GPU_DMA_LOCK_TRACEFS");

	if (given && *given)
		return given;
	if (!access("/sys/kernel/tracing/events", F_OK))
		return "/sys/kernel/tracing";
	return "/sys/kernel/debug/tracing";
}

static bool is_recorded(const char *event)
{
	char *path = text("%s/events/gpu_dma_lock/%s/enable", folder(), event);
	FILE *file = fopen(path, "re");
	int on = file ? getc(file) : EOF;

	if (file)
		fclose(file);
	free(path);
	return on == '1';
}

static void print_off(void)
{
	bool off = false;
	size_t i;

	for (i = 0; i < EVENTS; i++) {
		if (is_recorded(events[i]))
			continue;
		printf("%s %s", off ? "" : "  not recorded:", events[i]);
		off = true;
	}
	if (off)
		printf("; to record it: echo 1 | tee %s/events/gpu_dma_lock/gdl_*_denied/enable\n",
		       folder());
}

static bool has_event(const char *line)
{
	size_t i;

	for (i = 0; i < EVENTS; i++) {
		const char *at = strstr(line, events[i]);

		if (at && at > line + 1 && !strncmp(at - 2, ": ", 2) &&
		    at[strlen(events[i])] == ':')
			return true;
	}
	return false;
}

static bool has_word(const char *line, const char *word)
{
	const char *at = line;
	size_t len = strlen(word);

	for (; (at = strstr(at, word)); at += len)
		if (at > line && at[-1] == ' ' && (!at[len] || isspace((unsigned char)at[len])))
			return true;
	return false;
}

/* Leaves the last refusals of an agent in a ring. Returns how many there were in all. */
static size_t find_last(FILE *trace, const char *agent, char **last)
{
	char *word = text("agent=%s", agent), *line = NULL;
	size_t size = 0, count = 0;

	while (getline(&line, &size, trace) > 0) {
		if (!has_event(line) || !has_word(line, word))
			continue;
		line[strcspn(line, "\n")] = '\0';
		free(last[count % SHOWN]);
		last[count++ % SHOWN] = must(strdup(line));
	}
	free(line);
	free(word);
	return count;
}

static void print_line(struct output *o, const char *line)
{
	char *word, *shown;

	if (o) {
		word = word_escape(line, strlen(line));
		output_row(o, (const char *const[]){ word });
		free(word);
		return;
	}
	shown = word_shown(line);
	printf("  %s\n", shown);
	free(shown);
}

static void print_last(struct output *o, FILE *trace, const char *agent)
{
	char *last[SHOWN] = { NULL };
	size_t count = find_last(trace, agent, last), i;

	for (i = count > SHOWN ? count - SHOWN : 0; i < count; i++)
		print_line(o, last[i % SHOWN]);
	if (!count && !o)
		puts("  no denial of this agent is in it");
	for (i = 0; i < SHOWN; i++)
		free(last[i]);
}

/**
 * trace_show() - show the last refusals that the trace has of an agent
 * @o: where they go to as rows; NULL: they are printed for people, and what is not recorded
 * @agent: its id
 *
 * Return: 0; or -1, and what is wrong has been said.
 */
int trace_show(struct output *o, const char *agent)
{
	static const struct output_column columns[] = { { "LINE", KIND_TEXT, false } };
	char *path = text("%s/trace", folder());
	FILE *trace = fopen(path, "re");

	free(path);
	if (o && output_begin(o, "trace", columns, 1)) {
		if (trace)
			fclose(trace);
		return -1;
	}
	if (!o)
		puts("trace");
	if (!o && !trace)
		puts("  cannot be read: it wants root, and tracefs mounted");
	if (!o && trace)
		print_off();
	if (trace) {
		print_last(o, trace, agent);
		fclose(trace);
	}
	if (o)
		output_end(o);
	return 0;
}
