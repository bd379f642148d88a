// SPDX-License-Identifier: GPL-2.0-only
/*
 * JSON, written as it comes, so that nothing is kept in memory.
 *
 * Elements of an object have a key, those of an array and the outermost one have NULL.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "message.h"

static void put(struct json *j, const char *s)
{
	fputs_unlocked(s, j->file);
}

static void new_line(struct json *j)
{
	int i;

	putc_unlocked('\n', j->file);
	for (i = 0; i < j->depth; i++)
		put(j, "   ");
}

/* The bytes of a string that is no UTF-8 become U+FFFD, one by one. */
static void put_string(struct json *j, const char *bytes, size_t len)
{
	putc_unlocked('"', j->file);
	while (len) {
		uint32_t u = 0;
		size_t n = utf8_length(bytes, len, &u);
		unsigned char c = *bytes;

		if (!n)
			put(j, "\xef\xbf\xbd");
		else if (c == '"' || c == '\\')
			fprintf(j->file, "\\%c", c);
		else if (u < 0x20 || (u >= 0x7f && u < 0xa0))
			fprintf(j->file, "\\u%04x", (unsigned int)u);
		else
			fwrite_unlocked(bytes, 1, n, j->file);
		n = n ? n : 1;
		bytes += n;
		len -= n;
	}
	putc_unlocked('"', j->file);
}

/* What precedes each element. Keys are those of columns, in small letters. */
static void begin(struct json *j, const char *key)
{
	if (!j->depth)
		return;
	if (j->begun[j->depth - 1])
		put(j, j->depth > j->line_depth ? ", " : ",");
	j->begun[j->depth - 1] = true;
	if (j->depth <= j->line_depth)
		new_line(j);
	if (!key)
		return;
	putc_unlocked('"', j->file);
	for (; *key; key++)
		putc_unlocked(word_lower(*key), j->file);
	put(j, "\": ");
}

static void nest(struct json *j, const char *key, const char *brackets)
{
	begin(j, key);
	assert(j->depth < JSON_DEPTH_MAX);
	putc_unlocked(brackets[0], j->file);
	j->close[j->depth] = brackets[1];
	j->begun[j->depth++] = false;
}

/**
 * json_init() - begin a document
 * @j: the writer
 * @file: where to
 * @line_depth: so many levels have a line for each element; what is deeper is on one line
 */
void json_init(struct json *j, FILE *file, int line_depth)
{
	*j = (struct json){ .file = file, .line_depth = line_depth };
}

/**
 * json_object() - begin an object; json_end() ends it
 * @j: the writer
 * @key: its key
 */
void json_object(struct json *j, const char *key)
{
	nest(j, key, "{}");
}

/**
 * json_array() - begin an array; json_end() ends it
 * @j: the writer
 * @key: its key
 */
void json_array(struct json *j, const char *key)
{
	nest(j, key, "[]");
}

/**
 * json_end() - end the innermost object or array
 * @j: the writer. A newline follows the outermost one
 */
void json_end(struct json *j)
{
	bool lines = j->depth <= j->line_depth;

	j->depth--;
	if (lines && j->begun[j->depth])
		new_line(j);
	putc_unlocked(j->close[j->depth], j->file);
	if (!j->depth)
		putc_unlocked('\n', j->file);
}

/**
 * json_bytes() - a string
 * @j: the writer
 * @key: its key
 * @bytes: any bytes; U+FFFD stands for those that are no UTF-8
 * @len: their number
 */
void json_bytes(struct json *j, const char *key, const char *bytes, size_t len)
{
	begin(j, key);
	put_string(j, bytes, len);
}

/**
 * json_string() - a string
 * @j: the writer
 * @key: its key
 * @string: what it is, as in json_bytes(); null if NULL
 */
void json_string(struct json *j, const char *key, const char *string)
{
	if (string)
		json_bytes(j, key, string, strlen(string));
	else
		json_null(j, key);
}

/**
 * json_number() - a number
 * @j: the writer
 * @key: its key
 * @number: what it is
 */
void json_number(struct json *j, const char *key, uint64_t number)
{
	char digits[24], *d = digits + sizeof(digits);

	begin(j, key);
	d--;
	*d = '\0';
	do {
		d--;
		*d = '0' + number % 10;
		number /= 10;
	} while (number);
	put(j, d);
}

/**
 * json_bool() - true or false
 * @j: the writer
 * @key: its key
 * @value: which
 */
void json_bool(struct json *j, const char *key, bool value)
{
	begin(j, key);
	put(j, value ? "true" : "false");
}

/**
 * json_null() - null
 * @j: the writer
 * @key: its key
 */
void json_null(struct json *j, const char *key)
{
	begin(j, key);
	put(j, "null");
}

static void text_cell(struct json *j, const char *key, const char *word)
{
	char short_name[256], *name = short_name;
	size_t len = strlen(word);

	if (!strchr(word, '\\')) {
		json_bytes(j, key, word, len);
		return;
	}
	if (len >= sizeof(short_name))
		name = make(len + 1, 1);
	json_bytes(j, key, name, word_unescape(name, word));
	if (name != short_name)
		free(name);
}

static void any_cell(struct json *j, const char *key, const char *word)
{
	uint64_t number;

	if (word_is_unknown(word))
		json_null(j, key);
	else if (word_number(word, &number))
		json_number(j, key, number);
	else
		text_cell(j, key, word);
}

static void limit_cell(struct json *j, const char *key, const char *word)
{
	bool max = !strcmp(word, "max");
	char *flag = text("%s_max", key);

	any_cell(j, key, max ? "-" : word);
	json_bool(j, flag, max);
	free(flag);
}

static void capacity_cell(struct json *j, const char *key, const char *word)
{
	const char *colon = strchr(word, ':');
	char *from = text("%s_from", key);

	any_cell(j, key, colon ? colon + 1 : word);
	if (colon)
		json_bytes(j, from, word, colon - word);
	else
		json_string(j, from, word_is_unknown(word) ? NULL : "set");
	free(from);
}

static void list_cell(struct json *j, const char *key, const char *list, enum kind kind)
{
	char *copy = must(strdup(word_is_unknown(list) ? "" : list));
	char *rest = *copy ? copy : NULL, *part, *colon;

	if (kind == KIND_SIZES)
		json_object(j, key);
	else
		json_array(j, key);
	for (part = strsep(&rest, ","); part; part = strsep(&rest, ",")) {
		colon = kind == KIND_SIZES ? strrchr(part, ':') : NULL;
		if (colon)
			*colon = '\0';
		any_cell(j, colon ? part : NULL, colon ? colon + 1 : part);
	}
	json_end(j);
	free(copy);
}

/**
 * json_cell() - a cell of a table
 * @j: the writer
 * @key: its key, the name of its column
 * @word: the cell
 * @kind: of its column. A limit gets a second element, KEY_max, which is true if it is none;
 *	a capacity gets KEY_from: set, vram or bar
 */
void json_cell(struct json *j, const char *key, const char *word, enum kind kind)
{
	switch (kind) {
	case KIND_LIMIT:
		limit_cell(j, key, word);
		break;
	case KIND_CAPACITY:
		capacity_cell(j, key, word);
		break;
	case KIND_SIZES:
	case KIND_LIST:
		list_cell(j, key, word, kind);
		break;
	case KIND_TEXT:
		if (word_is_unknown(word))
			json_null(j, key);
		else
			text_cell(j, key, word);
		break;
	default:
		any_cell(j, key, word);
	}
}
