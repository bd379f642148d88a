/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Commands: the words that may follow gpu-dma-lock, their options and their help.
 */
#ifndef TOOL_COMMAND_H
#define TOOL_COMMAND_H

#include <getopt.h>
#include <stddef.h>

#include "message.h"

struct command {
	const char *name;
	const char *arguments;	/* as its usage shows them; "" if there are none */
	const char *summary;	/* one line of help */
	const char *details;	/* further lines of its own help, or NULL */
	int (*run)(const struct command *command, int argc, char **argv);
};

#define COMMAND_HELP_OPTION	{ "help", no_argument, NULL, 'h' }
#define COMMAND_HELP		"  -h, --help             this\n"

int command_option(const struct command *command, int argc, char **argv, const char *letters,
		   const struct option *options);
int command_usage(const struct command *command, const char *fmt, ...) __printf(2, 3);
int command_arguments(const struct command *command, int argc, char **argv, size_t least,
		      size_t most);

/* Most in the files of their names; verb_run() is of verbs.c, as is policy_run(), dump_run() of
 * save.c.
 */
int dump_run(const struct command *command, int argc, char **argv);
int list_run(const struct command *command, int argc, char **argv);
int metrics_run(const struct command *command, int argc, char **argv);
int nvml_run(const struct command *command, int argc, char **argv);
int policy_run(const struct command *command, int argc, char **argv);
int restore_run(const struct command *command, int argc, char **argv);
int run_run(const struct command *command, int argc, char **argv);
int save_run(const struct command *command, int argc, char **argv);
int status_run(const struct command *command, int argc, char **argv);
int verb_run(const struct command *command, int argc, char **argv);
int top_run(const struct command *command, int argc, char **argv);
int watch_run(const struct command *command, int argc, char **argv);
int who_run(const struct command *command, int argc, char **argv);
int why_run(const struct command *command, int argc, char **argv);

#endif
