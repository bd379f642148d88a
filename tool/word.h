/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Words: cells of tables, as the module writes them, and as people read them.
 */
#ifndef TOOL_WORD_H
#define TOOL_WORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for what word_human() and word_age() write. */
#define WORD_SHORT	24

/* What a cell is. Each but KIND_TEXT and KIND_ANY may be "-", which is unknown. */
enum kind {
	KIND_TEXT,	/* a name, with \ooo for what is not graphic */
	KIND_NUMBER,
	KIND_SIZE,	/* bytes */
	KIND_LIMIT,	/* bytes, or max */
	KIND_CAPACITY,	/* bytes, vram:BYTES or bar:BYTES */
	KIND_SIZES,	/* NAME:BYTES, separated by commas */
	KIND_LIST,	/* numbers separated by commas, perhaps "..." */
	KIND_ANY,	/* a number if it looks like one, or text */
};

bool word_is_unknown(const char *word);
bool word_is_number(const char *word);
bool word_is_name(const char *word, const char *name);
char word_lower(char c);
bool word_number(const char *word, uint64_t *number);
bool word_fits(const char *word, enum kind kind);
const char *word_kind(enum kind kind);
size_t word_unescape(char *to, const char *word);
char *word_escape(const char *bytes, size_t len);
char *word_shown(const char *word);
const char *word_human(char *to, uint64_t bytes);
char *word_sized(const char *word, enum kind kind);
const char *word_age(char *to, const char *ms);
size_t utf8_length(const char *bytes, size_t len, uint32_t *character);

#endif
