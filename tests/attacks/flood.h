/* SPDX-License-Identifier: GPL-2.0-only */
/* Floods: what the attacker does as often as it can, so that the victim would wait. */
#ifndef TESTS_ATTACKS_FLOOD_H
#define TESTS_ATTACKS_FLOOD_H

#include "attack.h"
#include "trace.h"

#define FLOOD_PARAM	"/sys/module/gpu_dma_lock/parameters/debug"

static int flood_card = -1;
static int flood_sum;	/* so that spinning is not left out */

/* What is compared with: it only takes its CPU. */
static inline void flood_spin(void)
{
	int i;

	for (i = 0; i < 10000; i++)
		__atomic_add_fetch(&flood_sum, 1, __ATOMIC_RELAXED);
}

static inline void flood_refused(void)
{
	__u32 handle = 0;

	if (!gem_create(flood_card, 2 * ATTACK_LIMIT, &handle))
		gem_destroy(flood_card, handle);
}

/* Makes buffers, and frees them: each is an event, and a line in the log if there are. */
static inline void flood_events(void)
{
	__u32 handle = 0;

	if (!gem_create(flood_card, ATTACK_PAGE, &handle))
		gem_destroy(flood_card, handle);
	flood_refused();
}

static inline void flood_reads(void)
{
	static const char * const files[] = { "stats", "agents", "quotas", "devices",
		"allocations", "attachments", "locks", "contexts", "bindings", "self" };
	static __thread unsigned int next;
	char text[4096];
	int fd = swarm_open(files[next++ % (sizeof(files) / sizeof(*files))], O_RDONLY);

	while (read(fd, text, sizeof(text)) > 0)
		;
	close(fd);
}

static const struct flood {
	const char *name;
	void (*once)(void);
	bool traced, logged;
} floods[] = {
	{ "spinning", flood_spin, false, false },
	{ "refused buffers", flood_refused, false, false },
	{ "traced events", flood_events, true, false },
	{ "lines in the log", flood_events, false, true },
	{ "reads of files", flood_reads, false, false },
};

#define NR_FLOODS	((int)(sizeof(floods) / sizeof(*floods)))

static void (*flood_once)(void);

static inline void *flood_thread(void *unused)
{
	(void)unused;
	do {
		flood_once();
	} while (!attack_over());
	return NULL;
}

/* For the attacker: a GPU of its own, so that locks of DRM's are not shared. */
static inline long flood_open(long unused, long unused_too)
{
	(void)unused;
	(void)unused_too;
	flood_card = gem_open("bochs-drm");
	return flood_card < 0 ? errno : 0;
}

static inline long flood_begin(long nr, long threads)
{
	flood_once = floods[nr].once;
	attack_run_all(flood_thread, threads);
	return 0;
}

/* What root may have on, for the victim's baseline as well. */
static inline void flood_set_up(const struct flood *flood)
{
	int fd = open(FLOOD_PARAM, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, flood->logged ? "1" : "0", 1) != 1)
		bail("writing " FLOOD_PARAM);
	close(fd);
	trace_write("events/gpu_dma_lock/enable", flood->traced ? "1" : "0");
}

#endif /* TESTS_ATTACKS_FLOOD_H */
