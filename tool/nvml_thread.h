/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The thread that asks NVML, so that a call that does not return stops nobody else.
 */
#ifndef TOOL_NVML_THREAD_H
#define TOOL_NVML_THREAD_H

#include <stdbool.h>

#include "nvml_library.h"

struct nvml_thread;

struct nvml_thread *nvml_thread_start(const char *const *paths);
int nvml_thread_fd(const struct nvml_thread *t);
void nvml_thread_ask(struct nvml_thread *t);
bool nvml_thread_take(struct nvml_thread *t, struct nvml_reading *r);
bool nvml_thread_stop(struct nvml_thread *t);

#endif
