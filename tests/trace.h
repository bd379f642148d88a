/* SPDX-License-Identifier: GPL-2.0-only */
/* Events of gpu_dma_lock in tracefs. */
#ifndef TESTS_TRACE_H
#define TESTS_TRACE_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"

#define TRACE_DIR	"/sys/kernel/tracing/"

static inline void trace_write(const char *file, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), TRACE_DIR "%s", file);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		bail("writing %s", path);
	close(fd);
}

/* Forgets all events, and begins or ends to keep those of that name. */
static inline void trace_event(const char *name, bool on)
{
	char file[96];

	snprintf(file, sizeof(file), "events/gpu_dma_lock/%s/enable", name);
	trace_write(file, on ? "1" : "0");
	trace_write("trace", "\n");
}

/* How many events there were whose line has @name and @text; @line is the last. */
static inline int trace_find(const char *name, const char *text, char *line, size_t size)
{
	FILE *f = fopen(TRACE_DIR "trace", "r");
	char next[512], word[64];
	int n = 0;

	if (!f)
		bail("opening trace");
	*line = '\0';
	snprintf(word, sizeof(word), " %s: ", name);
	while (fgets(next, sizeof(next), f)) {
		if (*next == '#' || !strstr(next, word) || !strstr(next, text))
			continue;
		next[strcspn(next, "\n")] = '\0';
		snprintf(line, size, "%s", next);
		n++;
	}
	fclose(f);
	return n;
}

#endif /* TESTS_TRACE_H */
