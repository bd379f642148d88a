// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages: what goes to the standard error, and memory that must be there.
 */

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "message.h"

static void vsay(const char *fmt, va_list args)
{
	fputs("gpu-dma-lock: ", stderr);
	vfprintf(stderr, fmt, args);
	putc('\n', stderr);
}

/**
 * say() - print a line on the standard error
 * @fmt: as of printf(), without a newline
 */
void say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsay(fmt, args);
	va_end(args);
}

/**
 * trouble() - the same, where the command cannot go on
 * @fmt: as of printf(), without a newline
 *
 * Return: EXIT_TROUBLE, for the command to return.
 */
int trouble(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsay(fmt, args);
	va_end(args);
	return EXIT_TROUBLE;
}

/**
 * must() - insist on memory
 * @memory: what an allocation returned
 *
 * Return: @memory; the program ends if it is NULL.
 */
void *must(void *memory)
{
	if (!memory) {
		fflush(stdout);
		fputs("gpu-dma-lock: no memory\n", stderr);
		_exit(EXIT_TROUBLE);
	}
	return memory;
}

/**
 * make() - zeroed memory, to be given to free()
 * @count: of elements
 * @size: of each, in bytes
 *
 * Return: never NULL.
 */
void *make(size_t count, size_t size)
{
	return must(calloc(count ? count : 1, size));
}

/**
 * grow() - make room in an array
 * @array: what malloc() or this function returned, or NULL
 * @room: of how many elements it is; updated
 * @wanted: how many must fit
 * @size: of each, in bytes
 *
 * Return: the array, which may have moved; never NULL.
 */
void *grow(void *array, size_t *room, size_t wanted, size_t size)
{
	size_t new = *room ? *room : 16;

	if (array && wanted <= *room)
		return array;
	while (new < wanted)
		new = new > SIZE_MAX / 2 ? wanted : new * 2;
	*room = new;
	return must(reallocarray(array, new, size));
}

/**
 * text() - as asprintf()
 * @fmt: as of printf()
 *
 * Return: a string to be given to free(); never NULL.
 */
char *text(const char *fmt, ...)
{
	char *string = NULL;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vasprintf(&string, fmt, args);
	va_end(args);
	return must(len < 0 ? NULL : string);
}
