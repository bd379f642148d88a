// SPDX-License-Identifier: GPL-2.0-only
/*
 * top: agents, processes and buffers, again and again.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "message.h"
#include "output.h"
#include "table.h"
#include "top_screen.h"
#include "top_view.h"
#include "word.h"

#define ROWS		24
#define COLUMNS		80
/* More is no terminal. */
#define SIDE_MAX	10000

#define DELAY		2.0
#define DELAY_MIN	0.1
#define DELAY_MAX	86400.0

struct settings {
	struct top_choice choice;
	const char *sort;
	double delay;
	uint64_t frames;	/* 0: no end */
};

/* From the environment, else the terminal's own. */
static size_t side(const char *variable, size_t own, size_t otherwise)
{
	const char *word = getenv(variable);
	uint64_t number;

	if (word && word_number(word, &number) && number && number <= SIDE_MAX)
		return number;
	return own ? own : otherwise;
}

static int print_frame(struct snapshot *s, struct top_choice *choice)
{
	struct winsize size = { 0 };
	struct frame frame;
	size_t i;

	if (snapshot_read(s))
		return EXIT_TROUBLE;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		size = (struct winsize){ 0 };
	frame_begin(&frame, side("LINES", size.ws_row, ROWS),
		    side("COLUMNS", size.ws_col, COLUMNS));
	top_draw(&frame, s, choice, false);
	for (i = 0; i < frame.count; i++) {
		const char *line = frame.lines[i].text;
		size_t len = strlen(line);

		while (len && line[len - 1] == ' ')
			len--;
		printf("%.*s\n", (int)len, line);
	}
	frame_free(&frame);
	return output_flush();
}

static void pause_for(double seconds)
{
	struct timespec time = { .tv_sec = seconds };

	time.tv_nsec = (seconds - time.tv_sec) * 1e9;
	nanosleep(&time, NULL);
}

static int print_frames(struct snapshot *s, struct settings *settings)
{
	uint64_t left = settings->frames;
	int status;

	for (;;) {
		status = print_frame(s, &settings->choice);
		if (status || (left && !--left))
			return status;
		pause_for(settings->delay);
		putchar('\n');
	}
}

static bool is_seconds(const char *word, double *seconds)
{
	if (!*word || word[strspn(word, "0123456789.")] || strchr(word, '.') != strrchr(word, '.'))
		return false;
	*seconds = strtod(word, NULL);
	return *seconds >= DELAY_MIN && *seconds <= DELAY_MAX;
}

/* Returns 0, or as command_usage(). */
static int take_option(const struct command *command, struct settings *settings, int option)
{
	switch (option) {
	case 's':
		settings->sort = optarg;
		return 0;
	case 'd':
		if (is_seconds(optarg, &settings->delay))
			return 0;
		return command_usage(command, "-d wants a number of seconds, from 0.1 on");
	case 'n':
		if (word_number(optarg, &settings->frames) && settings->frames)
			return 0;
		return command_usage(command, "-n wants a number from 1 on");
	case '1':
		settings->frames = 1;
		return 0;
	case 'v':
		if (top_view_find(optarg, &settings->choice.view))
			return 0;
		return command_usage(command, "-v wants agents, processes, buffers or tree");
	default:
		free(settings->choice.filter);
		settings->choice.filter = must(strdup(optarg));
		return 0;
	}
}

static int take_options(const struct command *command, int argc, char **argv,
			struct settings *settings)
{
	static const struct option options[] = {
		{ "sort", required_argument, NULL, 's' },
		{ "delay", required_argument, NULL, 'd' },
		{ "count", required_argument, NULL, 'n' },
		{ "once", no_argument, NULL, '1' },
		{ "view", required_argument, NULL, 'v' },
		{ "filter", required_argument, NULL, 'f' },
		COMMAND_HELP_OPTION, { 0 },
	};
	int option, status = 0;

	while (!status &&
	       (option = command_option(command, argc, argv, "s:d:n:v:f:", options)) != -1)
		status = take_option(command, settings, option);
	if (status)
		return status;
	if (optind < argc)
		return command_usage(command, "no arguments but options");
	if (settings->sort && !top_choice_sort(&settings->choice, settings->sort))
		return command_usage(command, "-s wants u, p, d, w, b or a column of the view");
	return 0;
}

static bool has_screen(void)
{
	const char *term = getenv("TERM");

	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term && *term &&
	       strcmp(term, "dumb");
}

/**
 * top_run() - the command top
 * @command: its row
 * @argc: its arguments
 * @argv: likewise
 *
 * Return: an exit status.
 */
int top_run(const struct command *command, int argc, char **argv)
{
	struct settings settings = { .delay = DELAY };
	struct snapshot snapshot = { 0 };
	int status;

	top_choice_init(&settings.choice);
	status = take_options(command, argc, argv, &settings);
	if (!status && need_module())
		status = EXIT_TROUBLE;
	if (!status && !settings.frames && has_screen())
		status = top_screen(&snapshot, &settings.choice, settings.delay);
	else if (!status)
		status = print_frames(&snapshot, &settings);
	snapshot_free(&snapshot);
	free(settings.choice.filter);
	return status;
}
