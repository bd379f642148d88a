/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages: what goes to the standard error, and memory that must be there.
 */
#ifndef TOOL_MESSAGE_H
#define TOOL_MESSAGE_H

#include <stddef.h>

#define __printf(format_at, arguments_at) __attribute__((format(printf, format_at, arguments_at)))

/* Exit statuses. */
#define EXIT_PROBLEM	1
#define EXIT_TROUBLE	2

void say(const char *fmt, ...) __printf(1, 2);
int trouble(const char *fmt, ...) __printf(1, 2);
void *must(void *memory);
void *make(size_t count, size_t size);
void *grow(void *array, size_t *room, size_t wanted, size_t size);
char *text(const char *fmt, ...) __printf(1, 2);

#endif
