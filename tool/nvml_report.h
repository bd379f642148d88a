/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reports: what NVML says of processes, told to the module.
 */
#ifndef TOOL_NVML_REPORT_H
#define TOOL_NVML_REPORT_H

#include <stdbool.h>

#include "nvml_library.h"

struct nvml_report;

struct nvml_report *nvml_report_new(void);
bool nvml_report_all(struct nvml_report *report, const struct nvml_reading *reading);
bool nvml_report_wrote(const struct nvml_report *report, const char *device, uint32_t pid);
const char *nvml_report_device(const struct nvml_report *report, const char *name);
void nvml_report_free(struct nvml_report *report);

#endif
