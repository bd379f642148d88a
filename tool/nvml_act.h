/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Acts: what happens to an agent whose processes on NVIDIA's GPUs are over its quota.
 */
#ifndef TOOL_NVML_ACT_H
#define TOOL_NVML_ACT_H

#include "nvml_report.h"

enum nvml_action {
	NVML_LOG,
	NVML_FREEZE,
	NVML_KILL,
};

struct nvml_act;

struct nvml_act *nvml_act_new(enum nvml_action action);
void nvml_act_round(struct nvml_act *a, const struct nvml_report *fresh);
void nvml_act_doubt(struct nvml_act *a);
int nvml_act_free(struct nvml_act *a);

#endif
