// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables: the files of /proc/swarm/gpu, a row at a time.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "message.h"
#include "table.h"

#define FOLDER		"/proc/swarm/gpu"

/* As many as no table will have. */
#define COLUMNS_MAX	256

#define READ_SIZE	(64 << 10)

/* What the columns have; one that is not here may have anything. */
static const struct {
	const char *column;
	enum kind kind;
} kinds[] = {
	{ "AGENT", KIND_NUMBER },
	{ "AGENTS", KIND_NUMBER },
	{ "AGE_MS", KIND_NUMBER },
	{ "ATTACHMENTS", KIND_NUMBER },
	{ "BINDING", KIND_TEXT },
	{ "BINDINGS", KIND_NUMBER },
	{ "BLOCKED_BY", KIND_LIST },
	{ "BUFFER", KIND_NUMBER },
	{ "BUFFERS", KIND_NUMBER },
	{ "BUS", KIND_TEXT },
	{ "CAPACITY", KIND_CAPACITY },
	{ "COMM", KIND_TEXT },
	{ "CONTEXTS", KIND_NUMBER },
	{ "DENIED", KIND_NUMBER },
	{ "DIRECTION", KIND_TEXT },
	{ "DMA_ADDR", KIND_TEXT },
	{ "DRIVER", KIND_TEXT },
	{ "END", KIND_TEXT },
	{ "EXPORTER", KIND_TEXT },
	{ "ID", KIND_NUMBER },
	{ "IMPORTER_DEVICE", KIND_TEXT },
	{ "INODE", KIND_NUMBER },
	{ "KEY", KIND_TEXT },
	{ "KIND", KIND_TEXT },
	{ "LIMIT", KIND_LIMIT },
	{ "LOCK", KIND_TEXT },
	{ "LOCKS", KIND_NUMBER },
	{ "MAPPED", KIND_NUMBER },
	{ "MODE", KIND_TEXT },
	{ "NAME", KIND_TEXT },
	{ "OWNER", KIND_NUMBER },
	{ "P2P", KIND_NUMBER },
	{ "PATTERN", KIND_TEXT },
	{ "PEAK", KIND_SIZE },
	{ "PID", KIND_NUMBER },
	{ "PINNED", KIND_NUMBER },
	{ "QUOTA", KIND_LIMIT },
	{ "REGION", KIND_TEXT },
	{ "REGIONS", KIND_SIZES },
	{ "SIZE", KIND_SIZE },
	{ "START", KIND_TEXT },
	{ "STATE", KIND_TEXT },
	{ "SWITCHES", KIND_NUMBER },
	{ "TRACKING", KIND_SIZE },
	{ "USED", KIND_SIZE },
	{ "WAITING", KIND_NUMBER },
};

/**
 * table_kind() - what the cells of a column are
 * @column: its name
 *
 * Return: its kind; KIND_ANY of one that is not known.
 */
enum kind table_kind(const char *column)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(kinds[i].column, column))
			return kinds[i].kind;
	return KIND_ANY;
}

/**
 * table_folder() - where the tables are
 *
 * Return: the value of GPU_DMA_LOCK_PROC, or /proc/swarm/gpu.
 */
const char *table_folder(void)
{
	const char *folder = getenv("GPU_DMA_LOCK_PROC");

	return folder && *folder ? folder : FOLDER;
}

/**
 * table_path() - the path of a file
 * @name: its name
 *
 * Return: a string to be given to free().
 */
char *table_path(const char *name)
{
	return text("%s/%s", table_folder(), name);
}

/**
 * table_is_there() - whether the module has a file, and it can be read
 * @name: its name
 *
 * Return: true if so.
 */
bool table_is_there(const char *name)
{
	char *path = table_path(name);
	bool there = !access(path, R_OK);

	free(path);
	return there;
}

/**
 * need_module() - look whether the module is loaded
 *
 * Return: 0; or EXIT_TROUBLE if it is not, which has been said then.
 */
int need_module(void)
{
	if (table_is_there("stats"))
		return 0;
	return trouble("the module gpu_dma_lock is not loaded: there is no %s (%s)",
		       table_folder(), "modprobe gpu_dma_lock");
}

/* wrong TABLE WHAT: as table_next() returns it. */
static int wrong(const struct table *t, const char *what)
{
	say("%s:%lu: %s", t->path, t->line_number, what);
	return -1;
}

/* Reads a line, without its newline, into *line. Returns as table_next(). */
static int read_line(struct table *t, char **line)
{
	ssize_t len = getline(&t->line, &t->line_size, t->file);

	if (len < 0 && ferror(t->file)) {
		say("%s: %s", t->path, strerror(errno));
		return -1;
	}
	if (len < 0)
		return 0;
	t->line_number++;
	if (t->line[len - 1] != '\n')
		return wrong(t, "the line has no end");
	t->line[--len] = '\0';
	if (strlen(t->line) != (size_t)len)
		return wrong(t, "a NUL in the line");
	*line = t->line;
	return 1;
}

/* Splits at each single blank; at most max words, of which the last may have more of them. */
static size_t split(char *line, const char **words, size_t max)
{
	size_t count = 0;

	while (line && count < max) {
		words[count++] = line;
		line = strchr(line, ' ');
		if (line && count < max)
			*line++ = '\0';
	}
	return count;
}

