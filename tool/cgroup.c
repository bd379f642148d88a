// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cgroups: paths as the module writes them, and the folders of cgroup2.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "holder.h"
#include "message.h"
#include "word.h"

/**
 * cgroup_path() - what cgroup:PATH means
 * @word: it, where \ooo is a byte
 *
 * Return: the path without needless slashes, to be given to free(); NULL if the word is
 * something else, or would lead elsewhere by . or ..
 */
char *cgroup_path(const char *word)
{
	char *bytes, *rest, *part, *path, *to;

	if (strncmp(word, "cgroup:", 7))
		return NULL;
	bytes = make(strlen(word) + 1, 1);
	word_unescape(bytes, word + 7);
	path = make(strlen(bytes) + 3, 1);
	to = path;
	for (rest = bytes; (part = strsep(&rest, "/"));) {
		if (!strcmp(part, ".") || !strcmp(part, "..")) {
			free(bytes);
			free(path);
			return NULL;
		}
		if (*part)
			to = stpcpy(stpcpy(to, "/"), part);
	}
	if (to == path)
		*to = '/';
	free(bytes);
	return path;
}

/* The folder of a line of mountinfo, if all of cgroup2 is there; to be given to free(). */
static char *whole_mount(const char *line)
{
	const char *type = strstr(line, " - ");
	char *root = NULL, *word = NULL, *folder = NULL;

	if (type && !strncmp(type, " - cgroup2 ", 11) &&
	    sscanf(line, "%*s %*s %*s %ms %ms", &root, &word) == 2 && !strcmp(root, "/")) {
		folder = make(strlen(word) + 1, 1);
		word_unescape(folder, word);
	}
	free(word);
	free(root);
	return folder;
}

/**
 * cgroup_mount() - where cgroup2 is mounted
 *
 * Return: the value of GPU_DMA_LOCK_CGROUPS, or the folder, to be given to free(); NULL if it is
 * nowhere, but for parts of it.
 */
char *cgroup_mount(void)
{
	const char *given = getenv("GPU_DMA_LOCK_CGROUPS");
	char *folder = NULL, *line = NULL;
	size_t size = 0;
	FILE *mounts;

	if (given && *given)
		return must(strdup(given));
	mounts = fopen("/proc/self/mountinfo", "re");
	while (mounts && !folder && getline(&line, &size, mounts) > 0)
		folder = whole_mount(line);
	if (mounts)
		fclose(mounts);
	free(line);
	return folder;
}

/**
 * cgroup_of_process() - the cgroup that a process is in
 * @pid: its number, or "self"
 *
 * Return: the path in the hierarchy of cgroup2, to be given to free(); or NULL, and errno is ENOENT
 * or ESRCH if there is no such process, ENODATA if that is in no such cgroup, or another error.
 */
char *cgroup_of_process(const char *pid)
{
	char *name = text("%s/%s/cgroup", process_folder(), pid), *line = NULL, *path = NULL;
	FILE *file = fopen(name, "re");
	int error = file ? ENODATA : errno;
	size_t size = 0;
	ssize_t len;

	errno = 0;
	while (file && !path && (len = getline(&line, &size, file)) > 0) {
		line[len - (line[len - 1] == '\n')] = '\0';
		if (!strncmp(line, "0::", 3))
			path = must(strdup(line + 3));
	}
	if (file && ferror(file))
		error = errno ? errno : EIO;
	if (file)
		fclose(file);
	free(line);
	free(name);
	errno = error;
	return path;
}

/**
 * cgroup_open() - open a cgroup's folder, which stays that one's whatever comes to have its path
 * @path: as cgroup_path() returns it
 *
 * Return: a descriptor for cgroup_read() and cgroup_write(); or -1, and errno is ENXIO if no
 * cgroup2 is mounted, or says what is wrong.
 */
int cgroup_open(const char *path)
{
	char *mount = cgroup_mount(), *folder = mount ? text("%s%s", mount, path) : NULL;
	int fd = folder ? open(folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
	int error = folder ? errno : ENXIO;

	free(folder);
	free(mount);
	errno = error;
	return fd;
}

/**
 * cgroup_read() - read the first character of a file of a cgroup
 * @folder: what cgroup_open() returned
 * @file: the file's name
 * @state: receives it
 *
 * Return: 0; ENOENT or ENODEV if the cgroup has gone, or has no such file; ENODATA if that is
 * empty; or another error.
 */
int cgroup_read(int folder, const char *file, char *state)
{
	int fd = openat(folder, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), error = 0;
	ssize_t got = fd < 0 ? -1 : read(fd, state, 1);

	if (got != 1)
		error = got ? errno : ENODATA;
	if (fd >= 0)
		close(fd);
	return error;
}

/**
 * cgroup_write() - write a word into a file of a cgroup
 * @folder: what cgroup_open() returned
 * @file: the file's name
 * @word: what to write
 *
 * Return: 0, or what errno was: ENOENT or ENODEV as of cgroup_read().
 */
int cgroup_write(int folder, const char *file, const char *word)
{
	int fd = openat(folder, file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW), error = 0;

	if (fd < 0 || write(fd, word, strlen(word)) != (ssize_t)strlen(word))
		error = errno;
	if (fd >= 0)
		close(fd);
	return error;
}

/**
 * cgroup_is_within() - whether a cgroup is another one, or below it
 * @path: of the cgroup, as cgroup_path() returns it
 * @folder: of the other one
 *
 * Return: true if so.
 */
bool cgroup_is_within(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	if (!strcmp(folder, "/"))
		return true;
	return !strncmp(path, folder, len) && (!path[len] || path[len] == '/');
}

/**
 * make_folders() - make a folder, and those above it
 * @path: the folder
 * @mode: of each that is made, as in mkdir()
 *
 * Return: true if it is there now; or errno says why not.
 */
bool make_folders(const char *path, mode_t mode)
{
	char *copy = must(strdup(path)), *slash;
	struct stat st;
	bool made;

	for (slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(copy, mode);
		*slash = '/';
	}
	free(copy);
	made = !mkdir(path, mode) || (errno == EEXIST && !stat(path, &st) && S_ISDIR(st.st_mode));
	return made;
}

/**
 * cgroup_make() - make a cgroup that is not there
 * @word: cgroup:PATH
 *
 * Return: true if it was made; false if it was there, or cannot be.
 */
bool cgroup_make(const char *word)
{
	char *path = cgroup_path(word), *mount = path ? cgroup_mount() : NULL;
	char *folder = mount ? text("%s%s", mount, path) : NULL;
	bool made = folder && access(folder, F_OK) && make_folders(folder, 0777);

	free(folder);
	free(mount);
	free(path);
	return made;
}
