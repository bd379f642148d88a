/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Output: tables for people, by libsmartcols, and for programs.
 *
 * output_new(), then for each table output_begin(), rows, output_end(); then output_free().
 */
#ifndef TOOL_OUTPUT_H
#define TOOL_OUTPUT_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>

#include "json.h"
#include "word.h"

enum output_format {
	OUTPUT_TABLE,
	OUTPUT_JSON,
	OUTPUT_RAW,
	OUTPUT_EXPORT,
};

struct output_options {
	enum output_format format;
	bool bytes;
	bool no_headings;
	bool several;		/* the view has several tables: -o names columns of any of them */
	const char *columns;	/* as -o had it, or NULL */
};

struct output_column {
	const char *name;	/* in capital letters */
	enum kind kind;
	bool hidden;		/* shown only if -o names it */
};

struct output;

/* For getopt_long(). What is no table has no -o, and leaves it out. */
#define OUTPUT_SHORT_OPTIONS	"Jrenb"
#define OUTPUT_SHORT_COLUMNS	"o:"
#define OUTPUT_LONG_OPTIONS						\
	{ "json", no_argument, NULL, 'J' },				\
	{ "raw", no_argument, NULL, 'r' },				\
	{ "export", no_argument, NULL, 'e' },				\
	{ "noheadings", no_argument, NULL, 'n' },			\
	{ "bytes", no_argument, NULL, 'b' }
#define OUTPUT_LONG_COLUMNS	{ "output", required_argument, NULL, 'o' }

#define OUTPUT_HELP							\
	"  -J, --json             as JSON\n"				\
	"  -r, --raw              words separated by a blank, as the module writes them\n" \
	"  -e, --export           NAME=\"VALUE\" pairs\n"		\
	"  -n, --noheadings       no line of headings\n"		\
	"  -b, --bytes            sizes in bytes\n"
#define OUTPUT_HELP_COLUMNS						\
	"  -o, --output COLUMNS   these columns, separated by commas; +COLUMN adds one\n"

bool output_option(struct output_options *options, int option, const char *argument);
bool output_is_default(const struct output_options *options);
bool output_has_colour(void);

struct output *output_new(const struct output_options *options);
struct json *output_json(struct output *o);
int output_begin(struct output *o, const char *name, const struct output_column *columns,
		 size_t count);
void output_row(struct output *o, const char *const *cells);
void output_mark(struct output *o, const char *colour);
void output_end(struct output *o);
int output_free(struct output *o);
int output_flush(void);

#endif
