/* SPDX-License-Identifier: GPL-2.0-only */
/* DMA permissions, and the modules of tests/modules that ask for them. */
#ifndef TESTS_PERM_H
#define TESTS_PERM_H

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "swarm.h"

#define PERM_MODULE	"/gpu_dma_lock.ko"
#define PERM_TEST_DIR	"/tests/modules/"
#define PERM_DEBUGFS	"/sys/kernel/debug/"

/* As in gpu_dma_lock_check.h. */
#define PERM_READ	1U
#define PERM_WRITE	2U

/* Inserts a module with these parameters. Returns 0 or an error number. */
static inline int perm_insert_with(const char *path, const char *params)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = fd < 0 || syscall(SYS_finit_module, fd, params, 0) ? errno : 0;

	close(fd);
	return err;
}

static inline int perm_insert(const char *path)
{
	return perm_insert_with(path, "");
}

/* Removes a module. Returns 0 or an error number. */
static inline int perm_delete(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? errno : 0;
}

/* Writes a rule to an open dma_permissions. Returns 0 or an error number. */
static inline __printf(2, 3)
int perm_rule(int fd, const char *fmt, ...)
{
	char text[128];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text) - 1, fmt, ap);
	va_end(ap);
	text[len++] = '\n';
	return write(fd, text, len) < 0 ? errno : 0;
}

/* Opens a file of a test module in debugfs. */
static inline int perm_debugfs(const char *file)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), PERM_DEBUGFS "%s", file);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		bail("opening %s", path);
	return fd;
}

/* Reads an open file of a test module from its start. */
static inline void perm_read(int fd, char *text, size_t size)
{
	ssize_t len = pread(fd, text, size - 1, 0);

	if (len < 0)
		bail("reading from a test module");
	text[len] = '\0';
}

#endif /* TESTS_PERM_H */
