// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verbs: commands of the module, by words.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "control.h"
#include "message.h"
#include "output.h"
#include "stats.h"
#include "table.h"

/* What a verb, and the word behind it where there is one, is for the module. */
static const struct verb {
	const char *name, *word;
	const char *command;
	int least, most;
} verbs[] = {
	{ "agent", "add", "create_agent", 1, 3 },
	{ "agent", "remove", "remove_agent", 1, 1 },
	{ "agent", "set", "set_quota", 2, 3 },
	{ "agent", "name", "name", 2, 2 },
	{ "agent", "reset", "reset_agent", 1, 1 },
	{ "allocate", NULL, "allocate", 3, 3 },
	{ "bind", NULL, "bind", 2, 3 },
	{ "capacity", NULL, "set_capacity", 2, 2 },
	{ "check", NULL, "check", 3, 3 },
	{ "context", "add", "create_context", 2, 2 },
	{ "context", "remove", "destroy_context", 1, 1 },
	{ "context", "switch", "switch_context", 2, 2 },
	{ "free", NULL, "free", 1, 1 },
	{ "grant", NULL, "grant", 3, 3 },
	{ "lock", NULL, "lock", 3, 4 },
	{ "policy", NULL, "policy", 1, 1 },
	{ "quota", NULL, "set_quota", 2, 3 },
	{ "report", NULL, "report", 3, 3 },
	{ "reset", NULL, "reset_stats", 0, 0 },
	{ "revoke", NULL, "revoke", 1, 2 },
	{ "template", "add", "template", 1, 2 },
	{ "template", "remove", "remove_template", 1, 1 },
	{ "template", NULL, "template", 1, 2 },
	{ "unbind", NULL, "unbind", 2, 2 },
	{ "unlock", NULL, "unlock", 2, 2 },
};

#define VERBS	(sizeof(verbs) / sizeof(*verbs))

static const struct verb *find_verb(const char *name, const char *word)
{
	size_t i;

	for (i = 0; i < VERBS; i++)
		if (!strcmp(verbs[i].name, name) &&
		    (!verbs[i].word || (word && !strcmp(verbs[i].word, word))))
			return &verbs[i];
	return NULL;
}

/* Paths may have blanks, which become \ooo. */
static bool is_one_word(const char *word)
{
	const char *c;

	if (!strncmp(word, "cgroup:", 7) || *word == '/' || *word == '*')
		return true;
	for (c = word; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return false;
	return *word;
}

static int refused(const struct command *command, int error, const char *answer)
{
	char *reason = control_reason(answer);

	if (reason)
		say("%s: %s (%s)", command->name, reason, strerrorname_np(error));
	else
		say("%s: %s (%s)", command->name, strerror(error), strerrorname_np(error));
	free(reason);
	return error == EPERM ? EXIT_TROUBLE : EXIT_PROBLEM;
}

/* Writes the one line, and prints what control says of it, unless that is just ok. */
static int run_verb(const struct command *command, const struct verb *verb, char **words, int count)
{
	int fd = control_open("control", command->name), error, status = 0;
	char *line, *answer;

	if (fd < 0)
		return EXIT_TROUBLE;
	line = control_line(verb->command, words, count);
	error = control_send(fd, line, &answer);
	if (error)
		status = refused(command, error, answer);
	else if (*answer && strcmp(answer, "ok"))
		puts(answer);
	free(answer);
	free(line);
	close(fd);
	return status ? status : output_flush();
}

/**
 * verb_run() - a command that is one of the module's
 * @command: its row
 * @argc: its arguments
 * @argv: likewise
 *
 * Return: an exit status; EXIT_PROBLEM if the module refused it.
 */
int verb_run(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = { COMMAND_HELP_OPTION, { 0 } };
	const struct verb *verb;
	char *shown;
	int at, count, i;

	/* Words that begin with - are the module's, behind the first. */
	while (command_option(command, argc, argv, "+", options) != -1)
		;
	at = optind;
	verb = find_verb(command->name, at < argc ? argv[at] : NULL);
	if (!verb)
		return command_usage(command, at < argc ? "there is no \"%s\"" : "what?",
				     at < argc ? argv[at] : "");
	at += verb->word ? 1 : 0;
	count = argc - at;
	if (count < verb->least || count > verb->most)
		return command_usage(command, "too %s arguments",
				     count < verb->least ? "few" : "many");
	for (i = at; i < argc; i++) {
		if (is_one_word(argv[i]))
			continue;
		shown = word_escape(argv[i], strlen(argv[i]));
		command_usage(command, "\"%s\" is not one word", shown);
		free(shown);
		return EXIT_TROUBLE;
	}
	return need_module() ? EXIT_TROUBLE : run_verb(command, verb, argv + at, count);
}

static int print_policy(void)
{
	struct stats stats;
	int status = stats_read(&stats, "stats") ? EXIT_TROUBLE : 0;

	if (!status)
		puts(stats_text(&stats, "policy"));
	stats_free(&stats);
	return status ? status : output_flush();
}

/**
 * policy_run() - the command policy, which without an argument prints it
 * @command: its row
 * @argc: its arguments
 * @argv: likewise
 *
 * Return: an exit status.
 */
int policy_run(const struct command *command, int argc, char **argv)
{
	if (argc > 1)
		return verb_run(command, argc, argv);
	return need_module() ? EXIT_TROUBLE : print_policy();
}
