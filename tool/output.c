// SPDX-License-Identifier: GPL-2.0-only
/*
 * Output: tables for people, by libsmartcols, and for programs.
 *
 * Only what is for people is kept until its table ends, as its widths are known only then.
 */

#include <ctype.h>
#include <errno.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "message.h"
#include "output.h"

/* A document, its tables, and their rows each on a line of its own. */
#define LINE_DEPTH	2

struct output {
	struct output_options options;
	struct json json;

	/* Of several tables: how many were shown, and which names of -o some of them have. */
	size_t tables;
	bool *found;

	/* Of the table that has begun. */
	const char *name;
	const struct output_column *columns;
	size_t count;
	size_t *shown;		/* indices of the columns that are, in their order */
	size_t shown_count;
	struct libscols_table *table;
	struct libscols_line *line;
};

/**
 * output_option() - take an option, if it is one of these
 * @options: to be changed by it
 * @option: as getopt_long() returned it
 * @argument: its argument
 *
 * Return: false if it is none of OUTPUT_SHORT_OPTIONS and OUTPUT_SHORT_COLUMNS.
 */
bool output_option(struct output_options *options, int option, const char *argument)
{
	switch (option) {
	case 'J':
		options->format = OUTPUT_JSON;
		return true;
	case 'r':
		options->format = OUTPUT_RAW;
		return true;
	case 'e':
		options->format = OUTPUT_EXPORT;
		return true;
	case 'n':
		options->no_headings = true;
		return true;
	case 'b':
		options->bytes = true;
		return true;
	case 'o':
		options->columns = argument;
		return true;
	default:
		return false;
	}
}

/**
 * output_is_default() - whether no option says how
 * @options: the options
 *
 * Return: true if what is printed for people need be no table.
 */
bool output_is_default(const struct output_options *options)
{
	return options->format == OUTPUT_TABLE && !options->bytes && !options->no_headings &&
	       !options->columns;
}

/**
 * output_has_colour() - whether the standard output takes colours
 *
 * Return: true on a terminal that is not dumb, unless NO_COLOR is set.
 */
bool output_has_colour(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term && strcmp(term, "dumb");
}

/**
 * output_new() - begin what a command prints
 * @options: how
 *
 * Return: to be given to output_free().
 */
struct output *output_new(const struct output_options *options)
{
	struct output *o = make(1, sizeof(*o));

	o->options = *options;
	if (options->several && options->columns)
		o->found = make(strlen(options->columns) + 1, sizeof(*o->found));
	json_init(&o->json, stdout, LINE_DEPTH);
	return o;
}

/**
 * output_json() - the document, for what is in no table
 * @o: the output
 *
 * Return: within the outermost object, or within a row if called by none; NULL if the format
 * is not JSON.
 */
struct json *output_json(struct output *o)
{
	if (o->options.format != OUTPUT_JSON)
		return NULL;
	if (!o->json.depth)
		json_object(&o->json, NULL);
	return &o->json;
}

static void show_column(struct output *o, size_t i)
{
	size_t j;

	for (j = 0; j < o->shown_count; j++)
		if (o->shown[j] == i)
			return;
	o->shown[o->shown_count++] = i;
}

static bool show_named(struct output *o, const char *name)
{
	size_t i;

	for (i = 0; i < o->count; i++) {
		if (word_is_name(o->columns[i].name, name)) {
			show_column(o, i);
			return true;
		}
	}
	return false;
}

static void no_such_column(const struct output *o, const char *table, const char *name)
{
	size_t i;

	say("%s has no column \"%s\"", table, name);
	fputs("its columns are", stderr);
	for (i = 0; i < o->count; i++)
		fprintf(stderr, "%s %s", i ? "," : "", o->columns[i].name);
	putc('\n', stderr);
}

