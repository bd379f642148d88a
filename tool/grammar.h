/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Grammar: whether the module would take a command, without giving it.
 */
#ifndef TOOL_GRAMMAR_H
#define TOOL_GRAMMAR_H

#include <stdbool.h>

struct grammar;

struct grammar *grammar_read(void);
char *grammar_check(struct grammar *g, const char *line, bool makes_agents);
void grammar_free(struct grammar *g);

#endif
