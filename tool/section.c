// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sections: rows of a table that are about one subject, as sentences or as rows.
 */

#include <stdio.h>
#include <stdlib.h>

#include "message.h"
#include "section.h"
#include "word.h"

static int begin_rows(struct output *o, const struct table *t, struct output_column **columns)
{
	size_t i;

	*columns = make(t->columns, sizeof(**columns));
	for (i = 0; i < t->columns; i++)
		(*columns)[i] = (struct output_column){ t->names[i], t->kinds[i], false };
	return output_begin(o, t->name, *columns, t->columns);
}

static void show_row(const struct section *section, struct output *o, const struct table *t,
		     const void *subject, size_t count)
{
	if (o) {
		output_row(o, t->cells);
		return;
	}
	if (!count && section->title)
		puts(section->title);
	section->print(t, subject);
}

/**
 * section_show() - show the rows that are about a subject
 * @section: which, and how
 * @o: where rows go to as they are; NULL: they are printed as sentences
 * @subject: for the section's functions
 * @count: receives how many there were; or NULL
 *
 * Return: 0; or -1, and what is wrong has been said.
 */
int section_show(const struct section *section, struct output *o, const void *subject,
		 size_t *count)
{
	struct output_column *columns = NULL;
	size_t shown = 0;
	struct table t;
	int got;

	if (table_open(&t, section->table))
		return -1;
	got = o && begin_rows(o, &t, &columns) ? -1 : 1;
	while (got > 0 && (got = table_next(&t)) > 0)
		if (section->wanted(&t, subject))
			show_row(section, o, &t, subject, shown++);
	if (o)
		output_end(o);
	else if (!got && !shown && section->title)
		printf("%s: none\n", section->title);
	free(columns);
	table_close(&t);
	if (count)
		*count = shown;
	return got;
}

/**
 * section_print() - print a cell for people's eyes
 * @t: the table, of which a row was read
 * @column: the name of its column
 */
void section_print(const struct table *t, const char *column)
{
	char *shown = word_shown(table_cell(t, column));

	fputs(shown, stdout);
	free(shown);
}
