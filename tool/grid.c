// SPDX-License-Identifier: GPL-2.0-only
/*
 * Grids: rows in memory, sorted by one of their columns, of which some are shown.
 *
 * There may be 100,000 rows, of which a screen shows few: each gets a number to be sorted by
 * once, and only what is shown becomes text.
 */

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grid.h"
#include "message.h"
#include "word.h"

/* Words sort behind numbers. */
#define WORD_KEY	(1ULL << 63)

struct key {
	uint64_t number;
	const char *word;	/* where numbers do not tell them apart, or NULL */
	const void *row;
};

static uint64_t number_in(const struct grid_column *column, const void *row)
{
	return *(const uint64_t *)((const char *)row + column->offset);
}

static const char *text_in(const struct grid_column *column, const void *row)
{
	return *(const char *const *)((const char *)row + column->offset);
}

static uint64_t word_key(const char *word)
{
	uint64_t key = 0;
	int i;

	if (word_number(word, &key))
		return key & ~WORD_KEY;
	key = 0;
	for (i = 0; i < 7; i++) {
		key = key << 8 | (unsigned char)tolower((unsigned char)*word);
		word += *word != '\0';
	}
	return key | WORD_KEY;
}

static struct key key_of(const struct grid_column *column, const void *row)
{
	uint64_t number;

	if (column->type == GRID_TEXT)
		return (struct key){ word_key(text_in(column, row)), text_in(column, row), row };
	number = number_in(column, row);
	/* What is not known is least, no limit is most. */
	if (column->type != GRID_LIMIT)
		number++;
	return (struct key){ number, NULL, row };
}

/* Of equals the first row comes first. */
static int in_place(const struct key *a, const struct key *b)
{
	return (a->row > b->row) - (a->row < b->row);
}

static int rising(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int order = (x->number > y->number) - (x->number < y->number);

	if (!order && x->word)
		order = strcasecmp(x->word, y->word);
	return order ? order : in_place(x, y);
}

static int falling(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int order = (x->number < y->number) - (x->number > y->number);

	if (!order && x->word)
		order = strcasecmp(y->word, x->word);
	return order ? order : in_place(x, y);
}

/**
 * grid_matches() - whether a filter lets a row pass
 * @g: the grid
 * @row: of it
 * @filter: part of one of its words, in small or capital letters; or one of its numbers
 *
 * Return: true if so.
 */
bool grid_matches(const struct grid *g, const void *row, const char *filter)
{
	uint64_t number;
	bool is_number = word_number(filter, &number);
	size_t i;

	for (i = 0; i < g->count; i++) {
		const struct grid_column *column = &g->columns[i];

		if (column->type == GRID_TEXT && strcasestr(text_in(column, row), filter))
			return true;
		if (column->type != GRID_TEXT && is_number && number_in(column, row) == number)
			return true;
	}
	return false;
}

/**
 * grid_sorted() - the rows, in order
 * @g: the grid
 * @order: by which column. Numbers fall and words rise, but if it is reversed
 * @filter: as of grid_matches(); "" or NULL lets all pass
 * @count: receives their number
 *
 * Return: an array to be given to free().
 */
const void **grid_sorted(const struct grid *g, const struct grid_order *order,
			 const char *filter, size_t *count)
{
	const struct grid_column *column = &g->columns[order->column];
	struct key *keys = make(g->row_count, sizeof(*keys));
	const void **rows = make(g->row_count, sizeof(*rows));
	bool rises = (column->type == GRID_TEXT) != order->reverse;
	size_t i, n = 0;

	for (i = 0; i < g->row_count; i++) {
		const void *row = (const char *)g->rows + i * g->row_size;

		if (!filter || !*filter || grid_matches(g, row, filter))
			keys[n++] = key_of(column, row);
	}
	qsort(keys, n, sizeof(*keys), rises ? rising : falling);
	for (i = 0; i < n; i++)
		rows[i] = keys[i].row;
	free(keys);
	*count = n;
	return rows;
}

