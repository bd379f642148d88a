/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frozen cgroups: which of them nvml has frozen, so that whoever comes after it can thaw them.
 */
#ifndef TOOL_NVML_FROZEN_H
#define TOOL_NVML_FROZEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct nvml_frozen {
	int lock;		/* held while it is open, so that there is one nvml */
	struct frozen_cgroup {
		char *path;
		ino_t inode;	/* another cgroup may have that path later */
		char *agent;	/* its id; NULL if another nvml has frozen it */
		bool told;	/* that it cannot be thawed */
	} *list;
	size_t count, room;
};

int nvml_frozen_open(struct nvml_frozen *f);
int nvml_freeze(struct nvml_frozen *f, const char *agent, const char *path, int folder);
bool nvml_is_frozen(const struct nvml_frozen *f, const char *path);
bool nvml_was_thawed(struct nvml_frozen *f, const char *agent);
void nvml_thaw_cgroup(struct nvml_frozen *f, const char *path);
int nvml_thaw(struct nvml_frozen *f, const char *agent);
int nvml_thaw_recorded(bool left);
void nvml_frozen_close(struct nvml_frozen *f);

#endif
