/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Series: OpenMetrics text, or as Prometheus has read it before.
 *
 * series_begin() for each metric, then series_put() for each of its series.
 */
#ifndef TOOL_SERIES_H
#define TOOL_SERIES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define SERIES_PREFIX	"gpu_dma_lock_"

enum series_type {
	GAUGE,
	COUNTER,	/* its series end in _total */
	INFO,		/* in _info */
};

struct metric {
	const char *name;	/* without SERIES_PREFIX, _total and _info */
	enum series_type type;
	const char *unit;	/* that its name ends in, or NULL */
	const char *help;
};

/* The word is as the module writes it, see word_unescape(). */
struct label {
	const char *name, *word;
};

struct writer {
	FILE *file;
	bool classic;		/* as Prometheus has read it before OpenMetrics */
	const struct metric *metric;
};

void series_begin(struct writer *w, const struct metric *metric);
void series_put(const struct writer *w, const struct label *labels, const char *value);
void series_put_number(const struct writer *w, const struct label *labels, uint64_t number);
const char *series_device(const char *word);
char *series_word(const char *word);

#endif
