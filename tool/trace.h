/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's trace: what it has of refusals.
 */
#ifndef TOOL_TRACE_H
#define TOOL_TRACE_H

#include "output.h"

int trace_show(struct output *o, const char *agent);

#endif
