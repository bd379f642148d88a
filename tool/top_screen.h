/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The screen of top: frames on a terminal, and keys from it.
 */
#ifndef TOOL_TOP_SCREEN_H
#define TOOL_TOP_SCREEN_H

#include "top_view.h"

int top_screen(struct snapshot *s, struct top_choice *choice, double delay);

#endif
