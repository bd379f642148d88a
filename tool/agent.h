/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Agents: their ids and names.
 */
#ifndef TOOL_AGENT_H
#define TOOL_AGENT_H

#include <stdbool.h>

int agent_find(const char *word, char **id);
bool agent_is_of_template(const char *id);
char *agent_called(const char *id, const char *name);

#endif
