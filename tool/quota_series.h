/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Series of what agents have on devices, and of their limits there.
 */
#ifndef TOOL_QUOTA_SERIES_H
#define TOOL_QUOTA_SERIES_H

#include <stddef.h>

struct writer;

int quota_series_put(struct writer *w, size_t room);

#endif
