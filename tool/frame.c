// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames: lines of text for a terminal of so many rows and columns.
 *
 * A letter may be several bytes, and take two columns or none.
 */

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "frame.h"
#include "message.h"

/**
 * frame_begin() - begin a frame
 * @f: what frame_free() is called for
 * @rows: as many lines as there may be
 * @columns: as many as each may take
 */
void frame_begin(struct frame *f, size_t rows, size_t columns)
{
	*f = (struct frame){ .rows = rows, .columns = columns };
	f->lines = make(rows, sizeof(*f->lines));
}

/**
 * frame_free() - forget a frame
 * @f: the frame
 */
void frame_free(struct frame *f)
{
	while (f->count--)
		free(f->lines[f->count].text);
	free(f->lines);
	*f = (struct frame){ 0 };
}

/**
 * frame_left() - how many lines a frame has room for
 * @f: the frame
 *
 * Return: their number.
 */
size_t frame_left(const struct frame *f)
{
	return f->rows - f->count;
}

/* The letter at s: of how many bytes, and columns. What is none counts as one of each. */
static size_t letter(const char *s, size_t *columns)
{
	mbstate_t state = { 0 };
	wchar_t c;
	size_t len = mbrtowc(&c, s, strlen(s), &state);
	int width;

	*columns = 1;
	if (len == 0 || len > MB_LEN_MAX)
		return 1;
	width = wcwidth(c);
	*columns = width < 0 ? 1 : width;
	return len;
}

/* How many bytes of s fit into so many columns, and how many of these they take. */
static size_t fitting(const char *s, size_t width, size_t *taken)
{
	size_t bytes = 0;

	*taken = 0;
	while (s[bytes]) {
		size_t columns, len = letter(s + bytes, &columns);

		if (*taken + columns > width)
			break;
		*taken += columns;
		bytes += len;
	}
	return bytes;
}

/**
 * frame_line() - add a line
 * @f: the frame; if it is full, nothing is added
 * @look: how it looks
 * @line: its text, of which as much is taken as fits
 */
void frame_line(struct frame *f, enum frame_look look, const char *line)
{
	size_t taken;

	if (f->count == f->rows)
		return;
	f->lines[f->count++] = (struct frame_line){
		must(strndup(line, fitting(line, f->columns, &taken))), look,
	};
}

/**
 * frame_cell_room() - how many bytes frame_cell() may write
 * @shown: the text
 * @width: of the cell
 *
 * Return: their number, with the NUL.
 */
size_t frame_cell_room(const char *shown, size_t width)
{
	return strlen(shown) + width + 1;
}

/**
 * frame_cell() - a text in a cell of a line
 * @to: receives it, padded by blanks or cut, and a NUL; see frame_cell_room()
 * @shown: the text
 * @width: of the cell, in columns
 * @right: whether it is at the cell's right end
 *
 * Return: where it ends.
 */
char *frame_cell(char *to, const char *shown, size_t width, bool right)
{
	size_t taken, bytes = fitting(shown, width, &taken);

	if (right) {
		memset(to, ' ', width - taken);
		to += width - taken;
	}
	to = mempcpy(to, shown, bytes);
	if (!right) {
		memset(to, ' ', width - taken);
		to += width - taken;
	}
	*to = '\0';
	return to;
}