static bool is_column_name(const char *word)
{
	return *word >= 'A' && *word <= 'Z' &&
	       !word[strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")];
}

static int use_header(struct table *t, const char *header)
{
	size_t i, j;

	t->header = must(strdup(header));
	t->names = make(COLUMNS_MAX, sizeof(*t->names));
	t->columns = split(t->header, t->names, COLUMNS_MAX);
	t->kinds = make(t->columns, sizeof(*t->kinds));
	t->cells = make(t->columns + 1, sizeof(*t->cells));
	for (i = 0; i < t->columns; i++) {
		if (!is_column_name(t->names[i]))
			return wrong(t, "this is no header of a table");
		for (j = 0; j < i; j++)
			if (!strcmp(t->names[i], t->names[j]))
				return wrong(t, "the header has a column twice");
		t->kinds[i] = table_kind(t->names[i]);
	}
	return 0;
}

static bool has_keys(const struct table *t)
{
	return !strcmp(t->name, "stats") || !strcmp(t->name, "self");
}

static bool has_rules(const struct table *t)
{
	return !strcmp(t->name, "dma_permissions");
}

static int read_header(struct table *t)
{
	char *line;
	int got;

	if (has_keys(t))
		return use_header(t, "KEY VALUE");
	if (has_rules(t))
		return use_header(t, "AGENT START END BUFFER MODE");
	got = read_line(t, &line);
	if (!got)
		say("%s: there is no header", t->path);
	return got > 0 ? use_header(t, line) : -1;
}

/**
 * table_open() - begin to read a table
 * @t: what table_close() is called for, if this succeeds
 * @name: of the file
 *
 * Return: 0; or -1, and what is wrong has been said.
 */
int table_open(struct table *t, const char *name)
{
	*t = (struct table){ .name = name, .path = table_path(name) };
	t->file = fopen(t->path, "re");
	if (!t->file)
		say("%s: %s", t->path, strerror(errno));
	else
		setvbuf(t->file, NULL, _IOFBF, READ_SIZE);
	if (!t->file || read_header(t)) {
		table_close(t);
		return -1;
	}
	return 0;
}

/* AGENT:START-END:MODE or AGENT:buf=ID:MODE. */
static int split_rule(struct table *t, char *line)
{
	char *agent = strsep(&line, ":"), *what = strsep(&line, ":"), *dash;

	if (!what || !line || !*line || strchr(line, ':'))
		return wrong(t, "this is no rule");
	t->cells[0] = agent;
	t->cells[4] = line;
	t->cells[1] = "-";
	t->cells[2] = "-";
	t->cells[3] = "-";
	if (!strncmp(what, "buf=", 4)) {
		t->cells[3] = what + 4;
		return 0;
	}
	dash = strchr(what, '-');
	if (!dash || dash == what || !dash[1])
		return wrong(t, "this is no rule");
	*dash = '\0';
	t->cells[1] = what;
	t->cells[2] = dash + 1;
	return 0;
}

static int split_row(struct table *t, char *line)
{
	size_t count;
	char *what;

	if (has_rules(t))
		return split_rule(t, line);
	count = split(line, t->cells, has_keys(t) ? 2 : t->columns + 1);
	if (count == t->columns)
		return 0;
	what = text("the row has %s%zu words, where the header has %zu",
		    count > t->columns ? "more than " : "", count > t->columns ? t->columns : count,
		    t->columns);
	wrong(t, what);
	free(what);
	return -1;
}

static int check_row(struct table *t)
{
	char *what, *shown;
	size_t i;

	for (i = 0; i < t->columns; i++)
		if (!word_fits(t->cells[i], t->kinds[i]))
			break;
	if (i == t->columns)
		return 1;
	shown = word_escape(t->cells[i], strlen(t->cells[i]));
	what = text("%s \"%s\" is not %s", t->names[i], shown, word_kind(t->kinds[i]));
	wrong(t, what);
	free(what);
	free(shown);
	return -1;
}

/**
 * table_next() - read the next row
 * @t: the table
 *
 * Return: 1; 0 at the end; -1 if the row is malformed or cannot be read, which has been said.
 */
int table_next(struct table *t)
{
	char *line;
	int got = read_line(t, &line);

	if (got <= 0)
		return got;
	return split_row(t, line) ? -1 : check_row(t);
}

/**
 * table_close() - end reading
 * @t: the table
 */
void table_close(struct table *t)
{
	if (t->file)
		fclose(t->file);
	free(t->path);
	free(t->header);
	free(t->line);
	free(t->names);
	free(t->kinds);
	free(t->cells);
	*t = (struct table){ 0 };
}

/**
 * table_cell() - a cell of the row that was read last
 * @t: the table
 * @column: the name of its column
 *
 * Return: the word, until the next row is read; "-" if there is no such column.
 */
const char *table_cell(const struct table *t, const char *column)
{
	size_t i;

	for (i = 0; i < t->columns; i++)
		if (!strcmp(t->names[i], column))
			return t->cells[i];
	return "-";
}

/**
 * table_is() - compare a cell of the row that was read last
 * @t: the table
 * @column: the name of its column
 * @word: what to compare it with
 *
 * Return: true if it is the same.
 */
bool table_is(const struct table *t, const char *column, const char *word)
{
	return !strcmp(table_cell(t, column), word);
}

/**
 * table_number() - a cell of the row that was read last, as a number
 * @t: the table
 * @column: the name of its column
 *
 * Return: the number; 0 if it is none.
 */
uint64_t table_number(const struct table *t, const char *column)
{
	uint64_t number;

	return word_number(table_cell(t, column), &number) ? number : 0;
}
