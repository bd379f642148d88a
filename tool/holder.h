/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Holders: processes that have files or mappings of dma-bufs.
 */
#ifndef TOOL_HOLDER_H
#define TOOL_HOLDER_H

#include <stddef.h>
#include <stdint.h>

struct holder {
	char *pid, *comm;	/* words */
	uint64_t inode;
	char *fds;		/* "5,7", or "-" */
	size_t fd_count;
	size_t mappings;
	uint64_t mapped;	/* bytes */
	size_t threads;		/* of which fds are not those of the process */
};

struct holders {
	struct holder *list;
	size_t count, room;
	void *of_process;	/* of search.h: where in the list those of the process are */
	size_t hidden;		/* processes that could not be looked into */
};

const char *process_folder(void);
char *process_comm(const char *pid);
int process_start(uint32_t pid, uint64_t *start);
int holders_find(struct holders *h, const char *pid, uint64_t inode);
void holders_free(struct holders *h);

#endif
