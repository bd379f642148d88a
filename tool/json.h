/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * JSON, written as it comes, so that nothing is kept in memory.
 */
#ifndef TOOL_JSON_H
#define TOOL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "word.h"

#define JSON_DEPTH_MAX	16

struct json {
	FILE *file;
	int depth;
	int line_depth;			/* what is deeper stays on one line */
	char close[JSON_DEPTH_MAX];
	bool begun[JSON_DEPTH_MAX];	/* it has an element already */
};

void json_init(struct json *j, FILE *file, int line_depth);
void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_end(struct json *j);
void json_bytes(struct json *j, const char *key, const char *bytes, size_t len);
void json_string(struct json *j, const char *key, const char *string);
void json_number(struct json *j, const char *key, uint64_t number);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);
void json_cell(struct json *j, const char *key, const char *word, enum kind kind);

#endif
