/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * NVML: NVIDIA's library that tells of its GPUs, and what it says of processes.
 */
#ifndef TOOL_NVML_LIBRARY_H
#define TOOL_NVML_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NVML_LIBRARY	"libnvidia-ml.so.1"

/* Bytes that NVML does not tell. */
#define NVML_UNTOLD	UINT64_MAX

struct nvml_process {
	uint32_t pid;
	uint64_t bytes;		/* of the GPU's memory, or NVML_UNTOLD */
};

struct nvml_device {
	char name[32];		/* its PCI address, as the module has it: 0000:65:00.0 */
	char uuid[96];		/* "" if it is not told */
	uint64_t total;		/* bytes of its memory, 0 if that is not told */
	char *error;		/* why its processes are not known, or NULL */
	struct nvml_process *processes;		/* each once, by pid */
	size_t count;
	bool cut;		/* there may be more */
};

/* What NVML says at a time. */
struct nvml_reading {
	char *error;		/* why it says nothing, or NULL */
	struct nvml_device *devices;
	size_t count, room;
};

struct nvml_library;

struct nvml_library *nvml_library_new(const char *const *paths);
void nvml_library_read(struct nvml_library *l, struct nvml_reading *r);
void nvml_library_free(struct nvml_library *l);
void nvml_reading_free(struct nvml_reading *r);

#endif
