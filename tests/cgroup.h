/* SPDX-License-Identifier: GPL-2.0-only */
/* Cgroups (v2), by their path from the root. Functions return 0 or an error number. */
#ifndef TESTS_CGROUP_H
#define TESTS_CGROUP_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CGROUP_ROOT	"/sys/fs/cgroup"

static inline int cgroup_make(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), CGROUP_ROOT "/%s", name);
	return mkdir(path, 0755) ? errno : 0;
}

static inline int cgroup_try_remove(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), CGROUP_ROOT "/%s", name);
	return rmdir(path) ? errno : 0;
}

/*
 * A process that has ended leaves its cgroup busy for a moment: from 6.19 on, also after it
 * was waited for.
 */
static inline int cgroup_remove(const char *name)
{
	struct timespec pause = { .tv_nsec = 20000000 };
	int tries, err;

	for (tries = 0; tries < 3000; tries++) {
		err = cgroup_try_remove(name);
		if (err != EBUSY)
			break;
		nanosleep(&pause, NULL);
	}
	return err;
}

/* Writes a line into a file of a cgroup. */
static inline int cgroup_set(const char *name, const char *file, const char *text)
{
	char path[256];
	int fd, err;

	snprintf(path, sizeof(path), CGROUP_ROOT "/%s/%s", name, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	err = write(fd, text, strlen(text)) < 0 ? errno : 0;
	close(fd);
	return err;
}

/* Moves a whole process; "" is the root. */
static inline int cgroup_move(const char *name, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	return cgroup_set(name, "cgroup.procs", text);
}

/* 0 when there is none */
static inline unsigned long cgroup_inode(const char *name)
{
	char path[256];
	struct stat st;

	snprintf(path, sizeof(path), CGROUP_ROOT "/%s", name);
	return stat(path, &st) ? 0 : st.st_ino;
}

#endif /* TESTS_CGROUP_H */