static int choose_columns(struct output *o, const char *table)
{
	const char *list = o->options.columns;
	char *copy, *rest, *name;
	int status = 0;
	size_t i;

	if (!list || *list == '+')
		for (i = 0; i < o->count; i++)
			if (!o->columns[i].hidden)
				show_column(o, i);
	if (!list)
		return 0;
	copy = must(strdup(list + (*list == '+')));
	rest = copy;
	for (i = 0; !status && (name = strsep(&rest, ",")); i++) {
		name += *name == '+';
		if (show_named(o, name)) {
			if (o->found)
				o->found[i] = true;
		} else if (!o->found) {
			no_such_column(o, table, name);
			status = -1;
		}
	}
	free(copy);
	return status;
}

/* Of several tables: a name that none has is a mistake. */
static int check_found(const struct output *o)
{
	char *copy, *rest, *name;
	int status = 0;
	size_t i;

	if (!o->found)
		return 0;
	copy = must(strdup(o->options.columns + (*o->options.columns == '+')));
	rest = copy;
	for (i = 0; (name = strsep(&rest, ",")); i++)
		if (!o->found[i])
			status = trouble("no table here has a column \"%s\"",
					 name + (*name == '+'));
	free(copy);
	return status;
}

static bool is_right(enum kind kind)
{
	return kind == KIND_NUMBER || kind == KIND_SIZE || kind == KIND_LIMIT ||
	       kind == KIND_CAPACITY;
}

/* Nothing is cut in a narrow terminal, as a name that is cut is none. */
static void begin_table(struct output *o)
{
	size_t i;

	o->table = must(scols_new_table());
	scols_table_enable_colors(o->table, output_has_colour());
	scols_table_enable_noheadings(o->table, o->options.no_headings);
	for (i = 0; i < o->shown_count; i++) {
		const struct output_column *column = &o->columns[o->shown[i]];

		must(scols_table_new_column(o->table, column->name, 0,
					    is_right(column->kind) ? SCOLS_FL_RIGHT : 0));
	}
}

static void begin_raw(struct output *o)
{
	size_t i;

	if (o->options.no_headings)
		return;
	for (i = 0; i < o->shown_count; i++)
		printf("%s%s", i ? " " : "", o->columns[o->shown[i]].name);
	putchar('\n');
}

/**
 * output_begin() - begin a table
 * @o: the output
 * @name: what it is called, the key in JSON
 * @columns: its columns, which stay until output_end()
 * @count: their number
 *
 * Return: 0; or -1 if it lacks a column that -o names, which has been said. Then it has not
 * begun.
 */
int output_begin(struct output *o, const char *name, const struct output_column *columns,
		 size_t count)
{
	o->name = name;
	o->columns = columns;
	o->count = count;
	o->shown = make(count, sizeof(*o->shown));
	o->shown_count = 0;
	if (choose_columns(o, name)) {
		free(o->shown);
		o->shown = NULL;
		return -1;
	}
	if (!o->shown_count)
		return 0;
	switch (o->options.format) {
	case OUTPUT_JSON:
		json_array(output_json(o), name);
		break;
	case OUTPUT_TABLE:
		begin_table(o);
		break;
	case OUTPUT_RAW:
		begin_raw(o);
		break;
	case OUTPUT_EXPORT:
		break;
	}
	return 0;
}

static void json_row(struct output *o, const char *const *cells)
{
	size_t i;

	json_object(&o->json, NULL);
	for (i = 0; i < o->shown_count; i++) {
		const struct output_column *column = &o->columns[o->shown[i]];

		json_cell(&o->json, column->name, cells[o->shown[i]], column->kind);
	}
	json_end(&o->json);
}

static char *sized(const struct output *o, size_t column, const char *word)
{
	return o->options.bytes ? must(strdup(word)) : word_sized(word, o->columns[column].kind);
}

static void table_row(struct output *o, const char *const *cells)
{
	size_t i;

	o->line = must(scols_table_new_line(o->table, NULL));
	for (i = 0; i < o->shown_count; i++) {
		char *word = sized(o, o->shown[i], cells[o->shown[i]]), *shown = word_shown(word);

		if (scols_line_refer_data(o->line, i, shown))
			must(NULL);
		free(word);
	}
}

