/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames: lines of text for a terminal of so many rows and columns.
 */
#ifndef TOOL_FRAME_H
#define TOOL_FRAME_H

#include <stdbool.h>
#include <stddef.h>

enum frame_look {
	FRAME_PLAIN,
	FRAME_HEADING,
	FRAME_WARNING,	/* somebody waits */
	FRAME_ALARM,	/* something was denied */
};

struct frame_line {
	char *text;
	enum frame_look look;
};

struct frame {
	size_t rows, columns;
	struct frame_line *lines;	/* room for rows */
	size_t count;
};

void frame_begin(struct frame *f, size_t rows, size_t columns);
void frame_line(struct frame *f, enum frame_look look, const char *line);
size_t frame_left(const struct frame *f);
void frame_free(struct frame *f);

char *frame_cell(char *to, const char *shown, size_t width, bool right);
size_t frame_cell_room(const char *shown, size_t width);

#endif
