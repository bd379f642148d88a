/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stats: the lines `key value` of `stats` and `self`.
 */
#ifndef TOOL_STATS_H
#define TOOL_STATS_H

#include <stddef.h>
#include <stdint.h>

struct stat_line {
	char *key;
	char *value;
};

struct stats {
	struct stat_line *lines;
	size_t count, room;
};

int stats_read(struct stats *s, const char *file);
void stats_free(struct stats *s);
const char *stats_text(const struct stats *s, const char *key);
uint64_t stats_number(const struct stats *s, const char *key);

#endif
