/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Grids: rows in memory, sorted by one of their columns, of which some are shown.
 */
#ifndef TOOL_GRID_H
#define TOOL_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"

/* A number that nobody knows; as a limit, none. */
#define GRID_NONE	UINT64_MAX

enum grid_type {
	GRID_NUMBER,	/* uint64_t */
	GRID_SIZE,	/* likewise, bytes */
	GRID_LIMIT,	/* likewise */
	GRID_TEXT,	/* const char *, a word as the module writes it */
};

struct grid_column {
	const char *name;
	enum grid_type type;
	size_t offset;		/* in a row */
	size_t width;
	size_t more;		/* so much wider it may be */
	size_t least;		/* it is shown if there are so many columns on the terminal */
	bool left;		/* a number at the left end */
	const char *full;	/* what it is called to sort by, NULL: as @name */
};

struct grid {
	const struct grid_column *columns;
	size_t count;
	const void *rows;
	size_t row_size, row_count;
};

struct grid_order {
	size_t column;
	bool reverse;
};

const void **grid_sorted(const struct grid *g, const struct grid_order *order,
			 const char *filter, size_t *count);
bool grid_find(const struct grid *g, const char *name, size_t *column);
size_t grid_next(const struct grid *g, size_t column, size_t width, int step);
const char *grid_sort_name(const struct grid *g, size_t column);
char *grid_heading(const struct grid *g, size_t width);
char *grid_text(const struct grid *g, const void *row, size_t width);
bool grid_matches(const struct grid *g, const void *row, const char *filter);

#endif
