/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cgroups: paths as the module writes them, and the folders of cgroup2.
 */
#ifndef TOOL_CGROUP_H
#define TOOL_CGROUP_H

#include <stdbool.h>
#include <sys/types.h>

/* Below it are the cgroups that run makes. */
#define RUN_PARENT	"/gpu-dma-lock"

char *cgroup_path(const char *word);
char *cgroup_mount(void);
char *cgroup_of_process(const char *pid);
int cgroup_open(const char *path);
int cgroup_read(int folder, const char *file, char *state);
int cgroup_write(int folder, const char *file, const char *word);
bool cgroup_is_within(const char *path, const char *folder);
bool cgroup_make(const char *word);
bool make_folders(const char *path, mode_t mode);

#endif
