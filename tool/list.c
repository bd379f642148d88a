// SPDX-License-Identifier: GPL-2.0-only
/*
 * list: a table as it is.
 */

#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "message.h"
#include "output.h"
#include "table.h"

static const char *const tables[] = {
	"agents", "allocations", "attachments", "bindings", "contexts", "devices",
	"dma_permissions", "locks", "quotas", "regions", "self", "stats", "templates",
};

/* One of these, or one that a newer module has; its header tells. */
static bool is_table(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		if (!strcmp(tables[i], name))
			return true;
	return *name && !name[strspn(name, "abcdefghijklmnopqrstuvwxyz_")] &&
	       strcmp(name, "control") && strcmp(name, "config") && table_is_there(name);
}

static struct output_column *columns_of(const struct table *t)
{
	struct output_column *columns = make(t->columns, sizeof(*columns));
	size_t i;

	for (i = 0; i < t->columns; i++)
		columns[i] = (struct output_column){ t->names[i], t->kinds[i], false };
	return columns;
}

/* What needs attention. */
static bool stands_out(const struct table *t)
{
	return table_is(t, "STATE", "waiting") || table_number(t, "WAITING") ||
	       table_number(t, "DENIED");
}

static int list_rows(struct output *o, struct table *t)
{
	int got;

	while ((got = table_next(t)) > 0) {
		output_row(o, t->cells);
		if (stands_out(t))
			output_mark(o, "yellow");
	}
	return got < 0 ? EXIT_TROUBLE : 0;
}

static int list(const struct output_options *options, const char *name)
{
	struct output_column *columns;
	struct output *o;
	struct table t;
	int status, end;

	if (table_open(&t, name))
		return EXIT_TROUBLE;
	o = output_new(options);
	columns = columns_of(&t);
	status = output_begin(o, name, columns, t.columns) ? EXIT_TROUBLE : list_rows(o, &t);
	end = output_free(o);
	free(columns);
	table_close(&t);
	return status ? status : end;
}

/**
 * list_run() - the command list
 * @command: its row
 * @argc: its arguments
 * @argv: likewise
 *
 * Return: an exit status.
 */
int list_run(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		OUTPUT_LONG_OPTIONS, OUTPUT_LONG_COLUMNS, COMMAND_HELP_OPTION, { 0 },
	};
	struct output_options output = { 0 };
	int option;

	while ((option = command_option(command, argc, argv,
					OUTPUT_SHORT_OPTIONS OUTPUT_SHORT_COLUMNS, options)) != -1)
		output_option(&output, option, optarg);
	if (optind + 1 != argc)
		return command_usage(command, "%s", optind < argc ? "one table" : "which table?");
	if (!is_table(argv[optind]))
		return command_usage(command, "there is no table \"%s\"", argv[optind]);
	return need_module() ? EXIT_TROUBLE : list(&output, argv[optind]);
}
