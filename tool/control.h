/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Control: commands for the module, and what it says of them.
 */
#ifndef TOOL_CONTROL_H
#define TOOL_CONTROL_H

#include <stddef.h>

/* The longest line that the module takes. */
#define CONTROL_LINE_MAX	4095

int control_open(const char *file, const char *wanting);
char *control_line(const char *name, char *const *words, size_t count);
int control_send(int fd, const char *line, char **answer);
int control_try(const char *line, char **answer);
char *control_answer(int fd);
char *control_reason(const char *answer);

#endif