static void raw_row(struct output *o, const char *const *cells)
{
	size_t i;

	for (i = 0; i < o->shown_count; i++) {
		char *word = sized(o, o->shown[i], cells[o->shown[i]]), *c;

		if (i)
			putchar_unlocked(' ');
		/* Reasons of stats are many words. */
		for (c = word; *c; c++)
			if (*c == ' ')
				fputs_unlocked("\\040", stdout);
			else
				putchar_unlocked(*c);
		free(word);
	}
	putchar_unlocked('\n');
}

/* As a shell takes it between double quotes; what it would not is \xHH. */
static void put_quoted(const char *bytes, size_t len)
{
	while (len) {
		uint32_t u = 0;
		size_t n = utf8_length(bytes, len, &u);
		unsigned char c = *bytes;

		/* Also what terminals take for a control character: one byte at a time. */
		if (!n || u < 0x20 || (u >= 0x7f && u < 0xa0) || strchr("\"\\$`", c)) {
			printf("\\x%02x", c);
			n = 1;
		} else {
			fwrite_unlocked(bytes, 1, n, stdout);
		}
		bytes += n;
		len -= n;
	}
}

static void export_row(struct output *o, const char *const *cells)
{
	size_t i;

	for (i = 0; i < o->shown_count; i++) {
		char *word = sized(o, o->shown[i], cells[o->shown[i]]);

		printf("%s%s=\"", i ? " " : "", o->columns[o->shown[i]].name);
		if (!word_is_unknown(word))
			put_quoted(word, word_unescape(word, word));
		putchar('"');
		free(word);
	}
	putchar('\n');
}

/**
 * output_row() - a row of the table that has begun
 * @o: the output
 * @cells: one for each of its columns, as the module writes them: "-" if unknown
 */
void output_row(struct output *o, const char *const *cells)
{
	if (!o->shown_count)
		return;
	switch (o->options.format) {
	case OUTPUT_JSON:
		json_row(o, cells);
		break;
	case OUTPUT_TABLE:
		table_row(o, cells);
		break;
	case OUTPUT_RAW:
		raw_row(o, cells);
		break;
	case OUTPUT_EXPORT:
		export_row(o, cells);
		break;
	}
}

/**
 * output_mark() - have the row that was printed last stand out, where there are colours
 * @o: the output
 * @colour: as "red", "yellow", "bold"; see terminal-colors.d(5)
 */
void output_mark(struct output *o, const char *colour)
{
	if (o->line && scols_line_set_color(o->line, colour))
		must(NULL);
}

/* Of several tables those without rows are left out, and each has its name above it. */
static void end_table(struct output *o)
{
	bool rows = scols_table_get_nlines(o->table);

	if (o->options.several && rows && !o->options.no_headings)
		printf("%s%s\n", o->tables++ ? "\n" : "", o->name);
	if (rows)
		scols_print_table(o->table);
	else if (!o->options.several)
		begin_raw(o);
	scols_unref_table(o->table);
}

/**
 * output_end() - end the table that has begun
 * @o: the output
 */
void output_end(struct output *o)
{
	if (o->options.format == OUTPUT_JSON && o->shown_count)
		json_end(&o->json);
	if (o->table)
		end_table(o);
	free(o->shown);
	o->shown = NULL;
	o->table = NULL;
	o->line = NULL;
}

/**
 * output_free() - end what a command prints
 * @o: the output; a table that has begun is ended too
 *
 * Return: as output_flush(); or EXIT_TROUBLE if none of several tables has a column that -o
 * names, which has been said.
 */
int output_free(struct output *o)
{
	int status, end;

	if (o->shown)
		output_end(o);
	if (o->json.depth)
		json_end(&o->json);
	status = check_found(o);
	free(o->found);
	free(o);
	end = output_flush();
	return status ? status : end;
}

/**
 * output_flush() - whether all that was printed got out
 *
 * Return: 0; or EXIT_TROUBLE if not, which has been said.
 */
int output_flush(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return 0;
	return trouble("cannot write: %s", strerror(errno));
}
