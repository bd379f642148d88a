/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Snapshots: agents, their processes and their buffers, as they are at a time.
 */
#ifndef TOOL_SNAPSHOT_H
#define TOOL_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "stats.h"

/* Words are as the module writes them. Of numbers UINT64_MAX is unknown, of limits none. */

struct snapshot_agent {
	uint64_t id, buffers, used, peak, quota, percent, locks, waiting, denied, contexts;
	const char *called;	/* its name, or its id if it has none */
	const char *binding;	/* "-"; or the first one, and how many there are besides */
	uint64_t bindings;	/* rows of bindings */
	size_t processes;	/* index of its first process + 1, in the order of SIZE, or 0 */
};

struct snapshot_process {
	uint64_t pid, buffers, size, attachments, locked, contexts;
	const char *comm, *agent;
	size_t of;		/* index of its agent */
	size_t next;		/* of the same agent, + 1, or 0 */
	size_t first;		/* index of its largest buffer + 1, or 0 */
};

struct snapshot_buffer {
	uint64_t id, device, size, inode, pid, attachments;
	const char *agent, *kind, *exporter, *comm, *lock;
	size_t of;		/* index of its process */
	size_t next;		/* of the same process, + 1, or 0 */
};

struct snapshot_words;
struct snapshot_map;

struct snapshot {
	struct stats stats;
	struct snapshot_agent *agents;
	struct snapshot_process *processes;
	struct snapshot_buffer *buffers;
	size_t agent_count, process_count, buffer_count;
	size_t agent_room, process_room, buffer_room;
	struct snapshot_words *words;
	struct snapshot_map *agent_map, *process_map;
	uint64_t denied, waiting;
};

int snapshot_read(struct snapshot *s);
void snapshot_link(struct snapshot *s);
void snapshot_free(struct snapshot *s);

#endif