/**
 * grid_sort_name() - what a column is called to sort by
 * @g: the grid
 * @column: its index
 *
 * Return: its name, in full.
 */
const char *grid_sort_name(const struct grid *g, size_t column)
{
	const struct grid_column *c = &g->columns[column];

	return c->full ? c->full : c->name;
}

/**
 * grid_find() - find a column by its name
 * @g: the grid
 * @name: in small or capital letters
 * @column: receives its index
 *
 * Return: false if there is none.
 */
bool grid_find(const struct grid *g, const char *name, size_t *column)
{
	size_t i;

	for (i = 0; i < g->count; i++) {
		if (!word_is_name(g->columns[i].name, name) &&
		    !word_is_name(grid_sort_name(g, i), name))
			continue;
		*column = i;
		return true;
	}
	return false;
}

/**
 * grid_next() - the column beside another one, around the ends
 * @g: the grid
 * @column: an index
 * @width: columns of the terminal, which shows some columns only if it is wide enough
 * @step: 1 or -1
 *
 * Return: the index of the next one that is shown.
 */
size_t grid_next(const struct grid *g, size_t column, size_t width, int step)
{
	size_t i;

	for (i = 0; i < g->count; i++) {
		column = (column + g->count + step) % g->count;
		if (g->columns[column].least <= width)
			break;
	}
	return column;
}

/* How wide each column is: those that may be wider share what room there is. */
static size_t *widths_of(const struct grid *g, size_t width)
{
	size_t *widths = make(g->count, sizeof(*widths)), used = 0, sharers = 0, spare, i;

	for (i = 0; i < g->count; i++) {
		if (g->columns[i].least > width)
			continue;
		used += g->columns[i].width + (used > 0);
		sharers += g->columns[i].more > 0;
	}
	spare = width > used ? width - used : 0;
	for (i = 0; i < g->count; i++) {
		const struct grid_column *column = &g->columns[i];
		size_t share;

		if (column->least > width)
			continue;
		share = column->more ? spare / sharers-- : 0;
		share = share < column->more ? share : column->more;
		spare -= share;
		widths[i] = column->width + share;
	}
	return widths;
}

static const char *cell_text(const struct grid_column *column, const void *row, char *room,
			     char **allocated)
{
	uint64_t number;

	if (column->type == GRID_TEXT) {
		*allocated = word_shown(text_in(column, row));
		return *allocated;
	}
	number = number_in(column, row);
	if (number == GRID_NONE)
		return column->type == GRID_LIMIT ? "max" : "-";
	if (column->type != GRID_NUMBER)
		return word_human(room, number);
	snprintf(room, WORD_SHORT, "%" PRIu64, number);
	return room;
}

/* A line of the grid; of its headings if row is NULL. */
static char *line_of(const struct grid *g, const void *row, size_t width)
{
	size_t *widths = widths_of(g, width), i;
	char *line = must(strdup(""));

	for (i = 0; i < g->count; i++) {
		const struct grid_column *column = &g->columns[i];
		char *allocated = NULL, room[WORD_SHORT], *cell, *longer;
		const char *shown;

		if (!widths[i])
			continue;
		shown = row ? cell_text(column, row, room, &allocated) : column->name;
		cell = make(frame_cell_room(shown, widths[i]), 1);
		frame_cell(cell, shown, widths[i], column->type != GRID_TEXT && !column->left);
		longer = text("%s%s%s", line, *line ? " " : "", cell);
		free(allocated);
		free(cell);
		free(line);
		line = longer;
	}
	free(widths);
	return line;
}

/**
 * grid_heading() - the line of headings
 * @g: the grid
 * @width: columns of the terminal
 *
 * Return: to be given to free().
 */
char *grid_heading(const struct grid *g, size_t width)
{
	return line_of(g, NULL, width);
}

/**
 * grid_text() - the line of a row
 * @g: the grid
 * @row: of it
 * @width: columns of the terminal
 *
 * Return: to be given to free().
 */
char *grid_text(const struct grid *g, const void *row, size_t width)
{
	return line_of(g, row, width);
}
