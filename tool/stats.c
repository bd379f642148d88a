// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stats: the lines `key value` of `stats` and `self`.
 */

#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "stats.h"
#include "table.h"

/**
 * stats_read() - read them all, in their order
 * @s: receives them; to be given to stats_free(), also after an error
 * @file: "stats" or "self"
 *
 * Return: 0; or -1, and what is wrong has been said.
 */
int stats_read(struct stats *s, const char *file)
{
	struct table t;
	int got;

	*s = (struct stats){ 0 };
	if (table_open(&t, file))
		return -1;
	while ((got = table_next(&t)) > 0) {
		s->lines = grow(s->lines, &s->room, s->count + 1, sizeof(*s->lines));
		s->lines[s->count++] = (struct stat_line){
			must(strdup(table_cell(&t, "KEY"))),
			must(strdup(table_cell(&t, "VALUE"))),
		};
	}
	table_close(&t);
	return got;
}

/**
 * stats_free() - forget them
 * @s: what stats_read() filled
 */
void stats_free(struct stats *s)
{
	while (s->count--) {
		free(s->lines[s->count].key);
		free(s->lines[s->count].value);
	}
	free(s->lines);
	*s = (struct stats){ 0 };
}

/**
 * stats_text() - the value of a key
 * @s: what stats_read() filled
 * @key: the key
 *
 * Return: the rest of its line, the first one if there are more; "-" if there is none.
 */
const char *stats_text(const struct stats *s, const char *key)
{
	size_t i;

	for (i = 0; i < s->count; i++)
		if (!strcmp(s->lines[i].key, key))
			return s->lines[i].value;
	return "-";
}

/**
 * stats_number() - the value of a key, as a number
 * @s: what stats_read() filled
 * @key: the key
 *
 * Return: the number; 0 if it is none.
 */
uint64_t stats_number(const struct stats *s, const char *key)
{
	uint64_t number;

	return word_number(stats_text(s, key), &number) ? number : 0;
}
