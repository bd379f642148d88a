/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tables: the files of /proc/swarm/gpu, a row at a time.
 *
 * Cells are found by the names of their columns, so that a module with more columns can be
 * read too. The files without a header have these: `stats` and `self` KEY and VALUE,
 * `dma_permissions` AGENT, START, END, BUFFER and MODE.
 */
#ifndef TOOL_TABLE_H
#define TOOL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "word.h"

struct table {
	const char *name;
	char *path;
	FILE *file;
	char *header, *line;
	size_t line_size;
	unsigned long line_number;
	size_t columns;
	const char **names;	/* of each column */
	enum kind *kinds;
	const char **cells;	/* of the row that was read last, "-" if unknown */
};

const char *table_folder(void);
char *table_path(const char *name);
bool table_is_there(const char *name);
int need_module(void);

int table_open(struct table *t, const char *name);
int table_next(struct table *t);
void table_close(struct table *t);

const char *table_cell(const struct table *t, const char *column);
bool table_is(const struct table *t, const char *column, const char *word);
uint64_t table_number(const struct table *t, const char *column);
enum kind table_kind(const char *column);

#endif
