// SPDX-License-Identifier: GPL-2.0-only
/*
 * Series: see series.h.
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "series.h"
#include "word.h"

/* U+FFFD */
#define UNKNOWN	"\xef\xbf\xbd"

static const char *suffix(const struct metric *metric)
{
	return metric->type == COUNTER ? "_total" : metric->type == INFO ? "_info" : "";
}

/**
 * series_begin() - a metric begins
 * @w: where to
 * @metric: what series_put() puts series of from now on
 *
 * Before OpenMetrics a name was that of the series, and there was no type info.
 */
void series_begin(struct writer *w, const struct metric *metric)
{
	static const char *const types[] = { "gauge", "counter", "info" };
	const char *end = w->classic ? suffix(metric) : "";
	const char *type = w->classic && metric->type == INFO ? "gauge" : types[metric->type];

	w->metric = metric;
	fprintf(w->file, "# TYPE " SERIES_PREFIX "%s%s %s\n", metric->name, end, type);
	if (metric->unit && !w->classic)
		fprintf(w->file, "# UNIT " SERIES_PREFIX "%s %s\n", metric->name, metric->unit);
	fprintf(w->file, "# HELP " SERIES_PREFIX "%s%s %s\n", metric->name, end, metric->help);
}

/* The value of a label: what is no UTF-8 becomes U+FFFD, byte by byte. */
static void put_value(FILE *file, const char *bytes, size_t len)
{
	size_t n;

	for (; len; bytes += n, len -= n) {
		n = utf8_length(bytes, len, NULL);
		if (!n)
			fputs_unlocked(UNKNOWN, file);
		else if (*bytes == '"' || *bytes == '\\')
			fprintf(file, "\\%c", *bytes);
		else if (*bytes == '\n')
			fputs_unlocked("\\n", file);
		else
			fwrite_unlocked(bytes, 1, n, file);
		n = n ? n : 1;
	}
}

static void put_label(FILE *file, const struct label *label, bool first)
{
	const char *word = word_is_unknown(label->word) ? "" : label->word;
	char *bytes = make(strlen(word) + 1, 1);

	fprintf(file, "%s%s=\"", first ? "{" : ",", label->name);
	put_value(file, bytes, word_unescape(bytes, word));
	putc_unlocked('"', file);
	free(bytes);
}

/**
 * series_put() - a series of the metric that has begun
 * @w: where to
 * @labels: end with a name that is NULL; or NULL, if there are none
 * @value: a number
 */
void series_put(const struct writer *w, const struct label *labels, const char *value)
{
	size_t i;

	fprintf(w->file, SERIES_PREFIX "%s%s", w->metric->name, suffix(w->metric));
	for (i = 0; labels && labels[i].name; i++)
		put_label(w->file, &labels[i], !i);
	fprintf(w->file, "%s %s\n", i ? "}" : "", value);
}

/**
 * series_put_number() - likewise
 * @w: where to
 * @labels: likewise
 * @number: the value
 */
void series_put_number(const struct writer *w, const struct label *labels, uint64_t number)
{
	char value[WORD_SHORT];

	snprintf(value, sizeof(value), "%" PRIu64, number);
	series_put(w, labels, value);
}

/**
 * series_device() - what the label device is
 * @word: an id, or "-" of the row of devices and buffers that have none
 *
 * Return: @word, or "none".
 */
const char *series_device(const char *word)
{
	return word_is_unknown(word) ? "none" : word;
}

/**
 * series_word() - what of a word is left in the value of a label
 * @word: a cell
 *
 * Return: a word with U+FFFD in place of what is no UTF-8, to be given to free(). Where it is the
 *	same for two cells, so are their labels.
 */
char *series_word(const char *word)
{
	char *bytes = make(strlen(word) + 1, 1), *shown, *result;
	size_t len = word_unescape(bytes, word), size, i, n;
	FILE *file = must(open_memstream(&shown, &size));

	for (i = 0; i < len; i += n ? n : 1) {
		n = utf8_length(bytes + i, len - i, NULL);
		if (n)
			fwrite_unlocked(bytes + i, 1, n, file);
		else
			fputs_unlocked(UNKNOWN, file);
	}
	fclose(file);
	result = word_escape(shown, size);
	free(shown);
	free(bytes);
	return result;
}
