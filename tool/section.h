/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sections: rows of a table that are about one subject, as sentences or as rows.
 */
#ifndef TOOL_SECTION_H
#define TOOL_SECTION_H

#include <stdbool.h>
#include <stddef.h>

#include "output.h"
#include "table.h"

struct section {
	const char *table;
	const char *title;	/* NULL: none, and nothing is said where there is no row */
	bool (*wanted)(const struct table *t, const void *subject);
	void (*print)(const struct table *t, const void *subject);
};

int section_show(const struct section *section, struct output *o, const void *subject,
		 size_t *count);
void section_print(const struct table *t, const char *column);

#endif
