/* SPDX-License-Identifier: GPL-2.0-only */
/* The end of a buffer's life: nothing of it is left, and nothing was lost. */
#ifndef TESTS_LIFE_H
#define TESTS_LIFE_H

#include "swarm.h"

#define LIFE_SECONDS	60

static inline long life_rows(const char *file)
{
	struct swarm_table t;
	long rows;

	swarm_load(&t, file);
	rows = t.rows;
	swarm_unload(&t);
	return rows;
}

/* Whether @key ends in @end. */
static inline bool life_key_is(const char *key, const char *end)
{
	size_t n = strlen(key), m = strlen(end);

	return n > m && !strcmp(key + n - m, end);
}

/* Whether no counter of `stats` tells of anything lost; notes those that do. */
static inline bool life_lossless(void)
{
	static const char * const ends[] = { "_stale", "_lost", "_failed", "_short" };
	char *text = swarm_read("stats"), *line, *next;
	bool pass = true;
	char key[96];
	long long n;
	size_t i;

	for (line = strtok_r(text, "\n", &next); line; line = strtok_r(NULL, "\n", &next)) {
		if (sscanf(line, "%95s %lld", key, &n) != 2 || !n ||
		    !strcmp(key, "commands_failed"))
			continue;
		for (i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
			if (!life_key_is(key, ends[i]))
				continue;
			note("stats: %s", line);
			pass = false;
		}
	}
	free(text);
	return pass;
}

static inline bool life_is_over(const void *arg)
{
	const long *contexts = arg;

	return !life_rows("allocations") && !life_rows("attachments") &&
	       life_rows("contexts") == *contexts;
}

static inline bool life_is_uncharged(const void *arg)
{
	struct swarm_table agents, devices;
	bool none;

	(void)arg;
	swarm_load(&agents, "agents");
	swarm_load(&devices, "devices");
	none = !swarm_sum(&agents, "USED") && !swarm_sum(&agents, "BUFFERS") &&
	       !swarm_sum(&devices, "USED") && !swarm_sum(&devices, "BUFFERS") &&
	       !swarm_stat("buffers") && !swarm_stat("charged_bytes");
	swarm_unload(&agents);
	swarm_unload(&devices);
	return none;
}

/*
 * Three checks: no row of a buffer or attachment is left, and only that many
 * contexts; nothing is charged to anybody; nothing was lost.
 */
static inline void life_nothing_left(long contexts, const char *when)
{
	bool pass = swarm_wait(life_is_over, &contexts, LIFE_SECONDS);

	ok(pass, "no buffer and no attachment is left %s", when);
	if (!pass)
		note("%ld buffers, %ld attachments, %ld contexts (want %ld)",
		     life_rows("allocations"), life_rows("attachments"),
		     life_rows("contexts"), contexts);
	/* A driver's work item may be between the end of a row and that of its charge. */
	ok(swarm_wait(life_is_uncharged, NULL, LIFE_SECONDS), "nothing is charged %s", when);
	ok(life_lossless(), "nothing was lost %s", when);
}

#endif /* TESTS_LIFE_H */
