// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control: commands for the module, and what it says of them.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control.h"
#include "message.h"
#include "table.h"

/**
 * control_open() - open a file to write lines into, and look whether that is permitted
 * @file: control, quotas or dma_permissions
 * @wanting: the command that wants it
 *
 * Return: a descriptor; or -1, and what is wrong has been said.
 */
int control_open(const char *file, const char *wanting)
{
	char *path = table_path(file);
	int fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC), error = errno;

	/* A blank line is no command, but is refused to who may not command. */
	if (fd >= 0 && write(fd, "\n", 1) != 1) {
		error = errno;
		close(fd);
		fd = -1;
	}
	if (fd < 0 && (error == EPERM || error == EACCES))
		say("%s needs CAP_SYS_ADMIN in the initial user namespace", wanting);
	else if (fd < 0)
		say("%s: %s", path, strerror(error));
	free(path);
	return fd;
}

/**
 * control_line() - make a line of words
 * @name: its first word
 * @words: those that follow; a blank in one of them becomes \ooo, which the module takes in
 *	paths
 * @count: their number
 *
 * Return: the line with its newline; to be given to free().
 */
char *control_line(const char *name, char *const *words, size_t count)
{
	size_t len = strlen(name) + 2, i;
	char *line, *to, *c;

	for (i = 0; i < count; i++)
		len += 1 + strlen(words[i]) * 4;
	line = make(len, 1);
	to = stpcpy(line, name);
	for (i = 0; i < count; i++) {
		*to++ = ' ';
		for (c = words[i]; *c; c++) {
			if ((unsigned char)*c <= ' ' || *c == 0x7f)
				to += sprintf(to, "\\%03o", (unsigned char)*c);
			else
				*to++ = *c;
		}
	}
	*to = '\n';
	return line;
}

/**
 * control_answer() - what control says of the write that this open file did last
 * @fd: control, open
 *
 * Return: its lines, without the last newline; to be given to free().
 */
char *control_answer(int fd)
{
	char *answer = NULL;
	size_t room = 0, len = 0;
	ssize_t got;

	do {
		answer = grow(answer, &room, len + 512, 1);
		got = read(fd, answer + len, room - len - 1);
		if (got > 0)
			len += got;
	} while (got > 0);
	while (len && answer[len - 1] == '\n')
		len--;
	answer[len] = '\0';
	return answer;
}

/**
 * control_send() - write one line in one piece
 * @fd: control, open
 * @line: a command with its newline
 * @answer: receives what control says of it: what it printed, "ok", or the error and what was
 *	wrong; to be given to free()
 *
 * May wait, as for a lock.
 *
 * Return: 0, or what errno was.
 */
int control_send(int fd, const char *line, char **answer)
{
	ssize_t written = write(fd, line, strlen(line));
	int error = written < 0 ? errno : (size_t)written < strlen(line) ? EIO : 0;

	*answer = control_answer(fd);
	return error;
}

/**
 * control_try() - the same, on an open file of its own
 * @line: a command with its newline
 * @answer: as in control_send(); NULL if control could not be opened
 *
 * Return: 0, or what errno was.
 */
int control_try(const char *line, char **answer)
{
	char *path = table_path("control");
	int fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC), error = fd < 0 ? errno : 0;

	free(path);
	*answer = NULL;
	if (error)
		return error;
	error = control_send(fd, line, answer);
	close(fd);
	return error;
}

/**
 * control_reason() - what was wrong, in the module's own words
 * @answer: what control said of a line that failed: "-ENOENT no agent 9"
 *
 * Return: a string to be given to free(); NULL if it says no more than the error.
 */
char *control_reason(const char *answer)
{
	const char *line = answer ? strrchr(answer, '\n') : NULL, *blank;

	line = line ? line + 1 : answer;
	if (!line || *line != '-')
		return NULL;
	blank = strchr(line, ' ');
	return blank && blank[1] ? must(strdup(blank + 1)) : NULL;
}
