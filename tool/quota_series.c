// SPDX-License-Identifier: GPL-2.0-only
/*
 * Series of what agents have on devices: the only ones whose number is that of agents times
 * that of devices. So they alone are left out where there is no room for all, those of agents
 * that are far from their limits first.
 */

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "quota_series.h"
#include "series.h"
#include "table.h"
#include "word.h"

/* A row of quotas, of one device. */
struct quota {
	char *agent, *device;
	uint64_t used, limit, denied;
	bool limited;
	double share;	/* of its limit that is used */
	size_t place;	/* in the table */
};

struct quotas {
	struct quota *list;
	size_t count, room;
};

static const struct metric metric_used = {
	"agent_device_bytes", GAUGE, "bytes", "Bytes of an agent on a device.",
};

static const struct metric metric_limit = {
	"agent_device_quota_bytes", GAUGE, "bytes", "Its limit there; no series: none.",
};

static const struct metric metric_denied = {
	"agent_device_denied", COUNTER, NULL, "Charges over its limit there.",
};

static const struct metric metric_left_out = {
	"agent_devices_left_out", GAUGE, NULL,
	"Pairs of an agent and a device that have no series, for want of room.",
};

/* What is used where nothing may be is more than any limit's. */
static double share_of(const struct quota *quota)
{
	if (!quota->limited || !quota->used)
		return 0;
	return quota->limit ? (double)quota->used / (double)quota->limit : HUGE_VAL;
}

/* Rows of "all" are the agents' own; one without use and limit says nothing. */
static void add_row(struct quotas *quotas, const struct table *t)
{
	struct quota quota = { .used = table_number(t, "USED"), .place = quotas->count };

	quota.limited = word_number(table_cell(t, "LIMIT"), &quota.limit);
	if (!word_is_number(table_cell(t, "DEVICE")) || (!quota.used && !quota.limited))
		return;
	quota.agent = must(strdup(table_cell(t, "AGENT")));
	quota.device = must(strdup(table_cell(t, "DEVICE")));
	quota.denied = table_number(t, "DENIED");
	quota.share = share_of(&quota);
	quotas->list = grow(quotas->list, &quotas->room, quotas->count + 1,
			    sizeof(*quotas->list));
	quotas->list[quotas->count++] = quota;
}

static int read_quotas(struct quotas *quotas)
{
	struct table t;
	int got;

	if (table_open(&t, "quotas"))
		return -1;
	while ((got = table_next(&t)) > 0)
		add_row(quotas, &t);
	table_close(&t);
	return got;
}

static int by_place(const void *a, const void *b)
{
	const struct quota *x = a, *y = b;

	return x->place < y->place ? -1 : x->place > y->place;
}

/* First what is nearest to its limit, then what uses most. */
static int by_need(const void *a, const void *b)
{
	const struct quota *x = a, *y = b;

	if (x->share > y->share || x->share < y->share)
		return x->share > y->share ? -1 : 1;
	if (x->used != y->used)
		return x->used > y->used ? -1 : 1;
	return by_place(a, b);
}

/* What the metric that has begun says of a row. */
static void put_quota(const struct writer *w, const struct quota *quota)
{
	struct label labels[] = {
		{ "agent", quota->agent }, { "device", quota->device }, { NULL, NULL },
	};

	if (w->metric == &metric_used)
		series_put_number(w, labels, quota->used);
	else if (quota->limited)
		series_put_number(w, labels,
				  w->metric == &metric_limit ? quota->limit : quota->denied);
}

static const struct metric *const metrics[] = { &metric_used, &metric_limit, &metric_denied };

#define METRICS	(sizeof(metrics) / sizeof(*metrics))

/* How many of the quotas, from the first on, have series of no more than that many bytes. */
static size_t fitting(const struct quotas *quotas, size_t room)
{
	struct writer scratch = { 0 };
	size_t count, i, size;
	char *bytes;

	scratch.file = must(open_memstream(&bytes, &size));
	for (count = 0; count < quotas->count; count++) {
		for (i = 0; i < METRICS; i++) {
			scratch.metric = metrics[i];
			put_quota(&scratch, &quotas->list[count]);
		}
		if ((size_t)ftello(scratch.file) > room)
			break;
	}
	fclose(scratch.file);
	free(bytes);
	return count;
}

static void put_quotas(struct writer *w, struct quotas *quotas, size_t room)
{
	size_t shown, i, j;

	if (quotas->count)
		qsort(quotas->list, quotas->count, sizeof(*quotas->list), by_need);
	shown = fitting(quotas, room);
	if (shown)
		qsort(quotas->list, shown, sizeof(*quotas->list), by_place);
	for (i = 0; i < METRICS; i++) {
		series_begin(w, metrics[i]);
		for (j = 0; j < shown; j++)
			put_quota(w, &quotas->list[j]);
	}
	series_begin(w, &metric_left_out);
	series_put_number(w, NULL, quotas->count - shown);
}

static void free_quotas(struct quotas *quotas)
{
	while (quotas->count--) {
		free(quotas->list[quotas->count].agent);
		free(quotas->list[quotas->count].device);
	}
	free(quotas->list);
}

/**
 * quota_series_put() - what agents have on devices
 * @w: where to
 * @room: bytes that the series may take; what begins metrics comes to that
 *
 * Of pairs of an agent and a device whose series do not fit, those stay that are nearest to
 * their limit, then those that use most; how many are left out is a series.
 *
 * Return: 0; or -1, and what was wrong was said.
 */
int quota_series_put(struct writer *w, size_t room)
{
	struct quotas quotas = { 0 };
	int status = read_quotas(&quotas);

	if (!status)
		put_quotas(w, &quotas, room);
	free_quotas(&quotas);
	return status;
}
