/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Views of top: a snapshot as lines.
 */
#ifndef TOOL_TOP_VIEW_H
#define TOOL_TOP_VIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "frame.h"
#include "grid.h"
#include "snapshot.h"

enum top_view {
	TOP_AGENTS,
	TOP_PROCESSES,
	TOP_BUFFERS,
	TOP_TREE,
	TOP_VIEWS,
};

/* What a user has chosen. */
struct top_choice {
	enum top_view view;
	struct grid_order orders[TOP_VIEWS];
	char *filter;		/* as typed, "" for none */
	size_t first;		/* the row that is shown first; drawing corrects it */
	size_t page;		/* rows that were shown; drawing sets it */
	int depth;		/* of the tree: 1 has agents only, 3 buffers too */
	bool help;
	bool filtering;		/* the filter is being typed */
};

void top_choice_init(struct top_choice *choice);
bool top_view_find(const char *name, enum top_view *view);
bool top_choice_sort(struct top_choice *choice, const char *column);
void top_choice_step(struct top_choice *choice, size_t width, int step);
void top_draw(struct frame *f, struct snapshot *s, struct top_choice *choice, bool keys);

#endif
