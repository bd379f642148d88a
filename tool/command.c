// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands: the words that may follow gpu-dma-lock, their options and their help.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "message.h"
#include "output.h"

static void print_usage(FILE *file, const struct command *command)
{
	fprintf(file, "usage: gpu-dma-lock %s%s%s\n", command->name, *command->arguments ? " " : "",
		command->arguments);
}

static void print_help(const struct command *command)
{
	print_usage(stdout, command);
	printf("\n%s\n", command->summary);
	if (command->details)
		printf("\n%s", command->details);
}

/**
 * command_usage() - refuse what a command was given
 * @command: the command
 * @fmt: as of printf(): why
 *
 * Return: EXIT_TROUBLE, for the command to return. Two lines were printed.
 */
int command_usage(const struct command *command, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "gpu-dma-lock: %s: ", command->name);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	putc('\n', stderr);
	print_usage(stderr, command);
	return EXIT_TROUBLE;
}

/**
 * command_option() - as getopt_long()
 * @command: the command
 * @argc: of the command, whose name is argv[0]
 * @argv: likewise
 * @letters: of the options, without a colon in front; "+" in front ends them at the first
 *	argument
 * @options: the long ones, COMMAND_HELP_OPTION among them
 *
 * Return: the option; -1 if there is none left; the program ends after --help, and where an
 * option is wrong.
 */
int command_option(const struct command *command, int argc, char **argv, const char *letters,
		   const struct option *options)
{
	char *quiet = text("%s:%sh", *letters == '+' ? "+" : "", letters + (*letters == '+'));
	int at = optind ? optind : 1, option;
	const char *word = at < argc ? argv[at] : "";

	option = getopt_long(argc, argv, quiet, options, NULL);
	free(quiet);
	switch (option) {
	case 'h':
		print_help(command);
		exit(output_flush());
	case ':':
		exit(command_usage(command, "option %s wants a value", argv[optind - 1]));
	case '?':
		if (optopt && word[0] == '-' && word[1] != '-')
			exit(command_usage(command, "unknown option -%c", optopt));
		exit(command_usage(command, "unknown option %s", argv[optind - 1]));
	default:
		return option;
	}
}

/**
 * command_arguments() - take the options of a command that has none but --help
 * @command: the command
 * @argc: of the command
 * @argv: likewise
 * @least: so many arguments it wants
 * @most: and not more than so many
 *
 * Return: 0, and the arguments begin at optind; or EXIT_TROUBLE.
 */
int command_arguments(const struct command *command, int argc, char **argv, size_t least,
		      size_t most)
{
	static const struct option options[] = { COMMAND_HELP_OPTION, { 0 } };
	size_t count;

	while (command_option(command, argc, argv, "", options) != -1)
		;
	count = argc - optind;
	if (count < least)
		return command_usage(command, "too few arguments");
	if (count > most)
		return command_usage(command, "too many arguments");
	return 0;
}
